//! Loads that nothing seems to settle: each has a way out, and none of them makes or loses a fen.

use relay::Operation;

use crate::card::Card;
use crate::resume::Resume;
use crate::stage::Stage;
use crate::terminal::{Terminal, new_id, number, outcome, phase};

const AMOUNT: u32 = 5_000;

#[tokio::test]
async fn a_card_whose_proof_the_bank_could_never_check_is_refused_before_the_debit() {
    let stage = Stage::with(|text| {
        let keys = "recipe = [\"serial[2..10]\"]\ntac_recipe = [\"uid[0..4] + 80000000\"]";
        text.replace("recipe = [\"serial[2..10]\"]", keys)
    })
    .await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let asked = terminal.load_message(id, &mut card, (AMOUNT, proof));
    assert_eq!(outcome(&terminal.relay(&asked).await), "card-mac-bad");
    stage.close(0).await;
}

#[tokio::test]
async fn a_card_that_was_blocked_meanwhile_gets_no_new_mac2_and_the_money_can_go_back() {
    let blocked = |text: String| {
        let serial = "serial = \"00006217000000004471\"";
        text.replace(serial, &format!("{serial}\nstatus = \"blocked\""))
    };
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, _) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let stage = stage.restarted_with(blocked).await;
    terminal.reach(&stage);
    let end = Resume::of(Some(id)).decide(&mut terminal, &mut card).await;
    assert_eq!(
        outcome(&end),
        "card-blocked",
        "whoever found it loads nothing"
    );
    assert!(end.body.reference.is_some(), "the money has a name");
    assert_eq!(stage.bank.money().await.unwrap().in_transit, 5_000);
    let refund = Resume::refund_of(id);
    let asked = refund.open(&mut terminal, &card).await;
    let asked = refund.prove(&mut terminal, &card, &asked).await;
    let done = refund.witness(&mut terminal, &mut card, (&asked, 3)).await;
    assert_eq!(outcome(&done), "refunded");
    stage.close(0).await;
}

#[tokio::test]
async fn a_blocked_card_that_was_credited_still_settles_its_load() {
    let blocked = |text: String| {
        let serial = "serial = \"00006217000000004471\"";
        text.replace(serial, &format!("{serial}\nstatus = \"blocked\""))
    };
    for by_counter in [false, true] {
        let stage = Stage::new().await;
        let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
        let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
        card.credit(&data).unwrap();
        let stage = stage.restarted_with(blocked).await;
        terminal.reach(&stage);
        let resume = Resume::of(Some(id));
        let end = if by_counter {
            card.forget_proof();
            resume.decide(&mut terminal, &mut card).await
        } else {
            let asked = resume.open(&mut terminal, &card).await;
            resume.prove(&mut terminal, &card, &asked).await
        };
        assert_eq!(outcome(&end), "ok", "by counter: {by_counter}");
        stage.close(5_000).await;
    }
}

