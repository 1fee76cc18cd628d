//! The reader and the network as the trace has them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bank_client::{Answer, ClientError, Distrust, Outgoing, ProfileError, Sending, Transport};
use card_link::{
    CardContact, CardReader, Future, LinkError, ReaderState, ReaderStatus, SimulatedReader,
};
use session::{Fault, Reader, ReaderIs};
use tokio::sync::watch;
use tokio::time::sleep;
use virtual_card::{Moment, Slot};

use super::Guess;
use super::script::Script;
use crate::network::{BankProcess, Fate};

/// What the trace says, and how far it was run.
pub(crate) struct Played {
    pub(crate) script: Arc<Script>,
    pub(crate) guess: Guess,
    opened: AtomicUsize,
    commands: AtomicUsize,
    requests: Mutex<BTreeMap<String, usize>>,
    pub(crate) kept: AtomicUsize,
    /// From here on the trace counts; before, everything is whole.
    pub(crate) on: AtomicBool,
}

impl Played {
    pub(crate) fn new(script: &Arc<Script>, guess: Guess) -> Self {
        Self {
            script: script.clone(),
            guess,
            opened: AtomicUsize::new(0),
            commands: AtomicUsize::new(0),
            requests: Mutex::default(),
            kept: AtomicUsize::new(0),
            on: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }

    fn done(&self, unknown: Option<u32>) -> bool {
        unknown.is_some_and(|nth| self.guess.done.checked_shr(nth).unwrap_or_default() & 1 == 1)
    }
}

pub(crate) struct PlayedReader {
    pub(crate) slot: Slot,
    pub(crate) inner: SimulatedReader,
    pub(crate) status: watch::Receiver<ReaderStatus>,
    pub(crate) played: Arc<Played>,
}

pub(crate) fn status(reader: Reader) -> ReaderStatus {
    let state = match reader.state {
        ReaderIs::None => ReaderState::None,
        ReaderIs::Empty => ReaderState::Empty,
        ReaderIs::Card => ReaderState::Card,
        ReaderIs::ServiceDown => ReaderState::ServiceDown,
        ReaderIs::ServiceHung => ReaderState::ServiceHung,
        ReaderIs::NfcOff => ReaderState::NfcOff,
        ReaderIs::NfcNone => ReaderState::NfcNone,
        ReaderIs::Denied => ReaderState::Denied,
    };
    ReaderStatus {
        state,
        insertions: reader.insertions,
        closed: reader.closed,
        ..ReaderStatus::default()
    }
}

fn link_error(fault: Fault) -> LinkError {
    match fault {
        Fault::ServiceDown => LinkError::ServiceDown,
        Fault::ServiceHung => LinkError::ServiceHung,
        Fault::NoReader => LinkError::NoReader,
        Fault::NfcOff => LinkError::NfcOff,
        Fault::NfcNone => LinkError::NfcNone,
        Fault::NoCard => LinkError::NoCard,
        Fault::Denied => LinkError::Denied,
        Fault::Busy => LinkError::Busy,
        Fault::Lost => LinkError::Lost,
        Fault::Timeout => LinkError::Timeout,
    }
}

impl CardReader for PlayedReader {
    fn watch(&self) -> watch::Receiver<ReaderStatus> {
        self.status.clone()
    }

    fn choose(&self, _: Option<String>) {}

    fn is_by_hand(&self) -> bool {
        let system = &self.played.script.system;
        system.starts_with("android") || system.starts_with("ios")
    }

    fn open(&self) -> Future<'_, Result<Box<dyn CardContact>, LinkError>> {
        Box::pin(async {
            let nth = self.played.opened.fetch_add(1, Ordering::SeqCst);
            if let Some((fault, ms)) = self.played.script.opened.get(nth).copied() {
                sleep(Duration::from_millis(ms)).await;
                if let Some(fault) = fault {
                    return Err(link_error(fault));
                }
            }
            self.slot.insert();
            let contact = PlayedContact {
                inner: self.inner.open().await?,
                slot: self.slot.clone(),
                played: self.played.clone(),
            };
            Ok(Box::new(contact) as Box<dyn CardContact>)
        })
    }
}

