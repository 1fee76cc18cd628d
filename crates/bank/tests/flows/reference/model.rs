//! The model: what the bank's books must say after each step.

use bank::Acted;
use ledger::Resolution;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

pub(super) const FUNDS: u32 = 60_000;
const MOST_ON_CARD: u32 = 100_000;

/// Where a contact with the card ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cut {
    Not,
    /// Before CREDIT FOR LOAD reaches the card.
    Before,
    /// After it; nobody tells the bank.
    After,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    Issued,
    InDoubt,
    Manual,
    Confirmed,
    Reversed,
    WrittenOff,
}

#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) card: usize,
    pub(super) amount: u32,
    pub(super) phase: Phase,
    pub(super) credited: bool,
    /// By the MAC2 of the first attempt.
    pub(super) at_first: bool,
    /// The newest proposal of each operator.
    pub(super) proposals: [Option<Resolution>; 3],
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Purse {
    pub(super) balance: u32,
    pub(super) remembers: bool,
}

/// The model.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub(super) account: u32,
    pub(super) given_up: u32,
    pub(super) loads: Vec<Load>,
    pub(super) purses: [Purse; 2],
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    TopUp {
        card: usize,
        terminal: usize,
        amount: u32,
        cut: Cut,
    },
    /// The first message of a load, once more.
    Repeat {
        load: usize,
    },
    /// What the card said to the first CREDIT FOR LOAD, told late.
    LateTac {
        load: usize,
    },
    Resume {
        card: usize,
        terminal: usize,
        refund: bool,
        cut: Cut,
    },
    Purchase {
        card: usize,
        amount: u32,
    },
    /// The card's proof is gone: another terminal's INITIALIZE.
    Forget {
        card: usize,
    },
    LostCard {
        load: usize,
        operator: usize,
    },
    Propose {
        load: usize,
        operator: usize,
        resolution: Resolution,
    },
    /// The bank stops and starts again, hours later.
    Restart,
    /// The same, months later.
    GrowOld,
}

impl Books {
    pub(super) fn open_on(&self, card: usize) -> Option<usize> {
        let open = |load: &Load| {
            load.card == card
                && matches!(load.phase, Phase::Issued | Phase::InDoubt | Phase::Manual)
        };
        self.loads.iter().position(open)
    }

    fn settle(&mut self, load: usize, phase: Phase) {
        let it = &mut self.loads[load];
        it.phase = phase;
        match phase {
            Phase::Reversed => self.account += it.amount,
            Phase::WrittenOff => self.given_up += it.amount,
            Phase::Issued | Phase::InDoubt | Phase::Manual | Phase::Confirmed => {}
        }
    }

    fn credit(&mut self, load: usize, cut: Cut) {
        let Load { card, amount, .. } = self.loads[load];
        if cut != Cut::Before {
            self.loads[load].credited = true;
            self.purses[card].balance += amount;
            self.purses[card].remembers = true;
        }
        self.loads[load].phase = if cut == Cut::Not {
            Phase::Confirmed
        } else {
            Phase::Issued
        };
    }

    /// What the outcome of a step's first answer must be.
    pub(super) fn top_up_answer(&self, card: usize, amount: u32) -> &'static str {
        if self.open_on(card).is_some() {
            "load-open"
        } else if self.purses[card].balance + amount > MOST_ON_CARD {
            "balance-limit"
        } else if amount > self.account {
            "funds-short"
        } else {
            "credit"
        }
    }

    fn propose(
        &self,
        load: usize,
        operator: usize,
        resolution: Resolution,
    ) -> Result<Acted, &'static str> {
        let it = &self.loads[load];
        if it.phase != Phase::Manual {
            return Err("load-not-manual");
        }
        if it.proposals[operator] == Some(resolution) {
            return Err("operator-again");
        }
        let others = (0..3).filter(|other| *other != operator);
        let others: Vec<Resolution> = others.filter_map(|other| it.proposals[other]).collect();
        Ok(if others.contains(&resolution) {
            Acted::Decided
        } else if others.is_empty() {
            Acted::Proposed
        } else {
            Acted::Disagreed
        })
    }
}

