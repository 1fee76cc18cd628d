use relay::Operation;

use crate::card::Card;
use crate::stage::{PASSWORD, PHONE, Stage};
use crate::terminal::{Terminal, code, industry, new_id, number, outcome, phase};

#[tokio::test]
async fn a_top_up_moves_the_money_once_and_ends_with_a_reference() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let answer = terminal.top_up(&stage, &mut card, 5_000).await;
    assert_eq!(outcome(&answer), "ok");
    assert_eq!(answer.body.amount, Some(5_000));
    assert_eq!(number(&answer, "old_balance"), 12_850);
    assert_eq!(number(&answer, "new_balance"), 17_850);
    assert!(answer.body.field("already").is_none() && answer.body.field("time").is_some());
    assert!(answer.body.reference.as_deref().unwrap().starts_with("TF-"));
    assert_eq!(stage.bank.money().await.unwrap().customers, 995_000);
    stage.close(5_000).await;
}

#[tokio::test]
async fn the_same_request_gets_the_same_bytes_and_moves_nothing_again() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let first = terminal.load_message(id, &mut card, (5_000, proof));
    let bytes = first.encode().unwrap();
    let sealed = terminal.seal(&bytes);
    let answer = terminal.client.relay(sealed.clone()).await.unwrap();
    let same = terminal.client.relay(sealed).await.unwrap();
    assert_eq!(answer, same, "the same counter: the sealed bytes");
    let again = terminal.relay_bytes(&bytes).await.unwrap();
    assert_eq!(
        terminal.open(&answer),
        again,
        "another counter: the message's bytes"
    );
    let mut other = first.clone();
    other.body.amount = Some(6_000);
    let conflict = terminal.relay(&other).await;
    assert_eq!(outcome(&conflict), "step-conflict");
    let tac = card.credit(
        relay::Message::parse(&again)
            .unwrap()
            .body
            .field("credit_data")
            .unwrap(),
    );
    let second = terminal.credit_message(Operation::TopUp, (id, 2), tac);
    let done = terminal.relay(&second).await;
    assert_eq!(outcome(&done), "ok");
    assert_eq!(terminal.relay(&second).await, done);
    stage.close(5_000).await;
}

#[tokio::test]
async fn the_same_request_sent_several_times_at_once_begins_one_load() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let load = terminal.load_message(id, &mut card, (5_000, proof));
    let bytes = load.encode().unwrap();
    let sealed = [(); 4].map(|()| terminal.seal(&bytes));
    let [a, b, c, d] = sealed.map(|sealed| terminal.client.relay(sealed));
    let answers = tokio::join!(a, b, c, d);
    let answers = [answers.0, answers.1, answers.2, answers.3];
    let [first, others @ ..] = answers.map(|answer| terminal.open(&answer.unwrap()));
    let said = relay::Message::parse(&first).unwrap();
    assert_eq!(phase(&said), "credit");
    for other in others {
        assert_eq!(other, first, "whoever came later is told the same");
    }
    card.credit(said.body.field("credit_data").unwrap())
        .unwrap();
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_wrong_password_counts_and_the_third_locks_whatever_comes_then() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let mut id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    for left in [2, 1] {
        let mut wrong = terminal.load_message(id, &mut card, (5_000, proof));
        wrong.body.pin_block = Some(terminal.pin_block("111111"));
        let answer = terminal.relay(&wrong).await;
        assert_eq!(outcome(&answer), "password-wrong");
        assert_eq!(answer.body.field("tries_left"), Some(&[left][..]));
        assert_eq!(
            terminal.relay(&wrong).await,
            answer,
            "a repeated request costs no try"
        );
        id[15] += 1;
    }
    for password in ["111111", PASSWORD] {
        let mut wrong = terminal.load_message(id, &mut card, (5_000, proof));
        wrong.body.pin_block = Some(terminal.pin_block(password));
        assert_eq!(outcome(&terminal.relay(&wrong).await), "password-locked");
        id[15] += 1;
    }
    stage.clock.advance(24 * 3_600_000);
    terminal.fetch_key().await.unwrap();
    assert_eq!(
        outcome(&terminal.top_up(&stage, &mut card, 100).await),
        "ok",
        "a day later"
    );
    stage.close(100).await;
}

