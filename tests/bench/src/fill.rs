//! Fills a bank's file with copies of its own real loads. What tells rows apart is made new: ids, references, cards,
//! accounts, terminals, counters, times; what only lies there is copied: the machine's JSON, sealed columns, hashes.
//! Every invariant holds afterwards. What is left out, because no load ever looks at it again: the audit log's rows (a
//! chain of keyed hashes), the text of delivered events, answers inside the replay window.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use crate::Failure;
use crate::stage::NOW_MS;

/// Loads of one card, and so of one customer: their counters are told apart.
const LOADS_OF_A_CARD: u64 = 50;
const FIRST_COUNTER: u64 = 8;
/// Fen on a customer's account before the first load.
const DEPOSIT: u64 = 1_000_000;
/// Loads in one transaction.
const CHUNK: u64 = 100_000;
/// Bits of the number that a load's id begins with: ids rise as they are made, so that the file is filled from left
/// to right, and those of real loads fall anywhere between.
const ID_BITS: u32 = 40;
/// Steps that share those numbers.
const STEPS: u64 = 8;
/// What the file grows by, bytes for each load; at most.
const BYTES: [u64; 2] = [1_100, 2_800];

/// Loads that are added at once.
pub(super) struct Portion {
    /// Another one for each portion of a file.
    pub(super) step: u64,
    /// Whether the card was loaded; else the bank refused.
    pub(super) ended: bool,
    pub(super) loads: u64,
    pub(super) terminals: u64,
}

/// Where the new rows begin.
struct Base {
    /// The load that is copied, as a literal.
    model: String,
    customer: i64,
    card: i64,
    transfer: i64,
    transition: i64,
    /// Transitions of the model.
    moves: i64,
}

pub(super) async fn fill(file: &Path, portion: &Portion) -> Result<(), Failure> {
    room(file, portion)?;
    let mut conn = SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(false)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", "-400000")
        .pragma("temp_store", "memory")
        .connect()
        .await?;
    let base = base(&mut conn, portion).await?;
    run(&mut conn, TEMPORARY.replace("{model}", &base.model)).await?;
    let cards = portion.loads.div_ceil(LOADS_OF_A_CARD);
    let sql = PEOPLE.replace("{series}", &series(0, cards));
    run(&mut conn, filled(&sql, portion, &base)).await?;
    let terminals = TERMINALS.replace("{series}", &series(0, portion.terminals));
    run(&mut conn, filled(&terminals, portion, &base)).await?;
    let mut from = 0;
    while from < portion.loads {
        let to = (from + CHUNK).min(portion.loads);
        let sql = NEW.replace("{series}", &series(from, to));
        let rest = if portion.ended { ENDED } else { "" };
        let sql = ["BEGIN;", &sql, LOADS, rest, "COMMIT;"].concat();
        run(&mut conn, filled(&sql, portion, &base)).await?;
        from = to;
    }
    run(&mut conn, BALANCES.to_owned()).await?;
    conn.close().await?;
    Ok(())
}

async fn run(conn: &mut SqliteConnection, sql: String) -> Result<(), Failure> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Numbers from and to, the latter left out.
fn series(from: u64, to: u64) -> String {
    format!(
        "WITH RECURSIVE s(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {to})"
    )
}

async fn base(conn: &mut SqliteConnection, portion: &Portion) -> Result<Base, Failure> {
    let phase = if portion.ended {
        "confirmed"
    } else {
        "declined"
    };
    // The real ones are the first rows of the file.
    let sql =
        "SELECT hex(id) FROM load WHERE phase = $1 AND kind = 'top-up' ORDER BY rowid LIMIT 1";
    let (model,): (String,) = sqlx::query_as(sql)
        .bind(phase)
        .fetch_one(&mut *conn)
        .await?;
    let sql = "SELECT count(*) FROM transition WHERE load = unhex($1)";
    let (moves,): (i64,) = sqlx::query_as(sql)
        .bind(&model)
        .fetch_one(&mut *conn)
        .await?;
    let sql = "SELECT (SELECT max(id) FROM customer), (SELECT max(id) FROM card),
        (SELECT max(id) FROM transfer), (SELECT max(id) FROM transition)";
    let (customer, card, transfer, transition): (i64, i64, i64, i64) =
        sqlx::query_as(sql).fetch_one(conn).await?;
    Ok(Base {
        model: format!("X'{model}'"),
        customer: customer + 1,
        card: card + 1,
        transfer: transfer + 1,
        transition: transition + 1,
        moves,
    })
}

