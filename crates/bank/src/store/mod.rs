//! The store: SQLite with one writer, or PostgreSQL. Every effect is one commit.

pub(crate) mod audit;
pub(crate) mod beside;
pub(crate) mod card;
mod checkpoint;
pub(crate) mod console;
pub(crate) mod copy;
pub(crate) mod corebank;
pub(crate) mod counted;
pub(crate) mod customer;
pub(crate) mod day;
pub(crate) mod decide;
pub(crate) mod exchange;
mod file;
mod group;
pub(crate) mod load;
pub(crate) mod money;
mod open;
pub(crate) mod operator;
pub(crate) mod outbox;
pub(crate) mod owner;
pub(crate) mod posting;
pub(crate) mod queue;
pub(crate) mod queue_code;
pub(crate) mod row;
mod served;
pub(crate) mod server;
pub(crate) mod sms;
pub(crate) mod sql;
pub(crate) mod statements;
pub(crate) mod terminal;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::Problem;
use crate::vault::random;

use file::File;
#[cfg(feature = "simulator")]
pub use open::CommitGate;
pub(crate) use open::{Opening, Place};
pub(crate) use sql::Conn;

/// Chains of the audit log where several write at once: more than one process has connections.
const CHAINS: i64 = 64;

/// Transactions of one process at work on a server at once.
const LANES: usize = 8;

/// A server tells transactions apart by pages, so the more of them run, the more of them it refuses. Here only so many
/// run, and of those that were refused one after the other: the more conflicts there are, the fewer run beside.
#[derive(Clone)]
struct Lanes {
    all: Arc<Semaphore>,
    again: Arc<Mutex<()>>,
}

impl Lanes {
    fn new() -> Self {
        Self {
            all: Arc::new(Semaphore::new(LANES)),
            again: Arc::default(),
        }
    }
}

#[derive(Clone)]
enum Engine {
    File(File),
    Server(server::Pool, Lanes),
}

/// A database that is opened.
#[derive(Clone)]
pub(crate) struct Store {
    engine: Engine,
    /// The number of this bank, with which every key begins.
    bank: i64,
    /// How long a conflict is tried again.
    wait: Duration,
    /// Taken in turn, so that two transactions at once rarely add to the same one.
    next_chain: Arc<AtomicI64>,
}

/// Why work on the store was not done: told apart from another's transaction that was in its way.
pub(crate) trait Refusal: From<Problem> {
    /// Nothing was done, and the same may be done again from the beginning.
    fn is_conflict(&self) -> bool;
}

impl Refusal for Problem {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

/// The only way to write. All of `work` is one commit, made before this is done; on an error nothing of it is.
/// `work` runs again, from its beginning, when another transaction was in its way: what it does outside the store it
/// must be able to do twice, and what it says to anybody it says after this.
///
/// No function, for a closure that borrows the connection for as long as its future can't be shown to be `Send`.
macro_rules! commit {
    ($store:expr, $conn:ident => $work:block) => {{
        let mut tries = $store.tries();
        loop {
            let done = match tries.begin().await {
                Ok(mut held) => {
                    let done = async {
                        let $conn: &mut $crate::store::Conn = &mut held;
                        $work
                    };
                    let done = done.await;
                    tries.end(held, done).await
                }
                Err(problem) => Err(problem.into()),
            };
            if let Some(done) = tries.settle(done).await {
                break done;
            }
        }
    }};
}
pub(crate) use commit;

/// One piece of work, tried until nobody is in its way.
pub(crate) struct Tries<'s> {
    store: &'s Store,
    until: Instant,
    /// The longest pause before the next try.
    most_ms: u64,
    lane: Option<OwnedSemaphorePermit>,
    again: Option<OwnedMutexGuard<()>>,
}

