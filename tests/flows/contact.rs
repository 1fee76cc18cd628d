//! The contact with the card is measured before money moves: poor contact asks for the card to be moved.

use std::time::{Duration, Instant};

use ipc::{Code, Command, ContactView, MoneyPlace, Retry, TransactionKind};
use tapfill_tests::Trouble;
use virtual_card::{CardProfile, Fault, Moment};

use crate::stage::{CARD_BEFORE, Stage};

/// READ BINARY of file 15, the probe of the transit purse.
const PROBE: [u8; 5] = [0x00, 0xB0, 0x95, 0x00, 0x1E];

fn jitter(commands: Option<u32>) -> Fault {
    Fault::Jitter {
        ms: 150,
        commands,
        seed: 11,
    }
}

fn probes(stage: &Stage) -> usize {
    let record = stage.slot.record();
    record.iter().filter(|it| it.command == PROBE).count()
}

async fn ready_to_submit(stage: &Stage) {
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
}

async fn hinted(stage: &Stage) {
    let poor = |view: &ipc::AppView| {
        let transaction = view.transaction.as_ref();
        transaction.is_some_and(|it| it.contact == Some(ContactView::Poor))
    };
    stage.person.until("the hint", poor).await.unwrap();
}

fn contact_poor(ended: Result<ipc::TransactionView, Trouble>) -> ipc::ErrorView {
    match ended {
        Err(Trouble::Failed(error)) if error.code == Code::ContactPoor => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_card_is_read_five_times_more_and_loaded() {
    let stage = Stage::ready().await;
    ready_to_submit(&stage).await;
    stage.slot.clear();
    stage.person.submit("246810", Some(100)).await.unwrap();
    let done = stage.person.end().await.unwrap();
    assert_eq!(done.contact, None);
    assert_eq!(probes(&stage) % 6, 0, "each round is a read and five more");
    assert_eq!(stage.card_balance(), CARD_BEFORE + 100);
    stage.healed().await;
    stage.slot.clear();
    stage.person.balance().await.unwrap();
    assert_eq!(probes(&stage), 1, "a balance moves no money");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jittery_card_goes_through_once_it_lies_still() {
    let stage = Stage::ready().await;
    ready_to_submit(&stage).await;
    stage.slot.arm(jitter(Some(12)));
    stage.person.submit("246810", Some(100)).await.unwrap();
    hinted(&stage).await;
    let done = stage.person.end().await.unwrap();
    assert_eq!(done.contact, None, "the hint is gone");
    assert_eq!(stage.card_balance(), CARD_BEFORE + 100);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_stays_jittery_ends_before_the_bank_is_asked() {
    let stage = Stage::ready().await;
    let before = stage.bank().money().await.unwrap();
    ready_to_submit(&stage).await;
    stage.slot.arm(jitter(None));
    stage.person.submit("246810", Some(100)).await.unwrap();
    hinted(&stage).await;
    let error = contact_poor(stage.person.end().await);
    assert_eq!(
        (error.money, error.retry),
        (MoneyPlace::Account, Retry::Again)
    );
    assert_eq!(stage.bank().money().await.unwrap(), before, "no debit");
    assert_eq!(stage.card_balance(), CARD_BEFORE);
    stage.healed().await;
    stage.slot.clear();
    stage.person.give(ipc::Command::Retry).await.unwrap();
    stage.person.end().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 100, "the same again");
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_top_up_and_an_activation_are_measured_too() {
    let stage = Stage::ready().await;
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::Before,
        nth: 1,
    });
    assert!(stage.person.top_up(100).await.is_err(), "torn");
    stage.insert();
    stage.slot.arm(jitter(None));
    let error = contact_poor(stage.person.resume().await);
    assert_eq!(
        (error.money, error.retry),
        (MoneyPlace::InTransit, Retry::Resume),
        "the load of before still waits"
    );
    stage.slot.clear();
    stage.person.resume().await.unwrap();
    stage.healed().await;

    let stage = Stage::with(CardProfile::demo_inactive()).await;
    stage.person.ready().await.unwrap();
    stage.slot.arm(jitter(None));
    let error = contact_poor(stage.person.activate().await);
    assert_eq!((error.money, error.retry), (MoneyPlace::None, Retry::Again));
    assert_eq!(stage.slot.profile().unwrap().enable_flag, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_card_that_is_even_goes_through() {
    let stage = Stage::ready().await;
    ready_to_submit(&stage).await;
    stage.slot.clear();
    stage.slot.arm(Fault::Slow { ms: 4_000 });
    stage.person.submit("246810", Some(100)).await.unwrap();
    let done = stage.person.end().await.unwrap();
    assert_eq!(done.contact, None);
    assert_eq!(probes(&stage), 3, "one read and two more");
    assert_eq!(stage.card_balance(), CARD_BEFORE + 100);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_lost_for_a_moment_while_it_is_measured_is_read_anew() {
    let stage = Stage::ready().await;
    ready_to_submit(&stage).await;
    stage.slot.arm(Fault::Tear {
        ins: Some(0xB0),
        moment: Moment::After,
        nth: 3,
    });
    stage.person.submit("246810", Some(100)).await.unwrap();
    hinted(&stage).await;
    stage.insert();
    stage.person.end().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 100);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_stays_away_while_it_is_measured_is_lost_without_a_debit() {
    let stage = Stage::ready().await;
    ready_to_submit(&stage).await;
    stage.slot.arm(Fault::Tear {
        ins: Some(0xB0),
        moment: Moment::Before,
        nth: 2,
    });
    let began = Instant::now();
    stage.person.submit("246810", Some(100)).await.unwrap();
    let Err(Trouble::Failed(error)) = stage.person.end().await else {
        panic!("a card that is not there was loaded");
    };
    assert_eq!(
        (error.code, error.money),
        (Code::CardLost, MoneyPlace::Account)
    );
    assert!(began.elapsed() < Duration::from_secs(30));
    stage.healed().await;
}

/// A reader's service that has not noticed that the card was away: the first command to it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_was_put_back_just_now_is_loaded_though_its_first_command_was_lost() {
    let stage = Stage::ready().await;
    let lost = Fault::Tear {
        ins: None,
        moment: Moment::Before,
        nth: 1,
    };
    ready_to_submit(&stage).await;
    stage.slot.arm(lost);
    let slot = stage.slot.clone();
    let back = tokio::spawn(async move {
        let mut views = slot.watch();
        views.wait_for(|view| !view.present).await.unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
        slot.clear();
        slot.insert();
    });
    stage.person.submit("246810", Some(100)).await.unwrap();
    stage.person.end().await.unwrap();
    back.await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 100);
    stage.healed().await;

    stage.slot.arm(lost);
    let Err(Trouble::Failed(error)) = stage.person.balance().await else {
        panic!("a card that stays away was read");
    };
    assert_eq!(error.code, Code::CardLost);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_types_faster_than_a_card_is_read_gets_the_code_all_the_same() {
    let stage = Stage::ready().await;
    stage.slot.arm(Fault::Slow { ms: 300 });
    let person = &stage.person;
    person.begin(TransactionKind::Topup).await.unwrap();
    let phone = person.phone.clone();
    person.give(Command::SendCode { phone }).await.unwrap();
    let transaction = person.look().transaction.unwrap();
    assert_eq!(
        transaction.stage,
        ipc::Stage::Code,
        "the code is on its way"
    );
    assert!(transaction.card.is_some(), "for the card that was read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_for_a_card_that_leaves_while_it_is_read_is_not_sent() {
    let stage = Stage::ready().await;
    stage.slot.arm(Fault::Slow { ms: 300 });
    let person = &stage.person;
    person.begin(TransactionKind::Topup).await.unwrap();
    let phone = person.phone.clone();
    let sent = person.give(Command::SendCode { phone });
    let leaves = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        stage.slot.remove();
    };
    let (sent, ()) = tokio::join!(sent, leaves);
    assert!(
        matches!(sent, Err(Trouble::Refused(error)) if error.code == Code::CardNone),
        "there is no card to send one for"
    );
    assert_eq!(person.codes().await.unwrap().len(), 0, "no code");
}
