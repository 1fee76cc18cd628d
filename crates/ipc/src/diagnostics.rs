//! What the diagnostics find, and where the time goes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Code, TransactionKind};

/// What the diagnostics found out about one part.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct DiagnosticView {
    pub part: DiagnosticPart,
    pub state: DiagnosticState,
    /// What is wrong; with [`DiagnosticState::Bad`] alone.
    pub code: Option<Code>,
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
