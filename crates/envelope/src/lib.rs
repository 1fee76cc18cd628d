//! Sealed messages between terminal and bank: suites, derived keys, replay windows, key life, PIN blocks, without IO.
//!
//! The bytes are those of `docs/protocol.md`, sections 2 to 6. Random bytes and times are arguments. Every
//! cryptographic failure is the one error [`Refused`]; secrets are wiped when dropped and hidden in `Debug`.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]
#![warn(missing_docs)]

pub mod auth;
pub mod enrol;
mod kdf;
pub mod keys;
#[cfg(test)]
mod outside;
pub mod package;
pub mod pin;
pub mod queue;
pub mod receipt;
pub mod replay;
pub mod seal;
mod secret;
mod tdes;
mod terminal;

pub use secret::Secret;
pub use terminal::{Direction, Suite, Terminal};

/// The one answer to every cryptographic failure: it does not say which check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused")]
pub struct Refused;
