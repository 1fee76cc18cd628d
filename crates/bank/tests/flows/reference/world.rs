//! The bank, its terminals and cards, doing what the model does.

use bank::{Act, Acted, OperatorError, Signature};
use relay::{Letter, Message, Operation};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use super::model::{Books, Cut, FUNDS, Phase, Step};
use crate::card::Card;
use crate::resume::Resume;
use crate::stage::Stage;
use crate::terminal::{Terminal, message, new_id, outcome, phase};

const OPERATORS: [&str; 3] = ["chen", "wang", "li"];
const SERIALS: [&str; 2] = ["00006217000000004471", "00006217000000008826"];

/// What was sent for a load, and by whom.
pub(super) struct Sent {
    terminal: usize,
    first: Message,
    answer: Message,
    late: Option<Message>,
    reference: String,
}

/// The bank, two terminals and two cards.
pub(super) struct World {
    runtime: Option<Runtime>,
    stage: Option<Stage>,
    terminals: Vec<Terminal>,
    pub(super) cards: [Card; 2],
    sent: Vec<Sent>,
}

impl World {
    pub(super) fn new() -> Self {
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
        Self {
            runtime: Some(runtime),
            stage: Some(stage),
            terminals,
            cards: demo_cards(),
            sent: Vec::new(),
        }
    }

    pub(super) fn run(&mut self, work: impl AsyncFnOnce(&mut Self)) {
        let runtime = self.runtime.take().unwrap();
        runtime.block_on(work(self));
        self.runtime = Some(runtime);
    }

    pub(super) fn end(self) {
        let stage = self.stage.unwrap();
        self.runtime.unwrap().block_on(stage.bank.stop());
    }
    pub(super) fn stage(&self) -> &Stage {
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

fn poor(text: String) -> String {
    let poor = text.replacen("balance = 1000000", &format!("balance = {FUNDS}"), 1);
    assert_ne!(poor, text);
    poor
}

pub(super) async fn act(world: &mut World, after: &Books, step: &Step) {
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
