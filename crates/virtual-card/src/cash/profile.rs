//! What an electronic cash card holds without power, and how it differs from others.

use crate::profile::{SecretKey, default_atr, default_log_capacity, default_uid};
use crate::quirks::BlockedSelect;
use purse::MasterKey;
use purse::cash::{Pan, amount_to_bcd, card_key};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Kind (9C) of a purchase in the log.
const PURCHASE: u8 = 0x00;
/// China (9F1A), and its currency (5F2A).
const CHINA: [u8; 2] = [0x01, 0x56];

/// An electronic cash card as JSON; bytes are hexadecimal, amounts in fen. What is left out has
/// the value of the demo card's kind: an active card without money and log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CashProfile {
    /// Application id.
    #[serde(with = "hex::serde", default = "default_aid")]
    pub aid: Vec<u8>,
    /// The card's number (5A), decimal digits.
    #[serde(serialize_with = "write_pan", deserialize_with = "read_pan")]
    pub pan: Pan,
    /// Sequence number of the number (5F34).
    #[serde(default = "default_one")]
    pub sequence_number: u8,
    /// The card's keys, or the issuer's.
    pub keys: CashKeySource,
    /// UID that the reader gives; empty: the reader knows none.
    #[serde(with = "hex::serde", default = "default_uid")]
    pub uid: Vec<u8>,
    /// Answer to reset.
    #[serde(with = "hex::serde", default = "default_atr")]
    pub atr: Vec<u8>,
    /// First day (5F25), BCD YYMMDD.
    #[serde(with = "hex::serde", default = "default_start")]
    pub start: [u8; 3],
    /// Last day (5F24), BCD YYMMDD.
    #[serde(with = "hex::serde", default = "default_expiry")]
    pub expiry: [u8; 3],
    /// Balance (9F79).
    #[serde(default)]
    pub balance: u32,
    /// Highest balance (9F77). Zero: not activated.
    #[serde(default = "default_limit")]
    pub balance_limit: u32,
    /// Highest amount of one purchase (9F78).
    #[serde(default = "default_limit")]
    pub single_limit: u32,
    /// Balance below which a purchase should go online (9F6D).
    #[serde(default)]
    pub reset_threshold: u32,
    /// Transaction counter (9F36).
    #[serde(default)]
    pub atc: u16,
    /// Counter of the last transaction that was completed online (9F13).
    #[serde(default)]
    pub last_online_atc: u16,
    /// Application interchange profile (82).
    #[serde(with = "hex::serde", default = "default_interchange")]
    pub interchange: [u8; 2],
    /// Values that GET PROCESSING OPTIONS wants (9F38).
    #[serde(with = "hex::serde", default = "default_pdol")]
    pub pdol: Vec<u8>,
    /// Values that the first GENERATE AC wants (8C).
    #[serde(with = "hex::serde", default = "default_cdol1")]
    pub cdol1: Vec<u8>,
    /// Values that the second GENERATE AC wants (8D).
    #[serde(with = "hex::serde", default = "default_cdol2")]
    pub cdol2: Vec<u8>,
    /// Derivation key index in 9F10.
    #[serde(default = "default_one")]
    pub key_index: u8,
    /// Cryptogram version number in 9F10.
    #[serde(default = "default_one")]
    pub cryptogram_version: u8,
    /// Transaction log, newest first.
    #[serde(default)]
    pub log: Vec<CashLogEntry>,
    /// Records that the log holds.
    #[serde(default = "default_log_capacity")]
    pub log_capacity: usize,
    /// Script commands done in the last online transaction.
    #[serde(default)]
    pub scripts: u8,
    /// One of them failed.
    #[serde(default)]
    pub script_failed: bool,
    /// The last online transaction was not completed.
    #[serde(default)]
    pub unfinished: bool,
    /// The application is blocked; APPLICATION UNBLOCK ends that.
    #[serde(default)]
    pub blocked: bool,
    /// Ways in which this card differs from others.
    #[serde(default)]
    pub quirks: CashQuirks,
}

