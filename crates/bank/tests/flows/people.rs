//! Loads that no card settles: two operators decide.

use bank::{Act, Acted, OperatorError, Signature};
use ledger::Resolution;
use zeroize::Zeroizing;

use crate::card::Card;
use crate::resume::Resume;
use crate::stage::Stage;
use crate::terminal::{Terminal, outcome};

const AMOUNT: u32 = 5_000;
const DAY_MS: u64 = 24 * 3_600_000;

fn secret(name: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("{name} keeps this to themselves"))
}

fn signed(name: &str) -> Signature {
    Signature {
        operator: name.to_owned(),
        password: secret(name),
        evidence: format!("{name} looked at the card, ticket 4471"),
    }
}

/// A bank with three operators and a load that waits for them.
struct Case {
    stage: Stage,
    terminal: Terminal,
    card: Card,
    load: [u8; 16],
    reference: String,
}

impl Case {
    /// In doubt until it is too old.
    async fn too_old(credited: bool) -> Self {
        let stage = Stage::new().await;
        let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
        let (load, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
        if credited {
            card.credit(&data).unwrap();
        }
        let case = Self::of(stage, terminal, card, load).await;
        case.stage.clock.advance(61 * DAY_MS);
        case.until_manual().await;
        case
    }

    async fn of(stage: Stage, mut terminal: Terminal, card: Card, load: [u8; 16]) -> Self {
        let asked = Resume::of(Some(load)).open(&mut terminal, &card).await;
        assert_eq!(crate::terminal::phase(&asked), "prove");
        for name in ["chen", "wang", "li"] {
            bank::keep_operator(stage.config(), name, &secret(name))
                .await
                .unwrap();
        }
        let loads = stage.references().await;
        let [reference] = loads.try_into().unwrap();
        Self {
            stage,
            terminal,
            card,
            load,
            reference,
        }
    }

    async fn until_manual(&self) {
        for _ in 0..100 {
            if !self.waiting().await.as_array().unwrap().is_empty() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the load does not come to people");
    }

    async fn waiting(&self) -> serde_json::Value {
        let open = bank::open_loads(self.stage.config()).await.unwrap();
        let open = open.as_array().unwrap().iter();
        open.filter(|load| load["phase"] == "manual")
            .cloned()
            .collect()
    }

    async fn act(&self, name: &str, act: Act) -> Result<Acted, OperatorError> {
        self.act_as(act, &signed(name)).await
    }

    async fn act_as(&self, act: Act, signature: &Signature) -> Result<Acted, OperatorError> {
        bank::act(self.stage.config(), &self.reference, act, signature).await
    }

    /// A re-top-up with this terminal.
    async fn asks(&mut self) -> String {
        self.terminal.fetch_key().await.unwrap();
        let resume = Resume::of(Some(self.load));
        let answer = resume.open(&mut self.terminal, &self.card).await;
        assert_eq!(answer.body.reference.as_ref(), Some(&self.reference));
        outcome(&answer).to_owned()
    }
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: Result<T, OperatorError>) -> &'static str {
    match result.unwrap_err() {
        OperatorError::Refused { code, .. } => code,
        other @ OperatorError::Start(_) => panic!("{other}"),
    }
}

#[tokio::test]
async fn two_operators_give_the_money_back() {
    let mut case = Case::too_old(false).await;
    assert_eq!(case.asks().await, "manual");
    let refund = Act::Decide(Resolution::Refund);
    assert_eq!(case.act("chen", refund).await.unwrap(), Acted::Proposed);
    let waiting = case.waiting().await;
    assert_eq!(waiting[0]["reference"], case.reference.as_str());
    assert_eq!(waiting[0]["why"], "too-old");
    assert_eq!(waiting[0]["card_tail"], "4471");
    assert_eq!(waiting[0]["proposals"][0]["operator"], "chen");
    assert_eq!(code(case.act("chen", refund).await), "operator-again");
    assert_eq!(
        code(case.act(" CHEN ", refund).await),
        "operator-refused",
        "a password is of one name"
    );
    assert_eq!(
        case.stage.bank.money().await.unwrap().in_transit,
        5_000,
        "one alone moves nothing"
    );
    assert_eq!(case.act("wang", refund).await.unwrap(), Acted::Decided);
    assert_eq!(case.asks().await, "refunded");
    assert_eq!(code(case.act("li", refund).await), "load-not-manual");
    assert_eq!(case.waiting().await, serde_json::json!([]));
    case.stage.close(0).await;
}

#[tokio::test]
async fn two_operators_confirm_or_write_off() {
    for (resolution, credited, told) in [
        (Resolution::Loaded, true, "ok"),
        (Resolution::WriteOff, false, "written-off"),
    ] {
        let mut case = Case::too_old(credited).await;
        let act = Act::Decide(resolution);
        assert_eq!(case.act("chen", act).await.unwrap(), Acted::Proposed);
        assert_eq!(case.act("wang", act).await.unwrap(), Acted::Decided);
        assert_eq!(case.asks().await, told);
        let money = case.stage.bank.money().await.unwrap();
        let given_up = i64::from(resolution == Resolution::WriteOff) * 5_000;
        assert_eq!((money.in_transit, money.written_off), (0, given_up));
        case.stage.close(if credited { 5_000 } else { 0 }).await;
    }
}

#[tokio::test]
async fn operators_who_differ_move_nothing_until_two_agree() {
    let case = Case::too_old(false).await;
    let (refund, give_up) = (
        Act::Decide(Resolution::Refund),
        Act::Decide(Resolution::WriteOff),
    );
    assert_eq!(case.act("chen", refund).await.unwrap(), Acted::Proposed);
    assert_eq!(case.act("wang", give_up).await.unwrap(), Acted::Disagreed);
    let waiting = case.waiting().await;
    let names: Vec<_> = waiting[0]["proposals"].as_array().unwrap().iter().collect();
    assert_eq!(names.len(), 2, "both can be seen: {waiting}");
    assert_eq!(case.act("li", refund).await.unwrap(), Acted::Decided);
    case.stage.close(0).await;
}

#[tokio::test]
async fn a_lost_card_brings_its_load_to_people_at_once() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (load, _) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let case = Case::of(stage, terminal, card, load).await;
    let open = bank::open_loads(case.stage.config()).await.unwrap();
    assert_eq!(
        (&open[0]["phase"], &open[0]["why"]),
        (&"in-doubt".into(), &"torn".into())
    );
    let refund = Act::Decide(Resolution::Refund);
    assert_eq!(code(case.act("chen", refund).await), "load-not-manual");
    assert_eq!(
        case.act("chen", Act::LostCard).await.unwrap(),
        Acted::TakenOver
    );
    assert_eq!(case.waiting().await[0]["why"], "lost-card");
    assert_eq!(
        code(case.act("wang", Act::LostCard).await),
        "load-not-manual"
    );
    assert_eq!(case.act("chen", refund).await.unwrap(), Acted::Proposed);
    assert_eq!(case.act("wang", refund).await.unwrap(), Acted::Decided);
    case.stage.close(0).await;
}

