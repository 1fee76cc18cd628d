//! What those who look after the bank read: counts, loads, terminals. Nothing here writes.

use crate::console::Role;
use crate::error::Problem;
use crate::metrics::{Stored, Waits};
use crate::store::Conn;

/// What the metrics tell of the store; each query has an index, or a table that stays small.
pub(crate) async fn counted(conn: &mut Conn) -> Result<Stored, Problem> {
    type Open = (String, i64, i64, Option<i64>);
    let open: Vec<Open> = sqlx::query_as(
        "SELECT phase, count(*), CAST(coalesce(sum(amount), 0) AS BIGINT), min(changed_ms) FROM load
         WHERE phase IN ('issued', 'in-doubt', 'manual') GROUP BY phase",
    )
    .fetch_all(&mut *conn)
    .await?;
    let outbox: Vec<(String, i64, Option<i64>)> = sqlx::query_as(
        "SELECT kind, count(*), min(created_ms) FROM outbox WHERE delivered_ms IS NULL GROUP BY kind",
    )
    .fetch_all(&mut *conn)
    .await?;
    let incidents = sqlx::query_as("SELECT kind, count(*) FROM incident GROUP BY kind")
        .fetch_all(&mut *conn)
        .await?;
    let named = |(phase, count, amount, since_ms): Open| {
        let known = ledger::Phase::ALL.into_iter().map(ledger::Phase::name);
        let name = { known }.find(|name| *name == phase)?;
        let waits = Waits {
            count,
            amount,
            since_ms,
        };
        Some((name, waits))
    };
    let waiting = |(kind, count, since_ms)| {
        let waits = Waits {
            count,
            amount: 0,
            since_ms,
        };
        (kind, waits)
    };
    Ok(Stored {
        open: open.into_iter().filter_map(named).collect(),
        outbox: outbox.into_iter().map(waiting).collect(),
        incidents,
    })
}

/// Whether the store answers at all.
pub(crate) async fn answers(conn: &mut Conn) -> Result<(), Problem> {
    let _one: i64 = sqlx::query_scalar("SELECT count(*) FROM operator")
        .fetch_one(conn)
        .await?;
    Ok(())
}

/// The role of an operator; none when there is no such operator, or not any more.
pub(crate) async fn role(conn: &mut Conn, name: &str) -> Result<Option<Role>, Problem> {
    let found: Option<String> =
        sqlx::query_scalar("SELECT role FROM operator WHERE name = $1 AND removed_ms IS NULL")
            .bind(name)
            .fetch_optional(conn)
            .await?;
    Ok(found.and_then(|found| Role::ALL.into_iter().find(|role| role.name() == found)))
}

/// Gives an operator a role.
pub(crate) async fn set_role(conn: &mut Conn, name: &str, role: Role) -> Result<(), Problem> {
    sqlx::query("UPDATE operator SET role = $1 WHERE name = $2")
        .bind(role.name())
        .bind(name)
        .execute(conn)
        .await?;
    Ok(())
}

/// Loads of one phase that came to it in one step of time.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Column {
    pub(crate) phase: String,
    /// Steps after `since_ms`.
    pub(crate) step: i64,
    pub(crate) count: i64,
    pub(crate) amount: i64,
}

/// Loads that came to their phase since then, by steps of `step_ms`.
pub(crate) async fn columns(
    conn: &mut Conn,
    (since_ms, step_ms): (i64, i64),
) -> Result<Vec<Column>, Problem> {
    let columns = sqlx::query_as(
        "SELECT phase, (changed_ms - $1) / $2 AS step, count(*) AS count,
            CAST(sum(amount) AS BIGINT) AS amount
         FROM load WHERE phase IN ('issued', 'in-doubt', 'manual', 'confirmed', 'reversed', 'declined',
            'voided', 'written-off') AND changed_ms >= $1 AND kind = 'top-up' GROUP BY 1, 2",
    )
    .bind(since_ms)
    .bind(step_ms)
    .fetch_all(conn)
    .await?;
    Ok(columns)
}

/// A load in a list.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Line {
    pub(crate) reference: String,
    pub(crate) kind: String,
    pub(crate) phase: String,
    pub(crate) industry: String,
    pub(crate) tail: String,
    pub(crate) amount: i64,
    pub(crate) terminal: String,
    pub(crate) changed_ms: i64,
}

