//! Cards that bounce, are swapped, are spent from, or come to the end of their counter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ipc::{Command, Stage as At, StepName, TransactionKind};
use virtual_card::{Card, CardProfile, Fault, Moment};

use super::*;
use crate::stage::{CARD_BEFORE, Stage};

/// A re-top-up on a device that has no journal of the load (second phone; lost file), torn at the write, then again.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_a_journal_that_tears_its_own_re_top_up_finds_the_load_again() {
    for moment in [Moment::Before, Moment::During, Moment::After] {
        let stage = Stage::ready().await;
        stage.slot.arm(tear(0x52, Moment::Before));
        failure(stage.person.top_up(700).await);
        card_back(&stage).await;
        let other = stage.second_device();
        other.ready().await.unwrap();
        stage.slot.arm(tear(0x52, moment));
        let _e = failure(other.resume().await);
        card_back(&stage).await;
        let second = other.resume().await;
        let look = other.look();
        let open = stage.bank().check().await.unwrap().open_loads;
        assert!(
            open == 0 || !look.pending.is_empty() || second.is_err(),
            "the app says that nothing waits while the bank holds the money"
        );
    }
}

/// Double tap on an entry.
#[tokio::test(flavor = "multi_thread")]
async fn a_screen_entered_twice_reads_the_card_when_the_reader_is_free() {
    let stage = Stage::ready().await;
    stage.slot.arm(Fault::Slow { ms: 60 });
    stage.person.begin(TransactionKind::Balance).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    stage.person.begin(TransactionKind::Balance).await.unwrap();
    let _end = stage.person.end().await;
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    stage.person.give(Command::Leave).await.unwrap();
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    tokio::time::sleep(Duration::from_millis(3000)).await;
    let t = stage.person.look().transaction.unwrap();
    assert!(t.card.is_some(), "the card lies there and is never read");
}

struct Bouncing {
    inner: card_link::SimulatedReader,
    slot: virtual_card::Slot,
    first: AtomicBool,
    after: usize,
    opens: AtomicUsize,
}

impl card_link::CardReader for Bouncing {
    fn watch(&self) -> tokio::sync::watch::Receiver<card_link::ReaderStatus> {
        self.inner.watch()
    }
    fn choose(&self, r: Option<String>) {
        self.inner.choose(r)
    }
    fn open(
        &self,
    ) -> card_link::Future<'_, Result<Box<dyn card_link::CardContact>, card_link::LinkError>> {
        Box::pin(async {
            if self.opens.fetch_add(1, Ordering::SeqCst) == self.after
                && self.first.swap(false, Ordering::SeqCst)
            {
                // contact bounces while the reader connects
                self.slot.remove();
                self.slot.insert();
                tokio::time::sleep(Duration::from_millis(100)).await;
                return Err(card_link::LinkError::NoCard);
            }
            self.inner.open().await
        })
    }
}

/// The card bounces while the reader connects to it: it lies there, and the app waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_bounces_is_read_at_its_second_landing() {
    let mut stage = Stage::ready().await;
    let reader = Bouncing {
        inner: card_link::SimulatedReader::new(stage.slot.clone()),
        slot: stage.slot.clone(),
        first: AtomicBool::new(true),
        after: 0,
        opens: AtomicUsize::new(0),
    };
    stage.person = stage.person_with(Arc::new(reader));
    stage.person.ready().await.unwrap();
    stage.person.begin(TransactionKind::Balance).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let v = stage.person.look();
    assert_eq!(v.transaction.unwrap().stage, At::Done);
}

/// The same at the run of a top-up.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_bounces_in_a_top_up_is_read_at_its_second_landing() {
    let mut stage = Stage::ready().await;
    let reader = Bouncing {
        inner: card_link::SimulatedReader::new(stage.slot.clone()),
        slot: stage.slot.clone(),
        first: AtomicBool::new(true),
        after: 1,
        opens: AtomicUsize::new(0),
    };
    stage.person = stage.person_with(Arc::new(reader));
    stage.person.ready().await.unwrap();
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.person.submit("246810", Some(500)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let v = stage.person.look();
    assert_eq!(v.transaction.unwrap().stage, At::Done);
}

