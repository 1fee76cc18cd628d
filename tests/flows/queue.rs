//! A school pays once for a class; then card after card is held to the reader: the real session and the real servers.

use ipc::{
    AppView, Code, Command, FlawKind, Language, MoneyPlace, QueueItemState, QueueStage, Reply,
    TapState, TapView,
};
use session::{Chosen, Errand, ListFile, Outside};
use tapfill_tests::{Person, Trouble};
use virtual_card::{AnyProfile, CardProfile, Fault, Moment};

use crate::stage::Stage;

/// Last four digits of the class's cards; all known to the bank but the last.
const CLASS: [&str; 4] = ["1001", "1002", "1003", "1004"];

fn number(tail: &str) -> String {
    format!("0000621700000000{tail}")
}

/// A card of the class as it comes out of the box: 128.50 on it.
pub(crate) fn card(tail: &str) -> CardProfile {
    let mut card = CardProfile::demo();
    card.serial = hex::decode(number(tail)).unwrap().try_into().unwrap();
    card.load_proof = None;
    card
}

pub(crate) async fn school() -> Stage {
    let known: String = CLASS
        .iter()
        .map(|tail| {
            let serial = number(tail);
            format!("[[customer.card]]\nindustry = \"0001\"\nserial = \"{serial}\"\n")
        })
        .collect();
    let stage = Stage::made(CardProfile::demo(), &known).await;
    stage.slot.remove();
    stage.person.ready().await.unwrap();
    stage
}

/// The class, 10.00 for the first, 20.00 for the second, and so on.
pub(crate) fn class() -> String {
    // One stands there as a spreadsheet leaves it: without the zeros.
    let row = |(place, tail): (usize, &&str)| {
        let number = number(tail);
        let number = if place == 2 { &number[4..] } else { &number };
        format!("Pupil {place},{number},{}0.00\n", place + 1)
    };
    let rows: String = CLASS.iter().enumerate().map(row).collect();
    format!("\u{feff}name,card,amount\n{rows}")
}

/// Chooses a file as the shell would hand it over.
async fn choose(person: &Person, text: &str) -> Result<Reply, ipc::ErrorView> {
    let session = &person.session;
    let mut errands = session.errands();
    let picks = session.run(Command::PickList);
    let shell = async {
        while !matches!(errands.recv().await, Ok(Errand::PickList)) {}
        session.tell(Outside::List(Chosen::File(ListFile {
            name: "class 3b.csv".to_owned(),
            bytes: text.as_bytes().to_vec().into(),
        })));
    };
    tokio::join!(picks, shell).0
}

pub(crate) fn list(view: &AppView) -> ipc::QueueView {
    view.queue.clone().expect("a list is on the screen")
}

fn stage_of(view: &AppView) -> Option<QueueStage> {
    view.queue.as_ref().map(|queue| queue.stage)
}

