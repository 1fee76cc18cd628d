//! Every button pressed twice, and once more while the first press is still at work.

use ipc::{Command, ResumeState, Stage as At, TransactionKind};
use virtual_card::{CardProfile, Fault, Moment};

use crate::stage::{CARD_BEFORE, Stage, card_back, failure};

/// Both presses at once; whatever they are answered, the app goes on.
async fn twice(stage: &Stage, command: Command) {
    let (one, two) = tokio::join!(
        stage.person.session.run(command.clone()),
        stage.person.session.run(command),
    );
    assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
}

async fn at(stage: &Stage, wanted: At) {
    let there = |view: &ipc::AppView| {
        let transaction = view.transaction.as_ref();
        transaction.is_some_and(|it| it.stage == wanted && !it.busy)
    };
    stage.person.until("a stage", there).await.unwrap();
}

async fn top_up_twice(stage: &Stage, amount: u32) {
    let begin = Command::Begin {
        kind: TransactionKind::Topup,
    };
    twice(stage, begin).await;
    let read = |view: &ipc::AppView| view.transaction.as_ref().is_some_and(|t| t.card.is_some());
    stage.person.until("the card", read).await.unwrap();
    let before = stage.person.codes().await.unwrap().len();
    let phone = "13800006021".to_owned();
    twice(stage, Command::SendCode { phone }).await;
    at(stage, At::Code).await;
    let mut codes = Vec::new();
    while codes.len() <= before {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        codes = stage.person.codes().await.unwrap();
    }
    let code = codes.remove(0);
    twice(stage, Command::VerifyCode { code }).await;
    at(stage, At::Password).await;
    for digit in [2, 4, 6, 8, 1, 0] {
        stage
            .person
            .give(Command::PinPress { digit })
            .await
            .unwrap();
    }
    let amount = Some(amount);
    twice(stage, Command::Submit { amount }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_with_every_button_pressed_twice_debits_once() {
    let stage = Stage::ready().await;
    top_up_twice(&stage, 700).await;
    let more = [
        Command::Begin {
            kind: TransactionKind::Topup,
        },
        Command::Begin {
            kind: TransactionKind::Resume,
        },
        Command::Refund { load: None },
        Command::Retry,
        Command::Leave,
        Command::EraseDevice,
    ];
    for command in more {
        let _any_answer = stage.person.session.run(command).await;
    }
    let idle = |view: &ipc::AppView| view.transaction.as_ref().is_none_or(|t| t.can_cancel);
    stage.person.until("the end", idle).await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 700);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_pressed_twice_after_a_tear_settles_once() {
    for moment in [Moment::Before, Moment::After] {
        let stage = Stage::ready().await;
        stage.slot.arm(Fault::Tear {
            ins: Some(0x52),
            moment,
            nth: 1,
        });
        failure(stage.person.top_up(700).await);
        card_back(&stage).await;
        twice(&stage, Command::Retry).await;
        stage.person.end().await.unwrap();
        assert_eq!(stage.card_balance(), CARD_BEFORE + 700, "{moment:?}");
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn give_it_back_pressed_twice_gives_it_back_once() {
    let stage = Stage::ready().await;
    let before = stage.bank().money().await.unwrap().customers;
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::Before,
        nth: 1,
    });
    failure(stage.person.top_up(700).await);
    card_back(&stage).await;
    twice(&stage, Command::Refund { load: None }).await;
    let end = stage.person.end().await.unwrap();
    assert_eq!(end.resume, Some(ResumeState::Refunded));
    let again = stage.person.refund().await.unwrap();
    assert_eq!(
        again.resume,
        Some(ResumeState::None),
        "nothing is left to give"
    );
    assert_eq!(stage.bank().money().await.unwrap().customers, before);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activation_with_every_button_pressed_twice_activates_once() {
    let stage = Stage::with(CardProfile::demo_inactive()).await;
    stage.person.ready().await.unwrap();
    let begin = Command::Begin {
        kind: TransactionKind::Activate,
    };
    twice(&stage, begin).await;
    for digit in [2, 4, 6, 8, 1, 0] {
        stage
            .person
            .give(Command::PinPress { digit })
            .await
            .unwrap();
    }
    twice(&stage, Command::Submit { amount: None }).await;
    stage.person.end().await.unwrap();
    let record = stage.slot.record();
    let updates = record.iter().filter(|it| it.command[1] == 0xD6).count();
    assert_eq!(updates, 1, "one secured update");
    stage.healed().await;
}