/// Spent between the tear and the re-top-up.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_before_the_re_top_up_stays_spent_on_the_screen() {
    let stage = Stage::ready().await;
    stage.slot.arm(tear(0x52, Moment::After));
    failure(stage.person.top_up(2_000).await);
    let mut p = stage.slot.profile().unwrap();
    p.balance -= 300;
    stage.slot.clear();
    stage.slot.replace(Card::new(p));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let _t = stage.person.resume().await.unwrap();
    let real = stage.card_balance();
    let v = stage.person.look();
    assert_eq!(
        i64::from(v.purses[0].balance),
        real,
        "the balance on the home page"
    );
}

/// Counters at the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_near_the_end_of_its_counter_is_loaded_once_and_then_told() {
    for (counter, moment) in [
        (0xFFFD, Moment::After),
        (0xFFFE, Moment::Before),
        (0xFFFE, Moment::During),
        (0xFFFE, Moment::After),
    ] {
        let stage = Stage::with(CardProfile {
            online_counter: counter,
            ..CardProfile::demo()
        })
        .await;
        stage.person.ready().await.unwrap();
        stage.slot.arm(tear(0x52, moment));
        failure(stage.person.top_up(700).await);
        card_back(&stage).await;
        let _t = stage.person.resume().await;
        assert_eq!(stage.card_balance(), CARD_BEFORE + 700);
        stage.healed().await;
        let _e = stage.person.top_up(100).await;
        stage.healed().await;
    }
}

/// Two devices at one card at once.
#[tokio::test(flavor = "multi_thread")]
async fn two_devices_at_one_card_debit_once() {
    let stage = Stage::ready().await;
    let other = stage.second_device();
    other.ready().await.unwrap();
    stage.slot.arm(Fault::Slow { ms: 10 });
    for _round in 0..6 {
        let a = async { stage.person.top_up(100).await };
        let b = async { other.top_up(200).await };
        let (_a, _b) = tokio::join!(a, b);
        stage.books_balance().await;
        for p in [&stage.person, &other] {
            for _ in 0..3 {
                if p.look().pending.is_empty() {
                    break;
                }
                let _r = p.resume().await;
            }
        }
        assert!(other.look().pending.is_empty());
        stage.healed().await;
    }
}

/// Card swapped in the hand of the reader between identify and run, and in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_swapped_at_any_step_is_never_charged() {
    for at in [
        None,
        Some(StepName::Read),
        Some(StepName::Approve),
        Some(StepName::Write),
        Some(StepName::Confirm),
    ] {
        let stage = Stage::ready().await;
        let other = CardProfile {
            serial: *b"\x00\x00\x62\x17\x00\x00\x00\x00\x88\x26",
            ..CardProfile::demo()
        };
        stage.person.begin(TransactionKind::Topup).await.unwrap();
        stage.person.verify().await.unwrap();
        if at.is_none() {
            stage.slot.swap(Card::new(other.clone()));
        }
        stage.slot.arm(Fault::Slow { ms: 40 });
        let _before = stage.slot.profile().unwrap();
        stage.person.submit("246810", Some(800)).await.unwrap();
        let mut first = None;
        if let Some(at) = at {
            stage.person.until("step", running(at)).await.unwrap();
            first = stage.slot.profile();
            stage.slot.swap(Card::new(other.clone()));
        }
        let _r = stage.person.end().await;
        assert_eq!(stage.card_balance(), i64::from(other.balance));
        stage.slot.clear();
        stage
            .slot
            .replace(Card::new(first.unwrap_or_else(CardProfile::demo)));
        tokio::time::sleep(Duration::from_millis(200)).await;
        if !stage.person.look().pending.is_empty() {
            let _r = stage.person.resume().await;
        }
        stage.healed().await;
    }
}