#[tokio::test]
async fn a_declined_attempt_leaves_the_proof_for_the_next_one_and_a_load_uses_it_up() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let mut id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let mut wrong = terminal.load_message(id, &mut card, (5_000, proof));
    wrong.body.pin_block = Some(terminal.pin_block("111111"));
    assert_eq!(outcome(&terminal.relay(&wrong).await), "password-wrong");
    id[15] = 1;
    let right = terminal.load_message(id, &mut card, (5_000, proof));
    let issued = terminal.relay(&right).await;
    let tac = card.credit(issued.body.field("credit_data").unwrap());
    let done = terminal
        .relay(&terminal.credit_message(Operation::TopUp, (id, 2), tac))
        .await;
    assert_eq!(outcome(&done), "ok");
    id[15] = 2;
    let spent = terminal.load_message(id, &mut card, (5_000, proof));
    assert_eq!(outcome(&terminal.relay(&spent).await), "sms-proof-bad");
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_proof_is_good_for_its_transaction_card_and_time_alone() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let elsewhere = terminal.load_message(new_id(), &mut card, (5_000, proof));
    assert_eq!(outcome(&terminal.relay(&elsewhere).await), "sms-proof-bad");
    let mut other_card = Card::inactive();
    other_card.active = true;
    let other = terminal.load_message(id, &mut other_card, (5_000, proof));
    assert_eq!(outcome(&terminal.relay(&other).await), "sms-proof-bad");
    stage.clock.advance(601_000);
    let mut late = id;
    late[15] = 1;
    let late = terminal.load_message(late, &mut card, (5_000, proof));
    assert_eq!(outcome(&terminal.relay(&late).await), "sms-proof-bad");
    stage.close(0).await;
}

#[tokio::test]
async fn limits_and_short_funds_name_the_limit_and_move_nothing() {
    let stage = Stage::with(|text| text.replace("balance = 1000000", "balance = 20000")).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let mut id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    for (amount, said, limit) in [
        (0, "amount-low", 100),
        (99, "amount-low", 100),
        (50_001, "amount-high", 50_000),
    ] {
        let asked = terminal.load_message(id, &mut card, (amount, proof));
        let answer = terminal.relay(&asked).await;
        assert_eq!((outcome(&answer), number(&answer, "limit")), (said, limit));
        id[15] += 1;
    }
    let short = terminal.load_message(id, &mut card, (20_001, proof));
    assert_eq!(outcome(&terminal.relay(&short).await), "funds-short");
    id[15] += 1;
    card.balance = 90_000;
    let full = terminal.load_message(id, &mut card, (10_001, proof));
    let answer = terminal.relay(&full).await;
    assert_eq!(
        (outcome(&answer), number(&answer, "limit")),
        ("balance-limit", 100_000)
    );
    stage.close(0).await;
}

#[tokio::test]
async fn a_card_that_is_not_fit_is_told_apart() {
    let stage = Stage::with(|text| {
        text.replace(
            "serial = \"00006217000000008826\"",
            "serial = \"00006217000000008826\"\nstatus = \"blocked\"",
        )
    })
    .await;
    let mut terminal = stage.terminal().await;
    let mut expect = async |card: &mut Card, said: &str| {
        let message = terminal.load_message(new_id(), card, (5_000, [0; 16]));
        assert_eq!(outcome(&terminal.relay(&message).await), said);
    };
    let mut expired = Card::demo();
    expired.expiry = [0x20, 0x26, 0x11, 0x22];
    expect(&mut expired, "card-expired").await;
    let mut sleeping = Card::demo();
    sleeping.active = false;
    expect(&mut sleeping, "card-not-active").await;
    expect(
        &mut Card::new("00006217000000009999", true, 0),
        "card-unknown",
    )
    .await;
    let mut blocked = Card::inactive();
    blocked.active = true;
    expect(&mut blocked, "card-blocked").await;
    let mut forged = terminal.load_message(new_id(), &mut Card::demo(), (5_000, [0; 16]));
    let init = forged
        .body
        .fields
        .iter_mut()
        .find(|field| field.name == "init")
        .unwrap();
    init.value[0] ^= 1;
    assert_eq!(outcome(&terminal.relay(&forged).await), "card-mac-bad");
    stage.close(0).await;
}

