use relay::{Body, Operation};

use super::*;
use crate::{LogKind, UiStep, decode};

const INIT: &str = "805000020B 01 00001388 000000000017 10";

fn record(kind: &str, amount: &str) -> String {
    format!("0004 000000 {amount} {kind} 000000000099 20261101 083000")
}

#[test]
fn balance_reads_the_card_and_ends_without_a_bank() {
    let file15 = format!("{FILE15}9000");
    let load = format!("{}9000", record("02", "00002710"));
    let ride = format!("{}9000", record("06", "000000C8"));
    let turn = play(
        open(Operation::Balance),
        &[
            (SELECT, FCI),
            ("00B095001E", &file15),
            ("805C000204", "000032329000"),
            ("FFCA000000", "048A21F39000"),
            ("00B201C417", &ride),
            ("00B202C417", &load),
            ("00B203C417", "6A83"),
        ],
    );
    let Turn::End(closing) = turn else {
        panic!("{turn:?}")
    };
    let closing = decode(&packages(), &closing).unwrap();
    assert_eq!(closing.outcome, "ok");
    assert_eq!(closing.transaction, Some([0xAB; 16]));
    let card = closing.card.unwrap();
    assert_eq!(card.tail(), Some("4471"));
    assert_eq!(card.balance, Some(12_850));
    assert_eq!(card.expiry.as_deref(), Some("2034-12-31"));
    assert_eq!(card.active, Some(true));
    assert_eq!(card.log.len(), 2);
    assert_eq!(
        (card.log[0].kind, card.log[0].amount),
        (LogKind::Purchase, 200)
    );
    assert_eq!(
        (card.log[1].kind, card.log[1].amount),
        (LogKind::Load, 10_000)
    );
    assert_eq!(card.log[0].date.as_deref(), Some("2026-11-01"));
    assert_eq!(card.log[0].time.as_deref(), Some("08:30:00"));
    assert_eq!(card.log[0].terminal, "000000000099");
}

#[test]
fn a_log_is_read_at_most_ten_times_and_at_once_from_cards_that_want_that() {
    let file15 = format!("{FILE15}9000");
    let start = [
        (SELECT, FCI),
        ("00B095001E", file15.as_str()),
        ("805C000204", "000032329000"),
        ("FFCA000000", "6A81"),
    ];
    let mut turn = play(open(Operation::Balance), &start);
    let one = hex(&format!("{}9000", record("06", "000000C8")));
    for _ in 0..10 {
        let Turn::Command(driver, _) = turn else {
            panic!("{turn:?}")
        };
        turn = driver.reply(&one);
    }
    assert_eq!(ended(turn).body.field("log").map(<[u8]>::len), Some(230));

    let unused = "00".repeat(23);
    let all = format!(
        "{}{}{unused}9000",
        record("06", "000000C8"),
        record("02", "00002710")
    );
    let turn = play(open(Operation::Balance), &start);
    let turn = play(turn, &[("00B201C417", "6700"), ("00B201C500", &all)]);
    let Turn::End(closing) = turn else {
        panic!("{turn:?}")
    };
    let card = decode(&packages(), &closing).unwrap().card.unwrap();
    assert_eq!(card.log.len(), 2, "places never written are no entries");
}

#[test]
fn a_card_without_log_still_shows_its_balance() {
    let file15 = format!("{FILE15}9000");
    let turn = play(
        open(Operation::Balance),
        &[
            (SELECT, FCI),
            ("00B095001E", &file15),
            ("805C000204", "000032329000"),
            ("FFCA000000", "6E00"),
            ("00B201C417", "6982"),
        ],
    );
    let closing = ended(turn);
    assert_eq!(closing.body.outcome.as_deref(), Some("ok"));
    assert!(closing.body.field("log").is_none() && closing.body.field("uid").is_none());
}

