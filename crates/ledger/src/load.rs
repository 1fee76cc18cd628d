//! One load and its attempts.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Refusal, Shard, State};

/// Attempts of one load before a person decides.
pub const MAX_ATTEMPTS: u32 = 64;

/// The transaction's id, which is also the key of idempotency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LoadId(pub [u8; 16]);

/// The bank's own number of a card; never the number on the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CardId(pub i64);

/// What the machine runs for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Money for the card.
    TopUp,
    /// The same machine without money: the card's enable flag.
    Activation,
}

/// What was asked for; it never changes (I9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Idempotency key.
    pub id: LoadId,
    /// Top-up or activation.
    pub kind: Kind,
    /// The terminal that asked, BCD.
    pub terminal: [u8; 6],
    /// The card.
    pub card: CardId,
    /// The account that pays.
    pub account: AccountId,
    /// Fen; 0 for an activation, above 0 for a top-up.
    pub amount: u32,
}

/// One MAC2 that was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Online counter of the card at its INITIALIZE FOR LOAD.
    pub counter: u16,
    /// Balance there, fen.
    pub balance: u32,
    /// When the MAC2 was made, ms.
    pub issued_ms: u64,
}

/// A load: its order, its state and every MAC2 that was made for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    pub(crate) order: Order,
    pub(crate) state: State,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) changed_ms: u64,
}

impl Load {
    /// A new load in REQUESTED.
    ///
    /// # Errors
    /// [`Refusal::Amount`] for a top-up of 0 fen or an activation that costs something.
    pub fn request(order: Order, now_ms: u64) -> Result<Self, Refusal> {
        let fits = match order.kind {
            Kind::TopUp => order.amount > 0,
            Kind::Activation => order.amount == 0,
        };
        if !fits {
            return Err(Refusal::Amount);
        }
        Ok(Self {
            order,
            state: State::Requested,
            attempts: Vec::new(),
            changed_ms: now_ms,
        })
    }

    /// What was asked for.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// The shard that its money passes through.
    pub fn shard(&self) -> Shard {
        Shard::of_load(self.order.id)
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Every MAC2 that was made, oldest first.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The newest MAC2; only this one can still be alive.
    pub fn last_attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// When the state last changed, ms.
    pub fn changed_ms(&self) -> u64 {
        self.changed_ms
    }
}
