//! Codes by SMS: what the outbox carries, and the ways it takes.

mod alphabet;
pub(crate) mod post;
mod provider;
pub(crate) mod receipt;
pub(crate) mod sender;
mod smpp;
mod submit;
pub(crate) mod trust;

use serde::{Deserialize, Serialize};

/// One SMS as it would reach the phone.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Sms {
    pub(crate) phone: String,
    pub(crate) card_tail: String,
    pub(crate) code: String,
    pub(crate) text: String,
    pub(crate) sent_ms: u64,
}
