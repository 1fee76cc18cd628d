//! The whole bank on its SQLite store against a small model of it: after every step the money, the phase of every
//! load and every invariant are the model's.

use bank::{Act, Acted, OperatorError, Signature};
use ledger::Resolution;
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use relay::{Letter, Message, Operation};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::card::Card;
use crate::resume::Resume;
use crate::stage::Stage;
use crate::terminal::{Terminal, message, new_id, outcome, phase};

const FUNDS: u32 = 60_000;
const MOST_ON_CARD: u32 = 100_000;
const OPERATORS: [&str; 3] = ["chen", "wang", "li"];
const SERIALS: [&str; 2] = ["00006217000000004471", "00006217000000008826"];

/// Where a contact with the card ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    Not,
    /// Before CREDIT FOR LOAD reaches the card.
    Before,
    /// After it; nobody tells the bank.
    After,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Issued,
    InDoubt,
    Manual,
    Confirmed,
    Reversed,
    WrittenOff,
}

#[derive(Clone, Debug)]
struct Load {
    card: usize,
    amount: u32,
    phase: Phase,
    credited: bool,
    /// By the MAC2 of the first attempt.
    at_first: bool,
    /// The newest proposal of each operator.
    proposals: [Option<Resolution>; 3],
}

#[derive(Clone, Copy, Debug)]
struct Purse {
    balance: u32,
    remembers: bool,
}

/// The model.
#[derive(Clone, Debug)]
struct Books {
    account: u32,
    given_up: u32,
    loads: Vec<Load>,
    purses: [Purse; 2],
}

