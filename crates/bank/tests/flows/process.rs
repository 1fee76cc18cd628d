//! The binary itself.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use bank::ManualClock;

use crate::terminal::{Terminal, code};

pub(crate) fn bank(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bank"));
    command
        .arg(words[0])
        .arg("--dir")
        .arg(dir)
        .args(&words[1..]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn failed(dir: &Path, words: &[&str]) -> String {
    let Output { status, stderr, .. } = bank(dir, words).output().unwrap();
    assert!(!status.success());
    String::from_utf8(stderr).unwrap()
}

fn started(dir: &Path) -> Child {
    let free = "127.0.0.1:0";
    let words = ["run", "--dev", "--security", free, "--transaction", free];
    let mut child = bank(dir, &words).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(
        line.starts_with("bank: ready security=127.0.0.1:"),
        "{line}"
    );
    child
}

#[test]
fn a_bad_start_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    assert!(failed(dir.path(), &["run"]).contains("config-missing"));
    let file = dir.path().join("bank.toml");
    let path = file.to_str().unwrap();
    assert!(failed(dir.path(), &["run", "--config", path]).contains("config-unreadable"));
    std::fs::write(&file, "[bank]\nname = \"B\"\n[keys]\nsuite = 9\n").unwrap();
    assert!(failed(dir.path(), &["run", "--config", path]).contains("config-bad: keys.suite"));
    std::fs::write(&file, "[bank]\nname = 7\n").unwrap();
    assert!(failed(dir.path(), &["run", "--config", path]).contains("config-syntax"));
    assert!(failed(dir.path(), &["run", "--security", "here"]).contains("--security"));
    assert!(failed(dir.path(), &["check"]).contains("there is no bank here"));
    std::fs::write(dir.path().join("bank.sqlite"), "not a database").unwrap();
    assert!(failed(dir.path(), &["run", "--dev"]).contains("unusable"));
}

#[cfg(unix)]
#[test]
fn a_signal_stops_the_bank_and_a_killed_one_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    for (signal, clean) in [("TERM", true), ("KILL", false), ("INT", true)] {
        let mut child = started(dir.path());
        let id = child.id().to_string();
        let sent = Command::new("kill")
            .args([format!("-{signal}"), id])
            .status()
            .unwrap();
        assert!(sent.success());
        let status = child.wait().unwrap();
        assert_eq!(status.success(), clean, "{signal}");
        let mut log = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        assert!(!log.contains("ERROR"), "{log}");
    }
    let Output { status, stdout, .. } = bank(dir.path(), &["check"]).output().unwrap();
    assert!(status.success());
    let report: serde_json::Value = serde_json::from_slice(&stdout).unwrap();
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(report["money"]["customers"], 1_000_000);
}

#[tokio::test]
async fn an_operator_revokes_a_terminal_of_a_running_bank() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = started(dir.path());
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let clock = ManualClock::new(now.as_millis().try_into().unwrap());
    let client = Terminal::client_of(&dir.path().join("profile.json"));
    let mut terminal = Terminal::enrol_with(client, Arc::new(clock)).await;
    terminal.fetch_key().await.unwrap();
    let number = terminal.enrolled.terminal.to_string();
    let revoke = |number: &str| {
        let words = ["revoke", "--dev", "--terminal", number];
        bank(dir.path(), &words).output().unwrap()
    };
    assert!(revoke(&number).status.success());
    assert_eq!(
        code(terminal.fetch_key().await.unwrap_err()),
        "terminal-revoked"
    );
    assert_eq!(revoke("000000000000").status.code(), Some(3));
    assert!(!revoke("12").status.success());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        bank(dir.path(), &["check"])
            .output()
            .unwrap()
            .status
            .success()
    );
}

