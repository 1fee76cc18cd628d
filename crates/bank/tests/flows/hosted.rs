//! Top-ups whose money is at a core banking host, with everything that can go wrong between the two books.

use std::time::Duration;

use bank_client::ClientError;
use relay::{Message, Operation};
use serde_json::json;
use sqlx::Connection;

use crate::card::Card;
use crate::core_host::{CoreHost, Fault, START};
use crate::hosted_stage::{
    AMOUNT, LONG_MS, asked, close, credited, relay, stage, top_up, until, until_repeated,
};
use crate::resume::Resume;
use crate::stage::Stage;
use crate::terminal::{code, new_id, outcome, phase, random};

#[tokio::test]
async fn a_load_is_asked_of_the_host_and_both_books_move_once() {
    let (stage, host) = stage().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, message) = asked(&stage, &mut terminal, &mut card).await;
    let issued = relay(&mut terminal, &message).await;
    let again = relay(&mut terminal, &message).await;
    assert_eq!(issued, again, "a repeated request has the same answer");
    let done = credited(&mut terminal, &mut card, (id, &issued)).await;
    assert_eq!(outcome(&done), "ok");
    assert_eq!(host.count("0200"), 1);
    assert_eq!(host.books().balance, START - i64::from(AMOUNT));
    close(stage, host, AMOUNT.into()).await;
}

#[tokio::test]
async fn a_queue_is_not_paid_from_accounts_that_are_elsewhere() {
    let (stage, host) = stage().await;
    let terminal = stage.terminal().await;
    let body = json!({
        "queue": hex::encode([7_u8; 16]), "industry": "0001", "phone": "13800006021", "cards": 2, "total": 2_000,
    });
    let refused = terminal.ask("/v1/queue/send", body).await;
    assert_eq!(code(refused.unwrap_err()), "queue-unserved");
    assert_eq!(host.count("0200"), 0, "nobody was asked");
    close(stage, host, 0).await;
}

#[tokio::test]
async fn a_host_that_says_no_leaves_the_code_for_another_try() {
    let (stage, host) = stage().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let mut id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    host.fail(&[Fault::Refused("51"), Fault::Refused("57")]);
    for said in ["funds-short", "voided"] {
        let message = terminal.load_message(id, &mut card, (AMOUNT, proof));
        let answer = relay(&mut terminal, &message).await;
        assert_eq!(outcome(&answer), said);
        assert_eq!(relay(&mut terminal, &message).await, answer, "and again");
        id[15] += 1;
    }
    let message = terminal.load_message(id, &mut card, (AMOUNT, proof));
    let issued = relay(&mut terminal, &message).await;
    let done = credited(&mut terminal, &mut card, (id, &issued)).await;
    assert_eq!(outcome(&done), "ok");
    assert_eq!(stage.phases().await, ["declined", "voided", "confirmed"]);
    assert_eq!(host.count("0420"), 0, "a no books nothing");
    close(stage, host, AMOUNT.into()).await;
}

#[tokio::test]
async fn whatever_is_no_clear_answer_voids_the_load_and_what_was_booked_goes_back() {
    let (stage, host) = stage().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let faults = [
        Fault::AnswerLost,
        Fault::Late(1_500),
        Fault::WrongStan,
        Fault::WrongRrn,
        Fault::WrongAmount,
        Fault::Closed,
        Fault::Refused("96"),
    ];
    for (number, fault) in faults.iter().enumerate() {
        host.fail(&[*fault]);
        let (_, message) = asked(&stage, &mut terminal, &mut card).await;
        let answer = relay(&mut terminal, &message).await;
        assert_eq!(outcome(&answer), "in-doubt", "{fault:?}: it may be charged");
        assert!(answer.body.reference.is_some(), "{fault:?}");
        assert_eq!(
            relay(&mut terminal, &message).await,
            answer,
            "{fault:?} again"
        );
        until(&host, "0420", number + 1).await;
        stage.clock.advance(61_000);
    }
    assert_eq!(host.count("0200"), faults.len(), "each was asked once");
    // The one that was never booked has no record: it is asked about until no 0200 can be on its way any more.
    until_repeated(&stage, &host, 1).await;
    assert_eq!(
        outcome(&top_up(&stage, &mut terminal, &mut card).await),
        "ok"
    );
    close(stage, host, AMOUNT.into()).await;
}

