//! The shape of the configuration file, with its defaults.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::Deserialize;

use crate::config::CoreSettings;
use crate::config::sms::SmsSettings;
use crate::scheme::{Activation, Scheme};

/// A few ms of a server's core: what protects six digits is the store key, rounds only delay who has both.
const DEFAULT_ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4_999);

/// What a configuration file says. Holds keys and passwords, so it has no `Debug`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub(crate) bank: BankSettings,
    #[serde(default)]
    pub(crate) keys: KeySettings,
    #[serde(default)]
    pub(crate) sms: SmsSettings,
    #[serde(default)]
    pub(crate) password: PasswordSettings,
    #[serde(default)]
    pub(crate) limits: LimitSettings,
    pub(crate) hsm: Option<HsmSettings>,
    #[cfg(feature = "otel")]
    pub(crate) otel: Option<crate::config::OtelSettings>,
    #[cfg(not(feature = "otel"))]
    pub(super) otel: Option<serde::de::IgnoredAny>,
    /// Where customers' money is, when it is not here.
    pub(crate) core: Option<CoreSettings>,
    #[serde(default, rename = "industry")]
    pub(crate) industries: Vec<IndustrySettings>,
    #[serde(default, rename = "customer")]
    pub(crate) customers: Vec<CustomerSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BankSettings {
    pub(crate) name: String,
    #[serde(default = "security_address")]
    pub(crate) security: SocketAddr,
    #[serde(default = "transaction_address")]
    pub(crate) transaction: SocketAddr,
    /// Where metrics and health are told; absent: nowhere.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where the operators' page is; absent: nowhere.
    pub(crate) console: Option<SocketAddr>,
    /// Names beside `localhost` that a browser may call the console by, e.g. of a proxy in front of it.
    #[serde(default)]
    pub(crate) console_hosts: Vec<String>,
    pub(crate) security_url: Option<String>,
    pub(crate) transaction_url: Option<String>,
    /// Where any browser checks receipts, with a certificate that it knows; absent: the security server's own.
    pub(crate) receipt_url: Option<String>,
    #[serde(default)]
    pub(crate) host_names: Vec<String>,
    pub(crate) packages: Option<PathBuf>,
    /// URL of the store; absent: a file of SQLite in the bank's folder. It can hold a password.
    pub(crate) store: Option<String>,
    /// This bank among those that share a database of PostgreSQL.
    #[serde(default = "number")]
    pub(crate) number: u32,
    /// The public key of whoever signs the packages; absent: this bank does, at each start.
    #[serde(default, with = "public_key")]
    pub(crate) package_signer: Option<[u8; 32]>,
    /// Each terminal shows its own certificate in TLS.
    #[serde(default)]
    pub(crate) client_certificates: bool,
}

