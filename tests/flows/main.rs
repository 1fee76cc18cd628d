//! Whole flows over loopback: the real session, the real servers, the virtual card in process.
#![allow(clippy::unwrap_used)]

mod contact;
mod happy;
mod hostile;
mod ignorance;
mod industries;
mod keys;
mod liar;
mod lost;
mod phone;
mod refused;
mod secrets;
mod settled;
mod stage;
mod torn;
mod wire;
