//! Named values and how their bytes are read.

use std::collections::BTreeMap;

use crate::format::{FieldShape, Kind, Length, Map};

/// Fen, from the app's opening or, in a phase that takes it, from the bank.
pub(crate) const AMOUNT: &str = "amount";
/// The terminal's number, from the app's opening.
pub(crate) const TERMINAL: &str = "terminal";

/// The amount as 12 decimal digits.
pub(crate) const AMOUNT_BCD: &str = "amount_bcd";
/// The terminal's day, BCD YYMMDD.
pub(crate) const TODAY: &str = "today";
/// The first bytes of the transaction's id, which the app draws at random: nobody could know them before.
pub(crate) const NONCE: &str = "nonce";

/// Names that no field and no constant may have.
pub(crate) fn is_reserved(name: &str) -> bool {
    [
        AMOUNT, AMOUNT_BCD, TERMINAL, TODAY, NONCE, "index", "record", "file",
    ]
    .contains(&name)
}

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
        AMOUNT_BCD => return single(Length::Exact(6), Kind::BcdNumber),
        TODAY => return single(Length::Exact(3), Kind::ShortDate),
        NONCE => return single(Length::Exact(4), Kind::Hex),
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

/// Kinds of which sums can be made.
pub(crate) fn is_number(kind: Kind) -> bool {
    matches!(kind, Kind::Number | Kind::LittleNumber | Kind::BcdNumber)
}

/// Kinds that are days.
pub(crate) fn is_day(kind: Kind) -> bool {
    matches!(kind, Kind::Date | Kind::ShortDate)
}

/// The number that bytes of this kind are; none when they are none, or more than fits.
pub(crate) fn number(kind: Kind, bytes: &[u8]) -> Option<u32> {
    match kind {
        Kind::Number => big_endian(bytes),
        Kind::LittleNumber => {
            let turned: Vec<u8> = bytes.iter().rev().copied().collect();
            big_endian(&turned)
        }
        Kind::BcdNumber => decimal(bytes, bytes.len().checked_mul(2)?)?.parse().ok(),
        Kind::Hex
        | Kind::Bcd
        | Kind::BcdTail
        | Kind::Date
        | Kind::ShortDate
        | Kind::Time
        | Kind::Flag => None,
    }
}

/// A big-endian number of at most 4 bytes.
pub(crate) fn big_endian(bytes: &[u8]) -> Option<u32> {
    let mut wide = [0; 4];
    let start = wide.len().checked_sub(bytes.len())?;
    wide.get_mut(start..)?.copy_from_slice(bytes);
    Some(u32::from_be_bytes(wide))
}

/// BCD YYMMDD of YYYYMMDD.
pub(crate) fn short_date(day: u32) -> Vec<u8> {
    let text = format!("{day:08}");
    hex::decode(text.get(2..8).unwrap_or_default()).unwrap_or_default()
}

/// 12 decimal digits.
pub(crate) fn amount_bcd(fen: u32) -> Vec<u8> {
    hex::decode(format!("{fen:012}")).unwrap_or_default()
}

/// A card's number as a person reads it.
pub(crate) fn number_text(kind: Kind, bytes: &[u8]) -> Option<String> {
    match kind {
        Kind::Number | Kind::LittleNumber => {
            number(kind, bytes).map(|number| format!("{number:010}"))
        }
        Kind::Bcd => Some(digits(bytes).trim_end_matches('F').to_owned()),
        Kind::BcdTail => Some(digits(bytes).trim_end_matches('F').get(1..)?.to_owned()),
        Kind::Hex | Kind::BcdNumber | Kind::Date | Kind::ShortDate | Kind::Time | Kind::Flag => {
            None
        }
    }
}

/// Capital hex digits.
pub(crate) fn digits(bytes: &[u8]) -> String {
    hex::encode_upper(bytes)
}

/// The number of a date, YYYYMMDD, when the bytes are one.
pub(crate) fn date_number(kind: Kind, bytes: &[u8]) -> Option<u32> {
    let number: u32 = if kind == Kind::ShortDate {
        format!("20{}", decimal(bytes, 6)?).parse().ok()?
    } else {
        decimal(bytes, 8)?.parse().ok()?
    };
    is_date(number).then_some(number)
}

/// `YYYY-MM-DD` of a date.
pub(crate) fn date_text(kind: Kind, bytes: &[u8]) -> Option<String> {
    let text = format!("{:08}", date_number(kind, bytes)?);
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
