//! Sealed messages to the transaction server: sent again where that is safe, and clear about what may have arrived.

use std::sync::Arc;
use std::time::Duration;

use bank_client::ClientError;
use envelope::Direction;
use envelope::keys::WorkingKey;
use envelope::seal::{self, Header};
use ipc::Code;
use tokio::time::Instant;

use super::{TerminalLink, random};
use crate::failure::Failure;

impl TerminalLink {
    /// One relay message to the bank, its answer back. The same message is sent again where that is safe: the
    /// bank answers a repeated one with the same bytes, and nothing happens twice.
    pub(crate) async fn exchange(
        &self,
        message: &[u8],
        spent: &mut Spent,
    ) -> Result<Vec<u8>, Unanswered> {
        // 3 at once, then slower: 7 s in all, well inside a person's patience and the bank's own limits.
        const WAITS_MS: [u64; 5] = [0, 0, 1_000, 2_000, 4_000];
        let mut healed = false;
        let mut waits = WAITS_MS.into_iter();
        let mut sealed = spent
            .cipher(|| self.seal(message))
            .map_err(Unanswered::unread)?;
        // Once a try may have been read, no later one can undo that.
        let mut may_be_read = false;
        loop {
            let tried = match self.exchange_once(&sealed, spent).await {
                Ok(answer) => return Ok(answer),
                Err(tried) => tried,
            };
            may_be_read |= !tried.unread;
            let ended = |failure: Failure| Unanswered {
                failure: if may_be_read && tried.unread {
                    Code::BankSilent.into()
                } else {
                    failure
                },
                unread: !may_be_read,
            };
            if tried.again {
                match waits.next() {
                    Some(wait_ms) => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
                    None => return Err(ended(tried.failure)),
                }
            } else if !healed && self.heal(&tried.failure).await.map_err(ended)? {
                healed = true;
                sealed = spent.cipher(|| self.seal(message)).map_err(ended)?;
            } else {
                return Err(ended(tried.failure));
            }
        }
    }

    async fn exchange_once(&self, sealed: &Sealed, spent: &mut Spent) -> Result<Vec<u8>, Tried> {
        let relayed = self.bank.relayed(sealed.bytes.clone());
        let answer = relayed.await.map_err(Tried::from)?;
        spent.bank_ms = answer.own_ms.map(f64::from);
        let answers_this = |header: &Header| {
            header.terminal == sealed.header.terminal && header.counter == sealed.header.counter
        };
        let opened = spent.cipher(|| seal::open(&sealed.key, &answer.body, Direction::ToTerminal));
        match opened {
            Ok((header, message)) if answers_this(&header) => Ok(message.to_vec()),
            // Read by the bank, answered by who knows whom.
            Ok(_) | Err(_) => Err(Tried {
                failure: Code::EnvelopeRefused.into(),
                again: false,
                unread: false,
            }),
        }
    }

    /// Cures what a new key or the right time cures. True: worth sending again.
    async fn heal(&self, refusal: &Failure) -> Result<bool, Failure> {
        if refusal.code == Code::KeyMissing {
            self.fetch_working_key().await?;
            return Ok(true);
        }
        if refusal.code == Code::ClockWrong {
            self.take_bank_time(refusal)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn seal(&self, message: &[u8]) -> Result<Sealed, Failure> {
        let terminal = self.terminal()?;
        let mut nonce = [0; 12];
        random(&mut nonce)?;
        let time_ms = self.bank_now_ms();
        // Key and counter belong together: a renewal begins both anew.
        let (key, counter) = {
            let mut state = self.state();
            let key = state.working.clone().ok_or(Code::KeyMissing)?;
            state.counter += 1;
            (key, state.counter)
        };
        let header = Header {
            suite: key.facts().suite,
            direction: Direction::ToBank,
            terminal,
            key_id: key.facts().id,
            counter,
            time_ms,
        };
        let bytes =
            seal::seal(&key, &header, message, &nonce).map_err(|_| Code::EnvelopeRefused)?;
        Ok(Sealed { bytes, header, key })
    }
}

/// Where the time of an exchange went, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    /// Sealing and opening, ms.
    pub(crate) cipher_ms: f64,
    /// Inside the bank, ms; none where it does not tell.
    pub(crate) bank_ms: Option<f64>,
}

impl Spent {
    fn cipher<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        self.cipher_ms += started.elapsed().as_secs_f64() * 1e3;
        done
    }
}

/// A message on its way, with what its answer must match.
struct Sealed {
    bytes: Vec<u8>,
    header: Header,
    key: Arc<WorkingKey>,
}

/// An exchange that brought no answer.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) failure: Failure,
    /// True: the bank has surely not acted on the message. False: it may have.
    pub(crate) unread: bool,
}

impl Unanswered {
    fn unread(failure: Failure) -> Self {
        Self {
            failure,
            unread: true,
        }
    }
}

/// How one try of an exchange failed.
struct Tried {
    failure: Failure,
    /// The same bytes may be sent again.
    again: bool,
    /// The bank has surely not acted on them.
    unread: bool,
}

impl From<ClientError> for Tried {
    fn from(error: ClientError) -> Self {
        let (again, unread) = match &error {
            ClientError::Silent => (true, false),
            ClientError::Offline | ClientError::Untrusted(_) => (false, true),
            ClientError::BadAnswer => (false, false),
            ClientError::Refused { code, .. } => {
                (code == "busy" || code == "late", refused_unread(code))
            }
        };
        Self {
            failure: error.into(),
            again,
            unread,
        }
    }
}

/// Codes of `docs/protocol.md`, section 7, that the bank gives before it looks into the message. Any other may hide
/// an effect: a counter that it has seen, a fault in the middle, a code of a later version.
fn refused_unread(code: &str) -> bool {
    [
        "bad-request",
        "envelope-refused",
        "key-expired",
        "key-unknown",
        "terminal-unknown",
        "terminal-revoked",
        "suite-refused",
        "time-skew",
        "too-large",
        "too-many",
        "busy",
    ]
    .contains(&code)
}
