//! Cards of two industries that look alike: the same number, or both on one piece of plastic.

use ipc::{AppView, Code, MoneyPlace, ResumeState};
use virtual_card::{AnyProfile, CardProfile, CardStatus, Fault, Moment, SmartCard};

use crate::stage::{CARD_BEFORE, Stage, card_back, card_there, failure};

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

/// A bank card with electronic cash on which a transit purse lives too.
struct TwoApplications {
    purse: Box<dyn SmartCard>,
    cash: Box<dyn SmartCard>,
    on_cash: bool,
}

impl TwoApplications {
    fn now(&mut self) -> &mut dyn SmartCard {
        match self.on_cash {
            true => self.cash.as_mut(),
            false => self.purse.as_mut(),
        }
    }
}

impl SmartCard for TwoApplications {
    fn atr(&self) -> &[u8] {
        self.cash.atr()
    }

    fn powered(&self) -> bool {
        self.cash.powered()
    }

    fn power_on(&mut self) {
        self.on_cash = false;
        self.cash.power_on();
        self.purse.power_on();
    }

    fn power_off(&mut self) {
        self.cash.power_off();
        self.purse.power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        if command.starts_with(&[0x00, 0xA4, 0x04, 0x00]) {
            self.on_cash = command.get(5..10) == Some(&[0xA0, 0x00, 0x00, 0x03, 0x33]);
        }
        self.now().transmit(command)
    }

    fn interrupt(&mut self, command: &[u8]) {
        self.now().interrupt(command);
    }

    fn delay_ms(&self) -> u64 {
        0
    }

    fn spend(&mut self, fen: u32) -> bool {
        self.cash.spend(fen)
    }

    fn status(&self) -> CardStatus {
        self.cash.status()
    }

    fn memory(&self) -> AnyProfile {
        self.cash.memory()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_on_a_card_with_two_applications_is_settled_in_the_one_that_it_was_for() {
    let stage = Stage::with_any(AnyProfile::named("cash").unwrap(), "").await;
    let before = stage.card_balance();
    stage.person.balance().await.unwrap();
    stage.slot.arm(tear(0xDA));
    let torn = failure(stage.person.top_up(2_000).await);
    assert_eq!(torn.money, MoneyPlace::InTransit);
    stage.slot.clear();
    // Its other application came to be known with an industry that its bank began to serve.
    stage.slot.replace(Box::new(TwoApplications {
        purse: AnyProfile::named("demo").unwrap().into_card(),
        cash: stage.slot.memory().unwrap().into_card(),
        on_cash: false,
    }) as Box<dyn SmartCard>);
    card_there(&stage).await;
    let resumed = stage.person.resume().await.unwrap();
    assert_eq!(resumed.resume, Some(ResumeState::Loaded));
    assert_eq!(stage.card_balance(), before + 2_000);
    stage.healed().await;
    stage.slot.remove();
    card_back(&stage).await;
    let shown = stage.person.balance().await.unwrap().card.unwrap();
    assert_eq!(shown.industry, "0001", "the first that knows it, as ever");
}
