//! The envelope from outside: what both ends agree on, and everything that is refused.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod enrol;
mod known_answers;
mod seal;
mod vectors;
