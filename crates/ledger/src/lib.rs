//! A load's states, transitions and invariants, without IO.
//!
//! [`Load::step`] is the bank's state machine for one load: it takes an event with its typed evidence and gives
//! the next state and the effects that must all be stored in one commit. [`decide_resume`] is the decision
//! table for a card that comes back after a torn load. [`invariant::check`] says which rules a snapshot of
//! the bank's tables breaks. Amounts are in fen, times in milliseconds since 1970-01-01 UTC.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]
#![warn(missing_docs)]

mod account;
mod decision;
mod event;
mod evidence;
pub mod invariant;
mod load;
mod resume;
mod state;
mod step;

pub use account::{Account, AccountId, Books, Entry, QueueId, Shard, Transfer};
pub use decision::{LONGEST_EVIDENCE, Proposal, ProposalRefusal, Proposed, propose};
pub use event::{Effect, Event, Incident, Refusal, Resolution, Verdict};
pub use evidence::{FreshInit, LogLine, Mac1, Operators, Proof, Since, Tac};
pub use load::{Attempt, CardId, Kind, Load, LoadId, MAX_ATTEMPTS, Order};
pub use resume::{Contradiction, Decision, Evidence, WrongCard, decide_resume};
pub use state::{Decline, Doubt, Phase, State, Suspense};
