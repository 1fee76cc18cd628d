//! A purse card: all or nothing in each command, its session gone with its power.

use ledger::Since;

use crate::symbols::{AMOUNT, At, Id, Init, Mac2, Tac};

/// Which counter GET TRANSACTION PROVE wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ProofCounter {
    After,
    Before,
    Both,
}

/// In what cards differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Habits {
    pub(crate) proof: ProofCounter,
    /// Forgets the proof of the last load at the next INITIALIZE FOR LOAD.
    pub(crate) drops_proof: bool,
    /// Its log can be read.
    pub(crate) log: bool,
}

impl Habits {
    /// Every combination.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for proof in [
            ProofCounter::After,
            ProofCounter::Before,
            ProofCounter::Both,
        ] {
            for drops_proof in [false, true] {
                for log in [true, false] {
                    all.push(Self {
                        proof,
                        drops_proof,
                        log,
                    });
                }
            }
        }
        all
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Card {
    pub(crate) number: u8,
    pub(crate) habits: Habits,
    pub(crate) counter: u8,
    pub(crate) balance: u8,
    /// Spent in all.
    pub(crate) spent: u8,
    /// The device whose reader holds it.
    pub(crate) holder: Option<u8>,
    /// The random number of an INITIALIZE that waits for its CREDIT.
    pub(crate) session: Option<u8>,
    inits: u8,
    proof: Option<Tac>,
    /// The newest load in the log, and what was spent since.
    logged: Option<(At, u8)>,
    /// What it was credited with, oldest first. No part of the card: kept to compare with what people say.
    pub(crate) credited: Vec<At>,
}

impl Card {
    pub(crate) fn new(number: u8, habits: Habits, balance: u8) -> Self {
        Self {
            number,
            habits,
            counter: 0,
            balance,
            spent: 0,
            holder: None,
            session: None,
            inits: 0,
            proof: None,
            logged: None,
            credited: Vec::new(),
        }
    }

    pub(crate) fn power_on(&mut self, holder: u8) {
        self.session = None;
        self.holder = Some(holder);
    }

    pub(crate) fn power_off(&mut self) {
        self.session = None;
        self.holder = None;
    }

    pub(crate) fn initialize(&mut self) -> Init {
        self.inits += 1;
        self.session = Some(self.inits);
        if self.habits.drops_proof {
            self.proof = None;
        }
        Init {
            card: self.number,
            nonce: self.inits,
            counter: self.counter,
            balance: self.balance,
        }
    }

    pub(crate) fn credit(&mut self, mac2: Mac2) -> Option<Tac> {
        let session = self.session.take();
        if mac2.card != self.number || session != Some(mac2.nonce) {
            return None;
        }
        let tac = Tac {
            card: self.number,
            counter: self.counter,
            new_balance: self.balance + AMOUNT,
            at: mac2.at,
        };
        self.balance += AMOUNT;
        self.counter += 1;
        self.proof = Some(tac);
        self.logged = Some((mac2.at, 0));
        self.credited.push(mac2.at);
        Some(tac)
    }

    pub(crate) fn prove(&self, counter: u8) -> Option<Tac> {
        self.proof.filter(|proof| {
            let after = proof.counter + 1 == counter;
            let before = proof.counter == counter;
            match self.habits.proof {
                ProofCounter::After => after,
                ProofCounter::Before => before,
                ProofCounter::Both => after || before,
            }
        })
    }

    /// What the log says of the time since that load.
    pub(crate) fn since(&self, load: Id) -> Since {
        match self.logged.filter(|_| self.habits.log) {
            None => Since::Unknown,
            Some((logged, spent)) if logged.load == load => Since::Spent(spent.into()),
            Some(_) => Since::OtherLoad,
        }
    }

    pub(crate) fn purchase(&mut self) {
        self.balance -= AMOUNT;
        self.spent += AMOUNT;
        if let Some((_, spent)) = &mut self.logged {
            *spent += AMOUNT;
        }
    }
}
