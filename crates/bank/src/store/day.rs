//! One day of the store, by what is append-only: the same whenever it is asked, once the day is over.

use std::collections::BTreeMap;

use ledger::Phase;

use crate::error::Problem;
use crate::store::Conn;
use crate::store::row::row;

/// A load as it stood at a day's end.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) reference: String,
    pub(crate) kind: String,
    pub(crate) industry: String,
    pub(crate) tail: String,
    pub(crate) amount: i64,
    /// As the day began; none when it came later.
    pub(crate) before: Option<Phase>,
    pub(crate) phase: Phase,
    /// When it came to this phase.
    pub(crate) moved_ms: i64,
    /// Of a load that has come to its end.
    pub(crate) proof: Option<String>,
}

row! {
    struct Row {
        reference: String,
        kind: String,
        industry: String,
        tail: String,
        amount: i64,
        proof: Option<String>,
        phase_before: Option<String>,
        phase_after: Option<String>,
        moved_ms: Option<i64>,
    }
}

/// What moved between the two moments (ms), and what was open at the second; by reference.
pub(crate) async fn loads(conn: &mut Conn, (start, end): (i64, i64)) -> Result<Vec<Load>, Problem> {
    let sql = "SELECT load.reference, load.kind, card.industry, card.tail, load.amount, load.proof,
            (SELECT to_phase FROM transition
             WHERE transition.bank = load.bank AND transition.load = load.id AND transition.at_ms < $2
             ORDER BY transition.id DESC LIMIT 1) AS phase_before,
            (SELECT to_phase FROM transition
             WHERE transition.bank = load.bank AND transition.load = load.id AND transition.at_ms < $3
             ORDER BY transition.id DESC LIMIT 1) AS phase_after,
            (SELECT max(at_ms) FROM transition
             WHERE transition.bank = load.bank AND transition.load = load.id AND transition.at_ms < $3)
             AS moved_ms
         FROM load JOIN card ON card.bank = load.bank AND card.id = load.card
         WHERE load.bank = $1 AND (load.phase IN ('authorised', 'issued', 'in-doubt', 'manual')
            OR (load.phase IN ('confirmed', 'reversed', 'declined', 'voided', 'written-off')
                AND load.changed_ms >= $2))
         ORDER BY load.reference";
    let rows: Vec<Row> = conn.sql(sql).bind(start).bind(end).all().await?;
    let mut loads = Vec::with_capacity(rows.len());
    for row in rows {
        let (Some(after), Some(moved_ms)) = (&row.phase_after, row.moved_ms) else {
            continue;
        };
        let phase = phase(after)?;
        if moved_ms < start && !is_open(phase) {
            continue;
        }
        loads.push(Load {
            before: row.phase_before.as_deref().map(self::phase).transpose()?,
            phase,
            moved_ms,
            proof: row.proof.filter(|_| !is_open(phase)),
            reference: row.reference,
            kind: row.kind,
            industry: row.industry,
            tail: row.tail,
            amount: row.amount,
        });
    }
    Ok(loads)
}

/// Number and amount (fen) of the transfers between the two moments, by reason. What a queue is paid and gives back
/// passes by no load, so it is told apart.
pub(crate) async fn moves(
    conn: &mut Conn,
    (start, end): (i64, i64),
) -> Result<BTreeMap<String, (i64, i64)>, Problem> {
    let sql = "SELECT CASE WHEN transfer.load IS NULL AND transfer.kind IN ('debit', 'refund') THEN 'queue-' ELSE '' END
             || transfer.kind, count(*), CAST(sum(entry.amount) AS BIGINT) FROM transfer
         JOIN entry ON entry.bank = transfer.bank AND entry.transfer = transfer.id AND entry.amount > 0
         WHERE transfer.bank = $1 AND transfer.at_ms >= $2 AND transfer.at_ms < $3 GROUP BY 1";
    let rows: Vec<(String, i64, i64)> = conn.sql(sql).bind(start).bind(end).all().await?;
    let sum = |(kind, count, fen)| (kind, (count, fen));
    Ok(rows.into_iter().map(sum).collect())
}

/// Fen in transit at each of the two moments.
pub(crate) async fn in_transit(
    conn: &mut Conn,
    (start, end): (i64, i64),
) -> Result<(i64, i64), Problem> {
    let mut at = [0_i64; 2];
    for (sum, moment) in at.iter_mut().zip([start, end]) {
        let sql = "SELECT CAST(coalesce(sum(entry.amount), 0) AS BIGINT) FROM entry
             JOIN transfer ON transfer.bank = entry.bank AND transfer.id = entry.transfer
             WHERE entry.bank = $1 AND entry.account LIKE 'in-transit:%' AND transfer.at_ms < $2";
        *sum = conn.sql(sql).bind(moment).value().await?;
    }
    Ok(at.into())
}

fn is_open(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::Requested | Phase::Authorised | Phase::Issued | Phase::InDoubt | Phase::Manual
    )
}

fn phase(name: &str) -> Result<Phase, Problem> {
    let known = Phase::ALL.into_iter().find(|phase| phase.name() == name);
    known.ok_or_else(|| Problem::internal(format!("an unknown phase: {name}")))
}
