//! From the outbox to a sender that is elsewhere. Each SMS goes on its own, so that none waits for another, and nothing
//! of the bank's waits for any of them.
//!
//! One is taken for as long as an attempt may last and handed over, and its end is written after: a crash in between
//! sends it once more when that time is over, and nobody else does before.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};

use crate::bank::Bank;
use crate::error::Problem;
use crate::metrics::SmsResult;
use crate::sms::Sms;
use crate::sms::receipt::{Arrival, Receipt};
use crate::sms::sender::{Handed, Parcel};
use crate::store::posting::{self, Change, Claim, Claimed};
use crate::vault::random;

/// SMS of one process on their way at once.
const AT_ONCE: usize = 16;
/// How often is looked for what another process left, or what is due again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long those on their way may take when the bank stops.
const GRACE: Duration = Duration::from_secs(5);
/// Beyond the time of an attempt: for writing its end, and for clocks of two machines that differ.
const MARGIN_MS: u64 = 5_000;
/// Between two attempts with one SMS.
const LONGEST_PAUSE_MS: u64 = 30_000;
/// Handing over without an answer: once more is worth it, more often would only send it again and again.
const MOST_UNANSWERED: u32 = 2;
/// A receipt can be here before the end of its SMS is written.
const RECEIPT_TRIES: u32 = 5;

/// What runs beside the bank for a sender that is elsewhere.
pub(crate) struct Posting {
    stop: Arc<Notify>,
    run: JoinHandle<()>,
    beside: [JoinHandle<()>; 2],
}

/// None when there is none: then the bank's own work hands over.
pub(crate) fn start(bank: &Arc<Bank>) -> Option<Posting> {
    if !bank.sender.is_remote() {
        return None;
    }
    let stop = Arc::new(Notify::new());
    let (tell, told) = unbounded_channel();
    let keeping = bank.clone();
    let keep = tokio::spawn(async move { keeping.sender.keep(tell).await });
    Some(Posting {
        run: tokio::spawn(run(bank.clone(), stop.clone())),
        beside: [keep, tokio::spawn(write_receipts(bank.clone(), told))],
        stop,
    })
}

impl Posting {
    /// Waits for the answers to what is on its way.
    pub(crate) async fn stop(self) {
        self.stop.notify_one();
        let _ended = self.run.await;
        for task in self.beside {
            task.abort();
            let _aborted = task.await;
        }
    }
}

