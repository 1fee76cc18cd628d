//! The audit log's verifier and a day's reconciliation, of a bank that runs.

use std::path::Path;
use std::process::Command;

use bank::{Anchor, Reconciled};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::card::Card;
use crate::stage::{NOW_MS, Stage};
use crate::terminal::outcome;

const DAY_MS: u64 = 24 * 3_600_000;

async fn change(dir: &Path, statements: &[&'static str]) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.join("bank.sqlite"));
    let mut conn = sqlx::ConnectOptions::connect(&options).await.unwrap();
    for sql in statements {
        sqlx::query(*sql).execute(&mut conn).await.unwrap();
    }
}

/// Exit code of `bank audit verify`, and what it says.
fn verify(dir: &Path, words: &[&str]) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bank"));
    command
        .args(["audit", "verify", "--dir"])
        .arg(dir)
        .args(words);
    let done = command.output().unwrap();
    let said = serde_json::from_slice(&done.stdout).unwrap_or_default();
    (done.status.code(), said)
}

#[tokio::test]
async fn the_audit_chain_shows_what_was_altered_and_an_anchor_what_was_cut_off() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let done = terminal.top_up(&stage, &mut card, 5_000).await;
    assert_eq!(outcome(&done), "ok");
    let dir = stage.dir.path();
    let (code, chain) = verify(dir, &[]);
    assert_eq!((code, &chain["broken"]), (Some(0), &Value::Null), "{chain}");
    let rows = chain["rows"].as_i64().unwrap();
    assert!(rows > 4, "enrolment, key and the load's moves: {chain}");
    assert_eq!(chain["last_ms"], NOW_MS);
    let anchor = chain["anchor"].as_str().unwrap().to_owned();
    assert_eq!(verify(dir, &["--anchor", &anchor]).0, Some(0));
    let of_another = format!("0:{rows}:{}", "00".repeat(32));
    let (code, chain) = verify(dir, &["--anchor", &of_another]);
    let place = format!("audit row {rows}");
    assert_eq!(
        (code, chain["broken"].as_str()),
        (Some(3), Some(place.as_str()))
    );

    let cut = "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)";
    change(dir, &["DROP TRIGGER audit_kept", cut]).await;
    let place = format!("audit row {rows} is missing");
    let (code, chain) = verify(dir, &[]);
    assert_eq!(
        (code, chain["broken"].as_str()),
        (Some(3), Some(place.as_str())),
        "the store keeps what the last row is"
    );
    let forged = "UPDATE audit_head SET (last, hash) = (SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1)";
    change(dir, &[forged]).await;
    let (code, chain) = verify(dir, &[]);
    assert_eq!(
        code,
        Some(0),
        "a chain alone can't show what is missing at its end: {chain}"
    );
    let (code, chain) = verify(dir, &["--anchor", &anchor]);
    assert_eq!(
        (code, chain["broken"].as_str()),
        (Some(3), Some(place.as_str()))
    );

    let alter = "UPDATE audit SET detail = '{}' WHERE id = 3";
    let late = "UPDATE audit SET at_ms = at_ms + 1 WHERE id = 3";
    change(dir, &["DROP TRIGGER audit_stays", alter, late]).await;
    let (code, chain) = verify(dir, &[]);
    assert_eq!(
        (code, chain["broken"].as_str()),
        (Some(3), Some("audit row 3"))
    );
    assert_eq!(chain["rows"], 2, "rows before it hang together");
    assert_eq!(
        verify(dir, &["--anchor", "3"]).0,
        Some(2),
        "no anchor at all"
    );
    assert!("3:zz".parse::<Anchor>().is_err());
}

async fn of_day(stage: &Stage, day: &str, now_ms: u64) -> Reconciled {
    let day = day.parse().unwrap();
    let done = bank::reconcile(stage.dir.path(), None, day, now_ms).await;
    done.unwrap()
}

