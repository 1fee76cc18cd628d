//! The cards of one person: one on the reader, one in the pocket.

use std::sync::{Mutex, PoisonError};

use virtual_card::{AnyProfile, Slot};

pub(crate) struct Wallet {
    pub(crate) slot: Slot,
    pocket: Mutex<AnyProfile>,
    before: i64,
}

impl Wallet {
    pub(crate) fn new(card: AnyProfile, pocket: AnyProfile) -> Self {
        let before = balance(&card) + balance(&pocket);
        Self {
            slot: Slot::with_card(card.into_card()),
            pocket: Mutex::new(pocket),
            before,
        }
    }

    /// Puts the card of the pocket on the reader, and the one there into the pocket.
    pub(crate) fn change(&self, seen: bool) {
        let Some(card) = self.slot.memory() else {
            return;
        };
        let mut pocket = self.pocket.lock().unwrap_or_else(PoisonError::into_inner);
        let next = std::mem::replace(&mut *pocket, card).into_card();
        if seen {
            self.slot.replace(next);
        } else {
            self.slot.swap(next);
        }
    }

    /// What all cards together have got since the beginning, fen.
    pub(crate) fn gained(&self) -> i64 {
        let here = self.slot.memory().map_or(0, |card| balance(&card));
        let pocket = self.pocket.lock().unwrap_or_else(PoisonError::into_inner);
        here + balance(&pocket) - self.before
    }
}

/// Fen.
fn balance(card: &AnyProfile) -> i64 {
    match card {
        AnyProfile::Purse(purse) => purse.balance.into(),
        AnyProfile::ElectronicCash(cash) => cash.balance.into(),
        AnyProfile::Recorded(_) => 0,
    }
}
