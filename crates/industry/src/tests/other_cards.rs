//! Cards of other shapes: the package changes, the interpreter does not.

use super::*;
use crate::decode;

/// A read-only purse with a PIN in front and a longer file 15.
const CAMPUS: &str = r#"{
  "format": 1, "industry": "CAMP", "version": 3,
  "name": { "zh-CN": "校园钱包", "en": "Campus purse" },
  "currency": "CNY", "aids": ["D156000001BDF0CACBB4EFD6A7B8B6"],
  "limits": { "min_amount": 1, "max_amount": 1, "max_balance": 1 },
  "bounds": { "commands": 8, "bytes": 512 },
  "constants": { "name": "D156000001BDF0CACBB4EFD6A7B8B6", "pin": "123456" },
  "fields": {
    "info": { "length": { "min": 43, "max": 50 },
              "parts": { "number": { "at": 12, "length": 8, "type": "bcd" } } },
    "balance": { "length": 4, "type": "number" }
  },
  "card": { "number": "info.number", "balance": "balance" },
  "commands": {
    "select": { "send": "00A40400 0F {name} 00", "show": "read", "reply": { "min": 0, "max": 256 } },
    "verify": { "send": "00200000 03 {pin}", "show": "read",
      "on": { "9403": "skip", "63CX": { "outcome": "card-refused" }, "6983": { "outcome": "card-blocked" } } },
    "read_info": { "send": "00B09500 00", "show": "read",
      "reply": { "min": 43, "max": 50 }, "take": { "info": {} } },
    "read_balance": { "send": "805C0002 04", "show": "read", "reply": 4, "take": { "balance": {} } }
  },
  "phases": {
    "open_balance": {
      "steps": [{ "run": "select" }, { "run": "verify" }, { "run": "read_info" }, { "run": "read_balance" }],
      "then": { "end": { "fields": ["info", "balance"] } }
    }
  }
}"#;

fn campus(operation: Operation) -> Turn {
    let mut packages = packages();
    packages
        .insert(Package::parse(CAMPUS.as_bytes()).unwrap(), TODAY)
        .unwrap();
    let message = Message {
        industry: "CAMP".parse().unwrap(),
        ..opening(operation)
    };
    Driver::open(&packages, &message.encode().unwrap(), TODAY)
}

const SELECT_CAMPUS: &str = "00A404000FD156000001BDF0CACBB4EFD6A7B8B600";

#[test]
fn a_purse_with_a_pin_and_a_longer_file_needs_a_package_only() {
    let file = format!("{}0000202601234567{}9000", "00".repeat(12), "00".repeat(23));
    for verified in ["9000", "9403"] {
        let turn = play(
            campus(Operation::Balance),
            &[
                (SELECT_CAMPUS, "9000"),
                ("0020000003123456", verified),
                ("00B0950000", &file),
                ("805C000204", "000003E89000"),
            ],
        );
        let Turn::End(closing) = turn else {
            panic!("{turn:?}")
        };
        let mut packages = packages();
        packages
            .insert(Package::parse(CAMPUS.as_bytes()).unwrap(), TODAY)
            .unwrap();
        let card = decode(&packages, &closing).unwrap().card.unwrap();
        assert_eq!((card.tail(), card.balance), (Some("4567"), Some(1_000)));
        assert_eq!(
            (card.expiry, card.active),
            (None, None),
            "the package gives none"
        );
    }
}

#[test]
fn a_family_of_status_words_has_one_meaning() {
    for (status, expected) in [
        ("63C2", "card-refused"),
        ("63C0", "card-refused"),
        ("6983", "card-blocked"),
    ] {
        let script = [(SELECT_CAMPUS, "9000"), ("0020000003123456", status)];
        assert_eq!(outcome(play(campus(Operation::Balance), &script)), expected);
    }
}

#[test]
fn an_operation_that_the_package_has_not_is_refused_before_the_card_is_touched() {
    assert_eq!(outcome(campus(Operation::TopUp)), "phase-unknown");
}
