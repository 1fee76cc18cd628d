//! Paying for a queue.

use bank_client::ClientError;
use bank_client::queue::RefusedRow;

use super::books::harmed;
use super::{AMOUNT, Class, DAY_MS, PUPILS, item};
use crate::stage::PHONE;
use crate::terminal::{code, random};

const ALL: i64 = 3 * AMOUNT as i64;

#[tokio::test]
async fn one_payment_waits_for_many_cards_and_the_same_request_is_the_same_payment() {
    let class = Class::new().await;
    let request = class.paying(class.items()).await;
    let opened = class.open(&request).await.unwrap();
    assert_eq!(opened.total, u64::from(3 * AMOUNT));
    let now_ms = class.terminal.now_ms();
    assert_eq!(opened.closes_ms, now_ms + 30 * DAY_MS);
    assert_eq!(class.paid().await, (ALL, ALL), "one debit");
    let again = class.open(&request).await.unwrap();
    assert!(again == opened, "the same answer");
    assert_eq!(class.paid().await, (ALL, ALL), "no second debit");
    let told = class.state().await;
    assert_eq!(
        told.proof,
        Some(opened.proof),
        "a terminal whose answer was lost has it from here"
    );
    let other = class.paying_with("000000", class.items());
    let refused = code(class.open(&other).await.unwrap_err());
    assert_eq!(refused, "bad-request", "another request of the same name");
    let refused = code(class.send(&class.items(), PHONE).await.unwrap_err());
    assert_eq!(refused, "code-unknown", "no code for what is paid");
    class.stage.close(0).await;
}

#[tokio::test]
async fn two_requests_at_once_pay_once() {
    let class = Class::new().await;
    let request = class.paying(class.items()).await;
    let (one, two) = tokio::join!(class.open(&request), class.open(&request));
    assert!(one.unwrap() == two.unwrap(), "one opening");
    assert_eq!(class.paid().await, (ALL, ALL));
    class.stage.close(0).await;
}

#[tokio::test]
async fn an_opening_that_its_terminal_gave_up_pays_nothing_and_one_that_came_stays() {
    let mut class = Class::new().await;
    let late = class.paying(class.items()).await;
    let stranger = class.stage.terminal().await;
    let asked = class.state_or_void(&stranger, true).await;
    assert_eq!(code(asked.err().unwrap()), "queue-unknown");
    for _ in 0..2 {
        let asked = class.state_or_void(&class.terminal, true).await;
        assert_eq!(code(asked.err().unwrap()), "queue-unknown");
    }
    let refused = code(class.open(&late).await.err().unwrap());
    assert_eq!(refused, "code-unknown", "it comes after its end");
    assert_eq!(class.paid().await, (0, 0));

    class.queue = random();
    class.stage.clock.advance(61_000);
    let request = class.paying(class.items()).await;
    let unheard = class.state_or_void(&stranger, true).await;
    assert_eq!(code(unheard.err().unwrap()), "queue-unknown");
    let opened = class.open(&request).await.unwrap();
    let told = class.state_or_void(&class.terminal, true).await.unwrap();
    assert_eq!(told.proof, Some(opened.proof), "what was paid is paid");
    class.load(0, 0, opened.proof).await;
    class.stage.close(AMOUNT.into()).await;
}

#[tokio::test]
async fn a_restarted_bank_knows_what_was_paid() {
    let mut class = Class::new().await;
    let request = class.paying(class.items()).await;
    let opened = class.open(&request).await.unwrap();
    class.stage = class.stage.restarted_with(super::with_pupils).await;
    class.terminal.reach(&class.stage);
    let again = class.open(&request).await.unwrap();
    assert!(again == opened, "the same answer");
    class.load(1, 0, opened.proof).await;
    assert_eq!(class.paid().await, (ALL, ALL - i64::from(AMOUNT)));
    class.stage.close(AMOUNT.into()).await;
}