#[test]
fn a_top_up_asks_the_bank_once_between_initialize_and_credit() {
    let turn = topup_until_initialize();
    let Turn::Command(ref driver, ref command) = turn else {
        panic!("{turn:?}")
    };
    assert_eq!(command.step, UiStep::Approve);
    assert!(!command.commits, "INITIALIZE changes nothing");
    assert_eq!(driver.facts().balance, Some(12_850), "top bit masked");
    assert_eq!(driver.facts().tail(), Some("4471"));
    let init = format!("{INIT_REPLY}9000");
    let (driver, first) = sent(play(turn, &[(INIT, &init)]));
    let mut expected = Body {
        step: Some(1),
        phase: Some("load".to_owned()),
        package_version: Some(1),
        ..opening(Operation::TopUp).body
    };
    expected.put("file15", hex(FILE15));
    expected.put("balance", hex("00003232"));
    expected.put("init", hex(INIT_REPLY));
    expected.put("uid", hex("048A21F3"));
    assert_eq!(
        first.body, expected,
        "all of the opening and all that was read"
    );

    let credit = answer(
        Operation::TopUp,
        1,
        "credit",
        &[("credit_data", "20261123 093000 A1B2C3D4")],
    );
    let turn = driver.bank(&credit.encode().unwrap());
    let Turn::Command(ref driver, ref command) = turn else {
        panic!("{turn:?}")
    };
    assert!(command.commits, "the journal has to know before");
    assert_eq!(command.step, UiStep::Write);
    assert_eq!(driver.written(), None);
    let turn = play(
        turn,
        &[("805200000B 20261123093000A1B2C3D4 04", "FA00066D9000")],
    );
    let (driver, second) = sent(turn);
    assert_eq!(driver.written(), Some(true));
    assert_eq!(second.body.step, Some(2));
    assert_eq!(second.body.field("tac"), Some(hex("FA00066D").as_slice()));
    assert_eq!(second.body.field("status"), Some(hex("9000").as_slice()));
    assert_eq!(
        second.body.pin_block, None,
        "the password's block goes once"
    );
    assert_eq!(second.body.fields.len(), 2);
}

#[test]
fn a_credit_that_the_card_refuses_reaches_the_bank_as_a_status_alone() {
    for status in ["9302", "6985", "6F00"] {
        let init = format!("{INIT_REPLY}9000");
        let (driver, _) = sent(play(topup_until_initialize(), &[(INIT, &init)]));
        let credit = answer(
            Operation::TopUp,
            1,
            "credit",
            &[("credit_data", &"11".repeat(11))],
        );
        let turn = driver.bank(&credit.encode().unwrap());
        let command = format!("805200000B{}04", "11".repeat(11));
        let (driver, message) = sent(play(turn, &[(&command, status)]));
        assert_eq!(driver.written(), Some(false));
        assert_eq!(message.body.field("status"), Some(hex(status).as_slice()));
        assert_eq!(message.body.fields.len(), 1, "{status}");
    }
}

#[test]
fn an_unknown_key_index_is_tried_once_more_with_index_00() {
    for status in ["9403", "6581", "6A88"] {
        let init = format!("{INIT_REPLY}9000");
        let second = "805000020B 00 00001388 000000000017 10";
        let script = [(INIT, status), (second, init.as_str())];
        let (_, message) = sent(play(topup_until_initialize(), &script));
        assert_eq!(message.body.field("init"), Some(hex(INIT_REPLY).as_slice()));
        let turn = play(
            topup_until_initialize(),
            &[(INIT, status), (second, status)],
        );
        assert_eq!(outcome(turn), "card-unknown-status", "no third try");
    }
}

fn resume_until_prove() -> Turn {
    let file15 = format!("{FILE15}9000");
    let turn = play(
        open(Operation::ReTopUp),
        &[
            (SELECT, FCI),
            ("00B095001E", &file15),
            ("805C000204", "000032329000"),
            ("FFCA000000", "6A81"),
        ],
    );
    let (driver, message) = sent(turn);
    assert_eq!(message.body.phase.as_deref(), Some("resume"));
    let fields = [("after", "0006"), ("before", "0005")];
    driver.bank(
        &answer(Operation::ReTopUp, 1, "prove", &fields)
            .encode()
            .unwrap(),
    )
}

