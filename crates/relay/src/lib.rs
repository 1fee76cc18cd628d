//! Relay messages, the relay's state machine and the states of the journal, without IO.
//!
//! The bytes are those of `docs/protocol.md`, section 1.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod body;
mod code;
mod error;
pub mod journal;
mod machine;
mod message;
mod tlv;

pub use body::{Body, Field, MAX_FIELDS, Operation};
pub use code::IndustryCode;
pub use error::MessageError;
pub use machine::{Effect, Input, Limits, Relay, RelayError};
pub use message::{BODY_VERSION, Letter, MAX_MESSAGE, Message, letter};
