//! No package says by itself what became of money.

use super::*;

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
