//! SMS on their way to a sender: whose turn they are, and what became of them. Every step is one statement that is a
//! commit of its own, so that nobody who writes waits for it.

use crate::error::Problem;
use crate::sms::receipt::Receipt;
use crate::store::row::row;
use crate::store::{Conn, Store, commit, narrow, signed, unsigned};

/// A receipt comes by then; later, an SMSC may have given the same number to another message.
const RECEIPT_MS: u64 = 3 * 24 * 3_600_000;

/// What is asked for when some are taken.
pub(crate) struct Claim {
    pub(crate) now_ms: u64,
    /// Nobody else gets them before.
    pub(crate) until_ms: u64,
    /// Only those that were made by then.
    pub(crate) made_ms: u64,
    pub(crate) most: usize,
}

/// One that was taken.
#[derive(Clone)]
pub(crate) struct Claimed {
    pub(crate) id: i64,
    pub(crate) sealed: Vec<u8>,
    pub(crate) created_ms: u64,
    /// This one counted.
    pub(crate) tries: u32,
    pub(crate) unanswered: u32,
}

/// What is written of one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// It is over: what was sealed has no reason to stay.
    Done {
        id: i64,
        outcome: &'static str,
        message: Option<String>,
    },
    Later {
        id: i64,
        due_ms: u64,
        unanswered: u32,
    },
    Receipt(Receipt),
}

/// Takes those that are due, the oldest first. Of two processes that ask at once only one gets each: a row that the
/// other has moved ahead is not due any more when its turn comes.
pub(crate) async fn claim(store: &Store, claim: &Claim) -> Result<Vec<Claimed>, Problem> {
    let mut conn = store.read().await?;
    let is_any = is_any_due(&mut conn, claim).await?;
    drop(conn);
    if !is_any {
        return Ok(Vec::new());
    }
    match store.ahead().await? {
        Some(mut conn) => take(&mut conn, claim).await,
        None => commit!(store, conn => { take(conn, claim).await }),
    }
}

async fn is_any_due(conn: &mut Conn, claim: &Claim) -> Result<bool, Problem> {
    let found: Option<(i64,)> = conn
        .sql(
            "SELECT id FROM outbox WHERE bank = $1 AND kind = 'sms' AND delivered_ms IS NULL
             AND due_ms <= $2 AND created_ms <= $3 LIMIT 1",
        )
        .bind(signed(claim.now_ms))
        .bind(signed(claim.made_ms))
        .optional()
        .await?;
    Ok(found.is_some())
}

async fn take(conn: &mut Conn, claim: &Claim) -> Result<Vec<Claimed>, Problem> {
    type Row = (i64, Option<Vec<u8>>, i64, i64, i64);
    let most = i64::try_from(claim.most).unwrap_or(i64::MAX);
    let rows: Vec<Row> = conn
        .sql(
            "UPDATE outbox SET due_ms = $4, tries = tries + 1
             WHERE bank = $1 AND delivered_ms IS NULL AND due_ms <= $2 AND id IN
                 (SELECT id FROM outbox WHERE bank = $1 AND kind = 'sms' AND delivered_ms IS NULL
                  AND due_ms <= $2 AND created_ms <= $3 ORDER BY id LIMIT $5)
             RETURNING id, sealed, created_ms, tries, unanswered",
        )
        .bind(signed(claim.now_ms))
        .bind(signed(claim.made_ms))
        .bind(signed(claim.until_ms))
        .bind(most)
        .all()
        .await?;
    let claimed = |(id, sealed, created_ms, tries, unanswered): Row| {
        Ok(Claimed {
            id,
            sealed: sealed.unwrap_or_default(),
            created_ms: unsigned(created_ms)?,
            tries: narrow(tries)?,
            unanswered: narrow(unanswered)?,
        })
    };
    rows.into_iter().map(claimed).collect()
}

/// How many rows it changed: none when somebody else was first.
pub(crate) async fn write(store: &Store, change: &Change, now_ms: u64) -> Result<u64, Problem> {
    match store.ahead().await? {
        Some(mut conn) => written(&mut conn, change, now_ms).await,
        None => commit!(store, conn => { written(conn, change, now_ms).await }),
    }
}

