//! The view: what the screens show outside a transaction, and all of it together.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    AboutView, ErrorView, MoneyPlace, PackageView, QueueEntry, QueueView, RefusedPackageView,
    SettingsView, TransactionView,
};

/// Everything that the screens show. Pushed whole at each change; `revision` only rises.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct AppView {
    #[ts(type = "number")]
    pub revision: u64,
    pub phase: Phase,
    /// What stops the app as a whole (keystore locked, enrolment failed...).
    pub trouble: Option<ErrorView>,
    pub network: NetworkState,
    pub reader: ReaderView,
    pub terminal: Option<TerminalView>,
    /// Purses seen on this device, newest first.
    pub purses: Vec<PurseView>,
    /// Unfinished loads, oldest first.
    pub pending: Vec<PendingView>,
    /// The newest of the history, newest first: what Home shows of it.
    pub recent: Vec<crate::HistoryEntry>,
    pub transaction: Option<TransactionView>,
    /// Lists that were paid here, newest first.
    pub queues: Vec<QueueEntry>,
    /// The list on the screen; then there is no transaction.
    pub queue: Option<QueueView>,
    /// What a link from outside asks for, until the person has answered.
    pub request: Option<RequestView>,
    pub packages: Vec<PackageView>,
    pub refused_packages: Vec<RefusedPackageView>,
    pub settings: SettingsView,
    /// Null where there is no desktop.
    pub desk: Option<DeskView>,
    /// A newer version that its publisher offers.
    pub update: Option<UpdateView>,
    pub about: AboutView,
}

/// What came through a link. Anybody can have sent it, and nothing was begun for it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct RequestView {
    /// Fen; null: the link leaves it to the person.
    pub amount: Option<u32>,
    /// Why the link is refused; then there is nothing to go on with.
    pub error: Option<ErrorView>,
}

/// A newer version of the app.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct UpdateView {
    pub version: String,
    /// It is being fetched and installed; then the app starts over.
    pub running: bool,
    /// Why that ended without it; the offer stands.
    pub error: Option<ErrorView>,
}

/// What this system's desktop can do for the app.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct DeskView {
    /// There is a tray that would show the app's icon.
    pub tray: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum Phase {
    /// Reading settings and keystore.
    Starting,
    /// First start: no key yet.
    Welcome,
    /// First start: the key is being asked for.
    Enrolling,
    Ready,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum NetworkState {
    Unknown,
    Online,
    Offline,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum ReaderKind {
    /// No reader connected, or a phone without NFC.
    None,
    /// A reader without a card.
    Empty,
    /// A reader with a card.
    Card,
    /// The PC/SC service does not run, or a phone's NFC is switched off.
    ServiceDown,
    /// The PC/SC service runs and answers nobody.
    ServiceHung,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct ReaderView {
    pub state: ReaderKind,
    /// The reader in use.
    pub name: Option<String>,
    /// All readers connected.
    pub readers: Vec<String>,
    /// The person's choice; null: any.
    pub chosen: Option<String>,
    /// Percent left in a phone that may not last for a load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub low_battery: Option<u8>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct TerminalView {
    /// 12 digits.
    pub id: String,
    /// 6 hex digits of the master key.
    pub key_check_value: String,
    /// When the working key ends; null: none yet.
    #[ts(type = "number | null")]
    pub key_expires_ms: Option<u64>,
    pub suite: u8,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct PurseView {
    pub industry: String,
    pub name: LocalName,
    /// Last four digits.
    pub tail: String,
    /// Tells cards with the same last digits apart; null when it was never read.
    #[serde(default)]
    pub mark: Option<u16>,
    /// Fen.
    pub balance: u32,
    #[ts(type = "number")]
    pub seen_ms: u64,
    /// `YYYY-MM-DD`; null when the card gives none.
    pub expiry: Option<String>,
    pub active: bool,
    /// What its person calls it; null when it has no name of its own.
    #[serde(default)]
    pub label: Option<String>,
    /// Chosen by its person; before that, one that no other card has, as long as there are any.
    #[serde(default)]
    pub colour: CardColour,
}

/// Which card of those that this device remembers: `industry`, `tail` and `mark` of its [`PurseView`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct CardKey {
    pub industry: String,
    pub tail: String,
    pub mark: Option<u16>,
}

/// What a card looks like on the screen, by which a family tells its cards apart.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum CardColour {
    #[default]
    Jade,
    Ocean,
    Plum,
    Clay,
    Slate,
}

impl CardColour {
    pub const ALL: [Self; 5] = [Self::Jade, Self::Ocean, Self::Plum, Self::Clay, Self::Slate];
}

/// A name in the languages that the package gives.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct LocalName {
    #[serde(rename = "zh-CN")]
    pub zh_cn: String,
    /// Null in packages that write Chinese in one script alone.
    #[serde(rename = "zh-TW", default)]
    pub zh_tw: Option<String>,
    pub en: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct PendingView {
    /// The transaction's id, 32 hex digits.
    pub id: String,
    /// Fen.
    pub amount: u32,
    pub tail: String,
    pub reference: Option<String>,
    #[ts(type = "number")]
    pub started_ms: u64,
    pub place: MoneyPlace,
}