struct PlayedContact {
    inner: Box<dyn CardContact>,
    slot: Slot,
    played: Arc<Played>,
}

impl PlayedContact {
    async fn order(&mut self, command: Vec<u8>) -> Result<Vec<u8>, LinkError> {
        let nth = self.played.commands.fetch_add(1, Ordering::SeqCst);
        let Some(turn) = self.played.script.commands.get(nth) else {
            return self.inner.transmit(command).await;
        };
        sleep(Duration::from_millis(turn.ms)).await;
        let Some(fault) = turn.fault else {
            return self.inner.transmit(command).await;
        };
        let moment = if self.played.done(turn.unknown) {
            Moment::After
        } else {
            Moment::Before
        };
        self.slot.arm(virtual_card::Fault::Tear {
            ins: None,
            moment,
            nth: 1,
        });
        drop(self.inner.transmit(command).await);
        Err(link_error(fault))
    }
}

impl CardContact for PlayedContact {
    fn transmit(&mut self, command: Vec<u8>) -> Future<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(self.order(command))
    }

    fn reader(&self) -> &str {
        self.inner.reader()
    }
}

pub(crate) struct PlayedNetwork {
    pub(crate) bank: Arc<BankProcess>,
    pub(crate) played: Arc<Played>,
}

impl Transport for PlayedNetwork {
    fn identify(&self, _: &str, _: &[u8; 32]) -> Result<(), ProfileError> {
        Ok(())
    }

    fn send(&self, request: Outgoing) -> Sending<'_> {
        let nth = self.played.is_on().then(|| {
            let requests = self.played.requests.lock();
            let mut requests = requests.unwrap_or_else(PoisonError::into_inner);
            let nth = requests.entry(request.path.clone()).or_default();
            *nth += 1;
            *nth - 1
        });
        Box::pin(async move { self.go(request, nth).await })
    }
}

impl PlayedNetwork {
    async fn go(&self, request: Outgoing, nth: Option<usize>) -> Result<Answer, ClientError> {
        let script = &self.played.script;
        let turns = script.requests.get(&request.path);
        let turn = nth.and_then(|nth| turns?.get(nth));
        let Some(turn) = turn else {
            return self.deliver(&request).await;
        };
        // The bank gets it in the middle of its time.
        let half_ms = turn.ms / 2;
        sleep(Duration::from_millis(half_ms)).await;
        let rest = sleep(Duration::from_millis(turn.ms - half_ms));
        let failed = match turn.outcome.as_str() {
            "offline" => Some(ClientError::Offline),
            "silent" => {
                if self.played.done(turn.unknown) {
                    drop(self.deliver(&request).await);
                }
                Some(ClientError::Silent)
            }
            "bad-answer" => Some(ClientError::BadAnswer),
            other => distrust(other).map(ClientError::Untrusted),
        };
        if let Some(error) = failed {
            rest.await;
            return Err(error);
        }
        let answer = if passing(&turn.outcome) {
            Ok(refusal(&turn.outcome))
        } else {
            self.deliver(&request).await
        };
        rest.await;
        answer
    }

    async fn deliver(&self, request: &Outgoing) -> Result<Answer, ClientError> {
        match self.bank.take(request, None).await {
            Fate::Answered(answer) => Ok(answer),
            Fate::Nobody => Err(ClientError::Offline),
            Fate::Died => Err(ClientError::Silent),
        }
    }
}

fn distrust(outcome: &str) -> Option<Distrust> {
    let all = [
        Distrust::Expired,
        Distrust::Foreign,
        Distrust::Name,
        Distrust::Swapped,
        Distrust::NotTls,
        Distrust::Other,
    ];
    let why = outcome.strip_prefix("untrusted ")?;
    all.into_iter().find(|known| format!("{known:?}") == why)
}

/// What a bank says in passing, before it looks into a request: this bank has no reason to.
fn passing(outcome: &str) -> bool {
    ["busy", "too-many", "internal", "key-expired", "key-unknown"].contains(&outcome)
}

fn refusal(code: &str) -> Answer {
    Answer {
        status: 503,
        body: format!("{{\"code\":\"{code}\"}}").into_bytes(),
        mac: None,
        own_ms: None,
    }
}
