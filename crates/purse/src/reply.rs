//! Replies and files of the purse. Every parser takes the data before the status word and never
//! panics: too short and too long are errors.

use crate::time::HostTime;
use crate::tlv;
use crate::types::{Terminal, TransactionType};
use thiserror::Error;

/// A reply that does not have the shape of its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReplyError {
    /// Cut or overlong.
    #[error("{found} bytes instead of {expected}")]
    Length {
        /// Bytes that this reply has by the standard.
        expected: usize,
        /// Bytes that came.
        found: usize,
    },
    /// A length inside the reply leads outside of it, or an object is missing.
    #[error("broken data object")]
    Object,
}

/// Cuts fixed parts off a byte string of known length.
struct Parts<'a> {
    rest: &'a [u8],
    expected: usize,
    found: usize,
}

impl<'a> Parts<'a> {
    fn of(bytes: &'a [u8], expected: usize) -> Result<Self, ReplyError> {
        let found = bytes.len();
        if found != expected {
            return Err(ReplyError::Length { expected, found });
        }
        Ok(Self {
            rest: bytes,
            expected,
            found,
        })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ReplyError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(ReplyError::Length {
                expected: self.expected,
                found: self.found,
            })?;
        self.rest = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, ReplyError> {
        self.take::<1>().map(|[byte]| byte)
    }
}

/// Balance from GET BALANCE, in fen. The top bit can be garbage and is cut off (field practice).
///
/// # Errors
/// `ReplyError::Length` unless there are 4 bytes.
pub fn balance(data: &[u8]) -> Result<u32, ReplyError> {
    let bytes = Parts::of(data, 4)?.take()?;
    Ok(u32::from_be_bytes(bytes) & 0x7FFF_FFFF)
}

/// The 4-byte TAC from CREDIT FOR LOAD.
///
/// # Errors
/// `ReplyError::Length` unless there are 4 bytes.
pub fn tac(data: &[u8]) -> Result<[u8; 4], ReplyError> {
    Parts::of(data, 4)?.take()
}

/// The reply of INITIALIZE FOR LOAD (16 bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitForLoad {
    /// Balance before the load, fen.
    pub old_balance: u32,
    /// Online transaction counter before the load.
    pub online_counter: u16,
    /// Version of the load key.
    pub key_version: u8,
    /// Algorithm id. It misleads: choose by the key's length (field practice).
    pub algorithm: u8,
    /// Random of the card.
    pub random: [u8; 4],
    /// MAC1 over old balance, amount, type and terminal.
    pub mac1: [u8; 4],
}

impl InitForLoad {
    /// Bytes of the reply without its status.
    pub const LENGTH: usize = 16;

    /// # Errors
    /// `ReplyError::Length` unless there are 16 bytes.
    pub fn parse(data: &[u8]) -> Result<Self, ReplyError> {
        let mut parts = Parts::of(data, Self::LENGTH)?;
        Ok(Self {
            old_balance: u32::from_be_bytes(parts.take()?),
            online_counter: u16::from_be_bytes(parts.take()?),
            key_version: parts.byte()?,
            algorithm: parts.byte()?,
            random: parts.take()?,
            mac1: parts.take()?,
        })
    }

    /// The 16 bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            &self.old_balance.to_be_bytes()[..],
            &self.online_counter.to_be_bytes(),
            &[self.key_version, self.algorithm],
            &self.random,
            &self.mac1,
        ]
        .concat()
    }
}

/// The reply of INITIALIZE FOR PURCHASE (15 bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitForPurchase {
    /// Balance before the purchase, fen.
    pub balance: u32,
    /// Offline transaction counter before the purchase.
    pub offline_counter: u16,
    /// Overdraft limit, fen, 3 bytes.
    pub overdraft_limit: [u8; 3],
    /// Version of the purchase key.
    pub key_version: u8,
    /// Algorithm id.
    pub algorithm: u8,
    /// Random of the card.
    pub random: [u8; 4],
}

impl InitForPurchase {
    /// Bytes of the reply without its status.
    pub const LENGTH: usize = 15;

    /// # Errors
    /// `ReplyError::Length` unless there are 15 bytes.
    pub fn parse(data: &[u8]) -> Result<Self, ReplyError> {
        let mut parts = Parts::of(data, Self::LENGTH)?;
        Ok(Self {
            balance: u32::from_be_bytes(parts.take()?),
            offline_counter: u16::from_be_bytes(parts.take()?),
            overdraft_limit: parts.take()?,
            key_version: parts.byte()?,
            algorithm: parts.byte()?,
            random: parts.take()?,
        })
    }

    /// The 15 bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            &self.balance.to_be_bytes()[..],
            &self.offline_counter.to_be_bytes(),
            &self.overdraft_limit,
            &[self.key_version, self.algorithm],
            &self.random,
        ]
        .concat()
    }
}

/// The reply of GET TRANSACTION PROVE, and of DEBIT FOR PURCHASE with its parts exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// MAC of the transaction.
    pub mac: [u8; 4],
    /// TAC of the transaction; a load's is bytes 4 to 7 of GET TRANSACTION PROVE.
    pub tac: [u8; 4],
}

