//! What those who look after the bank read: counts, loads, terminals. Nothing here writes.

use crate::console::Role;
use crate::error::Problem;
use crate::metrics::{Stored, Waits};
use crate::store::Conn;
use crate::store::row::row;

/// What the metrics tell of the store; each query has an index, or a table that stays small.
pub(crate) async fn counted(conn: &mut Conn) -> Result<Stored, Problem> {
    type Open = (String, i64, i64, Option<i64>);
    let sql = "SELECT phase, count(*), CAST(coalesce(sum(amount), 0) AS BIGINT), min(changed_ms) FROM load
         WHERE bank = $1 AND phase IN ('issued', 'in-doubt', 'manual') GROUP BY phase";
    let open: Vec<Open> = conn.sql(sql).all().await?;
    let sql = "SELECT kind, count(*), min(created_ms) FROM outbox
         WHERE bank = $1 AND delivered_ms IS NULL GROUP BY kind";
    let outbox: Vec<(String, i64, Option<i64>)> = conn.sql(sql).all().await?;
    let sql = "SELECT kind, count(*) FROM incident WHERE bank = $1 GROUP BY kind";
    let incidents = conn.sql(sql).all().await?;
    let sql = "SELECT count(DISTINCT queue.id), CAST(coalesce(sum(queue_item.amount), 0) AS BIGINT)
         FROM queue LEFT JOIN queue_item ON queue_item.bank = queue.bank AND queue_item.queue = queue.id
             AND queue_item.state = 'waiting'
         WHERE queue.bank = $1 AND queue.closed_ms IS NULL";
    let (count, amount) = conn.sql(sql).one().await?;
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
        queues: Waits {
            count,
            amount,
            since_ms: None,
        },
    })
}

/// Whether the store answers at all.
pub(crate) async fn answers(conn: &mut Conn) -> Result<(), Problem> {
    let sql = "SELECT count(*) FROM operator WHERE bank = $1";
    let _count: i64 = conn.sql(sql).value().await?;
    Ok(())
}

/// The role of an operator; none when there is no such operator, or not any more.
pub(crate) async fn role(conn: &mut Conn, name: &str) -> Result<Option<Role>, Problem> {
    let sql = "SELECT role FROM operator WHERE bank = $1 AND name = $2 AND removed_ms IS NULL";
    let found: Option<(String,)> = conn.sql(sql).bind(name).optional().await?;
    Ok(found.and_then(|(found,)| Role::ALL.into_iter().find(|role| role.name() == found)))
}

/// Gives an operator a role.
pub(crate) async fn set_role(conn: &mut Conn, name: &str, role: Role) -> Result<(), Problem> {
    conn.sql("UPDATE operator SET role = $2 WHERE bank = $1 AND name = $3")
        .bind(role.name())
        .bind(name)
        .execute()
        .await?;
    Ok(())
}

row! {
    /// Loads of one phase that came to it in one step of time.
    #[derive(Clone, Debug)]
    pub(crate) struct Column {
        pub(crate) phase: String,
        /// Steps after `since_ms`.
        pub(crate) step: i64,
        pub(crate) count: i64,
        pub(crate) amount: i64,
    }
}

/// Loads that came to their phase since then, by steps of `step_ms`.
pub(crate) async fn columns(
    conn: &mut Conn,
    (since_ms, step_ms): (i64, i64),
) -> Result<Vec<Column>, Problem> {
    conn.sql(
        "SELECT phase, (changed_ms - $2) / $3 AS step, count(*) AS count,
            CAST(sum(amount) AS BIGINT) AS amount
         FROM load WHERE bank = $1 AND phase IN ('issued', 'in-doubt', 'manual', 'confirmed', 'reversed',
            'declined', 'voided', 'written-off') AND changed_ms >= $2 AND kind = 'top-up' GROUP BY 1, 2",
    )
    .bind(since_ms)
    .bind(step_ms)
    .all()
    .await
}

