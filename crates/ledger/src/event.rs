//! What can happen to a load, and what must be stored when it does.

use serde::{Deserialize, Serialize};

use crate::{Decline, Doubt, Evidence, Mac1, Operators, Phase, Suspense, Tac, Transfer};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A check failed.
    Decline(Decline),
    /// The SMS proof is bound to this load, the password is right, MAC1 is good and no other load of this card
    /// is open. The caller has checked them and says so with the MAC1.
    Authorise(Mac1),
    /// Activation: the password is right and the card is genuine.
    AuthoriseActivation,
    /// Debit and make the MAC2, in one commit.
    Issue {
        /// What the account holds, fen.
        available: i64,
    },
    /// Nobody went on in time.
    TimeOut,
    /// The person gave up.
    Cancel,
    /// The same request came again.
    Repeat,
    /// A TAC that verifies, direct or by GET TRANSACTION PROVE.
    Tac(Tac),
    /// Activation: file 15 was read again after the update.
    FlagRead {
        /// Byte 9 reads active.
        active: bool,
    },
    /// The outcome on the card is not known.
    Doubt(Doubt),
    /// The card is back.
    Resume {
        /// What the bank has seen of it.
        evidence: Evidence,
        /// What to do when the card proves that it was not credited.
        not_loaded: Verdict,
    },
    /// A person must decide: the card is lost, or too much time has passed.
    Suspend(Suspense),
    /// Two operators have decided.
    Resolve {
        /// What they decided.
        resolution: Resolution,
        /// Who, and on what evidence.
        operators: Operators,
    },
}

/// What to do with a load that is proven not to be on the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A new MAC2 for the same load (re-top-up).
    LoadAgain,
    /// The money goes back.
    Refund,
}

/// What two operators can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// The card has the money.
    Loaded,
    /// The customer gets the money back.
    Refund,
    /// Neither can be shown.
    WriteOff,
}

impl Resolution {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Loaded, Self::Refund, Self::WriteOff];

    /// The name in tables and commands: `loaded`, `refund`, `write-off`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Refund => "refund",
            Self::WriteOff => "write-off",
        }
    }
}

/// What must be stored in the same commit as the new state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Money moves.
    Transfer(Transfer),
    /// Make the MAC2 (activation: the secured update) for the newest attempt and store the reply that
    /// carries it, before anything is sent.
    IssueMac2 {
        /// Number of the attempt, from 1.
        attempt: u32,
    },
    /// Send the stored reply, byte for byte.
    AnswerStored,
    /// One outbox event and one audit row.
    Moved {
        /// Phase before.
        from: Phase,
        /// Phase after.
        to: Phase,
    },
    /// Something that must never happen did; a person is told. Never money.
    Incident(Incident),
}

/// What must never happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Incident {
    /// A TAC verifies for a load that a final state says is not on the card.
    LateTac,
    /// A TAC verifies for an attempt that the card's counter had ruled out.
    DeadAttemptTac,
    /// A TAC verifies while a person decides: evidence for them.
    TacForOperators,
    /// A TAC does not verify.
    BadTac,
    /// A genuine card's counter went down.
    CounterBelow,
    /// A genuine card's counter jumped.
    CounterAbove,
    /// Counter, balance and log contradict each other.
    Contradiction,
    /// Another card was put on.
    OtherCard,
}

/// Why nothing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The state machine has no such event here.
    #[error("this event has no place in phase {0}")]
    OutOfPlace(Phase),
    /// The load is over.
    #[error("the load is over: {0}")]
    Final(Phase),
    /// The evidence does not decide anything yet.
    #[error("not enough evidence")]
    Undecided,
    /// A top-up of 0 fen, or an activation that costs something.
    #[error("amount does not fit")]
    Amount,
    /// A customer would fall below 0.
    #[error("funds short")]
    FundsShort,
    /// A number is too large.
    #[error("overflow")]
    Overflow,
    /// A name from a table is none of ours.
    #[error("unknown name")]
    UnknownName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolution_is_called_in_tables_as_it_is_written_in_json() {
        for resolution in Resolution::ALL {
            assert_eq!(serde_json::json!(resolution), resolution.name());
        }
    }
}
