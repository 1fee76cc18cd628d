use std::time::Duration;

use ipc::{
    CardColour, CardKey, Code, Command, HistoryState, Language, MoneyPlace, Reply, ResumeState,
    TransactionKind,
};
use tapfill_tests::{PATIENCE, Trouble};
use virtual_card::CardProfile;

use crate::stage::{CARD_BEFORE, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_first_top_up_takes_two_requests_with_one_between_initialize_and_credit() {
    let stage = Stage::ready().await;
    let view = stage.person.top_up(5_000).await.unwrap();
    let receipt = view.receipt.unwrap();
    assert_eq!(receipt.amount, Some(5_000));
    assert_eq!(
        (receipt.old_balance, receipt.new_balance),
        (Some(12_850), Some(17_850))
    );
    assert!(receipt.reference.unwrap().starts_with("TF-"));
    assert_eq!(receipt.place, MoneyPlace::OnCard);
    assert_eq!(stage.card_balance(), CARD_BEFORE + 5_000);
    let times = stage.person.session.times().unwrap();
    assert_eq!(times.requests, 2, "a whole top-up after the code");
    assert_eq!(
        times.requests_before_write, 1,
        "between INITIALIZE and CREDIT FOR LOAD"
    );
    let sent: Vec<u8> = stage.slot.record().iter().map(|r| r.command[1]).collect();
    let tail = &sent[sent.len() - 2..];
    assert_eq!(
        tail,
        [0x50, 0x52],
        "nothing stands between the two commands of a load"
    );
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_balance_shows_the_cards_own_log_and_needs_no_bank() {
    let mut stage = Stage::ready().await;
    stage.stop_bank().await;
    let view = stage.person.balance().await.unwrap();
    let card = view.card.unwrap();
    assert_eq!((card.balance, card.tail.as_str()), (12_850, "4471"));
    assert!(card.log.len() >= 3, "the card's own records");
    assert!(card.expiry.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inactive_card_is_activated_and_then_takes_money() {
    let stage = Stage::with(CardProfile::demo_inactive()).await;
    stage.person.ready().await.unwrap();
    assert!(!stage.person.balance().await.unwrap().card.unwrap().active);
    stage.person.activate().await.unwrap();
    assert!(stage.person.balance().await.unwrap().card.unwrap().active);
    stage.person.top_up(1_000).await.unwrap();
    assert_eq!(stage.card_balance(), 1_000);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_a_card_is_active_is_known_before_the_password_is_typed() {
    for (card, active) in [
        (CardProfile::demo(), true),
        (CardProfile::demo_inactive(), false),
    ] {
        let stage = Stage::with(card).await;
        stage.person.ready().await.unwrap();
        let activation = TransactionKind::Activate;
        stage.person.begin(activation).await.unwrap();
        let read = |view: &ipc::AppView| {
            view.transaction
                .as_ref()
                .is_some_and(|it| it.card.is_some())
        };
        let view = stage.person.until("the card", read).await.unwrap();
        let transaction = view.transaction.unwrap();
        assert_eq!(transaction.stage, ipc::Stage::Password, "nothing was typed");
        assert_eq!(transaction.card.unwrap().active, active);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waiting_is_a_friendly_answer() {
    let stage = Stage::ready().await;
    let view = stage.person.resume().await.unwrap();
    assert_eq!(view.resume, Some(ResumeState::None));
    assert_eq!(view.error, None);
}

/// The settings as a power cut leaves them that comes right after the receipt.
#[tokio::test(flavor = "multi_thread")]
async fn a_balance_that_was_not_saved_is_learnt_from_its_load() {
    let mut stage = Stage::ready().await;
    stage.person.balance().await.unwrap();
    let settings = stage.app_dir().join("settings.json");
    let saved = async {
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let text = std::fs::read_to_string(&settings).unwrap();
            if text.contains("4471") {
                return text;
            }
        }
    };
    let saved = tokio::time::timeout(PATIENCE, saved).await;
    let before = saved.expect("the card is saved");
    stage.person.top_up(2_000).await.unwrap();
    stage.stop_app();
    std::fs::write(&settings, &before).unwrap();
    stage.restart_app();
    let view = stage.person.ready().await.unwrap();
    assert_eq!(view.purses[0].balance, 14_850);
    // what the card said itself since is newer
    assert!(stage.slot.spend(850));
    stage.person.balance().await.unwrap();
    stage.person.give(Command::Leave).await.unwrap();
    stage.restart_app();
    let view = stage.person.ready().await.unwrap();
    assert_eq!(view.purses[0].balance, 14_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_banks_page_knows_the_receipt_that_the_app_shows_also_from_its_history() {
    let stage = Stage::ready().await;
    let receipt = stage.person.top_up(5_000).await.unwrap().receipt.unwrap();
    let page = stage.person.look().about.receipt_page;
    let proof = receipt.proof.clone().unwrap();
    let told = stage.browsed(&format!("{page}{proof}")).await.unwrap();
    for shown in ["¥50.00", "4471", receipt.reference.as_deref().unwrap()] {
        assert!(told.contains(shown), "{shown} in {told}");
    }
    let forged = proof.replace("a=5000", "a=9000");
    assert_ne!(forged, proof);
    assert_eq!(stage.browsed(&format!("{page}{forged}")).await, None);
    let history = stage.person.give(Command::History).await.unwrap();
    assert!(
        matches!(&history, Reply::History { entries } if entries[0].receipt.proof.as_ref() == Some(&proof)),
        "{history:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_keeps_the_name_and_the_colour_that_its_person_gave_it_until_it_is_forgotten() {
    let mut stage = Stage::ready().await;
    stage.person.balance().await.unwrap();
    let purse = stage.person.look().purses[0].clone();
    assert_eq!((purse.label, purse.colour), (None, CardColour::Jade));
    let card = CardKey {
        industry: purse.industry,
        tail: purse.tail,
        mark: purse.mark,
    };
    let dress = |label: &str| Command::DressCard {
        card: card.clone(),
        label: label.to_owned(),
        colour: CardColour::Plum,
    };
    let long = stage
        .person
        .give(dress("a name far too long for a card"))
        .await;
    assert!(matches!(long, Err(Trouble::Refused(error)) if error.code == Code::CommandBad));
    stage.person.give(dress(" Mum ")).await.unwrap();
    // what is read of it afterwards changes neither
    stage.person.top_up(2_000).await.unwrap();
    stage.restart_app();
    let purse = stage.person.ready().await.unwrap().purses[0].clone();
    assert_eq!(purse.label.as_deref(), Some("Mum"));
    assert_eq!((purse.colour, purse.balance), (CardColour::Plum, 14_850));

    let forget = Command::ForgetCard { card };
    stage.person.give(forget).await.unwrap();
    stage.restart_app();
    let view = stage.person.ready().await.unwrap();
    assert!(view.purses.is_empty(), "{:?}", view.purses);
    let history = stage.person.give(Command::History).await.unwrap();
    assert!(
        matches!(&history, Reply::History { entries } if entries.len() == 1),
        "its receipt stays"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_finds_its_key_and_its_history() {
    let mut stage = Stage::ready().await;
    let first = stage.person.look().terminal.unwrap().id;
    stage.person.top_up(2_000).await.unwrap();
    stage.restart_app();
    let view = stage.person.ready().await.unwrap();
    assert_eq!(view.terminal.unwrap().id, first, "no second enrolment");
    assert_eq!(
        view.purses[0].balance, 14_850,
        "the balance after the load is remembered"
    );
    let Reply::History { entries } = stage.person.give(Command::History).await.unwrap() else {
        panic!("a history");
    };
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].kind, TransactionKind::Topup);
    let all = Command::ExportHistory {
        language: Language::ZhTw,
        state: None,
    };
    let exported = stage.person.give(all).await.unwrap();
    let Reply::Exported { path } = exported else {
        panic!("a path")
    };
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("20.00"), "{text}");
    assert!(text.contains("加值"), "in the language asked for: {text}");
    let none_waits = Command::ExportHistory {
        language: Language::En,
        state: Some(HistoryState::Unfinished),
    };
    let Reply::Exported { path } = stage.person.give(none_waits).await.unwrap() else {
        panic!("a path")
    };
    assert_eq!(
        std::fs::read_to_string(path).unwrap().lines().count(),
        1,
        "the filter leaves out what it hides on the screen"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn several_top_ups_in_a_row_need_no_restart() {
    let stage = Stage::ready().await;
    for _ in 0..3 {
        stage.person.top_up(1_000).await.unwrap();
    }
    assert_eq!(stage.card_balance(), CARD_BEFORE + 3_000);
    stage.healed().await;
}
