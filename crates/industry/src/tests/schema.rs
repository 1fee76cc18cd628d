//! The published JSON Schema says what the format says: the same members, and never less than the reader of JSON.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::format::*;

const SCHEMA: &str = include_str!("../../../../docs/industry-package.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

#[test]
fn every_shipped_package_is_of_the_schema() {
    let validator = validator();
    for (name, text) in industries::ALL {
        let package: Value = serde_json::from_str(text).unwrap();
        let told: Vec<String> = validator
            .iter_errors(&package)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(told, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn an_editor_may_be_told_where_the_schema_is() {
    let text = TRANSIT.replacen(
        '{',
        r#"{ "$schema": "../docs/industry-package.schema.json","#,
        1,
    );
    assert!(Package::parse(text.as_bytes()).is_ok());
    assert!(validator().is_valid(&serde_json::from_str(&text).unwrap()));
    let number = TRANSIT.replacen('{', r#"{ "$schema": 5,"#, 1);
    assert!(
        Package::parse(number.as_bytes()).is_err(),
        "text, if anything"
    );
}

/// The names that the reader of JSON knows, out of its own words about one that it does not.
fn known_to_the_reader<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = serde_json::from_str::<T>(r#"{"?": 0}"#).err().unwrap();
    let told = error.to_string();
    let (_, names) = told
        .split_once("expected ")
        .unwrap_or_else(|| panic!("{told}"));
    names
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The members of an object of the schema, or those of its alternatives.
fn known_to_the_schema(place: &str) -> BTreeSet<String> {
    let schema = schema();
    let object = schema.pointer(place).unwrap_or_else(|| panic!("{place}"));
    let mut names = BTreeSet::new();
    let alternatives = object["oneOf"].as_array().into_iter().flatten();
    for object in alternatives.chain([object]) {
        let members = object["properties"].as_object().into_iter().flatten();
        names.extend(members.map(|(name, _)| name.clone()));
        names.extend(object["const"].as_str().map(str::to_owned));
    }
    names
}

#[test]
fn the_schema_names_the_members_of_the_format_and_no_others() {
    for (place, reader) in [
        ("", known_to_the_reader::<Document>()),
        ("/$defs/localName", known_to_the_reader::<LocalName>()),
        ("/$defs/limits", known_to_the_reader::<AmountLimits>()),
        ("/$defs/bounds", known_to_the_reader::<Bounds>()),
        ("/$defs/field", known_to_the_reader::<FieldShape>()),
        ("/$defs/part", known_to_the_reader::<Part>()),
        ("/$defs/kind", known_to_the_reader::<Kind>()),
        ("/$defs/length", known_to_the_reader::<LengthRange>()),
        ("/$defs/card", known_to_the_reader::<CardMap>()),
        ("/$defs/active", known_to_the_reader::<ActiveValues>()),
        ("/$defs/log", known_to_the_reader::<LogMap>()),
        ("/$defs/command", known_to_the_reader::<CommandText>()),
        ("/$defs/action", known_to_the_reader::<Action>()),
        ("/$defs/take", known_to_the_reader::<Take>()),
        ("/$defs/phase", known_to_the_reader::<Phase>()),
        ("/$defs/step", known_to_the_reader::<Step>()),
        ("/$defs/refuse", known_to_the_reader::<Refuse>()),
        ("/$defs/require", known_to_the_reader::<Require>()),
        ("/$defs/condition", known_to_the_reader::<Condition>()),
        ("/$defs/comparison", known_to_the_reader::<Comparison>()),
        ("/$defs/sum", known_to_the_reader::<SumAgainst>()),
        ("/$defs/then", known_to_the_reader::<Then>()),
        ("/$defs/report", known_to_the_reader::<Report>()),
        ("/$defs/end", known_to_the_reader::<Fields>()),
    ] {
        assert_eq!(known_to_the_schema(place), reader, "{place}");
    }
}

/// Every place of a value, as JSON pointers.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(member, &format!("{at}/{name}"), into);
            }
        }
        Value::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                places(value, &format!("{at}/{number}"), into);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The package with one place changed in each of several ways.
fn changes(package: &Value, at: &str) -> Vec<Value> {
    let others = [
        json!(7),
        json!(-1),
        json!(1.5),
        json!(99_999_999_999_u64),
        json!("?"),
        json!(""),
        json!(true),
        json!({}),
        json!({"run": "a", "end": {}}),
    ];
    let mut changed = Vec::new();
    let mut put = |value: Value| {
        let mut package = package.clone();
        *package.pointer_mut(at).unwrap() = value;
        changed.push(package);
    };
    others.into_iter().for_each(&mut put);
    let here = package.pointer(at).unwrap();
    if let Some(members) = here.as_object() {
        let mut more = members.clone();
        more.insert("colour".to_owned(), json!(1));
        put(more.into());
        for name in members.keys() {
            let mut fewer = members.clone();
            fewer.remove(name);
            put(fewer.into());
        }
    }
    changed
}

/// The same for places of the same kind: names that a package gives count for nothing.
fn kind_of(place: &str) -> String {
    let groups = [
        "constants",
        "dol",
        "fields",
        "parts",
        "kinds",
        "commands",
        "on",
        "take",
        "phases",
    ];
    let mut kind = String::new();
    let mut named = false;
    for step in place.split('/') {
        let any = named || step.parse::<usize>().is_ok();
        named = !any && groups.contains(&step);
        kind.push_str(if any { "/*" } else { step });
    }
    kind
}

#[test]
fn the_schema_takes_what_the_app_takes_and_refuses_what_the_reader_refuses() {
    let validator = validator();
    let (mut taken, mut refused) = (0, 0);
    let mut seen: BTreeMap<String, u8> = BTreeMap::new();
    for (name, text) in industries::ALL {
        let package: Value = serde_json::from_str(text).unwrap();
        let mut at = Vec::new();
        places(&package, "", &mut at);
        for place in at {
            let times = seen.entry(kind_of(&place)).or_default();
            *times += 1;
            if *times > 2 {
                continue;
            }
            for changed in changes(&package, &place) {
                let text = changed.to_string();
                let valid = validator.is_valid(&changed);
                let here = changed.pointer(&place);
                if Package::parse(text.as_bytes()).is_ok() {
                    assert!(valid, "{name} {place}: the app takes {here:?}");
                    taken += 1;
                } else if serde_json::from_str::<Document>(&text).is_err() {
                    assert!(!valid, "{name} {place}: not of the format: {here:?}");
                    refused += 1;
                }
            }
        }
    }
    assert!(
        taken > 100 && refused > 2_000,
        "{taken} taken, {refused} refused"
    );
}

#[test]
fn what_breaks_a_rule_that_a_schema_can_say_is_refused_by_it() {
    let validator = validator();
    for (from, to) in [
        (r#""format": 1"#, r#""format": 2"#),
        (r#""industry": "0001""#, r#""industry": "1""#),
        (r#""version": 1"#, r#""version": 0"#),
        (r#""CNY""#, r#""cny""#),
        (r#""en": "Transit purse""#, r#""en": """#),
        (r#""aids": ["A0"#, r#""aids": ["A000", "A0"#),
        (r#""min_amount": 1"#, r#""min_amount": 0"#),
        (r#""commands": 64"#, r#""commands": 129"#),
        (r#""bytes": 16384"#, r#""bytes": 99999"#),
        (r#""aid": "A0"#, r#""aid": "A"#),
        (r#""aid": "A0"#, r#""amount": "00", "aid": "A0"#),
        (r#""tac": { "length": 4 }"#, r#""amount": { "length": 4 }"#),
        (
            r#""tac": { "length": 4 }"#,
            r#""new_balance": { "length": 4 }"#,
        ),
        (r#""tac": { "length": 4 }"#, r#""Tac": { "length": 4 }"#),
        (r#""times": 10"#, r#""times": 255"#),
        (r#""type": "date""#, r#""type": "day""#),
        (r#""repeat": 10"#, r#""repeat": 200"#),
        (r#""6283": {"#, r#""62": {"#),
        (r#""outcome": "card-expired""#, r#""outcome": "card-eaten""#),
        (r#""6A83": "done""#, r#""6A83": "jump""#),
        (r#""mask": "7FFFFFFF""#, r#""mask": "7FFFFFF""#),
        (r#""show": "read""#, r#""show": "look""#),
        (r#""limit": "min_amount""#, r#""limit": "least""#),
        (
            r#"{ "run": "select" }"#,
            r#"{ "run": "select", "try": ["a", "b"] }"#,
        ),
        (
            r#""try": ["read_log", "read_log_at_once"]"#,
            r#""try": ["read_log"]"#,
        ),
        (r#""open_balance": {"#, r#""open_other": {"#),
    ] {
        assert!(TRANSIT.contains(from), "the package has `{from}`");
        let text = TRANSIT.replacen(from, to, 1);
        assert!(Package::parse(text.as_bytes()).is_err(), "{to}");
        let package: Value = serde_json::from_str(&text).unwrap();
        assert!(!validator.is_valid(&package), "{to}");
    }
}
