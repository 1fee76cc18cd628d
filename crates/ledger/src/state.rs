//! The states of a load and why it is in them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Operators, Proof, Refusal};

/// Where a load stands, with what belongs to that state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "phase")]
pub enum State {
    /// Asked for; nothing checked yet.
    Requested,
    /// Code, password and MAC1 are right and no other load of the card is open.
    Authorised {
        /// Online counter in the INITIALIZE FOR LOAD reply.
        counter: u16,
        /// Balance there, in fen.
        balance: u32,
    },
    /// A MAC2 exists and its debit is in the same commit.
    Issued {
        /// Number of the attempt, from 1.
        attempt: u32,
    },
    /// Nobody knows whether the card was credited.
    InDoubt {
        /// Number of the attempt in doubt.
        attempt: u32,
        /// Why.
        why: Doubt,
    },
    /// A person decides.
    Manual {
        /// Why.
        why: Suspense,
    },
    /// The card was credited. Final.
    Confirmed {
        /// What proves it.
        by: Proof,
    },
    /// The customer has the money back. Final.
    Reversed {
        /// What proves that the card was not credited.
        by: Proof,
    },
    /// Refused before any MAC2. Final.
    Declined {
        /// Why.
        why: Decline,
    },
    /// Given up before any MAC2. Final.
    Voided,
    /// Given up by two operators after a MAC2. Final.
    WrittenOff {
        /// Who.
        by: Operators,
    },
}

impl State {
    /// The state's name alone.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Requested => Phase::Requested,
            Self::Authorised { .. } => Phase::Authorised,
            Self::Issued { .. } => Phase::Issued,
            Self::InDoubt { .. } => Phase::InDoubt,
            Self::Manual { .. } => Phase::Manual,
            Self::Confirmed { .. } => Phase::Confirmed,
            Self::Reversed { .. } => Phase::Reversed,
            Self::Declined { .. } => Phase::Declined,
            Self::Voided => Phase::Voided,
            Self::WrittenOff { .. } => Phase::WrittenOff,
        }
    }
}

impl State {
    /// Why the outcome is open, as it stands in tables and reports; none in every other state.
    pub fn why(&self) -> Option<&'static str> {
        if let Self::Manual { why } = self {
            Some(why.name())
        } else if let Self::InDoubt { why, .. } = self {
            Some(why.name())
        } else {
            None
        }
    }
}

impl Doubt {
    /// The name in reports, e.g. `bad-tac`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::BadTac => "bad-tac",
            Self::CardRefused => "card-refused",
            Self::Torn => "torn",
        }
    }
}

impl Suspense {
    /// The name in reports, e.g. `lost-card`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CounterBelow => "counter-below",
            Self::CounterAbove => "counter-above",
            Self::Contradiction => "contradiction",
            Self::DeadAttempt => "dead-attempt",
            Self::LostCard => "lost-card",
            Self::TooOld => "too-old",
            Self::TooManyAttempts => "too-many-attempts",
        }
    }
}

/// A state's name, as it stands in tables and events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the variants are documented at `State`
pub enum Phase {
    Requested,
    Authorised,
    Issued,
    InDoubt,
    Manual,
    Confirmed,
    Reversed,
    Declined,
    Voided,
    WrittenOff,
}

impl Phase {
    /// All of them, in the order of a load's life.
    pub const ALL: [Self; 10] = [
        Self::Requested,
        Self::Authorised,
        Self::Issued,
        Self::InDoubt,
        Self::Manual,
        Self::Confirmed,
        Self::Reversed,
        Self::Declined,
        Self::Voided,
        Self::WrittenOff,
    ];

