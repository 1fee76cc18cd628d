//! Cards that behave like cards: power, field session, tearing, proof, PIN, log.
//!
//! [`Card`] is a purse alone: pure state, commands in, replies out; [`CashCard`] is PBOC electronic
//! cash, [`RecordedCard`] a table of answers. [`AnyProfile`] makes any, [`SmartCard`] is what they
//! share. [`Slot`] is what a reader
//! sees: a card that can be put in, taken out, swapped and torn in mid-command. [`vpcd`] serves a
//! slot to a real pcscd, [`control`] lets tests and people work it from outside.
//! For development and tests only; its issuer keys are public.

pub mod control;
pub mod vpcd;

mod any;
mod campus;
mod card;
mod cash;
mod command;
mod demo;
mod fault;
mod profile;
mod quirks;
mod recipe;
mod recorded;
mod slot;
mod smart_card;
mod store;

pub use any::AnyProfile;
pub use campus::issuer_keys as demo_campus_keys;
pub use card::Card;
pub use cash::{
    CashCard, CashKeySource, CashKeys, CashLogEntry, CashProfile, CashQuirks,
    demo_issuer_keys as demo_cash_keys,
};
pub use demo::issuer_keys as demo_issuer_keys;
pub use fault::{Fault, Moment};
pub use profile::{
    CardKeys, CardProfile, KeySource, LogEntry, Pin, ProfileError, ProofEntry, SecretKey,
};
pub use quirks::{BlockedSelect, Overflow, ProofCounter, Quirks, Shift, WrongPin};
pub use recipe::{Level, Part};
pub use recorded::{CommandBytes, Place, RecordedCard, RecordedProfile, ReplyBytes};
pub use slot::{Recorded, Slot, SlotStatus, SlotView};
pub use smart_card::{CardStatus, CashStatus, PurseStatus, SmartCard, Technology};
