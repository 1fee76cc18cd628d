//! Queues as people of the bank see them, and what they have in common everywhere.

use ledger::QueueId;
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::config::Config;
use crate::console::Role;
use crate::error::Problem;
use crate::operators::{
    OperatorError, Signature, may_be_written, refused, signed_by, spelled, with_bank,
};
use crate::store::queue::{self, ItemLine, ItemState, QueueRow};
use crate::store::{Conn, commit, console};
use crate::vault::Purpose;

/// Queues in one list.
const MOST: i64 = 1_000;

/// 16 bytes that only this bank makes, the same whenever asked, so that nothing secret is stored.
pub(crate) fn proof(bank: &Bank, row: &QueueRow) -> [u8; 16] {
    let parts = [&row.id.0[..], &row.request_hash];
    let hash = bank.vault.hash(Purpose::QueueProof, &parts);
    let mut proof = [0; 16];
    proof.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    proof
}

/// Fen of the items in one of these states.
pub(crate) fn sum(items: &[ItemLine], states: &[ItemState]) -> u64 {
    let of = items.iter().filter(|item| states.contains(&item.state));
    of.map(|item| u64::from(item.amount)).sum()
}

/// Closes what has been open for as long as a queue may be.
pub(crate) async fn close_due(bank: &Bank) -> Result<(), Problem> {
    let mut conn = bank.store.read().await?;
    let due = queue::due(&mut conn, bank.now_ms()).await?;
    drop(conn);
    for id in due {
        commit!(bank.store, conn => {
            // Its terminal may have closed it meanwhile.
            match queue::find(conn, id).await?.filter(QueueRow::is_open) {
                Some(row) => {
                    let by = (json!("time"), bank.now_ms());
                    queue::close(bank, conn, &row, by).await
                }
                None => Ok(()),
            }
        })?;
    }
    Ok(())
}

/// All queues, the newest first, as JSON: `queue`, `state`, `cards`, `total`, `waiting`, `open`, `loaded`, `returned`,
/// `written_off` (fen), `terminal`, `opened_ms`, `closes_ms`, `closed_ms`.
///
/// # Errors
/// [`OperatorError`] when the store can't be read.
pub async fn queues(config: Config) -> Result<Value, OperatorError> {
    with_bank(config, async |bank: &Bank| {
        let mut conn = bank.store.snapshot().await?;
        let mut all = Vec::new();
        for row in queue::newest(&mut conn, ("", ""), (i64::MAX, MOST)).await? {
            let items = queue::items(&mut conn, row.id).await?;
            all.push(told(&row, &items));
        }
        Ok(Value::Array(all))
    })
    .await
}

/// One queue with its `items`: `place`, `card_tail`, `amount`, `state`, `reference`, `time_ms`.
///
/// # Errors
/// [`OperatorError`]; `queue-unknown` when there is none of this name.
pub async fn one_queue(config: Config, id: &str) -> Result<Value, OperatorError> {
    with_bank(config, async |bank: &Bank| {
        let mut conn = bank.store.snapshot().await?;
        let row = called(&mut conn, id).await?;
        let items = queue::items(&mut conn, row.id).await?;
        let mut told = told(&row, &items);
        told["items"] = items.iter().map(told_item).collect();
        Ok(told)
    })
    .await
}

/// An operator closes a queue: what waits goes back to the account that paid.
///
/// # Errors
/// [`OperatorError`], with the code of what was wrong; nothing is changed then but the count of tries.
pub async fn close_queue(
    config: Config,
    id: &str,
    signature: &Signature,
) -> Result<(), OperatorError> {
    with_bank(config, async |bank: &Bank| {
        close_by(bank, id, signature).await
    })
    .await
}

/// [`close_queue`] inside a bank.
pub(crate) async fn close_by(
    bank: &Bank,
    id: &str,
    signature: &Signature,
) -> Result<(), OperatorError> {
    let name = spelled(&signature.operator)?;
    signed_by(bank, &name, &signature.password).await?;
    may_be_written(&name, &signature.evidence)?;
    commit!(bank.store, conn => {
        if console::role(conn, &name).await? != Some(Role::Operator) {
            let cause = "this operator may look, and close nothing".to_owned();
            return Err(refused("operator-viewer", cause));
        }
        let row = called(conn, id).await?;
        if !row.is_open() {
            return Err(refused("queue-closed", "it is closed already".to_owned()));
        }
        let by = json!({"operator": name, "evidence": signature.evidence.trim()});
        queue::close(bank, conn, &row, (by, bank.now_ms())).await?;
        Ok(())
    })
}

/// The queue of this name: all of its digits.
async fn called(conn: &mut Conn, id: &str) -> Result<QueueRow, OperatorError> {
    let unknown = || refused("queue-unknown", "there is no queue of this name".to_owned());
    let id: QueueId = id.trim().parse().map_err(|_| unknown())?;
    queue::find(conn, id).await?.ok_or_else(unknown)
}

fn told(row: &QueueRow, items: &[ItemLine]) -> Value {
    let sum = |state| sum(items, &[state]);
    json!({
        "queue": row.id.to_string(),
        "state": if row.is_open() { "open" } else { "closed" },
        "industry": row.industry,
        "cards": row.cards,
        "total": row.total,
        "waiting": sum(ItemState::Waiting),
        "open": sum(ItemState::Open),
        "loaded": sum(ItemState::Loaded),
        "returned": sum(ItemState::Returned),
        "written_off": sum(ItemState::WrittenOff),
        "terminal": row.terminal.to_string(),
        "opened_ms": row.opened_ms,
        "closes_ms": row.closes_ms,
        "closed_ms": row.closed_ms,
    })
}

fn told_item(item: &ItemLine) -> Value {
    json!({
        "place": item.place,
        "card_tail": item.tail,
        "amount": item.amount,
        "state": item.state.name(),
        "reference": item.reference,
        "time_ms": item.changed_ms,
    })
}