/// Writes `password` to the command's standard input.
fn signed(dir: &Path, password: &str, words: &[&str]) -> Output {
    use std::io::Write;
    let mut child = bank(dir, words).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{password}\n").as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn operators_decide_at_the_command_line_of_a_bank_that_rests() {
    let stage = crate::stage::Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, crate::card::Card::demo());
    terminal.issued(&stage, &mut card, 5_000).await;
    let crate::stage::Stage {
        dir, bank: running, ..
    } = stage;
    running.stop().await;
    let dir = dir.path();
    for name in ["Chen", "wang"] {
        let kept = signed(
            dir,
            "a long enough one",
            &["operator", "--dev", "--name", name],
        );
        assert!(kept.status.success(), "{kept:?}");
    }
    let listed = bank(dir, &["open-loads", "--dev"]).output().unwrap();
    let loads: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let reference = loads[0]["reference"].as_str().unwrap();
    let act = |words: &[&str]| {
        let common = [
            "--dev",
            "--reference",
            reference,
            "--evidence",
            "seen at the counter",
        ];
        let done = signed(dir, "a long enough one", &[words, &common].concat());
        let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        (done.status.code(), said)
    };
    let (code, said) = act(&["decide", "--name", "chen", "--as", "refund"]);
    assert_eq!(code, Some(3));
    assert!(said.contains("load-not-manual"), "{said}");
    let (code, said) = act(&["decide", "--name", "chen", "--as", "give"]);
    assert_eq!(code, Some(3));
    assert!(said.contains("loaded, refund or write-off"), "{said}");
    for (words, expected) in [
        (&["lost-card", "--name", "chen"][..], "taken-over\n"),
        (
            &["decide", "--name", "chen", "--as", "refund"],
            "proposed\n",
        ),
        (&["decide", "--name", "wang", "--as", "refund"], "decided\n"),
    ] {
        assert_eq!(act(words), (Some(0), expected.to_owned()));
    }
    let gone = bank(dir, &["remove-operator", "--dev", "--name", "chen"]);
    let status = { gone }.status().unwrap();
    assert!(status.success());
    let checked = bank(dir, &["check"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(report["money"]["customers"], 1_000_000);
}

/// The limit on the size of any file that the process may write, as `prlimit` of util-linux sets it.
#[cfg(target_os = "linux")]
fn limit_files(process: &Child, most: &str) {
    let limit = format!("--fsize={most}:unlimited");
    let id = process.id().to_string();
    let done = Command::new("prlimit")
        .args(["--pid", &id, &limit])
        .status();
    assert!(done.unwrap().success());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_bank_whose_files_may_not_grow_refuses_and_goes_on_when_they_may() {
    use crate::card::Card;
    use crate::terminal::{inbox, new_id, outcome, phase};

    let dir = tempfile::tempdir().unwrap();
    let free = "127.0.0.1:0";
    // A write beyond the limit is an error to a process that ignores its signal.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    command
        .arg(env!("CARGO_BIN_EXE_bank"))
        .args(["run", "--dev"]);
    command.args(["--security", free, "--transaction", free]);
    command.arg("--dir").arg(dir.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let profile = dir.path().join("profile.json");
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let clock = ManualClock::new(now.as_millis().try_into().unwrap());
    let client = Terminal::client_of(&profile);
    let mut terminal = Terminal::enrol_with(client, Arc::new(clock)).await;
    terminal.fetch_key().await.unwrap();
    let mut card = Card::demo();
    let id = new_id();
    terminal
        .send_code(&id, &card.tail(), crate::stage::PHONE)
        .await;
    let mut sent = inbox(&profile).await;
    while sent.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        sent = inbox(&profile).await;
    }
    let proof = terminal
        .verify(&id, sent[0]["code"].as_str().unwrap())
        .await;
    let asked = terminal.load_message(id, &mut card, (5_000, proof.unwrap()));
    limit_files(&child, "1");
    for _ in 0..3 {
        let refused = terminal.relay_bytes(&asked.encode().unwrap()).await;
        assert_eq!(code(refused.unwrap_err()), "internal");
    }
    limit_files(&child, "unlimited");
    let approved = terminal.relay(&asked).await;
    assert_eq!(
        phase(&approved),
        "credit",
        "the same message, once there is room"
    );
    let tac = card.credit(approved.body.field("credit_data").unwrap());
    let done = terminal.credit_message(relay::Operation::TopUp, (id, 2), tac);
    limit_files(&child, "1");
    let refused = terminal.relay_bytes(&done.encode().unwrap()).await;
    assert_eq!(code(refused.unwrap_err()), "internal");
    limit_files(&child, "unlimited");
    assert_eq!(outcome(&terminal.relay(&done).await), "ok");
    child.kill().unwrap();
    child.wait().unwrap();
    let checked = bank(dir.path(), &["check"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(report["findings"], serde_json::json!([]));
    let money = &report["money"];
    let places = (
        &money["customers"],
        &money["in_transit"],
        &money["card_float"],
    );
    assert_eq!(places, (&995_000.into(), &0.into(), &5_000.into()));
}
