//! A configuration that changes while loads are open, packages whose day has not come, a clock that was wrong.

use relay::Operation;

use crate::card::Card;
use crate::resume::Resume;
use crate::stage::Stage;
use crate::terminal::{code, new_id, outcome, phase};

const AMOUNT: u32 = 5_000;
const TRANSIT: &str = include_str!("../../../../industries/0001.json");

#[tokio::test]
async fn a_proof_that_came_while_its_industry_was_not_served_is_taken_when_it_is_again() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let tac = card.credit(&data).unwrap();
    let proof = terminal.credit_message(Operation::TopUp, (id, 2), Some(tac));
    let stage = stage
        .restarted_with(|text| text.replace("\"0001\"", "\"9001\""))
        .await;
    terminal.reach(&stage);
    for _ in 0..2 {
        assert_eq!(outcome(&terminal.relay(&proof).await), "industry-unknown");
    }
    let stage = stage.restarted().await;
    terminal.reach(&stage);
    assert_eq!(
        outcome(&terminal.relay(&proof).await),
        "ok",
        "it is still true"
    );
    stage.close(AMOUNT.into()).await;
}

/// The same key, told in other words.
#[tokio::test]
async fn a_recipe_that_is_written_anew_leaves_no_open_load_behind() {
    let anew = |text: String| text.replacen("\"serial[2..10]\"", "\"file15.serial[2..10]\"", 1);
    for loaded in [false, true] {
        let stage = Stage::new().await;
        let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
        let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
        if loaded {
            card.credit(&data).unwrap();
        }
        let stage = stage.restarted_with(anew).await;
        terminal.reach(&stage);
        let resume = Resume::of(Some(id));
        let asked = resume.open(&mut terminal, &card).await;
        let asked = resume.prove(&mut terminal, &card, &asked).await;
        if loaded {
            assert_eq!(outcome(&asked), "ok", "by its TAC");
            stage.close(AMOUNT.into()).await;
            continue;
        }
        let answer = resume
            .initialize_any(&mut terminal, &mut card, &asked)
            .await;
        assert_eq!(phase(&answer), "credit", "loaded again: {answer:?}");
        let tac = card.credit(answer.body.field("credit_data").unwrap());
        let done = terminal.credit_message(Operation::ReTopUp, (resume.id(), 4), tac);
        assert_eq!(outcome(&terminal.relay(&done).await), "ok");
        stage.close(AMOUNT.into()).await;
    }
}

#[tokio::test]
async fn a_package_whose_day_has_not_come_makes_no_other_one_old() {
    for (day, expected) in [("20991231", "credit"), ("20261101", "package-old")] {
        let folder = tempfile::tempdir().unwrap();
        let next = format!("\"version\": 2, \"valid_from\": {day}");
        let next = TRANSIT.replacen("\"version\": 1", &next, 1);
        assert_ne!(next, TRANSIT);
        std::fs::write(folder.path().join("transit.json"), next).unwrap();
        let lines = format!("[bank]\npackages = {:?}", folder.path());
        let stage = Stage::with(|text| text.replacen("[bank]", &lines, 1)).await;
        let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
        let id = new_id();
        let proof = terminal.sms_proof(&stage, &id, &card).await;
        let asked = terminal.load_message(id, &mut card, (AMOUNT, proof));
        let answer = terminal.relay(&asked).await;
        match expected {
            "credit" => assert_eq!(phase(&answer), expected, "{day}: {answer:?}"),
            _ => assert_eq!(outcome(&answer), expected, "{day}"),
        }
        stage.close(0).await;
    }
}

const YEAR_MS: u64 = 365 * 24 * 3_600_000;

#[tokio::test]
async fn a_lock_that_began_while_the_clock_was_ahead_ends_as_any_other() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    stage.clock.advance(YEAR_MS);
    terminal.fetch_key().await.unwrap();
    let mut id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    for _ in 0..3 {
        let mut wrong = terminal.load_message(id, &mut card, (AMOUNT, proof));
        wrong.body.pin_block = Some(terminal.pin_block("111111"));
        terminal.relay(&wrong).await;
        id[15] += 1;
    }
    stage.clock.advance(YEAR_MS.wrapping_neg());
    terminal.fetch_key().await.unwrap();
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let asked = terminal.load_message(id, &mut card, (AMOUNT, proof));
    assert_eq!(outcome(&terminal.relay(&asked).await), "password-locked");
    stage.clock.advance(24 * 3_600_000);
    terminal.fetch_key().await.unwrap();
    let end = terminal.top_up(&stage, &mut card, AMOUNT).await;
    assert_eq!(outcome(&end), "ok", "a day later, not a year");
    stage.close(AMOUNT.into()).await;
}

#[tokio::test]
async fn codes_that_were_counted_while_the_clock_was_ahead_hold_nobody_up() {
    let stage =
        Stage::with(|text| text.replace("per_number_per_hour = 1000", "per_number_per_hour = 2"))
            .await;
    let terminal = stage.terminal().await;
    let send = async || {
        let body = serde_json::json!({"transaction": hex::encode(new_id()),
            "industry": "0001", "card_tail": "4471", "phone": crate::stage::PHONE});
        terminal.ask("/v1/sms/send", body).await.err().map(code)
    };
    stage.clock.advance(YEAR_MS);
    for expected in [None, None, Some("too-many".to_owned())] {
        assert_eq!(send().await, expected);
    }
    stage.clock.advance(YEAR_MS.wrapping_neg());
    assert_eq!(send().await, None, "the hour is another one");
    stage.close(0).await;
}
