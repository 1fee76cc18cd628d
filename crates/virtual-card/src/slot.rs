//! What a reader sees: a card or none, and the faults of contact.

use crate::any::AnyProfile;
use crate::cash::CashProfile;
use crate::fault::{Fault, Moment, Strike, delay_ms, strike};
use crate::profile::CardProfile;
use crate::smart_card::{CardStatus, SmartCard};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Commands that are kept for `record`; older ones go.
const RECORD_LIMIT: usize = 4096;

/// A reader's slot. Clones share it.
#[derive(Clone)]
pub struct Slot {
    inside: Arc<Mutex<Inside>>,
    view: Arc<watch::Sender<SlotView>>,
}

struct Inside {
    card: Option<Box<dyn SmartCard>>,
    present: bool,
    torn: bool,
    faults: Vec<Fault>,
    /// Commands that were waited for, for faults that come in turn.
    waited: u64,
    record: VecDeque<Recorded>,
}

/// What changes when a card goes in or out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotView {
    /// A card is there.
    pub present: bool,
    /// Rises with each card put in; a swap leaves it alone, as a reader's poll would miss it.
    pub insertions: u64,
}

/// A command that reached the slot, and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The whole command.
    pub command: Vec<u8>,
    /// The whole reply as the reader saw it; empty when contact was lost.
    pub reply: Vec<u8>,
}

/// The slot and its card, for people and tests. Amounts in fen, bytes in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotStatus {
    /// A card is there.
    pub present: bool,
    /// The last card left by a tear.
    pub torn: bool,
    /// The card has power.
    pub powered: bool,
    /// Cards put in so far.
    pub insertions: u64,
    /// Commands recorded.
    pub commands: usize,
    /// Faults that wait.
    pub faults: Vec<Fault>,
    /// The card, also while it is out of the reader.
    pub card: Option<CardStatus>,
}

impl Slot {
    /// A slot without a card.
    #[must_use]
    pub fn empty() -> Self {
        Self::made(None)
    }

    /// A slot with this card in it.
    #[must_use]
    pub fn with_card(card: impl Into<Box<dyn SmartCard>>) -> Self {
        Self::made(Some(card.into()))
    }

    fn made(card: Option<Box<dyn SmartCard>>) -> Self {
        let present = card.is_some();
        let inside = Inside {
            card,
            present,
            torn: false,
            faults: Vec::new(),
            waited: 0,
            record: VecDeque::new(),
        };
        let view = SlotView {
            present,
            insertions: u64::from(present),
        };
        Self {
            inside: Arc::new(Mutex::new(inside)),
            view: Arc::new(watch::Sender::new(view)),
        }
    }

    /// Puts the card that was taken out or torn away back in; `false` when there is none or it
    /// is in already.
    pub fn insert(&self) -> bool {
        let mut inside = self.lock();
        if inside.present || inside.card.is_none() {
            return false;
        }
        inside.present = true;
        inside.torn = false;
        self.show(true);
        true
    }

    /// Takes the card out; `false` when there is none in.
    pub fn remove(&self) -> bool {
        let mut inside = self.lock();
        let was_present = inside.lose_contact(false);
        if was_present {
            self.show(false);
        }
        was_present
    }

    /// Takes the card out and puts another in; the reader sees both.
    pub fn replace(&self, card: impl Into<Box<dyn SmartCard>>) {
        let card = card.into();
        self.remove();
        self.lock().card = Some(card);
        self.insert();
    }

    /// Puts another card in the place of the one there, between two polls of the reader: it goes
    /// on talking on the old connection. The new card has power.
    pub fn swap(&self, card: impl Into<Box<dyn SmartCard>>) {
        let mut card = card.into();
        let mut inside = self.lock();
        if inside.present {
            card.power_on();
        }
        inside.card = Some(card);
    }

    /// Arms a fault. They strike in the order in which they were armed.
    pub fn arm(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Disarms all faults and forgets the record.
    pub fn clear(&self) {
        let mut inside = self.lock();
        inside.faults.clear();
        inside.record.clear();
    }

    /// Presence and insertions, as they change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<SlotView> {
        self.view.subscribe()
    }

    /// Commands so far, oldest first.
    #[must_use]
    pub fn record(&self) -> Vec<Recorded> {
        self.lock().record.iter().cloned().collect()
    }

    /// Pays this many fen somewhere else with the card, wherever it is; `false` when it can't.
    /// Its session is over.
    pub fn spend(&self, fen: u32) -> bool {
        self.lock()
            .card
            .as_mut()
            .is_some_and(|card| card.spend(fen))
    }

    /// The card's memory, also while it is out of the reader.
    #[must_use]
    pub fn memory(&self) -> Option<AnyProfile> {
        self.lock().card.as_ref().map(|card| card.memory())
    }

    /// [`Slot::memory`] of a purse.
    #[must_use]
    pub fn profile(&self) -> Option<CardProfile> {
        match self.memory() {
            Some(AnyProfile::Purse(profile)) => Some(profile),
            Some(AnyProfile::ElectronicCash(_) | AnyProfile::Recorded(_)) | None => None,
        }
    }

