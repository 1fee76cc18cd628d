//! What a card asks for: data object lists, lengths before values, and places in its replies.

use relay::Operation;

use super::*;

/// A card that hands out a list and takes what it asks for.
pub(crate) const ASKING: &str = r#"{
  "format": 1, "industry": "ASKS", "version": 1,
  "name": { "zh-CN": "问", "en": "Asking" },
  "currency": "CNY", "aids": [],
  "limits": { "min_amount": 1, "max_amount": 100000, "max_balance": 100000 },
  "bounds": { "commands": 32, "bytes": 4096 },
  "constants": { "country": "0156", "word": "AABBCC" },
  "dol": {
    "9F02": "amount_bcd", "9F1A": "country", "9A": "today", "9F37": ["seed", "nonce"],
    "DF8101": "word", "9F36": "counter", "5F2A": "turned", "9F1E": "info.tail"
  },
  "fields": {
    "list": { "length": { "min": 1, "max": 200 } },
    "seed": { "length": 4 },
    "counter": { "length": 2, "type": "number" },
    "turned": { "length": 2, "type": "little-number" },
    "info": { "length": 4, "parts": { "tail": { "at": 2, "length": 2 } } },
    "other": { "length": { "min": 1, "max": 8 } },
    "sent": { "length": { "min": 1, "max": 252 } }
  },
  "card": {},
  "commands": {
    "read": { "send": "00CA9F38 00", "show": "read", "reply": { "min": 0, "max": 256 },
      "take": {
        "list": { "tag": "6F/9F38", "optional": true },
        "seed": { "tag": "6F/80", "optional": true },
        "info": { "tag": "6F/81", "optional": true },
        "other": [{ "tag": "6F/82" }, { "tag": "83", "at": 1, "length": 2 }, { "tag": "84", "optional": true }]
      } },
    "count": { "send": "00CA9F36 02", "show": "read", "reply": 2, "take": { "counter": {}, "turned": {} } },
    "ask": { "send": "80AE0000 [{list:list}] 00", "show": "read", "reply": 0, "sent_as": "sent" }
  },
  "phases": {
    "open_balance": {
      "steps": [{ "run": "read" }, { "run": "count" }, { "run": "ask" }],
      "then": { "end": { "fields": ["sent"], "optional": ["other"] } }
    },
    "open_topup": {
      "steps": [{ "run": "read" }, { "run": "count" }, { "run": "ask" }],
      "then": { "send": { "phase": "load", "fields": ["sent"] } }
    }
  }
}"#;

fn object(tag: &str, value: &str) -> String {
    let value = hex(value);
    format!("{tag}{:02X}{}", value.len(), hex::encode_upper(value))
}

fn open_asking(operation: Operation) -> Turn {
    let message = Message {
        industry: "ASKS".parse().unwrap(),
        ..opening(operation)
    };
    Driver::open(&packages_of(ASKING), &message.encode().unwrap(), TODAY)
}

/// SELECT's reply with these objects in 6F, and the counter; the command that asks comes next.
fn after(objects: &str, operation: Operation) -> Turn {
    let turn = open_asking(operation);
    let reply = format!("{}9000", object("6F", objects));
    play(turn, &[("00CA9F3800", &reply), ("00CA9F3602", "0102 9000")])
}

/// The data that a list gets.
fn given(list: &str) -> String {
    given_with(list, "")
}

fn given_with(list: &str, more: &str) -> String {
    let objects = format!("{}{more}", object("9F38", list));
    let Turn::Command(_, command) = after(&objects, Operation::TopUp) else {
        panic!("the card's list `{list}` is good")
    };
    let apdu = &command.apdu;
    assert_eq!(apdu[..4], hex("80AE0000"));
    assert_eq!(
        usize::from(apdu[4]) + 6,
        apdu.len(),
        "Lc, and Le at the end"
    );
    assert_eq!(apdu.last(), Some(&0));
    hex::encode_upper(&apdu[5..apdu.len() - 1])
}

