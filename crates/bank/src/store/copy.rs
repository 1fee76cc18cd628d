//! Every row of a bank, as lines that either engine takes: what a backup is made of.

use crate::error::Problem;
use crate::store::Conn;
use crate::store::row::InFile;
use crate::store::server::{InServer, ServerRow, Unreadable};
use crate::store::sql::{Bind, Made, Value};

/// One table: its columns without the bank, in the order of a line.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static str,
    /// Whether the database numbers its rows.
    numbered: bool,
}

const fn table(name: &'static str, columns: &'static str) -> Table {
    let numbered = false;
    Table {
        name,
        columns,
        numbered,
    }
}

const fn numbered(name: &'static str, columns: &'static str) -> Table {
    let numbered = true;
    Table {
        name,
        columns,
        numbered,
    }
}

/// All but the owner, which is who restores; each after those that it refers to.
pub(crate) const TABLES: [Table; 27] = [
    table("account", "name, balance"),
    numbered(
        "customer",
        "id, phone_hash, phone_sealed, password_salt, password_hash, password_rounds, tries_left, locked_ms,
         activation_tries_left, activation_locked_ms, account_sealed",
    ),
    numbered(
        "card",
        "id, industry, number_hash, tail, customer, status, counter_seen, open_load, counter_confirmed",
    ),
    table(
        "load",
        "id, reference, kind, terminal, card, account, amount, phase, proof, proof_counter, operators,
         confirmed_counter, machine, card_sealed, requested_ms, changed_ms, queue",
    ),
    table(
        "attempt",
        "load, number, card, account, amount, counter, balance, terminal, host_time, issued_ms, session",
    ),
    table(
        "core",
        "load, state, amount, stan, rrn, asked_ms, response, approval, reversal_stan, reversals,
         reversal_response, since_ms, next_ms",
    ),
    numbered("transition", "id, load, from_phase, to_phase, at_ms"),
    numbered("transfer", "id, kind, load, at_ms"),
    numbered("entry", "id, transfer, account, amount"),
    table("void", "id, terminal, at_ms"),
    table(
        "exchange",
        "id, terminal, operation, industry, next_step, awaits, load, spent, attempt, witness, refund, at_ms",
    ),
    table("reply", "exchange, step, request_hash, sealed, at_ms"),
    table(
        "terminal",
        "id, master_wrapped, suite, lowest_suite, state, previous, replaces, device, nonce_hash, enrolled_ms",
    ),
    table(
        "working_key",
        "terminal, id, suite, wrapped, not_before_ms, expires_ms, highest, seen",
    ),
    table("answered", "terminal, key_id, counter, request_hash, answer"),
    table("nonce", "terminal, nonce, at_ms"),
    table(
        "sms_code",
        "stem, terminal, industry, card_tail, card, ceiling, code_hash, sent_ms, sends, tries_left,
         verified_ms, spent_ms",
    ),
    table(
        "queue",
        "id, terminal, industry, account, cards, total, request_hash, opened_ms, closes_ms, closed_ms",
    ),
    table("queue_item", "queue, place, stem, card, amount, state, load, changed_ms"),
    table(
        "queue_code",
        "queue, terminal, industry, customer, cards, total, code_hash, sent_ms, sends, tries_left, spent_ms",
    ),
    numbered("counted", "id, kind, subject, at_ms"),
    numbered(
        "outbox",
        "id, kind, transition, payload, sealed, created_ms, delivered_ms, due_ms, tries, unanswered, outcome,
         message, receipt, receipt_ms",
    ),
    table("incident", "id, kind, place, load, at_ms"),
    numbered(
        "operator",
        "id, name, password_salt, password_hash, password_rounds, tries_left, locked_ms, removed_ms,
         role",
    ),
    numbered("proposal", "id, load, operator, resolution, evidence, at_ms"),
    table("audit", "chain, id, at_ms, kind, subject, detail, hash"),
    table("audit_head", "chain, last, hash"),
];

