//! Keys and codes: diversification, session keys, cryptograms, ARPC, MACs.
//!
//! All keys are two-key 3DES. The card has three (cryptograms, script MAC, script encipherment),
//! each diversified and each with its own session keys.

use super::{Pan, balance_to_bcd};
use crate::command::CommandError;
use crate::crypto::{CardKey, MasterKey, diversify, hide_key, long_mac, xor};
use crate::secure::{Head, length_with_mac};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// ARQC, TC, AAC or ARPC.
pub type Cryptogram = [u8; 8];

/// A 16-byte key of one transaction. Wiped when dropped; `Debug` shows no key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionKey(CardKey);

hide_key!(SessionKey);

impl SessionKey {
    /// The key's bytes, for known-answer tests.
    #[must_use]
    pub fn expose(&self) -> zeroize::Zeroizing<Vec<u8>> {
        self.0.expose()
    }
}

/// `UDK = E3(IMK, Y) || E3(IMK, not Y)`, EMV option A, parity as it comes out. `Y` is
/// [`Pan::factor`].
#[must_use]
pub fn card_key(master: &MasterKey, pan: &Pan, sequence_number: u8) -> CardKey {
    diversify(master, pan.factor(sequence_number))
}

/// `SK = E3(UDK, 000000000000 || ATC) || E3(UDK, 000000000000 || not ATC)`.
#[must_use]
pub fn session_key(key: &CardKey, atc: u16) -> SessionKey {
    let half = |counter: u16| {
        let [high, low] = counter.to_be_bytes();
        key.encrypt([0, 0, 0, 0, 0, 0, high, low])
    };
    SessionKey(CardKey::from_halves(half(atc), half(!atc)))
}

/// What a cryptogram is about, in the order of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// 9F02, BCD.
    pub amount: [u8; 6],
    /// 9F03, BCD.
    pub other_amount: [u8; 6],
    /// 9F1A.
    pub country: [u8; 2],
    /// 95, terminal verification results.
    pub verification: [u8; 5],
    /// 5F2A.
    pub currency: [u8; 2],
    /// 9A, BCD YYMMDD.
    pub date: [u8; 3],
    /// 9C.
    pub kind: u8,
    /// 9F37.
    pub unpredictable: [u8; 4],
    /// 82, application interchange profile.
    pub interchange: [u8; 2],
    /// 9F36.
    pub atc: u16,
    /// Card verification results, from 9F10.
    pub cvr: [u8; 4],
}

impl Terms {
    /// The 37 bytes that the cryptogram covers.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        [
            &self.amount[..],
            &self.other_amount,
            &self.country,
            &self.verification,
            &self.currency,
            &self.date,
            &[self.kind],
            &self.unpredictable,
            &self.interchange,
            &self.atc.to_be_bytes(),
            &self.cvr,
        ]
        .concat()
    }
}

/// ARQC, TC or AAC: retail MAC, all 8 bytes. Which of them it is, is in the terms' CVR.
#[must_use]
pub fn cryptogram(key: &SessionKey, terms: &Terms) -> Cryptogram {
    long_mac(&key.0, [0; 8], &terms.bytes())
}

/// `ARPC = E3(SK, ARQC xor (ARC || 000000000000))`, by which the issuer proves itself.
#[must_use]
pub fn arpc(key: &SessionKey, arqc: Cryptogram, response: [u8; 2]) -> Cryptogram {
    let [a, b] = response;
    key.0.encrypt(xor(arqc, [a, b, 0, 0, 0, 0, 0, 0]))
}

/// MAC of a script command: over CLA INS P1 P2 Lc (data and MAC), ATC, ARQC and data.
///
/// # Errors
/// `CommandError` when data and MAC are over 255 bytes.
pub fn script_mac(
    key: &SessionKey,
    head: Head,
    atc: u16,
    arqc: Cryptogram,
    data: &[u8],
) -> Result<[u8; 4], CommandError> {
    let lc = length_with_mac(data)?;
    let counter = atc.to_be_bytes();
    Ok(short(
        key,
        &[&head[..], &[lc], &counter, &arqc, data].concat(),
    ))
}

