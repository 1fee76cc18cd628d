//! A phone's own reader, behind one bridge to Kotlin or Swift (`plugins/iso-dep`, `docs/mobile.md`).
//!
//! The phone polls only while a card is wanted. A tag whose outcome became unknown is never talked to again: the phone
//! polls anew, and the next contact is with a new tag.

mod contact;
mod field;
mod messages;
mod newest;
mod reader;
#[cfg(feature = "simulator")]
mod simulated;
#[cfg(all(test, feature = "simulator"))]
mod tests;

use serde_json::Value;

use crate::Future;

pub use newest::Newest;
pub use reader::PhoneReader;
#[cfg(feature = "simulator")]
pub use simulated::{SimulatedPhone, System};

/// The way to the phone's side: one command with its arguments, one answer.
pub trait PhoneBridge: Send + Sync {
    /// Waits for the answer, or for the refusal.
    fn call(&self, command: &'static str, arguments: Value) -> Future<'_, Result<Value, Refused>>;
}

/// The phone's side refused a command, or is not there. A code is all that comes through (`busy`, `off`, `none`).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the phone refused: {}", code.as_deref().unwrap_or("no code"))]
pub struct Refused {
    pub code: Option<String>,
}
