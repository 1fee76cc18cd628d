use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    CardColour, CardKey, DiagnosticView, ErrorView, Language, ReceiptView, Theme, TimesView,
    TransactionKind,
};

/// What the page may ask for. Each is answered by a [`Reply`] or an [`ErrorView`]; progress arrives as views.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(
    tag = "command",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
#[ts(export)]
pub enum Command {
    /// First start: asks the bank for this terminal's first key. Also tried by itself at start.
    Enrol,
    /// Enters a transaction's screen. Balance and re-top-up start by themselves when a card is there.
    Begin {
        kind: TransactionKind,
    },
    /// Enters the screen of a re-top-up to get the money back instead: the card proves that it was not credited.
    /// `load`: the one that the person agreed to, by its id; null: whichever the card holds.
    Refund {
        load: Option<String>,
    },
    /// Enters the screen of a new list: many cards, one payment.
    BeginQueue,
    /// Enters the screen of a list that was paid, by its id: 32 hex digits.
    OpenQueue {
        id: String,
    },
    /// Lets the person choose the list's file. The answer comes when they have.
    PickList,
    /// What the cards of the list are.
    ChooseIndustry {
        industry: String,
    },
    /// The list is right: on to the phone number. Also back to it from the code and the password.
    AcceptList,
    /// Gives back what waits of the list on the screen. Loads that are open go on.
    CloseQueue,
    /// The list on the screen as a file that reconciles, in the documents folder; at any moment once it is paid.
    ExportQueue {
        language: Language,
    },
    /// Top-up and list: sends the SMS code. `phone` is compared by the bank and never stored here.
    SendCode {
        phone: String,
    },
    /// Top-up: checks the six digits. List: keeps them for the payment.
    VerifyCode {
        code: String,
    },
    /// One digit (0 to 9) of the bank card password. The page keeps none.
    PinPress {
        digit: u8,
    },
    /// Takes the last digit back.
    PinDelete,
    /// Starts the card part; pays the list. `amount` (fen) is for top-up only.
    Submit {
        amount: Option<u32>,
    },
    /// Begins the top-up of [`RequestView`](crate::RequestView), with its amount typed for the person.
    AcceptRequest,
    /// Puts the request away. Nothing was begun for it.
    DropRequest,
    /// Runs again what failed, where [`ErrorView::retry`] says so.
    Retry,
    /// Leaves the screen of a transaction or a list. Never cancels a load once money may have moved: that goes on.
    Leave,
    /// Fetches a new working key now.
    RenewKey,
    /// Prefers one reader by name, or any with `null`.
    ChooseReader {
        name: Option<String>,
    },
    /// What its person calls a card that this device remembers, up to 16 characters (an empty name is none), and its
    /// colour.
    DressCard {
        card: CardKey,
        label: String,
        colour: CardColour,
    },
    /// Takes a card from Home. Its receipts and unfinished loads stay.
    ForgetCard {
        card: CardKey,
    },
    SetLanguage {
        language: Language,
    },
    SetTheme {
        theme: Theme,
    },
    /// Text size in percent: 100, 125, 150 or 200.
    SetTextSize {
        percent: u16,
    },
    /// Whether the system asks who is there at each start. It asks before this changes, too.
    SetLock {
        on: bool,
    },
    /// Short tones at the card.
    SetSound {
        on: bool,
    },
    /// Whether closing the window leaves the app in the tray, where [`DeskView::tray`](crate::DeskView::tray) has one.
    SetTray {
        on: bool,
    },
    /// Whether the system tells of an unfinished load while the window is out of sight.
    SetNotices {
        on: bool,
    },
    /// Installs the version of [`UpdateView`](crate::UpdateView) and starts the app over. Refused while a transaction
    /// is on the screen.
    Update,
    /// Asks again who is there, after [`Code::UnlockRefused`](crate::Code::UnlockRefused).
    Unlock,
    /// Receipts and unfinished loads, newest first.
    History,
    /// The history as a CSV file in the person's documents folder, in the language of the screen: with `state`, what
    /// the screen's filter shows.
    ExportHistory {
        language: Language,
        state: Option<HistoryState>,
    },
    /// A receipt as a picture in the person's documents folder: `png` is what the page has drawn.
    SaveReceipt {
        reference: Option<String>,
        png: Vec<u8>,
    },
    /// What happened lately, without anything private, as a file in the person's documents folder.
    ExportTrace,
    /// Checks each part.
    RunDiagnostics,
    /// How long card, app, cipher, network and bank took lately.
    Times,
    /// Forgets keys, journal and settings of this device. Refused while a load is unfinished.
    EraseDevice,
}

/// The answer to a [`Command`] that succeeded.
#[derive(Clone, Debug, Deserialize, Serialize, TS)]
#[serde(
    tag = "reply",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
#[ts(export)]
pub enum Reply {
    Done,
    History {
        entries: Vec<HistoryEntry>,
    },
    Exported {
        path: String,
    },
    Diagnostics {
        parts: Vec<DiagnosticView>,
        report: String,
    },
    /// One for each kind that there are runs of.
    Times {
        kinds: Vec<TimesView>,
    },
}

/// One line of the history.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct HistoryEntry {
    /// The transaction's id, 32 hex digits.
    pub id: String,
    pub kind: TransactionKind,
    #[ts(type = "number")]
    pub started_ms: u64,
    pub state: HistoryState,
    pub receipt: ReceiptView,
    pub error: Option<ErrorView>,
}

/// Where a recorded transaction stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum HistoryState {
    /// Finished, money (if any) on the card.
    Done,
    /// Not finished: money may have left the account.
    Unfinished,
    /// Ended without moving money.
    NotDone,
}
