//! Builders of every command that the purse knows. Each returns the whole command APDU, with Le.
//!
//! Source: JR/T 0025.2, command descriptions; P1 P2 of T-Union and of the log in one read are
//! field practice. Secured commands are completed by [`crate::secure`].

use crate::time::HostTime;
use crate::types::{Balance, Terminal, TransactionType};
use thiserror::Error;

/// Name of the contact payment system environment, `1PAY.SYS.DDF01`.
pub const PSE: &[u8] = b"1PAY.SYS.DDF01";
/// Name of the contactless payment system environment, `2PAY.SYS.DDF01`.
pub const PPSE: &[u8] = b"2PAY.SYS.DDF01";
/// Application id of the City Union purse.
pub const PURSE_AID: [u8; 9] = [0xA0, 0x00, 0x00, 0x00, 0x03, 0x86, 0x98, 0x07, 0x01];
/// Application id of the T-Union purse.
pub const TRANSIT_UNION_AID: [u8; 8] = [0xA0, 0x00, 0x00, 0x06, 0x32, 0x01, 0x01, 0x05];

/// Short file id of the public application data.
pub const FILE_15: u8 = 0x15;
/// Short file id of the holder's data.
pub const FILE_16: u8 = 0x16;
/// Short file id of the transaction log.
pub const FILE_18: u8 = 0x18;

/// Variable data does not fit into a short APDU, or a short file id is over 1E.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the command does not fit into a short APDU")]
pub struct CommandError;

/// SELECT by name: an application id, [`PSE`], [`PPSE`] or a directory's name.
///
/// # Errors
/// `CommandError` when the name has over 16 bytes (ISO/IEC 7816-4).
pub fn select(name: &[u8]) -> Result<Vec<u8>, CommandError> {
    if name.len() > 16 {
        return Err(CommandError);
    }
    apdu([0x00, 0xA4, 0x04, 0x00], name, Some(0x00))
}

/// GET BALANCE.
#[must_use]
pub fn get_balance(which: Balance) -> Vec<u8> {
    let [p1, p2] = which.parameters();
    vec![0x80, 0x5C, p1, p2, 0x04]
}

/// VERIFY with the PIN as the issuer encodes it (BCD or ASCII: issuer data, never code).
///
/// # Errors
/// `CommandError` when the PIN is longer than 255 bytes.
pub fn verify(pin: &[u8]) -> Result<Vec<u8>, CommandError> {
    apdu([0x00, 0x20, 0x00, 0x00], pin, None)
}

/// GET CHALLENGE of 4 bytes; valid for the next command only.
#[must_use]
pub fn get_challenge() -> Vec<u8> {
    vec![0x00, 0x84, 0x00, 0x00, 0x04]
}

/// GET CHALLENGE of 8 bytes.
#[must_use]
pub fn get_challenge_long() -> Vec<u8> {
    vec![0x00, 0x84, 0x00, 0x00, 0x08]
}

/// READ BINARY by short file id.
///
/// # Errors
/// `CommandError` when the file id is not 01 to 1E.
pub fn read_binary(file: u8, offset: u8, length: u8) -> Result<Vec<u8>, CommandError> {
    Ok(vec![
        0x00,
        0xB0,
        0x80 | short_file_id(file)?,
        offset,
        length,
    ])
}

/// READ BINARY of file 15, 30 bytes.
#[must_use]
pub fn read_file15() -> Vec<u8> {
    vec![0x00, 0xB0, 0x95, 0x00, 0x1E]
}

/// READ BINARY of file 16, 39 bytes.
#[must_use]
pub fn read_file16() -> Vec<u8> {
    vec![0x00, 0xB0, 0x96, 0x00, 0x27]
}

/// READ RECORD of the log; record 1 is the newest.
#[must_use]
pub fn read_log_record(number: u8) -> Vec<u8> {
    vec![0x00, 0xB2, number, 0xC4, 0x17]
}