/// Differences between cards that a driver has to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CashQuirks {
    /// GET PROCESSING OPTIONS is answered in template 80 instead of 77.
    pub options_in_80: bool,
    /// GENERATE AC is answered in template 80 instead of 77.
    pub cryptogram_in_80: bool,
    /// How SELECT of a blocked application is answered.
    pub blocked_select: BlockedSelect,
    /// Time that each command takes.
    pub delay_ms: u64,
}

impl Default for CashQuirks {
    fn default() -> Self {
        Self {
            options_in_80: false,
            cryptogram_in_80: false,
            blocked_select: BlockedSelect::WithFci,
            delay_ms: 0,
        }
    }
}

/// Where the card's keys come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CashKeySource {
    /// The card's own keys, already diversified.
    Card(CashKeys),
    /// The issuer's keys; the card's are made from them by number and sequence number.
    Issuer(CashKeys),
}

/// The three keys of electronic cash, 16 bytes each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CashKeys {
    /// Key of ARQC, TC, AAC and ARPC.
    pub cryptogram: SecretKey,
    /// Key of the script MAC and of the balance's MAC.
    pub mac: SecretKey,
    /// Key of enciphered script data.
    pub encipherment: SecretKey,
}

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CashLogEntry {
    /// 9A, BCD YYMMDD.
    #[serde(with = "hex::serde")]
    pub date: [u8; 3],
    /// 9F21, BCD HHMMSS.
    #[serde(with = "hex::serde")]
    pub time: [u8; 3],
    /// 9F02, fen.
    pub amount: u32,
    /// 9F4E, merchant name.
    #[serde(with = "hex::serde")]
    pub merchant: [u8; 20],
    /// 9C.
    pub kind: u8,
    /// 9F36.
    pub atc: u16,
    /// 9F1A.
    #[serde(with = "hex::serde", default = "china")]
    pub country: [u8; 2],
    /// 5F2A.
    #[serde(with = "hex::serde", default = "china")]
    pub currency: [u8; 2],
}

impl CashLogEntry {
    /// Format of the records (9F4F).
    pub(super) const FORMAT: [u8; 25] = [
        0x9A, 3, 0x9F, 0x21, 3, 0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x5F, 0x2A, 2, 0x9F,
        0x4E, 20, 0x9C, 1, 0x9F, 0x36, 2,
    ];

    /// The 45 bytes of the record.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [
            &self.date[..],
            &self.time,
            &amount_to_bcd(self.amount),
            &[0; 6],
            &self.country,
            &self.currency,
            &self.merchant,
            &[self.kind],
            &self.atc.to_be_bytes(),
        ]
        .concat()
    }
}

impl CashProfile {
    /// A card with everything left out that can be.
    #[must_use]
    pub fn new(pan: Pan, keys: CashKeySource) -> Self {
        Self {
            aid: default_aid(),
            pan,
            sequence_number: 1,
            keys,
            uid: default_uid(),
            atr: default_atr(),
            start: default_start(),
            expiry: default_expiry(),
            balance: 0,
            balance_limit: default_limit(),
            single_limit: default_limit(),
            reset_threshold: 0,
            atc: 0,
            last_online_atc: 0,
            interchange: default_interchange(),
            pdol: default_pdol(),
            cdol1: default_cdol1(),
            cdol2: default_cdol2(),
            key_index: 1,
            cryptogram_version: 1,
            log: Vec::new(),
            log_capacity: default_log_capacity(),
            scripts: 0,
            script_failed: false,
            unfinished: false,
            blocked: false,
            quirks: CashQuirks::default(),
        }
    }

    /// The card's own keys.
    #[must_use]
    pub fn card_keys(&self) -> CashKeys {
        match &self.keys {
            CashKeySource::Card(keys) => keys.clone(),
            CashKeySource::Issuer(keys) => {
                let make = |key: &SecretKey| {
                    let master = MasterKey::from(key.0.clone());
                    SecretKey(card_key(&master, &self.pan, self.sequence_number))
                };
                CashKeys {
                    cryptogram: make(&keys.cryptogram),
                    mac: make(&keys.mac),
                    encipherment: make(&keys.encipherment),
                }
            }
        }
    }

