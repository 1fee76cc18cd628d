//! What comes from outside the app: links that anybody can send, and a window out of sight.

use std::time::Duration;

use ipc::{AppView, Code, Command, Language, TransactionKind};
use session::{Errand, Notice, Outside};
use tapfill_tests::Trouble;
use tokio::sync::broadcast::Receiver;
use virtual_card::{Fault, Moment};

use crate::stage::{CARD_BEFORE, Stage, card_back, failure};

fn link(stage: &Stage, link: &str) {
    stage.person.session.tell(Outside::Link(link.to_owned()));
}

async fn asked(stage: &Stage) -> AppView {
    let shown = |view: &AppView| view.request.is_some();
    stage.person.until("a request", shown).await.unwrap()
}

fn refusal(view: &AppView) -> Option<Code> {
    Some(view.request.as_ref()?.error.as_ref()?.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_begins_nothing_and_leads_to_a_top_up_like_any_other() {
    let stage = Stage::ready().await;
    link(&stage, "tapfill://topup?amount=30");
    let view = asked(&stage).await;
    assert_eq!(view.request.and_then(|it| it.amount), Some(3_000));
    assert!(view.transaction.is_none(), "nothing has begun");
    assert_eq!(stage.person.codes().await.unwrap().len(), 0, "no code");

    stage.person.give(Command::AcceptRequest).await.unwrap();
    let view = stage.person.look();
    let transaction = view.transaction.unwrap();
    assert_eq!(transaction.kind, TransactionKind::Topup);
    assert_eq!((transaction.asked, transaction.amount), (Some(3_000), None));
    assert!(view.request.is_none(), "answered");
    stage.person.verify().await.unwrap();
    // The person may change it.
    stage.person.submit("246810", Some(2_000)).await.unwrap();
    stage.person.end().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 2_000);
    stage.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_phone_number_keeps_the_amount_and_another_top_up_does_not() {
    let stage = Stage::ready().await;
    let again = || stage.person.begin(TransactionKind::Topup);
    let shown = || stage.person.look().transaction.unwrap().asked;
    link(&stage, "tapfill://topup?amount=30");
    asked(&stage).await;
    stage.person.give(Command::AcceptRequest).await.unwrap();
    again().await.unwrap();
    assert_eq!(shown(), Some(3_000), "begun anew from its first steps");
    stage.person.give(Command::Leave).await.unwrap();
    again().await.unwrap();
    assert_eq!(shown(), None, "the person left it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_another_shape_and_one_in_the_middle_of_something_are_refused() {
    let stage = Stage::ready().await;
    link(&stage, "tapfill://topup?amount=30&card=4471");
    assert_eq!(refusal(&asked(&stage).await), Some(Code::LinkBad));
    let refused = stage.person.give(Command::AcceptRequest).await;
    assert!(
        matches!(refused, Err(Trouble::Refused(error)) if error.code == Code::NotNow),
        "there is nothing to go on with"
    );
    stage.person.give(Command::DropRequest).await.unwrap();
    assert!(stage.person.look().request.is_none());

    stage.person.begin(TransactionKind::Topup).await.unwrap();
    let before = stage.person.look().transaction.map(|it| it.id);
    link(&stage, "tapfill://topup?amount=30");
    assert_eq!(refusal(&asked(&stage).await), Some(Code::LinkBusy));
    let refused = stage.person.give(Command::AcceptRequest).await;
    assert!(refused.is_err(), "not even by a page that asks for it");
    let after = stage.person.look().transaction.map(|it| it.id);
    assert_eq!(after, before, "what was on the screen goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_load_is_told_once_and_only_out_of_sight() {
    let mut stage = Stage::ready().await;
    let mut errands = stage.person.session.errands();
    torn(&stage, 2_000).await;
    assert_eq!(told(&mut errands).await, None, "the screen tells it");

    stage.person.session.tell(Outside::Hidden(true));
    let notice = told(&mut errands).await.unwrap();
    assert_eq!(notice.amount, 2_000);
    assert_eq!(notice.language, Language::System);
    for hidden in [false, true] {
        stage.person.session.tell(Outside::Hidden(hidden));
    }
    assert_eq!(told(&mut errands).await, None, "once");

    stage.restart_app();
    stage.person.ready().await.unwrap();
    let mut errands = stage.person.session.errands();
    stage.person.session.tell(Outside::Hidden(true));
    assert_eq!(told(&mut errands).await, None, "once, also over a restart");
    card_back(&stage).await;
    stage.person.resume().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_who_does_not_want_to_be() {
    let stage = Stage::ready().await;
    let mut errands = stage.person.session.errands();
    let off = Command::SetNotices { on: false };
    stage.person.give(off).await.unwrap();
    stage.person.session.tell(Outside::Hidden(true));
    torn(&stage, 2_000).await;
    assert_eq!(told(&mut errands).await, None);
    let on = Command::SetNotices { on: true };
    stage.person.give(on).await.unwrap();
    let notice = told(&mut errands).await.unwrap();
    assert_eq!(notice.amount, 2_000, "it remains unfinished");
}

/// A load whose card left before it was credited.
async fn torn(stage: &Stage, amount: u32) {
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::Before,
        nth: 1,
    });
    failure(stage.person.top_up(amount).await);
    stage.slot.clear();
}

async fn told(errands: &mut Receiver<Errand>) -> Option<Notice> {
    match errand(errands).await {
        Some(Errand::Tell(notice)) => Some(notice),
        Some(Errand::Update) => panic!("nobody asked for a new version"),
        Some(Errand::PickList) => panic!("nobody asked for a list"),
        None => None,
    }
}

async fn errand(errands: &mut Receiver<Errand>) -> Option<Errand> {
    let soon = tokio::time::timeout(Duration::from_millis(500), errands.recv());
    soon.await.ok().and_then(Result::ok)
}

/// The shell has heard of a newer version.
async fn offered(stage: &Stage) {
    let version = "9.0.0".to_owned();
    stage.person.session.tell(Outside::Offered(version));
    let shown = |view: &AppView| view.update.is_some();
    stage.person.until("an offer", shown).await.unwrap();
}

fn is_not_now(given: Result<ipc::Reply, Trouble>) -> bool {
    matches!(given, Err(Trouble::Refused(error)) if error.code == Code::NotNow)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_waits_for_the_person_and_for_the_end_of_a_transaction() {
    let stage = Stage::ready().await;
    let mut errands = stage.person.session.errands();
    let update = || stage.person.give(Command::Update);
    assert!(is_not_now(update().await), "nothing is offered");
    offered(&stage).await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    assert!(is_not_now(update().await), "a person is typing");
    assert_eq!(errand(&mut errands).await, None, "nothing by itself");

    stage.person.give(Command::Leave).await.unwrap();
    update().await.unwrap();
    assert_eq!(errand(&mut errands).await, Some(Errand::Update));
    assert!(is_not_now(update().await), "once");
    let begun = stage.person.begin(TransactionKind::Topup).await;
    assert!(begun.is_err(), "the app is about to end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_not_installed_is_told_and_offered_again() {
    let stage = Stage::ready().await;
    let mut errands = stage.person.session.errands();
    offered(&stage).await;
    stage.person.give(Command::Update).await.unwrap();
    stage.person.session.tell(Outside::NotUpdated);
    let failed = |view: &AppView| view.update.as_ref().is_some_and(|it| it.error.is_some());
    let view = stage.person.until("why", failed).await.unwrap();
    let update = view.update.unwrap();
    assert_eq!(update.error.map(|it| it.code), Some(Code::UpdateFailed));
    assert!(!update.running);

    stage.person.top_up(2_000).await.unwrap();
    stage.person.give(Command::Leave).await.unwrap();
    stage.person.give(Command::Update).await.unwrap();
    assert_eq!(errand(&mut errands).await, Some(Errand::Update));
    let again = errand(&mut errands).await;
    assert_eq!(again, Some(Errand::Update), "the second time");
}
