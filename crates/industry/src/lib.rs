//! Industry packages and their interpreter, without IO.
//!
//! A package is data (`docs/industry-packages.md`). It lists every command that a card of its
//! industry can ever get from this terminal; the bank chooses among the listed phases and fills in
//! declared fields, and that is all it can do.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod ahead;
mod card_map;
mod closing;
mod command;
mod condition;
mod contact;
mod defined;
mod dol;
mod driver;
mod error;
mod facts;
mod format;
mod forms;
mod locator;
mod opening;
mod package;
mod phase;
mod position;
mod take;
mod template;
mod tlv;
mod value;

#[cfg(test)]
mod tests;

pub use closing::{Closing, DecodeError, decode};
pub use contact::{Contact, ProbeRead, contact, in_place, repeats};
pub use driver::{CardCommand, Driver, Turn};
pub use error::{Flaw, PackageError};
pub use facts::{CardNumber, Facts, LogEntry, LogKind};
pub use format::{AmountLimits, LocalName, UiStep};
pub use package::{MAX_PACKAGE, Package, Packages};
pub use position::{Position, position, position_of};
