//! A card or a network that goes at any step: the money is where the app says it is, and a re-top-up settles it.

use ipc::{Code, MoneyPlace, ReaderKind, ResumeState, Retry};
use virtual_card::{Card, CardProfile, Fault, Moment};

use crate::stage::{CARD_BEFORE, Stage, card_back, card_there, failure};

#[tokio::test(flavor = "multi_thread")]
async fn a_card_torn_at_any_command_of_a_load_is_settled_by_a_re_top_up() {
    torn_anywhere(&Stage::ready().await).await;
}

/// The tear matrix of a load: five commands, three moments, each settled.
pub(crate) async fn torn_anywhere(stage: &Stage) {
    let mut expected = CARD_BEFORE;
    for ins in [0xA4, 0xB0, 0x5C, 0x50, 0x52] {
        for moment in [Moment::Before, Moment::During, Moment::After] {
            stage
                .person
                .begin(ipc::TransactionKind::Topup)
                .await
                .unwrap();
            stage.person.verify().await.unwrap();
            stage.slot.arm(Fault::Tear {
                ins: Some(ins),
                moment,
                nth: 1,
            });
            stage.person.submit("246810", Some(100)).await.unwrap();
            let error = failure(stage.person.end().await);
            assert_eq!(error.code, Code::CardLost, "{ins:02X} {moment:?}");
            stage.books_balance().await;
            stage.slot.clear();
            card_back(stage).await;
            if ins == 0x52 {
                assert_eq!(error.money, MoneyPlace::InTransit);
                assert_eq!(error.retry, Retry::Resume);
                assert_eq!(stage.person.look().pending.len(), 1);
                let resumed = stage.person.resume().await.unwrap();
                let already = matches!(moment, Moment::After);
                let want = if already {
                    ResumeState::AlreadyOnCard
                } else {
                    ResumeState::Loaded
                };
                assert_eq!(resumed.resume, Some(want), "{moment:?}");
                expected += 100;
            } else {
                assert_eq!(error.money, MoneyPlace::Account, "{ins:02X} {moment:?}");
                assert_eq!(error.retry, Retry::Again);
            }
            assert_eq!(stage.card_balance(), expected, "{ins:02X} {moment:?}");
            stage.healed().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_top_up_torn_in_its_turn_is_settled_by_the_next() {
    torn_again(&Stage::ready().await).await;
}

/// The tear matrix of a re-top-up.
pub(crate) async fn torn_again(stage: &Stage) {
    let mut loads = 0;
    for ins in [0x5A, 0x50, 0x52] {
        for moment in [Moment::Before, Moment::During, Moment::After] {
            let tear = Fault::Tear {
                ins: Some(0x52),
                moment: Moment::Before,
                nth: 1,
            };
            stage.slot.arm(tear);
            failure(stage.person.top_up(100).await);
            card_back(stage).await;
            stage.slot.arm(Fault::Tear {
                ins: Some(ins),
                moment,
                nth: 1,
            });
            let error = failure(stage.person.resume().await);
            assert_eq!(error.money, MoneyPlace::InTransit, "{ins:02X} {moment:?}");
            stage.books_balance().await;
            stage.slot.clear();
            card_back(stage).await;
            stage.person.resume().await.unwrap();
            loads += 100;
            assert_eq!(
                stage.card_balance(),
                CARD_BEFORE + loads,
                "once, {ins:02X} {moment:?}"
            );
            stage.healed().await;
        }
    }
}

/// The card forgets its proof at INITIALIZE, keeps no log, and was spent from: its proof alone can tell.
#[tokio::test(flavor = "multi_thread")]
async fn the_proof_is_asked_for_before_the_card_is_initialized_again() {
    let mut card = CardProfile::demo();
    card.quirks.drops_proof_at_initialize = true;
    (card.log, card.log_capacity) = (Vec::new(), 0);
    let stage = Stage::with(card).await;
    stage.person.ready().await.unwrap();
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::After,
        nth: 1,
    });
    failure(stage.person.top_up(2_000).await);
    let mut spent = stage.slot.profile().unwrap();
    spent.balance -= 300;
    stage.slot.clear();
    stage.slot.replace(Card::new(spent.clone()));
    card_there(&stage).await;
    let resumed = stage.person.resume().await.unwrap();
    assert_eq!(resumed.resume, Some(ResumeState::AlreadyOnCard));
    let record = stage.slot.record();
    let initialized = record.iter().any(|it| it.command[1] == 0x50);
    assert!(!initialized, "proven without another INITIALIZE");
    spent.balance += 300;
    stage.slot.replace(Card::new(spent));
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_starts_again_says_what_waits_and_finishes_it() {
    let mut stage = Stage::ready().await;
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::After,
        nth: 1,
    });
    failure(stage.person.top_up(2_000).await);
    stage.restart_app();
    let view = stage.person.ready().await.unwrap();
    assert_eq!(view.pending.len(), 1);
    assert_eq!(
        (view.pending[0].amount, view.pending[0].tail.as_str()),
        (2_000, "4471")
    );
    card_back(&stage).await;
    let resumed = stage.person.resume().await.unwrap();
    assert_eq!(resumed.resume, Some(ResumeState::AlreadyOnCard));
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_card_never_settles_the_load_of_the_first() {
    let stage = Stage::ready().await;
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::Before,
        nth: 1,
    });
    failure(stage.person.top_up(2_000).await);
    let first = Card::new(stage.slot.profile().unwrap());
    stage.slot.replace(Card::new(CardProfile::demo_inactive()));
    stage
        .person
        .until("a card", |view| view.reader.state == ReaderKind::Card)
        .await
        .unwrap();
    let error = failure(stage.person.resume().await);
    assert_eq!(error.code, Code::CardOther);
    assert_eq!(error.params.get("tail").map(String::as_str), Some("4471"));
    assert_eq!(stage.person.look().pending.len(), 1, "it still waits");
    stage.slot.replace(first);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    stage
        .person
        .until("the card", |view| view.reader.state == ReaderKind::Card)
        .await
        .unwrap();
    stage.person.resume().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 2_000);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_could_not_be_told_is_delivered_at_the_next_start() {
    let mut stage = Stage::ready().await;
    stage
        .person
        .begin(ipc::TransactionKind::Topup)
        .await
        .unwrap();
    stage.person.verify().await.unwrap();
    stage.slot.arm(Fault::Slow { ms: 400 });
    stage.person.submit("246810", Some(3_000)).await.unwrap();
    let writing = |view: &ipc::AppView| {
        view.transaction.as_ref().is_some_and(|t| {
            t.steps
                .iter()
                .any(|s| s.name == ipc::StepName::Write && s.state == ipc::StepState::Running)
        })
    };
    stage.person.until("the write", writing).await.unwrap();
    stage.stop_bank().await;
    let error = failure(stage.person.end().await);
    assert_eq!(error.money, MoneyPlace::OnCardUnreported, "{error:?}");
    assert_eq!(stage.card_balance(), CARD_BEFORE + 3_000);
    stage.slot.clear();
    stage.start_bank().await;
    stage.restart_app();
    stage
        .person
        .until("nothing waits", |view| view.pending.is_empty())
        .await
        .unwrap();
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_load_blocks_the_next_until_it_is_settled() {
    let stage = Stage::ready().await;
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::Before,
        nth: 1,
    });
    failure(stage.person.top_up(2_000).await);
    card_back(&stage).await;
    let error = failure(stage.person.top_up(1_000).await);
    assert_eq!(error.code, Code::LoadOpen);
    assert_eq!(error.retry, Retry::Resume);
    stage.person.resume().await.unwrap();
    stage.person.top_up(1_000).await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 3_000);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_load_is_found_before_the_card_is_asked_to_start_another() {
    let stage = Stage::ready().await;
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::Before,
        nth: 1,
    });
    let torn = failure(stage.person.top_up(2_000).await);
    card_back(&stage).await;
    let initialized = || {
        let record = stage.slot.record();
        record.iter().filter(|r| r.command[1] == 0x50).count()
    };
    let before = initialized();
    let error = failure(stage.person.top_up(1_000).await);
    assert_eq!(
        (error.code, error.money),
        (Code::LoadOpen, MoneyPlace::InTransit)
    );
    assert_eq!(error.reference, torn.reference);
    assert_eq!(
        initialized(),
        before,
        "some cards drop their proof at INITIALIZE"
    );
    stage.person.resume().await.unwrap();
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activation_whose_end_was_lost_never_blocks_a_top_up() {
    for moment in [Moment::Before, Moment::During, Moment::After] {
        let stage = Stage::with(CardProfile::demo_inactive()).await;
        stage.person.ready().await.unwrap();
        stage.slot.arm(Fault::Tear {
            ins: Some(0xD6),
            moment,
            nth: 1,
        });
        assert_eq!(failure(stage.person.activate().await).code, Code::CardLost);
        card_back(&stage).await;
        let active = stage.person.balance().await.unwrap().card.unwrap().active;
        assert_eq!(active, moment == Moment::After);
        let resumed = stage.person.resume().await.unwrap();
        assert_eq!(resumed.resume, Some(ResumeState::None));
        if !active {
            stage.person.activate().await.unwrap();
        }
        stage.person.top_up(1_000).await.unwrap();
        assert_eq!(stage.card_balance(), 1_000);
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_refuses_the_write_shows_its_status_word() {
    let mut card = CardProfile::demo();
    card.max_balance = CARD_BEFORE.unsigned_abs().try_into().unwrap();
    let stage = Stage::with(card).await;
    stage.person.ready().await.unwrap();
    let error = failure(stage.person.top_up(1_000).await);
    assert_eq!(error.code, Code::CardRefused);
    assert_eq!(error.params.get("status").map(String::len), Some(4));
    stage.books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_top_up_without_a_card_still_says_where_the_money_is() {
    let stage = Stage::ready().await;
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::After,
        nth: 1,
    });
    failure(stage.person.top_up(2_000).await);
    stage
        .person
        .until("an empty reader", |view| {
            view.reader.state == ReaderKind::Empty
        })
        .await
        .unwrap();
    let kind = ipc::TransactionKind::Resume;
    stage.person.begin(kind).await.unwrap();
    let view = stage.person.look().transaction.unwrap();
    assert_eq!(
        (view.place, view.amount),
        (MoneyPlace::InTransit, Some(2_000))
    );
    card_back(&stage).await;
    let ended = stage.person.end().await.unwrap();
    assert_eq!(ended.resume, Some(ResumeState::AlreadyOnCard));
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_load_and_its_re_top_up_leave_a_trace_to_export() {
    let stage = Stage::ready().await;
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::After,
        nth: 1,
    });
    failure(stage.person.top_up(2_000).await);
    card_back(&stage).await;
    stage.person.resume().await.unwrap();
    let exported = stage.person.give(ipc::Command::ExportTrace).await.unwrap();
    let ipc::Reply::Exported { path } = exported else {
        panic!("a path");
    };
    let trace = std::fs::read_to_string(path).unwrap();
    // How `fixtures/traces/torn.jsonl` is made anew when the app asks the bank for something else.
    if let Some(keep) = std::env::var_os("TAPFILL_KEEP_TRACE") {
        std::fs::write(keep, &trace).unwrap();
    }
    for word in [
        r#""head":"8052000"#,
        r#""fault":"lost""#,
        r#""code":"card-lost""#,
        r#""state":"writing""#,
        r#""path":"/v1/relay""#,
        r#""resume":"already-on-card""#,
    ] {
        assert!(trace.contains(word), "{word}: {trace}");
    }
    stage.healed().await;
}
