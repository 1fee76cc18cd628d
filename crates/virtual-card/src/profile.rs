//! What a card holds without power, and how it differs from others. One JSON object.

use crate::quirks::Quirks;
use crate::recipe::{Level, Numbers, card_keys};
use purse::{CardKey, File15, HostTime, LogRecord, Terminal, TransactionType};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A card as JSON; all bytes are hexadecimal, amounts in fen. What is left out has the value of
/// the demo card's kind: an active City Union purse without money, PIN and log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardProfile {
    /// Application id.
    #[serde(with = "hex::serde", default = "default_aid")]
    pub aid: Vec<u8>,
    /// Application serial number, BCD.
    #[serde(with = "hex::serde")]
    pub serial: [u8; 10],
    /// Issuer id.
    #[serde(with = "hex::serde", default = "default_issuer")]
    pub issuer: [u8; 8],
    /// The card's keys, or issuer keys and a recipe.
    pub keys: KeySource,
    /// UID that the reader gives; empty: the reader knows none.
    #[serde(with = "hex::serde", default = "default_uid")]
    pub uid: Vec<u8>,
    /// Answer to reset.
    #[serde(with = "hex::serde", default = "default_atr")]
    pub atr: Vec<u8>,
    /// Balance.
    #[serde(default)]
    pub balance: u32,
    /// Highest balance.
    #[serde(default = "default_max_balance")]
    pub max_balance: u32,
    /// File 15 byte 9: 00 not activated, 01 activated.
    #[serde(default = "default_flag")]
    pub enable_flag: u8,
    /// File 15 byte 10.
    #[serde(default = "default_flag")]
    pub version: u8,
    /// First day of use, BCD YYYYMMDD.
    #[serde(with = "hex::serde", default = "default_start")]
    pub start: [u8; 4],
    /// Last day of use, BCD YYYYMMDD.
    #[serde(with = "hex::serde", default = "default_expiry")]
    pub expiry: [u8; 4],
    /// File 15 bytes 29 and 30.
    #[serde(with = "hex::serde", default)]
    pub issuer_data: [u8; 2],
    /// What this issuer adds to file 15 after its 30 bytes.
    #[serde(with = "hex::serde", default)]
    pub file15_more: Vec<u8>,
    /// File 16, the holder's data.
    #[serde(with = "hex::serde", default = "default_holder")]
    pub holder: Vec<u8>,
    /// Counter of loads.
    #[serde(default)]
    pub online_counter: u16,
    /// Counter of purchases.
    #[serde(default)]
    pub offline_counter: u16,
    /// The one key index that the card knows.
    #[serde(default = "default_flag")]
    pub key_index: u8,
    /// Version of the keys.
    #[serde(default = "default_flag")]
    pub key_version: u8,
    /// Algorithm id; it says nothing about the key's length.
    #[serde(default)]
    pub algorithm: u8,
    /// The purse's PIN, if it has one.
    #[serde(default)]
    pub pin: Option<Pin>,
    /// Transaction log, newest first.
    #[serde(default)]
    pub log: Vec<LogEntry>,
    /// Records that the log holds.
    #[serde(default = "default_log_capacity")]
    pub log_capacity: usize,
    /// Proof of the last load.
    #[serde(default)]
    pub load_proof: Option<ProofEntry>,
    /// Proof of the last purchase.
    #[serde(default)]
    pub purchase_proof: Option<ProofEntry>,
    /// The application is blocked; APPLICATION UNBLOCK ends that.
    #[serde(default)]
    pub blocked: bool,
    /// The application is locked for good.
    #[serde(default)]
    pub locked: bool,
    /// The whole card is blocked for good.
    #[serde(default)]
    pub card_blocked: bool,
    /// Wrong secure-messaging MACs in a row.
    #[serde(default)]
    pub wrong_macs: u8,
    /// Ways in which this card differs from others.
    #[serde(default)]
    pub quirks: Quirks,
}

/// Where the card's keys come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// The card's own keys, already diversified.
    Card(CardKeys),
    /// The issuer's keys; the card's are made from them when the card is made.
    Issuer {
        /// Keys of the issuer.
        keys: CardKeys,
        /// Levels of diversification, first to last.
        recipe: Vec<Level>,
    },
}

