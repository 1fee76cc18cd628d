//! What the outbox carries to phones.

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
