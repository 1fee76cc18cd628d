//! Transactions of the relay, their stored replies and the ones that can never come.

use envelope::Terminal;
use ledger::Since;

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::{Conn, array, audit, narrow, signed};

/// In the place of fen spent: the log's newest load is another one.
const OTHER_LOAD: i64 = -1;

/// Where a transaction of the relay stands.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) id: [u8; 16],
    pub(crate) terminal: Terminal,
    pub(crate) operation: u8,
    pub(crate) industry: String,
    pub(crate) next_step: u8,
    /// The phase that the driver runs now; none when the transaction has ended.
    pub(crate) awaits: Option<String>,
    pub(crate) load: Option<[u8; 16]>,
    /// What the card's log said.
    pub(crate) since: Since,
    /// The newest attempt of the load when the card was asked for a new INITIALIZE, from 1.
    pub(crate) attempt: Option<u32>,
    /// What the card is asked to sign: 12 BCD digits that nobody could foresee, in place of the terminal's number.
    /// A MAC1 over them is not an old one.
    pub(crate) witness: Option<[u8; 6]>,
    /// The person wants the money back rather than on the card.
    pub(crate) refund: bool,
}

type Row = (
    Vec<u8>,
    String,
    i64,
    String,
    i64,
    Option<String>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    i64,
);

pub(crate) async fn find(conn: &mut Conn, id: &[u8; 16]) -> Result<Option<Exchange>, Problem> {
    let row: Option<Row> = conn
        .sql(
            "SELECT id, terminal, operation, industry, next_step, awaits, load, spent,
         attempt, witness, refund FROM exchange WHERE bank = $1 AND id = $2",
        )
        .bind(&id[..])
        .optional()
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let (
        id,
        terminal,
        operation,
        industry,
        next_step,
        awaits,
        load,
        spent,
        attempt,
        witness,
        refund,
    ) = row;
    Ok(Some(Exchange {
        id: array(&id)?,
        terminal: terminal.parse().map_err(Problem::internal)?,
        operation: narrow(operation)?,
        industry,
        next_step: narrow(next_step)?,
        awaits,
        load: load.as_deref().map(array).transpose()?,
        since: match spent {
            None => Since::Unknown,
            Some(OTHER_LOAD) => Since::OtherLoad,
            Some(fen) => Since::Spent(narrow(fen)?),
        },
        attempt: attempt.map(narrow).transpose()?,
        witness: witness.as_deref().map(array).transpose()?,
        refund: refund != 0,
    }))
}

/// Whether there is a transaction of this id, and whether this step of it has its reply.
pub(crate) async fn is_known(
    conn: &mut Conn,
    id: &[u8; 16],
    step: u8,
) -> Result<(bool, bool), Problem> {
    let (begun, replied): (i64, i64) = conn
        .sql(
            "SELECT (SELECT count(*) FROM exchange WHERE bank = $1 AND id = $2),
             (SELECT count(*) FROM reply WHERE bank = $1 AND exchange = $2 AND step = $3)",
        )
        .bind(id)
        .bind(step)
        .one()
        .await?;
    Ok((begun > 0, replied > 0))
}

/// Stores a transaction with what became of it at once. One that another request began meanwhile is a conflict:
/// whoever runs again finds it.
pub(crate) async fn begin(conn: &mut Conn, it: &Exchange, now_ms: u64) -> Result<(), Problem> {
    conn.sql(
            "INSERT INTO exchange (bank, id, terminal, operation, industry, next_step, awaits, load, spent,
             attempt, witness, refund, at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
        )
        .bind(&it.id)
        .bind(it.terminal.to_string())
        .bind(it.operation)
        .bind(&it.industry)
        .bind(it.next_step)
        .bind(it.awaits.as_deref())
        .bind(it.load.as_ref())
        .bind(spent(it.since))
        .bind(it.attempt)
        .bind(it.witness.as_ref())
        .bind(it.refund)
        .bind(signed(now_ms))
        .send_one(|| Problem::overtaken("a transaction of this number came first"))
        .await
}

fn spent(since: Since) -> Option<i64> {
    match since {
        Since::Unknown => None,
        Since::OtherLoad => Some(OTHER_LOAD),
        Since::Spent(fen) => Some(i64::from(fen)),
    }
}

/// Where the transaction stands now. What it began with stays.
pub(crate) async fn save(conn: &mut Conn, it: &Exchange, now_ms: u64) -> Result<(), Problem> {
    conn.sql(
        "UPDATE exchange SET next_step = $3, awaits = $4, load = $5, spent = $6, attempt = $7,
         witness = $8, refund = $9, at_ms = $10 WHERE bank = $1 AND id = $2",
    )
    .bind(&it.id)
    .bind(it.next_step)
    .bind(it.awaits.as_deref())
    .bind(it.load.as_ref())
    .bind(spent(it.since))
    .bind(it.attempt)
    .bind(it.witness.as_ref())
    .bind(it.refund)
    .bind(signed(now_ms))
    .send()
    .await
}

/// The hash of the request and the reply that was sent to it.
pub(crate) async fn reply(
    bank: &Bank,
    conn: &mut Conn,
    exchange: &[u8; 16],
    step: u8,
) -> Result<Option<(Vec<u8>, Vec<u8>)>, Problem> {
    let row: Option<(Vec<u8>, Vec<u8>)> = conn
        .sql("SELECT request_hash, sealed FROM reply WHERE bank = $1 AND exchange = $2 AND step = $3")
        .bind(exchange)
        .bind(step)
        .optional()
        .await?;
    let Some((hash, sealed)) = row else {
        return Ok(None);
    };
    Ok(Some((hash, bank.vault.open("reply", &sealed)?.to_vec())))
}

/// A reply can name a card in full, so it is sealed.
pub(crate) async fn keep_reply(
    bank: &Bank,
    conn: &mut Conn,
    (exchange, step): (&[u8; 16], u8),
    (request_hash, reply): (&[u8; 32], &[u8]),
    now_ms: u64,
) -> Result<(), Problem> {
    conn.sql(
        "INSERT INTO reply (bank, exchange, step, request_hash, sealed, at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&exchange[..])
    .bind(step)
    .bind(&request_hash[..])
    .bind(bank.vault.seal("reply", reply)?)
    .bind(signed(now_ms))
    .send()
    .await
}

pub(crate) async fn is_void(conn: &mut Conn, id: &[u8; 16]) -> Result<bool, Problem> {
    let found: Option<(i64,)> = conn
        .sql("SELECT at_ms FROM void WHERE bank = $1 AND id = $2")
        .bind(id)
        .optional()
        .await?;
    Ok(found.is_some())
}

/// A top-up that was asked about and never came can never debit from now on.
pub(crate) async fn void(
    bank: &Bank,
    conn: &mut Conn,
    id: &[u8; 16],
    (terminal, now_ms): (&Terminal, u64),
) -> Result<(), Problem> {
    let sql = "INSERT INTO void (bank, id, terminal, at_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING";
    let done = conn
        .sql(sql)
        .bind(&id[..])
        .bind(terminal.to_string())
        .bind(signed(now_ms))
        .execute()
        .await?;
    if done == 0 {
        return Ok(());
    }
    let subject = hex::encode(id);
    let detail = r#"{"why":"asked about, never seen"}"#;
    audit::note(bank, conn, ("load-voided", &subject, detail), now_ms).await
}