impl Proof {
    /// GET TRANSACTION PROVE: MAC, then TAC.
    ///
    /// # Errors
    /// `ReplyError::Length` unless there are 8 bytes.
    pub fn parse(data: &[u8]) -> Result<Self, ReplyError> {
        let mut parts = Parts::of(data, 8)?;
        Ok(Self {
            mac: parts.take()?,
            tac: parts.take()?,
        })
    }

    /// DEBIT FOR PURCHASE: TAC, then MAC2.
    ///
    /// # Errors
    /// `ReplyError::Length` unless there are 8 bytes.
    pub fn parse_debit(data: &[u8]) -> Result<Self, ReplyError> {
        let mut parts = Parts::of(data, 8)?;
        Ok(Self {
            tac: parts.take()?,
            mac: parts.take()?,
        })
    }

    /// MAC, then TAC.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [self.mac, self.tac].concat()
    }
}

/// File 15, the public application data (30 bytes).
///
/// Source: JR/T 0025.1, public application information file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File15 {
    /// Issuer id; CJ/T 166 reads issuer 2, city 2, industry 2, reserved 2.
    pub issuer: [u8; 8],
    /// Enable flag: 00 not activated, 01 activated.
    pub enable_flag: u8,
    /// Application version.
    pub version: u8,
    /// Application serial number, BCD.
    pub serial: [u8; 10],
    /// First day of use, BCD YYYYMMDD.
    pub start: [u8; 4],
    /// Last day of use, BCD YYYYMMDD.
    pub expiry: [u8; 4],
    /// The issuer's own data.
    pub issuer_data: [u8; 2],
}

impl File15 {
    /// Bytes of the file.
    pub const LENGTH: usize = 30;

    /// # Errors
    /// `ReplyError::Length` unless there are 30 bytes.
    pub fn parse(data: &[u8]) -> Result<Self, ReplyError> {
        let mut parts = Parts::of(data, Self::LENGTH)?;
        Ok(Self {
            issuer: parts.take()?,
            enable_flag: parts.byte()?,
            version: parts.byte()?,
            serial: parts.take()?,
            start: parts.take()?,
            expiry: parts.take()?,
            issuer_data: parts.take()?,
        })
    }

    /// The file, and what some issuers add after it (campus cards: 13 bytes).
    ///
    /// # Errors
    /// `ReplyError::Length` when there are less than 30 bytes.
    pub fn parse_longer(data: &[u8]) -> Result<(Self, &[u8]), ReplyError> {
        let (file, more) = data
            .split_at_checked(Self::LENGTH)
            .ok_or(ReplyError::Length {
                expected: Self::LENGTH,
                found: data.len(),
            })?;
        Ok((Self::parse(file)?, more))
    }

    /// Whether the application was activated (flag 01).
    #[must_use]
    pub fn active(&self) -> bool {
        self.enable_flag == 0x01
    }

    /// The 30 bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            &self.issuer[..],
            &[self.enable_flag, self.version],
            &self.serial,
            &self.start,
            &self.expiry,
            &self.issuer_data,
        ]
        .concat()
    }
}

/// One record of file 18, the transaction log (23 bytes).
///
/// Some cards log the counter before the transaction, some after (field practice): compare with
/// [`LogRecord::same_transaction`] and take both counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Online or offline transaction counter, as the card logs it.
    pub counter: u16,
    /// Overdraft limit, fen, 3 bytes.
    pub overdraft_limit: [u8; 3],
    /// Amount, fen.
    pub amount: u32,
    /// Type of the transaction.
    pub kind: TransactionType,
    /// Number of the terminal.
    pub terminal: Terminal,
    /// Date and time as given by the terminal; not checked here.
    pub at: HostTime,
}

impl LogRecord {
    /// Bytes of a record.
    pub const LENGTH: usize = 23;

    /// # Errors
    /// `ReplyError::Length` unless there are 23 bytes.
    pub fn parse(data: &[u8]) -> Result<Self, ReplyError> {
        let mut parts = Parts::of(data, Self::LENGTH)?;
        Ok(Self {
            counter: u16::from_be_bytes(parts.take()?),
            overdraft_limit: parts.take()?,
            amount: u32::from_be_bytes(parts.take()?),
            kind: TransactionType::from_byte(parts.byte()?),
            terminal: parts.take()?,
            at: HostTime {
                date: parts.take()?,
                time: parts.take()?,
            },
        })
    }

    /// Records joined without gaps, as some cards give the whole log at once. Blank records
    /// (all 00 or all FF) are left out.
    ///
    /// # Errors
    /// `ReplyError::Length` unless the length is a multiple of 23.
    pub fn parse_all(data: &[u8]) -> Result<Vec<Self>, ReplyError> {
        let (records, rest) = data.as_chunks::<{ Self::LENGTH }>();
        if !rest.is_empty() {
            return Err(ReplyError::Length {
                expected: records.len().saturating_add(1).saturating_mul(Self::LENGTH),
                found: data.len(),
            });
        }
        records
            .iter()
            .filter(|record| !blank(*record))
            .map(|record| Self::parse(record))
            .collect()
    }

