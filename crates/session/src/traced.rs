//! The reader and the bank with a trace of what passes.

use std::sync::Arc;
use std::time::Duration;

use bank_client::{BankClient, ClientError, Seen};
use card_link::{CardContact, CardReader, Future, LinkError, ReaderState, ReaderStatus};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::trace::{Fault, Reader, ReaderIs, TraceEvent, Tracer, millis};

/// A reader whose contacts are noted.
pub(crate) struct TracedReader {
    pub(crate) inner: Arc<dyn CardReader>,
    pub(crate) tracer: Tracer,
}

impl CardReader for TracedReader {
    fn watch(&self) -> watch::Receiver<ReaderStatus> {
        self.inner.watch()
    }

    fn choose(&self, reader: Option<String>) {
        self.inner.choose(reader);
    }

    fn expect(&self, wanted: bool) {
        self.inner.expect(wanted);
    }

    fn is_by_hand(&self) -> bool {
        self.inner.is_by_hand()
    }

    fn open(&self) -> Future<'_, Result<Box<dyn CardContact>, LinkError>> {
        Box::pin(async {
            let started = Instant::now();
            let opened = self.inner.open().await;
            self.tracer.note(TraceEvent::Opened {
                fault: opened.as_ref().err().copied().map(fault),
                ms: millis(started.elapsed()),
            });
            let contact = TracedContact {
                inner: opened?,
                tracer: self.tracer.clone(),
            };
            Ok(Box::new(contact) as Box<dyn CardContact>)
        })
    }
}

struct TracedContact {
    inner: Box<dyn CardContact>,
    tracer: Tracer,
}

impl TracedContact {
    async fn order(&mut self, command: Vec<u8>) -> Result<Vec<u8>, LinkError> {
        let sent = command.len();
        // The data of a command may be a PIN.
        let head = hex::encode_upper(command.get(..5).unwrap_or(&command));
        let started = Instant::now();
        let reply = self.inner.transmit(command).await;
        let bytes = reply.as_deref().unwrap_or_default();
        self.tracer.note(TraceEvent::Card {
            head,
            sent,
            status: bytes.last_chunk::<2>().map(hex::encode_upper),
            got: bytes.len(),
            fault: reply.as_ref().err().copied().map(fault),
            ms: millis(self.inner.took().unwrap_or(started.elapsed())),
        });
        reply
    }
}

impl CardContact for TracedContact {
    fn transmit(&mut self, command: Vec<u8>) -> Future<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(self.order(command))
    }

    fn ahead(&mut self, commands: Vec<Vec<u8>>) {
        self.inner.ahead(commands);
    }

    fn took(&self) -> Option<Duration> {
        self.inner.took()
    }

    fn reader(&self) -> &str {
        self.inner.reader()
    }
}

/// The bank with each request noted.
pub(crate) fn bank(bank: BankClient, tracer: &Tracer) -> BankClient {
    let tracer = tracer.clone();
    bank.seen_by(Arc::new(move |seen: Seen<'_>| {
        let (got, outcome) = match seen.outcome {
            Ok(answer) if answer.status == 200 => (answer.body.len(), "ok".to_owned()),
            Ok(answer) => (answer.body.len(), word(&answer.refusal())),
            Err(error) => (0, word(error)),
        };
        tracer.note(TraceEvent::Bank {
            path: seen.path.to_owned(),
            sent: seen.sent,
            got,
            outcome,
            ms: millis(seen.took),
        });
    }))
}

fn word(error: &ClientError) -> String {
    match error {
        ClientError::Offline => "offline".to_owned(),
        ClientError::Untrusted(why) => format!("untrusted {why:?}"),
        ClientError::Silent => "silent".to_owned(),
        // Whoever answers may write anything there.
        ClientError::Refused { code, .. } if is_code(code) => code.clone(),
        ClientError::Refused { .. } | ClientError::BadAnswer => "bad-answer".to_owned(),
    }
}

fn is_code(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= 32 && text.bytes().all(plain)
}

fn fault(error: LinkError) -> Fault {
    match error {
        LinkError::ServiceDown => Fault::ServiceDown,
        LinkError::ServiceHung => Fault::ServiceHung,
        LinkError::NoReader => Fault::NoReader,
        LinkError::NfcOff => Fault::NfcOff,
        LinkError::NfcNone => Fault::NfcNone,
        LinkError::NoCard => Fault::NoCard,
        LinkError::Denied => Fault::Denied,
        LinkError::Busy => Fault::Busy,
        LinkError::Lost => Fault::Lost,
        LinkError::Timeout => Fault::Timeout,
    }
}

pub(crate) fn reader(status: &ReaderStatus) -> Reader {
    Reader {
        state: match status.state {
            ReaderState::None => ReaderIs::None,
            ReaderState::Empty => ReaderIs::Empty,
            ReaderState::Card => ReaderIs::Card,
            ReaderState::ServiceDown => ReaderIs::ServiceDown,
            ReaderState::ServiceHung => ReaderIs::ServiceHung,
            ReaderState::NfcOff => ReaderIs::NfcOff,
            ReaderState::NfcNone => ReaderIs::NfcNone,
            ReaderState::Denied => ReaderIs::Denied,
        },
        insertions: status.insertions,
        closed: status.closed,
    }
}