#[test]
fn a_re_top_up_proves_first_and_loads_again_when_the_bank_says_so() {
    let turn = play(
        resume_until_prove(),
        &[
            ("805A0002 02 0006 08", "9406"),
            ("805A0002 02 0005 08", "1111111122222222 9000"),
            ("00B201C417", "6A83"),
        ],
    );
    let (driver, message) = sent(turn);
    assert_eq!(message.body.step, Some(2));
    assert!(message.body.field("proof").is_none(), "the card gave none");
    assert_eq!(message.body.field("proof_before").map(<[u8]>::len), Some(8));
    let load = answer(Operation::ReTopUp, 2, "load", &[("amount", "00001388")]);
    let init = format!("{INIT_REPLY}9000");
    let turn = play(driver.bank(&load.encode().unwrap()), &[(INIT, &init)]);
    let (driver, message) = sent(turn);
    assert_eq!(
        (message.body.step, message.body.phase.as_deref()),
        (Some(3), Some("load"))
    );
    assert!(message.body.field("init").is_some() && message.body.field("balance").is_some());
    let credit = answer(
        Operation::ReTopUp,
        3,
        "credit",
        &[("credit_data", &"11".repeat(11))],
    );
    let command = format!("805200000B{}04", "11".repeat(11));
    let turn = play(
        driver.bank(&credit.encode().unwrap()),
        &[(&command, "FA00066D9000")],
    );
    assert_eq!(sent(turn).1.body.step, Some(4));
}

#[test]
fn a_card_without_any_proof_still_answers_the_bank() {
    for status in ["6985", "9406", "6A88"] {
        let turn = play(
            resume_until_prove(),
            &[
                ("805A0002 02 0006 08", status),
                ("805A0002 02 0005 08", status),
                ("00B201C417", "6A83"),
            ],
        );
        assert!(sent(turn).1.body.fields.is_empty(), "{status}");
    }
}

fn activate_until_update() -> Turn {
    let file15 = format!("{}9000", FILE15.replace(" 01 01 ", " 00 01 "));
    let turn = play(
        open(Operation::Activation),
        &[
            (SELECT, FCI),
            ("00B095001E", &file15),
            ("FFCA000000", "6A81"),
            ("0084000004", "A1A2A3A4 9000"),
        ],
    );
    let (driver, message) = sent(turn);
    assert_eq!(message.body.phase.as_deref(), Some("activate"));
    assert_eq!(
        message.body.field("challenge"),
        Some(hex("A1A2A3A4").as_slice())
    );
    let update = "77".repeat(24);
    driver.bank(
        &answer(Operation::Activation, 1, "enable", &[("update", &update)])
            .encode()
            .unwrap(),
    )
}

#[test]
fn an_activation_writes_with_the_banks_mac_and_reads_again() {
    let update = format!("04D6950818{}", "77".repeat(24));
    let file15 = format!("{FILE15}9000");
    let turn = activate_until_update();
    let Turn::Command(_, ref command) = turn else {
        panic!("{turn:?}")
    };
    assert!(command.commits);
    let (_, message) = sent(play(turn, &[(&update, "9000"), ("00B095001E", &file15)]));
    assert_eq!(message.body.field("status"), Some(hex("9000").as_slice()));
    assert_eq!(
        message.body.field("file15"),
        Some(hex(FILE15).as_slice()),
        "as read again"
    );

    let (driver, message) = sent(play(activate_until_update(), &[(&update, "6988")]));
    assert_eq!(message.body.field("status"), Some(hex("6988").as_slice()));
    assert_eq!(driver.written(), Some(false));

    let turn = play(
        activate_until_update(),
        &[(&update, "9000"), ("00B095001E", "6F00")],
    );
    assert!(
        sent(turn).1.body.field("file15").is_none(),
        "the old one must not pass for the new"
    );
}

#[test]
fn the_banks_closing_is_read_for_the_screen() {
    let mut message = ended(Driver::open(
        &Packages::new(),
        &opening(Operation::TopUp).encode().unwrap(),
        TODAY,
    ));
    assert_eq!(message.body.outcome.as_deref(), Some("industry-unknown"));
    message.body.outcome = Some("ok".to_owned());
    message.body.reference = Some("TF-7K2M-91QX".to_owned());
    message.body.amount = Some(5_000);
    message.body.put("old_balance", 12_850_u32.to_be_bytes());
    message.body.put("new_balance", 17_850_u32.to_be_bytes());
    message
        .body
        .put("time", 1_790_000_000_000_u64.to_be_bytes());
    message.body.put("already", [1]);
    message.body.put("tries_left", [2]);
    let closing = decode(&packages(), &message.encode().unwrap()).unwrap();
    assert_eq!(
        (closing.old_balance, closing.new_balance),
        (Some(12_850), Some(17_850))
    );
    assert_eq!(
        (closing.amount, closing.time_ms),
        (Some(5_000), Some(1_790_000_000_000))
    );
    assert_eq!(closing.reference.as_deref(), Some("TF-7K2M-91QX"));
    assert!(closing.already && closing.card.is_none());
    assert_eq!(closing.tries_left, Some(2));
}
