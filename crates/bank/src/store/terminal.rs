//! Terminals, their keys (wrapped under the store key) and what was already seen from them.

use envelope::keys::{KeyFacts, MasterKey, WorkingKey};
use envelope::replay::Window;
use envelope::{Suite, Terminal};

use crate::bank::Bank;
use crate::error::Problem;
use crate::http::transaction::MOST_SKEW_MS;
use crate::store::row::row;
use crate::store::{Conn, array, narrow, signed, unsigned};

/// Working keys of one terminal that are kept: what is older than these was replaced long ago.
const KEYS_KEPT: i64 = 8;
/// Answers that a repeated counter can ask for: the highest and the 64 below.
const WINDOW: u64 = 65;
/// Counters between two times of forgetting.
const FORGOTTEN_EACH: u64 = 32;

pub(crate) struct TerminalRow {
    pub(crate) terminal: Terminal,
    pub(crate) master: MasterKey,
    pub(crate) suite: Suite,
    pub(crate) lowest: Suite,
    pub(crate) state: State,
    pub(crate) enrolled_ms: u64,
    /// The terminal that ends with the first request of this one.
    pub(crate) replaces: Option<Terminal>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    Active,
    /// By the bank, for good.
    Revoked,
    /// Another one took its place and is in use.
    Replaced,
}

/// A terminal that is enrolled now.
pub(crate) struct NewTerminal<'a> {
    pub(crate) row: TerminalRow,
    pub(crate) previous: Option<Terminal>,
    pub(crate) device: &'a str,
    pub(crate) nonce_hash: [u8; 32],
}

row! {
    struct Row {
        id: String,
        master_wrapped: Vec<u8>,
        suite: i64,
        lowest_suite: i64,
        state: String,
        enrolled_ms: i64,
        replaces: Option<String>,
    }
}

row! {
    /// The same with one of its keys, when there is that one.
    struct RowWithKey {
        ..terminal: Row,
        wrapped: Option<Vec<u8>>,
        key_suite: Option<i64>,
        not_before_ms: Option<i64>,
        expires_ms: Option<i64>,
        highest: Option<i64>,
        seen: Option<i64>,
    }
}

pub(crate) async fn find(
    bank: &Bank,
    conn: &mut Conn,
    terminal: &Terminal,
) -> Result<Option<TerminalRow>, Problem> {
    let row: Option<Row> = conn
        .sql(
            "SELECT id, master_wrapped, suite, lowest_suite, state, enrolled_ms, replaces
         FROM terminal WHERE bank = $1 AND id = $2",
        )
        .bind(terminal.to_string())
        .optional()
        .await?;
    row.map(|row| read(bank, row)).transpose()
}

/// A working key with the counters that were seen under it.
pub(crate) type KeyInUse = (WorkingKey, Window);

/// What a terminal's message is opened with: the terminal and its key of this number.
pub(crate) async fn with_key(
    bank: &Bank,
    conn: &mut Conn,
    terminal: &Terminal,
    key_id: u32,
) -> Result<Option<(TerminalRow, Option<KeyInUse>)>, Problem> {
    let row: Option<RowWithKey> = conn
        .sql(
            "SELECT terminal.id, master_wrapped, terminal.suite, lowest_suite, state, enrolled_ms, replaces,
             wrapped, working_key.suite AS key_suite, not_before_ms, expires_ms, highest, seen
         FROM terminal LEFT JOIN working_key ON working_key.bank = terminal.bank
             AND working_key.terminal = terminal.id AND working_key.id = $3
         WHERE terminal.bank = $1 AND terminal.id = $2",
        )
        .bind(terminal.to_string())
        .bind(key_id)
        .optional()
        .await?;
    let Some(row) = row else { return Ok(None) };
    let wrapped = row.wrapped.zip(row.key_suite);
    let life = row.not_before_ms.zip(row.expires_ms);
    let key = match wrapped.zip(life).zip(row.highest.zip(row.seen)) {
        Some((((wrapped, suite), (from, to)), seen)) => {
            let place = (terminal, key_id);
            let key = unwrapped(bank, place, (wrapped, suite, from, to))?;
            Some((key, window_of(seen)))
        }
        None => None,
    };
    Ok(Some((read(bank, row.terminal)?, key)))
}

