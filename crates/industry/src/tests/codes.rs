//! Every refusal has a code of its own, which is what a person is told.

use super::*;
use crate::{MAX_PACKAGE, PackageError};

fn code(text: &str) -> &'static str {
    match Package::parse(text.as_bytes()) {
        Ok(_) => "accepted",
        Err(error) => error.code(),
    }
}

/// Changes of the shipped transit purse that all have this code.
fn each_is(expected: &str, cases: &[(&str, &str)]) {
    for (from, to) in cases {
        let (code, why) = refused(TRANSIT, from, to);
        assert_eq!(code, expected, "`{to}`: {why}");
    }
}

#[test]
fn what_this_app_does_not_know_is_told_so_at_every_depth() {
    each_is(
        "package-field",
        &[
            (r#""format": 1,"#, r#""format": 1, "script": "x","#),
            (r#""en": "Transit"#, r#""de": "Bus", "en": "Transit"#),
            (r#""min_amount": 1,"#, r#""min_amount": 1, "daily": 1,"#),
            (r#""bytes": 16384"#, r#""bytes": 16384, "rounds": 9"#),
            (r#""length": 30,"#, r#""length": 30, "unit": "x","#),
            (
                r#""at": 24, "length": 4"#,
                r#""at": 24, "length": 4, "bits": 1"#,
            ),
            (
                r#""length": { "min": 4, "max": 10 }"#,
                r#""length": { "min": 4, "max": 10, "step": 2 }"#,
            ),
            (r#""number": "file15.serial","#, r#""holder": "file15","#),
            (
                r#""active": "file15.flag""#,
                r#""active": { "field": "file15.flag", "unless": [] }"#,
            ),
            (
                r#""field": "log","#,
                r#""field": "log", "currency": "amount","#,
            ),
            (r#""show": "read","#, r#""show": "read", "raw": true,"#),
            (r#""file15": {} }"#, r#""file15": { "from": 0 } }"#),
            (r#""file15": {} }"#, r#""file15": [{ "from": 0 }] }"#),
            (r#""bank": true,"#, r#""bank": true, "free": true,"#),
            (r#"{ "run": "read_uid" }"#, r#"{ "call": "read_uid" }"#),
            (
                r#"{ "run": "read_uid" }"#,
                r#"{ "apdu": "805401000F00000000" }"#,
            ),
            (r#""6A83": "done""#, r#""6A83": "again""#),
            (r#""show": "read""#, r#""show": "hide""#),
            (
                r#""when": { "past": "file15.expiry" }"#,
                r#""when": { "never": "file15.expiry" }"#,
            ),
        ],
    );
}

#[test]
fn a_package_is_at_most_64_kib_to_the_byte() {
    let padding = " ".repeat(MAX_PACKAGE - TRANSIT.len());
    assert_eq!(code(&format!("{TRANSIT}{padding}")), "accepted");
    assert_eq!(code(&format!("{TRANSIT}{padding} ")), "package-oversized");
    let huge = "9".repeat(16 << 20);
    assert_eq!(
        code(&huge),
        "package-oversized",
        "and is not even looked at"
    );
}

#[test]
fn a_command_that_is_not_listed_or_that_no_package_may_list_is_told_so() {
    each_is(
        "package-command",
        &[
            (r#"{ "run": "select" }"#, r#"{ "run": "debit" }"#),
            (
                r#"["read_log", "read_log_at_once"]"#,
                r#"["read_log", "debit"]"#,
            ),
            (
                "805C0002 04",
                "80540100 0F 00000001 00000000000000 00000000 08",
            ),
            ("805C0002 04", "80500102 0B 01 {amount} {terminal} 0F"),
            ("805C0002 04", "80500202 0B 01 {amount} {terminal} 0F"),
            ("805C0002 04", "80500302 0B 01 {amount} {terminal} 0F"),
            ("00B2 {index} C4 17", "8050 {index} 02 00"),
        ],
    );
    for class in ["81", "83", "84", "8C", "8F"] {
        let debit = format!("{class}540100 00");
        let (code, why) = refused(TRANSIT, "805C0002 04", &debit);
        assert_eq!(code, "package-command", "class {class}: {why}");
    }
}

#[test]
fn a_command_of_secure_messaging_that_says_it_changes_nothing_is_refused() {
    for class in ["04", "0C", "84", "8C", "94"] {
        let send = format!("{class}D69508 00");
        let (code, why) = refused(TRANSIT, "805C0002 04", &send);
        assert_eq!(code, "package-command", "class {class}: {why}");
        assert!(why.contains("commits"), "{why}");
    }
    let challenge = TRANSIT.replacen("00840000 04", "84840000 04", 1);
    assert_eq!(
        code(&challenge),
        "accepted",
        "GET CHALLENGE changes nothing"
    );
}

#[test]
fn an_endless_repetition_is_told_so() {
    let commands = r#"[{ "run": "credit" }]"#;
    let many = |n: usize| {
        format!(
            r#"[{} {{ "run": "credit" }}]"#,
            r#"{ "run": "read_uid" },"#.repeat(n)
        )
    };
    let steps = many(32);
    each_is(
        "package-endless",
        &[
            (r#""repeat": 10"#, r#""repeat": 33"#),
            (r#""repeat": 10"#, r#""repeat": 1"#),
            (r#""repeat": 10"#, r#""repeat": 256"#),
            (r#""repeat": 10"#, r#""repeat": 4294967295"#),
            (r#""commands": 64"#, r#""commands": 129"#),
            (r#""commands": 64"#, r#""commands": 1000000"#),
            (r#""commands": 64"#, r#""commands": 10"#),
            (r#""bytes": 16384"#, r#""bytes": 32769"#),
            (commands, &steps),
        ],
    );
    assert_eq!(
        refused(TRANSIT, r#""times": 10"#, r#""times": 33"#).0,
        "package-bad",
        "a long list alone asks nothing of a card"
    );
}

#[test]
fn numbers_and_nesting_beyond_all_bounds_are_told_so_and_cost_nothing() {
    let long = format!(r#""version": {}"#, "9".repeat(50_000));
    let deep = format!(
        r#""currency": {}"CNY"{},"#,
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    let objects = format!(
        r#""currency": {}1{},"#,
        r#"{"a":"#.repeat(8_000),
        "}".repeat(8_000)
    );
    let version = r#""version": 1"#;
    each_is(
        "package-bomb",
        &[
            (version, r#""version": 4294967296"#),
            (version, r#""version": 99999999999999999999999999"#),
            (version, r#""version": -1"#),
            (version, r#""version": 1e400"#),
            (version, r#""version": 1e300"#),
            (version, r#""version": -1e300"#),
            (version, &long),
            (r#""length": 30"#, r#""length": 65536"#),
            (r#""length": 30"#, r#""length": -1"#),
            (r#""length": 30"#, r#""length": 1e99"#),
            (
                r#"{ "min": 4, "max": 10 }"#,
                r#"{ "min": 4, "max": 18446744073709551615 }"#,
            ),
            (r#""at": 24"#, r#""at": 70000"#),
            (r#""times": 10"#, r#""times": 1000000"#),
            (r#""currency": "CNY","#, &deep),
            (r#""currency": "CNY","#, &objects),
        ],
    );
    assert_eq!(code(&"[".repeat(MAX_PACKAGE)), "package-bomb");
    assert_eq!(code(&"{\"a\":".repeat(10_000)), "package-bomb");
    assert_eq!(
        refused(TRANSIT, version, r#""version": 1.5"#).0,
        "package-bad",
        "no integer, but no bomb"
    );
    let brackets = TRANSIT.replacen("Transit purse", &"[{".repeat(20), 1);
    assert_eq!(
        code(&brackets),
        "accepted",
        "brackets in a text nest nothing"
    );
    let escaped = TRANSIT.replacen("Transit purse", r#"\"[[[[[[[[[[[[[[[[[[\\"#, 1);
    assert_eq!(code(&escaped), "accepted", "nor behind an escaped quote");
}

#[test]
fn the_place_of_a_nesting_is_told() {
    let text = format!("{{\n  \"format\": {}", "[".repeat(30));
    let Err(PackageError::TooDeep { line, column }) = Package::parse(text.as_bytes()) else {
        panic!("it is nested 31 deep")
    };
    assert_eq!((line, column), (2, 28), "the 17th");
}

/// Nothing in this program takes anything apart that was packed: what is packed is no package.
#[test]
fn a_packed_package_is_no_package() {
    let gzip: &[u8] = &[0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0, 0, 0x03];
    let zlib: &[u8] = &[0x78, 0xDA, 0xED, 0xC1];
    let zstd: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
    let zip: &[u8] = b"PK\x03\x04";
    for packed in [gzip, zlib, zstd, zip] {
        let error = Package::parse(packed).unwrap_err();
        assert_eq!(error.code(), "package-bad", "{packed:02X?}");
    }
}

#[test]
fn an_older_and_an_early_package_have_codes_of_their_own() {
    let at = |version: u32, more: &str| {
        let text = TRANSIT.replacen(
            r#""version": 1"#,
            &format!(r#""version": {version}{more}"#),
            1,
        );
        Package::parse(text.as_bytes()).unwrap()
    };
    let mut packages = Packages::new();
    packages.insert(at(5, ""), TODAY).unwrap();
    let older = packages.insert(at(4, ""), TODAY).unwrap_err();
    assert_eq!(older.code(), "package-older");
    let early = packages
        .insert(at(6, r#", "valid_from": 20261124"#), TODAY)
        .unwrap_err();
    assert_eq!(early.code(), "package-early");
    let kept = packages.iter().map(Package::version).collect::<Vec<_>>();
    assert_eq!(kept, [5], "neither took the place of the good one");
    packages
        .insert(at(6, r#", "valid_from": 20261123"#), TODAY)
        .expect("its day has come");
}
