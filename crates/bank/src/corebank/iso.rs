//! Messages of ISO 8583:1987 as bytes: ASCII fields behind a bitmap in bytes or in hex digits. No IO, no clock.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

use std::collections::BTreeMap;

use serde::Deserialize;

/// How the bitmap is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bitmap {
    /// 8 bytes.
    #[default]
    Binary,
    /// 16 hex digits.
    Hex,
}

/// A message's type, e.g. 0200.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Mti([u8; 4]);

impl Mti {
    pub(crate) const REQUEST: Self = Self(*b"0200");
    pub(crate) const REQUEST_ANSWER: Self = Self(*b"0210");
    pub(crate) const REVERSAL: Self = Self(*b"0420");
    pub(crate) const REVERSAL_AGAIN: Self = Self(*b"0421");
    pub(crate) const REVERSAL_ANSWER: Self = Self(*b"0430");
    pub(crate) const NETWORK: Self = Self(*b"0800");
    pub(crate) const NETWORK_ANSWER: Self = Self(*b"0810");
}

impl std::fmt::Debug for Mti {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A type and its fields by their number. Fields name accounts, so it shows their numbers alone.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Message {
    mti: Mti,
    fields: BTreeMap<u8, Vec<u8>>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?} {:?}", self.mti, self.fields.keys())
    }
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Malformed {
    /// Not four digits, or another version than 0 (1987).
    #[error("type")]
    Type,
    /// It is cut, or has other digits than those of a number.
    #[error("bitmap")]
    Bitmap,
    /// It is cut, too long, of other characters, or none of the standard.
    #[error("field {0}")]
    Field(u8),
    /// Bytes behind the last field.
    #[error("bytes behind the last field")]
    Trailing,
}

/// A field's form in the standard.
#[derive(Clone, Copy)]
struct Form {
    /// Digits of the length before it; 0: it always has `most` bytes.
    prefix: usize,
    most: usize,
    numeric: bool,
}

const fn fixed(most: usize, numeric: bool) -> Form {
    let prefix = 0;
    Form {
        prefix,
        most,
        numeric,
    }
}

const fn upto(prefix: usize, most: usize, numeric: bool) -> Form {
    Form {
        prefix,
        most,
        numeric,
    }
}

/// Fields that are binary: bytes where the bitmap is bytes, hex digits where it is digits.
const BINARY: [u8; 4] = [52, 64, 96, 128];

fn form(field: u8, bitmap: Bitmap) -> Option<Form> {
    let form = form_of(field)?;
    let doubled = bitmap == Bitmap::Hex && BINARY.contains(&field);
    Some(if doubled { fixed(16, false) } else { form })
}

/// ISO 8583:1987, 4.4: every field that can stand in a message. 1 is the second bitmap's own bit.
fn form_of(field: u8) -> Option<Form> {
    Some(match field {
        27 | 66 => fixed(1, true),
        25 | 26 | 67 => fixed(2, true),
        19..=24 | 49..=51 | 68..=70 => fixed(3, true),
        13..=18 | 71 | 72 => fixed(4, true),
        3 | 11 | 12 | 73 => fixed(6, true),
        8..=10 => fixed(8, true),
        7 | 74..=81 => fixed(10, true),
        4..=6 | 82..=85 => fixed(12, true),
        53 | 86..=89 => fixed(16, true),
        90 => fixed(42, true),
        91 => fixed(1, false),
        39 | 92 => fixed(2, false),
        40 => fixed(3, false),
        93 => fixed(5, false),
        38 => fixed(6, false),
        94 => fixed(7, false),
        41 | 52 | 64 | 96 | 128 => fixed(8, false),
        28..=31 => fixed(9, false),
        37 => fixed(12, false),
        42 => fixed(15, false),
        97 => fixed(17, false),
        98 => fixed(25, false),
        43 => fixed(40, false),
        95 => fixed(42, false),
        2 => upto(2, 19, true),
        32 | 33 | 99 | 100 => upto(2, 11, true),
        34 | 102 | 103 => upto(2, 28, false),
        35 => upto(2, 37, false),
        44 => upto(2, 25, false),
        45 => upto(2, 76, false),
        101 => upto(2, 17, false),
        36 => upto(3, 104, false),
        54 => upto(3, 120, false),
        104 => upto(3, 100, false),
        46..=48 | 55..=63 | 105..=127 => upto(3, 999, false),
        0 | 1 | 65 | 129..=255 => return None,
    })
}

impl Form {
    fn fits(self, value: &[u8]) -> bool {
        let length = match self.prefix {
            0 => value.len() == self.most,
            _ => value.len() <= self.most,
        };
        length && (!self.numeric || value.iter().all(u8::is_ascii_digit))
    }
}

