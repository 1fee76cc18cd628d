//! Cards of two industries that look alike.

use ipc::{AppView, Code, MoneyPlace, ResumeState};
use virtual_card::{AnyProfile, CardProfile, Fault, Moment};

use crate::stage::{CARD_BEFORE, Stage, card_there, failure};

fn tear(ins: u8) -> Fault {
    Fault::Tear {
        ins: Some(ins),
        moment: Moment::Before,
        nth: 1,
    }
}

/// What the app remembers of an industry's purse, fen.
fn remembered(view: &AppView, industry: &str) -> Option<u32> {
    let purse = view.purses.iter().find(|it| it.industry == industry);
    purse.map(|it| it.balance)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_of_another_industry_with_the_same_number_is_another_card() {
    let known = "[[customer.card]]\nindustry = \"0002\"\nserial = \"00006217000000004471\"\n";
    let stage = Stage::made(CardProfile::demo(), known).await;
    stage.person.ready().await.unwrap();
    let mut twin = CardProfile::campus();
    twin.serial = CardProfile::demo().serial;
    let before = i64::from(twin.balance);
    stage.person.balance().await.unwrap();
    stage.slot.arm(tear(0x52));
    let torn = failure(stage.person.top_up(2_000).await);
    assert_eq!(torn.money, MoneyPlace::InTransit);
    stage.slot.clear();
    let first = stage.slot.memory().unwrap();

    stage.slot.replace(AnyProfile::Purse(twin).into_card());
    card_there(&stage).await;
    let error = failure(stage.person.resume().await);
    assert_eq!(
        error.code,
        Code::CardOther,
        "the campus card waits for nothing"
    );
    let loaded = stage.person.top_up(1_000).await;
    assert_eq!(stage.card_balance(), before + 1_000, "{loaded:?}");
    assert_eq!(
        stage.person.look().pending.len(),
        1,
        "the other still waits"
    );
    let view = stage.person.look();
    assert_eq!(remembered(&view, "0001").map(i64::from), Some(CARD_BEFORE));
    assert_eq!(
        remembered(&view, "0002").map(i64::from),
        Some(before + 1_000)
    );

    stage.slot.replace(first.into_card());
    card_there(&stage).await;
    let resumed = stage.person.resume().await.unwrap();
    assert_eq!(resumed.resume, Some(ResumeState::Loaded));
    assert_eq!(stage.card_balance(), CARD_BEFORE + 2_000);
    let view = stage.person.look();
    assert_eq!(
        remembered(&view, "0001").map(i64::from),
        Some(CARD_BEFORE + 2_000)
    );
    assert_eq!(
        remembered(&view, "0002").map(i64::from),
        Some(before + 1_000)
    );
    assert_eq!(view.pending, vec![]);
}