/// A PKCS#11 token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HsmSettings {
    /// The vendor's library.
    pub(crate) module: PathBuf,
    /// Label of the token.
    pub(crate) token: String,
    /// The user's PIN is in this file.
    pub(crate) pin_file: PathBuf,
    /// Label of the AES key that seals the key files of the bank's directory.
    pub(crate) wrapping_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KeySettings {
    pub(crate) working_key_life_s: u64,
    pub(crate) working_key_margin_s: u64,
    pub(crate) master_key_life_s: u64,
    pub(crate) suite: u8,
    pub(crate) lowest_suite: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PasswordSettings {
    pub(crate) tries: u32,
    pub(crate) lock_s: u64,
    pub(crate) rounds: NonZeroU32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitSettings {
    pub(crate) request_timeout_ms: u64,
    pub(crate) concurrent_requests: usize,
    pub(crate) database_wait_ms: u64,
    pub(crate) silence_s: u64,
    pub(crate) doubt_s: u64,
    pub(crate) queue_s: u64,
    pub(crate) activation_years: u16,
    pub(crate) enrolments_per_address_per_hour: u32,
    pub(crate) answer_ms: u64,
    pub(crate) connections: usize,
    pub(crate) connections_per_address: usize,
    pub(crate) requests_per_terminal_per_minute: u32,
    pub(crate) refusals_per_address_per_minute: u32,
    pub(crate) unknown_cards_per_terminal_per_hour: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IndustrySettings {
    pub(crate) code: String,
    #[serde(default = "min_amount")]
    pub(crate) min_amount: u32,
    #[serde(default = "max_amount")]
    pub(crate) max_amount: u32,
    #[serde(default = "max_balance")]
    pub(crate) max_balance: u32,
    #[serde(default)]
    pub(crate) scheme: Scheme,
    #[serde(default)]
    pub(crate) activation: Activation,
    #[serde(default)]
    pub(super) recipe: Vec<String>,
    pub(super) load_recipe: Option<Vec<String>>,
    pub(super) tac_recipe: Option<Vec<String>>,
    pub(super) maintenance_recipe: Option<Vec<String>>,
    pub(super) keys: KeyTexts,
    /// Of versions that cards may still have, or have already.
    #[serde(default)]
    pub(super) other_keys: Vec<KeyTexts>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyTexts {
    pub(super) version: Option<u8>,
    pub(super) load: Option<String>,
    pub(super) tac: Option<String>,
    pub(super) maintenance: Option<String>,
    #[serde(default)]
    pub(super) purchase: Option<String>,
    pub(super) cryptogram: Option<String>,
    pub(super) script: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomerSettings {
    /// For the reader of the file; the bank does not store it.
    #[serde(rename = "name")]
    _name: Option<String>,
    pub(crate) phone: String,
    pub(crate) password: String,
    pub(crate) balance: u32,
    /// At the core banking host.
    pub(crate) account: Option<String>,
    #[serde(default, rename = "card")]
    pub(crate) cards: Vec<CardSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CardSettings {
    pub(crate) industry: String,
    pub(crate) serial: String,
    #[serde(default)]
    pub(crate) status: CardStatus,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CardStatus {
    #[default]
    Normal,
    Blocked,
}

fn security_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8444))
}

fn transaction_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8443))
}

fn number() -> u32 {
    1
}

fn min_amount() -> u32 {
    100
}

fn max_amount() -> u32 {
    50_000
}

fn max_balance() -> u32 {
    100_000
}

impl Default for KeySettings {
    fn default() -> Self {
        let (working_key_life_s, working_key_margin_s) = (24 * 3600, 2 * 3600);
        Self {
            working_key_life_s,
            working_key_margin_s,
            master_key_life_s: 365 * 24 * 3600,
            suite: 3,
            lowest_suite: 3,
        }
    }
}

impl Default for PasswordSettings {
    fn default() -> Self {
        Self {
            tries: 3,
            lock_s: 24 * 3600,
            rounds: DEFAULT_ROUNDS,
        }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            request_timeout_ms: 10_000,
            concurrent_requests: 256,
            database_wait_ms: 2_000,
            silence_s: 300,
            doubt_s: 60 * 24 * 3600,
            queue_s: 30 * 24 * 3600,
            activation_years: 10,
            enrolments_per_address_per_hour: 20,
            answer_ms: 1_000,
            connections: 4_096,
            connections_per_address: 1_024,
            requests_per_terminal_per_minute: 1_200,
            refusals_per_address_per_minute: 6_000,
            unknown_cards_per_terminal_per_hour: 40,
        }
    }
}

impl IndustrySettings {
    /// Of `keys` first; none: of every card.
    pub(crate) fn key_versions(&self) -> impl Iterator<Item = Option<u8>> {
        let others = self.other_keys.iter();
        std::iter::once(&self.keys)
            .chain(others)
            .map(|keys| keys.version)
    }
}

impl CardSettings {
    pub(crate) fn serial_bytes(&self, scheme: Scheme) -> Option<Vec<u8>> {
        scheme.serial(&self.serial)
    }
}

impl CardStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Blocked => "blocked",
        }
    }
}

mod public_key {
    use serde::de::{Deserialize, Deserializer, Error};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<[u8; 32]>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key)
            .map_err(|_| D::Error::custom("expected 32 bytes as 64 hex digits"))?;
        Ok(Some(key))
    }
}
