//! The transaction server: sealed relay messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::response::Response;
use axum::routing::post;
use envelope::keys::{KeyHealth, WorkingKey};
use envelope::replay::{Freshness, Window};
use envelope::seal::{self, Header};
use envelope::{Direction, Terminal};
use subtle::ConstantTimeEq;

use crate::bank::Bank;
use crate::corebank::Ask;
use crate::error::Problem;
use crate::flow::{self, Ran};
use crate::http::{limited, problem, respond};
use crate::peer;
use crate::store::{Conn, audit, commit, statements, terminal};
use crate::vault::{Purpose, random};

/// Clocks further apart than this are told the bank's time.
pub(crate) const MOST_SKEW_MS: u64 = 5 * 60 * 1_000;

pub(crate) fn routes() -> Router<Arc<Bank>> {
    Router::new().route("/v1/relay", post(relay))
}

async fn relay(State(bank): State<Arc<Bank>>, request: Request) -> Response {
    let work = |bank: Arc<Bank>, asked: super::Asked| async move {
        // A task of its own: a peer that hangs up in the middle must not stop a commit half-way through its work.
        let cost = bank.metrics.cost.clone();
        let work = async move { answer(&bank, &asked).await };
        let task = tokio::spawn(statements::counted(cost, work));
        task.await.map_err(Problem::internal)?
    };
    let began = Instant::now();
    match limited(bank, request, work).await {
        Ok(sealed) => {
            let answer = respond(200, "application/octet-stream", sealed, None);
            timed(answer, began.elapsed())
        }
        Err(error) => problem(error),
    }
}

/// With the bank's own time, so that a terminal can tell it from the network's (W3C Server-Timing, whole ms). Only on
/// answers that a terminal's key has earned: nobody else learns how long anything takes.
fn timed(mut answer: Response, took: Duration) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("bank;dur={}", took.as_millis())) {
        answer.headers_mut().insert("server-timing", value);
    }
    answer
}

async fn answer(bank: &Bank, asked: &super::Asked) -> Result<Vec<u8>, Problem> {
    let now_ms = bank.now_ms();
    let Opened {
        key,
        mut window,
        header,
        message,
    } = open(bank, asked, now_ms).await?;
    let asked = flow::prepare(bank, (header.terminal, &key), &message, now_ms).await?;
    let hash = bank.vault.hash(Purpose::Request, &[&message]);
    let place = (&header.terminal, header.key_id, header.counter);
    let shard = match asked.transaction() {
        Some(load) => bank.shards.of(&bank.store, load).await,
        None => None,
    };
    let may_ask = bank.core.host().is_some();
    let first = commit!(bank.store, conn => {
        let Some(windows) = windows(conn, place, window.take()).await? else {
            let answer = repeated(bank, conn, place, &hash, now_ms).await?;
            return Ok(First::Answered(answer, false));
        };
        // What is checked when it is heard goes first: nothing has to be heard again before the commit.
        if !may_ask {
            terminal::move_window(conn, place, windows).await?;
        }
        match flow::run(bank, conn, &asked, now_ms).await? {
            // The counter stays unused: whoever repeats it meanwhile is answered from the load alone.
            Ran::Asks(ask) => Ok::<_, Problem>(First::Asks(ask)),
            Ran::Replied(reply) => {
                if may_ask {
                    terminal::move_window(conn, place, windows).await?;
                }
                let sealed = sealed(&key, header, &reply, now_ms)?;
                terminal::keep_answer(conn, place, windows.1.highest, (&hash, &sealed)).await?;
                Ok(First::Answered(Some(sealed), is_of_no_card(&reply)))
            }
        }
    })?;
    let (answer, is_of_no_card) = match first {
        First::Answered(answer, is_of_no_card) => (answer, is_of_no_card),
        First::Asks(ask) => {
            drop(shard);
            let host = bank
                .core
                .host()
                .ok_or_else(|| Problem::internal("no host"))?;
            let said = host.load(&ask).await;
            let now_ms = bank.now_ms();
            let answer = commit!(bank.store, conn => {
                let Some(windows) = windows(conn, place, window.take()).await? else {
                    return repeated(bank, conn, place, &hash, now_ms).await;
                };
                terminal::move_window(conn, place, windows).await?;
                let reply = flow::settle(bank, conn, &asked, (&ask, &said), now_ms).await?;
                let sealed = sealed(&key, header, &reply, now_ms)?;
                terminal::keep_answer(conn, place, windows.1.highest, (&hash, &sealed)).await?;
                Ok::<_, Problem>(Some(sealed))
            });
            let answer = answer.map_err(Problem::after_an_effect)?;
            host.owed.notify_one();
            (answer, false)
        }
    };
    bank.outbox.notify_one();
    // Where it fails, the next one forgets more.
    let _later = terminal::forget_answers(bank, place).await;
    if is_of_no_card {
        bank.rates.card_unknown(&header.terminal);
    }
    answer.ok_or_else(|| Problem::refused(409, "replay"))
}

