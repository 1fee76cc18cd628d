//! The ledger from outside: its table, random histories, and books that somebody broke.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests, too"
)]

mod broken_books;
mod random_events;
mod transitions;
mod world;
