//! Institutions' queues: money that was paid for many cards, and where each card's part of it is.

use envelope::Terminal;
use ledger::{Account, AccountId, QueueId, Transfer};

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::sql::Made;
use crate::store::{Conn, array, audit, money, narrow, signed, sms, unsigned};

/// Items in one statement.
const AT_ONCE: usize = 50;
/// Queues that are closed in one round.
const MOST_DUE: i64 = 100;

pub(crate) struct QueueRow {
    pub(crate) id: QueueId,
    pub(crate) terminal: Terminal,
    pub(crate) industry: String,
    /// Who paid.
    pub(crate) account: AccountId,
    pub(crate) cards: u32,
    pub(crate) total: u32,
    /// Of the request that opened it.
    pub(crate) request_hash: Vec<u8>,
    pub(crate) opened_ms: u64,
    pub(crate) closes_ms: u64,
    pub(crate) closed_ms: Option<u64>,
}

impl QueueRow {
    pub(crate) fn is_open(&self) -> bool {
        self.closed_ms.is_none()
    }
}

/// Where an item's money is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ItemState {
    /// On the queue's account.
    Waiting,
    /// In a load that is not settled.
    Open,
    /// On the card.
    Loaded,
    /// Back on the customer's account.
    Returned,
    WrittenOff,
}

impl ItemState {
    pub(crate) const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Open,
        Self::Loaded,
        Self::Returned,
        Self::WrittenOff,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Open => "open",
            Self::Loaded => "loaded",
            Self::Returned => "returned",
            Self::WrittenOff => "written-off",
        }
    }

    fn parse(name: &str) -> Result<Self, Problem> {
        let known = Self::ALL.into_iter().find(|state| state.name() == name);
        known.ok_or_else(|| Problem::internal("an unknown state of an item"))
    }
}

/// An item as its first load asks for it.
pub(crate) struct ItemRow {
    pub(crate) queue: QueueRow,
    pub(crate) card: i64,
    pub(crate) amount: u32,
    pub(crate) state: ItemState,
    /// The load that has its money, or had it last.
    pub(crate) load: Option<[u8; 16]>,
}

/// An item that is told to people.
#[derive(Clone, Debug)]
pub(crate) struct ItemLine {
    pub(crate) place: i64,
    pub(crate) amount: u32,
    pub(crate) state: ItemState,
    pub(crate) changed_ms: u64,
    pub(crate) reference: Option<String>,
    pub(crate) tail: String,
}

type Row = (
    String,
    String,
    String,
    i64,
    i64,
    i64,
    Vec<u8>,
    i64,
    i64,
    Option<i64>,
);

/// The one statement that all reading of queues begins with.
macro_rules! queues {
    ($which:literal) => {
        concat!(
            "SELECT id, terminal, industry, account, cards, total, request_hash, opened_ms, closes_ms,
             closed_ms FROM queue WHERE bank = $1 AND ",
            $which
        )
    };
}

pub(crate) async fn find(conn: &mut Conn, id: QueueId) -> Result<Option<QueueRow>, Problem> {
    let row = conn.sql(queues!("id = $2")).bind(id.to_string());
    let row: Option<Row> = row.optional().await?;
    row.map(read).transpose()
}

/// Queues whose time is over.
pub(crate) async fn due(conn: &mut Conn, now_ms: u64) -> Result<Vec<QueueId>, Problem> {
    let sql = queues!("closed_ms IS NULL AND closes_ms <= $2 ORDER BY closes_ms LIMIT $3");
    let rows = conn.sql(sql).bind(signed(now_ms)).bind(MOST_DUE);
    let rows: Vec<Row> = rows.all().await?;
    rows.into_iter().map(|row| Ok(read(row)?.id)).collect()
}

/// The newest first: those whose name begins so, or with an item of a card that ends so.
pub(crate) async fn newest(
    conn: &mut Conn,
    (begins, tail): (&str, &str),
    (before_ms, most): (i64, i64),
) -> Result<Vec<QueueRow>, Problem> {
    let sql = queues!(
        "id LIKE $2 AND opened_ms < $4 AND ($3 = '' OR EXISTS (SELECT 1 FROM queue_item
             JOIN card ON card.bank = queue_item.bank AND card.id = queue_item.card
             WHERE queue_item.bank = queue.bank AND queue_item.queue = queue.id AND card.tail = $3))
         ORDER BY opened_ms DESC, id LIMIT $5"
    );
    let rows = conn.sql(sql).bind(format!("{begins}%")).bind(tail);
    let rows: Vec<Row> = rows.bind(before_ms).bind(most).all().await?;
    rows.into_iter().map(read).collect()
}