#[tokio::test]
async fn an_answer_with_noise_around_it_is_an_answer() {
    let (stage, host) = stage().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    for fault in [Fault::Garbage, Fault::Twice] {
        host.fail(&[fault]);
        let done = top_up(&stage, &mut terminal, &mut card).await;
        assert_eq!(outcome(&done), "ok", "{fault:?}");
        stage.clock.advance(61_000);
    }
    assert_eq!(host.count("0420"), 0);
    close(stage, host, i64::from(AMOUNT) * 2).await;
}

#[tokio::test]
async fn a_request_that_comes_again_while_the_host_is_asked_is_late_and_then_the_same() {
    let (stage, host) = stage().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    // The line is there once something went over it.
    assert_eq!(
        outcome(&top_up(&stage, &mut terminal, &mut card).await),
        "ok"
    );
    stage.clock.advance(61_000);
    host.fail(&[Fault::Late(600)]);
    let (id, message) = asked(&stage, &mut terminal, &mut card).await;
    let bytes = message.encode().unwrap();
    let (sealed, other) = (terminal.seal(&bytes), terminal.seal(&bytes));
    let client = terminal.client.clone();
    let first = tokio::spawn({
        let (client, sealed) = (client.clone(), sealed.clone());
        async move { client.relay(sealed).await }
    });
    until(&host, "0200", 2).await;
    for sealed in [&sealed, &other] {
        let meanwhile: Result<_, ClientError> = client.relay(sealed.clone()).await;
        assert_eq!(code(meanwhile.unwrap_err()), "late", "whatever its counter");
    }
    let resumed = Resume::of(Some(id));
    let mut body = terminal.body(Operation::ReTopUp, resumed.id(), 1, "resume");
    body.about = Some(id);
    body.put("file15", card.file15());
    body.put("balance", card.balance.to_be_bytes());
    let asked_about = crate::terminal::message(body).encode().unwrap();
    let meanwhile = terminal.relay_bytes(&asked_about).await;
    assert_eq!(code(meanwhile.unwrap_err()), "late", "nobody knows yet");
    let answer = first.await.unwrap().unwrap();
    let same = client.relay(sealed).await.unwrap();
    assert_eq!(answer, same, "the sealed bytes");
    let issued = terminal.open(&client.relay(other).await.unwrap());
    assert_eq!(issued, terminal.open(&answer), "the message's bytes");
    let issued = Message::parse(&issued).unwrap();
    let done = credited(&mut terminal, &mut card, (id, &issued)).await;
    assert_eq!(outcome(&done), "ok");
    assert_eq!(host.count("0200"), 2, "money moved once for each load");
    close(stage, host, i64::from(AMOUNT) * 2).await;
}

#[tokio::test]
async fn without_a_line_nothing_begins_and_with_it_the_same_request_works() {
    let (stage, host) = stage().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    assert_eq!(
        outcome(&top_up(&stage, &mut terminal, &mut card).await),
        "ok"
    );
    stage.clock.advance(61_000);
    let gone = host.gone().await;
    let (id, message) = asked(&stage, &mut terminal, &mut card).await;
    let sealed = terminal.seal(&message.encode().unwrap());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let refused = terminal.client.relay(sealed.clone()).await;
    assert_eq!(
        code(refused.unwrap_err()),
        "busy",
        "surely nothing was done"
    );
    assert_eq!(stage.phases().await, ["confirmed"]);
    let host = CoreHost::back(gone).await;
    let mut answer = terminal.client.relay(sealed.clone()).await;
    for _ in 0..400 {
        if answer.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = terminal.client.relay(sealed.clone()).await;
    }
    let issued = Message::parse(&terminal.open(&answer.unwrap())).unwrap();
    let done = credited(&mut terminal, &mut card, (id, &issued)).await;
    assert_eq!(outcome(&done), "ok");
    close(stage, host, i64::from(AMOUNT) * 2).await;
}

