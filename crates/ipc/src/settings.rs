//! What the settings show and keep.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Code, LocalName, TransactionKind};

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
