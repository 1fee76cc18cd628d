//! Answers that are lost, and messages that come late.

use std::time::Duration;

use ipc::{Command, MoneyPlace, StepName, TransactionKind};
use tapfill_tests::Trouble;
use virtual_card::{Fault, Moment};

use super::*;
use crate::stage::{CARD_BEFORE, Stage};
use crate::wire::Mode;

/// Answers lost at each request of each transaction.
#[tokio::test(flavor = "multi_thread")]
async fn answers_lost_at_each_request_of_a_re_top_up() {
    let stage = Stage::wired().await;
    let mut sum = CARD_BEFORE;
    for how in [Mode::AnswerLost, Mode::AnswerLostThenDead] {
        for first in [Moment::Before, Moment::During, Moment::After] {
            for request in 0..6 {
                stage.slot.arm(tear(0x52, first));
                failure(stage.person.top_up(100).await);
                sum += 100;
                card_back(&stage).await;
                stage.wire().cut_after(request, how, 1);
                let r = stage.person.resume().await;
                let _told = r
                    .as_ref()
                    .map(|t| (t.resume, t.place))
                    .map_err(|e| e.to_string());
                let look = stage.person.look();
                let _open = stage.bank().check().await.unwrap().open_loads;
                if let Err(Trouble::Failed(e)) = &r {
                    assert_ne!(e.money, MoneyPlace::Account);
                    assert_eq!(look.pending.len(), 1);
                }
                stage.books_balance().await;
                stage.wire().whole();
                if !look.pending.is_empty() {
                    let r = stage.person.resume().await;
                    assert!(r.is_ok(), "{:?}", r);
                }
                assert_eq!(stage.card_balance(), sum);
                stage
                    .person
                    .until("network", |v| v.network == ipc::NetworkState::Online)
                    .await
                    .unwrap();
                stage.healed().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_lost_after_a_second_tear() {
    let stage = Stage::wired().await;
    let mut sum = CARD_BEFORE;
    for moment in [Moment::Before, Moment::During, Moment::After] {
        for again in [Moment::Before, Moment::During, Moment::After] {
            for (request, how) in [
                (1, Mode::AnswerLost),
                (2, Mode::AnswerLostThenDead),
                (3, Mode::AnswerLostThenDead),
                (4, Mode::AnswerLostThenDead),
            ] {
                // answer of the debit lost, card torn at the write
                stage.wire().cut_after(0, Mode::AnswerLost, 1);
                stage.slot.arm(tear(0x52, moment));
                failure(stage.person.top_up(100).await);
                sum += 100;
                card_back(&stage).await;
                stage.wire().cut_after(request, how, 1);
                stage.slot.arm(tear(0x52, again));
                let _r = stage.person.resume().await;
                stage.books_balance().await;
                stage.wire().whole();
                card_back(&stage).await;
                if !stage.person.look().pending.is_empty() {
                    stage.person.resume().await.unwrap();
                }
                assert_eq!(
                    stage.card_balance(),
                    sum,
                    "{moment:?} {again:?} {request} {how:?}"
                );
                stage
                    .person
                    .until("network", |v| v.network == ipc::NetworkState::Online)
                    .await
                    .unwrap();
                stage.healed().await;
            }
        }
    }
}

/// Keystore fails, wiped, in the middle; proof waits while the terminal changes.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_waits_while_the_terminal_is_replaced() {
    let mut stage = Stage::wired().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.wire().cut_after(0, Mode::Whole, 0);
    stage.slot.arm(Fault::Slow { ms: 300 });
    stage.person.submit("246810", Some(800)).await.unwrap();
    stage
        .person
        .until("write", running(StepName::Write))
        .await
        .unwrap();
    stage.stop_bank().await;
    stage
        .vault
        .fail_with(Some(session::shells::VaultError::Locked));
    let r = stage.person.end().await;
    let _e = failure(r);
    stage.vault.fail_with(None);
    stage.vault.empty();
    stage.slot.clear();
    stage.wire().whole();
    stage.restart_bank().await;
    stage.restart_app();
    stage
        .person
        .until("a trouble", |v| v.trouble.is_some())
        .await
        .unwrap();
    stage.person.give(Command::Enrol).await.unwrap();
    stage.person.ready().await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    stage.books_balance().await;
    if !stage.person.look().pending.is_empty() {
        let _t = stage.person.resume().await.unwrap();
    }
    assert_eq!(stage.card_balance(), CARD_BEFORE + 800);
    stage.healed().await;
}

/// A request of a re-top-up that is late by one other re-top-up.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_initialize_of_an_older_re_top_up_needs_no_people() {
    let stage = Stage::wired().await;
    stage.slot.arm(tear(0x52, Moment::Before));
    failure(stage.person.top_up(700).await);
    card_back(&stage).await;
    let other = stage.second_device();
    other.ready().await.unwrap();
    // the health request of the warm-up, resume, prove, load
    let nth: usize = std::env::var("NTH")
        .ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(4);
    other.give(Command::RenewKey).await.unwrap();
    stage.wire().hold(nth);
    other.begin(TransactionKind::Resume).await.unwrap();
    for _ in 0..500 {
        if stage.wire().is_held() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let _cmds = |stage: &Stage| {
        stage
            .slot
            .record()
            .iter()
            .map(|r| format!("{:02X}", r.command[1]))
            .collect::<Vec<_>>()
            .join(" ")
    };
    stage.slot.remove();
    card_back(&stage).await;
    stage.slot.arm(tear(0x52, Moment::After));
    let _e = failure(stage.person.resume().await);
    card_back(&stage).await;
    stage.slot.arm(Fault::Slow { ms: 150 });
    stage.person.begin(TransactionKind::Resume).await.unwrap();
    for _ in 0..500 {
        if stage.slot.record().iter().any(|r| r.command[1] == 0x5A) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stage.wire().release();
    let _r = stage.person.end().await;
    stage.slot.clear();
    for _ in 0..2 {
        let _r = stage.person.resume().await;
        let _r = other.resume().await;
    }
    stage.books_balance().await;
    stage.healed().await;
}

/// The proof's answer is lost, the bank goes away for a moment and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_whose_answer_was_lost_is_delivered_without_a_restart() {
    let stage = Stage::wired().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.wire().cut_after(1, Mode::AnswerLostThenDead, 1);
    stage.person.submit("246810", Some(800)).await.unwrap();
    let _e = failure(stage.person.end().await);
    stage.wire().whole();
    let _ = stage.person.give(Command::Leave).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    let v = stage.person.look();
    let _again = async {
        stage.person.begin(TransactionKind::Topup).await?;
        stage.person.verify().await?;
        stage.person.submit("246810", Some(100)).await?;
        stage.person.end().await
    }
    .await;
    assert!(
        v.pending.is_empty(),
        "the bank is there, the proof waits, nobody delivers"
    );
}
