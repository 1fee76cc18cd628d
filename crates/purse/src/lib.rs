//! The PBOC electronic purse: commands, replies, keys and codes of the card, without IO.
//! [`cash`] has the same for PBOC electronic cash, an EMV-style card.
//!
//! Source: JR/T 0025 parts 1 and 2, and CJ/T 166, which reuses them; where they are silent, field
//! practice, marked so. Amounts are in fen (0.01 CNY), integers big-endian, dates and times BCD.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
#![warn(missing_docs)]

pub mod cash;
pub mod command;
pub mod crypto;
pub mod reply;
pub mod secure;
pub mod status;
pub mod tlv;

mod time;
mod types;

pub use crypto::{CardKey, KeyError, MasterKey, SessionKey, diversify};
pub use reply::{File15, InitForLoad, InitForPurchase, LogRecord, Proof, ReplyError};
pub use status::Status;
pub use time::{HostTime, TimeError};
pub use types::{Balance, Terminal, TransactionType};
