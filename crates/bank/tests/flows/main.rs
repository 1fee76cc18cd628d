//! The bank through real HTTPS: a small terminal and a small card on one side, both servers on the other.
#![allow(clippy::unwrap_used)] // a helper of a test may fail like the test itself

mod abuse;
mod activation;
mod backup;
mod broken_books;
mod card;
mod changes;
mod console;
mod core_host;
mod earlier;
mod engine;
mod faults;
mod hosted;
mod hosted_stage;
#[cfg(target_os = "linux")]
mod hsm;
mod keys;
mod metered;
mod operations;
mod packages;
mod people;
mod process;
#[allow(dead_code)] // a bank with two processes is not among these flows
mod program;
mod queues;
mod receipts;
mod reference;
mod reports;
mod resume;
mod rotation;
mod secrets;
#[cfg(target_os = "linux")]
mod softhsm;
mod stage;
mod stranded;
mod terminal;
mod topup;
mod versions;
mod watched;
