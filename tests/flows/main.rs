//! Whole flows over loopback: the real session, the real servers, the virtual card in process.
#![allow(clippy::unwrap_used)]

mod backup;
mod beside;
mod contact;
mod diagnostics;
mod happy;
mod hostile;
mod hung;
mod ignorance;
mod industries;
mod keys;
#[cfg(unix)]
mod killed;
mod liar;
mod lost;
mod outside;
mod phone;
mod queue;
mod refused;
mod same_number;
mod secrets;
mod settled;
mod stage;
mod stranded;
mod torn;
mod twice;
mod wire;