/// READ RECORD of the whole log at once; not every card knows it.
#[must_use]
pub fn read_log_at_once() -> Vec<u8> {
    vec![0x00, 0xB2, 0x01, 0xC5, 0x00]
}

/// INITIALIZE FOR LOAD of the purse (`amount` in fen).
#[must_use]
pub fn initialize_for_load(key_index: u8, amount: u32, terminal: Terminal) -> Vec<u8> {
    initialize([0x80, 0x50, 0x00, 0x02], key_index, amount, terminal, 0x10)
}

/// CREDIT FOR LOAD with the host's time and MAC2.
#[must_use]
pub fn credit_for_load(at: HostTime, mac2: [u8; 4]) -> Vec<u8> {
    let head = [0x80, 0x52, 0x00, 0x00, 0x0B];
    [&head[..], &at.date, &at.time, &mac2, &[0x04]].concat()
}

/// GET TRANSACTION PROVE. Most cards want the counter after the load, some before (field practice).
#[must_use]
pub fn get_transaction_prove(kind: TransactionType, counter: u16) -> Vec<u8> {
    let head = [0x80, 0x5A, 0x00, kind.byte(), 0x02];
    [&head[..], &counter.to_be_bytes(), &[0x08]].concat()
}

/// INITIALIZE FOR PURCHASE from the purse (`amount` in fen).
#[must_use]
pub fn initialize_for_purchase(key_index: u8, amount: u32, terminal: Terminal) -> Vec<u8> {
    initialize([0x80, 0x50, 0x01, 0x02], key_index, amount, terminal, 0x0F)
}

/// DEBIT FOR PURCHASE with the terminal's transaction number, time and MAC1.
#[must_use]
pub fn debit_for_purchase(terminal_number: u32, at: HostTime, mac1: [u8; 4]) -> Vec<u8> {
    let head = [0x80, 0x54, 0x01, 0x00, 0x0F];
    let number = terminal_number.to_be_bytes();
    [&head[..], &number, &at.date, &at.time, &mac1, &[0x08]].concat()
}

/// EXTERNAL AUTHENTICATE with a cryptogram of [`crate::crypto::external_authentication`].
#[must_use]
pub fn external_authenticate(key_index: u8, cryptogram: [u8; 8]) -> Vec<u8> {
    [&[0x00, 0x82, 0x00, key_index, 0x08][..], &cryptogram].concat()
}

/// GET RESPONSE after 61xx.
#[must_use]
pub fn get_response(length: u8) -> Vec<u8> {
    vec![0x00, 0xC0, 0x00, 0x00, length]
}

/// GET UID, answered by the reader (PC/SC part 3).
#[must_use]
pub fn get_uid() -> Vec<u8> {
    vec![0xFF, 0xCA, 0x00, 0x00, 0x00]
}

/// RELOAD PIN with a MAC of [`crate::crypto::reload_pin_mac`].
///
/// # Errors
/// `CommandError` when the PIN is longer than 251 bytes.
pub fn reload_pin(pin: &[u8], mac: [u8; 4]) -> Result<Vec<u8>, CommandError> {
    apdu([0x80, 0x5E, 0x00, 0x00], &[pin, &mac].concat(), None)
}

/// First four bytes of APPLICATION BLOCK, for [`crate::secure::command`].
pub const APPLICATION_BLOCK: [u8; 4] = [0x84, 0x1E, 0x00, 0x00];
/// First four bytes of APPLICATION UNBLOCK.
pub const APPLICATION_UNBLOCK: [u8; 4] = [0x84, 0x18, 0x00, 0x00];
/// First four bytes of CARD BLOCK.
pub const CARD_BLOCK: [u8; 4] = [0x84, 0x16, 0x00, 0x00];
/// First four bytes of PIN UNBLOCK; its data is enciphered.
pub const PIN_UNBLOCK: [u8; 4] = [0x84, 0x24, 0x00, 0x01];

