//! The virtual card seen from outside: as a host, a reader and a tester see it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod campus;
mod cash;
mod cash_host;
mod cash_torn;
mod load;
mod maintenance;
mod pin;
mod purchase;
mod quirks;
mod reading;
mod recorded;
mod slot;
mod support;
mod wire;