/// The terminal that this very enrolment request made before.
pub(crate) async fn by_nonce(
    bank: &Bank,
    conn: &mut Conn,
    nonce_hash: &[u8; 32],
) -> Result<Option<TerminalRow>, Problem> {
    let row: Option<Row> = conn
        .sql(
            "SELECT id, master_wrapped, suite, lowest_suite, state, enrolled_ms, replaces
         FROM terminal WHERE bank = $1 AND nonce_hash = $2",
        )
        .bind(&nonce_hash[..])
        .optional()
        .await?;
    row.map(|row| read(bank, row)).transpose()
}

fn read(bank: &Bank, row: Row) -> Result<TerminalRow, Problem> {
    let number = |id: &str| id.parse::<Terminal>().map_err(Problem::internal);
    let name = format!("master-key {}", row.id);
    let master = bank.vault.open(&name, &row.master_wrapped)?;
    Ok(TerminalRow {
        terminal: number(&row.id)?,
        master: MasterKey::try_from(master.as_slice()).map_err(Problem::internal)?,
        suite: suite(row.suite)?,
        lowest: suite(row.lowest_suite)?,
        state: match row.state.as_str() {
            "active" => State::Active,
            "replaced" => State::Replaced,
            _ => State::Revoked,
        },
        enrolled_ms: unsigned(row.enrolled_ms)?,
        replaces: row.replaces.as_deref().map(number).transpose()?,
    })
}

pub(crate) async fn insert(
    bank: &Bank,
    conn: &mut Conn,
    new: &NewTerminal<'_>,
) -> Result<(), Problem> {
    let id = new.row.terminal.to_string();
    conn.sql(
        "INSERT INTO terminal (bank, id, master_wrapped, suite, lowest_suite, state, previous, device,
         nonce_hash, enrolled_ms, replaces) VALUES ($1, $2, $3, $4, $5, 'active', $6, $7, $8, $9, $10)",
    )
    .bind(&id)
    .bind(
        bank.vault
            .seal(&format!("master-key {id}"), new.row.master.expose())?,
    )
    .bind(new.row.suite.number())
    .bind(new.row.lowest.number())
    .bind(new.previous.map(|previous| previous.to_string()))
    .bind(new.device)
    .bind(&new.nonce_hash[..])
    .bind(signed(new.row.enrolled_ms))
    .bind(new.row.replaces.map(|replaced| replaced.to_string()))
    .send()
    .await
}

/// The successor is in use: its predecessor ends.
pub(crate) async fn take_over(
    conn: &mut Conn,
    terminal: &Terminal,
    replaced: &Terminal,
) -> Result<(), Problem> {
    let end = "UPDATE terminal SET state = 'replaced'
         WHERE bank = $1 AND id = $2 AND state = 'active'";
    conn.sql(end).bind(replaced.to_string()).send().await?;
    conn.sql("UPDATE terminal SET replaces = NULL WHERE bank = $1 AND id = $2")
        .bind(terminal.to_string())
        .send()
        .await
}

/// Revoked for good; false when there is no such terminal.
pub(crate) async fn revoke(conn: &mut Conn, terminal: &Terminal) -> Result<bool, Problem> {
    let done = conn
        .sql("UPDATE terminal SET state = 'revoked' WHERE bank = $1 AND id = $2")
        .bind(terminal.to_string())
        .execute()
        .await?;
    Ok(done > 0)
}

pub(crate) async fn next_key_id(conn: &mut Conn, terminal: &Terminal) -> Result<u32, Problem> {
    let last: Option<i64> = conn
        .sql("SELECT max(id) FROM working_key WHERE bank = $1 AND terminal = $2")
        .bind(terminal.to_string())
        .value()
        .await?;
    narrow(last.unwrap_or(0) + 1)
}

