//! The same flows with a phone's reader: a bridge that answers as Android's and iOS's sides do.

use std::time::Duration;

use card_link::System;
use ipc::{
    Code, Command, ContactView, MoneyPlace, ResumeState, Retry, StepName, StepState,
    TransactionKind,
};
use virtual_card::{CardProfile, Fault, Moment};

use crate::stage::{CARD_BEFORE, Stage, failure};
use crate::torn::{torn_again, torn_anywhere};
use crate::wire::Mode;

#[tokio::test(flavor = "multi_thread")]
async fn a_card_torn_at_any_command_of_a_load_is_settled_on_android() {
    torn_anywhere(&Stage::on_phone(System::Android).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_torn_at_any_command_of_a_load_is_settled_on_ios() {
    torn_anywhere(&Stage::on_phone(System::Ios).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_top_up_torn_in_its_turn_is_settled_by_the_next_on_both() {
    for system in [System::Android, System::Ios] {
        torn_again(&Stage::on_phone(system).await).await;
    }
}

const MOMENTS: [Moment; 3] = [Moment::Before, Moment::During, Moment::After];

fn tear(stage: &Stage, ins: u8, moment: Moment) {
    let (ins, nth) = (Some(ins), 1);
    stage.slot.arm(Fault::Tear { ins, moment, nth });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activation_torn_at_any_command_is_done_by_the_next_on_both() {
    for system in [System::Android, System::Ios] {
        let stage = Stage::on_phone_with(CardProfile::demo_inactive(), system).await;
        let is_active = || stage.slot.profile().unwrap().enable_flag == 1;
        for ins in [0xA4, 0xB0, 0x5C, 0x84, 0xD6] {
            for moment in MOMENTS {
                let what = format!("{system:?} {ins:02X} {moment:?}");
                tear(&stage, ins, moment);
                let error = failure(stage.person.activate().await);
                assert_eq!(error.code, Code::CardLost, "{what}");
                assert_eq!(error.money, MoneyPlace::None, "{what}");
                stage.slot.clear();
                stage.insert();
                let last = (ins, moment) == (0xD6, Moment::After);
                assert_eq!(is_active(), last, "{what}");
                stage.books_balance().await;
            }
        }
        stage.person.top_up(1_000).await.unwrap();
        assert_eq!(stage.card_balance(), 1_000, "{system:?}");
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_torn_at_any_command_is_read_by_the_next_contact_on_both() {
    for system in [System::Android, System::Ios] {
        let stage = Stage::on_phone(system).await;
        for ins in [0xA4, 0xB0, 0x5C, 0xCA, 0xB2] {
            for moment in MOMENTS {
                let what = format!("{system:?} {ins:02X} {moment:?}");
                tear(&stage, ins, moment);
                stage.person.begin(TransactionKind::Balance).await.unwrap();
                let comes_back = async {
                    tokio::time::sleep(3 * A_WHILE).await;
                    stage.slot.clear();
                    // It lies there still where it was not torn: the phone read it to the end before.
                    let _lay_there = stage.slot.insert();
                };
                let (mut ended, ()) = tokio::join!(stage.person.end(), comes_back);
                if ended.is_err() {
                    stage.person.give(Command::Retry).await.unwrap();
                    ended = stage.person.end().await;
                }
                let card = ended.unwrap().card.unwrap();
                assert_eq!(
                    (card.balance, card.log.len() >= 3),
                    (12_850, true),
                    "{what}"
                );
            }
        }
        stage.healed().await;
    }
}

/// Longer than a phone takes to find a card that it looks for.
const A_WHILE: Duration = Duration::from_millis(150);

fn polls(stage: &Stage) -> bool {
    stage.phone.as_ref().is_some_and(|phone| phone.is_polling())
}

#[tokio::test(flavor = "multi_thread")]
async fn number_code_and_password_come_before_the_card() {
    for system in [System::Android, System::Ios] {
        let stage = Stage::on_phone(system).await;
        assert!(!polls(&stage), "nobody asked for a card");
        stage.person.top_up(1_000).await.unwrap();
        // No person begins again before the phone has let go of the card.
        tokio::time::sleep(A_WHILE).await;
        stage.person.begin(TransactionKind::Topup).await.unwrap();
        tokio::time::sleep(A_WHILE).await;
        assert!(!polls(&stage), "{system:?}: the phone number first");
        stage.person.verify().await.unwrap();
        tokio::time::sleep(A_WHILE).await;
        assert!(!polls(&stage), "{system:?}: the password first");
        stage.slot.clear();
        let person = &stage.person;
        person.submit(&person.password, Some(2_000)).await.unwrap();
        person.end().await.unwrap();
        let selects = stage.slot.record();
        let selects = selects.iter().filter(|it| it.command[1] == 0xA4).count();
        assert_eq!(selects, 1, "one contact, from the first to the last");
        tokio::time::sleep(A_WHILE).await;
        assert!(!polls(&stage), "{system:?}: done");
        assert_eq!(stage.card_balance(), CARD_BEFORE + 3_000);
        assert_eq!(person.session.times().unwrap().requests_before_write, 1);
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_was_never_seen_is_read_first_in_a_contact_of_its_own() {
    let stage = Stage::on_phone(System::Ios).await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    let known = |view: &ipc::AppView| !view.purses.is_empty();
    stage.person.until("the card", known).await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    assert!(!polls(&stage), "read, and the page is free for typing");
    stage.person.verify().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_that_is_closed_while_the_card_is_waited_for_moves_nothing_and_opens_again() {
    for system in [System::Android, System::Ios] {
        let stage = Stage::on_phone(system).await;
        stage.person.balance().await.unwrap();
        stage.slot.remove();
        stage.person.begin(TransactionKind::Topup).await.unwrap();
        stage.person.verify().await.unwrap();
        stage.person.submit("246810", Some(1_000)).await.unwrap();
        until_it_polls(&stage).await;
        stage.phone.as_ref().unwrap().dismiss();
        let error = failure(stage.person.end().await);
        assert_eq!((error.code, error.retry), (Code::CardNone, Retry::Again));
        assert_eq!(error.money, MoneyPlace::Account);
        stage.insert();
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(stage.card_balance(), CARD_BEFORE, "not by itself");
        stage.person.give(Command::Retry).await.unwrap();
        stage.person.end().await.unwrap();
        assert_eq!(stage.card_balance(), CARD_BEFORE + 1_000, "typed once");
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_that_was_closed_stands_in_the_trace() {
    let stage = Stage::on_phone(System::Ios).await;
    stage.slot.remove();
    stage.person.begin(TransactionKind::Balance).await.unwrap();
    until_it_polls(&stage).await;
    stage.phone.as_ref().unwrap().dismiss();
    let error = failure(stage.person.end().await);
    assert_eq!(error.code, Code::CardNone);
    stage.insert();
    stage.person.give(Command::Retry).await.unwrap();
    stage.person.end().await.unwrap();
    let exported = stage.person.give(Command::ExportTrace).await.unwrap();
    let ipc::Reply::Exported { path } = exported else {
        panic!("a path");
    };
    let trace = std::fs::read_to_string(path).unwrap();
    // How `fixtures/traces/closed.jsonl` is made anew when the app asks the bank for something else.
    if let Some(keep) = std::env::var_os("TAPFILL_KEEP_CLOSED") {
        std::fs::write(keep, &trace).unwrap();
    }
    assert!(trace.contains(r#""closed":1"#), "{trace}");
}

async fn until_it_polls(stage: &Stage) {
    for _ in 0..100 {
        if polls(stage) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the phone looks for a card");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_system_ends_in_the_write_is_settled_by_a_re_top_up() {
    for system in [System::Android, System::Ios] {
        let mut stage = Stage::on_phone(system).await;
        stage.person.begin(TransactionKind::Topup).await.unwrap();
        stage.person.verify().await.unwrap();
        stage.slot.arm(Fault::Slow { ms: 300 });
        stage.person.submit("246810", Some(1_000)).await.unwrap();
        let writes = |view: &ipc::AppView| {
            view.transaction.as_ref().is_some_and(|it| {
                let is = |step: &ipc::StepView| step.state == StepState::Running;
                it.steps
                    .iter()
                    .any(|it| it.name == StepName::Write && is(it))
            })
        };
        stage.person.until("the write", writes).await.unwrap();
        stage.phone.as_ref().unwrap().dismiss();
        let error = failure(stage.person.end().await);
        assert_eq!(error.money, MoneyPlace::InTransit, "{system:?}");
        stage.slot.clear();
        stage.books_balance().await;
        // The system also ends an app that is in the background.
        stage.restart_app();
        stage.person.ready().await.unwrap();
        assert_eq!(stage.person.look().pending.len(), 1);
        let resumed = stage.person.resume().await.unwrap();
        assert_eq!(resumed.resume, Some(ResumeState::Loaded));
        assert_eq!(stage.card_balance(), CARD_BEFORE + 1_000);
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_crosses_the_bridge_once_and_so_does_what_follows_the_banks_yes() {
    for system in [System::Android, System::Ios] {
        let stage = Stage::on_phone(system).await;
        let batches = || stage.phone.as_ref().unwrap().batches();
        stage.person.balance().await.unwrap();
        let balance = batches();
        assert_eq!(balance.len(), 1, "{system:?}: a balance, {balance:?}");
        // Who is quicker than the phone gives up the card has it read once more.
        let rests = |view: &ipc::AppView| view.reader.state == ipc::ReaderKind::Empty;
        stage
            .person
            .until("the card is given up", rests)
            .await
            .unwrap();
        stage.person.top_up(1_000).await.unwrap();
        let load = batches().split_off(balance.len());
        // SELECT and a read; the read again and again, with what else is read; INITIALIZE, once all that was checked;
        // and CREDIT, after the bank's answer and alone.
        let [2, reads, 1, 1] = load[..] else {
            panic!("{system:?}: a load, {load:?}");
        };
        assert!(reads > 2, "{system:?}: {load:?}");
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_moves_between_the_banks_yes_and_the_write_is_settled() {
    let stage = Stage::on_phone(System::Android).await;
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::After,
        nth: 1,
    });
    let error = failure(stage.person.top_up(500).await);
    assert_eq!(error.money, MoneyPlace::InTransit);
    stage.insert();
    let resumed = stage.person.resume().await.unwrap();
    assert_eq!(resumed.resume, Some(ResumeState::AlreadyOnCard));
    stage.healed().await;
}

/// A top-up of 1,000 fen whose first request the bank sits on, for so long that the person may take the card away.
async fn until_the_card_may_go(stage: &Stage, password: &str) {
    let person = &stage.person;
    person.balance().await.unwrap();
    person.begin(TransactionKind::Topup).await.unwrap();
    person.verify().await.unwrap();
    stage.wire().hold(1);
    person.submit(password, Some(1_000)).await.unwrap();
    let free = |view: &ipc::AppView| {
        let transaction = view.transaction.as_ref();
        transaction.is_some_and(|it| it.contact == Some(ContactView::Free))
    };
    person.until("the card may go", free).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_bank_makes_two_short_contacts_of_one_long_one() {
    for system in [System::Android, System::Ios] {
        let stage = Stage::wired_on_phone(system).await;
        let person = &stage.person;
        until_the_card_may_go(&stage, &person.password).await;
        tokio::time::sleep(A_WHILE).await;
        assert!(!polls(&stage), "{system:?}: nobody holds a card now");
        assert_eq!(stage.card_balance(), CARD_BEFORE, "nothing was written");
        stage.slot.remove();
        stage.wire().release();
        let again = |view: &ipc::AppView| {
            let transaction = view.transaction.as_ref();
            transaction.is_some_and(|it| it.kind == TransactionKind::Resume)
        };
        person
            .until("the card is asked for again", again)
            .await
            .unwrap();
        until_it_polls(&stage).await;
        let view = person.look().transaction.unwrap();
        assert_eq!(view.place, MoneyPlace::InTransit);
        assert_eq!(view.amount, Some(1_000));
        stage.insert();
        let ended = person.end().await.unwrap();
        assert_eq!(ended.resume, Some(ResumeState::Loaded), "{system:?}");
        assert_eq!(stage.card_balance(), CARD_BEFORE + 1_000, "once");
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sheet_that_was_closed_while_a_slow_bank_decides_opens_for_the_second_contact() {
    for system in [System::Android, System::Ios] {
        let stage = Stage::wired_on_phone(system).await;
        let person = &stage.person;
        person.balance().await.unwrap();
        // No person begins again before the phone has let go of the card.
        tokio::time::sleep(A_WHILE).await;
        person.begin(TransactionKind::Topup).await.unwrap();
        person.verify().await.unwrap();
        stage.wire().hold(1);
        person.submit(&person.password, Some(1_000)).await.unwrap();
        stage.wire().until_held().await;
        stage.phone.as_ref().unwrap().dismiss();
        let free = |view: &ipc::AppView| {
            let transaction = view.transaction.as_ref();
            transaction.is_some_and(|it| it.contact == Some(ContactView::Free))
        };
        person.until("the card may go", free).await.unwrap();
        stage.slot.remove();
        stage.wire().release();
        let again = |view: &ipc::AppView| {
            let transaction = view.transaction.as_ref();
            transaction.is_some_and(|it| it.kind == TransactionKind::Resume)
        };
        person
            .until("the card is asked for again", again)
            .await
            .unwrap();
        until_it_polls(&stage).await;
        stage.insert();
        let ended = person.end().await.unwrap();
        assert_eq!(ended.resume, Some(ResumeState::Loaded), "{system:?}");
        assert_eq!(stage.card_balance(), CARD_BEFORE + 1_000, "once");
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_bank_that_says_no_asks_for_no_second_contact() {
    let stage = Stage::wired_on_phone(System::Android).await;
    let person = &stage.person;
    until_the_card_may_go(&stage, "111111").await;
    stage.wire().release();
    let wrong = |view: &ipc::AppView| {
        let error = view.transaction.as_ref().and_then(|it| it.error.as_ref());
        error.is_some_and(|error| error.code == Code::PasswordWrong)
    };
    person.until("the answer", wrong).await.unwrap();
    tokio::time::sleep(A_WHILE).await;
    assert!(!polls(&stage), "the password is typed anew first");
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_bank_that_never_answers_asks_for_no_second_contact() {
    let stage = Stage::wired_on_phone(System::Ios).await;
    let person = &stage.person;
    until_the_card_may_go(&stage, &person.password).await;
    stage.slot.remove();
    stage.wire().cut(Mode::Dead, 0);
    let failed = |view: &ipc::AppView| {
        let transaction = view.transaction.as_ref();
        transaction.is_some_and(|it| it.error.is_some())
    };
    person.until("no answer", failed).await.unwrap();
    let transaction = person.look().transaction.unwrap();
    assert_eq!(
        transaction.kind,
        TransactionKind::Topup,
        "no second contact"
    );
    assert_eq!(transaction.place, MoneyPlace::Unsure, "and said so");
    tokio::time::sleep(A_WHILE).await;
    assert!(!polls(&stage), "no sheet without a reason");
    stage.wire().whole();
    stage.wire().release();
}
