//! Rules for names, records, requirements and what a card shows.

use relay::{Body, Operation};

use super::*;
use crate::decode;

fn cash() -> &'static str {
    shipped_text("0003")
}

#[test]
fn names_that_have_a_meaning_of_their_own_are_taken() {
    for name in [
        "amount",
        "amount_bcd",
        "terminal",
        "today",
        "nonce",
        "index",
        "record",
        "file",
    ] {
        for (from, to) in [
            (
                r#""uid": {"#,
                format!(r#""{name}": {{ "length": 4 }}, "uid": {{"#),
            ),
            (r#""aid": ""#, format!(r#""{name}": "00", "aid": ""#)),
        ] {
            let (_, why) = refused(TRANSIT, from, &to);
            assert!(why.contains("the name is taken"), "{name}: {why}");
        }
    }
    for name in [
        "already",
        "command",
        "limit",
        "new_balance",
        "old_balance",
        "time",
        "tries_left",
    ] {
        let to = format!(r#""{name}": {{ "length": 4 }}, "uid": {{"#);
        let (_, why) = refused(TRANSIT, r#""uid": {"#, &to);
        assert!(why.contains("the name is taken"), "{name}: {why}");
    }
    let (_, why) = refused(TRANSIT, r#""aid": ""#, r#""uid": "00", "aid": ""#);
    assert!(why.contains("constants.uid: the name is taken"), "{why}");
}

#[test]
fn following_a_locator_has_its_rules() {
    let send = "00B2 {record} {file} 00";
    for (from, to, expected) in [
        (send, "00B2 {record} 0C 00", "needs {index}"),
        (send, "00B2 01 {file} 00", "needs {index}"),
        (send, "00B2 {record} {index} 00", "stand together"),
        (send, "00B2 {index} {file} 00", "stand together"),
        (send, "00B2 01 0C 00", "needs {index}"),
        (
            send,
            "00B2 {record} {file} 01 {index} 00",
            "without {index}",
        ),
        (r#""follow": "afl","#, "", "stand together"),
        (
            r#""follow": "afl""#,
            r#""follow": "log""#,
            "names a single field",
        ),
        (
            r#""follow": "afl""#,
            r#""follow": "none""#,
            "names a single field",
        ),
        (r#""repeat": 16,"#, "", "with `repeat`"),
        (r#""repeat": 16"#, r#""repeat": 64"#, "2 to 32 times"),
        (r#"{ "run": "begin" },"#, "", "`afl` may have no value here"),
        (
            r#"{ "require": { "fields": ["pan"], "outcome": "card-reply-bad" } },"#,
            "",
            "`pan` may have no value here",
        ),
    ] {
        let (_, why) = refused(cash(), from, to);
        assert!(why.contains(expected), "`{to}`: {why}");
    }
}

#[test]
fn a_requirement_names_fields_and_an_outcome() {
    for (to, expected) in [
        (
            r#"{ "fields": [], "outcome": "card-reply-bad" }"#,
            "names a field",
        ),
        (
            r#"{ "fields": ["pan", "nobody"], "outcome": "card-reply-bad" }"#,
            "`nobody` is no field",
        ),
        (
            r#"{ "fields": ["amount"], "outcome": "card-reply-bad" }"#,
            "`amount` is no field",
        ),
        (
            r#"{ "fields": ["pan"], "outcome": "ok" }"#,
            "`ok` is not an outcome",
        ),
    ] {
        let (_, why) = refused(
            cash(),
            r#"{ "fields": ["pan"], "outcome": "card-reply-bad" }"#,
            to,
        );
        assert!(why.contains(expected), "`{to}`: {why}");
    }
}

#[test]
fn an_end_never_lies_about_money() {
    for outcome in [
        "ok",
        "refunded",
        "written-off",
        "nothing-pending",
        "in-doubt",
        "manual",
    ] {
        let to = format!(r#""outcome": "{outcome}""#);
        let (_, why) = refused(TRANSIT, r#""outcome": "card-expired""#, &to);
        assert!(why.contains("is not an outcome of a package"), "{why}");
    }
}

#[test]
fn how_a_card_says_that_it_is_active_is_values_or_exceptions() {
    let active = r#""active": { "field": "ceiling", "except": ["000000000000"] }"#;
    for (to, expected) in [
        (
            r#""active": { "field": "ceiling" }"#,
            "`values` or `except`",
        ),
        (
            r#""active": { "field": "ceiling", "values": ["00"], "except": ["01"] }"#,
            "one of them",
        ),
        (
            r#""active": { "field": "log", "values": ["00"] }"#,
            "needs a single value",
        ),
        (
            r#""active": { "field": "none", "values": ["00"] }"#,
            "is not declared",
        ),
        (r#""active": "ceiling""#, "of type flag"),
        (r#""active": 1"#, "a flag's name, or"),
    ] {
        let (_, why) = refused(cash(), active, to);
        assert!(why.contains(expected), "`{to}`: {why}");
    }
}

/// What the screen shows of a closing with these fields.
fn shown(text: &str, fields: &[(&str, &str)]) -> crate::Facts {
    let packages = packages_of(text);
    let industry = packages.iter().next().unwrap().industry();
    let mut body = Body {
        operation: Some(Operation::Balance),
        transaction: Some([1; 16]),
        outcome: Some("ok".to_owned()),
        ..Body::default()
    };
    for (name, value) in fields {
        body.put(name, hex(value));
    }
    let message = Message {
        letter: Letter::A,
        industry,
        body,
    };
    let closing = decode(&packages, &message.encode().unwrap()).unwrap();
    closing.card.unwrap_or_default()
}

#[test]
fn a_card_is_active_by_one_of_its_values_or_by_none_of_the_exceptions() {
    let ceiling = |value| shown(cash(), &[("pan", "6217000000005520"), ("ceiling", value)]).active;
    assert_eq!(ceiling("000000100000"), Some(true));
    assert_eq!(ceiling("000000000000"), Some(false));
    assert_eq!(
        ceiling("FFFFFFFFFFFF"),
        Some(true),
        "anything but the exception"
    );
    let campus = |status| shown(shipped_text("0002"), &[("select_status", status)]).active;
    assert_eq!(campus("9000"), Some(true));
    assert_eq!(campus("6A81"), Some(false));
    assert_eq!(
        shown(cash(), &[("pan", "6217000000005520")]).active,
        None,
        "nothing is known"
    );
}

#[test]
fn what_the_screen_gets_is_none_where_the_cards_digits_are_none() {
    let card = shown(
        cash(),
        &[
            ("pan", "6217000000005520"),
            ("balance", "0000000A0000"),
            ("expiry", "341332"),
        ],
    );
    assert_eq!((card.balance, card.expiry.as_deref()), (None, None));
    assert_eq!(card.tail(), Some("5520"));
    let card = shown(cash(), &[("balance", "999999999999")]);
    assert_eq!(card.balance, None, "more than any card holds");
    let record = |date: &str, amount: &str| {
        format!(
            "{date} 083000 {amount} 000000000000 0156 0156 {} 01 0007",
            "20".repeat(20)
        )
    };
    let log = [
        record("261101", "000000000200"),
        record("261131", "000000000300"),
        record("261101", "00000000020F"),
        "FF".repeat(45),
        "00".repeat(45),
    ];
    let card = shown(cash(), &[("log", &log.concat())]);
    let lines: Vec<_> = card
        .log
        .iter()
        .map(|it| (it.amount, it.date.as_deref()))
        .collect();
    assert_eq!(
        lines,
        [(200, Some("2026-11-01")), (300, None)],
        "a day that is none is left out, an amount that is none leaves out its line"
    );
}

#[test]
fn a_card_in_debt_shows_nothing_left() {
    let text = shipped_text("TUNI");
    assert!(text.contains("\"overdraft\""), "the package has one");
    let packages = packages_of(text);
    let facts = |balance: u32, lent: u32| {
        let mut body = Body::default();
        body.put("balance", balance.to_be_bytes());
        body.put("overdraft", lent.to_be_bytes());
        packages.iter().next().unwrap().facts(&body).balance
    };
    assert_eq!(facts(5_000, 0), Some(5_000));
    assert_eq!(facts(5_000, 2_000), Some(3_000));
    assert_eq!(facts(5_000, 6_000), Some(0));
}
