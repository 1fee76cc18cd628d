//! One contact on one thread: a card that hangs takes the thread along and nothing else.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use pcsc::{Card, Context, Disposition, Error, Protocols, Scope, ShareMode, Transaction};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::exchange::{brief, exchange};
use crate::pcsc_heart::Heart;
use crate::{CardContact, Future, LinkError, Timing};

/// How long the other thread is looked at before this one sleeps until it is woken, which takes a fifth of a fast
/// card's command. An order mostly follows a reply at once; of a slow card this is a thirtieth of its command at most.
const SOON: Duration = Duration::from_micros(100);

type Reply = Result<Vec<u8>, LinkError>;

struct Order {
    command: Vec<u8>,
    reply: oneshot::Sender<Reply>,
}

/// A contact through PC/SC. Its transaction lives on the thread that takes the orders.
pub(crate) struct PcscContact {
    reader: String,
    orders: mpsc::Sender<Order>,
    timing: Timing,
    heart: Arc<Heart>,
    /// After an unknown outcome nothing is sent any more.
    over: Option<LinkError>,
}

impl PcscContact {
    /// `thread` is one of the few threads that there may be, hung ones included.
    pub(crate) async fn open(
        reader: String,
        timing: Timing,
        thread: OwnedSemaphorePermit,
        heart: &Arc<Heart>,
    ) -> Result<Self, LinkError> {
        let (orders, inbox) = mpsc::channel();
        let (ready, opened) = oneshot::channel();
        let name = CString::new(reader.clone()).map_err(|_| LinkError::NoReader)?;
        thread::Builder::new()
            .name("pcsc-contact".to_owned())
            .spawn(move || {
                hold(&name, timing.keep_alive, ready, &inbox);
                drop(thread);
            })
            .map_err(|_| LinkError::ServiceDown)?;
        match tokio::time::timeout(timing.connect, opened).await {
            Ok(Ok(result)) => result.map(|()| Self {
                reader,
                orders,
                timing,
                heart: heart.clone(),
                over: None,
            }),
            // The thread ended without a word: no command was sent.
            Ok(Err(_)) => Err(LinkError::NoCard),
            // The transaction of another program blocks without limit, as a service does that hangs; the thread lets go
            // of the card when it has it.
            Err(_) if heart.answers().await => Err(LinkError::Busy),
            Err(_) => Err(LinkError::ServiceHung),
        }
    }

    async fn order(&mut self, command: Vec<u8>) -> Reply {
        if let Some(error) = self.over {
            return Err(error);
        }
        let (reply, answered) = oneshot::channel();
        let result = match self.orders.send(Order { command, reply }) {
            Ok(()) => self.answer(answered).await,
            Err(_) => Err(LinkError::Lost),
        };
        self.over = result.as_ref().err().copied();
        result
    }

    async fn answer(&self, mut answered: oneshot::Receiver<Reply>) -> Reply {
        let began = Instant::now();
        while began.elapsed() < SOON {
            match answered.try_recv() {
                Ok(reply) => return reply,
                Err(oneshot::error::TryRecvError::Closed) => return Err(LinkError::Lost),
                Err(oneshot::error::TryRecvError::Empty) => thread::yield_now(),
            }
        }
        match tokio::time::timeout(self.timing.command, answered).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(LinkError::Lost),
            Err(_) if self.heart.answers().await => Err(LinkError::Timeout),
            Err(_) => Err(LinkError::ServiceHung),
        }
    }
}

impl CardContact for PcscContact {
    fn transmit(&mut self, command: Vec<u8>) -> Future<'_, Reply> {
        Box::pin(self.order(command))
    }

    fn reader(&self) -> &str {
        &self.reader
    }
}