fn read(row: Row) -> Result<QueueRow, Problem> {
    let (id, terminal, industry, account, cards, total, request_hash, opened, closes, closed) = row;
    Ok(QueueRow {
        id: id.parse().map_err(Problem::internal)?,
        terminal: terminal.parse().map_err(Problem::internal)?,
        industry,
        account: AccountId(account),
        cards: narrow(cards)?,
        total: narrow(total)?,
        request_hash,
        opened_ms: unsigned(opened)?,
        closes_ms: unsigned(closes)?,
        closed_ms: closed.map(unsigned).transpose()?,
    })
}

/// The item whose loads have transaction ids that begin so.
pub(crate) async fn item(conn: &mut Conn, stem: &[u8; 15]) -> Result<Option<ItemRow>, Problem> {
    type Row = (String, i64, i64, String, Option<Vec<u8>>);
    let row: Option<Row> = conn
        .sql(
            "SELECT queue, card, amount, state, load FROM queue_item WHERE bank = $1 AND stem = $2",
        )
        .bind(&stem[..])
        .optional()
        .await?;
    let Some((id, card, amount, state, load)) = row else {
        return Ok(None);
    };
    let queue = find(conn, id.parse().map_err(Problem::internal)?).await?;
    Ok(Some(ItemRow {
        queue: queue.ok_or_else(|| Problem::internal("an item without queue"))?,
        card,
        amount: narrow(amount)?,
        state: ItemState::parse(&state)?,
        load: load.as_deref().map(array).transpose()?,
    }))
}

/// All items in the order of opening.
pub(crate) async fn items(conn: &mut Conn, id: QueueId) -> Result<Vec<ItemLine>, Problem> {
    type Row = (i64, i64, String, i64, Option<String>, String);
    let rows: Vec<Row> = conn
        .sql(
            "SELECT item.place, item.amount, item.state, item.changed_ms, load.reference, card.tail
             FROM queue_item AS item JOIN card ON card.bank = item.bank AND card.id = item.card
             LEFT JOIN load ON load.bank = item.bank AND load.id = item.load
             WHERE item.bank = $1 AND item.queue = $2 ORDER BY item.place",
        )
        .bind(id.to_string())
        .all()
        .await?;
    let read = |(place, amount, state, changed_ms, reference, tail): Row| {
        Ok(ItemLine {
            place,
            amount: narrow(amount)?,
            state: ItemState::parse(&state)?,
            changed_ms: unsigned(changed_ms)?,
            reference,
            tail,
        })
    };
    rows.into_iter().map(read).collect()
}

