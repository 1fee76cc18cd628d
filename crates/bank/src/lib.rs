//! The bank: transaction server and security server on one store.
//!
//! [`start`] opens the store, makes what a first start needs and serves both addresses until
//! [`Running::stop`]. Amounts are in fen, times in milliseconds since 1970-01-01 UTC.

mod audit;
mod backup;
mod bank;
mod card_hsm;
mod check;
mod clock;
mod config;
mod console;
mod corebank;
mod crowd;
mod error;
mod files;
mod flow;
mod http;
#[cfg(feature = "development")]
mod inbox;
mod listening;
mod loopback;
mod metrics;
mod operators;
#[cfg(feature = "otel")]
mod otel;
mod packages;
mod parking;
mod password;
mod peer;
mod queues;
mod recipe;
mod reconcile;
mod redact;
mod running;
mod scheme;
#[cfg(feature = "simulator")]
mod simulated;
mod sms;
mod socket;
mod store;
mod subscriber;
mod tls;
mod token;
mod vault;
mod worker;

pub use audit::{Anchor, Audit, verify_audit};
pub use backup::{backup, restore};
pub use check::{Finding, IssuerKeyUse, Money, Report, check, existing_bank};
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{Config, ConfigError, Settings};
pub use console::Role;
#[cfg(feature = "simulator")]
pub use corebank::fuzzed::{any_host, host_answers};
pub use error::StartError;
pub use files::reseal;
pub use operators::{
    Act, Acted, OperatorError, Signature, act, keep_operator, keep_operator_as, open_loads,
    remove_operator,
};
pub use queues::{close_queue, one_queue, queues};
pub use reconcile::{Day, Reconciled, reconcile};
pub use redact::redacted;
pub use running::{Running, revoke_terminal, start};
#[cfg(feature = "simulator")]
pub use simulated::Simulated;
#[cfg(feature = "simulator")]
pub use store::CommitGate;
pub use token::{generate_wrapping_key, import_issuer_key};
