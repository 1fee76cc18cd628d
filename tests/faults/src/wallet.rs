//! The cards of one person: one on the reader, one in the pocket.

use std::sync::{Mutex, PoisonError};

use virtual_card::{Card, CardProfile, Slot};

pub(crate) struct Wallet {
    pub(crate) slot: Slot,
    pocket: Mutex<CardProfile>,
    before: i64,
}

impl Wallet {
    pub(crate) fn new(card: CardProfile, pocket: CardProfile) -> Self {
        let before = i64::from(card.balance) + i64::from(pocket.balance);
        Self {
            slot: Slot::with_card(Card::new(card)),
            pocket: Mutex::new(pocket),
            before,
        }
    }

    /// Puts the card of the pocket on the reader, and the one there into the pocket.
    pub(crate) fn change(&self, seen: bool) {
        let Some(card) = self.slot.profile() else {
            return;
        };
        let mut pocket = self.pocket.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Card::new(std::mem::replace(&mut *pocket, card));
        if seen {
            self.slot.replace(next);
        } else {
            self.slot.swap(next);
        }
    }

    /// What all cards together have got since the beginning, fen.
    pub(crate) fn gained(&self) -> i64 {
        let here = self.slot.profile().map_or(0, |card| card.balance);
        let pocket = self.pocket.lock().unwrap_or_else(PoisonError::into_inner);
        i64::from(here) + i64::from(pocket.balance) - self.before
    }
}