impl Tries<'_> {
    pub(crate) async fn begin(&mut self) -> Result<Conn, Problem> {
        if let Some(lanes) = self.store.lanes().filter(|_| self.lane.is_none()) {
            let lane = timeout_at(self.until, lanes.all.clone().acquire_owned()).await;
            let lane = lane.map_err(|_| Problem::busy())?;
            self.lane = Some(lane.map_err(Problem::internal)?);
        }
        self.store.begin().await
    }

    /// Commits what was done, or undoes it.
    pub(crate) async fn end<T, E: Refusal>(&self, conn: Conn, done: Result<T, E>) -> Result<T, E> {
        match done {
            Ok(done) => {
                conn.commit().await?;
                Ok(done)
            }
            Err(error) => {
                // One that can't be undone is undone by the database when its connection ends.
                if let Err(undone) = conn.rollback().await {
                    log::warn!("a rollback failed: {undone:?}");
                }
                Err(error)
            }
        }
    }

    /// None when all of it is to be done again.
    pub(crate) async fn settle<T, E: Refusal>(
        &mut self,
        done: Result<T, E>,
    ) -> Option<Result<T, E>> {
        if !done.as_ref().is_err_and(Refusal::is_conflict) {
            return Some(done);
        }
        if Instant::now() >= self.until {
            log::warn!("the store is busy: one conflict after another");
            return Some(Err(Problem::busy().into()));
        }
        if let Some(lanes) = self.store.lanes().filter(|_| self.again.is_none()) {
            let Ok(again) = timeout_at(self.until, lanes.again.clone().lock_owned()).await else {
                return Some(Err(Problem::busy().into()));
            };
            self.again = Some(again);
        }
        // Two that met once would meet again if both waited the same.
        let part = random::<1>().map_or(0, |[part]| u64::from(part));
        let pause_ms = self.most_ms * (part + 1) / 256;
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        self.most_ms = (self.most_ms * 2).min(64);
        None
    }
}

impl Store {
    /// What [`commit!`] goes through.
    pub(crate) fn tries(&self) -> Tries<'_> {
        Tries {
            store: self,
            until: Instant::now() + self.wait,
            most_ms: 2,
            lane: None,
            again: None,
        }
    }

    fn lanes(&self) -> Option<&Lanes> {
        match &self.engine {
            Engine::File(_) => None,
            Engine::Server(_, lanes) => Some(lanes),
        }
    }

    async fn begin(&self) -> Result<Conn, Problem> {
        match &self.engine {
            Engine::File(file) => {
                let turn = file.turns.take(self.wait.saturating_mul(2)).await?;
                Ok(Conn::in_turn(turn, self.bank))
            }
            Engine::Server(pool, _) => {
                let chain = self.next_chain.fetch_add(1, Ordering::Relaxed);
                let whose = (self.bank, chain.rem_euclid(CHAINS));
                Conn::serialisable(pool, whose).await
            }
        }
    }

    pub(crate) async fn read(&self) -> Result<Conn, Problem> {
        match &self.engine {
            Engine::File(file) => Ok(Conn::reading(file.readers.read().await?, self.bank)),
            Engine::Server(pool, _) => Conn::free(pool, self.bank).await,
        }
    }

    /// Of a server: a connection for what is better a commit of its own, before the work. None of a file, whose work
    /// is nobody's conflict.
    pub(crate) async fn ahead(&self) -> Result<Option<Conn>, Problem> {
        match &self.engine {
            Engine::File(_) => Ok(None),
            Engine::Server(pool, _) => Conn::free(pool, self.bank).await.map(Some),
        }
    }

    /// A read that sees one moment.
    pub(crate) async fn snapshot(&self) -> Result<Conn, Problem> {
        match &self.engine {
            Engine::File(file) => Ok(Conn::reading(file.readers.snapshot().await?, self.bank)),
            Engine::Server(pool, _) => Conn::snapshot(pool, self.bank).await,
        }
    }

    pub(crate) async fn close(&self) {
        match &self.engine {
            Engine::File(file) => {
                file.readers.close().await;
                file.turns.close().await;
            }
            Engine::Server(pool, _) => served::close(pool).await,
        }
    }
}

/// The integers of both engines are signed; times and counters of this bank stay far below their limit.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(number: i64) -> Result<u64, Problem> {
    u64::try_from(number).map_err(|_| Problem::internal("a number below 0 in the store"))
}

pub(crate) fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T, Problem> {
    T::try_from(number).map_err(|_| Problem::internal("a number out of range in the store"))
}

pub(crate) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Problem> {
    bytes
        .try_into()
        .map_err(|_| Problem::internal("bytes of another length in the store"))
}