/// The four keys of a purse, 8 or 16 bytes each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardKeys {
    /// Load key.
    pub load: SecretKey,
    /// Key of the TAC.
    pub tac: SecretKey,
    /// Purchase key.
    pub purchase: SecretKey,
    /// Key of secure messaging, external authentication and PIN administration.
    pub maintenance: SecretKey,
}

/// A purse key as JSON. `Debug` shows no key.
#[derive(Clone, Debug)]
pub struct SecretKey(pub CardKey);

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose() == other.0.expose()
    }
}

impl Eq for SecretKey {}

impl Serialize for SecretKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode_upper(self.0.expose().as_slice()))
    }
}

impl<'de> Deserialize<'de> for SecretKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Vec<u8> = hex::serde::deserialize(deserializer)?;
        CardKey::from_bytes(&bytes)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

/// The purse's PIN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// As VERIFY carries it.
    #[serde(with = "hex::serde")]
    pub value: Vec<u8>,
    /// Tries after a right one.
    #[serde(default = "default_tries")]
    pub tries: u8,
    /// Tries left; 0 is blocked.
    #[serde(default = "default_tries")]
    pub tries_left: u8,
}

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogEntry {
    /// As the card logs it.
    pub counter: u16,
    /// Fen.
    pub amount: u32,
    /// Type byte: 02 load, 06 purchase.
    pub kind: u8,
    /// Number of the terminal.
    #[serde(with = "hex::serde")]
    pub terminal: Terminal,
    /// BCD YYYYMMDD.
    #[serde(with = "hex::serde")]
    pub date: [u8; 4],
    /// BCD HHMMSS.
    #[serde(with = "hex::serde")]
    pub time: [u8; 3],
}

impl LogEntry {
    pub(crate) fn record(&self) -> LogRecord {
        LogRecord {
            counter: self.counter,
            overdraft_limit: [0; 3],
            amount: self.amount,
            kind: TransactionType::from_byte(self.kind),
            terminal: self.terminal,
            at: HostTime {
                date: self.date,
                time: self.time,
            },
        }
    }
}

/// What GET TRANSACTION PROVE gives back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofEntry {
    /// Counter before the transaction.
    pub counter_before: u16,
    /// MAC2 of the transaction.
    #[serde(with = "hex::serde")]
    pub mac: [u8; 4],
    /// TAC of the transaction.
    #[serde(with = "hex::serde")]
    pub tac: [u8; 4],
}

/// A profile that can't be had.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// The file can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a profile.
    #[error("not a card profile: {0}")]
    Json(#[from] serde_json::Error),
}

impl CardProfile {
    /// A card with everything left out that can be.
    #[must_use]
    pub fn new(serial: [u8; 10], keys: KeySource) -> Self {
        Self {
            aid: default_aid(),
            serial,
            issuer: default_issuer(),
            keys,
            uid: default_uid(),
            atr: default_atr(),
            balance: 0,
            max_balance: default_max_balance(),
            enable_flag: 1,
            version: 1,
            start: default_start(),
            expiry: default_expiry(),
            issuer_data: [0; 2],
            file15_more: Vec::new(),
            holder: default_holder(),
            online_counter: 0,
            offline_counter: 0,
            key_index: 1,
            key_version: 1,
            algorithm: 0,
            pin: None,
            log: Vec::new(),
            log_capacity: default_log_capacity(),
            load_proof: None,
            purchase_proof: None,
            blocked: false,
            locked: false,
            card_blocked: false,
            wrong_macs: 0,
            quirks: Quirks::default(),
        }
    }

    /// Reads a profile from JSON text.
    ///
    /// # Errors
    /// `ProfileError::Json` when the text is no profile.
    pub fn from_json(text: &str) -> Result<Self, ProfileError> {
        Ok(serde_json::from_str(text)?)
    }

