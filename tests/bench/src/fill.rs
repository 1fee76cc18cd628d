//! Fills a bank's store with copies of its own real loads. What tells rows apart is made new: ids, references, cards,
//! accounts, terminals, counters, times; what only lies there is copied: the machine's JSON, sealed columns, hashes.
//! Every invariant holds afterwards. What is left out, because no load ever looks at it again: the audit log's rows (a
//! chain of keyed hashes), the text of delivered events, answers inside the replay window.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use crate::Failure;
use crate::stage::NOW_MS;

/// Loads of one card, and so of one customer: their counters are told apart.
const LOADS_OF_A_CARD: u64 = 50;
const FIRST_COUNTER: u64 = 8;
/// Fen on a customer's account before the first load.
const DEPOSIT: u64 = 1_000_000;
/// Loads in one transaction.
const CHUNK: u64 = 100_000;
/// Bits of the number that a load's id begins with: ids rise as they are made, so that the store is filled from left
/// to right, and those of real loads fall anywhere between.
const ID_BITS: u32 = 40;
/// Steps that share those numbers.
const STEPS: u64 = 8;
/// What a file grows by, bytes for each load; at most.
const BYTES: [u64; 2] = [1_100, 2_800];

/// Loads that are added at once.
pub(crate) struct Portion {
    /// Another one for each portion of a file.
    pub(crate) step: u64,
    /// Whether the card was loaded; else the bank refused.
    pub(crate) ended: bool,
    pub(crate) loads: u64,
    pub(crate) terminals: u64,
}

pub(crate) async fn file(file: &Path, portion: &Portion) -> Result<(), Failure> {
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
    for sql in statements(portion) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await?;
    }
    conn.close().await?;
    Ok(())
}

pub(crate) async fn server(url: &str, portion: &Portion) -> Result<(), Failure> {
    let mut conn = PgConnection::connect(url).await?;
    sqlx::raw_sql(AS_IN_A_FILE).execute(&mut conn).await?;
    for sql in statements(portion) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await?;
    }
    for sql in [AS_BEFORE, "VACUUM ANALYZE"] {
        sqlx::raw_sql(sql).execute(&mut conn).await?;
    }
    conn.close().await?;
    Ok(())
}

/// In their order.
fn statements(portion: &Portion) -> Vec<String> {
    let cards = portion.loads.div_ceil(LOADS_OF_A_CARD);
    let mut all = vec![
        TEMPORARY.to_owned(),
        PEOPLE.replace("{series}", &series(0, cards)),
        TERMINALS.replace("{series}", &series(0, portion.terminals)),
    ];
    let mut from = 0;
    while from < portion.loads {
        let to = (from + CHUNK).min(portion.loads);
        let sql = NEW.replace("{series}", &series(from, to));
        let rest = if portion.ended { ENDED } else { "" };
        all.push(["BEGIN;", &sql, LOADS, rest, "COMMIT;"].concat());
        from = to;
    }
    all.push(BALANCES.to_owned());
    all.iter().map(|sql| filled(sql, portion)).collect()
}

/// Numbers from and to, the latter left out.
fn series(from: u64, to: u64) -> String {
    format!(
        "WITH RECURSIVE s(n) AS (SELECT CAST({from} AS BIGINT) UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {to})"
    )
}