impl ReferenceStateMachine for Books {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let purse = |balance| Purse {
            balance,
            remembers: false,
        };
        Just(Self {
            account: FUNDS,
            given_up: 0,
            loads: Vec::new(),
            purses: [purse(12_850), purse(0)],
        })
        .boxed()
    }

    fn transitions(books: &Self) -> BoxedStrategy<Step> {
        let cut = prop_oneof![Just(Cut::Not), Just(Cut::Before), Just(Cut::After)];
        let resolution = prop_oneof![
            Just(Resolution::Loaded),
            Just(Resolution::Refund),
            Just(Resolution::WriteOff)
        ];
        let top_up = (0..2_usize, 0..2_usize, 100..50_000_u32, cut.clone()).prop_map(
            |(card, terminal, amount, cut)| Step::TopUp {
                card,
                terminal,
                amount,
                cut,
            },
        );
        let resume = (0..2_usize, 0..2_usize, any::<bool>(), cut).prop_map(
            |(card, terminal, refund, cut)| Step::Resume {
                card,
                terminal,
                refund,
                cut,
            },
        );
        let spend =
            (0..2_usize, 1..2_000_u32).prop_map(|(card, amount)| Step::Purchase { card, amount });
        let always = prop_oneof![
            5 => top_up,
            5 => resume,
            2 => spend,
            1 => (0..2_usize).prop_map(|card| Step::Forget { card }),
            1 => Just(Step::Restart),
            1 => Just(Step::GrowOld),
        ];
        if books.loads.is_empty() {
            return always.boxed();
        }
        let load = 0..books.loads.len();
        let people =
            (load.clone(), 0..3_usize, resolution).prop_map(|(load, operator, resolution)| {
                Step::Propose {
                    load,
                    operator,
                    resolution,
                }
            });
        let lost = (load.clone(), 0..3_usize)
            .prop_map(|(load, operator)| Step::LostCard { load, operator });
        prop_oneof![
            12 => always,
            2 => load.clone().prop_map(|load| Step::Repeat { load }),
            2 => load.prop_map(|load| Step::LateTac { load }),
            3 => lost,
            6 => people,
        ]
        .boxed()
    }

    /// Operators say what is true, or that neither can be shown: of a lie the books can't know.
    fn preconditions(books: &Self, step: &Step) -> bool {
        match step {
            Step::Propose {
                load, resolution, ..
            } => match (books.loads.get(*load), resolution) {
                (Some(load), Resolution::Loaded) => load.credited,
                (Some(load), Resolution::Refund) => !load.credited,
                (Some(_), Resolution::WriteOff) => true,
                (None, _) => false,
            },
            Step::Repeat { load } | Step::LateTac { load } | Step::LostCard { load, .. } => {
                *load < books.loads.len()
            }
            Step::Purchase { card, amount } => books.purses[*card].balance >= *amount,
            Step::TopUp { .. }
            | Step::Resume { .. }
            | Step::Forget { .. }
            | Step::Restart
            | Step::GrowOld => true,
        }
    }

    fn apply(mut books: Self, step: &Step) -> Self {
        match *step {
            Step::TopUp {
                card, amount, cut, ..
            } => {
                if books.top_up_answer(card, amount) == "credit" {
                    books.account -= amount;
                    books.loads.push(Load {
                        card,
                        amount,
                        phase: Phase::Issued,
                        credited: false,
                        at_first: cut != Cut::Before,
                        proposals: [None; 3],
                    });
                    let load = books.loads.len() - 1;
                    books.credit(load, cut);
                }
            }
            Step::Resume {
                card, refund, cut, ..
            } => {
                let Some(load) = books.open_on(card) else {
                    return books;
                };
                match (books.loads[load].phase, books.loads[load].credited) {
                    (Phase::Manual, _) => {}
                    (_, true) => books.settle(load, Phase::Confirmed),
                    (_, false) if refund => books.settle(load, Phase::Reversed),
                    (_, false) => books.credit(load, cut),
                }
            }
            Step::LateTac { load } => {
                let late = &books.loads[load];
                if late.at_first && matches!(late.phase, Phase::Issued | Phase::InDoubt) {
                    books.settle(load, Phase::Confirmed);
                }
            }
            Step::Purchase { card, amount } => books.purses[card].balance -= amount,
            Step::Forget { card } => books.purses[card].remembers = false,
            Step::LostCard { load, .. } => {
                if matches!(books.loads[load].phase, Phase::Issued | Phase::InDoubt) {
                    books.loads[load].phase = Phase::Manual;
                }
            }
            Step::Propose {
                load,
                operator,
                resolution,
            } => match books.propose(load, operator, resolution) {
                Ok(Acted::Decided) => books.settle(
                    load,
                    match resolution {
                        Resolution::Loaded => Phase::Confirmed,
                        Resolution::Refund => Phase::Reversed,
                        Resolution::WriteOff => Phase::WrittenOff,
                    },
                ),
                Ok(_) => books.loads[load].proposals[operator] = Some(resolution),
                Err(_) => {}
            },
            Step::Repeat { .. } => {}
            Step::Restart => {
                for load in &mut books.loads {
                    if load.phase == Phase::Issued {
                        load.phase = Phase::InDoubt;
                    }
                }
            }
            // The age of a doubt counts from its beginning.
            Step::GrowOld => {
                for load in &mut books.loads {
                    load.phase = match load.phase {
                        Phase::Issued => Phase::InDoubt,
                        Phase::InDoubt => Phase::Manual,
                        settled @ (Phase::Manual
                        | Phase::Confirmed
                        | Phase::Reversed
                        | Phase::WrittenOff) => settled,
                    };
                }
            }
        }
        books
    }
}