impl Message {
    pub(crate) fn new(mti: Mti) -> Self {
        let fields = BTreeMap::new();
        Self { mti, fields }
    }

    /// The same with this field.
    #[must_use]
    pub(crate) fn with(mut self, field: u8, value: impl AsRef<[u8]>) -> Self {
        self.fields.insert(field, value.as_ref().to_vec());
        self
    }

    pub(crate) fn mti(&self) -> Mti {
        self.mti
    }

    /// The same fields in a message of another type.
    pub(crate) fn as_type(&self, mti: Mti) -> Self {
        let fields = self.fields.clone();
        Self { mti, fields }
    }

    /// A field that is there, as text.
    pub(crate) fn text(&self, field: u8) -> Option<&str> {
        std::str::from_utf8(self.fields.get(&field)?).ok()
    }

    /// # Errors
    /// The field that has no place in a message, or a value that does not fit it.
    pub(crate) fn encode(&self, bitmap: Bitmap) -> Result<Vec<u8>, Malformed> {
        let mut bits = 0_u128;
        let mut body = Vec::new();
        for (&field, value) in &self.fields {
            let form = form(field, bitmap).filter(|form| form.fits(value));
            let form = form.ok_or(Malformed::Field(field))?;
            bits |= bit(field);
            if form.prefix > 0 {
                let length = format!("{:0width$}", value.len(), width = form.prefix);
                body.extend_from_slice(length.as_bytes());
            }
            body.extend_from_slice(value);
        }
        let both = self.fields.keys().any(|&field| field > 64);
        if both {
            bits |= bit(1);
        }
        let bits = bits.to_be_bytes();
        let (first, second) = bits.split_at(8);
        let mut out = self.mti.0.to_vec();
        for half in [Some(first), both.then_some(second)].into_iter().flatten() {
            match bitmap {
                Bitmap::Binary => out.extend_from_slice(half),
                Bitmap::Hex => out.extend_from_slice(hex::encode_upper(half).as_bytes()),
            }
        }
        out.extend_from_slice(&body);
        Ok(out)
    }

    /// # Errors
    /// [`Malformed`]; the whole of `bytes` is one message or none.
    pub(crate) fn decode(bytes: &[u8], bitmap: Bitmap) -> Result<Self, Malformed> {
        let mut rest = bytes;
        let mti = take(&mut rest, 4).and_then(|mti| <[u8; 4]>::try_from(mti).ok());
        let mti =
            mti.filter(|mti| mti.iter().all(u8::is_ascii_digit) && mti.first() == Some(&b'0'));
        let mut message = Self::new(Mti(mti.ok_or(Malformed::Type)?));
        let mut bits = u128::from(half(&mut rest, bitmap)?) << 64;
        if bits & bit(1) != 0 {
            bits |= u128::from(half(&mut rest, bitmap)?);
        }
        for field in 2..=128 {
            if bits & bit(field) == 0 {
                continue;
            }
            let value = value(&mut rest, field, bitmap).ok_or(Malformed::Field(field))?;
            message.fields.insert(field, value.to_vec());
        }
        if rest.is_empty() {
            Ok(message)
        } else {
            Err(Malformed::Trailing)
        }
    }
}

/// The bit of a field in both halves of the bitmap, from 1.
fn bit(field: u8) -> u128 {
    let up = 128_u32.saturating_sub(field.into());
    1_u128.checked_shl(up).unwrap_or_default()
}

fn half(rest: &mut &[u8], bitmap: Bitmap) -> Result<u64, Malformed> {
    let read = match bitmap {
        Bitmap::Binary => take(rest, 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()),
        Bitmap::Hex => take(rest, 16).and_then(|digits| {
            let mut bytes = [0; 8];
            hex::decode_to_slice(digits, &mut bytes).ok()?;
            Some(bytes)
        }),
    };
    read.map(u64::from_be_bytes).ok_or(Malformed::Bitmap)
}