    /// A purchase that was paid offline: less balance, counter and log one further. `false` and no
    /// change when the card would refuse it.
    pub fn purchase(&mut self, amount: u32, date: [u8; 3], time: [u8; 3]) -> bool {
        let Some(balance) = self.balance.checked_sub(amount) else {
            return false;
        };
        let Some(atc) = self.atc.checked_add(1) else {
            return false;
        };
        if self.blocked || amount > self.single_limit {
            return false;
        }
        self.balance = balance;
        self.atc = atc;
        self.log_purchase(amount, (date, time));
        true
    }

    /// In the transaction that is counted now.
    pub(super) fn log_purchase(&mut self, amount: u32, (date, time): ([u8; 3], [u8; 3])) {
        self.add_to_log(CashLogEntry {
            date,
            time,
            amount,
            merchant: *b"KIOSK\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            kind: PURCHASE,
            atc: self.atc,
            country: CHINA,
            currency: CHINA,
        });
    }

    pub(super) fn add_to_log(&mut self, entry: CashLogEntry) {
        self.log.insert(0, entry);
        self.log.truncate(self.log_capacity);
    }
}

fn read_pan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pan, D::Error> {
    let text = String::deserialize(deserializer)?;
    Pan::from_text(&text).map_err(serde::de::Error::custom)
}

fn write_pan<S: Serializer>(pan: &Pan, serializer: S) -> Result<S::Ok, S::Error> {
    let text = hex::encode_upper(pan.to_bcd(0));
    serializer.serialize_str(text.trim_end_matches('F'))
}

fn default_aid() -> Vec<u8> {
    purse::cash::AID.to_vec()
}

fn default_one() -> u8 {
    1
}

fn default_start() -> [u8; 3] {
    [0x24, 0x01, 0x01]
}

fn default_expiry() -> [u8; 3] {
    [0x34, 0x12, 0x31]
}

fn default_limit() -> u32 {
    100_000
}

fn default_interchange() -> [u8; 2] {
    [0x7C, 0x00]
}

fn china() -> [u8; 2] {
    CHINA
}

/// 9F7A: is electronic cash wanted, 9F02 amount, 5F2A currency.
fn default_pdol() -> Vec<u8> {
    vec![0x9F, 0x7A, 1, 0x9F, 0x02, 6, 0x5F, 0x2A, 2]
}

/// What the cryptogram covers, then time and merchant for the log.
fn default_cdol1() -> Vec<u8> {
    vec![
        0x9F, 0x02, 6, 0x9F, 0x03, 6, 0x9F, 0x1A, 2, 0x95, 5, 0x5F, 0x2A, 2, 0x9A, 3, 0x9C, 1,
        0x9F, 0x37, 4, 0x9F, 0x21, 3, 0x9F, 0x4E, 20,
    ]
}

/// Response code, then the same.
fn default_cdol2() -> Vec<u8> {
    [vec![0x8A, 2], default_cdol1()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::any::AnyProfile;

    #[test]
    fn a_profile_needs_a_number_and_keys_only() {
        let text = r#"{"technology":"electronic-cash","pan":"6200000000000005520","keys":{"issuer":{
            "cryptogram":"00112233445566778899AABBCCDDEEFF","mac":"00112233445566778899AABBCCDDEEFF",
            "encipherment":"00112233445566778899AABBCCDDEEFF"}}}"#;
        let AnyProfile::ElectronicCash(profile) = AnyProfile::from_json(text).unwrap() else {
            panic!("another technology");
        };
        let fresh = CashProfile::new(profile.pan.clone(), profile.keys.clone());
        assert_eq!(profile, fresh);
        let shown = format!("{profile:?}");
        assert!(
            shown.contains("Pan(..)") && shown.contains("CardKey(..)"),
            "{shown}"
        );
        let bad = text.replace("6200000000000005520", "62A0");
        assert!(AnyProfile::from_json(&bad).is_err(), "no number");
    }

    #[test]
    fn a_record_has_the_length_of_its_format() {
        let list = purse::tlv::dol(&CashLogEntry::FORMAT).unwrap();
        let length: usize = list.iter().map(|entry| usize::from(entry.length)).sum();
        let mut card = CashProfile::named("cash").unwrap();
        assert!(card.purchase(50, [0x26, 0x11, 0x23], [0x08, 0, 0]));
        assert_eq!(card.log[0].encode().len(), length);
        assert_eq!(length, 45);
    }
}
