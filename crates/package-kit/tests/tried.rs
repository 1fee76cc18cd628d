//! The program itself: what it says and whether it fails.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn package(dir: &Path, words: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_package-kit"));
    program.args(words).current_dir(dir).output().unwrap()
}

fn shipped(name: &str) -> &'static str {
    let mut all = industries::ALL.iter();
    all.find(|(file, _)| *file == name).unwrap().1
}

#[test]
fn a_shipped_package_passes_every_check_with_its_card() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("CITY.json"), shipped("CITY.json")).unwrap();
    let words = ["try", "CITY.json", "--card", "city-union", "--json"];
    let tried = package(dir.path(), &words);
    assert!(tried.status.success(), "{tried:?}");
    let report: serde_json::Value = serde_json::from_slice(&tried.stdout).unwrap();
    assert_eq!(report["industry"], "CITY");
    assert_eq!(report["failed"], 0, "{report}");
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(report["passed"], checks.len());
    assert!(checks.len() > 20, "each command torn three times, and more");
    assert!(
        report["commands"].as_u64().unwrap() > 100,
        "of the card's own record"
    );
}

#[test]
fn a_package_that_reads_a_wrong_balance_fails() {
    let dir = tempfile::tempdir().unwrap();
    let text = shipped("0001.json").replace(r#""mask": "7FFFFFFF""#, r#""mask": "0000FFF0""#);
    assert_ne!(text, shipped("0001.json"));
    // what is wrong with the balance is seen at once: only reading is kept
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["industry"] = "0042".into();
    let phases = json["phases"].as_object_mut().unwrap();
    phases.retain(|name, _| name == "open_balance");
    json["commands"]["credit"]["commits"] = false.into();
    json["commands"].as_object_mut().unwrap().remove("enable");
    std::fs::write(dir.path().join("p.json"), json.to_string()).unwrap();
    let tried = package(dir.path(), &["try", "p.json", "--card", "demo"]);
    let said = String::from_utf8(tried.stdout).unwrap();
    assert!(!tried.status.success(), "{said}");
    let told =
        "FAILED  balance and log are what the card has: 12848 fen are shown, 12850 are on the card";
    assert!(said.contains(told), "{said}");
    assert!(said.contains(", 1 failed; the card received"), "{said}");
}

#[test]
fn several_files_are_checked_and_one_bad_one_fails_them() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("good.json"), shipped("0001.json")).unwrap();
    let bad = shipped("0001.json").replacen("\"CNY\"", "\"cny\"", 1);
    std::fs::write(dir.path().join("bad.json"), bad).unwrap();
    let checked = package(dir.path(), &["check", "bad.json", "good.json"]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(!checked.status.success());
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "bad.json:6:3: error[package-bad]: currency: three capital letters",
            "good.json: good: industry 0001, version 1: balance, top-up, re-top-up, activation; 16 commands"
        ]
    );
    assert!(
        package(dir.path(), &["check", "good.json"])
            .status
            .success()
    );
}

#[test]
fn what_comes_with_the_app_is_not_tried_under_its_version() {
    let dir = tempfile::tempdir().unwrap();
    let text = shipped("CITY.json").replace("City Union card", "My card");
    std::fs::write(dir.path().join("CITY.json"), text).unwrap();
    let tried = package(dir.path(), &["try", "CITY.json", "--card", "city-union"]);
    let said = String::from_utf8(tried.stderr).unwrap();
    assert!(said.contains("comes with the app in version 1"), "{said}");
}
