//! Keys, suites and clocks as the app meets them.

use ipc::{Code, Command, TransactionKind};
use session::shells::{KeyVault, MemoryVault, VaultError};
use tapfill_tests::{Person, Trouble};
use virtual_card::CardProfile;

use crate::stage::{CARD_BEFORE, Stage};

/// All four transactions.
async fn all_four(stage: &Stage, suite: u8) {
    let terminal = stage.person.ready().await.unwrap().terminal.unwrap();
    assert_eq!(terminal.suite, suite);
    stage.person.activate().await.unwrap();
    stage.person.top_up(2_000).await.unwrap();
    stage.slot.arm(virtual_card::Fault::Tear {
        ins: Some(0x52),
        moment: virtual_card::Moment::Before,
        nth: 1,
    });
    assert!(matches!(
        stage.person.top_up(300).await,
        Err(Trouble::Failed(error)) if error.code == Code::CardLost
    ));
    stage.insert();
    stage.person.resume().await.unwrap();
    let card = stage.person.balance().await.unwrap().card.unwrap();
    assert_eq!(card.balance, 2_300);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_suite_does_all_four_transactions() {
    for suite in 0..=3 {
        let keys = format!("[keys]\nsuite = {suite}\nlowest_suite = {suite}");
        let stage = Stage::made(CardProfile::demo_inactive(), &keys).await;
        all_four(&stage, suite).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_of_its_own_a_terminal_does_all_four_transactions() {
    // With the second one the master key is over at once and again: the certificate changes with it.
    for keys in ["", "[keys]\nmaster_key_life_s = 1"] {
        let stage = Stage::asking_for_certificates(CardProfile::demo_inactive(), keys).await;
        all_four(&stage, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_working_key_that_expires_in_the_middle_is_renewed_and_the_money_moves_once() {
    // Shorter than a card that answers slowly.
    let keys = "[keys]\nworking_key_life_s = 2\nworking_key_margin_s = 1";
    let stage = Stage::made(CardProfile::demo(), keys).await;
    stage.person.ready().await.unwrap();
    stage.slot.arm(virtual_card::Fault::Slow { ms: 900 });
    let view = stage.person.top_up(700).await.unwrap();
    assert_eq!(view.receipt.unwrap().amount, Some(700));
    assert_eq!(stage.card_balance(), CARD_BEFORE + 700);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_by_years_moves_money_all_the_same() {
    const YEAR_MS: i64 = 365 * 86_400_000;
    for ahead_ms in [-20 * YEAR_MS, 3 * YEAR_MS] {
        let stage = Stage::new().await;
        stage.clock.ahead(ahead_ms);
        stage.person.ready().await.unwrap();
        let view = stage.person.top_up(500).await.unwrap();
        let now_ms = session::Clock::now_ms(&session::SystemClock);
        let told_ms = view.receipt.unwrap().time_ms;
        assert!(told_ms.abs_diff(now_ms) < 60_000, "the bank's time");
        // The clock jumps while the app runs.
        stage.clock.ahead(0);
        stage.person.top_up(600).await.unwrap();
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installations_have_keys_of_their_own_and_share_the_customer() {
    let stage = Stage::ready().await;
    let other = stage.second_device();
    let one = stage.person.look().terminal.unwrap();
    let two = other.ready().await.unwrap().terminal.unwrap();
    assert_ne!(one.id, two.id);
    assert_ne!(one.key_check_value, two.key_check_value);
    stage.person.top_up(500).await.unwrap();
    other.top_up(600).await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 1_100);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_without_its_keystore_keeps_its_unfinished_load() {
    let mut stage = Stage::ready().await;
    stage.slot.arm(virtual_card::Fault::Tear {
        ins: Some(0x52),
        moment: virtual_card::Moment::Before,
        nth: 1,
    });
    assert!(stage.person.top_up(400).await.is_err());
    // The files came back from a backup; the keystore's content never leaves its device.
    stage.vault.empty();
    stage.restart_app();
    stage
        .person
        .until("a trouble", |view| view.trouble.is_some())
        .await
        .unwrap();
    assert_eq!(stage.person.look().pending.len(), 1, "told all the same");
    stage.person.give(ipc::Command::Enrol).await.unwrap();
    stage.person.ready().await.unwrap();
    stage.insert();
    stage.person.resume().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 400);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suite_below_the_installations_or_below_the_enrolments_is_refused_by_the_app() {
    let keys = "[keys]\nsuite = 2\nlowest_suite = 2";
    let mut stage = Stage::made(CardProfile::demo(), keys).await;
    // The bank, or who plays it, offers less than the app came with.
    stage.lowest_suite(3);
    let refused = async |person: &Person| {
        let told = person.until("a trouble", |view| view.trouble.is_some());
        told.await.unwrap().trouble.unwrap().code
    };
    // A device of its own: the first one may have enrolled before the app came with more.
    let vault = std::sync::Arc::new(MemoryVault::default());
    let strict = stage.person_at(&stage.dir.path().join("strict"), &vault);
    assert_eq!(refused(&strict).await, Code::SuiteRefused);
    assert!(vault.load("master-key").unwrap().is_none());
    stage.lowest_suite(2);
    stage.restart_app();
    stage.person.ready().await.unwrap();
    // It enrolled at a higher suite once; a working key of a lower one is a step down.
    let mut enrolled = stage.vault.load("master-key").unwrap().unwrap().to_vec();
    assert_eq!(enrolled[7], 2);
    enrolled[7] = 3;
    stage.vault.store("master-key", &enrolled).unwrap();
    stage.restart_app();
    assert_eq!(refused(&stage.person).await, Code::SuiteRefused);
    assert!(stage.person.top_up(100).await.is_err());
    stage.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_app_asks_who_is_there_before_it_takes_its_keys() {
    let mut stage = Stage::ready().await;
    let lock = |on| Command::SetLock { on };
    let code = |answer: Result<ipc::Reply, Trouble>| match answer {
        Err(Trouble::Refused(error)) => error.code,
        other => panic!("not refused: {other:?}"),
    };
    // Nobody can switch it who can't confirm, and a system that can't ask says so.
    stage.vault.answer_with(Some(VaultError::CantAsk));
    assert_eq!(
        code(stage.person.give(lock(true)).await),
        Code::UnlockUnable
    );
    assert!(!stage.person.look().settings.lock);
    stage.vault.answer_with(None);
    stage.person.give(lock(true)).await.unwrap();
    assert!(stage.person.look().settings.lock);

    stage.vault.answer_with(Some(VaultError::Unconfirmed));
    stage.restart_app();
    let told = |view: &ipc::AppView| view.trouble.is_some();
    let view = stage.person.until("a trouble", told).await.unwrap();
    assert_eq!(view.trouble.unwrap().code, Code::UnlockRefused);
    assert_eq!(view.terminal, None, "no key was taken");
    let topup = Command::Begin {
        kind: TransactionKind::Topup,
    };
    assert_eq!(code(stage.person.give(topup).await), Code::UnlockRefused);
    let card = stage.person.balance().await.unwrap().card.unwrap();
    assert_eq!(i64::from(card.balance), CARD_BEFORE, "reading needs no key");
    stage.person.give(Command::Leave).await.unwrap();
    assert_eq!(code(stage.person.give(lock(false)).await), Code::NotNow);
    assert!(stage.person.look().settings.lock);
    let enrolled = code(stage.person.give(Command::Enrol).await);
    assert_eq!(enrolled, Code::UnlockRefused, "no way around");

    stage.vault.answer_with(None);
    stage.person.give(Command::Unlock).await.unwrap();
    stage.person.ready().await.unwrap();
    stage.person.top_up(500).await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 500);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_shows_home_before_the_keystore_has_answered_and_what_needs_keys_waits_for_it() {
    let mut stage = Stage::ready().await;
    stage.person.top_up(500).await.unwrap();
    stage.vault.stall(true);
    stage.restart_app();
    let view = stage.person.look();
    let ready = |view: &ipc::AppView| view.phase == ipc::Phase::Ready;
    let view = if ready(&view) {
        view
    } else {
        stage.person.until("home", ready).await.unwrap()
    };
    assert_eq!(view.terminal, None, "the keys are not there yet");
    assert_eq!(view.recent.len(), 1, "Home shows what was done lately");
    let card = stage.person.balance().await.unwrap().card.unwrap();
    assert_eq!(i64::from(card.balance), CARD_BEFORE + 500, "needs no key");
    stage.person.give(Command::Leave).await.unwrap();

    let begin = Command::Begin {
        kind: TransactionKind::Topup,
    };
    let early = stage.person.give(begin);
    tokio::pin!(early);
    let waited = tokio::time::timeout(std::time::Duration::from_millis(200), &mut early).await;
    assert!(waited.is_err(), "neither begun nor refused: {waited:?}");
    stage.vault.stall(false);
    early.await.unwrap();
    assert!(stage.person.look().transaction.is_some(), "begun now");
    stage.person.give(Command::Leave).await.unwrap();
    stage.person.ready().await.unwrap();
    stage.person.top_up(500).await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 1_000);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_the_bank_forgot_is_told_to_enrol_again() {
    let stage = Stage::ready().await;
    let id = stage.person.look().terminal.unwrap().id;
    assert!(stage.bank().revoke(&id).await.unwrap());
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    let view = stage
        .person
        .until("a trouble", |view| view.trouble.is_some())
        .await
        .unwrap();
    assert_eq!(view.trouble.unwrap().code, Code::TerminalRevoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_master_key_is_replaced_before_the_first_message_and_its_terminal_ends() {
    let keys = "[keys]\nmaster_key_life_s = 1";
    let mut stage = Stage::made(CardProfile::demo(), keys).await;
    let first = stage.person.ready().await.unwrap().terminal.unwrap();
    let copy = stage.vault.copy();
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    stage.person.top_up(500).await.unwrap();
    let second = stage.person.look().terminal.unwrap();
    assert_ne!(first.id, second.id);
    assert_ne!(first.key_check_value, second.key_check_value);
    assert_eq!(stage.card_balance(), CARD_BEFORE + 500);
    stage.healed().await;
    // The new one is what the next start finds.
    stage.restart_app();
    let again = stage.person.ready().await.unwrap().terminal.unwrap();
    assert_eq!(again.id, second.id);
    // A copy of the old keystore speaks for a terminal that has ended.
    let thief = stage.device_with(copy);
    let view = thief
        .until("a trouble", |view| view.trouble.is_some())
        .await;
    assert_eq!(view.unwrap().trouble.unwrap().code, Code::TerminalUnknown);
}