/// The account pays, and each of `items` (card and amount) waits for its card.
pub(crate) async fn open(
    bank: &Bank,
    conn: &mut Conn,
    row: &QueueRow,
    items: &[(i64, u32)],
) -> Result<(), Problem> {
    conn.sql(
        "INSERT INTO queue (bank, id, terminal, industry, account, cards, total, request_hash, opened_ms,
         closes_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(row.id.to_string())
    .bind(row.terminal.to_string())
    .bind(&row.industry)
    .bind(row.account.0)
    .bind(row.cards)
    .bind(row.total)
    .bind(&row.request_hash)
    .bind(signed(row.opened_ms))
    .bind(signed(row.closes_ms))
    .execute()
    .await?;
    let places: Vec<(u16, (i64, u32))> = (0..).zip(items.iter().copied()).collect();
    for some in places.chunks(AT_ONCE) {
        insert_items(conn, row, some).await?;
    }
    let paid = Transfer {
        from: Account::Customer(row.account),
        to: Account::Queue(row.id),
        amount: row.total,
    };
    money::post(conn, &paid, None, row.opened_ms).await?;
    let detail = serde_json::json!({
        "account": row.account, "cards": row.cards, "total": row.total,
        "terminal": row.terminal.to_string(),
    });
    let subject = row.id.to_string();
    let what = ("queue-opened", subject.as_str(), &*detail.to_string());
    audit::note(bank, conn, what, row.opened_ms).await
}

async fn insert_items(
    conn: &mut Conn,
    row: &QueueRow,
    items: &[(u16, (i64, u32))],
) -> Result<(), Problem> {
    const SHARED: usize = 3;
    const OWN: usize = 4;
    let rows = (0..items.len()).map(|at| {
        let first = SHARED + 1 + at * OWN;
        let own: Vec<String> = (first..first + OWN).map(|at| format!("${at}")).collect();
        format!("($1, $2, 'waiting', $3, {})", own.join(", "))
    });
    let sql = format!(
        "INSERT INTO queue_item (bank, queue, state, changed_ms, place, stem, card, amount) VALUES {}",
        rows.collect::<Vec<_>>().join(", ")
    );
    let mut statement = conn
        .sql(Made(sql))
        .bind(row.id.to_string())
        .bind(signed(row.opened_ms));
    for (place, (card, amount)) in items {
        let stem = envelope::queue::stem(&row.id.0, *place);
        statement = statement.bind(*place).bind(&stem).bind(*card).bind(*amount);
    }
    statement.execute().await?;
    Ok(())
}

/// What a load's transfer is when a queue pays for it; the item goes with it.
pub(crate) async fn through(
    conn: &mut Conn,
    (queue, load): (QueueId, &[u8; 16]),
    transfer: Transfer,
    now_ms: u64,
) -> Result<Transfer, Problem> {
    let row = find(conn, queue).await?;
    let row = row.ok_or_else(|| Problem::internal("a load of no queue"))?;
    let transfer = transfer.through(queue, row.is_open());
    let (before, after) = match (transfer.from, transfer.to) {
        (Account::Queue(_), _) => (ItemState::Waiting, ItemState::Open),
        (_, Account::Queue(_)) => (ItemState::Open, ItemState::Waiting),
        (_, Account::Customer(_)) => (ItemState::Open, ItemState::Returned),
        (_, Account::CardFloat(_)) => (ItemState::Open, ItemState::Loaded),
        (_, Account::WrittenOff(_)) => (ItemState::Open, ItemState::WrittenOff),
        (_, Account::InTransit(_) | Account::Funding(_)) => {
            return Err(Problem::internal("a queue's load by another way"));
        }
    };
    let moved = conn
        .sql(
            "UPDATE queue_item SET state = $6, changed_ms = $7,
                 load = CASE WHEN $6 = 'waiting' THEN NULL ELSE $5 END
             WHERE bank = $1 AND stem = $2 AND queue = $3 AND state = $4 AND (load IS NULL OR load = $5)",
        )
        .bind(&sms::stem(load))
        .bind(queue.to_string())
        .bind(before.name())
        .bind(load)
        .bind(after.name())
        .bind(signed(now_ms))
        .execute()
        .await?;
    match moved {
        1 => Ok(transfer),
        _ => Err(Problem::internal("an item is not where its load says")),
    }
}

/// What waits goes back to who paid. Loads that are open go on, and come back to the customer if they do.
pub(crate) async fn close(
    bank: &Bank,
    conn: &mut Conn,
    row: &QueueRow,
    (by, now_ms): (serde_json::Value, u64),
) -> Result<(), Problem> {
    let id = row.id.to_string();
    let waits: i64 = conn
        .sql(
            "SELECT CAST(coalesce(sum(amount), 0) AS BIGINT) FROM queue_item
             WHERE bank = $1 AND queue = $2 AND state = 'waiting'",
        )
        .bind(&id)
        .value()
        .await?;
    if waits > 0 {
        let back = Transfer {
            from: Account::Queue(row.id),
            to: Account::Customer(row.account),
            amount: narrow(waits)?,
        };
        money::post(conn, &back, None, now_ms).await?;
    }
    conn.sql(
        "UPDATE queue_item SET state = 'returned', changed_ms = $2
         WHERE bank = $1 AND queue = $3 AND state = 'waiting'",
    )
    .bind(signed(now_ms))
    .bind(&id)
    .execute()
    .await?;
    conn.sql("UPDATE queue SET closed_ms = $2 WHERE bank = $1 AND id = $3")
        .bind(signed(now_ms))
        .bind(&id)
        .execute()
        .await?;
    let detail = serde_json::json!({"returned": waits, "by": by}).to_string();
    audit::note(bank, conn, ("queue-closed", &id, &detail), now_ms).await
}

/// A terminal that enrolled again goes on with what it opened.
pub(crate) async fn inherit(
    conn: &mut Conn,
    terminal: &Terminal,
    replaced: &Terminal,
) -> Result<(), Problem> {
    conn.sql(
        "UPDATE queue SET terminal = $2 WHERE bank = $1 AND terminal = $3 AND closed_ms IS NULL",
    )
    .bind(terminal.to_string())
    .bind(replaced.to_string())
    .send()
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_an_item_is_read_as_it_is_written() {
        for state in ItemState::ALL {
            assert_eq!(ItemState::parse(state.name()).unwrap(), state);
        }
        assert!(ItemState::parse("lost").is_err());
    }
}