#[tokio::test]
async fn a_proof_that_waited_while_its_terminal_enrolled_anew_is_taken_from_the_new_one() {
    let stage = Stage::new().await;
    let (mut before, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = before.issued(&stage, &mut card, AMOUNT).await;
    let tac = card.credit(&data);
    let mut after = stage.terminal().await;
    let waited = after.credit_message(Operation::TopUp, (id, 2), tac);
    let done = after.relay(&waited).await;
    assert_eq!(
        outcome(&done),
        "ok",
        "the proof is the card's, whoever brings it"
    );
    assert_eq!(after.relay(&waited).await, done, "and again, byte for byte");
    stage.close(5_000).await;
}

#[tokio::test]
async fn another_terminal_can_neither_spoil_nor_take_over_a_load_under_way() {
    let stage = Stage::new().await;
    let (mut ours, mut theirs) = (stage.terminal().await, stage.terminal().await);
    let mut card = Card::demo();
    let (id, data) = ours.issued(&stage, &mut card, AMOUNT).await;
    for (tac, said) in [(None, "step-unknown"), (Some([7; 4]), "step-unknown")] {
        let foreign = theirs.credit_message(Operation::TopUp, (id, 2), tac);
        assert_eq!(outcome(&theirs.relay(&foreign).await), said, "{tac:?}");
    }
    let first = theirs.load_message(id, &mut card.clone(), (AMOUNT, [0; 16]));
    assert_eq!(outcome(&theirs.relay(&first).await), "step-conflict");
    let tac = card.credit(&data);
    let done = ours.credit_message(Operation::TopUp, (id, 2), tac);
    assert_eq!(outcome(&ours.relay(&done).await), "ok");
    stage.close(5_000).await;
}

#[tokio::test]
async fn the_tac_of_another_load_proves_nothing_wherever_it_is_shown() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (first, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let old = card.credit(&data);
    let done = terminal.credit_message(Operation::TopUp, (first, 2), old);
    assert_eq!(outcome(&terminal.relay(&done).await), "ok");
    stage.clock.advance(1_000);
    let (second, _) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let replayed = terminal.credit_message(Operation::TopUp, (second, 2), old);
    assert_eq!(outcome(&terminal.relay(&replayed).await), "tac-bad");
    let asked = Resume::of(Some(second))
        .decide(&mut terminal, &mut card)
        .await;
    assert_eq!(phase(&asked), "credit", "not loaded: the card says so");
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_load_of_the_same_amount_by_another_channel_is_not_taken_for_ours() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, _) = terminal.issued(&stage, &mut card, AMOUNT).await;
    card.load_elsewhere(AMOUNT);
    card.spend(200);
    let end = Resume::of(Some(id)).decide(&mut terminal, &mut card).await;
    assert_eq!(outcome(&end), "manual", "the log names another load");
    assert_eq!(stage.bank.money().await.unwrap().in_transit, 5_000);
    stage.close(0).await;
}

#[tokio::test]
async fn a_transaction_that_never_came_is_void_when_its_terminal_asks_so() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let ask = async |terminal: &Terminal, id: [u8; 16], void: bool| {
        let id = hex::encode(id);
        let body = match void {
            true => serde_json::json!({"transaction": id, "void": true}),
            false => serde_json::json!({"transaction": id}),
        };
        terminal.ask("/v1/outcome", body).await.unwrap()["outcome"].clone()
    };
    let late = async |terminal: &mut Terminal, card: &mut Card| {
        let id = new_id();
        let proof = terminal.sms_proof(&stage, &id, card).await;
        (id, terminal.load_message(id, card, (AMOUNT, proof)))
    };
    let (id, message) = late(&mut terminal, &mut card).await;
    assert_eq!(ask(&terminal, id, false).await, "unknown");
    assert_eq!(
        phase(&terminal.relay(&message).await),
        "credit",
        "asking alone moves nothing"
    );
    assert_eq!(
        ask(&terminal, id, true).await,
        "in-doubt",
        "what came is not voided"
    );
    let refund = Resume::refund_of(id);
    let asked = refund.open(&mut terminal, &card).await;
    let asked = refund.prove(&mut terminal, &card, &asked).await;
    refund.witness(&mut terminal, &mut card, (&asked, 3)).await;
    stage.clock.advance(61_000);
    let (id, message) = late(&mut terminal, &mut card).await;
    for _ in 0..2 {
        assert_eq!(ask(&terminal, id, true).await, "voided");
    }
    assert_eq!(
        outcome(&terminal.relay(&message).await),
        "voided",
        "a late copy"
    );
    let unknown = Card::new("00006217000000009999", true, 0);
    let (id, message) = (new_id(), &mut unknown.clone());
    let refused = terminal.load_message(id, message, (AMOUNT, [0; 16]));
    assert_eq!(outcome(&terminal.relay(&refused).await), "card-unknown");
    assert_eq!(
        ask(&terminal, id, true).await,
        "voided",
        "answered, and nothing moved"
    );
    stage.close(0).await;
}