#[derive(Clone, Debug)]
enum Step {
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
    fn open_on(&self, card: usize) -> Option<usize> {
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
    fn top_up_answer(&self, card: usize, amount: u32) -> &'static str {
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

/// What was sent for a load, and by whom.
struct Sent {
    terminal: usize,
    first: Message,
    answer: Message,
    late: Option<Message>,
    reference: String,
}

/// The bank, two terminals and two cards.
struct World {
    runtime: Runtime,
    stage: Option<Stage>,
    terminals: Vec<Terminal>,
    cards: [Card; 2],
    sent: Vec<Sent>,
}

impl World {
    fn stage(&self) -> &Stage {
        self.stage.as_ref().unwrap()
    }

    async fn top_up(
        (stage, terminal, card): (&Stage, &mut Terminal, &mut Card),
        amount: u32,
    ) -> ([u8; 16], Message, Message) {
        let id = new_id();
        let proof = terminal.sms_proof(stage, &id, card).await;
        let first = terminal.load_message(id, card, (amount, proof));
        let answer = terminal.relay(&first).await;
        (id, first, answer)
    }
}

/// A card that is always active here.
fn demo_cards() -> [Card; 2] {
    [
        Card::new(SERIALS[0], true, 12_850),
        Card::new(SERIALS[1], true, 0),
    ]
}

struct Bank;

impl StateMachineTest for Bank {
    type SystemUnderTest = World;
    type Reference = Books;

    fn init_test(_: &Books) -> World {
        let runtime = Runtime::new().unwrap();
        let (stage, terminals) = runtime.block_on(async {
            let stage = Stage::with(poor).await;
            for name in OPERATORS {
                let password = Zeroizing::new(format!("{name} keeps this"));
                bank::keep_operator(stage.config_with(poor), name, &password)
                    .await
                    .unwrap();
            }
            let terminals = vec![stage.terminal().await, stage.terminal().await];
            (stage, terminals)
        });
        World {
            runtime,
            stage: Some(stage),
            terminals,
            cards: demo_cards(),
            sent: Vec::new(),
        }
    }

    fn apply(mut world: World, after: &Books, step: Step) -> World {
        let runtime = std::mem::replace(&mut world.runtime, Runtime::new().unwrap());
        runtime.block_on(act(&mut world, after, &step));
        runtime.block_on(compare(&mut world, after, &step));
        world.runtime = runtime;
        world
    }

    fn teardown(mut world: World, _: Books) {
        let stage = world.stage.take().unwrap();
        world.runtime.block_on(stage.bank.stop());
    }
}

fn poor(text: String) -> String {
    let poor = text.replacen("balance = 1000000", &format!("balance = {FUNDS}"), 1);
    assert_ne!(poor, text);
    poor
}

async fn act(world: &mut World, after: &Books, step: &Step) {
    // Codes for one person come a minute apart at most; keys live a day.
    world.stage().clock.advance(1_000);
    match *step {
        Step::TopUp {
            card,
            terminal,
            amount,
            cut,
        } => {
            let stage = world.stage.as_ref().unwrap();
            let who = (
                stage,
                &mut world.terminals[terminal],
                &mut world.cards[card],
            );
            let (id, first, answer) = World::top_up(who, amount).await;
            if answer.letter == Letter::A {
                // A refused top-up changes nothing: the books after it are those before it.
                assert_eq!(outcome(&answer), after.top_up_answer(card, amount));
                return;
            }
            assert_eq!(phase(&answer), "credit");
            let data = answer.body.field("credit_data").unwrap().to_vec();
            let tac = match cut {
                Cut::Before => None,
                Cut::Not | Cut::After => world.cards[card].credit(&data),
            };
            let late = tac.map(|tac| {
                world.terminals[terminal].credit_message(Operation::TopUp, (id, 2), Some(tac))
            });
            if let Some(late) = late.as_ref().filter(|_| cut == Cut::Not) {
                let done = world.terminals[terminal].relay(late).await;
                assert_eq!(outcome(&done), "ok");
            }
            let body = serde_json::json!({"transaction": hex::encode(id)});
            let told = world.terminals[terminal]
                .ask("/v1/outcome", body)
                .await
                .unwrap();
            let reference = told["reference"].as_str().unwrap().to_owned();
            world.sent.push(Sent {
                terminal,
                first,
                answer,
                late,
                reference,
            });
        }
        Step::Repeat { load } => {
            let sent = &world.sent[load];
            let again = world.terminals[sent.terminal].relay(&sent.first).await;
            assert_eq!(again, sent.answer, "the same request, the same bytes");
        }
        Step::LateTac { load } => {
            let sent = &world.sent[load];
            if let Some(late) = &sent.late {
                world.terminals[sent.terminal].relay(late).await;
            }
        }
        Step::Resume {
            card,
            terminal,
            refund,
            cut,
        } => {
            let told = resume(world, (card, terminal), refund, cut).await;
            let open = after.open_on(card);
            let manual = open.is_some_and(|load| after.loads[load].phase == Phase::Manual);
            assert!(told != "manual" || manual, "{told}");
        }
        Step::Purchase { card, amount } => world.cards[card].spend(amount),
        Step::Forget { card } => world.cards[card].forget_proof(),
        Step::LostCard { load, operator } => {
            let done = people(world, load, operator, Act::LostCard).await;
            assert!(
                matches!(done, Ok(Acted::TakenOver) | Err("load-not-manual")),
                "{done:?}"
            );
        }
        Step::Propose {
            load,
            operator,
            resolution,
        } => {
            let done = people(world, load, operator, Act::Decide(resolution)).await;
            let decided = !matches!(after.loads[load].phase, Phase::Manual);
            match done {
                Ok(Acted::Decided) => assert!(decided),
                Ok(_) => assert_eq!(after.loads[load].proposals[operator], Some(resolution)),
                Err(code) => assert!(
                    ["load-not-manual", "operator-again"].contains(&code),
                    "{code}"
                ),
            }
        }
        Step::Restart => later(world, 3_600_000).await,
        Step::GrowOld => later(world, 61 * 24 * 3_600_000).await,
    }
}

async fn later(world: &mut World, ms: u64) {
    let stage = world.stage.take().unwrap();
    stage.clock.advance(ms);
    world.stage = Some(stage.restarted_with(poor).await);
    for terminal in &mut world.terminals {
        terminal.reach(world.stage.as_ref().unwrap());
        terminal.fetch_key().await.unwrap();
    }
}

async fn people(
    world: &World,
    load: usize,
    operator: usize,
    act: Act,
) -> Result<Acted, &'static str> {
    let name = OPERATORS[operator];
    let signature = Signature {
        operator: name.to_owned(),
        password: Zeroizing::new(format!("{name} keeps this")),
        evidence: "seen at the counter".to_owned(),
    };
    let reference = &world.sent[load].reference;
    let config = world.stage().config_with(poor);
    match bank::act(config, reference, act, &signature).await {
        Ok(acted) => Ok(acted),
        Err(OperatorError::Refused { code, .. }) => Err(code),
        Err(error @ OperatorError::Start(_)) => panic!("{error}"),
    }
}

async fn resume(
    world: &mut World,
    (card, terminal): (usize, usize),
    refund: bool,
    cut: Cut,
) -> String {
    let World {
        terminals, cards, ..
    } = world;
    let (terminal, card) = (&mut terminals[terminal], &mut cards[card]);
    let resume = Resume::wish(refund);
    let asked = resume.open(terminal, card).await;
    if asked.letter == Letter::A {
        return outcome(&asked).to_owned();
    }
    let answer = resume.prove(terminal, card, &asked).await;
    if answer.letter == Letter::A {
        return outcome(&answer).to_owned();
    }
    if phase(&answer) == "refund" {
        let done = resume.witness(terminal, card, (&answer, 3)).await;
        return outcome(&done).to_owned();
    }
    let answer = resume.initialize_any(terminal, card, &answer).await;
    if answer.letter == Letter::A {
        return outcome(&answer).to_owned();
    }
    let data = answer.body.field("credit_data").unwrap().to_vec();
    if cut == Cut::Before {
        return "torn".to_owned();
    }
    let tac = card.credit(&data);
    if cut == Cut::After {
        return "torn".to_owned();
    }
    let body = terminal.credit_message(Operation::ReTopUp, (resume.id(), 4), tac);
    outcome(&terminal.relay(&message(body.body)).await).to_owned()
}

/// Money, phases and invariants, as the model has them.
async fn compare(world: &mut World, books: &Books, step: &Step) {
    let stage = world.stage.as_ref().unwrap();
    let mut report = stage.bank.check().await.unwrap();
    assert_eq!(report.findings, [], "after {step:?}");
    let phase_of = |load: &Load| load.phase;
    let wanted: Vec<Phase> = books.loads.iter().map(phase_of).collect();
    let mut found = phases(stage).await;
    if matches!(step, Step::Restart | Step::GrowOld) {
        // The bank's own work begins with its start and is done a moment later.
        for _ in 0..200 {
            if found == wanted {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            found = phases(stage).await;
        }
        report = stage.bank.check().await.unwrap();
    }
    assert_eq!(found, wanted, "after {step:?}");
    let held = |load: &&Load| matches!(load.phase, Phase::Issued | Phase::InDoubt | Phase::Manual);
    let in_transit: u32 = books
        .loads
        .iter()
        .filter(held)
        .map(|load| load.amount)
        .sum();
    let money = report.money;
    assert_eq!(money.customers, i64::from(books.account), "after {step:?}");
    assert_eq!(money.in_transit, i64::from(in_transit), "after {step:?}");
    assert_eq!(
        money.written_off,
        i64::from(books.given_up),
        "after {step:?}"
    );
    assert_eq!(-money.funding, i64::from(FUNDS));
    for (card, purse) in world.cards.iter().zip(&books.purses) {
        assert_eq!(card.balance, purse.balance, "after {step:?}");
    }
}

/// Of every load that was approved, in the order of their making.
async fn phases(stage: &Stage) -> Vec<Phase> {
    let names = stage.phases().await;
    let read = |name: String| match name.as_str() {
        "issued" => Some(Phase::Issued),
        "in-doubt" => Some(Phase::InDoubt),
        "manual" => Some(Phase::Manual),
        "confirmed" => Some(Phase::Confirmed),
        "reversed" => Some(Phase::Reversed),
        "written-off" => Some(Phase::WrittenOff),
        "declined" => None,
        other => panic!("{other}"),
    };
    names.into_iter().filter_map(read).collect()
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_bank_keeps_the_books_of_the_model(sequential 1..30 => Bank);
}