/// The statements with this portion's numbers in them.
fn filled(sql: &str, portion: &Portion, base: &Base) -> String {
    let spacing = ((1_u64 << ID_BITS) / portion.loads.max(1) / STEPS).max(1) * STEPS;
    let cards = i64::try_from(portion.loads.div_ceil(LOADS_OF_A_CARD)).unwrap_or(i64::MAX);
    // One second each, and over a day ago.
    let begin_ms = NOW_MS - 90_000_000 - portion.loads * 1_000;
    let pays = if portion.ended { "1" } else { "0" };
    let numbers = [
        ("{model}", base.model.clone()),
        ("{step}", portion.step.to_string()),
        ("{spacing}", spacing.to_string()),
        ("{customer}", base.customer.to_string()),
        ("{card}", base.card.to_string()),
        ("{deposit}", base.transfer.to_string()),
        ("{transfer}", (base.transfer + cards).to_string()),
        ("{transition}", base.transition.to_string()),
        ("{moves}", base.moves.to_string()),
        ("{terminals}", portion.terminals.to_string()),
        ("{loads_of_a_card}", LOADS_OF_A_CARD.to_string()),
        ("{counter}", FIRST_COUNTER.to_string()),
        ("{fen}", DEPOSIT.to_string()),
        ("{begin_ms}", begin_ms.to_string()),
        ("{pays}", pays.to_owned()),
    ];
    let mut out = sql.to_owned();
    for (name, number) in numbers {
        out = out.replace(name, &number);
    }
    out
}

#[cfg(unix)]
fn room(file: &Path, portion: &Portion) -> Result<(), Failure> {
    let needed = portion.loads * BYTES[usize::from(portion.ended)];
    let disk = rustix::fs::statvfs(file)?;
    let free = disk.f_bavail * disk.f_frsize;
    // As much again stays for others.
    if free / 2 < needed {
        let gb = needed / 1_000_000_000;
        return Err(format!("the disk has no room for {gb} GB more: --most=LOADS").into());
    }
    Ok(())
}

#[cfg(not(unix))]
fn room(_: &Path, _: &Portion) -> Result<(), Failure> {
    let _bytes = BYTES;
    Ok(())
}

/// The loads of one chunk, and the model's transitions by their place.
const TEMPORARY: &str = "
CREATE TEMP TABLE new (n INTEGER PRIMARY KEY, id BLOB, reference TEXT, terminal TEXT, card INTEGER,
    account INTEGER, counter INTEGER, shard TEXT, at_ms INTEGER);
CREATE TEMP TABLE move AS SELECT row_number() OVER (ORDER BY id) - 1 AS place, from_phase, to_phase
    FROM transition WHERE load = {model};
";

/// Customers with one card each, and the money on their accounts.
const PEOPLE: &str = "
INSERT INTO customer (id, phone_hash, phone_sealed, password_salt, password_hash, password_rounds, tries_left,
    activation_tries_left)
    {series} SELECT {customer} + s.n, randomblob(32), phone_sealed, password_salt, password_hash, password_rounds,
    tries_left, activation_tries_left FROM s CROSS JOIN customer AS model ON model.id = 1;
INSERT INTO card (id, industry, number_hash, tail, customer, status, counter_seen, counter_confirmed)
    {series} SELECT {card} + n, '0001', randomblob(32), printf('%04d', n % 10000), {customer} + n, 'normal',
    {counter} + {loads_of_a_card}, CASE {pays} WHEN 1 THEN {counter} + {loads_of_a_card} ELSE -1 END FROM s;
INSERT INTO account (name, balance)
    {series} SELECT 'customer:' || ({customer} + n),
    {fen} - {pays} * {loads_of_a_card} * (SELECT amount FROM load WHERE id = {model}) FROM s;
INSERT INTO transfer (id, kind, at_ms) {series} SELECT {deposit} + n, 'deposit', {begin_ms} FROM s;
INSERT INTO entry (transfer, account, amount)
    {series} SELECT {deposit} + n, printf('funding:%02d', ({customer} + n) % 64), -{fen} FROM s;
INSERT INTO entry (transfer, account, amount)
    {series} SELECT {deposit} + n, 'customer:' || ({customer} + n), {fen} FROM s;
";

/// Terminals with a working key each. Nobody has their keys: they never ask again.
const TERMINALS: &str = "
INSERT INTO terminal (id, master_wrapped, suite, lowest_suite, state, device, nonce_hash, enrolled_ms)
    {series} SELECT printf('9{step}%010d', n), master_wrapped, suite, lowest_suite, state, device, randomblob(32),
    enrolled_ms FROM s CROSS JOIN (SELECT * FROM terminal ORDER BY rowid LIMIT 1);
