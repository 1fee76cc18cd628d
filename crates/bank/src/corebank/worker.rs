//! Store and forward: what the host must take back is sent until it says that it did.

use std::sync::Arc;
use std::time::Duration;

use ledger::{Event, Phase};
use tokio::task::JoinSet;

use crate::bank::Bank;
use crate::corebank::{Host, Undone};
use crate::error::Problem;
use crate::running::text;
use crate::store::{Conn, audit, commit, corebank, load};

const PAUSE: Duration = Duration::from_secs(1);
/// Between the first sending and the second; each pause after it is twice as long.
const FIRST_AGAIN_MS: u64 = 5_000;
const LONGEST_AGAIN_MS: u64 = 10 * 60 * 1_000;

/// Runs until it is aborted. Nothing is lost then: a row whose lease is over is anybody's.
pub(crate) async fn run(bank: Arc<Bank>, host: Arc<Host>) {
    loop {
        if let Err(error) = round(&bank, &host).await {
            log::warn!("what the core host is owed: {}", text(&error));
        }
        let _woken = tokio::time::timeout(PAUSE, host.owed.notified()).await;
    }
}

async fn round(bank: &Arc<Bank>, host: &Arc<Host>) -> Result<(), Problem> {
    let mut conn = bank.store.read().await?;
    let orphans = corebank::orphans(&mut conn, bank.now_ms()).await?;
    drop(conn);
    for orphan in &orphans {
        give_up(bank, orphan).await?;
    }
    if !host.is_up() {
        return Ok(());
    }
    let mut conn = bank.store.read().await?;
    let owed = corebank::owed(&mut conn, bank.now_ms()).await?;
    drop(conn);
    let mut work = JoinSet::new();
    for load in owed {
        let (bank, host) = (bank.clone(), host.clone());
        work.spawn(async move { reverse(&bank, &host, &load).await });
    }
    while let Some(done) = work.join_next().await {
        done.map_err(Problem::internal)??;
    }
    Ok(())
}

/// Whoever asked for this load is gone, or could not store the answer: it is void, and nothing stays booked.
async fn give_up(bank: &Bank, id: &[u8; 16]) -> Result<(), Problem> {
    commit!(bank.store, conn => {
        let now_ms = bank.now_ms();
        // Somebody may have been faster, with an answer or with the same.
        if !corebank::is_orphan(conn, id, now_ms).await? {
            return Ok(());
        }
        let row = load::find(bank, conn, id).await?;
        let Some(mut row) = row.filter(|row| row.phase() == Phase::Authorised) else {
            return Err(Problem::internal("a load that asks is not authorised"));
        };
        let stepped = row.step(Event::TimeOut, now_ms);
        stepped.map_err(Problem::internal)?;
        load::keep(bank, conn, &mut row, now_ms).await
    })?;
    bank.outbox.notify_one();
    Ok(())
}

async fn reverse(bank: &Bank, host: &Host, id: &[u8; 16]) -> Result<(), Problem> {
    let stan = host.next_stan();
    let lease_ms = host.lease_ms(bank.settings.limits.database_wait_ms);
    let taken = commit!(bank.store, conn => {
        let now_ms = bank.now_ms();
        let lease = (now_ms, now_ms.saturating_add(lease_ms));
        corebank::take(bank, conn, id, stan, lease).await
    })?;
    let Some(reversal) = taken else {
        return Ok(());
    };
    let undone = host.reverse(&reversal).await;
    commit!(bank.store, conn => {
        keep(bank, conn, id, undone.as_ref()).await
    })
}

async fn keep(
    bank: &Bank,
    conn: &mut Conn,
    id: &[u8; 16],
    undone: Option<&Undone>,
) -> Result<(), Problem> {
    let now_ms = bank.now_ms();
    let sent = corebank::times_sent(conn, id).await?;
    let doubled = FIRST_AGAIN_MS.saturating_mul(1_u64 << sent.saturating_sub(1).min(16));
    let next_ms = now_ms.saturating_add(doubled.min(LONGEST_AGAIN_MS));
    let is_settled = corebank::sent(conn, id, undone, (now_ms, next_ms)).await?;
    let Some(Undone { response, .. }) = undone else {
        return Ok(());
    };
    if !is_settled {
        log::warn!("the core host does not take a load back: {response}");
        return Ok(());
    }
    let row = load::find(bank, conn, id).await?;
    let row = row.ok_or_else(|| Problem::internal("a load went away"))?;
    let detail = serde_json::json!({"response": response, "sent": sent}).to_string();
    let what = ("core-reversed", row.reference.as_str(), detail.as_str());
    audit::note(bank, conn, what, now_ms).await
}
