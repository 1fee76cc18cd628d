//! What became of a load, for a terminal whose card may never come back (`docs/protocol.md`, 3.3).

use ledger::{Kind, Phase};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::load::LoadRow;
use crate::store::{exchange, load};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    #[serde(with = "hex::serde")]
    transaction: [u8; 16],
}

/// Nothing changes by being asked. Whoever knows the 15 random bytes of a transaction's id may ask: a terminal that
/// had to enrol again still has its journal.
pub(super) async fn outcome(bank: &Bank, query: &Query) -> Result<Value, Problem> {
    let mut conn = bank.store.snapshot().await?;
    let found = match load::find(bank, &mut conn, &query.transaction).await? {
        Some(row) => Some(row),
        None => match exchange::find(&mut conn, &query.transaction).await? {
            Some(exchange) => match exchange.load {
                Some(id) => load::find(bank, &mut conn, &id).await?,
                None => None,
            },
            None => None,
        },
    };
    let found = found.filter(|row| row.load.order().kind == Kind::TopUp);
    Ok(found.map_or_else(|| json!({"outcome": "unknown"}), |row| told(&row)))
}

fn told(row: &LoadRow) -> Value {
    let outcome = match row.phase() {
        Phase::Confirmed => "ok",
        Phase::Reversed => "refunded",
        Phase::WrittenOff => "written-off",
        Phase::Manual => "manual",
        Phase::Requested | Phase::Authorised | Phase::Issued | Phase::InDoubt => "in-doubt",
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
