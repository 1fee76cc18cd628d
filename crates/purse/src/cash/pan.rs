//! The card's number.

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Not 8 to 19 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a primary account number")]
pub struct PanError;

/// A primary account number of 8 to 19 digits. Wiped when dropped; `Debug` shows no digit.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Pan {
    /// One digit in each byte.
    digits: Vec<u8>,
}

impl Pan {
    /// From text of decimal digits.
    ///
    /// # Errors
    /// `PanError` unless there are 8 to 19 digits and nothing else.
    pub fn from_text(text: &str) -> Result<Self, PanError> {
        let digits = text.chars().map(|digit| digit.to_digit(10));
        let digits = digits.map(|digit| u8::try_from(digit?).ok());
        Self::checked(digits.collect::<Option<_>>().ok_or(PanError)?)
    }

    /// From tag 5A: BCD, left-aligned, filled with F.
    ///
    /// # Errors
    /// `PanError` unless there are 8 to 19 digits, then nothing but F.
    pub fn from_bcd(bytes: &[u8]) -> Result<Self, PanError> {
        let mut digits: Vec<u8> = bytes
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 0x0F])
            .collect();
        while digits.last() == Some(&0x0F) {
            digits.pop();
        }
        Self::checked(digits)
    }

    /// BCD, left-aligned, filled with F to `length` bytes, or to whole ones when it is longer.
    #[must_use]
    pub fn to_bcd(&self, length: usize) -> Vec<u8> {
        let (pairs, odd) = self.digits.as_chunks::<2>();
        let mut bytes: Vec<u8> = pairs.iter().map(|[high, low]| (high << 4) | low).collect();
        bytes.extend(odd.iter().map(|high| (high << 4) | 0x0F));
        bytes.resize(length.max(bytes.len()), 0xFF);
        bytes
    }

    /// The last four digits, which may be shown.
    #[must_use]
    pub fn tail(&self) -> String {
        let tail = self.digits.last_chunk::<4>().copied().unwrap_or_default();
        tail.iter().map(|digit| char::from(b'0' | digit)).collect()
    }

    /// `Y` of EMV option A: the rightmost 16 digits of PAN and sequence number (BCD), zeros in
    /// front of a shorter one.
    #[must_use]
    pub fn factor(&self, sequence_number: u8) -> [u8; 8] {
        let tail = [sequence_number & 0x0F, sequence_number >> 4];
        let mut digits = tail.into_iter().chain(self.digits.iter().rev().copied());
        let mut factor = [0; 8];
        for place in factor.iter_mut().rev() {
            let low = digits.next().unwrap_or_default();
            *place = (digits.next().unwrap_or_default() << 4) | low;
        }
        factor
    }

    fn checked(digits: Vec<u8>) -> Result<Self, PanError> {
        let pan = Self { digits };
        let valid = (8..=19).contains(&pan.digits.len()) && pan.digits.iter().all(|&d| d <= 9);
        valid.then_some(pan).ok_or(PanError)
    }
}

impl std::fmt::Debug for Pan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pan(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_factor_is_the_rightmost_16_digits_of_number_and_sequence() {
        let factor = |text: &str| hex::encode(Pan::from_text(text).unwrap().factor(0x01));
        assert_eq!(factor("6217000000004471"), "1700000000447101");
        assert_eq!(factor("6217000000000004471"), "0000000000447101");
        assert_eq!(factor("12345678"), "0000001234567801");
    }

    #[test]
    fn tag_5a_is_filled_with_f() {
        let odd = Pan::from_text("6217000000000004471").unwrap();
        assert_eq!(hex::encode_upper(odd.to_bcd(10)), "6217000000000004471F");
        assert_eq!(Pan::from_bcd(&odd.to_bcd(10)), Ok(odd.clone()));
        assert_eq!(odd.tail(), "4471");
        assert_eq!(format!("{odd:?}"), "Pan(..)");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "1234567",
            "12345678901234567890",
            "1234567a",
            "-2345678",
        ] {
            assert_eq!(Pan::from_text(text), Err(PanError), "{text}");
        }
        assert_eq!(Pan::from_bcd(&[0x12, 0x34, 0x56, 0xF7]), Err(PanError));
        assert_eq!(Pan::from_bcd(&[0xFF; 10]), Err(PanError));
    }

    proptest! {
        #[test]
        fn parsers_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..24),
            text: String,
            sequence: u8,
        ) {
            for pan in [Pan::from_bcd(&bytes), Pan::from_text(&text)].into_iter().flatten() {
                let _ = (pan.factor(sequence), pan.tail());
                prop_assert_eq!(Pan::from_bcd(&pan.to_bcd(10)).unwrap(), pan);
            }
        }
    }
}
