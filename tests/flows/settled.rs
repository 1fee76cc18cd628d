//! Loads that end another way than on the card: given back, or decided by two people of the bank.

use bank::{Act, Acted, Signature};
use ipc::{Code, Command, HistoryState, MoneyPlace, Reply, ResumeState, Retry};
use ledger::Resolution;
use virtual_card::{Card, CardProfile, Fault, Moment};
use zeroize::Zeroizing;

use crate::stage::{CARD_BEFORE, Stage, card_back, card_there, failure};

/// A load of 20 yuan in doubt, the card back on the reader.
async fn torn(stage: &Stage, moment: Moment) -> String {
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment,
        nth: 1,
    });
    failure(stage.person.top_up(2_000).await);
    stage.slot.clear();
    card_back(stage).await;
    let open = bank::open_loads(stage.bank_config()).await.unwrap();
    open[0]["reference"].as_str().unwrap().to_owned()
}

async fn operate(stage: &Stage, reference: &str, name: &str, act: Act) -> Acted {
    let password = Zeroizing::new(format!("{name} keeps this"));
    bank::keep_operator(stage.bank_config(), name, &password)
        .await
        .unwrap();
    let signature = Signature {
        operator: name.to_owned(),
        password,
        evidence: "the card was seen at the counter".to_owned(),
    };
    let acted = bank::act(stage.bank_config(), reference, act, &signature);
    acted.await.unwrap()
}