#[tokio::test]
async fn an_opening_that_fails_in_the_middle_leaves_nothing_behind_and_the_same_one_works_afterwards()
 {
    let class = Class::new().await;
    let request = class.paying(class.items()).await;
    // All is done but the last row of the commit.
    let broken = match class.stage.store {
        Some(_) => {
            "CREATE TRIGGER broken BEFORE INSERT ON audit FOR EACH ROW WHEN (NEW.kind = 'queue-opened')
             EXECUTE FUNCTION stays()"
        }
        None => {
            "CREATE TRIGGER broken BEFORE INSERT ON audit WHEN NEW.kind = 'queue-opened'
             BEGIN SELECT RAISE(ABORT, 'as a full disk'); END"
        }
    };
    harmed(&class.stage, broken).await;
    let refused = code(class.open(&request).await.unwrap_err());
    assert_eq!(refused, "internal");
    assert_eq!(class.paid().await, (0, 0), "no fen moved");
    let refused = code(class.state_at(&class.terminal).await.unwrap_err());
    assert_eq!(refused, "queue-unknown");
    let mended = match class.stage.store {
        Some(_) => "DROP TRIGGER broken ON audit",
        None => "DROP TRIGGER broken",
    };
    harmed(&class.stage, mended).await;
    class.open(&request).await.unwrap();
    assert_eq!(class.paid().await, (ALL, ALL));
    class.stage.close(0).await;
}

/// How the code is refused that somebody typed.
async fn typed(class: &Class, typed: &str) -> String {
    let request = class.paying_with(typed, class.items());
    code(class.open(&request).await.unwrap_err())
}

fn other_than(code: &str) -> String {
    let other = (code.parse::<u32>().unwrap() + 1) % 1_000_000;
    format!("{other:06}")
}

#[tokio::test]
async fn a_code_has_five_tries_and_is_bound_to_cards_and_total() {
    let class = Class::new().await;
    let right = class.sent(&class.items()).await;
    let mut fewer = class.items();
    fewer.pop();
    let refused = class.open(&class.paying_with(&right, fewer)).await;
    assert_eq!(code(refused.unwrap_err()), "code-unknown", "fewer cards");
    let mut dearer = class.items();
    dearer[0].amount += 1;
    let refused = class.open(&class.paying_with(&right, dearer)).await;
    assert_eq!(code(refused.unwrap_err()), "code-unknown", "more money");
    for _ in 0..4 {
        assert_eq!(typed(&class, &other_than(&right)).await, "code-wrong");
    }
    assert_eq!(typed(&class, &other_than(&right)).await, "code-locked");
    assert_eq!(typed(&class, &right).await, "code-locked", "it stays so");
    class.stage.clock.advance(60_000);
    let newer = class.sent(&class.items()).await;
    class.stage.clock.advance(300_001);
    assert_eq!(typed(&class, &newer).await, "code-expired");
    class.stage.clock.advance(60_000);
    let newest = class.sent(&class.items()).await;
    class
        .open(&class.paying_with(&newest, class.items()))
        .await
        .unwrap();
    class.stage.close(0).await;
}

#[tokio::test]
async fn a_number_that_is_nobodys_looks_the_same_and_opens_nothing() {
    let class = Class::new().await;
    let right = class.send(&class.items(), "13999999999").await.unwrap();
    assert_eq!((right.resend_after_ms, right.valid_ms), (60_000, 300_000));
    let soon = code(class.send(&class.items(), PHONE).await.unwrap_err());
    assert_eq!(soon, "too-many", "the same rest");
    assert_eq!(typed(&class, "123456").await, "code-wrong");
    class.stage.clock.advance(60_000);
    let stranger = class.stage.terminal().await;
    let sent = Class {
        terminal: stranger,
        ..class
    };
    let refused = code(sent.send(&sent.items(), PHONE).await.unwrap_err());
    assert_eq!(
        refused, "code-unknown",
        "another terminal's name of a queue"
    );
    sent.stage.close(0).await;
}

#[tokio::test]
async fn a_wrong_password_counts_and_leaves_the_code_good() {
    let class = Class::new().await;
    let right = class.sent(&class.items()).await;
    let mut request = class.paying_with(&right, class.items());
    request.pin_block = class.terminal.pin_block("111111");
    let refused = class.open(&request).await.unwrap_err();
    let ClientError::Refused { code: said, params } = refused else {
        panic!("refused")
    };
    assert_eq!(
        (said.as_str(), params["tries_left"].as_str()),
        ("password-wrong", "2")
    );
    let mut unread = class.paying_with(&right, class.items());
    unread.pin_block[8] ^= 1;
    let refused = code(class.open(&unread).await.unwrap_err());
    assert_eq!(refused, "bad-request", "what can't be read costs no try");
    class
        .open(&class.paying_with(&right, class.items()))
        .await
        .unwrap();
    assert_eq!(class.paid().await, (ALL, ALL));
    class.stage.close(0).await;
}

