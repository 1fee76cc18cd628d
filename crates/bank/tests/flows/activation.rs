use relay::{Message, Operation};

use crate::card::Card;
use crate::stage::{PASSWORD, Stage};
use crate::terminal::{Terminal, message, new_id, outcome, phase};

const CHALLENGE: [u8; 4] = [0xA3, 0xBB, 0xCF, 0xC8];

fn first(terminal: &Terminal, id: [u8; 16], card: &Card, password: &str) -> Message {
    let mut body = terminal.body(Operation::Activation, id, 1, "activate");
    body.pin_block = Some(terminal.pin_block(password));
    body.put("file15", card.file15());
    body.put("challenge", CHALLENGE);
    message(body)
}

fn second(terminal: &Terminal, id: [u8; 16], card: &Card, status: [u8; 2]) -> Message {
    let mut body = terminal.body(Operation::Activation, id, 2, "enable");
    body.put("status", status);
    body.put("file15", card.file15());
    message(body)
}

#[tokio::test]
async fn an_inactive_card_becomes_active_and_says_so_when_asked_again() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::inactive());
    card.expiry = [0xFF; 4];
    let id = new_id();
    let asked = first(&terminal, id, &card, PASSWORD);
    let answer = terminal.relay(&asked).await;
    assert_eq!(phase(&answer), "enable");
    assert_eq!(terminal.relay(&asked).await, answer, "the same bytes");
    assert!(card.update(CHALLENGE, answer.body.field("update").unwrap()));
    assert_eq!(card.expiry, [0x20, 0x36, 0x11, 0x23], "ten years");
    let done = terminal
        .relay(&second(&terminal, id, &card, [0x90, 0]))
        .await;
    assert_eq!(outcome(&done), "ok");
    let again = terminal
        .relay(&first(&terminal, new_id(), &card, PASSWORD))
        .await;
    assert_eq!(
        (outcome(&again), again.body.field("already")),
        ("ok", Some(&[1][..]))
    );
    stage.close(0).await;
}

#[tokio::test]
async fn a_torn_activation_is_settled_by_the_next_one_both_ways() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::inactive());
    let torn = terminal
        .relay(&first(&terminal, new_id(), &card, PASSWORD))
        .await;
    assert_eq!(phase(&torn), "enable");
    let answer = terminal
        .relay(&first(&terminal, new_id(), &card, PASSWORD))
        .await;
    assert_eq!(phase(&answer), "enable", "not active: once more");
    assert!(card.update(CHALLENGE, answer.body.field("update").unwrap()));
    let answer = terminal
        .relay(&first(&terminal, new_id(), &card, PASSWORD))
        .await;
    assert_eq!(
        outcome(&answer),
        "ok",
        "active: settled by the card's own word"
    );
    assert_eq!(stage.bank.check().await.unwrap().open_loads, 0);
    stage.close(0).await;
}

#[tokio::test]
async fn a_card_that_refuses_and_a_wrong_password_activate_nothing() {
    let stage = Stage::new().await;
    let (mut terminal, card) = (stage.terminal().await, Card::inactive());
    let wrong = terminal
        .relay(&first(&terminal, new_id(), &card, "000000"))
        .await;
    assert_eq!(
        (outcome(&wrong), wrong.body.field("tries_left")),
        ("password-wrong", Some(&[2][..]))
    );
    let id = new_id();
    terminal.relay(&first(&terminal, id, &card, PASSWORD)).await;
    let refused = terminal
        .relay(&second(&terminal, id, &card, [0x69, 0x88]))
        .await;
    assert_eq!(outcome(&refused), "card-refused");
    let unknown = Card::new("00006217000000009999", false, 0);
    let answer = terminal
        .relay(&first(&terminal, new_id(), &unknown, PASSWORD))
        .await;
    assert_eq!(outcome(&answer), "card-unknown");
    stage.close(0).await;
}

#[tokio::test]
async fn guesses_at_an_activation_lock_activations_and_leave_top_ups_alone() {
    let stage = Stage::new().await;
    let (mut stranger, mut owner) = (stage.terminal().await, stage.terminal().await);
    let inactive = Card::inactive();
    for expected in [
        "password-wrong",
        "password-wrong",
        "password-locked",
        "password-locked",
    ] {
        let guess = first(&stranger, new_id(), &inactive, "000000");
        assert_eq!(outcome(&stranger.relay(&guess).await), expected);
    }
    let right = first(&owner, new_id(), &inactive, PASSWORD);
    assert_eq!(outcome(&owner.relay(&right).await), "password-locked");
    let mut card = Card::demo();
    let loaded = owner.top_up(&stage, &mut card, 5_000).await;
    assert_eq!(
        outcome(&loaded),
        "ok",
        "the same customer's money is not locked"
    );
    stage.close(5_000).await;
}

#[tokio::test]
async fn an_activation_that_nobody_finished_for_months_waits_for_no_people_and_blocks_nothing() {
    let mut stage = Stage::new().await;
    let (mut terminal, card) = (stage.terminal().await, Card::inactive());
    let torn = terminal
        .relay(&first(&terminal, new_id(), &card, PASSWORD))
        .await;
    assert_eq!(phase(&torn), "enable");
    // In doubt after the first start, and too old for a load with money at the second.
    for expected in ["in-doubt", "in-doubt"] {
        stage.clock.advance(61 * 24 * 3_600_000);
        stage = stage.restarted().await;
        stage.until_phases(&[expected]).await;
    }
    let mut card = Card::new("00006217000000008826", true, 0);
    let mut terminal = stage.terminal().await;
    terminal.top_up(&stage, &mut card, 5_000).await;
    assert_eq!(stage.phases().await, ["confirmed", "confirmed"]);
    stage.close(5_000).await;
}
