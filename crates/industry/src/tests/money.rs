//! No package takes money off a card, whatever it is called there; and none says by itself what became of money.

use super::*;

fn cash() -> &'static str {
    shipped_text("0003")
}

#[test]
fn a_contactless_card_is_never_offered_to_pay_at_once() {
    for qualifiers in ["28000000", "20", "60000000", "FF"] {
        let to = format!(r#""qualifiers": "{qualifiers}""#);
        let (code, why) = refused(cash(), r#""qualifiers": "40000000""#, &to);
        assert_eq!(code, "package-command", "{qualifiers}: {why}");
    }
    for source in [
        r#""9F66": "amount_bcd""#,
        r#""9F66": "witness""#,
        r#""9F66": ["qualifiers", "nonce"]"#,
    ] {
        let (code, why) = refused(cash(), r#""9F66": "qualifiers""#, source);
        assert_eq!(code, "package-command", "{source}: {why}");
    }
}

#[test]
fn options_are_what_the_cards_list_asks_for_and_nothing_else() {
    let send = "80A80000 [83 [{list:pdol}]] 00";
    for other in [
        "80A80000 0B 83 09 20000000 000000005000 00",
        "80A80000 [83 [20000000 {amount_bcd}]] 00",
        "80A80000 [83 [{list:pdol} 00]] 00",
        "80A80000 [{list:pdol}] 00",
        "80A80000 [83 [{qualifiers}]] 00",
    ] {
        let (code, why) = refused(cash(), send, other);
        assert_eq!(code, "package-command", "{other}: {why}");
    }
    for good in ["80A80000 02 8300 00", "80A80000 [83 [{list:pdol}]]"] {
        let text = cash().replacen(send, good, 1);
        assert!(Package::parse(text.as_bytes()).is_ok(), "{good}");
    }
}

#[test]
fn an_approval_is_asked_for_only_after_a_question_to_the_issuer() {
    let approval = r#""80AE4000 [{list:cdol1}] 00""#;
    let (code, why) = refused(cash(), r#""80AE8000 [{list:cdol1}] 00""#, approval);
    assert_eq!(code, "package-command", "at once: {why}");
    let bought = r#""steps": [{ "run": "begin" }, { "run": "authenticate" }, { "run": "set_balance" }, { "run": "close" }]"#;
    let steps =
        r#""steps": [{ "run": "authenticate" }, { "run": "set_balance" }, { "run": "close" }]"#;
    let (code, why) = refused(cash(), steps, bought);
    assert_eq!(code, "package-command", "in a new transaction: {why}");
    let read = r#"{ "run": "read_limit" },
        { "run": "read_balance" },
        { "run": "read_log" }"#;
    let (code, why) = refused(
        cash(),
        read,
        r#"{ "run": "close" }, { "run": "read_balance" }, { "run": "read_limit" }"#,
    );
    assert_eq!(code, "package-command", "in a balance: {why}");
    let refusals = r#""on": { "6985": "take" }
    },
    "authenticate""#;
    let on = r#""on": { "6985": { "outcome": "card-refused" } }
    },
    "authenticate""#;
    let (code, why) = refused(cash(), on, refusals);
    assert_eq!(
        code, "package-command",
        "a card that refused was not asked: {why}"
    );
}

#[test]
fn what_a_cryptogram_is_for_stands_in_the_package() {
    let send = r#""send": "80AE4000 [{list:cdol2}] 00","#;
    let counted = r#""send": "80AE {index} 00 [{list:cdol2}] 00", "repeat": 2,"#;
    let (code, why) = refused(cash(), send, counted);
    assert_eq!(code, "package-command", "{why}");
}

#[test]
fn only_a_balance_ends_by_itself_well() {
    let end = r#""then": { "end": {} }"#;
    let sends = r#""then": { "send": { "phase": "load", "fields": ["sent"] } }"#;
    let (code, why) = refused(lists::ASKING, sends, end);
    assert_eq!(code, "package-bad", "a top-up of which no bank has heard");
    assert!(why.contains("the bank says"), "{why}");
    let sends = r#""then": { "send": { "phase": "refund", "fields": ["init"] } }"#;
    let (code, why) = refused(TRANSIT, sends, end);
    assert_eq!(code, "package-bad", "a phase of the bank's: {why}");
    assert!(why.contains("the bank says"), "{why}");
}