#[tokio::test]
async fn three_wrong_passwords_lock_the_account() {
    let class = Class::new().await;
    let right = class.sent(&class.items()).await;
    for expected in ["password-wrong", "password-wrong", "password-locked"] {
        let mut request = class.paying_with(&right, class.items());
        request.pin_block = class.terminal.pin_block("111111");
        let refused = code(class.open(&request).await.unwrap_err());
        assert_eq!(refused, expected);
    }
    let refused = class.open(&class.paying_with(&right, class.items())).await;
    assert_eq!(code(refused.unwrap_err()), "password-locked");
    assert_eq!(class.paid().await, (0, 0));
    class.stage.close(0).await;
}

#[tokio::test]
async fn rows_that_can_not_be_are_told_all_at_once_and_only_to_who_has_code_and_password() {
    let class = Class::new().await;
    let items = vec![
        item(PUPILS[0], AMOUNT),
        item("00006217000000099999", AMOUNT),
        item("no number", AMOUNT),
        item("00006217000000010009", AMOUNT),
        // As people write it: without the zeros.
        item("6217000000010001", AMOUNT),
        item(PUPILS[1], 99),
        item(PUPILS[2], 50_001),
    ];
    let right = class.sent(&items).await;
    let blind = class.paying_with(&other_than(&right), items.clone());
    let refused = code(class.open(&blind).await.unwrap_err());
    assert_eq!(refused, "code-wrong", "nothing of the rows");
    let refused = class.open(&class.paying_with(&right, items)).await;
    let ClientError::Refused { code: said, params } = refused.unwrap_err() else {
        panic!("refused")
    };
    assert_eq!(said, "queue-rows");
    let rows = RefusedRow::of(&params);
    let rows: Vec<(usize, &str)> = rows.iter().map(|it| (it.row, it.code.as_str())).collect();
    let expected = [
        (1, "card-unknown"),
        (2, "card-unknown"),
        (3, "card-blocked"),
        (4, "card-twice"),
        (5, "amount-low"),
        (6, "amount-high"),
    ];
    assert_eq!(rows, expected);
    assert_eq!(class.paid().await, (0, 0));
    class.stage.close(0).await;
}

#[tokio::test]
async fn an_account_never_pays_more_than_it_has() {
    let poor = |text: String| text.replacen("balance = 1000000", "balance = 14999", 1);
    let class = Class::with(poor).await;
    let right = class.sent(&class.items()).await;
    let refused = class.open(&class.paying_with(&right, class.items())).await;
    assert_eq!(code(refused.unwrap_err()), "funds-short");
    let mut fewer = class.items();
    fewer.pop();
    class.stage.clock.advance(60_000);
    let request = class.paying(fewer).await;
    class.open(&request).await.unwrap();
    assert_eq!(class.paid().await, (10_000, 10_000));
    class.stage.close(0).await;
}

#[tokio::test]
async fn five_hundred_cards_are_one_payment_and_one_more_is_none() {
    let many = |text: String| {
        let card = |at: u32| {
            format!(
                "\n[[customer.card]]\nindustry = \"0001\"\nserial = \"0000621700000002{at:04}\"\n"
            )
        };
        text + &(0..501).map(card).collect::<String>()
    };
    let class = Class::with(many).await;
    let of = |count: u32| {
        let items = (0..count).map(|at| item(&format!("0000621700000002{at:04}"), 100));
        items.collect::<Vec<_>>()
    };
    let refused = code(class.send(&of(501), PHONE).await.unwrap_err());
    assert_eq!(refused, "bad-request");
    let refused = class.open(&class.paying_with("123456", of(501))).await;
    assert_eq!(code(refused.unwrap_err()), "bad-request");
    let request = class.paying(of(500)).await;
    assert_eq!(class.open(&request).await.unwrap().total, 50_000);
    assert_eq!(class.state().await.items.len(), 500);
    assert_eq!(class.close().await.returned, 50_000);
    assert_eq!(class.paid().await, (0, 0));
    class.stage.close(0).await;
}

#[tokio::test]
async fn a_queue_is_nobody_elses() {
    let class = Class::new().await;
    class.opened().await;
    let stranger = class.stage.terminal().await;
    for refused in [
        class.state_at(&stranger).await,
        class.close_at(&stranger).await,
    ] {
        assert_eq!(code(refused.unwrap_err()), "queue-unknown");
    }
    let none = Class {
        queue: random(),
        ..class
    };
    let refused = none.state_at(&none.terminal).await;
    assert_eq!(
        code(refused.unwrap_err()),
        "queue-unknown",
        "looks the same"
    );
    none.stage.close(0).await;
}
