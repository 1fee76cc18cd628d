//! What became of a load, for a terminal whose card may never come back (`docs/protocol.md`, 3.3).

use envelope::Terminal;
use ledger::{Kind, Phase};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::load::LoadRow;
use crate::store::{Conn, commit, corebank, exchange, load};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    #[serde(with = "hex::serde")]
    transaction: [u8; 16],
    /// A top-up that never came here shall never come.
    #[serde(default)]
    void: bool,
}

/// Nothing moves by being asked. Whoever knows the 15 random bytes of a transaction's id may ask: a terminal that
/// had to enrol again still has its journal.
pub(super) async fn outcome(
    bank: &Bank,
    terminal: Terminal,
    query: &Query,
) -> Result<Value, Problem> {
    let id = &query.transaction;
    let mut conn = bank.store.snapshot().await?;
    let known = find(bank, &mut conn, id).await?;
    drop(conn);
    if matches!(known, Known::Load(..)) || !query.void {
        return Ok(told(known));
    }
    let known = commit!(bank.store, conn => {
        // Its first message may have come meanwhile.
        let known = find(bank, conn, id).await?;
        if let Known::Never = known {
            exchange::void(bank, conn, id, (&terminal, bank.now_ms())).await?;
        }
        Ok::<_, Problem>(known)
    })?;
    Ok(match known {
        Known::Load(..) => told(known),
        Known::Refused | Known::Never => json!({"outcome": "voided"}),
    })
}

/// What the bank has of a transaction.
enum Known {
    /// And whether a core banking host may still have booked it, though it is void.
    Load(Box<LoadRow>, bool),
    /// It was answered, and led to no load: nothing moved, nothing will.
    Refused,
    Never,
}

async fn find(bank: &Bank, conn: &mut Conn, id: &[u8; 16]) -> Result<Known, Problem> {
    if let Some(row) = load::find(bank, conn, id).await? {
        return known(conn, row).await;
    }
    let Some(exchange) = exchange::find(conn, id).await? else {
        return Ok(Known::Never);
    };
    let row = match exchange.load {
        Some(load) => load::find(bank, conn, &load).await?,
        None => None,
    };
    match row {
        Some(row) => known(conn, row).await,
        None => Ok(Known::Refused),
    }
}

async fn known(conn: &mut Conn, row: LoadRow) -> Result<Known, Problem> {
    let is_unsure = corebank::is_unsure(conn, &row).await?;
    Ok(Known::Load(Box::new(row), is_unsure))
}

fn told(known: Known) -> Value {
    match known {
        Known::Load(row, is_unsure) if row.load.order().kind == Kind::TopUp => {
            told_load(&row, is_unsure)
        }
        Known::Load(..) | Known::Refused | Known::Never => json!({"outcome": "unknown"}),
    }
}

fn told_load(row: &LoadRow, is_unsure: bool) -> Value {
    let outcome = match row.phase() {
        Phase::Confirmed => "ok",
        Phase::Reversed => "refunded",
        Phase::WrittenOff => "written-off",
        Phase::Manual => "manual",
        Phase::Requested | Phase::Authorised | Phase::Issued | Phase::InDoubt => "in-doubt",
        Phase::Voided if is_unsure => "in-doubt",
        Phase::Declined | Phase::Voided => "declined",
    };
    let balances = row
        .load
        .last_attempt()
        .filter(|_| row.phase() == Phase::Confirmed)
        .map(|attempt| attempt.balance);
    json!({
        "outcome": outcome,
        "reference": row.reference,
        "amount": row.load.order().amount,
        "time_ms": row.load.changed_ms(),
        "old_balance": balances,
        "new_balance": balances.map(|old| old.saturating_add(row.load.order().amount)),
    })
}
