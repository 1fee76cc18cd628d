//! Against the real pcscd with the virtual reader.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod contact;
mod holders;
mod hung;
mod readers;
mod service;
mod stage;
