//! The protocol's own vectors, made from its words by a program that shares no code with this one.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

use std::collections::BTreeMap;

use relay::{Letter, Message};
use serde_json::Value;

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap()
}

/// The objects that are there, by the names of the vectors, as hex.
fn objects(message: &Message) -> BTreeMap<&'static str, String> {
    let body = &message.body;
    let ascii = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
    let version = body.package_version;
    let objects = [
        ("operation", body.operation.map(|value| vec![value.code()])),
        ("transaction", body.transaction.map(Vec::from)),
        ("step", body.step.map(|step| vec![step])),
        ("amount", body.amount.map(|fen| fen.to_be_bytes().to_vec())),
        ("terminal", body.terminal.map(Vec::from)),
        ("pin_block", body.pin_block.clone()),
        ("sms_proof", body.sms_proof.map(Vec::from)),
        ("phase", ascii(&body.phase)),
        ("outcome", ascii(&body.outcome)),
        ("reference", ascii(&body.reference)),
        ("about", body.about.map(Vec::from)),
        ("package_version", version.map(|n| n.to_be_bytes().to_vec())),
    ];
    let there = objects.into_iter();
    there
        .filter_map(|(name, value)| Some((name, hex::encode(value?))))
        .collect()
}

#[test]
fn every_message_is_read_and_written_as_the_vectors_say() {
    let file = include_str!("../../../tests/fixtures/vectors/relay.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let bytes = hex::decode(text(case, "message")).unwrap();
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.encode().unwrap(), bytes);
        let letter = match message.letter {
            Letter::A => "A",
            Letter::I => "I",
        };
        assert_eq!(letter, text(case, "letter"));
        assert_eq!(message.industry.to_string(), text(case, "industry"));
        let expected = case["objects"].as_object().unwrap().iter();
        let expected: BTreeMap<&str, String> = expected
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap().to_owned()))
            .collect();
        assert_eq!(objects(&message), expected);
        let fields = case["fields"].as_object().unwrap();
        assert_eq!(message.body.fields.len(), fields.len());
        for (name, value) in fields {
            let found = message.body.field(name).map(hex::encode);
            assert_eq!(found.as_deref(), value.as_str(), "{name}");
        }
    }
}
