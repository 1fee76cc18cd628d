//! What a slot needs from a card, whatever its technology.

use crate::any::AnyProfile;
use crate::cash::CashLogEntry;
use crate::profile::LogEntry;
use serde::Serialize;

/// A card of any technology. Power, commands, and a look inside for people and tests.
pub trait SmartCard: Send {
    /// Answer to reset.
    fn atr(&self) -> &[u8];

    /// Whether the card has power.
    fn powered(&self) -> bool;

    /// Gives power: a new session.
    fn power_on(&mut self);

    /// Takes power away: what is not memory is gone.
    fn power_off(&mut self);

    /// Does a command and returns data and status word; empty without power.
    fn transmit(&mut self, command: &[u8]) -> Vec<u8>;

    /// Starts a command and loses power in the middle: all or nothing, and it is nothing.
    fn interrupt(&mut self, command: &[u8]);

    /// Time that each command takes, in milliseconds.
    fn delay_ms(&self) -> u64;

    /// Pays this many fen somewhere else; `false` when the card can't. Its session is over.
    fn spend(&mut self, fen: u32) -> bool;

    /// The memory that is not secret.
    fn status(&self) -> CardStatus;

    /// The whole memory.
    fn memory(&self) -> AnyProfile;
}

/// The kinds of card that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Technology {
    /// A PBOC electronic purse: transit, campus.
    Purse,
    /// PBOC electronic cash, EMV-style.
    ElectronicCash,
    /// A table of commands and answers.
    Recorded,
}

/// A card's memory without its keys. Amounts in fen, bytes in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CardStatus {
    /// Kind of card.
    pub technology: Technology,
    /// Serial number; of a payment card's number the last four digits.
    pub serial: String,
    /// Balance.
    pub balance: u32,
    /// The application is blocked.
    pub blocked: bool,
    /// What a purse has besides.
    #[serde(flatten)]
    pub purse: Option<PurseStatus>,
    /// What electronic cash has besides.
    #[serde(flatten)]
    pub cash: Option<CashStatus>,
}

/// What a purse has besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of CardProfile")]
pub struct PurseStatus {
    pub enable_flag: u8,
    pub start: String,
    pub expiry: String,
    pub online_counter: u16,
    pub offline_counter: u16,
    pub locked: bool,
    pub card_blocked: bool,
    pub pin_tries_left: Option<u8>,
    pub log: Vec<LogEntry>,
}

/// What electronic cash has besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of CashProfile")]
pub struct CashStatus {
    pub expiry: String,
    pub balance_limit: u32,
    pub atc: u16,
    pub scripts: u8,
    pub script_failed: bool,
    pub unfinished: bool,
    pub log: Vec<CashLogEntry>,
}
