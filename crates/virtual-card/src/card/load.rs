//! Load: INITIALIZE, CREDIT, and the proof of what was done.

use super::Card;
use super::Pending as AnyPending;
use crate::command::{Answer, Command, refuse};
use crate::profile::{LogEntry, ProofEntry};
use crate::quirks::{Overflow, ProofCounter, Shift};
use purse::crypto::{LoadTerms, load_session_key, mac1, mac2, same, tac};
use purse::{HostTime, InitForLoad, Proof, SessionKey, Status, TransactionType};

/// A load between INITIALIZE and CREDIT.
pub(super) struct Pending {
    key: SessionKey,
    terms: LoadTerms,
}

impl Card {
    pub(super) fn initialize_for_load(&mut self, command: &Command<'_>) -> Answer {
        self.take_pending();
        let [index, amount @ .., t0, t1, t2, t3, t4, t5] = *command.exact::<11>()?;
        let terms = LoadTerms::purse(u32::from_be_bytes(amount), [t0, t1, t2, t3, t4, t5]);
        self.key_known(index)?;
        self.may_transact()?;
        if self.pin_missing() {
            return refuse(Status::SecurityNotSatisfied);
        }
        if self.profile.online_counter == u16::MAX {
            return refuse(Status::CounterExhausted);
        }
        if self.profile.quirks.overflow == Overflow::Initialize {
            self.balance_after(terms.amount)?;
        }
        if self.profile.quirks.drops_proof_at_initialize {
            self.profile.load_proof = None;
        }
        let random = self.fresh_random();
        let key = load_session_key(&self.keys.load.0, random, self.profile.online_counter);
        let init = InitForLoad {
            old_balance: self.profile.balance,
            online_counter: self.profile.online_counter,
            key_version: self.profile.key_version,
            algorithm: self.profile.algorithm,
            random,
            mac1: mac1(&key, self.profile.balance, &terms),
        };
        self.session_mut(|session| session.pending = AnyPending::Load(Pending { key, terms }));
        Ok(init.encode())
    }

    pub(super) fn credit_for_load(&mut self, command: &Command<'_>) -> Answer {
        let AnyPending::Load(Pending { key, terms }) = self.take_pending() else {
            return refuse(Status::ConditionsNotSatisfied);
        };
        let [d0, d1, d2, d3, h, m, s, code @ ..] = *command.exact::<11>()?;
        let at = HostTime {
            date: [d0, d1, d2, d3],
            time: [h, m, s],
        };
        if !same(code, mac2(&key, &terms, at)) {
            return refuse(Status::MacInvalid);
        }
        let new_balance = self.balance_after(terms.amount)?;
        let before = self.profile.online_counter;
        let tac = tac(&self.keys.tac.0, new_balance, before, &terms, at);
        self.profile.balance = new_balance;
        self.profile.online_counter = before.saturating_add(1);
        self.profile.load_proof = Some(ProofEntry {
            counter_before: before,
            mac: code,
            tac,
        });
        self.add_to_log(LogEntry {
            counter: self.logged(before),
            amount: terms.amount,
            kind: terms.kind.byte(),
            terminal: terms.terminal,
            date: at.date,
            time: at.time,
        });
        Ok(tac.to_vec())
    }

    pub(super) fn prove(&self, command: &Command<'_>) -> Answer {
        let counter = u16::from_be_bytes(*command.exact::<2>()?);
        let [_, _, p1, kind] = command.head;
        if p1 != 0x00 {
            return refuse(Status::ParametersWrong);
        }
        if self.profile.quirks.prove_needs_pin && self.pin_missing() {
            return refuse(Status::SecurityNotSatisfied);
        }
        let kept = match TransactionType::from_byte(kind) {
            TransactionType::Load => &self.profile.load_proof,
            TransactionType::Purchase => &self.profile.purchase_proof,
            TransactionType::DepositLoad
            | TransactionType::DepositPurchase
            | TransactionType::CompoundPurchase
            | TransactionType::Other(_) => &None,
        };
        match kept {
            Some(proof) if self.counter_fits(proof.counter_before, counter) => Ok(Proof {
                mac: proof.mac,
                tac: proof.tac,
            }
            .encode()),
            Some(_) | None => refuse(Status::from_word(self.profile.quirks.no_proof_status)),
        }
    }

    fn counter_fits(&self, before: u16, asked: u16) -> bool {
        let after = before.checked_add(1) == Some(asked);
        match self.profile.quirks.prove_counter {
            ProofCounter::After => after,
            ProofCounter::Before => before == asked,
            ProofCounter::Both => after || before == asked,
        }
    }

    fn balance_after(&self, amount: u32) -> Result<u32, Status> {
        self.profile
            .balance
            .checked_add(amount)
            .filter(|&balance| balance <= self.profile.max_balance)
            .ok_or(Status::ConditionsNotSatisfied)
    }

    pub(super) fn may_transact(&self) -> Result<(), Status> {
        if self.profile.quirks.enforce_enable && self.profile.enable_flag != 0x01 {
            return Err(Status::ConditionsNotSatisfied);
        }
        Ok(())
    }

    pub(super) fn logged(&self, before: u16) -> u16 {
        match self.profile.quirks.log_counter {
            Shift::Before => before,
            Shift::After => before.saturating_add(1),
        }
    }

    pub(super) fn add_to_log(&mut self, entry: LogEntry) {
        self.profile.log.insert(0, entry);
        self.profile.log.truncate(self.profile.log_capacity);
    }
}