    /// [`Slot::memory`] of electronic cash.
    #[must_use]
    pub fn cash_profile(&self) -> Option<CashProfile> {
        match self.memory() {
            Some(AnyProfile::ElectronicCash(profile)) => Some(profile),
            Some(AnyProfile::Purse(_) | AnyProfile::Recorded(_)) | None => None,
        }
    }

    /// Answer to reset of the card that is in.
    #[must_use]
    pub fn atr(&self) -> Option<Vec<u8>> {
        self.lock().present_card().map(|card| card.atr().to_vec())
    }

    /// Slot and card in one look.
    #[must_use]
    pub fn status(&self) -> SlotStatus {
        let inside = self.lock();
        SlotStatus {
            present: inside.present,
            torn: inside.torn,
            powered: inside.card.as_ref().is_some_and(|card| card.powered()),
            insertions: self.view.borrow().insertions,
            commands: inside.record.len(),
            faults: inside.faults.clone(),
            card: inside.card.as_ref().map(|card| card.status()),
        }
    }

    /// Gives the card power: a new session.
    pub fn power_on(&self) {
        if let Some(card) = self.lock().present_card() {
            card.power_on();
        }
    }

    /// Takes the card's power away.
    pub fn power_off(&self) {
        if let Some(card) = self.lock().present_card() {
            card.power_off();
        }
    }

    /// Power off and on.
    pub fn reset(&self) {
        if let Some(card) = self.lock().present_card() {
            card.power_on();
        }
    }

    /// Sends a command and blocks for as long as the card is slow. The reply is empty when there
    /// is no card, when it has no power, and when it was torn away meanwhile.
    #[must_use]
    pub fn transmit(&self, command: &[u8]) -> Vec<u8> {
        let before = *self.view.borrow();
        let delay = self.delay();
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        self.exchange(command, before)
    }

    /// [`Slot::transmit`] for an async caller. When it is dropped while the card is slow, the
    /// command never reaches the card.
    pub async fn transmit_async(&self, command: &[u8]) -> Vec<u8> {
        let before = *self.view.borrow();
        let delay = self.delay();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.exchange(command, before)
    }

    /// How long the card takes for its next command; each call stands for one.
    #[must_use]
    pub fn delay(&self) -> Duration {
        let mut inside = self.lock();
        let nth = inside.waited;
        inside.waited = nth.wrapping_add(1);
        let faults = delay_ms(&mut inside.faults, nth);
        let own = inside.present_card().map_or(0, |card| card.delay_ms());
        Duration::from_millis(faults.saturating_add(own))
    }

    /// [`Slot::transmit`] for a caller that has waited for [`Slot::delay`] itself.
    #[must_use]
    pub fn transmit_now(&self, command: &[u8]) -> Vec<u8> {
        let before = *self.view.borrow();
        self.exchange(command, before)
    }

    fn exchange(&self, command: &[u8], before: SlotView) -> Vec<u8> {
        let mut inside = self.lock();
        if *self.view.borrow() != before || !inside.present {
            return Vec::new();
        }
        let instruction = command.get(1).copied().unwrap_or_default();
        let struck = strike(&mut inside.faults, instruction);
        let reply = match inside.present_card() {
            None => return Vec::new(),
            Some(card) => struck_reply(card.as_mut(), command, struck),
        };
        if inside.record.len() == RECORD_LIMIT {
            inside.record.pop_front();
        }
        inside.record.push_back(Recorded {
            command: command.to_vec(),
            reply: reply.clone(),
        });
        if let Strike::Tear(_) = struck {
            inside.lose_contact(true);
            self.show(false);
        }
        reply
    }

    /// Called with `inside` locked, so that view and slot never disagree for long.
    fn show(&self, present: bool) {
        self.view.send_modify(|view| {
            view.present = present;
            view.insertions += u64::from(present);
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn present_card(&mut self) -> Option<&mut Box<dyn SmartCard>> {
        self.card.as_mut().filter(|_| self.present)
    }

    fn lose_contact(&mut self, torn: bool) -> bool {
        if let Some(card) = self.card.as_mut() {
            card.power_off();
        }
        self.torn = torn;
        std::mem::replace(&mut self.present, false)
    }
}

fn struck_reply(card: &mut dyn SmartCard, command: &[u8], struck: Strike) -> Vec<u8> {
    match struck {
        Strike::None => card.transmit(command),
        Strike::Tear(Moment::Before) => Vec::new(),
        Strike::Tear(Moment::During) => {
            card.interrupt(command);
            Vec::new()
        }
        Strike::Tear(Moment::After) => {
            card.transmit(command);
            Vec::new()
        }
        Strike::Garbage => {
            let length = card.transmit(command).len();
            (0..length.max(3))
                .map(|place| 0xA7_u8.wrapping_mul(place as u8 | 1))
                .collect()
        }
        Strike::Truncate => {
            let mut reply = card.transmit(command);
            reply.truncate(reply.len().div_ceil(2).min(reply.len().saturating_sub(1)));
            reply
        }
    }
}