    /// Whether both records tell of the same transaction: amount, type, terminal, date and time.
    #[must_use]
    pub fn same_transaction(&self, other: &Self) -> bool {
        self.amount == other.amount
            && self.kind == other.kind
            && self.terminal == other.terminal
            && self.at == other.at
    }

    /// The 23 bytes of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            &self.counter.to_be_bytes()[..],
            &self.overdraft_limit,
            &self.amount.to_be_bytes(),
            &[self.kind.byte()],
            &self.terminal,
            &self.at.date,
            &self.at.time,
        ]
        .concat()
    }
}

fn blank(record: &[u8]) -> bool {
    record.iter().all(|&byte| byte == 0x00) || record.iter().all(|&byte| byte == 0xFF)
}

/// File 15 inside the FCI that SELECT returns: tags 6F, A5, 9F0C. What an issuer adds after its 30
/// bytes is left out.
///
/// # Errors
/// `ReplyError::Object` when an object is missing or broken, `Length` when the file is shorter.
pub fn file15_of_fci(fci: &[u8]) -> Result<File15, ReplyError> {
    let file = tlv::find(fci, &[0x6F, 0xA5, 0x9F0C]).map_err(|_| ReplyError::Object)?;
    File15::parse_longer(file).map(|(file, _)| file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_garbage_top_bit_of_a_balance_is_cut_off() {
        assert_eq!(balance(&[0x80, 0, 0x32, 0x32]), Ok(12850));
    }

    #[test]
    fn file_15_is_found_in_the_fci() {
        let file = [0x42_u8; 30];
        let mut fci = hex::decode("6F328409A00000000386980701A5259F0801029F0C1E").unwrap();
        fci.extend(file);
        assert_eq!(file15_of_fci(&fci).unwrap().encode(), file);
        assert_eq!(file15_of_fci(&fci[..40]), Err(ReplyError::Object), "cut");
    }

    #[test]
    fn what_an_issuer_adds_to_file_15_is_kept_apart() {
        let (file, more) = File15::parse_longer(&[0x42; 43]).unwrap();
        assert_eq!((file.encode(), more), (vec![0x42; 30], &[0x42; 13][..]));
        let short = ReplyError::Length {
            expected: 30,
            found: 29,
        };
        assert_eq!(File15::parse_longer(&[0x42; 29]), Err(short));
    }

    #[test]
    fn blank_records_of_a_whole_log_are_left_out() {
        let record = LogRecord::parse(&[0x11; 23]).unwrap();
        let joined = [record.encode(), vec![0; 23], vec![0xFF; 23]].concat();
        assert_eq!(LogRecord::parse_all(&joined), Ok(vec![record]));
        assert!(
            LogRecord::parse_all(&joined[..68]).is_err(),
            "the last record is cut"
        );
    }

    #[test]
    fn a_log_record_matches_with_either_counter() {
        let before = LogRecord::parse(&[0x11; 23]).unwrap();
        let after = LogRecord {
            counter: before.counter + 1,
            ..before
        };
        assert!(before.same_transaction(&after), "counters differ by card");
        assert!(
            !before.same_transaction(&LogRecord {
                amount: 1,
                ..before
            }),
            "another amount"
        );
    }

    proptest! {
        #[test]
        fn parsers_never_panic(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = balance(&data);
            let _ = tac(&data);
            let _ = InitForLoad::parse(&data);
            let _ = InitForPurchase::parse(&data);
            let _ = Proof::parse(&data);
            let _ = Proof::parse_debit(&data);
            let _ = File15::parse(&data);
            let _ = File15::parse_longer(&data);
            let _ = LogRecord::parse(&data);
            let _ = LogRecord::parse_all(&data);
            let _ = file15_of_fci(&data);
            let _ = crate::status::split(&data);
        }

        #[test]
        fn an_fci_with_a_random_change_never_panics(at in 0usize..60, byte: u8, cut in 0usize..60) {
            let mut fci = hex::decode("6F328409A00000000386980701A5259F0801029F0C1E").unwrap();
            fci.extend([0x42; 30]);
            if let Some(place) = fci.get_mut(at) { *place = byte; }
            fci.truncate(cut);
            let _ = file15_of_fci(&fci);
        }

        #[test]
        fn fixed_layouts_survive_the_way_there_and_back(data: [u8; 30]) {
            prop_assert_eq!(File15::parse(&data).unwrap().encode(), &data);
            prop_assert_eq!(LogRecord::parse(&data[..23]).unwrap().encode(), &data[..23]);
            prop_assert_eq!(InitForLoad::parse(&data[..16]).unwrap().encode(), &data[..16]);
            prop_assert_eq!(InitForPurchase::parse(&data[..15]).unwrap().encode(), &data[..15]);
            prop_assert_eq!(Proof::parse(&data[..8]).unwrap().encode(), &data[..8]);
        }
    }
}