#[tokio::test]
async fn a_days_file_has_every_load_and_never_changes_once_the_day_is_over() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    for amount in [5_000, 2_000] {
        let done = terminal.top_up(&stage, &mut card, amount).await;
        assert_eq!(outcome(&done), "ok");
        stage.clock.advance(120_000);
    }
    terminal.issued(&stage, &mut card, 3_000).await;
    stage.clock.advance(400_000);
    stage
        .until_phases(&["confirmed", "confirmed", "in-doubt"])
        .await;
    let early = of_day(&stage, "2026-11-23", NOW_MS + 1_000_000).await;
    assert!(early.agrees && !early.complete, "{}", early.csv);
    let late = of_day(&stage, "2026-11-23", NOW_MS + DAY_MS).await;
    assert!(late.agrees && late.complete, "{}", late.csv);
    let references = stage.references().await;
    let moved_ms = NOW_MS + 640_000;
    for line in [
        "tapfill-reconciliation,1,2026-11-23,+08:00,complete".to_owned(),
        format!(
            "load,{},top-up,0001,4471,5000,,confirmed,{NOW_MS},tac",
            references[0]
        ),
        format!(
            "load,{},top-up,0001,4471,3000,,in-doubt,{moved_ms},",
            references[2]
        ),
        "sum,in-doubt,1,3000".to_owned(),
        "sum,confirmed,2,7000".to_owned(),
        "moved,debit,3,10000".to_owned(),
        "moved,credit,2,7000".to_owned(),
        "moved,deposit,1,1000000".to_owned(),
        "in-transit,0,3000,agrees".to_owned(),
    ] {
        assert!(
            late.csv.lines().any(|it| it == line),
            "{line}\n{}",
            late.csv
        );
    }
    let (before, sum) = late.csv.split_once("sha256,").unwrap();
    assert_eq!(
        sum.trim(),
        hex::encode(Sha256::digest(before)),
        "of all before it"
    );

    stage.clock.advance(DAY_MS);
    let mut other = Card::new("00006217000000008826", true, 0);
    let done = terminal.fetch_key().await;
    done.unwrap();
    let done = terminal.top_up(&stage, &mut other, 1_000).await;
    assert_eq!(outcome(&done), "ok");
    let again = of_day(&stage, "2026-11-23", NOW_MS + 2 * DAY_MS).await;
    assert_eq!(again, late, "what came later belongs to its own day");
    let next = of_day(&stage, "2026-11-24", NOW_MS + 2 * DAY_MS).await;
    let waits = format!(
        "load,{},top-up,0001,4471,3000,in-doubt,in-doubt,{moved_ms},",
        references[2]
    );
    assert!(
        next.csv.lines().any(|it| it == waits),
        "still open: {}",
        next.csv
    );
    assert!(
        next.csv.contains("in-transit,3000,3000,agrees\n"),
        "{}",
        next.csv
    );
    assert!(
        !next.csv.contains(&references[0]),
        "ended the day before: {}",
        next.csv
    );
    assert!(next.agrees);
}

#[tokio::test]
async fn a_days_file_that_does_not_add_up_says_so() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.issued(&stage, &mut card, 3_000).await;
    let lie = "INSERT INTO entry (transfer, account, amount)
        SELECT transfer, account, 1 FROM entry WHERE account LIKE 'in-transit:%'";
    change(stage.dir.path(), &[lie]).await;
    let done = of_day(&stage, "2026-11-23", NOW_MS).await;
    assert!(!done.agrees);
    assert!(done.csv.contains(",differs\n"), "{}", done.csv);
    let out = stage.dir.path().join("day.csv");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bank"));
    command.args(["reconcile", "--day", "2026-11-23", "--dir"]);
    command.arg(stage.dir.path()).arg("--out").arg(&out);
    assert_eq!(command.status().unwrap().code(), Some(3));
    let written = std::fs::read_to_string(&out).unwrap();
    assert!(written.contains(",differs\nsha256,"), "{written}");
    assert!(!out.with_extension("csv.part").exists());
}
