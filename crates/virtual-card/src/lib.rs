//! A purse that behaves like a card: power, field session, tearing, proof, PIN, log.
//!
//! [`Card`] is the card alone: pure state, commands in, replies out. [`Slot`] is what a reader
//! sees: a card that can be put in, taken out, swapped and torn in mid-command. [`vpcd`] serves a
//! slot to a real pcscd, [`control`] lets tests and people work it from outside.
//! For development and tests only; its issuer keys are public.

pub mod control;
pub mod vpcd;

mod card;
mod command;
mod demo;
mod fault;
mod profile;
mod quirks;
mod recipe;
mod slot;
mod store;

pub use card::Card;
pub use demo::issuer_keys as demo_issuer_keys;
pub use fault::{Fault, Moment};
pub use profile::{
    CardKeys, CardProfile, KeySource, LogEntry, Pin, ProfileError, ProofEntry, SecretKey,
};
pub use quirks::{BlockedSelect, Overflow, ProofCounter, Quirks, Shift, WrongPin};
pub use recipe::{Level, Part};
pub use slot::{CardStatus, Recorded, Slot, SlotStatus, SlotView};
