//! The reader's service runs and answers nobody: it is told as that, keeps nobody's money, and heals.

use std::sync::Arc;

use card_link::{CardContact, CardReader, LinkError, ReaderState, ReaderStatus};
use ipc::{AppView, Code, MoneyPlace, ReaderKind, Retry, Stage as At, TransactionKind};
use session::shells::SimulatedReader;
use tokio::sync::watch;

use crate::stage::Stage;

/// A reader whose service can hang. What the service said before is known still until `told`.
struct Hanging {
    inner: SimulatedReader,
    status: watch::Sender<ReaderStatus>,
    hangs: watch::Sender<bool>,
}

impl Hanging {
    fn over(slot: virtual_card::Slot) -> Arc<Self> {
        let inner = SimulatedReader::new(slot);
        let known = inner.watch().borrow().clone();
        Arc::new(Self {
            inner,
            status: watch::channel(known).0,
            hangs: watch::channel(false).0,
        })
    }

    fn hang(&self) {
        self.hangs.send_replace(true);
    }

    fn told(&self) {
        self.status.send_modify(|status| {
            *status = ReaderStatus {
                state: ReaderState::ServiceHung,
                insertions: status.insertions,
                ..ReaderStatus::default()
            };
        });
    }

    fn heal(&self) {
        self.hangs.send_replace(false);
        self.status
            .send_replace(self.inner.watch().borrow().clone());
    }
}

impl CardReader for Hanging {
    fn watch(&self) -> watch::Receiver<ReaderStatus> {
        self.status.subscribe()
    }

    fn choose(&self, name: Option<String>) {
        self.inner.choose(name);
    }

    fn open(&self) -> card_link::Future<'_, Result<Box<dyn CardContact>, LinkError>> {
        Box::pin(async {
            if *self.hangs.borrow() {
                return Err(LinkError::ServiceHung);
            }
            self.inner.open().await
        })
    }
}

fn code(view: &AppView) -> Option<Code> {
    let error = view.transaction.as_ref()?.error.as_ref();
    error.map(|error| error.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_waits_for_a_service_that_hangs_and_goes_on_by_itself() {
    let stage = Stage::ready().await;
    stage.stop_app();
    let reader = Hanging::over(stage.slot.clone());
    let person = stage.person_with(reader.clone());
    person.ready().await.unwrap();
    // Found at the card first, and told by the watch on the readers after that.
    reader.hang();
    person.begin(TransactionKind::Balance).await.unwrap();
    reader.told();
    let hung = |view: &AppView| code(view) == Some(Code::ServiceHung);
    let view = person.until("the service that hangs", hung).await.unwrap();
    assert_eq!(view.reader.state, ReaderKind::ServiceHung);
    let waiting = view.transaction.unwrap();
    assert_eq!(waiting.stage, At::WaitCard);
    let error = waiting.error.unwrap();
    assert_eq!((error.retry, error.money), (Retry::Wait, MoneyPlace::None));
    reader.heal();
    person.end().await.unwrap();
    let end = person.look().transaction.unwrap();
    assert_eq!((end.stage, end.error), (At::Done, None));
    person.session.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_diagnostics_accuse_the_service_and_no_other_program() {
    let stage = Stage::ready().await;
    stage.stop_app();
    let reader = Hanging::over(stage.slot.clone());
    let person = stage.person_with(reader.clone());
    person.ready().await.unwrap();
    let expected = [
        "Service: service-hung",
        "Reader after Service",
        "OtherPrograms after Service",
    ];
    reader.hang();
    let early = crate::diagnostics::faults(&person).await;
    assert_eq!(early, expected, "before the watch on the readers tells");
    reader.told();
    let hung = |view: &AppView| view.reader.state == ReaderKind::ServiceHung;
    person.until("the word of the watch", hung).await.unwrap();
    assert_eq!(crate::diagnostics::faults(&person).await, expected);
    reader.heal();
    let here = |view: &AppView| view.reader.state == ReaderKind::Card;
    person.until("the card", here).await.unwrap();
    let healed = crate::diagnostics::faults(&person).await;
    assert_eq!(healed, Vec::<String>::new());
    person.session.kill();
}