/// First four bytes of the secured UPDATE BINARY by short file id.
///
/// # Errors
/// `CommandError` when the file id is not 01 to 1E.
pub fn update_binary_head(file: u8, offset: u8) -> Result<[u8; 4], CommandError> {
    Ok([0x04, 0xD6, 0x80 | short_file_id(file)?, offset])
}

fn short_file_id(file: u8) -> Result<u8, CommandError> {
    if (0x01..=0x1E).contains(&file) {
        Ok(file)
    } else {
        Err(CommandError)
    }
}

fn initialize(head: [u8; 4], key: u8, amount: u32, terminal: Terminal, le: u8) -> Vec<u8> {
    [
        &head[..],
        &[0x0B, key],
        &amount.to_be_bytes(),
        &terminal,
        &[le],
    ]
    .concat()
}

pub(crate) fn apdu(head: [u8; 4], data: &[u8], le: Option<u8>) -> Result<Vec<u8>, CommandError> {
    let lc = u8::try_from(data.len()).map_err(|_| CommandError)?;
    let mut bytes = head.to_vec();
    if lc > 0 {
        bytes.push(lc);
        bytes.extend_from_slice(data);
    }
    bytes.extend(le);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        hex::encode_upper(bytes)
    }

    #[test]
    fn commands_have_the_bytes_of_the_standard() {
        let terminal = [0x00, 0x11, 0x22, 0x33, 0x44, 0x55];
        let at = HostTime {
            date: [0x20, 0x16, 0x12, 0x16],
            time: [0x10, 0x58, 0x00],
        };
        let table = [
            (
                select(PSE).unwrap(),
                "00A404000E315041592E5359532E444446303100",
            ),
            (
                select(PPSE).unwrap(),
                "00A404000E325041592E5359532E444446303100",
            ),
            (
                select(&PURSE_AID).unwrap(),
                "00A4040009A0000000038698070100",
            ),
            (get_balance(Balance::Purse), "805C000204"),
            (get_balance(Balance::Deposit), "805C000104"),
            (get_balance(Balance::TransitUnion), "805C030204"),
            (get_balance(Balance::OverdraftUsed), "805C020204"),
            (get_balance(Balance::OverdraftLimit), "805C010204"),
            (verify(&[0x12, 0x34]).unwrap(), "00200000021234"),
            (get_challenge(), "0084000004"),
            (get_challenge_long(), "0084000008"),
            (read_file15(), "00B095001E"),
            (read_file16(), "00B0960027"),
            (read_binary(FILE_15, 8, 20).unwrap(), "00B0950814"),
            (read_log_record(1), "00B201C417"),
            (read_log_at_once(), "00B201C500"),
            (
                initialize_for_load(1, 0x2000, terminal),
                "805000020B010000200000112233445510",
            ),
            (
                credit_for_load(at, [0x8A, 0xFA, 0x57, 0x18]),
                "805200000B201612161058008AFA571804",
            ),
            (
                get_transaction_prove(TransactionType::Load, 1),
                "805A000202000108",
            ),
            (
                initialize_for_purchase(1, 1, terminal),
                "805001020B01000000010011223344550F",
            ),
            (
                debit_for_purchase(7, at, [1, 2, 3, 4]),
                "805401000F00000007201612161058000102030408",
            ),
            (
                external_authenticate(0, [0xAB; 8]),
                "0082000008ABABABABABABABAB",
            ),
            (get_response(0x10), "00C0000010"),
            (get_uid(), "FFCA000000"),
            (
                reload_pin(&[0x12, 0x34, 0x56], [1, 2, 3, 4]).unwrap(),
                "805E00000712345601020304",
            ),
        ];
        for (command, expected) in table {
            assert_eq!(hex(&command), expected);
        }
        assert_eq!(update_binary_head(FILE_15, 8), Ok([0x04, 0xD6, 0x95, 0x08]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(select(&[0; 17]), Err(CommandError));
        assert_eq!(verify(&[0; 256]), Err(CommandError));
        assert_eq!(read_binary(0x1F, 0, 1), Err(CommandError));
        assert_eq!(read_binary(0, 0, 1), Err(CommandError));
    }
}
