//! Purchase: INITIALIZE and DEBIT.

use super::Card;
use super::Pending as AnyPending;
use crate::command::{Answer, Command, refuse};
use crate::profile::{LogEntry, ProofEntry};
use purse::crypto::{
    PurchaseTerms, purchase_mac1, purchase_mac2, purchase_session_key, purchase_tac, same,
};
use purse::{HostTime, InitForPurchase, Status, Terminal, TransactionType};

/// A purchase between INITIALIZE and DEBIT.
pub(super) struct Pending {
    random: [u8; 4],
    amount: u32,
    terminal: Terminal,
}

impl Card {
    pub(super) fn initialize_for_purchase(&mut self, command: &Command<'_>) -> Answer {
        self.take_pending();
        let [index, amount @ .., t0, t1, t2, t3, t4, t5] = *command.exact::<11>()?;
        let (amount, terminal) = (u32::from_be_bytes(amount), [t0, t1, t2, t3, t4, t5]);
        self.key_known(index)?;
        self.may_transact()?;
        if self.profile.offline_counter == u16::MAX {
            return refuse(Status::CounterExhausted);
        }
        if amount > self.profile.balance {
            return refuse(Status::Insufficient);
        }
        let random = self.fresh_random();
        let init = InitForPurchase {
            balance: self.profile.balance,
            offline_counter: self.profile.offline_counter,
            overdraft_limit: [0; 3],
            key_version: self.profile.key_version,
            algorithm: self.profile.algorithm,
            random,
        };
        let pending = Pending {
            random,
            amount,
            terminal,
        };
        self.session_mut(|session| session.pending = AnyPending::Purchase(pending));
        Ok(init.encode())
    }

    pub(super) fn debit_for_purchase(&mut self, command: &Command<'_>) -> Answer {
        let AnyPending::Purchase(pending) = self.take_pending() else {
            return refuse(Status::ConditionsNotSatisfied);
        };
        let [n0, n1, n2, n3, d0, d1, d2, d3, h, m, s, code @ ..] = *command.exact::<15>()?;
        let before = self.profile.offline_counter;
        let terms = PurchaseTerms {
            amount: pending.amount,
            kind: TransactionType::Purchase,
            terminal: pending.terminal,
            terminal_number: u32::from_be_bytes([n0, n1, n2, n3]),
            at: HostTime {
                date: [d0, d1, d2, d3],
                time: [h, m, s],
            },
        };
        let purchase_key = &self.keys.purchase.0;
        let key = purchase_session_key(purchase_key, pending.random, before, terms.terminal_number);
        if !same(code, purchase_mac1(&key, &terms)) {
            return refuse(Status::MacInvalid);
        }
        let Some(new_balance) = self.profile.balance.checked_sub(terms.amount) else {
            return refuse(Status::Insufficient);
        };
        let tac = purchase_tac(&self.keys.tac.0, &terms);
        let mac = purchase_mac2(&key, terms.amount);
        self.profile.balance = new_balance;
        self.profile.offline_counter = before.saturating_add(1);
        self.profile.purchase_proof = Some(ProofEntry {
            counter_before: before,
            mac,
            tac,
        });
        self.add_to_log(LogEntry {
            counter: self.logged(before),
            amount: terms.amount,
            kind: terms.kind.byte(),
            terminal: terms.terminal,
            date: terms.at.date,
            time: terms.at.time,
        });
        Ok([tac, mac].concat())
    }
}
