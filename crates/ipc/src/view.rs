use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Code, ErrorView, QueueEntry, QueueView};

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

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct PackageView {
    pub industry: String,
    pub name: LocalName,
    pub version: u32,
    /// First 8 hex digits of the key of the bank that signed it; absent: it came with the app.
    pub signer: Option<String>,
    /// The transactions that it has.
    pub covers: Vec<TransactionKind>,
    /// Application ids, hex. iOS reads only those that were listed when the app was built.
    pub applications: Vec<String>,
}

/// A package that the bank offered and this device did not take.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct RefusedPackageView {
    pub industry: String,
    pub version: u32,
    pub code: Code,
    /// In English, for the package's author: member and rule, or line and column.
    pub why: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct SettingsView {
    pub language: Language,
    pub theme: Theme,
    pub text_size: u16,
    /// The system asks who is there before the app takes its keys from the keystore.
    #[serde(default)]
    pub lock: bool,
    /// Short tones at the card, one for each phase. Settings from before there were any hear them.
    #[serde(default = "yes")]
    pub sound: bool,
    /// Closing the window leaves the app in the tray.
    #[serde(default)]
    pub tray: bool,
    /// The system tells of an unfinished load while the window is out of sight.
    #[serde(default = "yes")]
    pub notices: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, TS)]
#[ts(export)]
pub enum Language {
    #[default]
    #[serde(rename = "system")]
    System,
    #[serde(rename = "zh-CN")]
    ZhCn,
    #[serde(rename = "zh-TW")]
    ZhTw,
    #[serde(rename = "en")]
    En,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct AboutView {
    pub version: String,
    pub bank: String,
    /// The bank's page that checks receipts, up to and with its `?`.
    pub receipt_page: String,
    /// A build with the simulator or a development bank.
    pub development: bool,
}

/// What the diagnostics found out about one part.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct DiagnosticView {
    pub part: DiagnosticPart,
    pub state: DiagnosticState,
    /// What is wrong; with [`DiagnosticState::Bad`] alone.
    pub code: Option<crate::Code>,
    /// The part that must be right first; with [`DiagnosticState::Skipped`], where there is one.
    pub after: Option<DiagnosticPart>,
    /// Values for the text: `host`, `proxy`, `industry`, `off_s` (the clock is ahead by so many seconds), `count`.
    pub params: BTreeMap<String, String>,
    #[ts(type = "number")]
    pub elapsed_ms: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum DiagnosticState {
    Ok,
    Bad,
    /// Nothing could be learnt: another part comes first, or there is no card to try.
    Skipped,
}

/// From the card to the bank; of the network first what is nearest.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum DiagnosticPart {
    /// The PC/SC service; on phones NFC.
    Service,
    Reader,
    /// Whether another program holds the card.
    OtherPrograms,
    Keystore,
    /// Data for kinds of cards.
    Packages,
    Clock,
    /// The names of the bank's servers.
    Dns,
    Proxy,
    /// Whether the servers prove to be the bank.
    Tls,
    SecurityServer,
    TransactionServer,
}

/// How long the hops of the last runs of one kind took.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct TimesView {
    pub kind: TransactionKind,
    /// Runs that these times are of.
    pub runs: u32,
    /// In the order of [`Hop`]; hops that this kind does not have are left out.
    pub hops: Vec<HopView>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct HopView {
    pub hop: Hop,
    /// The median, ms.
    pub p50_ms: f64,
    /// 95 of 100 were no slower, ms.
    pub p95_ms: f64,
}

/// Where the time of a run goes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum Hop {
    /// The card and its reader.
    Card,
    /// What this program does itself, waiting for a card that is moved included.
    App,
    /// Sealing messages and opening answers.
    Cipher,
    /// The way to the bank and back. Where the bank does not tell its own time, that too.
    Network,
    /// Inside the bank, as the bank tells.
    Bank,
    /// All of it.
    Total,
}
