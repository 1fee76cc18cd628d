//! Backups of a bank that runs, and what is made of them.

use std::path::{Path, PathBuf};

use bank::Config;

use crate::card::Card;
use crate::resume::Resume;
use crate::stage::Stage;
use crate::terminal::Terminal;

/// The keys of a bank, without its store.
pub(crate) fn copy_keys(from: &Path, to: &Path) {
    for item in std::fs::read_dir(from).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_name().unwrap();
        if !name.to_str().unwrap().starts_with("bank.sqlite") {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn file(stage: &Stage) -> PathBuf {
    stage.dir.path().join("backup.jsonl")
}

/// The same bank with a new and empty store.
async fn restored(stage: Stage) -> Stage {
    let elsewhere = tempfile::tempdir().unwrap();
    copy_keys(stage.dir.path(), elsewhere.path());
    let backup = elsewhere.path().join("backup.jsonl");
    stage.bank.stop().await;
    let empty = Stage::empty(elsewhere, stage.clock.clone(), stage.money);
    let report = bank::restore(empty.config(), &backup).await.unwrap();
    assert_eq!(report.findings, []);
    empty.started().await
}

#[tokio::test]
async fn a_backup_of_a_running_bank_is_the_bank_at_that_moment() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.top_up(&stage, &mut card, 5_000).await;
    stage.clock.advance(1_000);
    let (_, data) = terminal.issued(&stage, &mut card, 2_000).await;
    let rows = bank::backup(stage.config(), &file(&stage)).await.unwrap();
    assert!(rows > 50, "{rows} rows");
    let then = stage.bank.money().await.unwrap();
    let stage = restored(stage).await;
    assert_eq!(stage.bank.money().await.unwrap(), then);
    // Everything goes on where it was: keys and counters of terminals, the load whose end nobody heard.
    card.credit(&data).unwrap();
    terminal.reach(&stage);
    let resume = Resume::wish(false);
    let asked = resume.open(&mut terminal, &card).await;
    let done = resume.prove(&mut terminal, &card, &asked).await;
    assert_eq!(crate::terminal::outcome(&done), "ok");
    stage.clock.advance(1_000);
    terminal.top_up(&stage, &mut card, 100).await;
    let mut other = Terminal::enrol(&stage).await;
    other.fetch_key().await.unwrap();
    stage.close(7_100).await;
}

#[tokio::test]
async fn every_backup_that_is_made_while_loads_run_is_a_bank_in_order() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    for part in 0..4 {
        let backup = stage.dir.path().join(format!("backup-{part}.jsonl"));
        let loads = async {
            for _ in 0..3 {
                terminal.top_up(&stage, &mut card, 100).await;
                stage.clock.advance(1_000);
            }
        };
        let copy = async { bank::backup(stage.config(), &backup).await.unwrap() };
        tokio::join!(loads, copy);
        let keys = tempfile::tempdir().unwrap();
        copy_keys(stage.dir.path(), keys.path());
        let empty = Stage::empty(keys, stage.clock.clone(), stage.money);
        let report = bank::restore(empty.config(), &backup).await.unwrap();
        assert_eq!(report.findings, [], "part {part}");
        let moved = report.money.in_transit + report.money.card_float;
        let between = 300 * part..=300 * (part + 1);
        assert!(between.contains(&moved), "part {part}: {moved} fen moved");
    }
    stage.close(1_200).await;
}

#[tokio::test]
async fn a_backup_is_restored_whole_into_an_empty_store_of_the_same_keys_or_not_at_all() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.top_up(&stage, &mut card, 5_000).await;
    let backup = file(&stage);
    bank::backup(stage.config(), &backup).await.unwrap();
    assert!(
        bank::backup(stage.config(), &backup).await.is_err(),
        "no backup is written over another"
    );
    let refused = async |config: Config| {
        bank::restore(config, &backup)
            .await
            .err()
            .unwrap()
            .to_string()
    };
    let said = refused(stage.config()).await;
    assert!(said.contains("not empty"), "{said}");
    let strange = Stage::empty(
        tempfile::tempdir().unwrap(),
        stage.clock.clone(),
        stage.money,
    );
    let said = refused(strange.config()).await;
    assert!(said.contains("store.key"), "{said}");
    let text = std::fs::read_to_string(&backup).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let keys = tempfile::tempdir().unwrap();
    copy_keys(stage.dir.path(), keys.path());
    let empty = Stage::empty(keys, stage.clock.clone(), stage.money);
    let last = lines.len() - 1;
    for harmed in [
        text.replacen("\"card-float:", "\"card-flout:", 1),
        lines[..last].join("\n"),
        [&lines[..last - 1], &lines[last..]].concat().join("\n"),
    ] {
        assert_ne!(harmed, text);
        std::fs::write(&backup, harmed).unwrap();
        let said = refused(empty.config()).await;
        assert!(said.contains("not whole"), "{said}");
    }
    std::fs::write(&backup, text).unwrap();
    let report = bank::restore(empty.config(), &backup).await.unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.money, stage.bank.money().await.unwrap());
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_backup_holds_no_secret_in_clear() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.top_up(&stage, &mut card, 5_000).await;
    bank::backup(stage.config(), &file(&stage)).await.unwrap();
    let text = std::fs::read_to_string(file(&stage)).unwrap();
    for secret in [
        crate::stage::PHONE,
        crate::stage::PASSWORD,
        &hex::encode(card.serial),
    ] {
        assert!(!text.contains(&format!("\"{secret}\"")), "{secret}");
    }
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_backup_that_can_not_begin_leaves_no_file_in_the_way_of_the_next() {
    let stage = Stage::new().await;
    let key = stage.dir.path().join("store.key");
    let good = std::fs::read(&key).unwrap();
    std::fs::write(&key, "00".repeat(32)).unwrap();
    assert!(bank::backup(stage.config(), &file(&stage)).await.is_err());
    std::fs::write(&key, good).unwrap();
    assert!(!file(&stage).exists(), "an empty backup");
    bank::backup(stage.config(), &file(&stage)).await.unwrap();
    stage.close(0).await;
}