#[tokio::test]
async fn who_is_no_operator_or_writes_numbers_down_is_refused() {
    let case = Case::too_old(false).await;
    let refund = Act::Decide(Resolution::Refund);
    assert_eq!(code(case.act("zhou", refund).await), "operator-refused");
    assert_eq!(code(case.act("", refund).await), "operator-name-bad");
    let number = Signature {
        evidence: "card 0000 6217 0000 0000 4471".to_owned(),
        ..signed("chen")
    };
    assert_eq!(code(case.act_as(refund, &number).await), "evidence-number");
    assert_eq!(
        code(case.act_as(Act::LostCard, &number).await),
        "evidence-number"
    );
    let silent = Signature {
        evidence: " ".to_owned(),
        ..signed("chen")
    };
    assert_eq!(code(case.act_as(refund, &silent).await), "evidence-missing");
    let chen = signed("chen");
    let elsewhere = bank::act(case.stage.config(), "TF-2222-2222", refund, &chen);
    assert_eq!(code(elsewhere.await), "load-unknown");
    let short = Zeroizing::new("elevenchars".to_owned());
    let kept = bank::keep_operator(case.stage.config(), "new", &short);
    assert_eq!(code(kept.await), "operator-password-short");
    bank::remove_operator(case.stage.config(), "chen")
        .await
        .unwrap();
    assert_eq!(code(case.act("chen", refund).await), "operator-refused");
    let gone = bank::remove_operator(case.stage.config(), "chen");
    assert_eq!(code(gone.await), "operator-unknown");
    assert_eq!(case.waiting().await[0]["proposals"], serde_json::json!([]));
    case.stage.close(0).await;
}