pub(crate) fn by_name(name: &str) -> Option<&'static Table> {
    static ALL: [Table; 27] = TABLES;
    ALL.iter().find(|table| table.name == name)
}

/// Hands every row of a table to `take`.
pub(crate) async fn each(
    conn: &mut Conn,
    table: &Table,
    take: impl FnMut(Line) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let sql = format!(
        "SELECT {} FROM {} WHERE bank = $1",
        table.columns, table.name
    );
    conn.sql(Made(sql)).each(take).await
}

pub(crate) async fn insert(conn: &mut Conn, table: &Table, line: Line) -> Result<(), Problem> {
    let wanted = table.columns.split(',').count();
    if line.0.len() != wanted {
        return Err(Problem::internal(format!(
            "a row of {} has {wanted} values",
            table.name
        )));
    }
    let places: Vec<String> = (2..wanted + 2).map(|at| format!("${at}")).collect();
    let sql = format!(
        "INSERT INTO {} (bank, {}) VALUES ($1, {})",
        table.name,
        table.columns,
        places.join(", ")
    );
    let values = line.0.into_iter();
    let statement = values.fold(conn.sql(Made(sql)), |statement, value| {
        statement.bind(value)
    });
    statement.send().await
}

/// Rows that come from now on get numbers above those that are there.
pub(crate) async fn number_on(conn: &mut Conn) -> Result<(), Problem> {
    if conn.is_sqlite() {
        return Ok(());
    }
    for table in TABLES.iter().filter(|table| table.numbered) {
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{0}', 'id'), coalesce(max(id), 1)) FROM {0}",
            table.name
        );
        let _last: i64 = conn.bare(Made(sql)).value().await?;
    }
    Ok(())
}

/// The values of one row.
pub(crate) struct Line(pub(crate) Vec<Value>);

impl InFile for Line {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let kinds = row.as_ref().columns();
        let values = kinds.iter().enumerate().map(|(at, column)| {
            Ok(match column.decl_type() {
                Some("INTEGER") => Value::Number(row.get(at)?),
                Some("TEXT") => Value::Text(row.get(at)?),
                _ => Value::Bytes(row.get(at)?),
            })
        });
        values.collect::<rusqlite::Result<_>>().map(Self)
    }
}

impl InServer for Line {
    fn read(row: &ServerRow) -> Result<Self, Unreadable> {
        row.values().map(Self)
    }
}

impl Bind for Value {
    fn value(this: Option<Self>) -> Value {
        this.unwrap_or(Self::Number(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Opening, Place};

    #[tokio::test]
    async fn every_column_of_every_table_is_in_a_backup() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::File(dir.path().join("bank.sqlite"));
        let store = Opening::after(std::time::Duration::from_secs(5))
            .open(&place)
            .await
            .unwrap();
        let mut conn = store.read().await.unwrap();
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table'
             AND name NOT LIKE 'sqlite%' AND name NOT LIKE '_sqlx%' AND name <> 'owner' ORDER BY name";
        let tables: Vec<(String,)> = conn.bare(sql).all().await.unwrap();
        let mut known: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        known.sort_unstable();
        let there: Vec<&str> = tables.iter().map(|(name,)| name.as_str()).collect();
        assert_eq!(known, there);
        for table in &TABLES {
            let sql = format!(
                "SELECT name FROM pragma_table_info('{}') WHERE name <> 'bank'",
                table.name
            );
            let there: Vec<(String,)> = conn.bare(Made(sql)).all().await.unwrap();
            let mut there: Vec<&str> = there.iter().map(|(name,)| name.as_str()).collect();
            let mut known: Vec<&str> = table.columns.split(',').map(str::trim).collect();
            there.sort_unstable();
            known.sort_unstable();
            assert_eq!(known, there, "{}", table.name);
        }
    }
}