#[test]
fn a_list_gets_what_the_package_has_for_each_tag_in_the_cards_order() {
    assert_eq!(
        given("9F02 06 9F1A 02 9A 03"),
        "000000005000".to_owned() + "0156" + "261123"
    );
    assert_eq!(given("9A 03 9F02 06"), "261123000000005000");
    assert_eq!(given("DF8101 03"), "AABBCC", "a tag of three bytes");
}

#[test]
fn numbers_keep_their_right_end_and_everything_else_its_left_one() {
    assert_eq!(given("9F02 03"), "005000");
    assert_eq!(given("9F02 08"), "0000000000005000");
    assert_eq!(given("9F36 01"), "02");
    assert_eq!(given("9F36 04"), "00000102");
    assert_eq!(given("5F2A 03"), "000102", "the bytes, as they are");
    assert_eq!(given("DF8101 02"), "AABB");
    assert_eq!(given("DF8101 05"), "AABBCC0000");
    assert_eq!(given("9A 04"), "26112300", "a day is no number");
}

#[test]
fn what_the_package_has_not_is_zeros_and_the_first_value_there_is_counts() {
    assert_eq!(given("9F03 06"), "000000000000");
    assert_eq!(given("9F37 04"), "ABABABAB", "the transaction's own bytes");
    assert_eq!(given_with("9F37 04", &object("80", "11223344")), "11223344");
    assert_eq!(given("9F1E 02"), "0000", "the card gave no such field");
    assert_eq!(
        given_with("9F1E 02", &object("81", "0102A1A2")),
        "A1A2",
        "a part of a field"
    );
    assert_eq!(given("9F02 00 9F1A 02"), "0156", "of no length");
}

#[test]
fn a_list_that_asks_for_too_much_or_is_none_ends_the_transaction() {
    let most = "9F03FC";
    assert_eq!(given(most).len(), 504, "252 bytes can be asked for");
    let each = "9F0306".repeat(33);
    let all = "9F0308".repeat(32);
    let more = "9F03FF".repeat(40);
    for list in [
        "9F03FD", "9F", "9F02", "9A", "9A03 9F", "FFFFFF01", &each, &all, &more,
    ] {
        let objects = object("9F38", list);
        if hex(list).len() > 100 {
            // over 127 bytes in 6F: one more byte of length
            continue;
        }
        let turn = after(&objects, Operation::TopUp);
        assert_eq!(outcome(turn), "card-reply-bad", "{list}");
    }
    for list in [each, all, more] {
        assert!(
            crate::dol::data(
                &hex(&list),
                &Package::parse(ASKING.as_bytes()).unwrap().document,
                &crate::value::Values::new()
            )
            .is_err(),
            "{list}"
        );
    }
}

#[test]
fn a_card_without_a_list_can_not_be_asked_with_nothing_at_all() {
    let turn = after(&object("8A", "00"), Operation::Balance);
    assert_eq!(
        outcome(turn),
        "card-reply-bad",
        "Lc would be the length of what is expected"
    );
}

#[test]
fn without_an_amount_a_list_gets_zeros_for_it() {
    let turn = after(&object("9F38", "9F0206"), Operation::Balance);
    let Turn::Command(_, command) = turn else {
        panic!("{turn:?}")
    };
    assert_eq!(command.apdu, hex("80AE0000 06 000000000000 00"));
}

/// `other` as a reading ends with it.
fn other(reply: &str) -> Result<Option<String>, String> {
    let turn = open_asking(Operation::Balance);
    let reply = format!(
        "{}{reply}9000",
        object(
            "6F",
            &format!(
                "{}{}",
                object("9F38", "9A03"),
                if reply.is_empty() {
                    object("82", "77")
                } else {
                    String::new()
                }
            )
        )
    );
    let turn = play(turn, &[("00CA9F3800", &reply)]);
    if matches!(turn, Turn::End(_)) {
        return Err(outcome(turn));
    }
    let end = ended(play(
        turn,
        &[
            ("00CA9F3602", "0102 9000"),
            ("80AE0000 03 261123 00", "9000"),
        ],
    ));
    Ok(end.body.field("other").map(hex::encode_upper))
}