#[tokio::test]
async fn wrong_passwords_lock_an_operator_until_a_new_one() {
    let case = Case::too_old(false).await;
    let refund = Act::Decide(Resolution::Refund);
    let wrong = Signature {
        password: secret("wang"),
        ..signed("chen")
    };
    for expected in ["operator-refused", "operator-refused", "operator-locked"] {
        assert_eq!(code(case.act_as(refund, &wrong).await), expected);
    }
    assert_eq!(code(case.act("chen", refund).await), "operator-locked");
    bank::keep_operator(case.stage.config(), "chen", &secret("chen"))
        .await
        .unwrap();
    assert_eq!(case.act("chen", refund).await.unwrap(), Acted::Proposed);
    case.stage.close(0).await;
}

#[tokio::test]
async fn a_tac_that_comes_while_people_decide_is_shown_to_them() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (load, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let tac = card.credit(&data);
    let late = terminal.credit_message(relay::Operation::TopUp, (load, 2), tac);
    let mut case = Case::of(stage, terminal, card, load).await;
    assert_eq!(
        case.act("chen", Act::LostCard).await.unwrap(),
        Acted::TakenOver
    );
    let answer = case.terminal.relay(&late).await;
    assert_eq!(outcome(&answer), "manual");
    let kind = &case.waiting().await[0]["incidents"][0]["kind"];
    assert_eq!(kind, "tac-for-operators");
    let loaded = Act::Decide(Resolution::Loaded);
    case.act("chen", loaded).await.unwrap();
    case.act("wang", loaded).await.unwrap();
    case.stage.close(5_000).await;
}

#[tokio::test]
async fn whoever_knows_the_transaction_hears_what_became_of_it() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let ask = async |terminal: &Terminal, id: [u8; 16]| {
        let body = serde_json::json!({"transaction": hex::encode(id)});
        terminal.ask("/v1/outcome", body).await.unwrap()
    };
    let unknown = ask(&terminal, crate::terminal::new_id()).await;
    assert_eq!(unknown, serde_json::json!({"outcome": "unknown"}));
    let (load, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let open = ask(&terminal, load).await;
    assert_eq!(
        (&open["outcome"], &open["new_balance"]),
        (&"in-doubt".into(), &serde_json::Value::Null)
    );
    let tac = card.credit(&data);
    let done = terminal.credit_message(relay::Operation::TopUp, (load, 2), tac);
    terminal.relay(&done).await;
    let other = stage.terminal().await;
    let told = ask(&other, load).await;
    assert_eq!(told["outcome"], "ok");
    assert_eq!(
        (&told["old_balance"], &told["new_balance"]),
        (&12_850.into(), &17_850.into())
    );
    assert_eq!(
        (&told["amount"], &told["reference"]),
        (&5_000.into(), &open["reference"])
    );
    let bad = terminal
        .ask("/v1/outcome", serde_json::json!({"transaction": "12"}))
        .await;
    assert_eq!(crate::terminal::code(bad.unwrap_err()), "bad-request");
    stage.close(5_000).await;
}
