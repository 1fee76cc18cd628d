//! A bank's tables and two honest cards, small enough to run thousands of histories.

use std::collections::BTreeMap;

use ledger::{Shard, invariant::*, *};

const CUSTOMER: AccountId = AccountId(1);
const DEPOSIT: u32 = 20_000;
const MAC: [u8; 4] = [1, 2, 3, 4];

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Request {
        card: usize,
        amount: u32,
    },
    Authorise(usize),
    Issue(usize),
    CreditCard(usize),
    DeliverTac(usize),
    Resume {
        load: usize,
        again: bool,
    },
    ResumeOtherCard(usize),
    Doubt {
        load: usize,
        why: usize,
    },
    Spend {
        card: usize,
        amount: u32,
    },
    PowerOff(usize),
    Stop {
        load: usize,
        what: usize,
    },
    Suspend(usize),
    Resolve {
        load: usize,
        how: usize,
    },
    StrangeInit {
        load: usize,
        counter: u16,
        balance: u32,
        spent: Option<u32>,
    },
}

#[derive(Default)]
struct Card {
    balance: u32,
    counter: u16,
    session: u64,
    /// Spent since the last load, as its log shows.
    spent: u32,
    spent_ever: u64,
}

pub(crate) struct World {
    now: u64,
    cards: [Card; 2],
    loads: Vec<Load>,
    /// The field session of a load's newest INITIALIZE FOR LOAD.
    inits: BTreeMap<LoadId, u64>,
    /// The field session in which the newest MAC2 of a load lives.
    sessions: BTreeMap<LoadId, u64>,
    /// The attempt that a card has done, as its TAC proves.
    tacs: BTreeMap<LoadId, Attempt>,
    books: Books,
    rows: Snapshot,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self {
            now: 0,
            cards: [
                Card::default(),
                Card {
                    balance: 700,
                    counter: 41,
                    ..Card::default()
                },
            ],
            loads: Vec::new(),
            inits: BTreeMap::new(),
            sessions: BTreeMap::new(),
            tacs: BTreeMap::new(),
            books: Books::default(),
            rows: Snapshot::default(),
        };
        let deposit = Transfer {
            from: Account::Funding(Shard::of_account(CUSTOMER)),
            to: Account::Customer(CUSTOMER),
            amount: DEPOSIT,
        };
        world.post(&deposit, None);
        world
    }

    pub(crate) fn loads(&self) -> Vec<Load> {
        self.loads.clone()
    }

    /// I14: customer, in transit, cards and what was spent.
    pub(crate) fn total(&self) -> i64 {
        let cards = self
            .cards
            .iter()
            .map(|card| i64::from(card.balance) + card.spent_ever as i64);
        self.books.balance(Account::Customer(CUSTOMER)) + self.in_transit() + cards.sum::<i64>()
    }

    fn in_transit(&self) -> i64 {
        Shard::all()
            .map(|shard| self.books.balance(Account::InTransit(shard)))
            .sum()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let balances = self.books.accounts();
        Snapshot {
            balances: balances
                .map(|(account, balance)| BalanceRow { account, balance })
                .collect(),
            loads: self.loads.iter().map(load_row).collect(),
            ..self.rows.clone()
        }
    }

    pub(crate) fn run(&mut self, op: &Op) {
        self.now += 1;
        match *op {
            Op::Request { card, amount } => self.request(card, amount),
            Op::Authorise(load) => self.on(load, Self::authorise),
            Op::Issue(load) => self.on(load, |world, index| {
                let available = world.books.balance(Account::Customer(CUSTOMER));
                world.step(index, Event::Issue { available });
            }),
            Op::CreditCard(load) => self.on(load, Self::credit),
            Op::DeliverTac(load) => self.on(load, Self::deliver),
            Op::Resume { load, again } => {
                let verdict = if again {
                    Verdict::LoadAgain
                } else {
                    Verdict::Refund
                };
                self.on(load, |world, index| world.resume(index, verdict));
            }
            Op::ResumeOtherCard(load) => self.on(load, |world, index| {
                let evidence = Evidence {
                    same_card: false,
                    tac: None,
                    init: None,
                };
                world.step(
                    index,
                    Event::Resume {
                        evidence,
                        not_loaded: Verdict::Refund,
                    },
                );
            }),
            Op::Doubt { load, why } => self.on(load, |world, index| {
                let whys = [
                    Doubt::Silence,
                    Doubt::BadTac,
                    Doubt::CardRefused,
                    Doubt::Torn,
                ];
                world.step(index, Event::Doubt(whys[why]));
            }),
            Op::Spend { card, amount } => self.spend(card, amount),
            Op::PowerOff(card) => self.cards[card].session += 1,
            Op::Stop { load, what } => self.on(load, |world, index| {
                let event = [
                    Event::TimeOut,
                    Event::Cancel,
                    Event::Repeat,
                    Event::Decline(Decline::AmountHigh),
                    Event::FlagRead { active: true },
                ];
                world.step(index, event[what].clone());
            }),
            Op::Suspend(load) => {
                self.on(load, |world, index| {
                    world.step(index, Event::Suspend(Suspense::LostCard))
                });
            }
            Op::Resolve { load, how } => self.on(load, |world, index| {
                let how = [Resolution::Loaded, Resolution::Refund, Resolution::WriteOff][how];
                let operators = Operators::new("chen", "wang", "seen").unwrap();
                world.step(
                    index,
                    Event::Resolve {
                        resolution: how,
                        operators,
                    },
                );
            }),
            Op::StrangeInit {
                load,
                counter,
                balance,
                spent,
            } => self.on(load, |world, index| {
                // A card that is not honest may say anything but the pending load's own n and n + 1.
                let known = world.loads[index].last_attempt().map(|last| last.counter);
                let own = known.is_some_and(|n| counter == n || counter == n.wrapping_add(1));
                if !own {
                    let mac1 = Mac1::verify(counter, balance, &MAC, &MAC).unwrap();
                    let since = spent.map_or(Since::Unknown, Since::Spent);
                    let init = Some(FreshInit { mac1, since });
                    let evidence = Evidence {
                        same_card: true,
                        tac: None,
                        init,
                    };
                    world.step(
                        index,
                        Event::Resume {
                            evidence,
                            not_loaded: Verdict::Refund,
                        },
                    );
                }
            }),
        }
    }

    /// The network is back and every card is put on the reader again.
    pub(crate) fn heal(&mut self) {
        for index in 0..self.loads.len() {
            self.step(index, Event::Doubt(Doubt::Silence));
            self.resume(index, Verdict::LoadAgain);
            self.credit(index);
            self.deliver(index);
        }
    }

    fn on(&mut self, load: usize, act: impl FnOnce(&mut Self, usize)) {
        if let Some(index) = load.checked_rem(self.loads.len()) {
            act(self, index);
        }
    }

    fn request(&mut self, card: usize, amount: u32) {
        let mut id = LoadId([0; 16]);
        id.0[0] = self.loads.len() as u8;
        let order = Order {
            id,
            kind: Kind::TopUp,
            terminal: [0; 6],
            card: CardId(card as i64),
            account: CUSTOMER,
            amount,
        };
        self.loads.push(Load::request(order, self.now).unwrap());
    }

    fn init(&mut self, index: usize) -> FreshInit {
        let card = &mut self.cards[self.loads[index].order().card.0 as usize];
        card.session += 1;
        self.inits
            .insert(self.loads[index].order().id, card.session);
        let mac1 = Mac1::verify(card.counter, card.balance, &MAC, &MAC).unwrap();
        FreshInit {
            mac1,
            since: Since::Spent(card.spent),
        }
    }

    fn authorise(&mut self, index: usize) {
        if self.loads[index].state().phase() != Phase::Requested {
            return self.step(
                index,
                Event::Authorise(Mac1::verify(0, 0, &MAC, &MAC).unwrap()),
            );
        }
        let card = self.loads[index].order().card;
        let busy = self
            .loads
            .iter()
            .any(|load| load.order().card == card && load.state().phase().is_open());
        if busy {
            return self.step(index, Event::Decline(Decline::LoadOpen));
        }
        let init = self.init(index);
        // People can confirm what the card has not done: its counter is used up all the same (I6).
        let counter = init.mac1.counter();
        let used = |load: &Load| {
            let newest = load.last_attempt().map(|attempt| attempt.counter);
            load.order().card == card
                && load.state().phase() == Phase::Confirmed
                && newest.is_some_and(|confirmed| confirmed >= counter)
        };
        if self.loads.iter().any(used) {
            return self.step(index, Event::Decline(Decline::CounterSeen));
        }
        self.step(index, Event::Authorise(init.mac1));
    }

    fn credit(&mut self, index: usize) {
        let load = &self.loads[index];
        let order = *load.order();
        let card = &mut self.cards[order.card.0 as usize];
        let Some(attempt) = load.last_attempt().copied() else {
            return;
        };
        if self.sessions.get(&order.id) != Some(&card.session) {
            return;
        }
        let counter = card.counter;
        card.balance += order.amount;
        card.counter += 1;
        // The session key is gone: a second CREDIT FOR LOAD needs an INITIALIZE FOR LOAD.
        card.session += 1;
        card.spent = 0;
        self.tacs.insert(order.id, attempt);
        self.rows.credits.push(CreditRow {
            load: order.id,
            card: order.card,
            counter,
        });
    }

    fn deliver(&mut self, index: usize) {
        if let Some(attempt) = self.tacs.get(&self.loads[index].order().id) {
            let tac = Tac::verify(attempt, &MAC, &MAC).unwrap();
            self.step(index, Event::Tac(tac));
        }
    }

    fn resume(&mut self, index: usize, not_loaded: Verdict) {
        if self.loads[index].state().phase() == Phase::InDoubt {
            let init = Some(self.init(index));
            let evidence = Evidence {
                same_card: true,
                tac: None,
                init,
            };
            self.step(
                index,
                Event::Resume {
                    evidence,
                    not_loaded,
                },
            );
        }
    }

    fn spend(&mut self, card: usize, amount: u32) {
        let card = &mut self.cards[card];
        let amount = amount.min(card.balance);
        card.balance -= amount;
        card.spent += amount;
        card.spent_ever += u64::from(amount);
        card.session += 1;
    }

    fn step(&mut self, index: usize, event: Event) {
        let load = self.loads[index].clone();
        let id = load.order().id;
        let Ok((next, effects)) = load.step(event, self.now) else {
            return;
        };
        for effect in effects {
            match effect {
                Effect::Transfer(transfer) => self.post(&transfer, Some(id)),
                Effect::IssueMac2 { attempt } => self.attempt(&next, attempt),
                Effect::Moved { from, to } => self.rows.moves.push(MoveRow { load: id, from, to }),
                Effect::AnswerStored => {
                    self.rows.replies.push(ReplyRow {
                        load: id,
                        step: 1,
                        reply: [0; 32],
                    });
                }
                Effect::Incident(_) => {}
            }
        }
        self.loads[index] = next;
    }

    fn attempt(&mut self, load: &Load, number: u32) {
        let attempt = load.last_attempt().unwrap();
        assert_eq!(attempt.number, number);
        let order = load.order();
        self.sessions.insert(order.id, self.inits[&order.id]);
        self.rows.attempts.push(AttemptRow {
            load: order.id,
            number,
            card: order.card,
            account: order.account,
            amount: order.amount,
            counter: attempt.counter,
            commit: self.now as i64,
        });
    }

    fn post(&mut self, transfer: &Transfer, load: Option<LoadId>) {
        self.books.post(transfer).unwrap();
        let id = self.rows.transfers.len() as i64;
        self.rows.transfers.push(TransferRow {
            id,
            load,
            commit: self.now as i64,
        });
        for entry in transfer.entries() {
            let (account, amount) = (entry.account, entry.amount);
            self.rows.entries.push(EntryRow {
                transfer: id,
                account,
                amount,
            });
        }
    }
}

fn load_row(load: &Load) -> LoadRow {
    let order = load.order();
    let proof = match load.state() {
        State::Confirmed { by } | State::Reversed { by } => Some(by.clone()),
        _ => None,
    };
    LoadRow {
        id: order.id,
        kind: order.kind,
        card: order.card,
        account: order.account,
        amount: order.amount,
        phase: load.state().phase(),
        proof,
    }
}
