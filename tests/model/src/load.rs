//! A load of the real ledger, hashed by everything that tells two of them apart.

use std::hash::{Hash, Hasher};

use ledger::{
    Account, AccountId, Attempt, CardId, Effect, Event, Kind, Load, LoadId, Order, Phase, Proof,
    State,
};

use crate::symbols::{AMOUNT, At, Id, Tac};

/// The ledger's load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Book(pub(crate) Load);

impl Book {
    pub(crate) fn request(id: Id, card: u8) -> Option<Self> {
        let order = Order {
            id: LoadId([id; 16]),
            kind: Kind::TopUp,
            terminal: [0; 6],
            card: CardId(i64::from(card)),
            account: AccountId(0),
            amount: u32::from(AMOUNT),
        };
        Load::request(order, 0).ok().map(Self)
    }

    pub(crate) fn phase(&self) -> Phase {
        self.0.state().phase()
    }

    pub(crate) fn is_of(&self, card: u8) -> bool {
        self.0.order().card == CardId(i64::from(card))
    }

    /// What the ledger does with the event; nothing where it has no such event now.
    pub(crate) fn step(&mut self, event: Event) -> Vec<Effect> {
        let Ok((load, effects)) = self.0.clone().step(event, 0) else {
            return Vec::new();
        };
        self.0 = load;
        effects
    }

    /// The TAC of an attempt, as the bank computes it.
    pub(crate) fn expected(&self, id: Id, card: u8, attempt: &Attempt) -> Option<Tac> {
        Some(Tac {
            card,
            counter: u8::try_from(attempt.counter).ok()?,
            new_balance: u8::try_from(attempt.balance).ok()? + AMOUNT,
            at: At {
                load: id,
                attempt: u8::try_from(attempt.number).ok()?,
            },
        })
    }
}

impl Hash for Book {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let order = self.0.order();
        (order.card, self.phase()).hash(to);
        match self.0.state() {
            State::Requested | State::Voided | State::WrittenOff { .. } => {}
            State::Authorised { counter, balance } => (counter, balance).hash(to),
            State::Issued { attempt } => attempt.hash(to),
            State::InDoubt { attempt, why } => (attempt, *why as u8).hash(to),
            State::Manual { why } => (*why as u8).hash(to),
            State::Declined { why } => (*why as u8).hash(to),
            State::Confirmed { by } | State::Reversed { by } => match by {
                Proof::Tac { attempt } => (0, *attempt).hash(to),
                Proof::Counter { counter } => (1, *counter).hash(to),
                Proof::EnableFlag | Proof::NoMoney | Proof::Operators(_) => by.name().hash(to),
            },
        }
        for attempt in self.0.attempts() {
            (attempt.number, attempt.counter, attempt.balance).hash(to);
        }
    }
}

/// Fen in each account, in loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Accounts {
    pub(crate) customer: i8,
    pub(crate) in_transit: i8,
    pub(crate) float: i8,
    pub(crate) written_off: i8,
}

impl Accounts {
    pub(crate) fn post(&mut self, effects: &[Effect]) {
        for effect in effects {
            let Effect::Transfer(transfer) = effect else {
                continue;
            };
            *self.of(transfer.from) -= 1;
            *self.of(transfer.to) += 1;
        }
    }

    fn of(&mut self, account: Account) -> &mut i8 {
        match account {
            Account::Customer(_) | Account::Queue(_) | Account::Funding(_) => &mut self.customer,
            Account::InTransit(_) => &mut self.in_transit,
            Account::CardFloat(_) => &mut self.float,
            Account::WrittenOff(_) => &mut self.written_off,
        }
    }
}
