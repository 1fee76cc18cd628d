//! A disk that is full at the worst moment.

#[cfg(target_os = "linux")]
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipc::{Command, MoneyPlace, StepName, TransactionKind};
use virtual_card::Fault;

use super::*;
use crate::stage::{CARD_BEFORE, Stage};
use crate::wire::Mode;

/// The next state of this load has no room: its file is away, so it is made anew on a disk that takes nothing. Where the
/// file is meanwhile.
#[cfg(target_os = "linux")]
fn fill(app: &Path, id: &str) -> (PathBuf, PathBuf) {
    let file = app.join("journal").join(format!("{id}.json"));
    std::os::unix::fs::symlink("/dev/full", file.with_extension("part")).unwrap();
    let away = app.join("away.json");
    std::fs::rename(&file, &away).unwrap();
    (away, file)
}

/// The disk is full when the end is written; then Retry, as the error says.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_at_the_last_write_never_begins_a_finished_load_anew() {
    let stage = Stage::wired().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    let id = stage.person.look().transaction.unwrap().id;
    // answers to request 2 are lost until the disk is spoiled
    stage.wire().cut_after(1, Mode::AnswerLost, usize::MAX);
    stage.person.submit("246810", Some(800)).await.unwrap();
    stage
        .person
        .until("confirm", running(StepName::Confirm))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (away, file) = fill(&stage.app_dir(), &id);
    stage.wire().whole();
    let _error = failure(stage.person.end().await);
    std::fs::rename(away, file).unwrap();
    if stage.person.give(Command::Retry).await.is_ok() {
        let _ended = stage.person.end().await;
    }
    let lives = stage.person.give(Command::History).await;
    lives.expect("the actor lives");
    stage.books_balance().await;
    assert_eq!(stage.card_balance(), CARD_BEFORE + 800);
    // what a person would do next
    let _resumed = stage.person.resume().await;
    stage.healed().await;
}

/// The disk is full when the TAC is to be kept.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_when_the_proof_is_kept_still_sends_it() {
    let stage = Stage::ready().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    let id = stage.person.look().transaction.unwrap().id;
    stage.slot.arm(Fault::Slow { ms: 500 });
    stage.person.submit("246810", Some(800)).await.unwrap();
    stage
        .person
        .until("write", running(StepName::Write))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    fill(&stage.app_dir(), &id);
    stage.person.end().await.unwrap();
    stage.slot.clear();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 800);
    stage.healed().await;
}

/// A proof waits; the disk is full for one write at the next start, and has room again.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_at_the_start_holds_back_no_proof() {
    let mut stage = Stage::ready().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.slot.arm(Fault::Slow { ms: 300 });
    stage.person.submit("246810", Some(800)).await.unwrap();
    stage
        .person
        .until("write", running(StepName::Write))
        .await
        .unwrap();
    stage.stop_bank().await;
    let e = failure(stage.person.end().await);
    assert_eq!(e.money, MoneyPlace::OnCardUnreported);
    stage.slot.clear();
    stage.start_bank().await;
    std::os::unix::fs::symlink("/dev/full", stage.app_dir().join("settings.part")).unwrap();
    stage.restart_app();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let v = stage.person.look();
    assert!(
        v.pending.is_empty(),
        "the disk has room for 14 s, the bank answers: nobody delivers"
    );
}