async fn run(bank: Arc<Bank>, stop: Arc<Notify>) {
    let mut on_way: JoinSet<i64> = JoinSet::new();
    // An end that can't be written must not make its SMS go again.
    let mut held = HashSet::new();
    loop {
        if let Err(error) = fill(&bank, &mut on_way, &mut held).await {
            let (status, body) = error.answer();
            let body = String::from_utf8_lossy(&body);
            log::warn!("SMS of the outbox: {status} {body}");
        }
        tokio::select! {
            () = stop.notified() => break,
            () = bank.sender.woken() => {}
            Some(done) = on_way.join_next() => match done {
                Ok(id) => {
                    held.remove(&id);
                }
                Err(error) => {
                    log::error!("an SMS's own task ended badly: {error}");
                    held.clear();
                }
            },
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    let rest = async { while on_way.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, rest).await.is_err() {
        log::warn!("SMS whose end is not known stay in the outbox");
    }
    bank.sender.close().await;
}

/// Takes as many as may go at once.
async fn fill(
    bank: &Arc<Bank>,
    on_way: &mut JoinSet<i64>,
    held: &mut HashSet<i64>,
) -> Result<(), Problem> {
    let free = AT_ONCE.saturating_sub(on_way.len());
    if free == 0 {
        return Ok(());
    }
    let now_ms = bank.now_ms();
    let lease_ms = bank.settings.sms.timeout_s.saturating_mul(1_000) + MARGIN_MS;
    let claim = Claim {
        now_ms,
        until_ms: now_ms.saturating_add(lease_ms),
        // Without a way out those alone that are too old: they are given up.
        made_ms: match bank.sender.is_ready() {
            true => u64::MAX,
            false => now_ms.saturating_sub(valid_ms(bank)),
        },
        most: free,
    };
    for item in posting::claim(&bank.store, &claim).await? {
        if held.insert(item.id) {
            on_way.spawn(one(bank.clone(), item));
        }
    }
    Ok(())
}

async fn one(bank: Arc<Bank>, item: Claimed) -> i64 {
    let change = match hand_over(&bank, &item).await {
        Some(handed) => {
            let part = random::<1>().map_or(0, |[part]| part);
            verdict(
                &item,
                handed,
                (
                    bank.now_ms(),
                    item.created_ms.saturating_add(valid_ms(&bank)),
                ),
                part,
            )
        }
        None => done(&item, SmsResult::GivenUp, None),
    };
    bank.metrics.sms(change.0);
    while let Err(error) = posting::write(&bank.store, &change.1, bank.now_ms()).await {
        let (status, body) = error.answer();
        let body = String::from_utf8_lossy(&body);
        log::warn!("an SMS's end is not written yet: {status} {body}");
        tokio::time::sleep(PAUSE).await;
    }
    item.id
}

/// None when its code is not good any more.
async fn hand_over(bank: &Bank, item: &Claimed) -> Option<Handed> {
    let until_ms = item.created_ms.saturating_add(valid_ms(bank));
    let left_ms = until_ms
        .checked_sub(bank.now_ms())
        .filter(|left| *left > 0)?;
    let sms = match open(bank, &item.sealed) {
        Ok(sms) => sms,
        Err(error) => {
            let _logged = error.answer();
            return Some(Handed::Refused("it can't be opened".to_owned()));
        }
    };
    let parcel = Parcel {
        sms: &sms,
        key: format!("{}-{}", item.created_ms, item.id),
        left: Duration::from_millis(left_ms),
    };
    let most = Duration::from_secs(bank.settings.sms.timeout_s);
    let handed = tokio::time::timeout(most, bank.sender.send(&parcel)).await;
    Some(handed.unwrap_or_else(|_| Handed::Unanswered("no answer in time".to_owned())))
}

pub(crate) fn open(bank: &Bank, sealed: &[u8]) -> Result<Sms, Problem> {
    let plain = bank.vault.open("sms", sealed)?;
    serde_json::from_slice(&plain).map_err(Problem::internal)
}

fn valid_ms(bank: &Bank) -> u64 {
    bank.settings.sms.valid_s.saturating_mul(1_000)
}

/// What is counted and written of one. `part` of 256 makes those that failed together come again apart.
fn verdict(
    item: &Claimed,
    handed: Handed,
    (now_ms, until_ms): (u64, u64),
    part: u8,
) -> (SmsResult, Change) {
    let unanswered = item.unanswered.saturating_add(1);
    let later = |after_ms: u64, unanswered| Change::Later {
        id: item.id,
        // Not past its end: then it is given up without delay.
        due_ms: now_ms.saturating_add(after_ms).min(until_ms),
        unanswered,
    };
    let pause_ms = pause_ms(item.tries, part);
    match handed {
        Handed::Accepted(message) => done(item, SmsResult::Accepted, message),
        Handed::Refused(_) => done(item, SmsResult::Refused, None),
        Handed::NotOnFile => done(item, SmsResult::NotOnFile, None),
        Handed::Nowhere => done(item, SmsResult::NoSender, None),
        Handed::Unanswered(_) if unanswered >= MOST_UNANSWERED => {
            done(item, SmsResult::Unanswered, None)
        }
        Handed::Unanswered(_) => (SmsResult::Again, later(pause_ms, unanswered)),
        Handed::NotNow(_) => (SmsResult::Again, later(pause_ms, item.unanswered)),
        Handed::TooMuch(_, after) => {
            let after = after.map_or(0, |after| after.as_millis());
            let after_ms = u64::try_from(after).unwrap_or(u64::MAX).max(pause_ms);
            (SmsResult::Again, later(after_ms, item.unanswered))
        }
    }
}

fn done(item: &Claimed, result: SmsResult, message: Option<String>) -> (SmsResult, Change) {
    let change = Change::Done {
        id: item.id,
        outcome: result.name(),
        message,
    };
    (result, change)
}

/// 1, 2, 4, ... s, each up to a quarter longer.
fn pause_ms(tries: u32, part: u8) -> u64 {
    let whole = 500_u64
        .saturating_mul(1 << tries.clamp(1, 10))
        .min(LONGEST_PAUSE_MS);
    whole + whole / 4 * u64::from(part) / 256
}

async fn write_receipts(bank: Arc<Bank>, mut told: UnboundedReceiver<Receipt>) {
    let mut waiting: Vec<(Receipt, u32)> = Vec::new();
    loop {
        tokio::select! {
            new = told.recv() => match new {
                Some(receipt) => waiting.push((receipt, 0)),
                None if waiting.is_empty() => return,
                None => tokio::time::sleep(PAUSE).await,
            },
            () = tokio::time::sleep(PAUSE), if !waiting.is_empty() => {}
        }
        let mut left = Vec::new();
        for (receipt, tries) in waiting {
            let change = Change::Receipt(receipt.clone());
            match posting::write(&bank.store, &change, bank.now_ms()).await {
                Ok(0) | Err(_) if tries < RECEIPT_TRIES => left.push((receipt, tries + 1)),
                Ok(0) => {}
                Ok(_) => bank.metrics.sms(match receipt.arrival {
                    Arrival::Arrived => SmsResult::Arrived,
                    Arrival::Failed => SmsResult::NotArrived,
                }),
                Err(error) => {
                    let _logged = error.answer();
                }
            }
        }
        waiting = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL_MS: u64 = 300_000;

    fn item(tries: u32, unanswered: u32) -> Claimed {
        Claimed {
            id: 7,
            sealed: Vec::new(),
            created_ms: 0,
            tries,
            unanswered,
        }
    }

    fn of(item: &Claimed, handed: Handed) -> (&'static str, Change) {
        let (result, change) = verdict(item, handed, (100_000, UNTIL_MS), 0);
        (result.name(), change)
    }

    fn why() -> String {
        "a reason".to_owned()
    }

    #[test]
    fn what_is_taken_or_refused_is_over() {
        for (handed, outcome, message) in [
            (
                Handed::Accepted(Some("a1".to_owned())),
                "accepted",
                Some("a1"),
            ),
            (Handed::Refused(why()), "refused", None),
            (Handed::NotOnFile, "not-on-file", None),
            (Handed::Nowhere, "no-sender", None),
        ] {
            let message = message.map(str::to_owned);
            let change = Change::Done {
                id: 7,
                outcome,
                message,
            };
            assert_eq!(of(&item(1, 0), handed), (outcome, change));
        }
    }

    #[test]
    fn what_was_not_taken_comes_again_and_leaves_no_doubt() {
        let later = |due_ms| Change::Later {
            id: 7,
            due_ms,
            unanswered: 0,
        };
        for (tries, due_ms) in [(1, 101_000), (2, 102_000), (5, 116_000), (40, 130_000)] {
            let (result, change) = of(&item(tries, 0), Handed::NotNow(why()));
            assert_eq!((result, change), ("again", later(due_ms)), "try {tries}");
        }
        let wanted = Some(Duration::from_secs(90));
        let (_, change) = of(&item(1, 0), Handed::TooMuch(why(), wanted));
        assert_eq!(change, later(190_000), "as long as the receiver wishes");
        let wanted = Some(Duration::from_secs(900));
        let (_, change) = of(&item(1, 0), Handed::TooMuch(why(), wanted));
        assert_eq!(change, later(UNTIL_MS), "but not past the code's end");
    }

    #[test]
    fn without_an_answer_it_goes_once_more_and_no_oftener() {
        let (result, change) = of(&item(1, 0), Handed::Unanswered(why()));
        let again = Change::Later {
            id: 7,
            due_ms: 101_000,
            unanswered: 1,
        };
        assert_eq!((result, change), ("again", again));
        let (_, kept) = of(&item(2, 1), Handed::NotNow(why()));
        assert!(matches!(kept, Change::Later { unanswered: 1, .. }));
        let (result, change) = of(&item(3, 1), Handed::Unanswered(why()));
        assert_eq!(result, "unanswered", "{change:?}");
        assert!(matches!(change, Change::Done { message: None, .. }));
    }

    #[test]
    fn pauses_differ_by_a_quarter_at_most() {
        assert_eq!(pause_ms(0, 0), 1_000);
        assert_eq!(pause_ms(1, 255), 1_249);
        assert_eq!(pause_ms(u32::MAX, 255), 37_470);
    }
}
