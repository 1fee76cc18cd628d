//! Loads that seem to be settled by nobody: each ends, and the app says where its money is meanwhile.

use ipc::{Code, HistoryState, MoneyPlace, Reply, ResumeState, Retry, TransactionKind};
use virtual_card::{Fault, Moment};

use crate::stage::{CARD_BEFORE, Stage, card_back, failure};
use crate::wire::Mode;

fn tear(moment: Moment) -> Fault {
    Fault::Tear {
        ins: Some(0x52),
        moment,
        nth: 1,
    }
}

async fn newest(person: &tapfill_tests::Person) -> ipc::HistoryEntry {
    let Reply::History { entries } = person.give(ipc::Command::History).await.unwrap() else {
        panic!("a history was asked for");
    };
    entries.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_never_reached_the_bank_ends_without_its_card() {
    let mut stage = Stage::wired().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.wire().cut(Mode::RequestLostThenDead, 1);
    stage.person.submit("246810", Some(800)).await.unwrap();
    let error = failure(stage.person.end().await);
    assert_eq!(
        (error.money, error.retry),
        (MoneyPlace::Unsure, Retry::Resume)
    );
    stage.slot.remove();
    stage.wire().whole();
    stage.restart_app();
    let settled = |view: &ipc::AppView| view.pending.is_empty();
    stage
        .person
        .until("the bank's word", settled)
        .await
        .unwrap();
    let entry = newest(&stage.person).await;
    assert_eq!(
        (entry.state, entry.receipt.place),
        (HistoryState::NotDone, MoneyPlace::Account)
    );
    stage.healed().await;
    card_back(&stage).await;
    stage.person.top_up(900).await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 900);
    stage.healed().await;
}

/// A start with a network asks what became of loads: not of the one that is just being asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_renewed_while_the_first_message_is_on_its_way_makes_nothing_void() {
    let stage = Stage::wired().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.wire().hold(1);
    stage.person.submit("246810", Some(800)).await.unwrap();
    stage.wire().until_held().await;
    stage.person.give(ipc::Command::RenewKey).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    stage.wire().release();
    stage.person.end().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 800);
    stage.healed().await;
}

/// A card that was loaded and taken away, and a bank that never heard of it.
async fn written_and_untold(stage: &Stage) {
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.wire().cut_after(1, Mode::RequestLostThenDead, 1);
    stage.person.submit("246810", Some(800)).await.unwrap();
    let error = failure(stage.person.end().await);
    assert_eq!(error.money, MoneyPlace::OnCardUnreported);
    stage.slot.remove();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_waited_is_told_under_the_next_terminal_without_the_card() {
    let mut stage = Stage::wired().await;
    written_and_untold(&stage).await;
    stage.vault.empty();
    stage.wire().whole();
    stage.restart_app();
    let empty = |view: &ipc::AppView| view.trouble.is_some();
    stage
        .person
        .until("an empty keystore", empty)
        .await
        .unwrap();
    stage.person.give(ipc::Command::Enrol).await.unwrap();
    let told = |view: &ipc::AppView| {
        view.pending.is_empty() || view.pending[0].place != MoneyPlace::OnCardUnreported
    };
    stage.person.until("the proof is told", told).await.unwrap();
    assert_eq!(
        newest(&stage.person).await.receipt.place,
        MoneyPlace::OnCard
    );
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_waits_while_its_industry_is_not_served_and_is_told_without_the_card_then() {
    let mut stage = Stage::wired().await;
    written_and_untold(&stage).await;
    stage.stop_bank().await;
    stage
        .restart_bank_with(|text| text.replace("\"0001\"", "\"9001\""))
        .await;
    stage.wire().whole();
    stage.restart_app();
    stage.person.ready().await.unwrap();
    // Time for several tries.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let pending = stage.person.look().pending;
    assert_eq!(pending.len(), 1);
    assert_eq!(
        pending[0].place,
        MoneyPlace::OnCardUnreported,
        "nobody knows better"
    );
    stage.stop_bank().await;
    stage.restart_bank().await;
    let told = |view: &ipc::AppView| view.pending.is_empty();
    stage.person.until("the proof is told", told).await.unwrap();
    assert_eq!(
        newest(&stage.person).await.receipt.place,
        MoneyPlace::OnCard
    );
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_never_knew_the_load_says_how_much_waits_after_its_own_tear() {
    for moment in [Moment::Before, Moment::After] {
        let stage = Stage::ready().await;
        stage.slot.arm(tear(Moment::Before));
        failure(stage.person.top_up(700).await);
        card_back(&stage).await;
        let other = stage.second_device();
        other.ready().await.unwrap();
        stage.slot.arm(tear(moment));
        let error = failure(other.resume().await);
        assert_eq!(error.money, MoneyPlace::InTransit);
        let waiting = other.look().pending;
        assert_eq!(waiting.len(), 1);
        assert_eq!((waiting[0].amount, waiting[0].tail.as_str()), (700, "4471"));
        assert_eq!(newest(&other).await.receipt.amount, Some(700));
        stage.slot.clear();
        stage.insert();
        let there = |view: &ipc::AppView| view.reader.state == ipc::ReaderKind::Card;
        other.until("the card", there).await.unwrap();
        other.resume().await.unwrap();
        assert_eq!(other.look().pending, vec![]);
        assert_eq!(newest(&other).await.receipt.amount, Some(700));
        stage.person.resume().await.unwrap();
        assert_eq!(stage.card_balance(), CARD_BEFORE + 700);
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_was_blocked_meanwhile_is_told_and_its_money_comes_back() {
    let mut stage = Stage::ready().await;
    stage.slot.arm(tear(Moment::Before));
    failure(stage.person.top_up(700).await);
    stage.block_card().await;
    stage.restart_app();
    stage.person.ready().await.unwrap();
    card_back(&stage).await;
    let error = failure(stage.person.resume().await);
    assert_eq!(
        (error.code, error.money),
        (Code::CardBlocked, MoneyPlace::InTransit)
    );
    assert_eq!(
        stage.card_balance(),
        CARD_BEFORE,
        "nothing more goes onto it"
    );
    assert_eq!(stage.person.look().pending.len(), 1);
    let back = stage.person.refund().await.unwrap();
    assert_eq!(back.resume, Some(ResumeState::Refunded));
    stage.healed().await;
}

/// A wish for the money is not answered with "done" while the card is being loaded, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn the_other_wish_is_refused_while_one_is_carried_out() {
    for refund in [false, true] {
        let stage = Stage::ready().await;
        stage.slot.arm(tear(Moment::Before));
        failure(stage.person.top_up(700).await);
        card_back(&stage).await;
        stage.slot.arm(Fault::Slow { ms: 150 });
        let wish = |refund| match refund {
            true => ipc::Command::Refund { load: None },
            false => ipc::Command::Begin {
                kind: TransactionKind::Resume,
            },
        };
        stage.person.give(wish(refund)).await.unwrap();
        let busy = |view: &ipc::AppView| view.transaction.as_ref().is_some_and(|t| !t.can_cancel);
        stage.person.until("a run", busy).await.unwrap();
        stage.person.give(wish(refund)).await.unwrap();
        let other = stage.person.give(wish(!refund)).await;
        assert!(
            matches!(other, Err(tapfill_tests::Trouble::Refused(ref e)) if e.code == Code::NotNow),
            "{other:?}"
        );
        let end = stage.person.end().await.unwrap();
        let wanted = if refund {
            ResumeState::Refunded
        } else {
            ResumeState::Loaded
        };
        assert_eq!(end.resume, Some(wanted));
        stage.healed().await;
    }
}
