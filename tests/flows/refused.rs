use ipc::{CardKey, Code, Command, MoneyPlace, NetworkState, ReaderKind, Retry, TransactionKind};
use session::shells::VaultError;
use tapfill_tests::Trouble;
use virtual_card::CardProfile;

use crate::stage::{CARD_BEFORE, Stage};

fn code(result: Result<impl std::fmt::Debug, Trouble>) -> Code {
    match result {
        Err(Trouble::Failed(error) | Trouble::Refused(error)) => error.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_typed_again_under_the_same_code() {
    let stage = Stage::ready().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.person.submit("111111", Some(1_000)).await.unwrap();
    let Err(Trouble::Failed(error)) = stage.person.end().await else {
        panic!("refused")
    };
    assert_eq!(
        (error.code, error.retry),
        (Code::PasswordWrong, Retry::Edit)
    );
    assert_eq!(
        error.params.get("tries_left").map(String::as_str),
        Some("2")
    );
    assert_eq!(error.money, MoneyPlace::Account);
    stage.person.submit("246810", Some(1_000)).await.unwrap();
    stage.person.end().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 1_000);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_wrong_passwords_lock() {
    let stage = Stage::ready().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    let mut last = Code::Internal;
    for _ in 0..3 {
        stage.person.submit("111111", Some(1_000)).await.unwrap();
        last = code(stage.person.end().await);
    }
    assert_eq!(last, Code::PasswordLocked);
    assert_eq!(stage.card_balance(), CARD_BEFORE);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_is_told_with_the_tries_left() {
    let stage = Stage::ready().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    let real = stage.person.ask_for_code().await.unwrap();
    let wrong = if real == "000000" { "000001" } else { "000000" };
    let refused = stage
        .person
        .give(Command::VerifyCode {
            code: wrong.to_owned(),
        })
        .await;
    assert_eq!(code(refused), Code::CodeWrong);
    stage
        .person
        .give(Command::VerifyCode { code: real })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_phone_number_looks_the_same_and_gets_no_message() {
    let stage = Stage::ready().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage
        .person
        .until("the card", |v| {
            v.transaction.as_ref().is_some_and(|t| t.card.is_some())
        })
        .await
        .unwrap();
    stage
        .person
        .give(Command::SendCode {
            phone: "13911112222".to_owned(),
        })
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(
        stage.person.codes().await.unwrap().is_empty(),
        "nothing was sent to anybody"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn amounts_beyond_the_limits_never_reach_the_bank() {
    let stage = Stage::ready().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    let submit = |amount| stage.person.give(Command::Submit { amount });
    assert_eq!(code(submit(None).await), Code::AmountBad);
    assert_eq!(code(submit(Some(0)).await), Code::AmountBad);
    assert_eq!(code(submit(Some(99)).await), Code::AmountLow);
    assert_eq!(code(submit(Some(50_001)).await), Code::AmountHigh);
    assert_eq!(code(submit(Some(1_000)).await), Code::PasswordShort);
    assert_eq!(stage.person.session.times(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_nonsense_gets_its_own_code() {
    let stage = Stage::ready().await;
    let give = |command| stage.person.give(command);
    assert_eq!(
        code(give(Command::PinPress { digit: 1 }).await),
        Code::NotNow
    );
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    assert_eq!(
        code(
            give(Command::SendCode {
                phone: "abc".to_owned()
            })
            .await
        ),
        Code::PhoneBad
    );
    assert_eq!(
        code(
            give(Command::VerifyCode {
                code: "123456".to_owned()
            })
            .await
        ),
        Code::NotNow
    );
    stage.person.verify().await.unwrap();
    assert_eq!(
        code(give(Command::PinPress { digit: 10 }).await),
        Code::CommandBad
    );
    assert_eq!(
        code(give(Command::SetTextSize { percent: 99 }).await),
        Code::CommandBad
    );
    let nobodys = CardKey {
        industry: "0001".to_owned(),
        tail: "0000".to_owned(),
        mark: None,
    };
    assert_eq!(
        code(give(Command::ForgetCard { card: nobodys }).await),
        Code::CommandBad
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_and_a_blocked_card_are_told_apart() {
    for (card, expected) in [
        (CardProfile::demo_expired(), Code::CardExpired),
        (CardProfile::demo_blocked(), Code::CardAppBlocked),
    ] {
        let stage = Stage::with(card).await;
        stage.person.ready().await.unwrap();
        stage.person.begin(TransactionKind::Balance).await.unwrap();
        let balance = stage.person.end().await;
        if expected == Code::CardAppBlocked {
            assert_eq!(code(balance), expected);
            continue;
        }
        stage.person.begin(TransactionKind::Topup).await.unwrap();
        stage.person.verify().await.unwrap();
        stage.person.submit("246810", Some(1_000)).await.unwrap();
        assert_eq!(code(stage.person.end().await), expected);
        assert_eq!(
            stage.person.session.times().map(|t| t.requests),
            None,
            "the bank was not asked"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_is_away_is_told_and_heals() {
    let mut stage = Stage::ready().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.stop_bank().await;
    stage.person.submit("246810", Some(1_000)).await.unwrap();
    let Err(Trouble::Failed(error)) = stage.person.end().await else {
        panic!("offline")
    };
    assert_eq!(
        (error.code, error.retry, error.money),
        (Code::Offline, Retry::Again, MoneyPlace::Account)
    );
    stage.start_bank().await;
    stage
        .person
        .until("the network", |v| v.network == NetworkState::Online)
        .await
        .unwrap();
    stage.person.give(Command::Retry).await.unwrap();
    stage
        .person
        .until("the end", |v| {
            v.transaction.as_ref().is_some_and(|t| t.receipt.is_some())
        })
        .await
        .unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 1_000, "once");
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_reader_waits_and_goes_on_by_itself() {
    let stage = Stage::ready().await;
    stage.slot.remove();
    stage
        .person
        .until("an empty reader", |v| v.reader.state == ReaderKind::Empty)
        .await
        .unwrap();
    stage.person.begin(TransactionKind::Balance).await.unwrap();
    let waiting = stage.person.look().transaction.unwrap();
    assert_eq!(waiting.error.unwrap().code, Code::CardNone);
    stage.insert();
    assert!(stage.person.end().await.unwrap().card.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_of_another_kind_is_named_as_such() {
    let mut other = CardProfile::demo();
    other.aid = hex::decode("F04E4F424F4459").unwrap();
    let stage = Stage::with(other).await;
    stage.person.ready().await.unwrap();
    assert_eq!(code(stage.person.balance().await), Code::CardNotSupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_keystore_is_a_clear_state_that_heals() {
    let stage = Stage::new().await;
    stage.person.ready().await.unwrap();
    stage.vault.fail_with(Some(VaultError::Locked));
    let mut stage = stage;
    stage.restart_app();
    let view = stage
        .person
        .until("a trouble", |v| v.trouble.is_some())
        .await
        .unwrap();
    assert_eq!(view.trouble.unwrap().code, Code::KeystoreLocked);
    stage.vault.fail_with(None);
    stage
        .person
        .until("healed", |v| v.trouble.is_none())
        .await
        .unwrap();
    stage.person.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_keystore_is_never_taken_for_a_first_start() {
    let mut stage = Stage::ready().await;
    let first = stage.person.look().terminal.unwrap().id;
    stage.vault.empty();
    stage.restart_app();
    let view = stage
        .person
        .until("a trouble", |v| v.trouble.is_some())
        .await
        .unwrap();
    assert_eq!(view.trouble.unwrap().code, Code::KeystoreEmptied);
    assert!(view.terminal.is_none(), "the person decides");
    stage.person.give(Command::Enrol).await.unwrap();
    let again = stage.person.ready().await.unwrap().terminal.unwrap().id;
    assert_ne!(first, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_terminal_moves_no_money() {
    let stage = Stage::ready().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    let id = stage.person.look().terminal.unwrap().id;
    assert!(stage.bank().revoke(&id).await.unwrap());
    stage.person.submit("246810", Some(1_000)).await.unwrap();
    assert_eq!(code(stage.person.end().await), Code::TerminalRevoked);
    assert_eq!(stage.card_balance(), CARD_BEFORE);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_tap_does_nothing_twice() {
    let stage = Stage::ready().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.person.submit("246810", Some(1_000)).await.unwrap();
    let again = stage
        .person
        .give(Command::Submit {
            amount: Some(1_000),
        })
        .await;
    assert_eq!(code(again), Code::NotNow);
    stage.person.end().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 1_000);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_is_refused_while_money_waits() {
    let stage = Stage::ready().await;
    let tear = virtual_card::Fault::Tear {
        ins: Some(0x52),
        moment: virtual_card::Moment::Before,
        nth: 1,
    };
    stage.slot.arm(tear);
    let _ = stage.person.top_up(1_000).await;
    assert_eq!(
        code(stage.person.give(Command::EraseDevice).await),
        Code::LoadOpen
    );
    stage.insert();
    stage
        .person
        .until("the card", |v| v.reader.state == ReaderKind::Card)
        .await
        .unwrap();
    stage.person.resume().await.unwrap();
    stage.person.give(Command::EraseDevice).await.unwrap();
    assert!(stage.person.look().terminal.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_garbage_reply_of_the_card_gets_a_clear_end() {
    let stage = Stage::ready().await;
    // A card that is lost is looked at again for a while, as often as the machine manages: more faults than that.
    for _ in 0..1_000 {
        stage
            .slot
            .arm(virtual_card::Fault::Truncate { ins: Some(0xB0) });
    }
    let found = code(stage.person.balance().await);
    assert!(
        matches!(
            found,
            Code::CardReplyBad | Code::CardUnknownStatus | Code::CardLost
        ),
        "{found:?}"
    );
}