pub(crate) async fn insert_key(
    bank: &Bank,
    conn: &mut Conn,
    terminal: &Terminal,
    key: &WorkingKey,
) -> Result<(), Problem> {
    let (id, facts) = (terminal.to_string(), key.facts());
    conn.sql(
        "INSERT INTO working_key (bank, terminal, id, suite, wrapped, not_before_ms, expires_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&id)
    .bind(facts.id)
    .bind(facts.suite.number())
    .bind(
        bank.vault
            .seal(&format!("working-key {id} {}", facts.id), key.expose())?,
    )
    .bind(signed(facts.not_before_ms))
    .bind(signed(facts.expires_ms))
    .execute()
    .await?;
    let oldest = i64::from(facts.id) - KEYS_KEPT;
    for sql in [
        "DELETE FROM working_key WHERE bank = $1 AND terminal = $2 AND id <= $3",
        "DELETE FROM answered WHERE bank = $1 AND terminal = $2 AND key_id <= $3",
    ] {
        conn.sql(sql).bind(&id).bind(oldest).send().await?;
    }
    Ok(())
}

pub(crate) async fn key(
    bank: &Bank,
    conn: &mut Conn,
    terminal: &Terminal,
    key_id: u32,
) -> Result<Option<WorkingKey>, Problem> {
    let row: Option<(Vec<u8>, i64, i64, i64)> = conn
        .sql(
            "SELECT wrapped, suite, not_before_ms, expires_ms FROM working_key
         WHERE bank = $1 AND terminal = $2 AND id = $3",
        )
        .bind(terminal.to_string())
        .bind(key_id)
        .optional()
        .await?;
    row.map(|row| unwrapped(bank, (terminal, key_id), row))
        .transpose()
}

fn unwrapped(
    bank: &Bank,
    (terminal, key_id): (&Terminal, u32),
    (wrapped, number, not_before, expires): (Vec<u8>, i64, i64, i64),
) -> Result<WorkingKey, Problem> {
    let plain = bank
        .vault
        .open(&format!("working-key {terminal} {key_id}"), &wrapped)?;
    let facts = KeyFacts {
        id: key_id,
        suite: suite(number)?,
        not_before_ms: unsigned(not_before)?,
        expires_ms: unsigned(expires)?,
    };
    Ok(WorkingKey::new(facts, array(&plain)?))
}

pub(crate) async fn window(
    conn: &mut Conn,
    terminal: &Terminal,
    key_id: u32,
) -> Result<Window, Problem> {
    let seen: (i64, i64) = conn
        .sql("SELECT highest, seen FROM working_key WHERE bank = $1 AND terminal = $2 AND id = $3")
        .bind(terminal.to_string())
        .bind(key_id)
        .one()
        .await?;
    Ok(window_of(seen))
}

/// All 64 bits of `seen` are flags: the sign of the stored number means nothing.
fn window_of((highest, seen): (i64, i64)) -> Window {
    Window {
        highest: highest.cast_unsigned(),
        seen: seen.cast_unsigned(),
    }
}

/// Moves the window by one counter. Where it is not as it was taken to be, another message was faster: whoever runs again
/// reads it.
pub(crate) async fn move_window(
    conn: &mut Conn,
    (terminal, key_id, _): (&Terminal, u32, u64),
    (before, window): (Window, Window),
) -> Result<(), Problem> {
    conn.sql(
        "UPDATE working_key SET highest = $2, seen = $3
         WHERE bank = $1 AND terminal = $4 AND id = $5 AND highest = $6 AND seen = $7",
    )
    .bind(window.highest.cast_signed())
    .bind(window.seen.cast_signed())
    .bind(terminal.to_string())
    .bind(key_id)
    .bind(before.highest.cast_signed())
    .bind(before.seen.cast_signed())
    .send_one(|| Problem::overtaken("a message of this key came first"))
    .await
}

/// Keeps the sealed answer of one counter, in the commit of the effect.
pub(crate) async fn keep_answer(
    conn: &mut Conn,
    (terminal, key_id, counter): (&Terminal, u32, u64),
    highest: u64,
    (request_hash, answer): (&[u8; 32], &[u8]),
) -> Result<(), Problem> {
    let terminal = terminal.to_string();
    conn.sql(
        "INSERT INTO answered (bank, terminal, key_id, counter, request_hash, answer)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&terminal)
    .bind(key_id)
    .bind(counter.cast_signed())
    .bind(&request_hash[..])
    .bind(answer)
    .send()
    .await?;
    match conn.is_sqlite() && counter % FORGOTTEN_EACH == 0 {
        true => forget_below(conn, (&terminal, key_id), highest).await,
        false => Ok(()),
    }
}

/// Of a server, where it is a commit of its own: it reads where others insert. Now and then is enough: more are kept
/// than can be asked for, never fewer.
pub(crate) async fn forget_answers(
    bank: &Bank,
    (terminal, key_id, counter): (&Terminal, u32, u64),
) -> Result<(), Problem> {
    if counter % FORGOTTEN_EACH != 0 {
        return Ok(());
    }
    match bank.store.ahead().await? {
        Some(mut conn) => forget_below(&mut conn, (&terminal.to_string(), key_id), counter).await,
        None => Ok(()),
    }
}

async fn forget_below(
    conn: &mut Conn,
    (terminal, key_id): (&str, u32),
    counter: u64,
) -> Result<(), Problem> {
    let old = "DELETE FROM answered
         WHERE bank = $1 AND terminal = $2 AND key_id = $3 AND counter <= $4";
    conn.sql(old)
        .bind(terminal)
        .bind(key_id)
        .bind(signed(counter.saturating_sub(WINDOW)))
        .send()
        .await
}

/// The hash of the request and the sealed answer of a counter.
pub(crate) async fn answered(
    conn: &mut Conn,
    (terminal, key_id, counter): (&Terminal, u32, u64),
) -> Result<Option<(Vec<u8>, Vec<u8>)>, Problem> {
    conn.sql(
        "SELECT request_hash, answer FROM answered
         WHERE bank = $1 AND terminal = $2 AND key_id = $3 AND counter = $4",
    )
    .bind(terminal.to_string())
    .bind(key_id)
    .bind(counter.cast_signed())
    .optional()
    .await
}

/// False when this nonce came before.
pub(crate) async fn fresh_nonce(
    conn: &mut Conn,
    terminal: &Terminal,
    nonce: &[u8],
    now_ms: u64,
) -> Result<bool, Problem> {
    let done = conn
        .sql(
            "INSERT INTO nonce (bank, terminal, nonce, at_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        )
        .bind(terminal.to_string())
        .bind(nonce)
        .bind(signed(now_ms))
        .execute()
        .await?;
    Ok(done > 0)
}

/// Whether there is a nonce whose time is refused by now.
pub(crate) async fn old_nonces(conn: &mut Conn, now_ms: u64) -> Result<bool, Problem> {
    let old: Option<(i64,)> = conn
        .sql("SELECT at_ms FROM nonce WHERE bank = $1 AND at_ms < $2 LIMIT 1")
        .bind(oldest_ms(now_ms))
        .optional()
        .await?;
    Ok(old.is_some())
}

pub(crate) async fn forget_nonces(conn: &mut Conn, now_ms: u64) -> Result<(), Problem> {
    conn.sql("DELETE FROM nonce WHERE bank = $1 AND at_ms < $2")
        .bind(oldest_ms(now_ms))
        .send()
        .await
}

fn oldest_ms(now_ms: u64) -> i64 {
    signed(now_ms.saturating_sub(3 * MOST_SKEW_MS))
}

fn suite(number: i64) -> Result<Suite, Problem> {
    Suite::try_from(narrow::<u8>(number)?).map_err(Problem::internal)
}
