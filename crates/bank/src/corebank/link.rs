//! The one connection to a core banking host: kept open, signed on, made again when it breaks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::config::CoreSettings;
use crate::corebank::iso::{Message, Mti};
use crate::corebank::message::{is_let_in, network, network_answer};
use crate::corebank::metrics::{CoreMetrics, Stray};
use crate::corebank::{dial, frame};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Questions that wait for their turn on the line; one more is told that the host is busy.
const QUEUE: usize = 256;
const SIGN_ON: &str = "001";
const ECHO: &str = "301";

/// What tells an answer's question: its type, field 11 and field 37.
type Key = (Mti, String, String);

pub(super) struct Link {
    clock: std::sync::Arc<dyn crate::clock::Clock>,
    metrics: CoreMetrics,
    waiting: Mutex<HashMap<Key, oneshot::Sender<Message>>>,
    to_line: mpsc::Sender<(Key, Vec<u8>)>,
    from_askers: tokio::sync::Mutex<mpsc::Receiver<(Key, Vec<u8>)>>,
    is_up: AtomicBool,
    stan: AtomicU32,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("it sent {0}")]
    TooLong(#[from] frame::TooLong),
    #[error("it closed the connection")]
    Closed,
    #[error("it refused the sign-on: {0}")]
    Refused(String),
    #[error("it answers nothing")]
    Silent,
    #[error("what this bank would say is no message: {0}")]
    Unsaid(&'static str),
}

/// An asker that goes away waits no more, and what it asked is not sent any more.
struct Waits<'l> {
    link: &'l Link,
    key: Key,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.link.waiting().remove(&self.key);
    }
}

/// Where this connection's own conversation stands.
struct Line {
    came: Vec<u8>,
    is_signed_on: bool,
    /// Field 11 of the 0800 that waits for its 0810, and until when.
    network: Option<(String, Instant)>,
    heard: Instant,
}

