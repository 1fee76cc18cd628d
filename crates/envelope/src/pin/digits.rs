//! A password while it is typed.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Refused;

/// Digits of a bank card password.
pub const PIN_LENGTH: usize = 6;

/// A password as it is typed, digit by digit.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub struct PinDigits {
    digits: [u8; PIN_LENGTH],
    length: usize,
}

impl PinDigits {
    /// Types one digit. `false`, and nothing happens, when it is no digit or six are there.
    pub fn push(&mut self, digit: u8) -> bool {
        match self.digits.get_mut(self.length) {
            Some(place) if digit <= 9 => {
                *place = digit;
                self.length = self.length.saturating_add(1);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Takes the last digit back. `false` when there is none.
    pub fn pop(&mut self) -> bool {
        let Some(length) = self.length.checked_sub(1) else {
            return false;
        };
        if let Some(place) = self.digits.get_mut(length) {
            *place = 0;
        }
        self.length = length;
        true
    }

    /// Takes all digits back.
    pub fn clear(&mut self) {
        self.zeroize();
    }

    /// How many digits are there.
    pub fn len(&self) -> usize {
        self.length
    }

    /// No digit yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All six digits are there.
    pub fn is_complete(&self) -> bool {
        self.length == PIN_LENGTH
    }

    /// The digits as ASCII, for the bank to hash.
    pub fn ascii(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.typed().iter().map(|digit| digit | b'0').collect())
    }

    pub(super) fn typed(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or_default()
    }
}

/// Up to six ASCII digits.
impl TryFrom<&str> for PinDigits {
    type Error = Refused;

    fn try_from(text: &str) -> Result<Self, Refused> {
        let mut digits = Self::default();
        for byte in text.bytes() {
            let digit = byte.checked_sub(b'0').ok_or(Refused)?;
            if !digits.push(digit) {
                return Err(Refused);
            }
        }
        Ok(digits)
    }
}

impl fmt::Debug for PinDigits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PinDigits({} hidden)", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_are_typed_and_taken_back() {
        let mut digits = PinDigits::default();
        assert!(digits.is_empty() && !digits.pop());
        assert!(!digits.push(10), "no digit");
        for digit in [2, 4, 6, 8, 1, 0] {
            assert!(!digits.is_complete());
            assert!(digits.push(digit));
            assert!(!digits.is_empty());
        }
        assert!(digits.is_complete() && !digits.push(1), "six are there");
        assert_eq!(digits.ascii().as_slice(), b"246810");
        assert!(digits.pop());
        assert_eq!(digits.len(), 5);
        assert_eq!(
            digits.digits,
            [2, 4, 6, 8, 1, 0],
            "a digit taken back is wiped"
        );
        digits.clear();
        assert!(digits.is_empty());
        assert_eq!(digits.digits, [0; 6]);
        for text in ["1234567", "12a", "12:", "12/", " 12"] {
            assert_eq!(
                PinDigits::try_from(text).map(|_| ()),
                Err(Refused),
                "{text}"
            );
        }
    }

    #[test]
    fn digits_are_never_printed() {
        assert_eq!(
            format!("{:?}", PinDigits::try_from("246810").unwrap()),
            "PinDigits(6 hidden)"
        );
    }
}
