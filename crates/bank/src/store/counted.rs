//! What is limited by the hour: counts of keyed hashes of whoever asks.

use std::net::IpAddr;

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::{Conn, signed, unsigned};
use crate::subscriber::Subscriber;
use crate::vault::Purpose;

const HOUR_MS: u64 = 3_600_000;

/// What a count is of.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Number,
    Prefix,
    Terminal,
    Address,
    Enrolment,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Prefix => "prefix",
            Self::Terminal => "terminal",
            Self::Address => "address",
            Self::Enrolment => "enrolment",
        }
    }
}

/// One subject with its limit for an hour.
pub(crate) struct Counted {
    kind: Kind,
    subject: [u8; 32],
    most: u32,
}

impl Counted {
    pub(crate) fn new(bank: &Bank, kind: Kind, subject: &str, most: u32) -> Self {
        let parts = [kind.name().as_bytes(), subject.as_bytes()];
        Self {
            kind,
            subject: bank.vault.hash(Purpose::Count, &parts),
            most,
        }
    }

    pub(crate) fn of_address(bank: &Bank, kind: Kind, address: IpAddr, most: u32) -> Self {
        Self::new(bank, kind, &Subscriber::of(address).name(), most)
    }
}

/// Counts all of these, or none when one is over its limit: `too-many`.
pub(crate) async fn take(conn: &mut Conn, all: &[Counted], now_ms: u64) -> Result<(), Problem> {
    free(conn, (all, 0), now_ms).await?;
    count(conn, all, now_ms).await?;
    Ok(())
}

/// The same where each statement is a commit of its own. Of several at once that only together are over a limit, more
/// may be refused than need be, but never too few.
pub(crate) async fn take_alone(
    conn: &mut Conn,
    all: &[Counted],
    now_ms: u64,
) -> Result<(), Problem> {
    free(conn, (all, 0), now_ms).await?;
    let ids = count(conn, all, now_ms).await?;
    let taken = free(conn, (all, 1), now_ms).await;
    if taken.is_err() {
        for id in ids {
            let sql = "DELETE FROM counted WHERE bank = $1 AND id = $2";
            conn.sql(sql).bind(id).execute().await?;
        }
    }
    taken
}

/// Refuses the next one while it must wait. `own` of those that count are the asker's. What was counted while the
/// clock was ahead holds nobody up until then.
async fn free(conn: &mut Conn, (all, own): (&[Counted], i64), now_ms: u64) -> Result<(), Problem> {
    let since = signed(now_ms.saturating_sub(HOUR_MS));
    let mut free_ms = None;
    for counted in all {
        let (count, oldest): (i64, Option<i64>) = conn
            .sql(
                "SELECT count(*), min(at_ms) FROM counted
                 WHERE bank = $1 AND kind = $2 AND subject = $3 AND at_ms > $4 AND at_ms <= $5",
            )
            .bind(counted.kind.name())
            .bind(&counted.subject)
            .bind(since)
            .bind(signed(now_ms))
            .one()
            .await?;
        if count - own >= i64::from(counted.most)
            && let Some(oldest) = oldest
        {
            free_ms = free_ms.max(Some(unsigned(oldest)?.saturating_add(HOUR_MS)));
        }
    }
    let Some(free_ms) = free_ms else {
        return Ok(());
    };
    let wait_ms = free_ms.saturating_sub(now_ms).max(1_000);
    Err(Problem::refused(429, "too-many").with("retry_after_ms", wait_ms))
}

/// The numbers of the new counts.
async fn count(conn: &mut Conn, all: &[Counted], now_ms: u64) -> Result<Vec<i64>, Problem> {
    let mut ids = Vec::with_capacity(all.len());
    for counted in all {
        let sql = "INSERT INTO counted (bank, kind, subject, at_ms) VALUES ($1, $2, $3, $4)
             RETURNING id";
        let id = conn
            .sql(sql)
            .bind(counted.kind.name())
            .bind(&counted.subject)
            .bind(signed(now_ms))
            .value()
            .await?;
        ids.push(id);
    }
    Ok(ids)
}

/// Whether there is a count of an hour that is over, or of a clock that was ahead.
pub(crate) async fn old_counts(conn: &mut Conn, now_ms: u64) -> Result<bool, Problem> {
    let old: Option<(i64,)> = conn
        .sql("SELECT at_ms FROM counted WHERE bank = $1 AND (at_ms <= $2 OR at_ms > $3) LIMIT 1")
        .bind(signed(now_ms.saturating_sub(HOUR_MS)))
        .bind(signed(now_ms.saturating_add(HOUR_MS)))
        .optional()
        .await?;
    Ok(old.is_some())
}

pub(crate) async fn forget(conn: &mut Conn, now_ms: u64) -> Result<(), Problem> {
    conn.sql("DELETE FROM counted WHERE bank = $1 AND (at_ms <= $2 OR at_ms > $3)")
        .bind(signed(now_ms.saturating_sub(HOUR_MS)))
        .bind(signed(now_ms.saturating_add(HOUR_MS)))
        .send()
        .await
}
