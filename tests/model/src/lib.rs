//! A model of card, app and bank, small enough that every order of every fault can be tried.
//!
//! The rules are the real ones wherever they do no IO: [`ledger::Load::step`] moves the loads and
//! [`relay::journal::Entry::apply`] the journal. Bytes and cryptography are symbols that can't be forged, the
//! network keeps every message and delivers it whenever it likes, again and again or never.

mod app;
mod bank;
mod bug;
mod card;
mod journal;
mod load;
mod model;
mod properties;
mod run;
mod settings;
mod symbols;

pub use bug::Bug;
pub use model::{Action, World};
pub use run::{Figures, explore, first_failure};
pub use settings::Settings;