#[test]
fn a_field_is_taken_from_the_first_place_that_the_reply_has() {
    assert_eq!(other(""), Ok(Some("77".to_owned())), "6F/82");
    assert_eq!(
        other(&object("83", "00A1A200")),
        Ok(Some("A1A2".to_owned())),
        "a slice of an object"
    );
    assert_eq!(
        other(&object("84", "B1B2B3")),
        Ok(Some("B1B2B3".to_owned()))
    );
    assert_eq!(
        other(&object("83", "00A1")),
        Ok(None),
        "too short for the slice, and no 84: optional"
    );
    assert_eq!(other(&object("85", "00")), Ok(None));
    let long = object("84", "B1B2B3B4B5B6B7B8B9");
    assert_eq!(
        other(&long),
        Err("card-reply-bad".to_owned()),
        "there, and longer than the field can be"
    );
    assert_eq!(
        other(&object("84", "")),
        Err("card-reply-bad".to_owned()),
        "there, and empty"
    );
}

#[test]
fn lists_and_places_keep_to_their_rules() {
    for (from, to, expected) in [
        (r#""9A": "today""#, r#""9a": "today""#, "dol.9a: is no tag"),
        (r#""9A": "today""#, r#""9F": "today""#, "dol.9F: is no tag"),
        (
            r#""9A": "today""#,
            r#""9A": "tomorrow""#,
            "`tomorrow` is no constant",
        ),
        (r#""9A": "today""#, r#""9A": []"#, "dol.9A: 1 to 4 names"),
        (
            r#""9A": "today""#,
            r#""9A": ["today", "today", "today", "today", "today"]"#,
            "1 to 4 names",
        ),
        ("[{list:list}]", "{list:list}", "stands in `[...]`"),
        ("[{list:list}]", "[{list:none}]", "is a single field"),
        ("[{list:list}]", "[{list:list}", "`[` without `]`"),
        ("[{list:list}]", "{list:list}]", "stands in"),
        ("[{list:list}] 00", "01 00 ]", "`]` without `[`"),
        (
            "[{list:list}]",
            "[83 [85 [86 [{list:list}]]]]",
            "at most 3 deep",
        ),
        (
            "[{list:list}]",
            "01 [{list:list}]",
            "without anything between",
        ),
        (
            "[{list:list}] 00",
            "[{list:list}] {country}",
            "Lc is hex digits",
        ),
        ("80AE0000", "80AE [00] 00", "P1 and P2"),
        (
            r#""tag": "83""#,
            r#""tag": "6F/A5/BF0C/9F4D/83""#,
            "at most 4",
        ),
        (r#""tag": "83""#, r#""tag": "83/""#, "capital hex digits"),
        (
            r#"{ "tag": "6F/82" }, { "tag": "83", "at": 1, "length": 2 }, { "tag": "84", "optional": true }"#,
            "",
            "1 to 4 places",
        ),
        (
            r#""at": 1, "length": 2"#,
            r#""at": 1, "length": 9"#,
            "can never have the length",
        ),
        (
            r#""sent_as": "sent""#,
            r#""sent_as": "nowhere""#,
            "names a single field",
        ),
        (
            r#""fields": ["sent"], "optional": ["other"]"#,
            r#""fields": ["sent", "other"]"#,
            "`other` may have no value here",
        ),
        (
            r#""fields": ["sent"], "optional": ["other"]"#,
            r#""fields": ["sent", "info"]"#,
            "`info` may have no value here",
        ),
    ] {
        let (_, why) = refused(ASKING, from, to);
        assert!(why.contains(expected), "`{to}`: {why}");
    }
}

#[test]
fn a_dol_names_at_most_32_tags() {
    let many: String = (0..40)
        .map(|n| format!(r#""DF81{:02X}": "word", "#, n + 2))
        .collect();
    let (_, why) = refused(ASKING, r#""9A": "today","#, &many);
    assert!(why.contains("at most 32 tags"), "{why}");
}
