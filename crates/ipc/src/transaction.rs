//! The transaction on the screen.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ErrorView, LocalName};

/// Where the money is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum MoneyPlace {
    /// Never left the account.
    Account,
    /// May have left the account: the bank's answer is missing.
    Unsure,
    /// Left the account, kept by the bank for the card.
    InTransit,
    /// On the card; the bank still has to hear of it.
    OnCardUnreported,
    /// On the card.
    OnCard,
    /// Given up by two people of the bank, who know more: neither on the card nor back.
    WrittenOff,
    /// No money was meant to move.
    None,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum TransactionKind {
    Balance,
    Topup,
    Resume,
    Activate,
}

/// The transaction on the screen.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct TransactionView {
    /// The transaction's id, 32 hex digits.
    pub id: String,
    pub kind: TransactionKind,
    pub stage: Stage,
    /// The card in question, once known.
    pub card: Option<CardView>,
    pub sms: Option<SmsView>,
    /// Digits of the password typed so far.
    pub pin_digits: u8,
    pub limits: Option<LimitsView>,
    /// Re-top-up: the person wants the money back in the account rather than on the card.
    pub refund: bool,
    /// Fen, once submitted.
    pub amount: Option<u32>,
    /// Fen that a link asked for: typed for the person, who may change it.
    #[serde(default)]
    pub asked: Option<u32>,
    /// `read`, `approve`, `write`, `confirm`, in this order, as far as this kind has them.
    pub steps: Vec<StepView>,
    /// Where the money is now.
    pub place: MoneyPlace,
    /// False once leaving can't stop it any more.
    pub can_cancel: bool,
    /// Why the stage does not go on by itself right now (offline, reader gone, wrong code...), or the failure.
    pub error: Option<ErrorView>,
    pub receipt: Option<ReceiptView>,
    pub resume: Option<ResumeState>,
    /// The card is being measured and lies badly: it should be moved a little. Null: nothing to do.
    pub contact: Option<ContactView>,
    /// A request runs and the same command would be refused.
    pub busy: bool,
}

/// How a card lies, when that is worth a word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum ContactView {
    Poor,
    /// The bank takes its time: the card may be taken away, and is asked for again.
    Free,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum Stage {
    /// Waiting for a card on the reader.
    WaitCard,
    /// Top-up: phone number.
    Phone,
    /// Top-up: code.
    Code,
    /// Top-up: amount and password; activation: password.
    Password,
    /// Card and bank at work: see `steps`.
    Running,
    /// Ended well.
    Done,
    /// Ended with `error`.
    Failed,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct CardView {
    pub industry: String,
    pub name: LocalName,
    pub tail: String,
    /// Tells cards with the same last digits apart.
    pub mark: Option<u16>,
    /// Fen.
    pub balance: u32,
    /// `YYYY-MM-DD`.
    pub expiry: Option<String>,
    pub active: bool,
    /// The card's own log, newest first.
    pub log: Vec<LogEntryView>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct LogEntryView {
    pub kind: LogKind,
    /// Fen, never negative.
    pub amount: u32,
    /// The terminal's own time, China's (UTC+8): `YYYY-MM-DDTHH:MM:SS`, or the day alone where the card keeps no more;
    /// null when the card's bytes are no date.
    pub time: Option<String>,
    /// 12 digits.
    pub terminal: String,
    /// Balance after this entry as far as the log allows to work it out, fen.
    pub balance_after: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum LogKind {
    Load,
    Purchase,
    Other,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct SmsView {
    /// `138 •••• 6021`.
    pub phone_masked: String,
    #[ts(type = "number")]
    pub resend_at_ms: u64,
    #[ts(type = "number")]
    pub expires_at_ms: u64,
    /// Last four digits of the card that the code is for; null for a list.
    pub tail: Option<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct LimitsView {
    /// Fen.
    pub min: u32,
    /// Fen: the smaller of the limit for one load and the room left on the card.
    pub max: u32,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct StepView {
    pub name: StepName,
    pub state: StepState,
    #[ts(type = "number | null")]
    pub elapsed_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum StepName {
    Read,
    Approve,
    Write,
    Confirm,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum StepState {
    Waiting,
    Running,
    Done,
    Failed,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct ReceiptView {
    /// Fen; null for activation.
    pub amount: Option<u32>,
    pub old_balance: Option<u32>,
    pub new_balance: Option<u32>,
    pub tail: String,
    #[ts(type = "number")]
    pub time_ms: u64,
    pub reference: Option<String>,
    /// Goes behind `AboutView::receipt_page`: the bank's signature over this receipt.
    #[serde(default)]
    pub proof: Option<String>,
    pub place: MoneyPlace,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum ResumeState {
    None,
    Running,
    AlreadyOnCard,
    Loaded,
    /// The card was not credited, and the money is back in the account.
    Refunded,
    Failed,
}