#[tokio::test]
async fn an_old_counter_is_refused_and_an_open_load_blocks_the_next() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let mut old = card.clone();
    assert_eq!(
        outcome(&terminal.top_up(&stage, &mut card, 5_000).await),
        "ok"
    );
    let replayed = terminal.load_message(new_id(), &mut old, (5_000, [0; 16]));
    assert_eq!(outcome(&terminal.relay(&replayed).await), "counter-seen");
    let (_, data) = terminal.issued(&stage, &mut card, 3_000).await;
    let second = terminal.load_message(new_id(), &mut card.clone(), (4_000, [0; 16]));
    let answer = terminal.relay(&second).await;
    assert_eq!(outcome(&answer), "load-open");
    assert_eq!(answer.body.amount, Some(3_000));
    assert!(answer.body.reference.is_some());
    card.credit(&data).unwrap();
    stage.close(8_000).await;
}

#[tokio::test]
async fn a_refusal_of_the_card_and_a_wrong_tac_leave_the_money_in_transit() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = terminal.issued(&stage, &mut card, 5_000).await;
    let no = terminal.credit_message(Operation::TopUp, (id, 2), None);
    let answer = terminal.relay(&no).await;
    assert_eq!(
        (outcome(&answer), answer.body.amount),
        ("card-refused", Some(5_000))
    );
    assert!(
        card.credit(&data).is_some(),
        "the test's card would have taken it"
    );
    let mut other = Card::inactive();
    other.active = true;
    let (id, _) = terminal.issued(&stage, &mut other, 1_000).await;
    let wrong = terminal.credit_message(Operation::TopUp, (id, 2), Some([1, 2, 3, 4]));
    assert_eq!(outcome(&terminal.relay(&wrong).await), "tac-bad");
    assert_eq!(stage.bank.money().await.unwrap().in_transit, 6_000);
    let report = stage.bank.check().await.unwrap();
    assert_eq!((report.findings, report.open_loads), (Vec::new(), 2));
    stage.bank.stop().await;
}

#[tokio::test]
async fn a_load_that_nobody_speaks_of_falls_into_doubt_and_a_late_tac_still_confirms_it() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = terminal.issued(&stage, &mut card, 5_000).await;
    let tac = card.credit(&data);
    stage.clock.advance(301_000);
    tokio::time::sleep(std::time::Duration::from_millis(1_300)).await;
    let late = terminal
        .relay(&terminal.credit_message(Operation::TopUp, (id, 2), tac))
        .await;
    assert_eq!(outcome(&late), "ok");
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_wrong_code_counts_down_and_a_wrong_number_looks_the_same() {
    let stage = Stage::new().await;
    let terminal = stage.terminal().await;
    let (right, wrong) = (new_id(), new_id());
    let one = terminal.send_code(&right, "4471", PHONE).await;
    let two = terminal.send_code(&wrong, "4471", "13900000000").await;
    assert_eq!(one, two);
    let sent = stage.newest_code("4471").await;
    let bad = if sent == "000000" { "000001" } else { "000000" };
    for id in [right, wrong] {
        for _ in 0..4 {
            assert_eq!(
                code(terminal.verify(&id, bad).await.unwrap_err()),
                "code-wrong"
            );
        }
        assert_eq!(
            code(terminal.verify(&id, bad).await.unwrap_err()),
            "code-locked"
        );
        assert_eq!(
            code(terminal.verify(&id, &sent).await.unwrap_err()),
            "code-locked"
        );
    }
    assert_eq!(
        stage.inbox().await.len(),
        1,
        "nothing was sent to the number that was typed"
    );
    assert_eq!(
        code(terminal.verify(&new_id(), bad).await.unwrap_err()),
        "code-unknown"
    );
    stage.close(0).await;
}