INSERT INTO working_key (terminal, id, suite, wrapped, not_before_ms, expires_ms, highest, seen)
    {series} SELECT printf('9{step}%010d', n), id, suite, wrapped, not_before_ms, expires_ms, highest, seen
    FROM s CROSS JOIN (SELECT * FROM working_key ORDER BY rowid LIMIT 1);
";

/// An id is its number twice and the shard: all bytes together come to the shard, as the ledger wants it.
const NEW: &str = "
DELETE FROM new;
INSERT INTO new
    {series} SELECT n, unhex(printf('%010x%010x%02x0000000000', at, at, n % 64)),
    'TF-' || upper(substr(printf('%010x', at), 1, 4)) || '-' || upper(substr(printf('%010x', at), 5)),
    printf('9{step}%010d', n % {terminals}), {card} + n / {loads_of_a_card}, {customer} + n / {loads_of_a_card},
    {counter} + n % {loads_of_a_card}, printf('%02d', n % 64), {begin_ms} + n * 1000
    FROM (SELECT n, n * {spacing} + {step} AS at FROM s);
";

/// What every load has.
const LOADS: &str = "
INSERT INTO load (id, reference, kind, terminal, card, account, amount, phase, proof, proof_counter, operators,
    confirmed_counter, machine, card_sealed, requested_ms, changed_ms)
    SELECT new.id, new.reference, model.kind, new.terminal, new.card, new.account, model.amount, model.phase,
    model.proof, model.proof_counter, model.operators, CASE {pays} WHEN 1 THEN new.counter END, model.machine,
    model.card_sealed, new.at_ms, new.at_ms FROM new CROSS JOIN load AS model ON model.id = {model};
INSERT INTO transition (id, load, from_phase, to_phase, at_ms)
    SELECT {transition} + new.n * {moves} + place, new.id, from_phase, to_phase, new.at_ms FROM new CROSS JOIN move;
INSERT INTO outbox (kind, transition, created_ms, delivered_ms)
    SELECT 'load-moved', {transition} + new.n * {moves} + place, new.at_ms, new.at_ms FROM new CROSS JOIN move;
";

/// What a load has that went on the card.
const ENDED: &str = "
INSERT INTO attempt (load, number, card, account, amount, counter, balance, terminal, host_time, issued_ms)
    SELECT new.id, model.number, new.card, new.account, model.amount, new.counter, model.balance, new.terminal,
    model.host_time, new.at_ms FROM new CROSS JOIN attempt AS model ON model.load = {model};
INSERT INTO transfer (id, kind, load, at_ms)
    SELECT {transfer} + new.n * 2 + place, kind, new.id, new.at_ms FROM new
    CROSS JOIN (SELECT 0 AS place, 'debit' AS kind UNION ALL SELECT 1, 'credit');
INSERT INTO entry (transfer, account, amount)
    SELECT {transfer} + new.n * 2 + place, CASE who WHEN 'customer:' THEN who || new.account ELSE who || new.shard END,
    sign * (SELECT amount FROM load WHERE id = {model}) FROM new
    CROSS JOIN (SELECT 0 AS place, 'customer:' AS who, -1 AS sign UNION ALL SELECT 0, 'in-transit:', 1
        UNION ALL SELECT 1, 'in-transit:', -1 UNION ALL SELECT 1, 'card-float:', 1);
INSERT INTO exchange (id, terminal, operation, industry, next_step, awaits, load, refund, at_ms)
    SELECT new.id, new.terminal, operation, industry, next_step, awaits, new.id, refund, new.at_ms
    FROM new CROSS JOIN exchange AS model ON model.id = {model};
INSERT INTO reply (exchange, step, request_hash, sealed, at_ms)
    SELECT new.id, step, request_hash, sealed, new.at_ms
    FROM new CROSS JOIN reply AS model ON model.exchange = {model};
INSERT INTO sms_code (stem, terminal, industry, card_tail, card, ceiling, code_hash, sent_ms, sends, tries_left,
    verified_ms, spent_ms)
    SELECT substr(new.id, 1, 15), new.terminal, industry, card_tail, new.card, ceiling, code_hash, new.at_ms, sends,
    tries_left, new.at_ms, new.at_ms FROM new
    CROSS JOIN sms_code AS model ON model.stem = substr({model}, 1, 15);
";

/// The bank's own accounts hold what their entries come to.
const BALANCES: &str = "
WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 63)
INSERT OR IGNORE INTO account (name) SELECT who || printf(':%02d', n) FROM s
    CROSS JOIN (SELECT 'in-transit' AS who UNION ALL SELECT 'card-float' UNION ALL SELECT 'funding');
UPDATE account SET balance = (SELECT coalesce(sum(amount), 0) FROM entry WHERE entry.account = account.name)
    WHERE name NOT LIKE 'customer:%';
";
