//! Keys and clocks that change in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ipc::{Command, MoneyPlace, Stage as At, StepName, TransactionKind};
use tapfill_tests::Trouble;
use virtual_card::{CardProfile, Fault, Moment};

use super::*;
use crate::stage::{CARD_BEFORE, Stage};

/// Offline, a new key for the device, Retry.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_under_another_terminal_leaves_the_money_in_the_account() {
    let stage = Stage::wired().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.slot.arm(tear(0x50, Moment::Before));
    stage.person.submit("246810", Some(800)).await.unwrap();
    let _e = failure(stage.person.end().await);
    stage.person.give(Command::Enrol).await.unwrap();
    card_back(&stage).await;
    stage.person.give(Command::Retry).await.unwrap();
    let e = failure(stage.person.end().await);
    let open = stage.bank().check().await.unwrap().open_loads;
    assert!(
        open > 0 || e.money == MoneyPlace::Account,
        "nothing was debited, the app says {:?}",
        e.money
    );
}

/// Keys that expire at each request of a slow re-top-up.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_expire_in_a_re_top_up_are_renewed() {
    for slow in [250, 450, 800] {
        let keys = "[keys]\nworking_key_life_s = 2\nworking_key_margin_s = 1";
        let stage = Stage::made(CardProfile::demo(), keys).await;
        stage.person.ready().await.unwrap();
        stage.slot.arm(tear(0x52, Moment::Before));
        failure(stage.person.top_up(700).await);
        card_back(&stage).await;
        stage.slot.arm(Fault::Slow { ms: slow });
        stage.person.resume().await.unwrap();
        assert_eq!(stage.card_balance(), CARD_BEFORE + 700);
        stage.healed().await;
    }
}

/// New keys all the time.
#[tokio::test(flavor = "multi_thread")]
async fn keys_renewed_all_the_time_disturb_nothing() {
    // The bank would slow down a terminal that asks without a pause.
    let limits = "[limits]\nrequests_per_terminal_per_minute = 1000000";
    let stage = Stage::made(CardProfile::demo(), limits).await;
    stage.person.ready().await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let session = stage.person.session.clone();
    let s = stop.clone();
    let _renewing = tokio::spawn(async move {
        let mut n = 0;
        while !s.load(Ordering::SeqCst) {
            let _ = session.run(Command::RenewKey).await;
            n += 1;
        }
        n
    });
    let mut bad = vec![];
    for _i in 0..25 {
        if let Err(e) = stage.person.top_up(100).await {
            bad.push(e.to_string());
            let _ = stage.person.resume().await;
        }
    }
    stop.store(true, Ordering::SeqCst);
    stage.healed().await;
    assert_eq!(bad, Vec::<String>::new());
}

/// Clock jumps in the middle of a run.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_at_any_step_ends_no_load() {
    for jump in [40_000_i64, 400_000, -400_000, 86_400_000 * 400] {
        for at in [
            StepName::Read,
            StepName::Approve,
            StepName::Write,
            StepName::Confirm,
        ] {
            let stage = Stage::ready().await;
            stage.slot.arm(Fault::Slow { ms: 40 });
            stage.person.begin(TransactionKind::Topup).await.unwrap();
            stage.person.verify().await.unwrap();
            stage.person.submit("246810", Some(800)).await.unwrap();
            stage
                .person
                .until("step", |v| {
                    running(at)(v)
                        || v.transaction
                            .as_ref()
                            .is_some_and(|t| matches!(t.stage, At::Done))
                })
                .await
                .unwrap();
            stage.clock.ahead(jump);
            let r = stage.person.end().await;
            stage.books_balance().await;
            stage.slot.clear();
            if r.is_err() {
                let money = stage.bank().money().await.unwrap();
                if let Err(Trouble::Failed(e)) = &r {
                    assert!(money.in_transit == 0 || e.money != MoneyPlace::Account);
                }
                if !stage.person.look().pending.is_empty() {
                    stage.person.resume().await.unwrap();
                }
            }
            stage.healed().await;
        }
    }
}