/// A statement with this portion's numbers in it.
fn filled(sql: &str, portion: &Portion) -> String {
    let spacing = ((1_u64 << ID_BITS) / portion.loads.max(1) / STEPS).max(1) * STEPS;
    // One second each, and over a day ago.
    let begin_ms = NOW_MS - 90_000_000 - portion.loads * 1_000;
    let (phase, pays) = match portion.ended {
        true => ("confirmed", 1),
        false => ("declined", 0),
    };
    let numbers = [
        ("{phase}", phase.to_owned()),
        ("{step}", portion.step.to_string()),
        ("{spacing}", spacing.to_string()),
        (
            "{cards}",
            portion.loads.div_ceil(LOADS_OF_A_CARD).to_string(),
        ),
        ("{terminals}", portion.terminals.to_string()),
        ("{loads_of_a_card}", LOADS_OF_A_CARD.to_string()),
        ("{counter}", FIRST_COUNTER.to_string()),
        ("{fen}", DEPOSIT.to_string()),
        ("{begin_ms}", begin_ms.to_string()),
        ("{pays}", pays.to_string()),
    ];
    // Where the new rows begin.
    let begins = [
        "model",
        "customer",
        "card",
        "deposit",
        "transfer",
        "transition",
        "moves",
    ];
    let begins = begins.map(|name| (format!("{{{name}}}"), format!("(SELECT {name} FROM base)")));
    let mut out = sql.to_owned();
    for (name, number) in numbers {
        out = out.replace(name, &number);
    }
    for (name, number) in begins {
        out = out.replace(&name, &number);
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

/// What a server lacks of a file's ways: the bank's number by itself, and functions. Nothing is checked: all of it is
/// right, and checked afterwards as a whole.
const AS_IN_A_FILE: &str = r"
SET session_replication_role = replica;
SET enable_seqscan = on;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT table_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND column_name = 'bank'
    LOOP EXECUTE format('ALTER TABLE %I ALTER COLUMN bank SET DEFAULT 1', name); END LOOP;
END $$;
CREATE FUNCTION randomblob(length INT) RETURNS BYTEA LANGUAGE sql VOLATILE AS
    $$ SELECT decode(md5(random()::TEXT) || md5(random()::TEXT), 'hex') $$;
CREATE FUNCTION unhex(digits TEXT) RETURNS BYTEA LANGUAGE sql IMMUTABLE AS $$ SELECT decode(digits, 'hex') $$;
CREATE FUNCTION printf(how TEXT, VARIADIC numbers BIGINT[]) RETURNS TEXT LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE number BIGINT; place TEXT[]; BEGIN
    FOREACH number IN ARRAY numbers LOOP
        place := regexp_match(how, '%0(\d+)([dx])');
        how := regexp_replace(how, '%0\d+[dx]',
            lpad(CASE place[2] WHEN 'x' THEN to_hex(number) ELSE number::TEXT END, place[1]::INT, '0'));
    END LOOP;
    RETURN how;
END $$;
";

/// Rows that come from now on get numbers above.
const AS_BEFORE: &str = "
DROP FUNCTION randomblob, unhex, printf;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT table_name FROM information_schema.columns
        WHERE table_schema = current_schema() AND column_name = 'bank'
    LOOP EXECUTE format('ALTER TABLE %I ALTER COLUMN bank DROP DEFAULT', name); END LOOP;
    FOREACH name IN ARRAY ARRAY['customer', 'card', 'transfer', 'transition'] LOOP
        EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, ''id''), max(id)) FROM %I', name, name);
    END LOOP;
END $$;
";

/// The loads of one chunk; a real load, which is the newest and is copied, and its transitions by their place.
const TEMPORARY: &str = "
CREATE TEMP TABLE new (n BIGINT PRIMARY KEY, id BYTEA, reference TEXT, terminal TEXT, card BIGINT,
    account BIGINT, counter BIGINT, shard TEXT, at_ms BIGINT);
CREATE TEMP TABLE model AS SELECT id FROM load WHERE phase = '{phase}' AND kind = 'top-up'
    ORDER BY requested_ms DESC, reference LIMIT 1;
CREATE TEMP TABLE move AS SELECT row_number() OVER (ORDER BY id) - 1 AS place, from_phase, to_phase
    FROM transition WHERE load = (SELECT id FROM model);
CREATE TEMP TABLE base AS SELECT (SELECT id FROM model) AS model, (SELECT count(*) FROM move) AS moves,
    (SELECT max(id) + 1 FROM customer) AS customer, (SELECT max(id) + 1 FROM card) AS card,
    (SELECT max(id) + 1 FROM transfer) AS deposit, (SELECT max(id) + 1 + {cards} FROM transfer) AS transfer,
    (SELECT max(id) + 1 FROM transition) AS transition;
";

/// Customers with one card each, and the money on their accounts.
const PEOPLE: &str = "
INSERT INTO customer (id, phone_hash, phone_sealed, password_salt, password_hash, password_rounds, tries_left,
    activation_tries_left)
    {series} SELECT {customer} + s.n, randomblob(32), phone_sealed, password_salt, password_hash, password_rounds,
    tries_left, activation_tries_left FROM s JOIN customer AS model ON model.id = (SELECT min(id) FROM customer);
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
    enrolled_ms FROM s CROSS JOIN (SELECT * FROM terminal ORDER BY enrolled_ms DESC LIMIT 1) AS model;
INSERT INTO working_key (terminal, id, suite, wrapped, not_before_ms, expires_ms, highest, seen)
    {series} SELECT printf('9{step}%010d', n), id, suite, wrapped, not_before_ms, expires_ms, highest, seen
    FROM s CROSS JOIN (SELECT * FROM working_key LIMIT 1) AS model;
