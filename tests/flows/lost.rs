//! Answers of the bank that never come back, and disks that take nothing more.

use ipc::{Code, ErrorView, MoneyPlace, Retry, TransactionKind};
use tapfill_tests::Trouble;

use crate::stage::{CARD_BEFORE, Stage};
use crate::wire::Mode;

fn failed(result: Result<ipc::TransactionView, Trouble>) -> ErrorView {
    match result {
        Err(Trouble::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_asked_for_again_and_debits_once() {
    let stage = Stage::wired().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.wire().cut(Mode::AnswerLost, 1);
    stage.person.submit("246810", Some(800)).await.unwrap();
    stage.person.end().await.unwrap();
    assert_eq!(stage.wire().lost(), 1);
    assert_eq!(stage.card_balance(), CARD_BEFORE + 800);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debit_whose_answer_is_lost_before_the_bank_goes_away_is_never_called_unmoved() {
    let stage = Stage::wired().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.wire().cut(Mode::AnswerLostThenDead, 1);
    stage.person.submit("246810", Some(800)).await.unwrap();
    let error = failed(stage.person.end().await);
    assert_eq!(error.code, Code::BankSilent);
    assert_eq!(error.money, MoneyPlace::Unsure);
    assert_eq!(error.retry, Retry::Resume);
    assert_eq!(stage.wire().lost(), 1);
    assert_eq!(stage.person.look().pending.len(), 1);
    stage.books_balance().await;
    stage.wire().whole();
    stage.person.resume().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 800);
    stage.healed().await;
}

/// The file that was made ready at `path` is gone, and one that is made anew has no room.
#[cfg(target_os = "linux")]
fn fill(path: &std::path::Path) {
    std::fs::remove_file(path).unwrap();
    std::os::unix::fs::symlink("/dev/full", path.with_extension("part")).unwrap();
}

/// A journal that can't be written stops a load before the bank hears of it.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_a_load_before_any_money_moves() {
    let stage = Stage::ready().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    let id = stage.person.look().transaction.unwrap().id;
    fill(&stage.app_dir().join("journal").join(format!("{id}.json")));
    stage.person.submit("246810", Some(800)).await.unwrap();
    let error = failed(stage.person.end().await);
    assert_eq!(
        (error.code, error.money),
        (Code::DiskFull, MoneyPlace::Account)
    );
    assert_eq!(stage.card_balance(), CARD_BEFORE);
    stage.healed().await;
    stage.person.top_up(900).await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 900);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_told_and_the_load_in_it_is_found_at_the_bank() {
    let mut stage = Stage::ready().await;
    stage.slot.arm(virtual_card::Fault::Tear {
        ins: Some(0x52),
        moment: virtual_card::Moment::Before,
        nth: 1,
    });
    assert!(stage.person.top_up(700).await.is_err());
    for file in std::fs::read_dir(stage.app_dir().join("journal")).unwrap() {
        std::fs::write(file.unwrap().path(), "{\"version\": 1, \"ent").unwrap();
    }
    stage.restart_app();
    let view = stage.person.ready().await.unwrap();
    assert_eq!(view.trouble.unwrap().code, Code::JournalBad);
    assert_eq!(view.pending.len(), 0, "nobody here can read it");
    stage.insert();
    stage.person.resume().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 700);
    stage.healed().await;
}
