//! Issuer application data (9F10) and the card verification results in it.

use super::{AmountError, balance_from_bcd, balance_to_bcd};
use thiserror::Error;

/// Not issuer application data of our issuer's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IssuerDataError {
    /// Another length, or a length byte inside that is not this layout's.
    #[error("not the layout of this issuer application data")]
    Layout,
    /// The balance is no amount.
    #[error(transparent)]
    Balance(#[from] AmountError),
}

/// 9F10, 19 bytes: `07 DKI CVN CVR(4) algorithm 0A 01 balance(5) MAC(4)`.
///
/// The first part is JR/T 0025.5's; the second, issuer discretionary data with the balance of the
/// electronic cash and a MAC over it, is our issuer's choice: cards differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuerData {
    /// Derivation key index.
    pub key_index: u8,
    /// Cryptogram version number.
    pub version: u8,
    /// Card verification results.
    pub cvr: CardVerification,
    /// Algorithm id: 01 is 3DES.
    pub algorithm: u8,
    /// Balance of the electronic cash, fen.
    pub balance: u32,
    /// [`super::balance_mac`].
    pub mac: [u8; 4],
}

impl IssuerData {
    /// Bytes of the value of 9F10.
    pub const LENGTH: usize = 19;

    /// # Errors
    /// `IssuerDataError` unless it is this layout with a balance that is an amount.
    pub fn parse(data: &[u8]) -> Result<Self, IssuerDataError> {
        let &[
            0x07,
            key_index,
            version,
            c0,
            c1,
            c2,
            c3,
            algorithm,
            0x0A,
            0x01,
            b0,
            b1,
            b2,
            b3,
            b4,
            ref mac @ ..,
        ] = data
        else {
            return Err(IssuerDataError::Layout);
        };
        Ok(Self {
            key_index,
            version,
            cvr: CardVerification([c0, c1, c2, c3]),
            algorithm,
            balance: balance_from_bcd([b0, b1, b2, b3, b4])?,
            mac: mac.try_into().map_err(|_| IssuerDataError::Layout)?,
        })
    }

    /// The 19 bytes of the value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            &[0x07, self.key_index, self.version][..],
            &self.cvr.0,
            &[self.algorithm, 0x0A, 0x01],
            &balance_to_bcd(self.balance),
            &self.mac,
        ]
        .concat()
    }
}

/// Card verification results: what the card decided and noticed. As it stands in 9F10 and in the
/// cryptogram, its length byte 03 first.
///
/// Source: JR/T 0025.5, card verification results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardVerification(pub [u8; 4]);

impl CardVerification {
    /// The first GENERATE AC was answered by an ARQC.
    pub const FIRST_ARQC: u32 = 0x0020_0000;
    /// The first GENERATE AC was answered by a TC.
    pub const FIRST_TC: u32 = 0x0010_0000;
    /// The second GENERATE AC was not asked for yet.
    pub const SECOND_OPEN: u32 = 0x0080_0000;
    /// The second GENERATE AC was answered by a TC.
    pub const SECOND_TC: u32 = 0x0040_0000;
    /// Issuer authentication was done and failed.
    pub const AUTHENTICATION_FAILED: u32 = 0x0008_0000;
    /// The last online transaction was not completed.
    pub const UNFINISHED: u32 = 0x8000;
    /// A command of the script failed.
    pub const SCRIPT_FAILED: u32 = 0x08;

    /// Results with these flags and this number of script commands done (at most 15 are told).
    #[must_use]
    pub fn new(flags: u32, scripts: u8) -> Self {
        let told = u32::from(scripts.min(0x0F)) << 4;
        let flags = flags & 0x00FF_FFFF & !0xF0;
        Self((0x0300_0000 | flags | told).to_be_bytes())
    }

    /// Whether all of these flags are set.
    #[must_use]
    pub fn has(self, flags: u32) -> bool {
        u32::from_be_bytes(self.0) & flags == flags
    }

    /// Script commands done in the last online transaction.
    #[must_use]
    pub fn scripts(self) -> u8 {
        let [.., last] = self.0;
        last >> 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layout_is_19_bytes() {
        let data = IssuerData {
            key_index: 1,
            version: 1,
            cvr: CardVerification::new(CardVerification::FIRST_ARQC, 0),
            algorithm: 1,
            balance: 12_850,
            mac: [0xAA; 4],
        };
        let text = "07010103200000010A010000012850AAAAAAAA";
        assert_eq!(hex::encode_upper(data.encode()), text);
        assert_eq!(IssuerData::parse(&data.encode()), Ok(data));
        let mut changed = data.encode();
        changed[10] = 0xA0;
        let digit = IssuerDataError::Balance(AmountError::Digit);
        assert_eq!(IssuerData::parse(&changed), Err(digit));
        assert_eq!(
            IssuerData::parse(&data.encode()[..18]),
            Err(IssuerDataError::Layout)
        );
    }

    #[test]
    fn the_vector_verification_is_an_arqc_with_11_scripts() {
        let cvr = CardVerification([0x03, 0xA4, 0xB9, 0x04]);
        assert!(cvr.has(CardVerification::FIRST_ARQC | CardVerification::SECOND_OPEN));
        assert!(cvr.has(CardVerification::UNFINISHED));
        assert!(!cvr.has(CardVerification::SCRIPT_FAILED));
        assert_eq!(
            CardVerification::new(0, 200).scripts(),
            15,
            "no more are told"
        );
    }

    proptest! {
        #[test]
        fn parsing_never_panics(
            data in proptest::collection::vec(any::<u8>(), 0..40),
            exact: [u8; 19],
        ) {
            let _ = IssuerData::parse(&data);
            let mut near = exact;
            (near[0], near[8], near[9]) = (0x07, 0x0A, 0x01);
            if let Ok(parsed) = IssuerData::parse(&near) {
                prop_assert_eq!(parsed.encode(), near);
            }
        }
    }
}