/// MAC of the balance in issuer application data, under the MAC session key: over the balance (5
/// bytes BCD) and the ATC. Our issuer's choice; cards differ.
#[must_use]
pub fn balance_mac(key: &SessionKey, balance: u32, atc: u16) -> [u8; 4] {
    short(
        key,
        &[&balance_to_bcd(balance)[..], &atc.to_be_bytes()].concat(),
    )
}

/// Compares two cryptograms in constant time.
#[must_use]
pub fn same(left: Cryptogram, right: Cryptogram) -> bool {
    left.ct_eq(&right).into()
}

fn short(key: &SessionKey, data: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = long_mac(&key.0, [0; 8], data);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use retail_mac::{KeyInit, Mac, RetailMac};

    const UDK: &str = "0D2E3CB0BC1F9E03AED58F663A2F9679";

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    fn key(text: &str) -> CardKey {
        CardKey::from(bytes::<16>(text))
    }

    fn vector() -> Terms {
        Terms {
            amount: bytes("000000001234"),
            other_amount: bytes("000000000034"),
            country: bytes("0156"),
            verification: bytes("D86004A800"),
            currency: bytes("0156"),
            date: bytes("120516"),
            kind: 0x01,
            unpredictable: bytes("01010101"),
            interchange: bytes("7C00"),
            atc: 0x000E,
            cvr: bytes("03A4B904"),
        }
    }

    #[test]
    fn the_vector_of_session_key_arqc_and_arpc() {
        let session = session_key(&key(UDK), 0x000E);
        let expected = "C3D3F062E9992B4E923D338D66193526";
        assert_eq!(hex::encode_upper(&*session.expose()), expected);
        let covered = "0000000012340000000000340156D86004A800015612051601010101017C00000E03A4B904";
        assert_eq!(hex::encode_upper(vector().bytes()), covered);
        let arqc = cryptogram(&session, &vector());
        assert_eq!(arqc, bytes("F294D7022FA9B058"));
        assert_eq!(arpc(&session, arqc, *b"00"), bytes("3846EEB4C8D34271"));
        assert!(same(arqc, arqc) && !same(arqc, [0; 8]));
    }

    #[test]
    fn a_card_key_is_diversified_by_number_and_sequence() {
        let master = MasterKey::from_bytes(&bytes::<16>("00112233445566778899AABBCCDDEEFF"));
        let pan = Pan::from_text("6211223344556677").unwrap();
        assert_eq!(pan.factor(0x88), bytes("1122334455667788"), "vector E");
        let made = card_key(&master.unwrap(), &pan, 0x88);
        let expected = "496BD7A3513644533100B54E71196528";
        assert_eq!(hex::encode_upper(&*made.expose()), expected);
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", session_key(&key(UDK), 1)), "SessionKey(..)");
    }

    /// A retail MAC by another implementation, cut to 4 bytes.
    fn foreign(key: &SessionKey, data: &[u8]) -> Vec<u8> {
        let key: [u8; 16] = key.expose().as_slice().try_into().unwrap();
        let mut mac = <RetailMac<des::Des> as KeyInit>::new(&key.into());
        mac.update(data);
        mac.update(&[0x80]);
        mac.finalize().into_bytes()[..4].to_vec()
    }

    proptest! {
        #[test]
        fn macs_are_retail_macs_over_what_they_name(
            atc: u16,
            arqc: [u8; 8],
            balance: u32,
            data in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let session = session_key(&key(UDK), atc);
            let head = [0x04, 0xDA, 0x9F, 0x79];
            let lc = u8::try_from(data.len() + 4).unwrap();
            let counter = atc.to_be_bytes();
            let covered = [&head[..], &[lc], &counter, &arqc, &data].concat();
            let own = script_mac(&session, head, atc, arqc, &data).unwrap();
            prop_assert_eq!(&own[..], foreign(&session, &covered));
            let covered = [&balance_to_bcd(balance)[..], &counter].concat();
            prop_assert_eq!(&balance_mac(&session, balance, atc)[..], foreign(&session, &covered));
        }
    }
}
