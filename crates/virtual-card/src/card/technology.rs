//! The purse as a slot sees it.

use super::Card;
use crate::any::AnyProfile;
use crate::profile::LogEntry;
use crate::smart_card::{CardStatus, PurseStatus, SmartCard, Technology};
use purse::TransactionType;

/// A purchase by [`SmartCard::spend`]: at which terminal and when, BCD.
const SPENT_WHERE: [u8; 6] = [0x31, 0, 0, 0, 0x10, 0x24];
const SPENT_AT: ([u8; 4], [u8; 3]) = ([0x20, 0x26, 0x11, 0x23], [0x12, 0x00, 0x00]);

impl SmartCard for Card {
    fn atr(&self) -> &[u8] {
        Self::atr(self)
    }

    fn powered(&self) -> bool {
        Self::powered(self)
    }

    fn power_on(&mut self) {
        Self::power_on(self);
    }

    fn power_off(&mut self) {
        Self::power_off(self);
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        Self::transmit(self, command)
    }

    fn interrupt(&mut self, command: &[u8]) {
        Self::interrupt(self, command);
    }

    fn delay_ms(&self) -> u64 {
        self.profile.quirks.delay_ms
    }

    fn spend(&mut self, fen: u32) -> bool {
        let profile = &self.profile;
        let usable = !profile.blocked && !profile.locked && !profile.card_blocked;
        let (Some(balance), true) = (profile.balance.checked_sub(fen), usable) else {
            return false;
        };
        let before = profile.clone();
        let counter = self.logged(self.profile.offline_counter);
        let (date, time) = SPENT_AT;
        self.profile.balance = balance;
        self.profile.offline_counter = self.profile.offline_counter.saturating_add(1);
        self.add_to_log(LogEntry {
            counter,
            amount: fen,
            kind: TransactionType::Purchase.byte(),
            terminal: SPENT_WHERE,
            date,
            time,
        });
        self.session_mut(|session| *session = super::Session::default());
        self.save_or_go_back(before)
    }

    fn status(&self) -> CardStatus {
        let profile = &self.profile;
        CardStatus {
            technology: Technology::Purse,
            serial: hex::encode_upper(profile.serial),
            balance: profile.balance,
            blocked: profile.blocked,
            purse: Some(PurseStatus {
                enable_flag: profile.enable_flag,
                start: hex::encode(profile.start),
                expiry: hex::encode(profile.expiry),
                online_counter: profile.online_counter,
                offline_counter: profile.offline_counter,
                locked: profile.locked,
                card_blocked: profile.card_blocked,
                pin_tries_left: profile.pin.as_ref().map(|pin| pin.tries_left),
                log: profile.log.clone(),
            }),
            cash: None,
        }
    }

    fn memory(&self) -> AnyProfile {
        AnyProfile::Purse(self.profile.clone())
    }
}
