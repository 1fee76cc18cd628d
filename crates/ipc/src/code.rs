use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::MoneyPlace;

/// A failure as the UI gets it: a code with parameters; the words are the UI's.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct ErrorView {
    pub code: Code,
    /// Values for the text: `tries_left`, `limit` (fen), `tail`, `retry_after_ms`, `reader`, `status`...
    pub params: BTreeMap<String, String>,
    pub retry: Retry,
    /// Where the money is; never absent when a transaction could move any.
    pub money: MoneyPlace,
    /// The reference that the bank's people ask for.
    pub reference: Option<String>,
}

impl Code {
    /// The bank refused the request without reading it, or never got it: the very same may be sent again.
    pub fn is_unread(self) -> bool {
        let unread = [
            Self::Offline,
            Self::BankBusy,
            Self::TooMany,
            Self::KeyMissing,
            Self::ClockWrong,
            Self::EnvelopeRefused,
            Self::SuiteRefused,
        ];
        unread.contains(&self) || self.is_distrust()
    }

    /// No bank answers.
    pub fn is_away(self) -> bool {
        matches!(self, Self::Offline | Self::BankSilent)
    }

    /// Somebody answers who is not the bank.
    pub fn is_distrust(self) -> bool {
        let distrust = [
            Self::BankUntrusted,
            Self::CertificateExpired,
            Self::CertificateForeign,
            Self::CertificateName,
            Self::CertificateSwapped,
            Self::NetworkLogin,
        ];
        distrust.contains(&self)
    }
}

