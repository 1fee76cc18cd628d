use std::time::Duration;

use tokio::sync::watch;

use crate::pcsc_contact::PcscContact;
use crate::pcsc_monitor;
use crate::{CardContact, CardReader, Future, LinkError, ReaderState, ReaderStatus};

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// One command; then the card counts as hung and its thread is left behind.
    pub command: Duration,
    /// Connecting, another program's transaction included.
    pub connect: Duration,
    /// Windows resets a card whose transaction is idle for 5 s: a sign of life at least this often.
    pub keep_alive: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            command: Duration::from_secs(5),
            connect: Duration::from_secs(3),
            keep_alive: Duration::from_millis(3_500),
        }
    }
}

/// The readers of this system's PC/SC service. A thread of its own watches them; each contact has one too.
pub struct PcscReader {
    status: watch::Receiver<ReaderStatus>,
    chosen: watch::Sender<Option<String>>,
    timing: Timing,
}

impl PcscReader {
    /// Starts to watch.
    pub fn start() -> Self {
        Self::with_timing(Timing::default())
    }

    /// The same with other limits.
    pub fn with_timing(timing: Timing) -> Self {
        let (chosen, choice) = watch::channel(None);
        Self {
            status: pcsc_monitor::start(choice),
            chosen,
            timing,
        }
    }
}

impl CardReader for PcscReader {
    fn watch(&self) -> watch::Receiver<ReaderStatus> {
        self.status.clone()
    }

    fn choose(&self, reader: Option<String>) {
        self.chosen.send_replace(reader);
    }

    fn open(&self) -> Future<'_, Result<Box<dyn CardContact>, LinkError>> {
        Box::pin(async {
            let status = self.status.borrow().clone();
            let reader = match (status.state, status.reader) {
                (ReaderState::ServiceDown, _) => return Err(LinkError::ServiceDown),
                (ReaderState::Denied, _) => return Err(LinkError::Denied),
                (ReaderState::Empty, _) => return Err(LinkError::NoCard),
                (ReaderState::None, _) | (ReaderState::Card, None) => {
                    return Err(LinkError::NoReader);
                }
                (ReaderState::Card, Some(reader)) => reader,
            };
            let contact = PcscContact::open(reader, self.timing).await?;
            Ok(Box::new(contact) as Box<dyn CardContact>)
        })
    }
}
