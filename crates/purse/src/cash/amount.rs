//! Amounts as electronic cash writes them: BCD, in fen.

use thiserror::Error;

/// Not BCD, or more fen than fit into 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AmountError {
    /// A nibble is not a digit.
    #[error("not BCD")]
    Digit,
    /// Over 4,294,967,295 fen.
    #[error("too large an amount")]
    Range,
}

/// Twelve digits (9F02, 9F03, 9F77, 9F78, 9F79) as fen.
///
/// # Errors
/// `AmountError` when a nibble is not a digit, or the amount does not fit.
pub fn amount_from_bcd(bytes: [u8; 6]) -> Result<u32, AmountError> {
    from_bcd(&bytes)
}

/// Fen as twelve digits.
#[must_use]
pub fn amount_to_bcd(fen: u32) -> [u8; 6] {
    to_bcd(fen)
}

/// Ten digits, as the balance stands in issuer application data, as fen.
///
/// # Errors
/// As [`amount_from_bcd`].
pub fn balance_from_bcd(bytes: [u8; 5]) -> Result<u32, AmountError> {
    from_bcd(&bytes)
}

/// Fen as ten digits; every `u32` has room.
#[must_use]
pub fn balance_to_bcd(fen: u32) -> [u8; 5] {
    to_bcd(fen)
}

fn from_bcd(bytes: &[u8]) -> Result<u32, AmountError> {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    let sum = nibbles.into_iter().try_fold(0_u64, |sum, digit| {
        if digit > 9 {
            return Err(AmountError::Digit);
        }
        let shifted = sum.checked_mul(10).ok_or(AmountError::Range)?;
        shifted
            .checked_add(u64::from(digit))
            .ok_or(AmountError::Range)
    })?;
    u32::try_from(sum).map_err(|_| AmountError::Range)
}

fn to_bcd<const N: usize>(mut fen: u32) -> [u8; N] {
    let mut digit = || {
        let last = fen.checked_rem(10).unwrap_or_default();
        fen = fen.checked_div(10).unwrap_or_default();
        u8::try_from(last).unwrap_or_default()
    };
    let mut bytes = [0; N];
    for place in bytes.iter_mut().rev() {
        let units = digit();
        *place = (digit() << 4) | units;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vector_amount_is_1234_fen_by_its_digits() {
        assert_eq!(amount_from_bcd([0, 0, 0, 0, 0x12, 0x34]), Ok(1_234));
        assert_eq!(amount_to_bcd(1_234), [0, 0, 0, 0, 0x12, 0x34]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let largest = amount_to_bcd(u32::MAX);
        assert_eq!(hex::encode(largest), "004294967295");
        assert_eq!(amount_from_bcd(largest), Ok(u32::MAX));
        let above = [0x00, 0x42, 0x94, 0x96, 0x72, 0x96];
        assert_eq!(amount_from_bcd(above), Err(AmountError::Range), "one more");
        assert_eq!(amount_from_bcd([0x99; 6]), Err(AmountError::Range));
        assert_eq!(
            amount_from_bcd([0, 0, 0, 0, 0, 0x1A]),
            Err(AmountError::Digit)
        );
        assert_eq!(
            balance_from_bcd([0xF0, 0, 0, 0, 0]),
            Err(AmountError::Digit)
        );
    }

    proptest! {
        #[test]
        fn amounts_survive_the_way_there_and_back(fen: u32) {
            prop_assert_eq!(amount_from_bcd(amount_to_bcd(fen)), Ok(fen));
            prop_assert_eq!(balance_from_bcd(balance_to_bcd(fen)), Ok(fen));
        }

        #[test]
        fn parsers_never_panic(bytes: [u8; 6], short: [u8; 5]) {
            if let Ok(fen) = amount_from_bcd(bytes) {
                prop_assert_eq!(amount_to_bcd(fen), bytes, "one spelling of each amount");
            }
            let _ = balance_from_bcd(short);
        }
    }
}
