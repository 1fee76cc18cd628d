//! One contact on one thread: a card that hangs takes the thread along and nothing else.

use std::collections::VecDeque;
use std::ffi::CString;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
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

/// A reply, and how long the card took for it.
type Told = (Reply, Duration);

struct Order {
    command: Vec<u8>,
    told: oneshot::Sender<Told>,
}

/// One after the other, each while the one before was answered with 9000.
type Orders = Vec<Order>;

/// The way to the service that the last contact left, for the next one: making one takes as long as two commands.
#[derive(Clone, Default)]
pub(crate) struct Spare(Arc<Mutex<Option<Context>>>);

impl Spare {
    fn take(&self) -> Option<Context> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, context: Context) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let former = spare.replace(context);
        drop(spare);
        give_back(former);
    }

    /// Nobody needs it any more.
    pub(crate) fn end(&self) {
        give_back(self.take());
    }
}

/// A service that hangs is not waited for, even for this.
fn give_back(context: Option<Context>) {
    if let Some(context) = context {
        thread::spawn(move || drop(context));
    }
}

/// A contact through PC/SC. Its transaction lives on the thread that takes the orders.
pub(crate) struct PcscContact {
    reader: String,
    orders: mpsc::Sender<Orders>,
    timing: Timing,
    heart: Arc<Heart>,
    /// What goes along with the next command: the thread need not be asked for each.
    ahead: Vec<Vec<u8>>,
    /// What went along, and is not asked for yet.
    coming: VecDeque<(Vec<u8>, oneshot::Receiver<Told>)>,
    took: Option<Duration>,
    /// After an unknown outcome nothing is sent any more.
    over: Option<LinkError>,
}