async fn code(person: &Person) -> String {
    let phone = person.phone.clone();
    let before = person.codes().await.unwrap().len();
    person.give(Command::SendCode { phone }).await.unwrap();
    loop {
        let codes = person.codes().await.unwrap();
        if codes.len() > before {
            return codes[0].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// From nothing to a list whose password is to be typed.
pub(crate) async fn to_password(person: &Person, text: &str) {
    person.give(Command::BeginQueue).await.unwrap();
    choose(person, text).await.unwrap();
    person.give(Command::AcceptList).await.unwrap();
    let code = code(person).await;
    person.give(Command::VerifyCode { code }).await.unwrap();
}

pub(crate) async fn paid(stage: &Stage) {
    to_password(&stage.person, &class()).await;
    stage.person.submit("246810", None).await.unwrap();
    assert_eq!(stage_of(&stage.person.look()), Some(QueueStage::Tap));
}

/// Holds a card there; what became of it. It stays on the reader.
pub(crate) async fn tap(stage: &Stage, card: AnyProfile) -> TapView {
    let before = list(&stage.person.look()).tap.map_or(0, |tap| tap.count);
    stage.slot.replace(card.into_card());
    settled(stage, before).await
}

async fn settled(stage: &Stage, before: u32) -> TapView {
    let over = |view: &AppView| {
        let tap = view.queue.as_ref().and_then(|queue| queue.tap.as_ref());
        tap.is_some_and(|tap| {
            let works = matches!(tap.state, TapState::Reading | TapState::Running);
            tap.count > before && !works
        })
    };
    let view = stage.person.until("the end of a tap", over).await.unwrap();
    list(&view).tap.unwrap()
}

fn state(view: &AppView, index: usize) -> QueueItemState {
    list(view).items[index].state
}

pub(crate) async fn books(stage: &Stage) {
    let report = stage.bank().check().await.unwrap();
    assert_eq!(report.findings, vec![], "every invariant holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_is_paid_once_and_loaded_card_by_card() {
    let mut stage = school().await;
    paid(&stage).await;
    let view = list(&stage.person.look());
    assert_eq!(view.totals.all.fen, 10_000);
    assert_eq!((view.totals.waiting.cards, view.tap), (4, None));

    let first = tap(&stage, AnyProfile::Purse(card("1001"))).await;
    assert_eq!(first.state, TapState::Loaded, "{first:?}");
    assert_eq!((first.item, first.balance), (Some(0), Some(13_850)));
    assert_eq!(stage.card_balance(), 13_850);
    let loaded = stage.slot.memory().unwrap();
    books(&stage).await;

    let stranger = tap(&stage, AnyProfile::Purse(card("4471"))).await;
    let error = stranger.error.expect("a word");
    assert_eq!(error.code, Code::QueueUnlisted);
    assert_eq!(stage.card_balance(), 12_850, "nothing moved");

    let again = tap(&stage, loaded).await;
    assert_eq!((again.state, again.item), (TapState::Ticked, Some(0)));
    assert_eq!(stage.card_balance(), 13_850, "loaded once");

    // Absentees come later, after the app was closed and opened again.
    stage.slot.remove();
    stage.restart_app();
    let view = stage.person.ready().await.unwrap();
    assert_eq!(view.queues.len(), 1);
    assert_eq!(view.queues[0].totals.waiting.cards, 3);
    let id = view.queues[0].id.clone();
    stage.person.give(Command::OpenQueue { id }).await.unwrap();
    let third = tap(&stage, AnyProfile::Purse(card("1003"))).await;
    assert_eq!((third.state, third.item), (TapState::Loaded, Some(2)));
    assert_eq!(stage.card_balance(), 15_850);
    books(&stage).await;

    stage.person.give(Command::CloseQueue).await.unwrap();
    let view = list(&stage.person.look());
    assert_eq!(view.stage, QueueStage::Closed);
    assert_eq!(
        (view.totals.loaded.fen, view.totals.returned.fen),
        (4_000, 6_000)
    );
    books(&stage).await;

    let language = Language::En;
    let saved = stage.person.give(Command::ExportQueue { language }).await;
    let Ok(Reply::Exported { path }) = saved else {
        panic!("a file: {saved:?}")
    };
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("Pupil 0,1001,10.00,loaded,TF-"), "{text}");
    assert!(text.contains("Pupil 1,1002,20.00,returned"), "{text}");
    assert!(!text.contains(&number("1001")), "no number: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_torn_in_its_load_is_open_until_it_is_held_there_again() {
    for (moment, ins) in [
        (Moment::Before, 0x52),
        (Moment::After, 0x52),
        (Moment::Before, 0x50),
    ] {
        let stage = school().await;
        paid(&stage).await;
        stage.slot.arm(Fault::Tear {
            ins: Some(ins),
            moment,
            nth: 1,
        });
        let torn = tap(&stage, AnyProfile::Purse(card("1002"))).await;
        assert_eq!(torn.state, TapState::Stopped, "{moment:?}");
        let written = ins == 0x52;
        let expected = match written {
            true => QueueItemState::Open,
            false => QueueItemState::Waiting,
        };
        let view = stage.person.look();
        assert_eq!(state(&view, 1), expected, "{moment:?} {ins:02X}");
        assert_eq!(
            view.pending.len(),
            usize::from(written),
            "as any unfinished load"
        );
        if written {
            assert_eq!(torn.error.unwrap().money, MoneyPlace::InTransit);
        }
        books(&stage).await;
        stage.slot.clear();
        let before = list(&view).tap.unwrap().count;
        stage.insert();
        let ended = settled(&stage, before).await;
        assert_eq!(
            (ended.state, ended.item),
            (TapState::Loaded, Some(1)),
            "{ended:?}"
        );
        assert_eq!(stage.card_balance(), 14_850, "{moment:?} {ins:02X}: once");
        let view = stage.person.look();
        assert_eq!(state(&view, 1), QueueItemState::Loaded);
        assert_eq!(view.pending, vec![]);
        books(&stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_a_wrong_password_and_a_row_that_the_bank_refuses_pay_nothing() {
    let stage = school().await;
    let text = class().replace(&number("1002"), &number("7777"));
    to_password(&stage.person, &text).await;
    let refused = stage.person.submit("111111", None).await;
    assert!(
        matches!(&refused, Err(Trouble::Refused(error)) if error.code == Code::PasswordWrong),
        "{refused:?}"
    );
    let view = list(&stage.person.look());
    assert_eq!((view.stage, view.pin_digits), (QueueStage::Password, 0));
    assert_eq!(stage.person.look().queues, vec![], "nothing was paid");

    let refused = stage.person.submit("246810", None).await;
    assert!(
        matches!(&refused, Err(Trouble::Refused(error)) if error.code == Code::QueueRows),
        "{refused:?}"
    );
    let view = list(&stage.person.look());
    assert_eq!(view.stage, QueueStage::Check);
    assert_eq!(
        (view.flaws[0].row, view.flaws[0].kind),
        (3, FlawKind::CardUnknown)
    );
    let accepted = stage.person.give(Command::AcceptList).await;
    assert!(accepted.is_err(), "a list with flaws is not paid");

    choose(&stage.person, &class()).await.unwrap();
    stage.person.give(Command::AcceptList).await.unwrap();
    let code = code(&stage.person).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let code_of = |code: &str| Command::VerifyCode {
        code: code.to_owned(),
    };
    stage.person.give(code_of(wrong)).await.unwrap();
    let refused = stage.person.submit("246810", None).await;
    assert!(
        matches!(&refused, Err(Trouble::Refused(error)) if error.code == Code::CodeWrong),
        "{refused:?}"
    );
    assert_eq!(stage_of(&stage.person.look()), Some(QueueStage::Code));
    stage.person.give(code_of(&code)).await.unwrap();
    stage
        .person
        .give(Command::Submit { amount: None })
        .await
        .unwrap();
    assert_eq!(stage_of(&stage.person.look()), Some(QueueStage::Tap));
    books(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flaws_of_a_file_are_told_before_anybody_is_asked() {
    let stage = school().await;
    stage.person.give(Command::BeginQueue).await.unwrap();
    let text = format!("name;card;amount\n;{};10\nA;6.2E+15;10\n", number("1001"));
    choose(&stage.person, &text).await.unwrap();
    let view = list(&stage.person.look());
    assert_eq!((view.stage, view.flaw_count), (QueueStage::Pick, 2));
    let kinds: Vec<_> = view
        .flaws
        .iter()
        .map(|flaw| (flaw.row, flaw.kind))
        .collect();
    assert_eq!(
        kinds,
        [(2, FlawKind::NameMissing), (3, FlawKind::CardRounded)]
    );
    let text = format!("name;card;amount\nA;{};0.50\n", number("1001"));
    choose(&stage.person, &text).await.unwrap();
    let view = list(&stage.person.look());
    assert_eq!(view.stage, QueueStage::Check);
    assert_eq!(
        (view.flaws[0].kind, view.flaws[0].detail),
        (FlawKind::AmountLow, Some(100)),
        "by the bank's own limits"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_with_money_in_a_list_is_not_erased() {
    let stage = school().await;
    paid(&stage).await;
    stage.person.give(Command::Leave).await.unwrap();
    let erased = stage.person.give(Command::EraseDevice).await;
    assert!(
        matches!(&erased, Err(Trouble::Refused(error)) if error.code == Code::QueueOpen),
        "{erased:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_of_a_list_stays_on_the_device_once_it_is_paid() {
    let stage = school().await;
    paid(&stage).await;
    tap(&stage, AnyProfile::Purse(card("1001"))).await;
    let seen = format!("{:?}", stage.person.look());
    let mut folders = vec![stage.dir.path().join("app")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            for tail in CLASS {
                assert!(!text.contains(&number(tail)[4..]), "{}", path.display());
            }
        }
    }
    assert!(files > 3, "the app has written something");
    for tail in CLASS {
        assert!(
            !seen.contains(&number(tail)[4..]),
            "the page sees no number"
        );
    }
}