/// What a list of loads is asked for; empty means any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) reference: String,
    pub(crate) tail: String,
    pub(crate) phase: String,
    /// Only what moved before.
    pub(crate) before_ms: i64,
    pub(crate) most: i64,
}

const LINE: &str =
    "SELECT load.reference, load.kind, load.phase, card.industry, card.tail, load.amount,
    load.terminal, load.changed_ms FROM load JOIN card ON card.id = load.card";

/// The newest first. Each phase has an index by time, so each is asked for itself.
pub(crate) async fn lines(conn: &mut Conn, wanted: &Wanted) -> Result<Vec<Line>, Problem> {
    if !wanted.reference.is_empty() {
        let sql = sqlx::AssertSqlSafe(format!("{LINE} WHERE load.reference = $1"));
        let found = sqlx::query_as(sql).bind(&wanted.reference);
        return Ok(found.fetch_all(conn).await?);
    }
    let mut all: Vec<Line> = Vec::new();
    for phase in ledger::Phase::ALL.into_iter().map(ledger::Phase::name) {
        if !wanted.phase.is_empty() && wanted.phase != phase {
            continue;
        }
        let sql = sqlx::AssertSqlSafe(format!(
            "{LINE} WHERE load.phase = $1 AND load.changed_ms < $2 AND ($3 = '' OR card.tail = $3)
             ORDER BY load.changed_ms DESC LIMIT $4"
        ));
        let found = sqlx::query_as(sql)
            .bind(phase)
            .bind(wanted.before_ms)
            .bind(&wanted.tail)
            .bind(wanted.most);
        all.extend(found.fetch_all(&mut *conn).await?);
    }
    all.sort_by_key(|line| std::cmp::Reverse(line.changed_ms));
    all.truncate(usize::try_from(wanted.most).unwrap_or_default());
    Ok(all)
}

/// The rest of what is known of one load.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Facts {
    pub(crate) id: Vec<u8>,
    pub(crate) proof: Option<String>,
    pub(crate) requested_ms: i64,
}

pub(crate) async fn facts(conn: &mut Conn, reference: &str) -> Result<Option<Facts>, Problem> {
    let facts = sqlx::query_as("SELECT id, proof, requested_ms FROM load WHERE reference = $1");
    Ok(facts.bind(reference).fetch_optional(conn).await?)
}

/// Something that happened to a load.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Moved {
        from: String,
        to: String,
    },
    /// What the card said when a code for it was made: counter and balance (fen).
    Attempt {
        number: i64,
        counter: i64,
        balance: i64,
        terminal: String,
    },
    Money {
        kind: String,
        amount: i64,
    },
    Incident {
        kind: String,
        id: String,
    },
    Proposal {
        operator: String,
        resolution: String,
        evidence: String,
    },
    /// An operator took the load over: detail of the audit log.
    CardLost {
        detail: String,
    },
}

/// Everything that happened to a load, in order of time.
pub(crate) async fn events(
    conn: &mut Conn,
    (id, reference): (&[u8], &str),
) -> Result<Vec<(i64, Event)>, Problem> {
    let mut events = said(conn, (id, reference)).await?;
    let sql = "SELECT at_ms, from_phase, to_phase FROM transition WHERE load = $1 ORDER BY id";
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as(sql).bind(id).fetch_all(&mut *conn).await?;
    let moved = |(at, from, to)| (at, Event::Moved { from, to });
    events.extend(rows.into_iter().map(moved));
    let sql = "SELECT issued_ms, number, counter, balance, terminal FROM attempt WHERE load = $1";
    let rows: Vec<(i64, i64, i64, i64, String)> =
        sqlx::query_as(sql).bind(id).fetch_all(&mut *conn).await?;
    events.extend(
        rows.into_iter()
            .map(|(at, number, counter, balance, terminal)| {
                let attempt = Event::Attempt {
                    number,
                    counter,
                    balance,
                    terminal,
                };
                (at, attempt)
            }),
    );
    let sql = "SELECT transfer.at_ms, transfer.kind, entry.amount FROM transfer
        JOIN entry ON entry.transfer = transfer.id AND entry.amount > 0 WHERE transfer.load = $1";
    let rows: Vec<(i64, String, i64)> = sqlx::query_as(sql).bind(id).fetch_all(&mut *conn).await?;
    let money = |(at, kind, amount)| (at, Event::Money { kind, amount });
    events.extend(rows.into_iter().map(money));
    let sql = "SELECT at_ms, kind, id FROM incident WHERE load = $1";
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as(sql).bind(id).fetch_all(&mut *conn).await?;
    let incident = |(at, kind, id)| (at, Event::Incident { kind, id });
    events.extend(rows.into_iter().map(incident));
    // Sorted by time alone: of one commit, what somebody said stands before what came of it.
    events.sort_by_key(|(at_ms, _)| *at_ms);
    Ok(events)
}