async fn written(conn: &mut Conn, change: &Change, now_ms: u64) -> Result<u64, Problem> {
    let oldest_ms = signed(now_ms.saturating_sub(RECEIPT_MS));
    let now_ms = signed(now_ms);
    match change {
        Change::Done {
            id,
            outcome,
            message,
        } => {
            conn.sql(
                "UPDATE outbox SET delivered_ms = $2, sealed = NULL, outcome = $3, message = $4
                 WHERE bank = $1 AND id = $5 AND delivered_ms IS NULL",
            )
            .bind(now_ms)
            .bind(*outcome)
            .bind(message.as_deref())
            .bind(*id)
            .execute()
            .await
        }
        Change::Later {
            id,
            due_ms,
            unanswered,
        } => {
            conn.sql(
                "UPDATE outbox SET due_ms = $2, unanswered = $3
                 WHERE bank = $1 AND id = $4 AND delivered_ms IS NULL",
            )
            .bind(signed(*due_ms))
            .bind(*unanswered)
            .bind(*id)
            .execute()
            .await
        }
        Change::Receipt(receipt) => {
            conn.sql(
                "UPDATE outbox SET receipt = $2, receipt_ms = $3
                 WHERE bank = $1 AND message = $4 AND receipt IS NULL AND delivered_ms >= $5",
            )
            .bind(receipt.arrival.name())
            .bind(now_ms)
            .bind(&receipt.message)
            .bind(oldest_ms)
            .execute()
            .await
        }
    }
}

row! {
    /// One SMS; whose, and what it says, is not told.
    #[derive(Clone, Debug)]
    pub(crate) struct MessageLine {
        pub(crate) created_ms: i64,
        pub(crate) tries: i64,
        pub(crate) delivered_ms: Option<i64>,
        pub(crate) outcome: Option<String>,
        pub(crate) receipt: Option<String>,
        pub(crate) receipt_ms: Option<i64>,
    }
}

/// Those made since then, the newest first.
pub(crate) async fn messages(
    conn: &mut Conn,
    (since_ms, most): (i64, i64),
) -> Result<Vec<MessageLine>, Problem> {
    conn.sql(
        "SELECT created_ms, tries, delivered_ms, outcome, receipt, receipt_ms FROM outbox
         WHERE bank = $1 AND kind = 'sms' AND created_ms >= $2
         ORDER BY created_ms DESC, id DESC LIMIT $3",
    )
    .bind(since_ms)
    .bind(most)
    .all()
    .await
}

/// How many of those made since then ended how, and what their receipts say.
pub(crate) async fn outcomes(conn: &mut Conn, since_ms: i64) -> Result<Vec<Outcomes>, Problem> {
    conn.sql(
        "SELECT outcome, receipt, count(*) FROM outbox
         WHERE bank = $1 AND kind = 'sms' AND created_ms >= $2 AND outcome IS NOT NULL
         GROUP BY outcome, receipt",
    )
    .bind(since_ms)
    .all()
    .await
}

