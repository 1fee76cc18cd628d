use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::pcsc_contact::{PcscContact, Spare};
use crate::pcsc_heart::Heart;
use crate::pcsc_monitor::{self, Watcher, Watching};
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

/// Threads that may be with cards at once: the contact in use, and those that hung cards keep.
const MOST_THREADS: usize = 4;

/// The readers of this system's PC/SC service. A thread of its own watches them; each contact has one too.
pub struct PcscReader {
    status: watch::Receiver<ReaderStatus>,
    looked: watch::Receiver<bool>,
    chosen: watch::Sender<Option<String>>,
    timing: Timing,
    threads: Arc<Semaphore>,
    spare: Spare,
    heart: Arc<Heart>,
    _monitor: Watcher,
}

impl PcscReader {
    /// Starts to watch.
    pub fn start() -> Self {
        Self::with_timing(Timing::default())
    }

    /// The same with other limits.
    pub fn with_timing(timing: Timing) -> Self {
        let (chosen, choice) = watch::channel(None);
        let Watching {
            status,
            looked,
            heart,
            thread,
        } = pcsc_monitor::start(choice);
        Self {
            status,
            looked,
            chosen,
            timing,
            threads: Arc::new(Semaphore::new(MOST_THREADS)),
            spare: Spare::default(),
            heart,
            _monitor: thread,
        }
    }

    /// The reader with the card that is there now.
    async fn ready_reader(&self) -> Result<String, LinkError> {
        let mut looked = self.looked.clone();
        let first_look = looked.wait_for(|looked| *looked);
        let _ = tokio::time::timeout(self.timing.connect, first_look).await;
        let status = self.status.borrow().clone();
        match (status.state, status.reader) {
            (ReaderState::ServiceDown, _) => Err(LinkError::ServiceDown),
            (ReaderState::ServiceHung, _) => Err(LinkError::ServiceHung),
            (ReaderState::Denied, _) => Err(LinkError::Denied),
            (ReaderState::Empty, _) => Err(LinkError::NoCard),
            (ReaderState::None | ReaderState::NfcOff | ReaderState::NfcNone, _)
            | (ReaderState::Card, None) => Err(LinkError::NoReader),
            (ReaderState::Card, Some(reader)) => Ok(reader),
        }
    }
}

impl Drop for PcscReader {
    fn drop(&mut self) {
        self.spare.end();
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
            let reader = self.ready_reader().await?;
            let thread = Arc::clone(&self.threads).try_acquire_owned();
            let thread = thread.map_err(|_| LinkError::Busy)?;
            let held = (thread, self.spare.clone());
            let contact = PcscContact::open(reader, self.timing, held, &self.heart).await?;
            Ok(Box::new(contact) as Box<dyn CardContact>)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_life_come_before_windows_resets_an_idle_card() {
        let timing = Timing::default();
        assert!(
            timing.keep_alive < Duration::from_secs(4),
            "Windows waits 5 s"
        );
        assert_eq!(timing.command, Duration::from_secs(5));
    }
}
