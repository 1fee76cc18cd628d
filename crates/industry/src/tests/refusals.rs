use relay::Operation;

use super::*;
use crate::decode;

/// Balance's commands with one reply changed.
fn balance_with(place: usize, reply: &str) -> Turn {
    let file15 = format!("{FILE15}9000");
    let mut script = [
        (SELECT, FCI),
        ("00B095001E", file15.as_str()),
        ("805C000204", "000032329000"),
        ("FFCA000000", "048A21F39000"),
    ];
    script[place].1 = reply;
    play(open(Operation::Balance), &script[..=place])
}

#[test]
fn a_card_of_another_kind_and_a_blocked_one_are_told_apart() {
    assert_eq!(outcome(balance_with(0, "6A82")), "card-not-supported");
    assert_eq!(outcome(balance_with(0, "6A81")), "card-app-blocked");
    assert_eq!(outcome(balance_with(0, "6283")), "card-app-blocked");
    assert_eq!(
        outcome(balance_with(0, "6F0B8409A000000003869807016A81")),
        "card-app-blocked"
    );
}

#[test]
fn an_unknown_status_is_told_with_its_command() {
    let Turn::End(closing) = balance_with(1, "6F42") else {
        panic!()
    };
    let closing = decode(&packages(), &closing).unwrap();
    assert_eq!(closing.outcome, "card-unknown-status");
    assert_eq!(closing.status.as_deref(), Some("6F42"));
    assert_eq!(closing.command.as_deref(), Some("read_file15"));
}

#[test]
fn cut_and_overlong_replies_are_refused() {
    let long = format!("{}9000", "00".repeat(257));
    for reply in ["", "90", "9000", "00003232009000", &long] {
        assert_eq!(
            outcome(balance_with(2, reply)),
            "card-reply-bad",
            "{} digits",
            reply.len()
        );
    }
}

#[test]
fn a_reader_that_gives_a_strange_uid_stops_nothing() {
    for reply in ["9000", "019000", "6F00", "6881"] {
        let turn = balance_with(3, reply);
        let Turn::Command(_, command) = turn else {
            panic!("{turn:?}")
        };
        assert_eq!(command.name, "read_log");
    }
}

fn topup(amount: u32, file15: &str, balance: &str) -> Message {
    let mut opening = opening(Operation::TopUp);
    opening.body.amount = Some(amount);
    let turn = Driver::open(&packages(), &opening.encode().unwrap(), TODAY);
    if matches!(turn, Turn::End(_)) {
        return ended(turn);
    }
    let file15 = format!("{file15}9000");
    let turn = play(turn, &[(SELECT, FCI), ("00B095001E", &file15)]);
    if matches!(turn, Turn::End(_)) {
        return ended(turn);
    }
    ended(play(turn, &[("805C000204", &format!("{balance}9000"))]))
}

#[test]
fn amounts_outside_the_limits_never_reach_initialize() {
    let limit = |message: &Message| message.body.field("limit").map(<[u8]>::to_vec);
    let low = topup(0, FILE15, "00000000");
    assert_eq!(low.body.outcome.as_deref(), Some("amount-low"));
    assert_eq!(limit(&low), Some(hex("00000001")));
    let high = topup(100_001, FILE15, "00000000");
    assert_eq!(high.body.outcome.as_deref(), Some("amount-high"));
    assert_eq!(limit(&high), Some(hex("000186A0")));
    let full = topup(u32::MAX, FILE15, "7FFFFFFF");
    assert_eq!(full.body.outcome.as_deref(), Some("amount-high"));
    let full = topup(50_000, FILE15, "0000C351");
    assert_eq!(
        full.body.outcome.as_deref(),
        Some("balance-limit"),
        "50,000 and 50,001 fen"
    );
    assert_eq!(limit(&full), Some(hex("000186A0")));
}

#[test]
fn an_inactive_or_expired_card_is_not_topped_up() {
    let inactive = topup(5_000, &FILE15.replace(" 01 01 ", " 00 01 "), "00000000");
    assert_eq!(inactive.body.outcome.as_deref(), Some("card-not-active"));
    let expired = topup(5_000, &FILE15.replace("20341231", "20261122"), "00000000");
    assert_eq!(
        expired.body.outcome.as_deref(),
        Some("card-expired"),
        "yesterday"
    );
    let today = FILE15.replace("20341231", "20261123");
    let last_day = topup(99_000, &today, "0000C351");
    assert_eq!(
        last_day.body.outcome.as_deref(),
        Some("balance-limit"),
        "still valid today"
    );
}

#[test]
fn a_card_that_can_count_no_further_is_told() {
    let init = "805000020B 01 00001388 000000000017 10";
    let turn = play(topup_until_initialize(), &[(init, "9402")]);
    assert_eq!(outcome(turn), "card-counter-exhausted");
    let turn = play(topup_until_initialize(), &[(init, "6985")]);
    assert_eq!(outcome(turn), "card-refused");
}

#[test]
fn an_opening_carries_what_its_operation_needs_and_nothing_else() {
    let start = |message: &Message| Driver::open(&packages(), &message.encode().unwrap(), TODAY);
    let mut strange: Vec<Message> = Vec::new();
    let mut message = opening(Operation::Activation);
    message.body.pin_block = None;
    strange.push(message);
    let mut message = opening(Operation::TopUp);
    message.body.sms_proof = None;
    strange.push(message);
    let mut message = opening(Operation::TopUp);
    message.body.amount = None;
    strange.push(message);
    let mut message = opening(Operation::Balance);
    message.body.amount = Some(1);
    strange.push(message);
    let mut message = opening(Operation::Balance);
    message.body.terminal = None;
    strange.push(message);
    let mut message = opening(Operation::ReTopUp);
    message.body.put("amount", [0; 4]);
    strange.push(message);
    let mut message = opening(Operation::Balance);
    message.letter = Letter::I;
    strange.push(message);
    for message in strange {
        assert_eq!(outcome(start(&message)), "message-bad", "{message:?}");
    }
    let mut message = opening(Operation::ReTopUp);
    message.body.about = Some([1; 16]);
    assert!(
        matches!(start(&message), Turn::Command(..)),
        "`about` is allowed"
    );
    let mut message = opening(Operation::TopUp);
    message.body.pin_block = None;
    assert!(
        matches!(start(&message), Turn::Command(..)),
        "a queue's item has no password of its own"
    );
}

#[test]
fn an_unknown_industry_ends_with_its_own_error() {
    let mut message = opening(Operation::Balance);
    message.industry = "00ZZ".parse().unwrap();
    let turn = Driver::open(&packages(), &message.encode().unwrap(), TODAY);
    let end = ended(turn);
    assert_eq!(end.body.outcome.as_deref(), Some("industry-unknown"));
    assert_eq!(end.industry.as_str(), "00ZZ");
}
