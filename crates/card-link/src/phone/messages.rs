//! What crosses the bridge, as JSON. Kotlin and Swift have the same names (`docs/mobile.md`).

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Begin {
    /// Android asks so rarely whether the tag is still there: its own commands end a protected session on many phones.
    pub(super) presence_check_ms: u32,
    /// One command.
    pub(super) transceive_ms: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Begun {
    pub(super) session: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Transceive {
    pub(super) session: u64,
    pub(super) tag: u64,
    pub(super) commands: Vec<Order>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    /// The command, hexadecimal.
    pub(super) data: String,
    /// Beginnings of status words after which the next command is sent, hexadecimal; none: always.
    pub(super) go_on: Vec<String>,
}

/// What came of a batch: the replies until it stopped. A rejection could not carry them.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Batch {
    /// Whole replies, hexadecimal.
    pub(super) replies: Vec<String>,
    pub(super) stop: Stop,
    /// How long the card took for each of the replies.
    #[serde(default)]
    pub(super) ms: Vec<u64>,
}

/// Why a batch stopped. After all but the first two the outcome of the command after the last reply is unknown.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stop {
    Done,
    StatusWord,
    TagLost,
    Timeout,
    /// The session ended: by the person, by the system, or because the app left the screen.
    Closed,
    Io,
}

/// A tag that is given up here: the phone would go on to hold it.
#[derive(Debug, Serialize)]
pub(super) struct Release {
    pub(super) session: u64,
    pub(super) tag: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Power {
    pub(super) percent: u8,
    pub(super) charging: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct End {
    pub(super) session: u64,
}

/// What the phone tells by itself, on the one channel.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum PhoneEvent {
    /// Told first, and at each change.
    State { nfc: Nfc },
    /// A card came, and is connected.
    Tag { session: u64, tag: u64 },
    /// It is gone, or given up; the phone polls for the next.
    Lost { session: u64, tag: u64 },
    /// The session ended though nobody here asked for it.
    Closed { session: u64, why: Why },
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Nfc {
    On,
    Off,
    /// The device has none.
    None,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Why {
    Cancelled,
    TimeOut,
    Busy,
    /// And whatever else a newer system tells: that it ended is what counts.
    #[serde(other)]
    System,
}