#[tokio::test]
async fn a_code_ends_with_its_time_and_comes_again_after_a_minute() {
    let stage = Stage::new().await;
    let (terminal, id) = (stage.terminal().await, new_id());
    terminal.send_code(&id, "4471", PHONE).await;
    let first = stage.newest_code("4471").await;
    let body = serde_json::json!({"transaction": hex::encode(id), "industry": "0001",
        "card_tail": "4471", "phone": PHONE});
    let early = terminal
        .ask("/v1/sms/send", body.clone())
        .await
        .unwrap_err();
    assert_eq!(code(early), "too-many");
    stage.clock.advance(301_000);
    assert_eq!(
        code(terminal.verify(&id, &first).await.unwrap_err()),
        "code-expired"
    );
    terminal.ask("/v1/sms/send", body).await.unwrap();
    let second = stage.newest_code("4471").await;
    let proof = terminal.verify(&id, &second).await.unwrap();
    assert_eq!(
        terminal.verify(&id, &second).await.unwrap(),
        proof,
        "a lost answer comes again"
    );
    let other = Terminal::enrol(&stage).await;
    assert_eq!(
        code(other.verify(&id, &second).await.unwrap_err()),
        "code-unknown"
    );
    stage.close(0).await;
}

#[tokio::test]
async fn codes_are_limited_by_number_prefix_terminal_and_address() {
    // What varies from send to send; what stays the same meets its limit.
    for (limit, numbers, terminals) in [
        ("per_number_per_hour", ["13800006021"; 3], 3),
        (
            "per_prefix_per_hour",
            ["13800006021", "13800001111", "13800002222"],
            3,
        ),
        (
            "per_terminal_per_hour",
            ["13800006021", "13911110000", "13722220000"],
            1,
        ),
        (
            "per_address_per_hour",
            ["13800006021", "13911110000", "13722220000"],
            3,
        ),
    ] {
        let most = format!("{limit} = 1000");
        let stage = Stage::with(|text| text.replace(&most, &format!("{limit} = 2"))).await;
        let mut all = Vec::new();
        for _ in 0..terminals {
            all.push(stage.terminal().await);
        }
        for (place, number) in numbers.into_iter().enumerate() {
            let terminal = &all[place % all.len()];
            let body = serde_json::json!({"transaction": hex::encode(new_id()),
                "industry": "0001", "card_tail": "4471", "phone": number});
            let answer = terminal.ask("/v1/sms/send", body).await;
            let said = answer.err().map(code);
            let expected = (place == 2).then_some("too-many".to_owned());
            assert_eq!(said, expected, "{limit} {place}");
        }
        stage.close(0).await;
    }
}

#[tokio::test]
async fn an_unknown_industry_and_an_old_package_have_their_own_ends() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let mut message = terminal.load_message(new_id(), &mut card, (5_000, [0; 16]));
    message.industry = industry("9999");
    assert_eq!(outcome(&terminal.relay(&message).await), "industry-unknown");
    let mut message = terminal.load_message(new_id(), &mut card, (5_000, [0; 16]));
    message.body.package_version = Some(0);
    assert_eq!(outcome(&terminal.relay(&message).await), "package-old");
    let mut message = terminal.load_message(new_id(), &mut card, (5_000, [0; 16]));
    message.body.package_version = None;
    let without = terminal.relay(&message).await;
    assert_eq!(
        outcome(&without),
        "sms-proof-bad",
        "step 1 need not name a version"
    );
    stage.close(0).await;
}

#[tokio::test]
async fn steps_out_of_order_are_refused() {
    let stage = Stage::new().await;
    let mut terminal = stage.terminal().await;
    let early = terminal.credit_message(Operation::TopUp, (new_id(), 2), Some([0; 4]));
    assert_eq!(outcome(&terminal.relay(&early).await), "step-unknown");
    let (mut card, id) = (Card::demo(), new_id());
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let issued = terminal
        .relay(&terminal.load_message(id, &mut card, (5_000, proof)))
        .await;
    assert_eq!(phase(&issued), "credit");
    let skipped = terminal.credit_message(Operation::TopUp, (id, 3), Some([0; 4]));
    assert_eq!(outcome(&terminal.relay(&skipped).await), "step-unknown");
    let mut thief = stage.terminal().await;
    let stolen = thief.credit_message(Operation::TopUp, (id, 2), Some([0; 4]));
    assert_eq!(outcome(&thief.relay(&stolen).await), "step-unknown");
    let tac = card.credit(issued.body.field("credit_data").unwrap());
    let done = terminal
        .relay(&terminal.credit_message(Operation::TopUp, (id, 2), tac))
        .await;
    assert_eq!(outcome(&done), "ok");
    stage.close(5_000).await;
}
