use super::*;
use crate::{MAX_PACKAGE, PackageError};

fn parse(text: &str) -> Result<Package, PackageError> {
    Package::parse(text.as_bytes())
}

/// The shipped package with one text replaced by another.
fn changed(from: &str, to: &str) -> Result<Package, PackageError> {
    assert!(TRANSIT.contains(from), "the package has `{from}`");
    parse(&TRANSIT.replacen(from, to, 1))
}

fn refusal(from: &str, to: &str) -> String {
    match changed(from, to) {
        Ok(_) => panic!("accepted: `{to}`"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_shipped_package_is_good() {
    let package = parse(TRANSIT).unwrap();
    assert_eq!(package.industry().as_str(), "0001");
    assert_eq!(package.name().en, "Transit purse");
    assert_eq!(package.name().zh_cn, "公交钱包");
    assert_eq!(
        package.aids().next(),
        Some(hex("A00000000386980701").as_slice())
    );
    assert_eq!((package.version(), package.currency()), (1, "CNY"));
    assert_eq!(package.limits().max_balance, 100_000);
}

#[test]
fn text_that_is_not_of_the_format_is_refused_with_its_place() {
    let cases = [
        (
            r#""format": 1,"#,
            r#""format": 1, "extra": 1,"#,
            "unknown field `extra`",
        ),
        (r#""currency": "CNY","#, "", "missing field `currency`"),
        (r#""version": 1"#, r#""version": -1"#, "invalid value"),
        (
            r#""version": 1"#,
            r#""version": 99999999999999999999999"#,
            "invalid",
        ),
        (
            r#""show": "read""#,
            r#""show": "look""#,
            "unknown variant `look`",
        ),
        (
            r#""at": 0, "length": 8"#,
            r#""at": 0, "length": 8, "x": 0"#,
            "unknown field `x`",
        ),
        (r#""aid": "A0"#, r#""aid": "XX"#, "not pairs of hex digits"),
        (
            r#""6A83": "done""#,
            r#""6A83": "jump""#,
            "unknown variant `jump`",
        ),
        (
            r#""aid": "A00000000386980701""#,
            r#""aid": "A0", "aid": "A1""#,
            "`aid` stands twice",
        ),
    ];
    for (from, to, expected) in cases {
        let text = refusal(from, to);
        assert!(
            text.contains(expected) && text.starts_with("line "),
            "{text}"
        );
    }
    assert!(parse("").is_err() && parse("[]").is_err() && parse("{").is_err());
}

fn each_is_refused(cases: &[(&str, &str, &str)]) {
    for (from, to, expected) in cases {
        let text = refusal(from, to);
        assert!(text.contains(expected), "`{to}`: {text}");
    }
}

#[test]
fn a_rule_for_the_head_that_is_broken_is_named() {
    each_is_refused(&[
        (r#""format": 1"#, r#""format": 2"#, "format: this reader"),
        (r#""version": 1"#, r#""version": 0"#, "version: counts"),
        (
            r#""min_amount": 1"#,
            r#""min_amount": 0"#,
            "limits.min_amount",
        ),
        (
            r#""max_balance": 100000"#,
            r#""max_balance": 5"#,
            "limits.max_balance",
        ),
        (r#""commands": 64"#, r#""commands": 129"#, "bounds.commands"),
        (
            r#""commands": 64"#,
            r#""commands": 5"#,
            "more than `bounds`",
        ),
        (r#""bytes": 16384"#, r#""bytes": 99999"#, "bounds.bytes"),
        (
            r#""aids": ["A0"#,
            r#""aids": ["A000", "A0"#,
            "aids: 5 to 16 bytes",
        ),
    ]);
}

#[test]
fn a_template_that_gives_no_well_formed_command_is_refused() {
    for (send, expected) in [
        ("00A40400 08 {aid} 00", "commands.select.send: Lc says 8"),
        ("00A40400 09 {aid} 0000", "Lc says 9"),
        ("00A40400 00 {aid} 00", "not 00"),
        ("00A404", "at least 4 bytes"),
        ("00A40400 09 {dia} 00", "`dia` is not declared"),
        ("00A40400 09 {aid", "`{` without `}`"),
        ("00A40400 09 {uid} 00", "no fixed length"),
        ("00A40400 09 {log} 00", "no fixed length"),
        ("FF000000 00", "of class FF"),
        ("00640000", "no instruction"),
        ("{status} 000B {credit_data} 04", "class and instruction"),
        ("8052 {status} 0B {credit_data} 04", "P1 and P2"),
        ("00B2 {index} C4 17", "is needed for {index}"),
    ] {
        let text = refusal("00A40400 09 {aid} 00", send);
        assert!(text.contains(expected), "`{send}`: {text}");
    }
}

#[test]
fn a_rule_for_commands_and_fields_that_is_broken_is_named() {
    each_is_refused(&[
        (
            r#""repeat": 10"#,
            r#""repeat": 200"#,
            "commands.read_log.repeat",
        ),
        (r#""repeat": 10,"#, "", "is needed for {index}"),
        ("00B2 {index} C4 17", "00B2 01 C4 17", "needs {index}"),
        (r#""6283": {"#, r#""62": {"#, "commands.select.on.62"),
        (
            r#""outcome": "card-expired""#,
            r#""outcome": "card-eaten""#,
            "`card-eaten`",
        ),
        (
            r#""file15": {} }"#,
            r#""file16": {} }"#,
            "commands.read_file15.take.file16",
        ),
        (
            r#""mask": "7FFFFFFF""#,
            r#""mask": "7F""#,
            "the mask is as long",
        ),
        (
            r#""reply": 30,"#,
            r#""reply": 29,"#,
            "can never have the length",
        ),
        (
            r#""status_as": "status""#,
            r#""status_as": "tac""#,
            "names a field of 2 bytes",
        ),
        (
            r#""at": 24, "length": 4"#,
            r#""at": 27, "length": 4"#,
            "fields.file15.parts.expiry",
        ),
        (
            r#""at": 24, "length": 4"#,
            r#""at": 24, "length": 3"#,
            "a date has 4 bytes",
        ),
        (r#""times": 10"#, r#""times": 255"#, "a list has 1 to 32"),
        (
            r#""number": "file15.serial""#,
            r#""number": "file15.flag""#,
            "card.number",
        ),
        (
            r#""tac": { "length": 4 }"#,
            r#""amount": { "length": 4 }"#,
            "the name is taken",
        ),
    ]);
}

#[test]
fn phases_keep_to_their_rules() {
    each_is_refused(&[
        (
            r#"{ "run": "select" }"#,
            r#"{ "run": "selekt" }"#,
            "no command `selekt`",
        ),
        (
            r#""after": ["prove"]"#,
            r#""after": ["open_balance"]"#,
            "`open_balance` sends nothing",
        ),
        (
            r#""after": ["prove"]"#,
            r#""after": ["load"]"#,
            "can't be reached",
        ),
        (r#""after": ["prove"]"#, r#""after": []"#, "needs `bank`"),
        (
            r#""takes": ["update"]"#,
            r#""takes": []"#,
            "`update` may have no value here",
        ),
        (
            r#""takes": ["amount"]"#,
            r#""takes": []"#,
            "`amount` may have no value here",
        ),
        (
            r#""takes": ["amount"]"#,
            r#""takes": ["uid"]"#,
            "`uid` is no field of one length",
        ),
        (
            r#""takes": ["amount"]"#,
            r#""takes": ["terminal"]"#,
            "`terminal` is no field",
        ),
        (
            r#""takes": ["amount"]"#,
            r#""takes": ["amount", "amount"]"#,
            "a field stands twice",
        ),
        (
            r#""fields": ["status"], "optional": ["tac"]"#,
            r#""fields": ["status", "tac"]"#,
            "`tac` may have no value here",
        ),
        (
            r#"{ "run": "get_challenge" }"#,
            r#"{ "run": "enable" }"#,
            "`enable` commits",
        ),
        (
            r#"[{ "run": "credit" }]"#,
            r#"[{ "try": ["credit", "select"] }]"#,
            "`credit` commits",
        ),
        (
            r#""open_balance": {"#,
            r#""open_other": {"#,
            "phases.open_balance",
        ),
    ]);
}

#[test]
fn bombs_are_refused_before_they_cost_anything() {
    let large = format!("{TRANSIT}{}", " ".repeat(MAX_PACKAGE));
    assert!(matches!(parse(&large), Err(PackageError::TooLarge { .. })));
    assert!(parse(&"[".repeat(MAX_PACKAGE)).is_err(), "depth");
    assert!(
        parse(&format!(r#"{{"format": {}}}"#, "9".repeat(60_000))).is_err(),
        "a long number"
    );
    assert!(
        parse(r#"{"format": 1e999999999}"#).is_err(),
        "a large number"
    );
    let many: String = (0..500).map(|n| format!(r#""c{n}": "00", "#)).collect();
    let many = format!(r#""constants": {{ {many} "aid""#);
    let text = refusal(r#""constants": { "aid""#, &many);
    assert!(text.contains("at most 64 members"), "{text}");
    let steps = format!(
        r#""steps": [{} {{ "run": "credit" }}]"#,
        r#"{ "run": "select" },"#.repeat(40)
    );
    let text = refusal(r#""steps": [{ "run": "credit" }]"#, &steps);
    assert!(text.contains("steps: at most 32"), "{text}");
}

#[test]
fn older_and_not_yet_valid_packages_are_refused() {
    let version =
        |version: u32| changed(r#""version": 1"#, &format!(r#""version": {version}"#)).unwrap();
    let mut packages = Packages::new();
    packages.insert(version(2), TODAY).unwrap();
    packages.insert(version(2), TODAY).unwrap();
    let refused = packages.insert(version(1), TODAY).unwrap_err();
    assert!(matches!(
        refused,
        PackageError::Older {
            version: 1,
            present: 2,
            ..
        }
    ));
    packages.insert(version(3), TODAY).unwrap();
    assert_eq!(
        packages.iter().map(Package::version).collect::<Vec<_>>(),
        [3]
    );
    let tomorrow = r#""format": 1, "valid_from": 20261124"#;
    let refused = packages
        .insert(changed(r#""format": 1"#, tomorrow).unwrap(), TODAY)
        .unwrap_err();
    assert_eq!(
        refused,
        PackageError::NotYetValid {
            valid_from: 20_261_124
        }
    );
}

#[test]
fn only_a_harmless_read_measures_the_contact() {
    let package = changed(r#""probe": true,"#, "").unwrap();
    assert_eq!(package.version(), 1, "a package may measure nothing");
    for (from, to) in [
        (
            r#""send": "00840000 04","#,
            r#""send": "00840000 04", "probe": true,"#,
        ),
        (
            r#""send": "805A0002 02 {after} 08","#,
            r#""send": "805A0002 02 {after} 08", "probe": true,"#,
        ),
        (r#""repeat": 10,"#, r#""repeat": 10, "probe": true,"#),
        (r#""commits": true,"#, r#""commits": true, "probe": true,"#),
    ] {
        let text = refusal(from, to);
        assert!(text.contains("probe"), "{text}");
    }
    let reads = changed(
        r#""send": "805C0002 04","#,
        r#""send": "80 5c 0002 04", "probe": true,"#,
    );
    assert!(reads.is_ok(), "GET BALANCE is one, however it is written");
}