/// What the first commit of a message gave.
enum First {
    /// As it goes out, none to another message under a known counter; and whether the bank knows no such card.
    Answered(Option<Vec<u8>>, bool),
    /// A core banking host is asked before there is an answer.
    Asks(Ask),
}

/// The counters that were seen, without and with this one; none when it was seen before. `read` is how they were when
/// the message was opened: whether they still are is found out when they are written.
async fn windows(
    conn: &mut Conn,
    (who, key_id, counter): (&Terminal, u32, u64),
    read: Option<Window>,
) -> Result<Option<(Window, Window)>, Problem> {
    let before = match read {
        Some(window) => window,
        None => terminal::window(conn, who, key_id).await?,
    };
    let mut window = before;
    match window.accept(counter) {
        Freshness::New => Ok(Some((before, window))),
        Freshness::Seen => Ok(None),
        Freshness::TooOld => Err(Problem::refused(409, "replay")),
    }
}

fn sealed(key: &WorkingKey, header: Header, reply: &[u8], now_ms: u64) -> Result<Vec<u8>, Problem> {
    let header = Header {
        direction: Direction::ToTerminal,
        time_ms: now_ms,
        ..header
    };
    seal::seal(key, &header, reply, &random()?).map_err(Problem::internal)
}

/// What was answered to the same message; none to another one under its counter, and that is an incident.
async fn repeated(
    bank: &Bank,
    conn: &mut Conn,
    place: (&Terminal, u32, u64),
    hash: &[u8; 32],
    now_ms: u64,
) -> Result<Option<Vec<u8>>, Problem> {
    if let Some((seen, answer)) = terminal::answered(conn, place).await?
        && seen.ct_eq(&hash[..]).into()
    {
        return Ok(Some(answer));
    }
    let who = place.0.to_string();
    audit::incident(bank, conn, ("replay", &who), None, now_ms).await?;
    Ok(None)
}

/// Whether this closing message says that the bank knows no such card.
fn is_of_no_card(reply: &[u8]) -> bool {
    let closing = reply.first() == Some(&b'A');
    let message = closing.then(|| relay::Message::parse(reply).ok()).flatten();
    message.is_some_and(|it| it.body.outcome.as_deref() == Some("card-unknown"))
}

/// A message that one of a terminal's keys opens.
struct Opened {
    key: WorkingKey,
    /// Until it was used once: whoever runs again reads it anew.
    window: Option<Window>,
    header: Header,
    message: zeroize::Zeroizing<Vec<u8>>,
}

async fn open(bank: &Bank, asked: &super::Asked, now_ms: u64) -> Result<Opened, Problem> {
    let envelope = asked.body();
    let header = seal::peek(envelope).map_err(|_| Problem::envelope_refused())?;
    let mut conn = bank.store.read().await?;
    let of = (&header.terminal, header.key_id);
    let (known, key) = terminal::with_key(bank, &mut conn, of.0, of.1)
        .await?
        .unzip();
    let known = usable(known)?;
    owns(bank, &known, asked)?;
    if header.suite < known.lowest {
        return Err(Problem::refused(403, "suite-refused"));
    }
    let (key, window) = key
        .flatten()
        .ok_or_else(|| Problem::refused(403, "key-unknown"))?;
    let opened = seal::open(&key, envelope, Direction::ToBank);
    let (header, message) = opened.map_err(|_| Problem::envelope_refused())?;
    bank.rates.terminal(&header.terminal)?;
    bank.rates.cards(&header.terminal)?;
    match key.facts().health(now_ms, 0) {
        KeyHealth::Good | KeyHealth::Expiring => {}
        KeyHealth::Expired => return Err(Problem::refused(403, "key-expired")),
        KeyHealth::NotYet => return Err(Problem::refused(403, "key-unknown")),
    }
    if header.time_ms.abs_diff(now_ms) > MOST_SKEW_MS {
        return Err(Problem::time_skew(now_ms));
    }
    Ok(Opened {
        key,
        window: Some(window),
        header,
        message,
    })
}

/// The connection is the terminal's own, where this bank asks for that.
pub(crate) fn owns(
    bank: &Bank,
    row: &terminal::TerminalRow,
    asked: &super::Asked,
) -> Result<(), Problem> {
    let peer = asked.extensions().get().copied().unwrap_or_default();
    peer::owns(bank.settings.bank.client_certificates, row, peer)
}

pub(crate) fn usable(
    known: Option<terminal::TerminalRow>,
) -> Result<terminal::TerminalRow, Problem> {
    let known = known.ok_or_else(|| Problem::refused(403, "terminal-unknown"))?;
    match known.state {
        terminal::State::Active => Ok(known),
        terminal::State::Revoked => Err(Problem::refused(403, "terminal-revoked")),
        // Only a copy of an old keystore still speaks for it.
        terminal::State::Replaced => Err(Problem::refused(403, "terminal-unknown")),
    }
}

/// A terminal's number from the digits of a header.
pub(crate) fn terminal_of(digits: &str) -> Result<Terminal, Problem> {
    digits.parse().map_err(|_| Problem::bad_request())
}
