//! A bank whose customers' money is at a core banking host, and the steps of its terminals.

use std::time::Duration;

use relay::{Letter, Message, Operation};

use crate::card::Card;
use crate::core_host::{ACCOUNT, CoreHost, START};
use crate::stage::Stage;
use crate::terminal::{Terminal, code, new_id, phase};

pub(crate) const AMOUNT: u32 = 5_000;
/// More than any row is left to whoever took it, and than a host may be slow.
pub(crate) const LONG_MS: u64 = 130_000;

pub(crate) async fn stage() -> (Stage, CoreHost) {
    let host = CoreHost::start().await;
    let stage = Stage::with(|text| host.configured(&text)).await;
    (stage, host)
}

/// The answer to one message; a bank whose line to its host is not there yet is asked again.
pub(crate) async fn relay(terminal: &mut Terminal, message: &Message) -> Message {
    for _ in 0..400 {
        match terminal.relay_bytes(&message.encode().unwrap()).await {
            Ok(answer) => return Message::parse(&answer).unwrap(),
            Err(error) => assert!(["busy", "late"].contains(&&*code(error))),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the bank stays busy");
}

/// Step 1 of a top-up, and its id.
pub(crate) async fn asked(
    stage: &Stage,
    terminal: &mut Terminal,
    card: &mut Card,
) -> ([u8; 16], Message) {
    let id = new_id();
    let proof = terminal.sms_proof(stage, &id, card).await;
    let message = terminal.load_message(id, card, (AMOUNT, proof));
    (id, message)
}

pub(crate) async fn credited(
    terminal: &mut Terminal,
    card: &mut Card,
    (id, issued): ([u8; 16], &Message),
) -> Message {
    assert_eq!(phase(issued), "credit");
    let tac = card.credit(issued.body.field("credit_data").unwrap());
    terminal
        .relay(&terminal.credit_message(Operation::TopUp, (id, 2), tac))
        .await
}

pub(crate) async fn top_up(stage: &Stage, terminal: &mut Terminal, card: &mut Card) -> Message {
    let (id, message) = asked(stage, terminal, card).await;
    let issued = relay(terminal, &message).await;
    if issued.letter == Letter::A {
        return issued;
    }
    credited(terminal, card, (id, &issued)).await
}

/// Until the host owes nothing, and then both books say the same: what cards hold is what the account paid.
pub(crate) async fn close(stage: Stage, host: CoreHost, on_cards: i64) {
    let mut report = stage.bank.check().await.unwrap();
    for _ in 0..200 {
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        if START - host.books().balance == -report.money.funding {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        report = stage.bank.check().await.unwrap();
    }
    let (balance, problems) = {
        let books = host.books();
        (books.balance, books.problems.clone())
    };
    let money = report.money;
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(START - balance, -money.funding, "what left the account");
    assert_eq!(money.customers, 0, "the account's mirror keeps nothing");
    assert_eq!((money.card_float, money.in_transit), (on_cards, 0));
    assert_eq!(START - balance, on_cards, "no fen lost or made");
    let (file, store) = (stage.dir.path().join("bank.sqlite"), stage.store);
    stage.bank.stop().await;
    if store.is_none() {
        let bytes = std::fs::read(file).unwrap();
        let named = |window: &[u8]| window == ACCOUNT.as_bytes();
        assert!(
            !bytes.windows(ACCOUNT.len()).any(named),
            "the account's number is in the store"
        );
    }
}

/// Until so many messages of this type came.
pub(crate) async fn until(host: &CoreHost, mti: &str, count: usize) {
    for _ in 0..400 {
        if host.count(mti) >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{mti}: {} came", host.count(mti));
}

/// The same of repeated reversals, whose pauses pass meanwhile.
pub(crate) async fn until_repeated(stage: &Stage, host: &CoreHost, count: usize) {
    until(host, "0420", 1).await;
    for _ in 0..40 {
        if host.count("0421") >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        stage.clock.advance(LONG_MS);
    }
    panic!("{} of {count} repetitions came", host.count("0421"));
}
