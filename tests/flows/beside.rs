//! Two devices at one card, and cards that change places between two commands.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use card_link::{CardContact, CardReader, Future, LinkError, ReaderStatus, SimulatedReader};
use ipc::{Command, TransactionKind};
use virtual_card::{Card, CardProfile, Fault, Moment, Slot};

use crate::stage::{CARD_BEFORE, Stage, card_back, card_there, failure};

async fn torn(stage: &Stage, moment: Moment) {
    stage.slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment,
        nth: 1,
    });
    failure(stage.person.top_up(700).await);
    stage.slot.clear();
    card_back(stage).await;
}

/// Both devices try until each says that nothing waits.
async fn both_settle(stage: &Stage, other: &tapfill_tests::Person) {
    for person in [&stage.person, other] {
        for _ in 0..4 {
            let idle = |view: &ipc::AppView| view.transaction.as_ref().is_none_or(|t| t.can_cancel);
            person.until("the end", idle).await.unwrap();
            if person.resume().await.is_ok() && person.look().pending.is_empty() {
                break;
            }
        }
        assert_eq!(person.look().pending, vec![]);
    }
}

/// A card put back faster than the reader's service hears that it was gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_put_back_at_once_is_looked_at_again() {
    let stage = Stage::ready().await;
    let tear = |moment| Fault::Tear {
        ins: Some(0xB0),
        moment,
        nth: 1,
    };
    for moment in [Moment::Before, Moment::After] {
        stage.slot.arm(tear(moment));
        stage.person.begin(TransactionKind::Balance).await.unwrap();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while stage.slot.status().present {
            assert!(std::time::Instant::now() < end, "the card was never read");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        stage.insert();
        let done = stage.person.end().await.unwrap();
        assert_eq!(
            done.card.map(|card| i64::from(card.balance)),
            Some(CARD_BEFORE)
        );
    }
    stage.slot.arm(tear(Moment::Before));
    let error = failure(stage.person.balance().await);
    assert_eq!(
        error.code,
        ipc::Code::CardLost,
        "and one that stays away is told"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn money_asked_back_on_one_device_while_another_loads_the_card_is_there_once() {
    for moment in [Moment::Before, Moment::During, Moment::After] {
        let stage = Stage::ready().await;
        let other = stage.second_device();
        other.ready().await.unwrap();
        for delay_ms in [0, 7, 15, 30] {
            torn(&stage, moment).await;
            stage.slot.arm(Fault::Slow { ms: 5 });
            let back = async { stage.person.refund().await };
            let load = async {
                tokio::time::sleep(std::time::Duration::from_millis(delay_ms)).await;
                other.resume().await
            };
            let (_back, _load) = tokio::join!(back, load);
            stage.books_balance().await;
            stage.slot.clear();
            both_settle(&stage, &other).await;
            stage.healed().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_that_settle_one_load_at_once_load_it_once() {
    for moment in [Moment::Before, Moment::After] {
        let stage = Stage::ready().await;
        let other = stage.second_device();
        other.ready().await.unwrap();
        let mut loads = 0;
        for delay_ms in [0, 7, 15, 30] {
            torn(&stage, moment).await;
            stage.slot.arm(Fault::Slow { ms: 5 });
            let one = async { stage.person.resume().await };
            let two = async {
                tokio::time::sleep(std::time::Duration::from_millis(delay_ms)).await;
                other.resume().await
            };
            let (_one, _two) = tokio::join!(one, two);
            stage.books_balance().await;
            stage.slot.clear();
            both_settle(&stage, &other).await;
            loads += 700;
            assert_eq!(stage.card_balance(), CARD_BEFORE + loads);
            stage.healed().await;
        }
    }
}

/// A reader under which another card takes the first one's place before the n-th command, unseen.
struct Swapping {
    inner: SimulatedReader,
    swap: Arc<Swap>,
}

struct Swap {
    slot: Slot,
    /// Commands until then; 0 is never.
    left: AtomicUsize,
    /// The first card, as it left.
    first: Mutex<Option<CardProfile>>,
}

impl Swap {
    fn command(&self) {
        if self.left.load(Ordering::SeqCst) == 0 || self.left.fetch_sub(1, Ordering::SeqCst) > 1 {
            return;
        }
        *self.first.lock().unwrap() = self.slot.profile();
        self.slot.swap(Card::new(other_card()));
        // Its application is selected already: the worst of all swaps.
        let select = hex::decode("00A4040009A0000000038698070100").unwrap();
        assert!(self.slot.transmit_now(&select).ends_with(&[0x90, 0x00]));
    }
}

impl CardReader for Swapping {
    fn watch(&self) -> tokio::sync::watch::Receiver<ReaderStatus> {
        self.inner.watch()
    }

    fn choose(&self, reader: Option<String>) {
        self.inner.choose(reader);
    }

    fn open(&self) -> Future<'_, Result<Box<dyn CardContact>, LinkError>> {
        Box::pin(async {
            let (inner, swap) = (self.inner.open().await?, self.swap.clone());
            Ok(Box::new(SwappingContact { inner, swap }) as Box<dyn CardContact>)
        })
    }
}

struct SwappingContact {
    inner: Box<dyn CardContact>,
    swap: Arc<Swap>,
}

impl CardContact for SwappingContact {
    fn transmit(&mut self, command: Vec<u8>) -> Future<'_, Result<Vec<u8>, LinkError>> {
        self.swap.command();
        self.inner.transmit(command)
    }

    fn reader(&self) -> &str {
        self.inner.reader()
    }
}

fn other_card() -> CardProfile {
    CardProfile {
        serial: *b"\x00\x00\x62\x17\x00\x00\x00\x00\x88\x26",
        ..CardProfile::demo()
    }
}

/// False: the transaction was over before the n-th command.
async fn swapped(wish: Command, at: usize) -> bool {
    let mut stage = Stage::ready().await;
    let fresh = matches!(wish, Command::Begin { kind } if kind == TransactionKind::Topup);
    if !fresh {
        torn(&stage, Moment::Before).await;
    }
    let swap = Arc::new(Swap {
        slot: stage.slot.clone(),
        left: AtomicUsize::new(if fresh { 0 } else { at }),
        first: Mutex::new(None),
    });
    stage.stop_app();
    stage.person = stage.person_with(Arc::new(Swapping {
        inner: SimulatedReader::new(stage.slot.clone()),
        swap: swap.clone(),
    }));
    stage.person.ready().await.unwrap();
    card_there(&stage).await;
    stage.person.give(wish.clone()).await.unwrap();
    if fresh {
        stage.person.verify().await.unwrap();
        swap.left.store(at, Ordering::SeqCst);
        stage.person.submit("246810", Some(700)).await.unwrap();
    }
    let end = stage.person.end().await;
    let Some(first) = swap.first.lock().unwrap().take() else {
        return false;
    };
    let seen = stage.slot.profile().unwrap();
    assert_eq!(
        seen.balance,
        other_card().balance,
        "{wish:?}, command {at}: {end:?}"
    );
    stage.slot.replace(Card::new(first));
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    card_there(&stage).await;
    if !stage.person.look().pending.is_empty() {
        stage.person.resume().await.unwrap();
    }
    stage.healed().await;
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_takes_the_place_of_another_before_any_command_is_never_loaded() {
    let begin = |kind| Command::Begin { kind };
    for wish in [
        begin(TransactionKind::Topup),
        begin(TransactionKind::Resume),
        Command::Refund { load: None },
    ] {
        let mut at = 1;
        while swapped(wish.clone(), at).await {
            at += 1;
        }
        assert!(at > 10, "{wish:?}: only {at} commands");
    }
}