    /// Reads a profile from a file.
    ///
    /// # Errors
    /// `ProfileError` when the file can't be read or is no profile.
    pub fn from_file(path: &Path) -> Result<Self, ProfileError> {
        let text = std::fs::read_to_string(path).map_err(|source| ProfileError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::from_json(&text)
    }

    /// A demo card by name, JSON text (from its first brace), or a file's path.
    ///
    /// # Errors
    /// `ProfileError` when there is no such file or the text is no profile.
    pub fn find(text: &str) -> Result<Self, ProfileError> {
        match Self::named(text) {
            Some(profile) => Ok(profile),
            None if text.starts_with('{') => Self::from_json(text),
            None => Self::from_file(Path::new(text)),
        }
    }

    /// The card's own keys.
    #[must_use]
    pub fn card_keys(&self) -> CardKeys {
        match &self.keys {
            KeySource::Card(keys) => keys.clone(),
            KeySource::Issuer { keys, recipe } => {
                let numbers = Numbers {
                    serial: &self.serial,
                    issuer: &self.issuer,
                    uid: &self.uid,
                };
                card_keys(keys, recipe, &numbers)
            }
        }
    }

    /// File 15 without what this issuer adds.
    #[must_use]
    pub fn file15(&self) -> File15 {
        File15 {
            issuer: self.issuer,
            enable_flag: self.enable_flag,
            version: self.version,
            serial: self.serial,
            start: self.start,
            expiry: self.expiry,
            issuer_data: self.issuer_data,
        }
    }

    /// File 15 as the card shows it, whole.
    pub(crate) fn file15_bytes(&self) -> Vec<u8> {
        [self.file15().encode(), self.file15_more.clone()].concat()
    }

    pub(crate) fn set_file15(&mut self, file: &File15, more: &[u8]) {
        self.file15_more = more.to_vec();
        self.issuer = file.issuer;
        self.enable_flag = file.enable_flag;
        self.version = file.version;
        self.serial = file.serial;
        self.start = file.start;
        self.expiry = file.expiry;
        self.issuer_data = file.issuer_data;
    }
}

fn default_aid() -> Vec<u8> {
    purse::command::PURSE_AID.to_vec()
}

fn default_issuer() -> [u8; 8] {
    [0x10, 0, 0, 0, 0, 0, 0, 0x01]
}

pub(crate) fn default_uid() -> Vec<u8> {
    vec![0x04, 0xA1, 0xB2, 0xC3]
}

/// A contactless card without historical bytes (PC/SC part 3).
pub(crate) fn default_atr() -> Vec<u8> {
    vec![0x3B, 0x80, 0x80, 0x01, 0x01]
}

fn default_max_balance() -> u32 {
    100_000
}

fn default_flag() -> u8 {
    1
}

fn default_start() -> [u8; 4] {
    [0x20, 0x24, 0x01, 0x01]
}

fn default_expiry() -> [u8; 4] {
    [0x20, 0x34, 0x12, 0x31]
}

fn default_holder() -> Vec<u8> {
    vec![0; 39]
}

pub(crate) fn default_log_capacity() -> usize {
    10
}

fn default_tries() -> u8 {
    3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_needs_a_serial_and_keys_only() {
        let text = r#"{"serial":"00006217000000004471","keys":{"card":{
            "load":"00112233445566778899AABBCCDDEEFF","tac":"0011223344556677",
            "purchase":"00112233445566778899AABBCCDDEEFF","maintenance":"0011223344556677"}}}"#;
        let profile = CardProfile::from_json(text).unwrap();
        let again = serde_json::to_string(&profile).unwrap();
        assert_eq!(
            CardProfile::from_json(&again).unwrap(),
            profile,
            "nothing is lost"
        );
        assert_eq!(
            CardProfile::new(profile.serial, profile.keys.clone()),
            profile
        );
    }

    #[test]
    fn a_profile_with_an_unknown_field_or_a_short_key_is_refused() {
        assert!(CardProfile::from_json(r#"{"serial":"00","colour":1}"#).is_err());
        let demo = serde_json::to_string(&CardProfile::demo()).unwrap();
        let (head, tail) = demo.split_once(r#""load":""#).unwrap();
        let short = format!(r#"{head}"load":"{}"#, &tail[2..]);
        assert!(CardProfile::from_json(&short).is_err(), "a key of 15 bytes");
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", CardProfile::demo());
        assert!(shown.contains("CardKey(..)"));
    }
}
