//! Many cards and one payment, as the screens show it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ContactView, ErrorView, MoneyPlace, SmsView, StepName};

/// A list that was paid here, for the home screen: what waits of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct QueueEntry {
    /// 32 hex digits.
    pub id: String,
    /// The name of the list's file.
    pub name: String,
    pub totals: QueueTotals,
    /// When the bank gives back what waits; null: it has not said.
    #[ts(type = "number | null")]
    pub closes_ms: Option<u64>,
    pub closed: bool,
}

/// The list on the screen.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct QueueView {
    /// 32 hex digits.
    pub id: String,
    pub stage: QueueStage,
    /// The name of the list's file; null: none was chosen.
    pub name: Option<String>,
    /// What the cards are, where this device knows more than one kind that can be loaded.
    pub industry: Option<String>,
    pub items: Vec<QueueItemView>,
    pub totals: QueueTotals,
    /// What is wrong with the list, in the order of the file.
    pub flaws: Vec<FlawView>,
    /// All flaws; more than are told.
    pub flaw_count: u32,
    pub sms: Option<SmsView>,
    /// Digits of the password typed so far.
    pub pin_digits: u8,
    /// When the bank gives back what waits; null: it has not said.
    #[ts(type = "number | null")]
    pub closes_ms: Option<u64>,
    /// The card that is there, or was there last.
    pub tap: Option<TapView>,
    /// A request runs and the same command would be refused.
    pub busy: bool,
    /// Why the stage does not go on.
    pub error: Option<ErrorView>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum QueueStage {
    /// A file is to be chosen, or another one: see `flaws`.
    Pick,
    /// The list is to be looked at before it is paid.
    Check,
    Phone,
    Code,
    Password,
    /// Paid: card after card.
    Tap,
    /// Closed: what waited is back in the account.
    Closed,
}

/// One card of a list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct QueueItemView {
    /// From 0, in the order of the list.
    pub index: u32,
    pub name: String,
    pub tail: String,
    /// Fen.
    pub amount: u32,
    pub state: QueueItemState,
    pub reference: Option<String>,
    #[ts(type = "number | null")]
    pub time_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum QueueItemState {
    /// Its card has not come.
    Waiting,
    /// Its load is not settled: the same card again.
    Open,
    Loaded,
    /// Its money is back in the account.
    Returned,
    /// Given up by two people of the bank.
    WrittenOff,
}

/// What a list comes to.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct QueueTotals {
    pub all: SumView,
    pub loaded: SumView,
    pub returned: SumView,
    pub waiting: SumView,
    /// In loads that are not settled.
    pub unsettled: SumView,
    /// Given up by two people of the bank.
    pub written_off: SumView,
}

/// So much on so many cards.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct SumView {
    pub cards: u32,
    /// Fen.
    #[ts(type = "number")]
    pub fen: u64,
}

/// A card at the list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct TapView {
    /// Rises with each card.
    pub count: u32,
    pub state: TapState,
    /// Whose it is, once known: an index of the list.
    pub item: Option<u32>,
    /// What runs.
    pub step: Option<StepName>,
    /// Where its money is.
    pub place: MoneyPlace,
    /// How the card lies, when that is worth a word.
    pub contact: Option<ContactView>,
    /// Fen on the card, once loaded.
    pub balance: Option<u32>,
    pub error: Option<ErrorView>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum TapState {
    /// Whose card is it?
    Reading,
    /// Card and bank are at work.
    Running,
    /// Ticked off now.
    Loaded,
    /// It was ticked off before: nothing moved.
    Ticked,
    /// See `error`.
    Stopped,
}

/// What is wrong with a list, and where.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct FlawView {
    /// In the file, from 1; 0: the file as a whole.
    pub row: u32,
    /// Null: the row as a whole.
    pub column: Option<ListColumn>,
    pub kind: FlawKind,
    /// What belongs to it: a limit in fen, the other row, how many are allowed.
    #[ts(type = "number | null")]
    pub detail: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum ListColumn {
    Name,
    Card,
    Amount,
}

/// See the crate `roster`, which finds them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum FlawKind {
    Encoding,
    TooLarge,
    Empty,
    RowsMany,
    HeadingMissing,
    HeadingTwice,
    Quote,
    FieldsMany,
    NameMissing,
    NameLong,
    CardMissing,
    CardDigits,
    CardRounded,
    CardTwice,
    AmountMissing,
    AmountBad,
    AmountLow,
    AmountHigh,
    CardUnknown,
    CardBlocked,
}
