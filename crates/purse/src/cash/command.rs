//! Builders of the commands of electronic cash.

use super::{Cryptogram, SessionKey, amount_to_bcd, script_mac};
use crate::command::{CommandError, apdu};
use crate::secure::Head;

/// Application id of the debit application with electronic cash (PBOC).
pub const AID: [u8; 8] = [0xA0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01, 0x01];

/// First two bytes of the script command PUT DATA; P1 P2 is the tag.
pub const PUT_DATA: [u8; 2] = [0x04, 0xDA];
/// First four bytes of the script command APPLICATION BLOCK.
pub const APPLICATION_BLOCK: Head = [0x84, 0x1E, 0x00, 0x00];
/// First four bytes of the script command APPLICATION UNBLOCK.
pub const APPLICATION_UNBLOCK: Head = [0x84, 0x18, 0x00, 0x00];

/// Tags of electronic cash and of the transaction.
pub mod tag {
    /// Balance, BCD.
    pub const BALANCE: u16 = 0x9F79;
    /// Highest balance, BCD. Zero: not activated.
    pub const BALANCE_LIMIT: u16 = 0x9F77;
    /// Highest amount of one transaction, BCD.
    pub const SINGLE_LIMIT: u16 = 0x9F78;
    /// Balance at which the card wants to go online, BCD.
    pub const RESET_THRESHOLD: u16 = 0x9F6D;
    /// Application transaction counter.
    pub const ATC: u16 = 0x9F36;
    /// Counter of the last online transaction.
    pub const LAST_ONLINE_ATC: u16 = 0x9F13;
    /// Format of the log's records, a data object list.
    pub const LOG_FORMAT: u16 = 0x9F4F;
    /// Issuer application data.
    pub const ISSUER_DATA: u16 = 0x9F10;
}

/// The cryptogram that GENERATE AC asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CryptogramKind {
    /// Decline.
    Aac,
    /// Approve.
    Tc,
    /// Ask the issuer.
    Arqc,
}

impl CryptogramKind {
    /// P1 of GENERATE AC, and the cryptogram information data (9F27).
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Aac => 0x00,
            Self::Tc => 0x40,
            Self::Arqc => 0x80,
        }
    }

    /// The kind that P1 or 9F27 names by its two top bits; `None` for the reserved one.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte & 0xC0 {
            0x00 => Some(Self::Aac),
            0x40 => Some(Self::Tc),
            0x80 => Some(Self::Arqc),
            _ => None,
        }
    }
}

/// GET PROCESSING OPTIONS with the values that the PDOL asked for.
///
/// # Errors
/// `CommandError` when they are over 253 bytes.
pub fn get_processing_options(values: &[u8]) -> Result<Vec<u8>, CommandError> {
    let template = crate::tlv::object(0x83, values).map_err(|_| CommandError)?;
    apdu([0x80, 0xA8, 0x00, 0x00], &template, Some(0x00))
}

/// READ RECORD of a file named by the AFL.
///
/// # Errors
/// `CommandError` when the short file id is not 01 to 1E.
pub fn read_record(file: u8, number: u8) -> Result<Vec<u8>, CommandError> {
    if !(0x01..=0x1E).contains(&file) {
        return Err(CommandError);
    }
    Ok(vec![0x00, 0xB2, number, (file << 3) | 0x04, 0x00])
}

/// GET DATA.
#[must_use]
pub fn get_data(tag: u16) -> Vec<u8> {
    let [p1, p2] = tag.to_be_bytes();
    vec![0x80, 0xCA, p1, p2, 0x00]
}

/// GENERATE AC with the values that CDOL1 or CDOL2 asked for.
///
/// # Errors
/// `CommandError` when they are over 255 bytes.
pub fn generate_ac(kind: CryptogramKind, values: &[u8]) -> Result<Vec<u8>, CommandError> {
    apdu([0x80, 0xAE, kind.byte(), 0x00], values, Some(0x00))
}

/// EXTERNAL AUTHENTICATE with the issuer's ARPC and its authorisation response code.
#[must_use]
pub fn external_authenticate(arpc: Cryptogram, response: [u8; 2]) -> Vec<u8> {
    [&[0x00, 0x82, 0x00, 0x00, 0x0A][..], &arpc, &response].concat()
}

/// A whole script command: data, then its MAC under the MAC session key.
///
/// # Errors
/// `CommandError` when data and MAC are over 255 bytes.
pub fn script(
    key: &SessionKey,
    head: Head,
    atc: u16,
    arqc: Cryptogram,
    data: &[u8],
) -> Result<Vec<u8>, CommandError> {
    let mac = script_mac(key, head, atc, arqc, data)?;
    apdu(head, &[data, &mac].concat(), None)
}

/// The script command that sets the balance, or with another tag a limit, to `fen`: absolute, so a
/// second one changes nothing.
///
/// # Errors
/// As [`script`]; six bytes always fit.
pub fn put_balance(
    key: &SessionKey,
    tag: u16,
    atc: u16,
    arqc: Cryptogram,
    fen: u32,
) -> Result<Vec<u8>, CommandError> {
    let ([class, instruction], [p1, p2]) = (PUT_DATA, tag.to_be_bytes());
    let head = [class, instruction, p1, p2];
    script(key, head, atc, arqc, &amount_to_bcd(fen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cash::session_key;
    use crate::crypto::CardKey;

    fn hex(bytes: &[u8]) -> String {
        hex::encode_upper(bytes)
    }

    #[test]
    fn commands_have_the_bytes_of_the_standard() {
        let built = |made: Result<Vec<u8>, CommandError>| hex(&made.unwrap());
        assert_eq!(built(get_processing_options(&[])), "80A8000002830000");
        assert_eq!(built(get_processing_options(&[0x60])), "80A800000383016000");
        assert_eq!(built(read_record(0x0B, 1)), "00B2015C00");
        assert_eq!(hex(&get_data(tag::BALANCE)), "80CA9F7900");
        let ac = generate_ac(CryptogramKind::Arqc, &[1, 2]);
        assert_eq!(built(ac), "80AE800002010200");
        let authenticate = external_authenticate([7; 8], *b"00");
        assert_eq!(hex(&authenticate), "008200000A07070707070707073030");
        let key = session_key(&CardKey::from([7; 16]), 1);
        let balance = built(put_balance(&key, tag::BALANCE, 1, [0; 8], 12_850));
        assert!(balance.starts_with("04DA9F790A000000012850") && balance.len() == 30);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(read_record(0x1F, 1), Err(CommandError));
        assert_eq!(
            generate_ac(CryptogramKind::Tc, &[0; 256]),
            Err(CommandError)
        );
        assert_eq!(get_processing_options(&[0; 254]), Err(CommandError));
    }

    #[test]
    fn the_top_bits_name_the_cryptogram() {
        for kind in [
            CryptogramKind::Aac,
            CryptogramKind::Tc,
            CryptogramKind::Arqc,
        ] {
            assert_eq!(CryptogramKind::from_byte(kind.byte() | 0x1F), Some(kind));
        }
        assert_eq!(CryptogramKind::from_byte(0xC0), None, "reserved");
    }
}