async fn newest(stage: &Stage) -> ipc::HistoryEntry {
    let Reply::History { entries } = stage.person.give(Command::History).await.unwrap() else {
        panic!("a history was asked for");
    };
    entries.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_the_money_back_that_never_reached_the_card() {
    for moment in [Moment::Before, Moment::During] {
        let stage = Stage::ready().await;
        let before = stage.bank().money().await.unwrap().customers;
        torn(&stage, moment).await;
        let view = stage.person.refund().await.unwrap();
        assert_eq!(view.resume, Some(ResumeState::Refunded), "{moment:?}");
        let receipt = view.receipt.unwrap();
        let (place, amount) = (MoneyPlace::Account, Some(2_000));
        assert_eq!((receipt.place, receipt.amount), (place, amount));
        assert!(receipt.reference.is_some());
        assert_eq!(stage.bank().money().await.unwrap().customers, before);
        assert_eq!(stage.card_balance(), CARD_BEFORE);
        let entry = newest(&stage).await;
        assert_eq!(
            (entry.state, entry.receipt.place),
            (HistoryState::NotDone, place)
        );
        assert_eq!(entry.receipt.reference, receipt.reference);
        stage.healed().await;
        stage.person.top_up(1_000).await.unwrap();
        assert_eq!(
            stage.card_balance(),
            CARD_BEFORE + 1_000,
            "the card is as good as before"
        );
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_is_on_the_card_is_not_given_back() {
    let stage = Stage::ready().await;
    torn(&stage, Moment::After).await;
    let view = stage.person.refund().await.unwrap();
    assert_eq!(view.resume, Some(ResumeState::AlreadyOnCard));
    assert_eq!(stage.card_balance(), CARD_BEFORE + 2_000);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_people_of_the_bank_decided_closes_the_journal() {
    for (resolution, moment) in [
        (Resolution::Refund, Moment::Before),
        (Resolution::WriteOff, Moment::Before),
        (Resolution::Loaded, Moment::After),
    ] {
        let stage = Stage::ready().await;
        let reference = torn(&stage, moment).await;
        let act = async |name: &str, act| operate(&stage, &reference, name, act).await;
        assert_eq!(act("operator-a", Act::LostCard).await, Acted::TakenOver);
        let error = failure(stage.person.resume().await);
        assert_eq!((error.code, error.retry), (Code::Manual, Retry::No));
        assert_eq!(error.reference.as_deref(), Some(reference.as_str()));
        assert_eq!(stage.person.look().pending.len(), 1, "it still waits");
        let decide = Act::Decide(resolution);
        assert_eq!(act("operator-a", decide).await, Acted::Proposed);
        assert_eq!(act("operator-b", decide).await, Acted::Decided);
        let ended = stage.person.resume().await;
        let place = match resolution {
            Resolution::Refund => {
                assert_eq!(ended.unwrap().resume, Some(ResumeState::Refunded));
                MoneyPlace::Account
            }
            Resolution::Loaded => {
                assert_eq!(ended.unwrap().resume, Some(ResumeState::AlreadyOnCard));
                MoneyPlace::OnCard
            }
            Resolution::WriteOff => {
                let error = failure(ended);
                assert_eq!((error.code, error.retry), (Code::WrittenOff, Retry::No));
                assert_eq!(error.money, MoneyPlace::WrittenOff);
                assert_eq!(error.reference.as_deref(), Some(reference.as_str()));
                MoneyPlace::WrittenOff
            }
        };
        let entry = newest(&stage).await;
        assert_eq!(entry.receipt.place, place);
        assert_eq!(entry.receipt.reference.as_deref(), Some(reference.as_str()));
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_with_the_same_last_digits_is_another_card() {
    let known = "[[customer.card]]\nindustry = \"0001\"\nserial = \"00009999000000004471\"\n";
    let stage = Stage::made(CardProfile::demo(), known).await;
    stage.person.ready().await.unwrap();
    torn(&stage, Moment::Before).await;
    let first = Card::new(stage.slot.profile().unwrap());
    let mut twin = CardProfile::demo();
    twin.serial = [0, 0, 0x99, 0x99, 0, 0, 0, 0, 0x44, 0x71];
    stage.slot.replace(Card::new(twin));
    card_there(&stage).await;
    let error = failure(stage.person.resume().await);
    assert_eq!(error.code, Code::CardOther);
    assert_eq!(stage.person.look().purses.len(), 2, "both are on Home");
    assert_eq!(stage.person.look().pending.len(), 1);
    stage.slot.replace(first);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    card_there(&stage).await;
    stage.person.resume().await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 2_000);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_goes_back_of_the_load_that_was_agreed_to_and_of_no_other() {
    let known = "[[customer.card]]\nindustry = \"0001\"\nserial = \"00006217000000001907\"\n";
    let stage = Stage::made(CardProfile::demo(), known).await;
    stage.person.ready().await.unwrap();
    torn(&stage, Moment::Before).await;
    let mut other = CardProfile::demo();
    other.serial = [0, 0, 0x62, 0x17, 0, 0, 0, 0, 0x19, 0x07];
    stage.slot.replace(Card::new(other));
    card_there(&stage).await;
    torn(&stage, Moment::Before).await;
    let waiting = stage.person.look().pending;
    let tails: Vec<_> = waiting.iter().map(|load| load.tail.as_str()).collect();
    assert_eq!(tails, ["4471", "1907"]);

    let back = async |load: &str| {
        let load = Some(load.to_owned());
        stage.person.give(Command::Refund { load }).await.unwrap();
        stage.person.end().await
    };
    let error = failure(back(&waiting[0].id).await);
    assert_eq!(error.code, Code::CardOther);
    assert_eq!(error.params.get("tail").map(String::as_str), Some("4471"));
    stage.person.give(Command::Retry).await.unwrap();
    let again = failure(stage.person.end().await);
    assert_eq!(
        again.code,
        Code::CardOther,
        "a second try is of the same load"
    );
    assert_eq!(stage.person.look().pending.len(), 2, "nothing went back");
    let done = back(&waiting[1].id).await.unwrap();
    assert_eq!(done.resume, Some(ResumeState::Refunded));
    let left = stage.person.look().pending;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, waiting[0].id);
    let gone = Command::Refund {
        load: Some(waiting[1].id.clone()),
    };
    assert!(stage.person.give(gone).await.is_err(), "it is settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_never_comes_back_leaves_no_load_open_in_the_app() {
    for (resolution, place) in [
        (Resolution::Refund, MoneyPlace::Account),
        (Resolution::WriteOff, MoneyPlace::WrittenOff),
    ] {
        let mut stage = Stage::ready().await;
        let reference = torn(&stage, Moment::Before).await;
        stage.slot.remove();
        for (name, act) in [
            ("operator-a", Act::LostCard),
            ("operator-a", Act::Decide(resolution)),
        ] {
            operate(&stage, &reference, name, act).await;
        }
        stage.restart_app();
        stage.person.ready().await.unwrap();
        let known = |view: &ipc::AppView| view.pending.iter().any(|it| it.reference.is_some());
        let view = stage.person.until("the reference", known).await.unwrap();
        assert_eq!(
            view.pending[0].reference.as_deref(),
            Some(reference.as_str())
        );
        operate(&stage, &reference, "operator-b", Act::Decide(resolution)).await;
        stage.restart_app();
        let settled = |view: &ipc::AppView| view.pending.is_empty();
        stage
            .person
            .until("the bank's word", settled)
            .await
            .unwrap();
        let entry = newest(&stage).await;
        assert_eq!(
            (entry.state, entry.receipt.place),
            (HistoryState::NotDone, place)
        );
        assert_eq!(entry.receipt.reference.as_deref(), Some(reference.as_str()));
        stage.healed().await;
    }
}
