//! What the bank does by itself: delivers its outbox, doubts loads that nobody speaks of any more, closes old queues.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger::{Doubt, Event, Phase, Suspense};
use serde::Deserialize;

use crate::bank::Bank;
use crate::error::Problem;
use crate::metrics::SmsResult;
use crate::queues;
use crate::sms::post;
use crate::sms::sender::{Handed, Parcel};
use crate::store::load::{self, LoadRow};
use crate::store::outbox::{self, Waiting};
use crate::store::{Conn, commit, counted, terminal};

const PAUSE: Duration = Duration::from_secs(1);
/// How long one who is woken waits for more to deliver at once.
const GATHER: Duration = Duration::from_millis(20);

/// Runs until it is aborted. Nothing is lost then: what was not marked as delivered is delivered again.
pub(crate) async fn run(bank: Arc<Bank>) {
    let mut due = Instant::now();
    loop {
        let is_due = Instant::now() >= due;
        let done = if is_due {
            due = Instant::now() + PAUSE;
            let done = round(&bank).await;
            bank.metrics.round(done.is_ok());
            done
        } else {
            // Woken for what there is to deliver: all else has its time.
            deliver(&bank).await
        };
        if let Err(error) = done {
            let (status, body) = error.answer();
            log::warn!(
                "a round of the bank's own work: {status} {}",
                String::from_utf8_lossy(&body)
            );
        }
        // A wake-up and a pause are both fine: a round without work changes nothing.
        let _woken = tokio::time::timeout(PAUSE, bank.outbox.notified()).await;
        // What comes meanwhile goes with it.
        tokio::time::sleep(GATHER).await;
    }
}

pub(crate) async fn round(bank: &Bank) -> Result<(), Problem> {
    deliver(bank).await?;
    let limits = &bank.settings.limits;
    let silent = Sweep {
        phase: Phase::Issued,
        activations_too: true,
        after_s: limits.silence_s,
        event: Event::Doubt(Doubt::Silence),
    };
    // What no card has settled for so long, people must. An activation waits for its card: nothing is at stake.
    let old = Sweep {
        phase: Phase::InDoubt,
        activations_too: false,
        after_s: limits.doubt_s,
        event: Event::Suspend(Suspense::TooOld),
    };
    sweep(bank, &silent).await?;
    sweep(bank, &old).await?;
    queues::close_due(bank).await?;
    forget(bank).await
}

/// What only had to be remembered for a while: nonces whose time is refused by now, counts of an hour that is over.
async fn forget(bank: &Bank) -> Result<(), Problem> {
    let now_ms = bank.now_ms();
    let mut conn = bank.store.read().await?;
    let any = terminal::old_nonces(&mut conn, now_ms).await?
        || counted::old_counts(&mut conn, now_ms).await?;
    drop(conn);
    if !any {
        return Ok(());
    }
    commit!(bank.store, conn => {
        terminal::forget_nonces(conn, now_ms).await?;
        counted::forget(conn, now_ms).await
    })
}

/// What happens to loads that have been in one phase for too long.
struct Sweep {
    phase: Phase,
    activations_too: bool,
    after_s: u64,
    event: Event,
}

async fn deliver(bank: &Bank) -> Result<(), Problem> {
    bank.sender.wake();
    loop {
        let mut conn = bank.store.read().await?;
        // What goes to a sender elsewhere has a way of its own: nothing here waits for it.
        let waiting = outbox::waiting(&mut conn, !bank.sender.is_remote()).await?;
        drop(conn);
        if waiting.is_empty() {
            return Ok(());
        }
        // Delivered first, marked after: a crash between sends one more, never none.
        let mut done: BTreeMap<_, Vec<i64>> = BTreeMap::new();
        for item in &waiting {
            let outcome = hand_over(bank, item).await?.map(SmsResult::name);
            done.entry(outcome).or_default().push(item.id);
        }
        // Where several write at once, marking is in nobody's way: it reads the newest events, beside which others insert.
        if let Some(mut conn) = bank.store.ahead().await? {
            mark(&mut conn, &done, bank.now_ms()).await?;
        } else {
            commit!(bank.store, conn => { mark(conn, &done, bank.now_ms()).await })?;
        }
    }
}

async fn mark(
    conn: &mut Conn,
    done: &BTreeMap<Option<&'static str>, Vec<i64>>,
    now_ms: u64,
) -> Result<(), Problem> {
    for (outcome, ids) in done {
        outbox::delivered(conn, (ids, *outcome), now_ms).await?;
    }
    Ok(())
}

/// What an event of the outbox says that is counted.
#[derive(Deserialize)]
struct Moved {
    to: String,
    amount: u64,
}

/// What became of it, of an SMS.
async fn hand_over(bank: &Bank, item: &Waiting) -> Result<Option<SmsResult>, Problem> {
    if let Some(payload) = &item.payload {
        log::info!("{}: {payload}", item.kind);
        if let Ok(moved) = serde_json::from_str::<Moved>(payload) {
            bank.metrics.moved(&moved.to, moved.amount);
        }
    }
    let Some(sealed) = &item.sealed else {
        return Ok(None);
    };
    let parcel = Parcel {
        sms: &post::open(bank, sealed)?,
        key: String::new(),
        left: Duration::MAX,
    };
    // A number that is not on file: the row is there so that it looks the same.
    let result = match bank.sender.send(&parcel).await {
        Handed::NotOnFile => SmsResult::NotOnFile,
        Handed::Accepted(_) => SmsResult::Delivered,
        Handed::Nowhere
        | Handed::NotNow(_)
        | Handed::TooMuch(..)
        | Handed::Refused(_)
        | Handed::Unanswered(_) => SmsResult::NoSender,
    };
    bank.metrics.sms(result);
    Ok(Some(result))
}

async fn sweep(bank: &Bank, sweep: &Sweep) -> Result<(), Problem> {
    let age_ms = sweep.after_s.saturating_mul(1_000);
    let before_ms = bank.now_ms().saturating_sub(age_ms);
    let of = (sweep.phase, sweep.activations_too);
    let mut conn = bank.store.read().await?;
    if load::since(bank, &mut conn, of, before_ms)
        .await?
        .is_empty()
    {
        return Ok(());
    }
    drop(conn);
    commit!(bank.store, conn => {
        let rows = load::since(bank, conn, of, before_ms).await?;
        step_all(bank, conn, rows, &sweep.event).await
    })
}

async fn step_all(
    bank: &Bank,
    conn: &mut Conn,
    rows: Vec<LoadRow>,
    event: &Event,
) -> Result<(), Problem> {
    let now_ms = bank.now_ms();
    for mut row in rows {
        let stepped = row.step(event.clone(), now_ms);
        stepped.map_err(Problem::internal)?;
        load::keep(bank, conn, &mut row, now_ms).await?;
    }
    Ok(())
}