#[tokio::test]
async fn a_refund_goes_back_to_the_account_even_when_the_host_is_gone_for_a_while() {
    let (stage, host) = stage().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, message) = asked(&stage, &mut terminal, &mut card).await;
    assert_eq!(phase(&relay(&mut terminal, &message).await), "credit");
    let gone = host.gone().await;
    let resume = Resume::refund_of(id);
    let asked = resume.open(&mut terminal, &card).await;
    let asked = resume.prove(&mut terminal, &card, &asked).await;
    let done = resume.witness(&mut terminal, &mut card, (&asked, 3)).await;
    assert_eq!(outcome(&done), "refunded");
    let money = stage.bank.money().await.unwrap();
    assert_eq!(
        (money.customers, money.funding),
        (0, 0),
        "the mirror is empty again"
    );
    let host = CoreHost::back(gone).await;
    host.fail_reversals(&[Fault::Unheard, Fault::Refused("25"), Fault::AnswerLost]);
    until_repeated(&stage, &host, 3).await;
    let of_it: Vec<_> = host.books().came[1..]
        .iter()
        .map(|it| (it.1.clone(), it.2.clone()))
        .collect();
    assert!(
        of_it.windows(2).all(|two| two[0] == two[1]),
        "the same numbers each time: {of_it:?}"
    );
    close(stage, host, 0).await;
}

#[tokio::test]
async fn two_at_once_share_the_line_and_each_gets_its_own_answer() {
    let (stage, host) = stage().await;
    let (mut one, mut two) = (stage.terminal().await, stage.terminal().await);
    let (mut card, mut other) = (Card::demo(), Card::inactive());
    other.active = true;
    for round in 0..6 {
        if round % 2 == 1 {
            host.fail(&[Fault::Refused("51"), Fault::None]);
        }
        let (first, second) = tokio::join!(
            top_up(&stage, &mut one, &mut card),
            top_up(&stage, &mut two, &mut other)
        );
        let mut ends = [outcome(&first), outcome(&second)];
        ends.sort_unstable();
        let wanted = if round % 2 == 1 { "funds-short" } else { "ok" };
        assert_eq!(ends, [wanted, "ok"], "round {round}");
    }
    close(stage, host, i64::from(AMOUNT) * 9).await;
}

#[tokio::test]
async fn a_void_load_is_in_doubt_until_the_host_has_taken_it_back() {
    let (stage, host) = stage().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    host.fail(&[Fault::AnswerLost]);
    host.fail_reversals(&[Fault::Unheard]);
    let (id, message) = asked(&stage, &mut terminal, &mut card).await;
    let answer = relay(&mut terminal, &message).await;
    assert_eq!(
        (outcome(&answer), answer.body.amount),
        ("in-doubt", Some(AMOUNT))
    );
    let asks = json!({"transaction": hex::encode(id)});
    let told = terminal.ask("/v1/outcome", asks.clone()).await.unwrap();
    assert_eq!(told["outcome"], "in-doubt", "without a card too");
    let resumed = Resume::of(Some(id)).open(&mut terminal, &card).await;
    assert_eq!(outcome(&resumed), "in-doubt", "with the card");
    until_repeated(&stage, &host, 1).await;
    let mut told = json!(null);
    for _ in 0..100 {
        told = terminal.ask("/v1/outcome", asks.clone()).await.unwrap();
        if told["outcome"] == "declined" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        told["outcome"], "declined",
        "nothing of it is booked any more"
    );
    let resumed = Resume::of(Some(id)).open(&mut terminal, &card).await;
    assert_eq!(outcome(&resumed), "nothing-pending");
    close(stage, host, 0).await;
}

/// What somebody with the database in hand does to it.
async fn harm(stage: &Stage, sql: &'static str) {
    if let Some(url) = &stage.store {
        let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        return;
    }
    let path = stage.dir.path().join("bank.sqlite");
    let path = format!("sqlite://{}", path.display());
    let mut conn = sqlx::SqliteConnection::connect(&path).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
}

#[tokio::test]
async fn the_reconciler_finds_a_load_that_does_not_fit_its_row() {
    let (stage, host) = stage().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    assert_eq!(
        outcome(&top_up(&stage, &mut terminal, &mut card).await),
        "ok"
    );
    let reference = stage.references().await.remove(0);
    for (sql, mended, at_least) in [
        (
            "UPDATE core SET state = 'declined'",
            "UPDATE core SET state = 'booked'",
            1,
        ),
        (
            "UPDATE core SET amount = 4999",
            "UPDATE core SET amount = 5000",
            1,
        ),
        (
            "UPDATE load SET phase = 'voided'",
            "UPDATE load SET phase = 'confirmed'",
            2,
        ),
        (
            "UPDATE load SET phase = 'authorised'",
            "UPDATE load SET phase = 'confirmed'",
            3,
        ),
    ] {
        harm(&stage, sql).await;
        let report = stage.bank.check().await.unwrap();
        let of_core = report.findings.iter().filter(|it| it.rule == "CORE");
        let named = of_core.filter(|it| it.place.contains(&reference)).count();
        assert!(named >= at_least, "{sql}: {:?}", report.findings);
        harm(&stage, mended).await;
    }
    close(stage, host, AMOUNT.into()).await;
}