";

/// An id is its number twice and the shard: all bytes together come to the shard, as the ledger wants it.
const NEW: &str = "
DELETE FROM new;
INSERT INTO new
    {series} SELECT n, unhex(printf('%010x%010x%02x0000000000', at, at, n % 64)),
    'TF-' || upper(substr(printf('%010x', at), 1, 4)) || '-' || upper(substr(printf('%010x', at), 5)),
    printf('9{step}%010d', n % {terminals}), {card} + n / {loads_of_a_card}, {customer} + n / {loads_of_a_card},
    {counter} + n % {loads_of_a_card}, printf('%02d', n % 64), {begin_ms} + n * 1000
    FROM (SELECT n, n * {spacing} + {step} AS at FROM s) AS placed;
";

/// What every load has.
const LOADS: &str = "
INSERT INTO load (id, reference, kind, terminal, card, account, amount, phase, proof, proof_counter, operators,
    confirmed_counter, machine, card_sealed, requested_ms, changed_ms)
    SELECT new.id, new.reference, model.kind, new.terminal, new.card, new.account, model.amount, model.phase,
    model.proof, model.proof_counter, model.operators, CASE {pays} WHEN 1 THEN new.counter END, model.machine,
    model.card_sealed, new.at_ms, new.at_ms FROM new JOIN load AS model ON model.id = {model};
INSERT INTO transition (id, load, from_phase, to_phase, at_ms)
    SELECT {transition} + new.n * {moves} + place, new.id, from_phase, to_phase, new.at_ms FROM new CROSS JOIN move;
INSERT INTO outbox (kind, transition, created_ms, delivered_ms)
    SELECT 'load-moved', {transition} + new.n * {moves} + place, new.at_ms, new.at_ms FROM new CROSS JOIN move;
";

/// What a load has that went on the card.
const ENDED: &str = "
INSERT INTO attempt (load, number, card, account, amount, counter, balance, terminal, host_time, issued_ms)
    SELECT new.id, model.number, new.card, new.account, model.amount, new.counter, model.balance, new.terminal,
    model.host_time, new.at_ms FROM new JOIN attempt AS model ON model.load = {model};
INSERT INTO transfer (id, kind, load, at_ms)
    SELECT {transfer} + new.n * 2 + place, kind, new.id, new.at_ms FROM new
    CROSS JOIN (SELECT 0 AS place, 'debit' AS kind UNION ALL SELECT 1, 'credit') AS kinds;
INSERT INTO entry (transfer, account, amount)
    SELECT {transfer} + new.n * 2 + place, CASE who WHEN 'customer:' THEN who || new.account ELSE who || new.shard END,
    sign * (SELECT amount FROM load WHERE id = {model}) FROM new
    CROSS JOIN (SELECT 0 AS place, 'customer:' AS who, -1 AS sign UNION ALL SELECT 0, 'in-transit:', 1
        UNION ALL SELECT 1, 'in-transit:', -1 UNION ALL SELECT 1, 'card-float:', 1) AS sides;
INSERT INTO exchange (id, terminal, operation, industry, next_step, awaits, load, refund, at_ms)
    SELECT new.id, new.terminal, operation, industry, next_step, awaits, new.id, refund, new.at_ms
    FROM new JOIN exchange AS model ON model.id = {model};
INSERT INTO reply (exchange, step, request_hash, sealed, at_ms)
    SELECT new.id, step, request_hash, sealed, new.at_ms
    FROM new JOIN reply AS model ON model.exchange = {model};
INSERT INTO sms_code (stem, terminal, industry, card_tail, card, ceiling, code_hash, sent_ms, sends, tries_left,
    verified_ms, spent_ms)
    SELECT substr(new.id, 1, 15), new.terminal, industry, card_tail, new.card, ceiling, code_hash, new.at_ms, sends,
    tries_left, new.at_ms, new.at_ms FROM new
    JOIN sms_code AS model ON model.stem = substr({model}, 1, 15);
";

/// The bank's own accounts hold what their entries come to.
const BALANCES: &str = "
WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 63)
INSERT INTO account (name) SELECT who || printf(':%02d', n) FROM s
    CROSS JOIN (SELECT 'in-transit' AS who UNION ALL SELECT 'card-float' UNION ALL SELECT 'funding') AS own
    WHERE true ON CONFLICT DO NOTHING;
UPDATE account SET balance = (SELECT coalesce(sum(amount), 0) FROM entry WHERE entry.account = account.name)
    WHERE name NOT LIKE 'customer:%';
";