row! {
    /// A load in a list.
    #[derive(Clone, Debug)]
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

/// The one statement that all lists of loads begin with.
macro_rules! lines {
    ($which:literal) => {
        concat!(
            "SELECT load.reference, load.kind, load.phase, card.industry, card.tail, load.amount,
             load.terminal, load.changed_ms FROM load
             JOIN card ON card.bank = load.bank AND card.id = load.card WHERE load.bank = $1 AND ",
            $which
        )
    };
}

/// The newest first. Each phase has an index by time, so each is asked for itself.
pub(crate) async fn lines(conn: &mut Conn, wanted: &Wanted) -> Result<Vec<Line>, Problem> {
    if !wanted.reference.is_empty() {
        let found = conn.sql(lines!("load.reference = $2"));
        return found.bind(&wanted.reference).all().await;
    }
    let mut all: Vec<Line> = Vec::new();
    for phase in ledger::Phase::ALL.into_iter().map(ledger::Phase::name) {
        if !wanted.phase.is_empty() && wanted.phase != phase {
            continue;
        }
        let sql = lines!(
            "load.phase = $2 AND load.changed_ms < $3 AND ($4 = '' OR card.tail = $4)
             ORDER BY load.changed_ms DESC LIMIT $5"
        );
        let found = conn
            .sql(sql)
            .bind(phase)
            .bind(wanted.before_ms)
            .bind(&wanted.tail)
            .bind(wanted.most);
        all.extend(found.all::<Line>().await?);
    }
    all.sort_by_key(|line| std::cmp::Reverse(line.changed_ms));
    all.truncate(usize::try_from(wanted.most).unwrap_or_default());
    Ok(all)
}

row! {
    /// The rest of what is known of one load.
    #[derive(Clone, Debug)]
    pub(crate) struct Facts {
        pub(crate) id: Vec<u8>,
        pub(crate) proof: Option<String>,
        pub(crate) requested_ms: i64,
    }
}

pub(crate) async fn facts(conn: &mut Conn, reference: &str) -> Result<Option<Facts>, Problem> {
    let sql = "SELECT id, proof, requested_ms FROM load WHERE bank = $1 AND reference = $2";
    conn.sql(sql).bind(reference).optional().await
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
    let sql = "SELECT at_ms, from_phase, to_phase FROM transition
         WHERE bank = $1 AND load = $2 ORDER BY id";
    let rows: Vec<(i64, String, String)> = conn.sql(sql).bind(id).all().await?;
    let moved = |(at, from, to)| (at, Event::Moved { from, to });
    events.extend(rows.into_iter().map(moved));
    let sql = "SELECT issued_ms, number, counter, balance, terminal FROM attempt
         WHERE bank = $1 AND load = $2";
    let rows: Vec<(i64, i64, i64, i64, String)> = conn.sql(sql).bind(id).all().await?;
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
        JOIN entry ON entry.bank = transfer.bank AND entry.transfer = transfer.id AND entry.amount > 0
        WHERE transfer.bank = $1 AND transfer.load = $2";
    let rows: Vec<(i64, String, i64)> = conn.sql(sql).bind(id).all().await?;
    let money = |(at, kind, amount)| (at, Event::Money { kind, amount });
    events.extend(rows.into_iter().map(money));
    let sql = "SELECT at_ms, kind, id FROM incident WHERE bank = $1 AND load = $2";
    let rows: Vec<(i64, String, String)> = conn.sql(sql).bind(id).all().await?;
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
    let sql = "SELECT at_ms, operator, resolution, evidence FROM proposal
         WHERE bank = $1 AND load = $2 ORDER BY id";
    let rows: Vec<(i64, String, String, String)> = conn.sql(sql).bind(id).all().await?;
    let proposal = |(at, operator, resolution, evidence)| {
        let proposal = Event::Proposal {
            operator,
            resolution,
            evidence,
        };
        (at, proposal)
    };
    let mut events: Vec<_> = rows.into_iter().map(proposal).collect();
    let since = "SELECT requested_ms FROM load WHERE bank = $1 AND id = $2";
    let since: i64 = conn.sql(since).bind(id).value().await?;
    let sql = "SELECT at_ms, detail FROM audit
         WHERE bank = $1 AND kind = 'card-lost' AND subject = $2 AND at_ms >= $3";
    let lost = conn.sql(sql).bind(reference).bind(since);
    let rows: Vec<(i64, String)> = lost.all().await?;
    let lost = |(at, detail)| (at, Event::CardLost { detail });
    events.extend(rows.into_iter().map(lost));
    Ok(events)
}

row! {
    /// A terminal with its newest working key.
    #[derive(Clone, Debug)]
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
}

/// Terminals whose number begins so, the newest first.
pub(crate) async fn terminals(
    conn: &mut Conn,
    (number, most): (&str, i64),
) -> Result<Vec<TerminalLine>, Problem> {
    conn.sql(
        "SELECT terminal.id, terminal.state, terminal.device, terminal.suite, terminal.lowest_suite,
            terminal.enrolled_ms, terminal.previous, working_key.id AS key_id, working_key.expires_ms,
            working_key.highest
         FROM terminal LEFT JOIN working_key ON working_key.bank = terminal.bank
            AND working_key.terminal = terminal.id AND working_key.id =
            (SELECT max(newest.id) FROM working_key AS newest
             WHERE newest.bank = terminal.bank AND newest.terminal = terminal.id)
         WHERE terminal.bank = $1 AND terminal.id LIKE $2
         ORDER BY terminal.enrolled_ms DESC, terminal.id LIMIT $3",
    )
    .bind(format!("{number}%"))
    .bind(most)
    .all()
    .await
}

row! {
    /// A code that was asked for; whose number it went to is not told.
    #[derive(Clone, Debug)]
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
}

/// The codes asked for since then, the newest first.
pub(crate) async fn codes(
    conn: &mut Conn,
    (since_ms, most): (i64, i64),
) -> Result<Vec<CodeLine>, Problem> {
    conn.sql(
        "SELECT sent_ms, industry, card_tail, terminal, card, sends, tries_left, verified_ms, spent_ms
         FROM sms_code WHERE bank = $1 AND sent_ms >= $2 ORDER BY sent_ms DESC LIMIT $3",
    )
    .bind(since_ms)
    .bind(most)
    .all()
    .await
}