impl Link {
    pub(super) fn new(
        clock: std::sync::Arc<dyn crate::clock::Clock>,
        metrics: CoreMetrics,
        first_stan: u32,
    ) -> Self {
        let (to_line, from_askers) = mpsc::channel(QUEUE);
        Self {
            clock,
            metrics,
            waiting: Mutex::default(),
            to_line,
            from_askers: tokio::sync::Mutex::new(from_askers),
            is_up: AtomicBool::new(false),
            stan: AtomicU32::new(first_stan),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    /// A field 11 of this process's own row: 000001 to 999999, and again.
    pub(super) fn next_stan(&self) -> u32 {
        self.stan.fetch_add(1, Ordering::Relaxed) % 999_999 + 1
    }

    /// The answer to `message`; none when none came in time, or the line is not there.
    pub(super) async fn ask(&self, message: &Message, settings: &CoreSettings) -> Option<Message> {
        if !self.is_up() {
            return None;
        }
        let answer_type = match message.mti() {
            Mti::REQUEST => Mti::REQUEST_ANSWER,
            _reversal => Mti::REVERSAL_ANSWER,
        };
        let key = key(answer_type, message)?;
        let encoded = message.encode(settings.bitmap);
        let framed = encoded.map(|bytes| frame::framed(&bytes));
        let Ok(Ok(bytes)) = framed else {
            log::error!("the core host is not asked: {message:?} can't be written");
            return None;
        };
        let (tell, told) = oneshot::channel();
        // Nobody else waits under this key: field 37 is of one load, and one asks for it at a time.
        self.waiting().insert(key.clone(), tell);
        let waits = Waits { link: self, key };
        self.to_line.try_send((waits.key.clone(), bytes)).ok()?;
        let answer = timeout(Duration::from_millis(settings.answer_ms), told).await;
        answer.ok()?.ok()
    }

    /// Runs until it is aborted.
    pub(super) async fn run(&self, settings: &CoreSettings) {
        let mut pause = FIRST_PAUSE;
        loop {
            let ended = match dial::dial(settings).await {
                Ok(line) => self.serve(line, settings).await,
                Err(ended) => Err(ended),
            };
            let was_up = self.is_up.swap(false, Ordering::AcqRel);
            self.metrics.connected(false);
            // Whoever waits learns at once that no answer comes.
            self.waiting().clear();
            if let Err(cause) = ended {
                log::warn!("no line to the core host: {cause}");
            }
            if was_up {
                pause = FIRST_PAUSE;
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    async fn serve(
        &self,
        line: impl AsyncRead + AsyncWrite + Unpin,
        settings: &CoreSettings,
    ) -> Result<(), Ended> {
        let (mut reader, mut writer) = tokio::io::split(line);
        let mut asked = self.from_askers.lock().await;
        let mut state = Line {
            came: Vec::new(),
            is_signed_on: false,
            network: None,
            heard: Instant::now(),
        };
        self.manage(&mut state, SIGN_ON, &mut writer, settings)
            .await?;
        loop {
            let echo = state.heard + Duration::from_secs(settings.echo_s);
            let until = state.network.as_ref().map_or(echo, |(_, until)| *until);
            tokio::select! {
                read = reader.read_buf(&mut state.came) => {
                    if read? == 0 {
                        return Err(Ended::Closed);
                    }
                    state.heard = Instant::now();
                    while let Some(bytes) = frame::next(&mut state.came)? {
                        self.heard(&mut state, &bytes, &mut writer, settings).await?;
                    }
                }
                Some((key, bytes)) = asked.recv(), if state.is_signed_on => {
                    // A load whose asker gave up is void by now, or will be: it must not be booked after that.
                    if self.waiting().contains_key(&key) {
                        write(&mut writer, &bytes, settings).await?;
                    }
                }
                () = sleep_until(until) => {
                    if state.network.is_some() {
                        return Err(Ended::Silent);
                    }
                    self.manage(&mut state, ECHO, &mut writer, settings).await?;
                }
            }
        }
    }

    /// Sends a 0800 of this bank's own.
    async fn manage(
        &self,
        state: &mut Line,
        function: &'static str,
        writer: &mut (impl AsyncWrite + Unpin),
        settings: &CoreSettings,
    ) -> Result<(), Ended> {
        let stan = self.next_stan();
        let message = network(function, stan, self.clock.now_ms());
        let message = message.ok_or(Ended::Unsaid(function))?;
        say(writer, &message, settings).await?;
        let until = Instant::now() + Duration::from_millis(settings.answer_ms);
        let stan = message.text(11).unwrap_or_default().to_owned();
        state.network = Some((stan, until));
        Ok(())
    }

    async fn heard(
        &self,
        state: &mut Line,
        bytes: &[u8],
        writer: &mut (impl AsyncWrite + Unpin),
        settings: &CoreSettings,
    ) -> Result<(), Ended> {
        let message = match Message::decode(bytes, settings.bitmap) {
            Ok(message) => message,
            Err(cause) => {
                log::warn!("the core host sent what is no message: {cause}");
                self.metrics.stray(Stray::Garbage);
                return Ok(());
            }
        };
        match message.mti() {
            Mti::NETWORK => say(writer, &network_answer(&message), settings).await,
            Mti::NETWORK_ANSWER => self.network_answered(state, &message),
            Mti::REQUEST_ANSWER | Mti::REVERSAL_ANSWER => {
                self.answered(message);
                Ok(())
            }
            _other => {
                self.metrics.stray(Stray::Unmatched);
                Ok(())
            }
        }
    }

    fn network_answered(&self, state: &mut Line, message: &Message) -> Result<(), Ended> {
        let stan = message.text(11);
        if state.network.as_ref().map(|(asked, _)| asked.as_str()) != stan {
            self.metrics.stray(Stray::Unmatched);
            return Ok(());
        }
        state.network = None;
        if state.is_signed_on {
            return Ok(());
        }
        if !is_let_in(message) {
            let response = message.text(39).unwrap_or_default().to_owned();
            return Err(Ended::Refused(response));
        }
        state.is_signed_on = true;
        self.is_up.store(true, Ordering::Release);
        self.metrics.connected(true);
        log::info!("signed on at the core host");
        Ok(())
    }

    fn answered(&self, message: Message) {
        let key = key(message.mti(), &message);
        let asker = key.and_then(|key| self.waiting().remove(&key));
        let told = asker.map(|asker| asker.send(message));
        if !matches!(told, Some(Ok(()))) {
            self.metrics.stray(Stray::Unmatched);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Key, oneshot::Sender<Message>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(mti: Mti, message: &Message) -> Option<Key> {
    let (stan, rrn) = (message.text(11)?, message.text(37)?);
    Some((mti, stan.to_owned(), rrn.to_owned()))
}

async fn say(
    writer: &mut (impl AsyncWrite + Unpin),
    message: &Message,
    settings: &CoreSettings,
) -> Result<(), Ended> {
    let bytes = message.encode(settings.bitmap);
    let bytes = bytes.map_err(|_| Ended::Unsaid("network management"))?;
    write(writer, &frame::framed(&bytes)?, settings).await
}

/// A host that takes nothing off the line is as good as gone.
async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    settings: &CoreSettings,
) -> Result<(), Ended> {
    let most = Duration::from_millis(settings.answer_ms);
    let written = timeout(most, async {
        writer.write_all(bytes).await?;
        writer.flush().await
    });
    Ok(written.await.map_err(|_| Ended::Silent)??)
}