/// What people said about a load.
async fn said(
    conn: &mut Conn,
    (id, reference): (&[u8], &str),
) -> Result<Vec<(i64, Event)>, Problem> {
    let sql =
        "SELECT at_ms, operator, resolution, evidence FROM proposal WHERE load = $1 ORDER BY id";
    let rows: Vec<(i64, String, String, String)> =
        sqlx::query_as(sql).bind(id).fetch_all(&mut *conn).await?;
    let proposal = |(at, operator, resolution, evidence)| {
        let proposal = Event::Proposal {
            operator,
            resolution,
            evidence,
        };
        (at, proposal)
    };
    let mut events: Vec<_> = rows.into_iter().map(proposal).collect();
    let since = "SELECT requested_ms FROM load WHERE id = $1";
    let since: i64 = sqlx::query_scalar(since)
        .bind(id)
        .fetch_one(&mut *conn)
        .await?;
    let sql =
        "SELECT at_ms, detail FROM audit WHERE kind = 'card-lost' AND subject = $1 AND at_ms >= $2";
    let rows: Vec<(i64, String)> = sqlx::query_as(sql)
        .bind(reference)
        .bind(since)
        .fetch_all(conn)
        .await?;
    let lost = |(at, detail)| (at, Event::CardLost { detail });
    events.extend(rows.into_iter().map(lost));
    Ok(events)
}

/// A terminal with its newest working key.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct TerminalLine {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) device: String,
    pub(crate) suite: i64,
    pub(crate) lowest_suite: i64,
    pub(crate) enrolled_ms: i64,
    pub(crate) previous: Option<String>,
    pub(crate) key_id: Option<i64>,
    pub(crate) expires_ms: Option<i64>,
    pub(crate) highest: Option<i64>,
}

/// Terminals whose number begins so, the newest first.
pub(crate) async fn terminals(
    conn: &mut Conn,
    (number, most): (&str, i64),
) -> Result<Vec<TerminalLine>, Problem> {
    let lines = sqlx::query_as(
        "SELECT terminal.id, terminal.state, terminal.device, terminal.suite, terminal.lowest_suite,
            terminal.enrolled_ms, terminal.previous, working_key.id AS key_id, working_key.expires_ms,
            working_key.highest
         FROM terminal LEFT JOIN working_key ON working_key.terminal = terminal.id AND working_key.id =
            (SELECT max(newest.id) FROM working_key AS newest WHERE newest.terminal = terminal.id)
         WHERE terminal.id LIKE $1 ORDER BY terminal.enrolled_ms DESC, terminal.id LIMIT $2",
    )
    .bind(format!("{number}%"))
    .bind(most)
    .fetch_all(conn)
    .await?;
    Ok(lines)
}

/// A code that was asked for; whose number it went to is not told.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct CodeLine {
    pub(crate) sent_ms: i64,
    pub(crate) industry: String,
    pub(crate) card_tail: String,
    pub(crate) terminal: String,
    /// The card, when the number that was typed is the one on file.
    pub(crate) card: Option<i64>,
    pub(crate) sends: i64,
    pub(crate) tries_left: i64,
    pub(crate) verified_ms: Option<i64>,
    pub(crate) spent_ms: Option<i64>,
}

/// The codes asked for since then, the newest first.
pub(crate) async fn codes(
    conn: &mut Conn,
    (since_ms, most): (i64, i64),
) -> Result<Vec<CodeLine>, Problem> {
    let lines = sqlx::query_as(
        "SELECT sent_ms, industry, card_tail, terminal, card, sends, tries_left, verified_ms, spent_ms
         FROM sms_code WHERE sent_ms >= $1 ORDER BY sent_ms DESC LIMIT $2",
    )
    .bind(since_ms)
    .bind(most)
    .fetch_all(conn)
    .await?;
    Ok(lines)
}