#[tokio::test]
async fn a_card_at_the_end_of_its_counter_settles_its_last_load() {
    for credited in [false, true] {
        let stage = Stage::new().await;
        let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
        card.counter = u16::MAX - 1;
        let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
        if credited {
            card.credit(&data).unwrap();
            card.forget_proof();
        }
        let resume = Resume::of(Some(id));
        let mut end = resume.decide(&mut terminal, &mut card).await;
        if !credited {
            end = resume.credit(&mut terminal, &mut card, &end).await;
        }
        assert_eq!(outcome(&end), "ok", "credited: {credited}");
        assert_eq!(card.counter, u16::MAX);
        stage.close(5_000).await;
    }
}

#[tokio::test]
async fn a_counter_that_can_not_rise_any_more_confirms_nothing_by_wrapping_round() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    card.counter = u16::MAX;
    let (id, _) = terminal.issued(&stage, &mut card, AMOUNT).await;
    card.counter = 0;
    card.balance += AMOUNT;
    let end = Resume::of(Some(id)).decide(&mut terminal, &mut card).await;
    assert_eq!(outcome(&end), "manual");
    card.balance -= AMOUNT;
    stage.close(0).await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_between_two_attempts_confuses_nobody() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, _) = terminal.issued(&stage, &mut card, AMOUNT).await;
    stage.clock.advance(3_600_000_u64.wrapping_neg());
    terminal.fetch_key().await.unwrap();
    let resume = Resume::of(Some(id));
    let asked = resume.decide(&mut terminal, &mut card).await;
    let done = resume.credit(&mut terminal, &mut card, &asked).await;
    assert_eq!(outcome(&done), "ok");
    assert_eq!(number(&done, "new_balance"), 17_850);
    stage.close(5_000).await;
}

#[tokio::test]
async fn an_initialize_that_was_late_never_beats_what_was_spent_meanwhile() {
    let stage = Stage::new().await;
    let (mut slow, mut quick) = (stage.terminal().await, stage.terminal().await);
    let mut card = Card::demo();
    let (id, _) = slow.issued(&stage, &mut card, AMOUNT).await;
    let late = Resume::of(Some(id));
    let asked = late.open(&mut slow, &card).await;
    let asked = late.prove(&mut slow, &card, &asked).await;
    let mut before = card.clone();
    card.spend(300);
    Resume::of(Some(id)).decide(&mut quick, &mut card).await;
    Resume::of(Some(id)).open(&mut quick, &card).await;
    let end = late.initialize_any(&mut slow, &mut before, &asked).await;
    assert_eq!(outcome(&end), "in-doubt", "an attempt was made since");
    let last = Resume::of(Some(id));
    let asked = last.decide(&mut quick, &mut card).await;
    assert_eq!(
        outcome(&last.credit(&mut quick, &mut card, &asked).await),
        "ok"
    );
    stage.close(4_700 + 300).await;
}

#[tokio::test]
async fn a_store_from_an_hour_ago_strands_no_terminal_and_no_card() {
    // A file, whatever the other flows run on: it is copied and put back.
    let stage = Stage::on(None, |text| text).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (open, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let mut kept = Vec::new();
    let stage = stage.restarted_after(|file| kept = std::fs::read(file).unwrap());
    let stage = stage.await;
    terminal.reach(&stage);
    let tac = card.credit(&data);
    let done = terminal.credit_message(Operation::TopUp, (open, 2), tac);
    assert_eq!(outcome(&terminal.relay(&done).await), "ok");
    terminal.fetch_key().await.unwrap();
    let (lost, _) = terminal.issued(&stage, &mut card, 2_000).await;
    let stage = stage.restarted_after(|file| std::fs::write(file, &kept).unwrap());
    let stage = stage.await;
    terminal.reach(&stage);
    terminal.fetch_key().await.unwrap();
    let resume = Resume::of(Some(open));
    let asked = resume.open(&mut terminal, &card).await;
    let end = resume.prove(&mut terminal, &card, &asked).await;
    assert_eq!(
        outcome(&end),
        "ok",
        "the card still proves what the store forgot"
    );
    let never = Resume::of(Some(lost)).open(&mut terminal, &card).await;
    assert_eq!(
        outcome(&never),
        "nothing-pending",
        "that debit is forgotten as well"
    );
    let done = terminal.top_up(&stage, &mut card, 1_000).await;
    assert_eq!(outcome(&done), "ok");
    stage.close(6_000).await;
}