    /// The name in tables, e.g. `in-doubt`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Authorised => "authorised",
            Self::Issued => "issued",
            Self::InDoubt => "in-doubt",
            Self::Manual => "manual",
            Self::Confirmed => "confirmed",
            Self::Reversed => "reversed",
            Self::Declined => "declined",
            Self::Voided => "voided",
            Self::WrittenOff => "written-off",
        }
    }

    /// Final states absorb every event (I11).
    pub fn is_final(self) -> bool {
        match self {
            Self::Confirmed | Self::Reversed | Self::Declined | Self::Voided | Self::WrittenOff => {
                true
            }
            Self::Requested | Self::Authorised | Self::Issued | Self::InDoubt | Self::Manual => {
                false
            }
        }
    }

    /// An open load blocks every other load of the same card (I5).
    pub fn is_open(self) -> bool {
        self == Self::Authorised || self.holds_money()
    }

    /// The load's amount is in transit (I8).
    pub fn holds_money(self) -> bool {
        matches!(self, Self::Issued | Self::InDoubt | Self::Manual)
    }

    /// Whether the table of a load has this transition.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Requested => matches!(next, Self::Declined | Self::Authorised),
            Self::Authorised => matches!(next, Self::Declined | Self::Issued | Self::Voided),
            Self::Issued => matches!(next, Self::Confirmed | Self::InDoubt),
            Self::InDoubt => {
                matches!(
                    next,
                    Self::Confirmed | Self::Issued | Self::Reversed | Self::Manual
                )
            }
            Self::Manual => matches!(next, Self::Confirmed | Self::Reversed | Self::WrittenOff),
            Self::Confirmed | Self::Reversed | Self::Declined | Self::Voided | Self::WrittenOff => {
                false
            }
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Phase {
    type Err = Refusal;

    fn from_str(name: &str) -> Result<Self, Refusal> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.name() == name)
            .ok_or(Refusal::UnknownName)
    }
}

/// Why a load was declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decline {
    /// The SMS proof is not good for this load.
    SmsProof,
    /// The bank card password is wrong.
    Password,
    /// The bank card password is locked.
    PasswordLocked,
    /// The account has less than the amount.
    FundsShort,
    /// Below the least amount of a load.
    AmountLow,
    /// Above the highest amount of a load.
    AmountHigh,
    /// The card would hold more than it may.
    BalanceLimit,
    /// The card is unknown, blocked, expired, not active or already active.
    Card,
    /// MAC1, or the MAC of an activation, does not verify.
    Mac1,
    /// The card's counter was seen before in another load.
    CounterSeen,
    /// Another load of the card is open.
    LoadOpen,
    /// Nobody went on with it.
    Abandoned,
}

/// Why nobody knows whether the card was credited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// No word from the terminal in time.
    Silence,
    /// The terminal sent a TAC that does not verify.
    BadTac,
    /// The card answered CREDIT FOR LOAD with an error.
    CardRefused,
    /// The terminal says that it lost the card.
    Torn,
}

/// Why a person must decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suspense {
    /// The card's counter is below the one of the load.
    CounterBelow,
    /// The card's counter is more than one above the one of the load.
    CounterAbove,
    /// Counter, balance and log do not fit together.
    Contradiction,
    /// The card says that an attempt was done which its own counter had ruled out.
    DeadAttempt,
    /// The holder has lost the card.
    LostCard,
    /// In doubt for too long.
    TooOld,
    /// [`crate::MAX_ATTEMPTS`] attempts did not settle it.
    TooManyAttempts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_survives_its_name() {
        for phase in Phase::ALL {
            assert_eq!(phase.name().parse(), Ok(phase));
            assert_eq!(phase.to_string(), phase.name());
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
    }

    #[test]
    fn no_final_phase_leads_anywhere_and_every_other_does() {
        for phase in Phase::ALL {
            let leads = Phase::ALL.into_iter().any(|next| phase.may_become(next));
            assert_eq!(leads, !phase.is_final(), "{phase}");
        }
    }

    #[test]
    fn only_an_open_outcome_has_a_reason_and_its_name_is_the_one_that_is_stored() {
        for why in [
            Doubt::Silence,
            Doubt::BadTac,
            Doubt::CardRefused,
            Doubt::Torn,
        ] {
            let state = State::InDoubt { attempt: 1, why };
            assert_eq!(state.why(), Some(why.name()));
            assert_eq!(serde_json::json!(why), why.name());
        }
        for why in [
            Suspense::CounterBelow,
            Suspense::CounterAbove,
            Suspense::Contradiction,
            Suspense::DeadAttempt,
            Suspense::LostCard,
            Suspense::TooOld,
            Suspense::TooManyAttempts,
        ] {
            assert_eq!(State::Manual { why }.why(), Some(why.name()));
            assert_eq!(serde_json::json!(why), why.name());
        }
        assert_eq!(State::Issued { attempt: 1 }.why(), None);
        assert_eq!(State::Voided.why(), None);
    }
}