impl PcscContact {
    /// `thread` is one of the few threads that there may be, hung ones included.
    pub(crate) async fn open(
        reader: String,
        timing: Timing,
        (thread, spare): (OwnedSemaphorePermit, Spare),
        heart: &Arc<Heart>,
    ) -> Result<Self, LinkError> {
        let (orders, inbox) = mpsc::channel();
        let (ready, opened) = oneshot::channel();
        let name = CString::new(reader.clone()).map_err(|_| LinkError::NoReader)?;
        thread::Builder::new()
            .name("pcsc-contact".to_owned())
            .spawn(move || {
                hold(&name, timing.keep_alive, ready, &inbox, &spare);
                drop(thread);
            })
            .map_err(|_| LinkError::ServiceDown)?;
        match tokio::time::timeout(timing.connect, opened).await {
            Ok(Ok(result)) => result.map(|()| Self {
                reader,
                orders,
                timing,
                heart: heart.clone(),
                ahead: Vec::new(),
                coming: VecDeque::new(),
                took: None,
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
        self.took = None;
        if let Some(error) = self.over {
            return Err(error);
        }
        let is_next = (self.coming.front()).is_some_and(|(next, _)| *next == command);
        if !is_next {
            self.send(command);
        }
        self.ahead.clear();
        let Some((_, told)) = self.coming.pop_front() else {
            return Err(LinkError::Lost);
        };
        let (result, took) = self.wait(told).await;
        self.took = took;
        self.over = result.as_ref().err().copied();
        let goes_on = result.as_ref().is_ok_and(|reply| is_good(reply));
        if !goes_on {
            self.coming.clear();
        }
        result
    }

    fn send(&mut self, command: Vec<u8>) {
        let commands = std::iter::once(command).chain(self.ahead.drain(..));
        let (orders, coming) = commands
            .map(|command| {
                let (told, answered) = oneshot::channel();
                let next = (command.clone(), answered);
                (Order { command, told }, next)
            })
            .unzip();
        self.coming = coming;
        // The thread is gone with the card: its answers never come.
        let _ = self.orders.send(orders);
    }

    async fn wait(&self, mut answered: oneshot::Receiver<Told>) -> (Reply, Option<Duration>) {
        let told = |(reply, took)| (reply, Some(took));
        let began = Instant::now();
        while began.elapsed() < SOON {
            match answered.try_recv() {
                Ok(answer) => return told(answer),
                Err(oneshot::error::TryRecvError::Closed) => return (Err(LinkError::Lost), None),
                Err(oneshot::error::TryRecvError::Empty) => thread::yield_now(),
            }
        }
        match tokio::time::timeout(self.timing.command, answered).await {
            Ok(Ok(answer)) => told(answer),
            Ok(Err(_)) => (Err(LinkError::Lost), None),
            Err(_) if self.heart.answers().await => (Err(LinkError::Timeout), None),
            Err(_) => (Err(LinkError::ServiceHung), None),
        }
    }
}

impl CardContact for PcscContact {
    fn transmit(&mut self, command: Vec<u8>) -> Future<'_, Reply> {
        Box::pin(self.order(command))
    }

    fn ahead(&mut self, commands: Vec<Vec<u8>>) {
        self.ahead = commands;
    }

    fn took(&self) -> Option<Duration> {
        self.took
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
    orders: &mpsc::Receiver<Orders>,
    spare: &Spare,
) {
    let (mut card, context) = match connect(reader, spare) {
        Ok(connected) => connected,
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
    if leave(card) {
        spare.put(context);
    }
}

/// Dropping a [`Card`] would reset it. Where another program holds the card it is left for good instead; all other
/// failures mean that the card or the service is gone, and only the handle is given back. True: it was left well.
fn leave(card: Card) -> bool {
    let left = card.disconnect(Disposition::LeaveCard);
    if let Err((card, error)) = left {
        log::debug!("the card was left with {error}");
        if error == Error::SharingViolation {
            std::mem::forget(card);
        }
        return false;
    }
    true
}

/// Three waits on a sharing violation, then the card counts as busy.
fn connect(reader: &CString, spare: &Spare) -> Result<(Card, Context), LinkError> {
    let mut known = spare.take();
    let mut is_former = known.is_some();
    let mut waits_ms = [50, 150, 400].into_iter();
    loop {
        let context = match known.take() {
            Some(context) => context,
            None => Context::establish(Scope::User).map_err(before_contact)?,
        };
        match context.connect(reader, ShareMode::Shared, Protocols::ANY) {
            Ok(card) => return Ok((card, context)),
            Err(Error::SharingViolation) => match waits_ms.next() {
                Some(wait_ms) => {
                    thread::sleep(Duration::from_millis(wait_ms));
                    known = Some(context);
                }
                None => return Err(LinkError::Busy),
            },
            // The service may have started anew since, which ends every way to it.
            Err(error) if is_former => {
                log::debug!("the former way to the service: {error}");
                is_former = false;
            }
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

fn work(transaction: &Transaction<'_>, keep_alive: Duration, orders: &mpsc::Receiver<Orders>) {
    let mut soon = false;
    loop {
        match next(orders, keep_alive, soon) {
            Ok(orders) => {
                if work_off(transaction, orders).is_break() {
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

/// Breaks when the card is lost.
fn work_off(transaction: &Transaction<'_>, orders: Orders) -> ControlFlow<()> {
    for Order { command, told } in orders {
        // Nobody waits any more: its time was over before its turn came.
        if told.is_closed() {
            break;
        }
        let began = Instant::now();
        let result = exchange(&command, |bytes| send(transaction, bytes));
        let (lost, good) = match &result {
            Ok(reply) => (false, is_good(reply)),
            Err(_) => (true, false),
        };
        // Whoever went another way than was foreseen waits for none of these.
        let _ = told.send((result, began.elapsed()));
        if lost {
            return ControlFlow::Break(());
        }
        if !good {
            break;
        }
    }
    ControlFlow::Continue(())
}

fn is_good(reply: &[u8]) -> bool {
    reply.ends_with(&[0x90, 0x00])
}

/// The next orders; `soon` after a reply.
fn next(
    orders: &mpsc::Receiver<Orders>,
    keep_alive: Duration,
    soon: bool,
) -> Result<Orders, RecvTimeoutError> {
    let began = Instant::now();
    while soon && began.elapsed() < SOON {
        match orders.try_recv() {
            Ok(orders) => return Ok(orders),
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