/// Connects, begins a transaction, works off orders until nobody is left to give any.
fn hold(
    reader: &CString,
    keep_alive: Duration,
    ready: oneshot::Sender<Result<(), LinkError>>,
    orders: &mpsc::Receiver<Order>,
) {
    let mut card = match connect(reader) {
        Ok(card) => card,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    match begin(&mut card) {
        Ok(transaction) => {
            if ready.send(Ok(())).is_ok() {
                work(&transaction, keep_alive, orders);
            }
            if let Err((_, error)) = transaction.end(Disposition::LeaveCard) {
                log::debug!("the transaction ended with {error}");
            }
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    }
    leave(card);
}

/// Dropping a [`Card`] would reset it. Where another program holds the card it is left for good instead; all other
/// failures mean that the card or the service is gone, and only the handle is given back.
fn leave(card: Card) {
    if let Err((card, error)) = card.disconnect(Disposition::LeaveCard) {
        log::debug!("the card was left with {error}");
        if error == Error::SharingViolation {
            std::mem::forget(card);
        }
    }
}

/// Three waits on a sharing violation, then the card counts as busy.
fn connect(reader: &CString) -> Result<Card, LinkError> {
    let context = Context::establish(Scope::User).map_err(before_contact)?;
    let mut waits_ms = [50, 150, 400].into_iter();
    loop {
        match context.connect(reader, ShareMode::Shared, Protocols::ANY) {
            Ok(card) => return Ok(card),
            Err(Error::SharingViolation) => match waits_ms.next() {
                Some(wait_ms) => thread::sleep(Duration::from_millis(wait_ms)),
                None => return Err(LinkError::Busy),
            },
            Err(error) => return Err(before_contact(error)),
        }
    }
}

/// Somebody may have reset the card since: then it is taken up anew, once.
fn begin(card: &mut Card) -> Result<Transaction<'_>, LinkError> {
    let fresh = match card.transaction2() {
        Ok(transaction) => return Ok(transaction),
        Err((card, Error::ResetCard)) => {
            card.reconnect(ShareMode::Shared, Protocols::ANY, Disposition::LeaveCard)
                .map_err(before_contact)?;
            card
        }
        Err((_, error)) => return Err(before_contact(error)),
    };
    fresh.transaction().map_err(before_contact)
}

fn work(transaction: &Transaction<'_>, keep_alive: Duration, orders: &mpsc::Receiver<Order>) {
    let mut soon = false;
    loop {
        match next(orders, keep_alive, soon) {
            Ok(Order { command, reply }) => {
                let result = exchange(&command, |bytes| send(transaction, bytes));
                let lost = result.is_err();
                if reply.send(result).is_err() || lost {
                    return;
                }
                soon = true;
            }
            // A card that went or was reset meanwhile ends the contact: the next order finds nobody.
            Err(RecvTimeoutError::Timeout) => match transaction.status2_owned() {
                Ok(_) => log::trace!("keep-alive"),
                Err(error) => {
                    log::warn!("contact was lost while idle: {error}");
                    return;
                }
            },
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// The next order; `soon` after a reply.
fn next(
    orders: &mpsc::Receiver<Order>,
    keep_alive: Duration,
    soon: bool,
) -> Result<Order, RecvTimeoutError> {
    let began = Instant::now();
    while soon && began.elapsed() < SOON {
        match orders.try_recv() {
            Ok(order) => return Ok(order),
            Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => thread::yield_now(),
        }
    }
    orders.recv_timeout(keep_alive)
}

fn send(transaction: &Transaction<'_>, command: &[u8]) -> Reply {
    let mut buffer = [0; pcsc::MAX_BUFFER_SIZE];
    match transaction.transmit(command, &mut buffer) {
        Ok(reply) => {
            log::debug!("{}", brief(command, reply));
            Ok(reply.to_vec())
        }
        Err(error) => {
            log::warn!("{} {error}", brief(command, &[]));
            Err(LinkError::Lost)
        }
    }
}

/// Errors before any command was sent: nothing happened to the card.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "64 errors of PC/SC, few of which differ here"
)]
fn before_contact(error: Error) -> LinkError {
    match error {
        Error::NoService | Error::ServiceStopped | Error::InvalidHandle | Error::CommError => {
            LinkError::ServiceDown
        }
        Error::NoReadersAvailable | Error::UnknownReader | Error::ReaderUnavailable => {
            LinkError::NoReader
        }
        Error::NoAccess | Error::SecurityViolation => LinkError::Denied,
        Error::SharingViolation => LinkError::Busy,
        // No card, an unpowered, mute or removed one, and whatever else keeps a card from being used.
        _ => LinkError::NoCard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_states_before_contact_stay_apart() {
        assert_eq!(before_contact(Error::NoService), LinkError::ServiceDown);
        assert_eq!(before_contact(Error::UnknownReader), LinkError::NoReader);
        assert_eq!(before_contact(Error::RemovedCard), LinkError::NoCard);
        assert_eq!(before_contact(Error::NoAccess), LinkError::Denied);
        assert_eq!(before_contact(Error::SharingViolation), LinkError::Busy);
    }
}
