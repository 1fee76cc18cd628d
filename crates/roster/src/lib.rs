//! Lists of many cards that one payment is for: what a file says, which card is whose, how each stands, and the file
//! that reconciles.
//!
//! A list comes from a spreadsheet that people fill in by hand, so everything that is wrong with it is told at once,
//! each with its row and column, and nothing of it is guessed: money follows from it. Card numbers are in [`Row`]
//! alone; what is kept afterwards ([`Item`]) has the last digits and a check.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod csv;
mod item;
mod list;
mod report;

pub use item::{Found, Item, Own, Standing, Sum, Told, Totals, find};
pub use list::{
    Column, Flaw, FlawKind, Flaws, Limits, List, MOST_BYTES, MOST_FLAWS, MOST_ROWS, Row,
};
pub use report::{ReportWords, report};