/// What the person can do with a failure.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
pub enum Retry {
    /// `Command::Retry` runs the same again; nothing happens twice.
    Again,
    /// Type something else (code, password, amount, phone).
    Edit,
    /// A re-top-up settles it.
    Resume,
    /// It heals by itself when the cause goes.
    Wait,
    /// Nothing to do here.
    No,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// Every failure that a person can meet.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, TS)]
        #[ts(export)]
        pub enum Code { $($(#[$doc])* #[serde(rename = $text)] $variant,)* }

        impl Code {
            /// All codes, for the test that each has text in every language.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as text, e.g. `card-lost`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The code of that text.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    // the card and its reader
    ServiceDown = "service-down",
    /// The service for readers runs and answers nobody.
    ServiceHung = "service-hung",
    ReaderNone = "reader-none",
    NfcOff = "nfc-off",
    /// A phone without NFC.
    NfcNone = "nfc-none",
    ReaderBusy = "reader-busy",
    ReaderDenied = "reader-denied",
    CardNone = "card-none",
    /// Contact was lost; what the last command did is unknown.
    CardLost = "card-lost",
    CardTimeout = "card-timeout",
    /// Harmless reads showed that the card lies badly: nothing was asked of the bank.
    ContactPoor = "contact-poor",
    CardNotSupported = "card-not-supported",
    /// Its package reads this card and does nothing else.
    CardReadOnly = "card-read-only",
    CardAppBlocked = "card-app-blocked",
    CardBlocked = "card-blocked",
    CardExpired = "card-expired",
    CardNotActive = "card-not-active",
    CardMacBad = "card-mac-bad",
    /// The bank has no key of the version that the card was made with.
    CardKeyUnknown = "card-key-unknown",
    CardReplyBad = "card-reply-bad",
    CardUnknownStatus = "card-unknown-status",
    CardFull = "card-full",
    CardCounterExhausted = "card-counter-exhausted",
    CardRefused = "card-refused",
    CardUnknown = "card-unknown",
    CardOther = "card-other",
    // the person
    PhoneBad = "phone-bad",
    CodeBad = "code-bad",
    CodeWrong = "code-wrong",
    CodeExpired = "code-expired",
    CodeLocked = "code-locked",
    CodeUnknown = "code-unknown",
    PasswordShort = "password-short",
    PasswordWrong = "password-wrong",
    PasswordLocked = "password-locked",
    AmountBad = "amount-bad",
    AmountLow = "amount-low",
    AmountHigh = "amount-high",
    BalanceLimit = "balance-limit",
    FundsShort = "funds-short",
    // the load
    LoadOpen = "load-open",
    InDoubt = "in-doubt",
    Manual = "manual",
    /// The money is back in the account.
    Refunded = "refunded",
    /// Two people of the bank have closed it.
    WrittenOff = "written-off",
    Voided = "voided",
    NothingPending = "nothing-pending",
    CounterSeen = "counter-seen",
    TacBad = "tac-bad",
    NoProof = "no-proof",
    SmsProofBad = "sms-proof-bad",
    // many cards, one payment
    /// The file can't be read, or is no list.
    ListUnreadable = "list-unreadable",
    /// The bank refuses rows of the list.
    QueueRows = "queue-rows",
    /// The bank knows no such list.
    QueueUnknown = "queue-unknown",
    /// The bank keeps no accounts that could pay for lists.
    QueueUnserved = "queue-unserved",
    /// What waited is back in the account.
    QueueClosed = "queue-closed",
    /// Another card than the bank has for this part.
    QueueCard = "queue-card",
    /// A card of nobody on the list.
    QueueUnlisted = "queue-unlisted",
    /// A list is not finished.
    QueueOpen = "queue-open",
    // network and bank
    Offline = "offline",
    BankTimeout = "bank-timeout",
    /// No answer came: the money may have left the account.
    BankSilent = "bank-silent",
    BankUntrusted = "bank-untrusted",
    /// Over, not begun, or this device's clock is wrong.
    CertificateExpired = "certificate-expired",
    /// Signed by somebody else: a proxy that looks into connections.
    CertificateForeign = "certificate-foreign",
    CertificateName = "certificate-name",
    /// From the bank's authority, with a key that is not pinned.
    CertificateSwapped = "certificate-swapped",
    /// What answers speaks no TLS 1.3: a network that wants a login first.
    NetworkLogin = "network-login",
    BankBusy = "bank-busy",
    BankError = "bank-error",
    TooMany = "too-many",
    ClockWrong = "clock-wrong",
    // the way to the bank, as the diagnostics tell it apart
    /// The device has no way out at all.
    NetworkNone = "network-none",
    NameUnknown = "name-unknown",
    /// A proxy is set and can't be reached.
    ProxyAway = "proxy-away",
    /// The proxy answers and does not let this connection through.
    ProxyRefused = "proxy-refused",
    /// The line breaks while the servers prove who they are.
    ConnectionCut = "connection-cut",
    /// The computer answers, and no server runs on it.
    ServerStopped = "server-stopped",
    /// Nothing answers at the server's address.
    ServerUnreached = "server-unreached",
    // keys
    KeystoreMissing = "keystore-missing",
    KeystoreLocked = "keystore-locked",
    KeystoreDenied = "keystore-denied",
    KeystoreEmptied = "keystore-emptied",
    KeystoreBroken = "keystore-broken",
    UnlockRefused = "unlock-refused",
    UnlockUnable = "unlock-unable",
    EnrolFailed = "enrol-failed",
    TerminalUnknown = "terminal-unknown",
    TerminalRevoked = "terminal-revoked",
    KeyMissing = "key-missing",
    SuiteRefused = "suite-refused",
    EnvelopeRefused = "envelope-refused",
    // the app
    IndustryUnknown = "industry-unknown",
    PackageBad = "package-bad",
    PackageUnsigned = "package-unsigned",
    PackageAltered = "package-altered",
    PackageSigner = "package-signer",
    PackageOlder = "package-older",
    PackageEarly = "package-early",
    PackageField = "package-field",
    PackageOversized = "package-oversized",
    PackageCommand = "package-command",
    PackageEndless = "package-endless",
    PackageBomb = "package-bomb",
    PackageOld = "package-old",
    /// The bank's data for kinds of cards was never fetched.
    PackageNone = "package-none",
    MessageBad = "message-bad",
    RelayTooLong = "relay-too-long",
    Deadline = "deadline",
    DiskFull = "disk-full",
    DiskBroken = "disk-broken",
    JournalBad = "journal-bad",
    ProfileBad = "profile-bad",
    CommandBad = "command-bad",
    /// The new version did not come, or was not signed by its publisher.
    UpdateFailed = "update-failed",
    /// A link from outside that asks for nothing this app knows.
    LinkBad = "link-bad",
    /// A link from outside came while a transaction was on the screen.
    LinkBusy = "link-busy",
    NotNow = "not-now",
    Cancelled = "cancelled",
    Internal = "internal",
}
