//! Named values and how their bytes are read.

use std::collections::BTreeMap;

use crate::format::{FieldShape, Kind, Length, Map};

/// Fen, from the app's opening or, in a phase that takes it, from the bank.
pub(crate) const AMOUNT: &str = "amount";
/// The terminal's number, from the app's opening.
pub(crate) const TERMINAL: &str = "terminal";

/// What a reference (`field` or `field.part`) stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Slot {
    pub(crate) length: Length,
    pub(crate) kind: Kind,
    /// At most so many values, joined.
    pub(crate) times: Option<u8>,
}

/// The slot of a reference; none when nothing of that name is declared.
pub(crate) fn slot(fields: &Map<FieldShape>, reference: &str) -> Option<Slot> {
    let single = |length, kind| {
        Some(Slot {
            length,
            kind,
            times: None,
        })
    };
    match reference {
        AMOUNT => return single(Length::Exact(4), Kind::Number),
        TERMINAL => return single(Length::Exact(6), Kind::Bcd),
        _ => {}
    }
    let (name, part) = split(reference);
    let shape = fields.0.get(name)?;
    match part {
        None => Some(Slot {
            length: shape.length,
            kind: shape.kind,
            times: shape.times,
        }),
        Some(part) => {
            let part = shape.parts.0.get(part)?;
            single(Length::Exact(part.length), part.kind)
        }
    }
}

/// The field of a reference, and its part.
pub(crate) fn split(reference: &str) -> (&str, Option<&str>) {
    match reference.split_once('.') {
        Some((name, part)) => (name, Some(part)),
        None => (reference, None),
    }
}

/// The values of one transaction, by field.
pub(crate) type Values = BTreeMap<String, Vec<u8>>;

/// The bytes of a reference, if there are any yet.
pub(crate) fn bytes<'v>(
    fields: &Map<FieldShape>,
    values: &'v Values,
    reference: &str,
) -> Option<&'v [u8]> {
    let (name, part) = split(reference);
    let value = values.get(name)?;
    match part {
        None => Some(value),
        Some(part) => part_of(fields.0.get(name)?, value, part),
    }
}

/// The bytes of one part of a value.
pub(crate) fn part_of<'v>(shape: &FieldShape, value: &'v [u8], part: &str) -> Option<&'v [u8]> {
    let part = shape.parts.0.get(part)?;
    let start = usize::from(part.at);
    value.get(start..start.checked_add(part.length.into())?)
}

/// A big-endian number of at most 4 bytes.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    let mut wide = [0; 4];
    let start = wide.len().checked_sub(bytes.len())?;
    wide.get_mut(start..)?.copy_from_slice(bytes);
    Some(u32::from_be_bytes(wide))
}

/// Capital hex digits.
pub(crate) fn digits(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

/// The number of a BCD date, YYYYMMDD, when the bytes are one.
pub(crate) fn date_number(bytes: &[u8]) -> Option<u32> {
    let number: u32 = decimal(bytes, 8)?.parse().ok()?;
    is_date(number).then_some(number)
}

/// `YYYY-MM-DD` of a BCD date.
pub(crate) fn date_text(bytes: &[u8]) -> Option<String> {
    date_number(bytes)?;
    let text = digits(bytes);
    Some(format!(
        "{}-{}-{}",
        text.get(..4)?,
        text.get(4..6)?,
        text.get(6..)?
    ))
}

/// `HH:MM:SS` of a BCD time.
pub(crate) fn time_text(bytes: &[u8]) -> Option<String> {
    let text = decimal(bytes, 6)?;
    let (hour, minute, second) = (text.get(..2)?, text.get(2..4)?, text.get(4..)?);
    (hour < "24" && minute < "60" && second < "60").then(|| format!("{hour}:{minute}:{second}"))
}

/// True for a day of the calendar, YYYYMMDD.
pub(crate) fn is_date(number: u32) -> bool {
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=9999).contains(&year) && (1..=days).contains(&day)
}

fn decimal(bytes: &[u8], length: usize) -> Option<String> {
    let text = digits(bytes);
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}