fn value<'b>(rest: &mut &'b [u8], field: u8, bitmap: Bitmap) -> Option<&'b [u8]> {
    let form = form(field, bitmap)?;
    let length = match form.prefix {
        0 => form.most,
        digits => {
            let digits = take(rest, digits)?;
            // `parse` would take a sign.
            let plain = digits.iter().all(u8::is_ascii_digit);
            let digits = std::str::from_utf8(digits).ok().filter(|_| plain)?;
            digits.parse().ok()?
        }
    };
    take(rest, length).filter(|value| form.fits(value))
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: [Bitmap; 2] = [Bitmap::Binary, Bitmap::Hex];

    fn reversal() -> Message {
        Message::new(Mti::REVERSAL)
            .with(3, "600000")
            .with(4, "000000005000")
            .with(11, "000017")
            .with(32, "12345")
            .with(37, "633300000001")
            .with(90, "0".repeat(42))
    }

    #[test]
    fn a_message_is_written_as_the_standard_has_it() {
        let message = Message::new(Mti::NETWORK)
            .with(7, "1123020000")
            .with(11, "000001")
            .with(70, "001");
        let mut expected = b"0800".to_vec();
        // Bits 1, 7 and 11; then 70, the 6th of the second half.
        expected.extend([0x82, 0x20, 0, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend(b"1123020000000001001");
        assert_eq!(message.encode(Bitmap::Binary), Ok(expected));
        let hex = message.encode(Bitmap::Hex).unwrap();
        let text = "080082200000000000000400000000000000".to_owned() + "1123020000000001001";
        assert_eq!(String::from_utf8(hex).unwrap(), text);
    }

    #[test]
    fn a_field_that_does_not_fit_is_named_and_never_sent() {
        for (field, value) in [
            (4, "5000"),
            (11, "00001x"),
            (32, "123456789012"),
            (41, "1234567"),
            (65, "1"),
            (0, ""),
            (1, ""),
            (129, "1"),
        ] {
            let message = reversal().with(field, value);
            assert_eq!(
                message.encode(Bitmap::Binary),
                Err(Malformed::Field(field)),
                "{value}"
            );
        }
    }

    #[test]
    fn every_cut_and_every_longer_message_is_refused() {
        for bitmap in BOTH {
            let mut bytes = reversal().encode(bitmap).unwrap();
            for end in 0..bytes.len() {
                assert!(Message::decode(&bytes[..end], bitmap).is_err(), "{end}");
            }
            bytes.push(b'0');
            let longer = Message::decode(&bytes, bitmap);
            assert_eq!(longer, Err(Malformed::Trailing));
        }
    }

    #[test]
    fn a_length_with_a_sign_is_none() {
        let mut bytes = b"0200".to_vec();
        bytes.extend(1_u64.rotate_right(32).to_be_bytes());
        bytes.extend(b"+512345");
        let read = Message::decode(&bytes, Bitmap::Binary);
        assert_eq!(read, Err(Malformed::Field(32)));
    }

    #[test]
    fn what_is_shown_of_a_message_is_no_value() {
        let shown = format!("{:?}", reversal().with(102, "6222020000000001"));
        assert!(shown.contains("102") && !shown.contains("6222"), "{shown}");
    }

    fn fields(bitmap: Bitmap) -> impl Strategy<Value = BTreeMap<u8, Vec<u8>>> {
        let known: Vec<u8> = (2..=128)
            .filter(|field| form_of(*field).is_some())
            .collect();
        let one = proptest::sample::select(known).prop_flat_map(move |field| {
            let form = form(field, bitmap).unwrap();
            let least = if form.prefix == 0 { form.most } else { 0 };
            let byte = if form.numeric {
                (b'0'..=b'9').boxed()
            } else {
                any::<u8>().boxed()
            };
            let value = proptest::collection::vec(byte, least..=form.most);
            value.prop_map(move |value| (field, value))
        });
        proptest::collection::btree_map(any::<u16>(), one, 0..12)
            .prop_map(|all| all.into_values().collect())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            (bitmap, fields) in proptest::sample::select(&BOTH[..])
                .prop_flat_map(|bitmap| (Just(bitmap), fields(bitmap))),
        ) {
            let message = Message { mti: Mti::REQUEST, fields };
            let bytes = message.encode(bitmap).unwrap();
            prop_assert_eq!(Message::decode(&bytes, bitmap), Ok(message));
        }

        #[test]
        fn no_bytes_break_the_reader_and_what_it_takes_is_written_the_same(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            for bitmap in BOTH {
                if let Ok(message) = Message::decode(&bytes, bitmap) {
                    let again = message.encode(bitmap).unwrap();
                    let read = Message::decode(&again, bitmap);
                    prop_assert_eq!(read, Ok(message));
                }
            }
        }

        #[test]
        fn one_changed_byte_never_breaks_the_reader(at in 0_usize..96, byte in any::<u8>()) {
            for bitmap in BOTH {
                let mut bytes = reversal().encode(bitmap).unwrap();
                let place = at % bytes.len();
                bytes[place] = byte;
                let _read = Message::decode(&bytes, bitmap);
            }
        }
    }
}