/// Outcome, receipt, how many.
pub(crate) type Outcomes = (String, Option<String>, i64);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use private_postgres::{Durability, PrivatePostgres};

    use super::*;
    use crate::sms::receipt::Arrival;
    use crate::store::{Opening, Place, outbox};

    const NOW_MS: u64 = 1_000_000;

    async fn opened(place: &Place) -> Store {
        let opening = Opening::after(Duration::from_secs(5));
        opening.open(place).await.unwrap()
    }

    async fn with_sms(store: &Store, count: u8) {
        for number in 0..count {
            let done: Result<(), Problem> = commit!(store, conn => {
                outbox::sms(conn, vec![number], NOW_MS).await
            });
            done.unwrap();
        }
    }

    fn claim_at(now_ms: u64, most: usize) -> Claim {
        Claim {
            now_ms,
            until_ms: now_ms + 15_000,
            made_ms: u64::MAX,
            most,
        }
    }

    /// What each of two who ask at once gets, until there is no more.
    async fn drained(store: &Store) -> Vec<i64> {
        let mut got = Vec::new();
        loop {
            let taken = claim(store, &claim_at(NOW_MS, 3)).await.unwrap();
            if taken.is_empty() {
                return got;
            }
            got.extend(taken.iter().map(|it| it.id));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_two_processes_on_one_server_only_one_gets_each() {
        // Where it is not installed, CI's own machine shows it.
        let Some(server) = PrivatePostgres::start(Durability::None).unwrap() else {
            return;
        };
        let place = Place::parse(&server.schema().unwrap(), 1).unwrap();
        let (one, other) = (opened(&place).await, opened(&place).await);
        with_sms(&one, 60).await;
        let (first, second) = tokio::join!(drained(&one), drained(&other));
        let all: BTreeSet<i64> = first.iter().chain(&second).copied().collect();
        assert_eq!(all.len(), 60, "every one was taken");
        assert_eq!(first.len() + second.len(), 60, "and none by both");
        one.close().await;
        other.close().await;
    }

    async fn file() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = opened(&Place::File(dir.path().join("bank.sqlite"))).await;
        (dir, store)
    }

    #[tokio::test]
    async fn one_that_was_taken_is_nobody_elses_until_its_time_is_over() {
        let (_dir, store) = file().await;
        with_sms(&store, 1).await;
        let first = claim(&store, &claim_at(NOW_MS, 9)).await.unwrap();
        assert_eq!((first.len(), first[0].tries), (1, 1));
        let early = claim(&store, &claim_at(NOW_MS + 14_999, 9)).await.unwrap();
        assert!(early.is_empty());
        let again = claim(&store, &claim_at(NOW_MS + 15_000, 9)).await.unwrap();
        assert_eq!((again[0].id, again[0].tries), (first[0].id, 2));
        let old_only = Claim {
            made_ms: NOW_MS - 1,
            ..claim_at(NOW_MS + 60_000, 9)
        };
        assert!(claim(&store, &old_only).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_over_is_wiped_keeps_its_end_and_gets_one_receipt() {
        let (_dir, store) = file().await;
        with_sms(&store, 1).await;
        let [taken] = &claim(&store, &claim_at(NOW_MS, 9)).await.unwrap()[..] else {
            panic!("there is one");
        };
        let later = Change::Later {
            id: taken.id,
            due_ms: NOW_MS + 1,
            unanswered: 1,
        };
        assert_eq!(write(&store, &later, NOW_MS).await.unwrap(), 1);
        let again = claim(&store, &claim_at(NOW_MS + 1, 9)).await.unwrap();
        assert_eq!(again[0].unanswered, 1);
        let done = |outcome| Change::Done {
            id: taken.id,
            outcome,
            message: Some("a1".to_owned()),
        };
        assert_eq!(write(&store, &done("accepted"), NOW_MS).await.unwrap(), 1);
        let late = write(&store, &done("given-up"), NOW_MS).await.unwrap();
        assert_eq!(late, 0, "the first end stays");
        let receipt = Change::Receipt(Receipt {
            message: "a1".to_owned(),
            arrival: Arrival::Arrived,
        });
        let later_ms = NOW_MS + RECEIPT_MS + 1;
        let late = write(&store, &receipt, later_ms).await.unwrap();
        assert_eq!(late, 0, "it is another message's by then");
        assert_eq!(write(&store, &receipt, NOW_MS).await.unwrap(), 1);
        assert_eq!(write(&store, &receipt, NOW_MS).await.unwrap(), 0);
        let mut conn = store.read().await.unwrap();
        let [line] = &messages(&mut conn, (0, 9)).await.unwrap()[..] else {
            panic!("there is one");
        };
        assert_eq!(line.outcome.as_deref(), Some("accepted"));
        assert_eq!(line.receipt.as_deref(), Some("arrived"));
        let sql = "SELECT count(*) FROM outbox WHERE bank = $1 AND sealed IS NOT NULL";
        let sealed: i64 = conn.sql(sql).value().await.unwrap();
        assert_eq!(sealed, 0);
        let counts = outcomes(&mut conn, 0).await.unwrap();
        assert_eq!(
            counts,
            [("accepted".to_owned(), Some("arrived".to_owned()), 1)]
        );
    }
}