#[tokio::test]
async fn a_bank_that_stopped_while_it_asked_voids_and_takes_back_at_its_next_start() {
    let host = CoreHost::start().await;
    let patient = |text: String| {
        host.configured(&text)
            .replace("answer_ms = 1000", "answer_ms = 8000")
    };
    let stage = Stage::with(patient).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    assert_eq!(
        outcome(&top_up(&stage, &mut terminal, &mut card).await),
        "ok"
    );
    stage.clock.advance(61_000);
    host.fail(&[Fault::AnswerLost]);
    let (_, message) = asked(&stage, &mut terminal, &mut card).await;
    let sealed = terminal.seal(&message.encode().unwrap());
    let client = terminal.client.clone();
    let asks = tokio::spawn(async move { client.relay(sealed).await });
    until(&host, "0200", 2).await;
    asks.abort();
    let stage = stage.restarted_with(patient).await;
    terminal.reach(&stage);
    assert_eq!(stage.phases().await, ["confirmed", "authorised"]);
    let bytes = message.encode().unwrap();
    let waits = terminal.relay_bytes(&bytes).await;
    assert_eq!(
        code(waits.unwrap_err()),
        "late",
        "it may still be asked for elsewhere"
    );
    stage.clock.advance(LONG_MS);
    let answer = relay(&mut terminal, &message).await;
    let told = outcome(&answer);
    assert!(
        ["in-doubt", "voided"].contains(&told),
        "{told}: no late yes issues anything"
    );
    assert_eq!(relay(&mut terminal, &message).await, answer);
    until(&host, "0420", 1).await;
    close(stage, host, AMOUNT.into()).await;
}

#[tokio::test]
async fn whatever_happens_in_whatever_order_both_books_agree_in_the_end() {
    let (stage, host) = stage().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let faults = [
        Fault::None,
        Fault::Refused("51"),
        Fault::AnswerLost,
        Fault::Closed,
        Fault::ClosedBefore,
        Fault::WrongStan,
        Fault::Unheard,
        Fault::Twice,
    ];
    let mut on_cards = 0;
    for _ in 0..16 {
        let [of_load, of_reversal] =
            random::<2>().map(|byte| faults[usize::from(byte) % faults.len()]);
        host.fail(&[of_load]);
        host.fail_reversals(&[of_reversal]);
        let done = top_up(&stage, &mut terminal, &mut card).await;
        match outcome(&done) {
            "ok" => on_cards += i64::from(AMOUNT),
            "in-doubt" | "funds-short" => {}
            other => panic!("{of_load:?}: {other}"),
        }
        stage.clock.advance(61_000);
    }
    // A reversal's turns are over by now; what is still owed is sent until it is taken.
    for _ in 0..6 {
        stage.clock.advance(1_000_000);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    close(stage, host, on_cards).await;
}

#[tokio::test]
async fn a_host_that_does_not_fit_the_books_stops_the_start() {
    let stage = Stage::new().await;
    let (terminal, host) = (stage.terminal().await, CoreHost::start().await);
    drop(terminal);
    let hosted = stage.config_with(|text| host.configured(&text));
    let refused = bank::start(hosted).await.err().unwrap().to_string();
    assert!(refused.starts_with("core-unfit: 1 customers"), "{refused}");
    stage.close(0).await;
    let (stage, host) = crate::hosted_stage::stage().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (_, message) = asked(&stage, &mut terminal, &mut card).await;
    assert_eq!(phase(&relay(&mut terminal, &message).await), "credit");
    let without = |text: String| text.replacen("balance = 1000000", "balance = 0", 1);
    let refused = bank::start(stage.config_with(without)).await;
    let refused = refused.err().unwrap().to_string();
    assert!(refused.starts_with("core-unfit: 1 loads"), "{refused}");
    drop(host);
    stage.bank.stop().await;
}
