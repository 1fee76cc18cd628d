//! The store: SQLite with one writer. Every effect is one commit.

pub(crate) mod audit;
pub(crate) mod card;
pub(crate) mod console;
pub(crate) mod counted;
pub(crate) mod customer;
pub(crate) mod day;
pub(crate) mod exchange;
pub(crate) mod load;
pub(crate) mod money;
pub(crate) mod operator;
pub(crate) mod outbox;
pub(crate) mod sms;
pub(crate) mod terminal;

use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::error::{Problem, StartError};

pub(crate) type Conn = SqliteConnection;

/// Asked before each commit, on the database's own thread.
#[cfg(feature = "simulator")]
pub type CommitGate = std::sync::Arc<dyn Fn() -> bool + Send + Sync>;

/// A database that is opened.
#[derive(Clone)]
pub(crate) struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl Store {
    /// Opens the database and brings its schema up to date. `wait` is how long a locked one is waited for.
    pub(crate) async fn open(path: &Path, wait: Duration) -> Result<Self, StartError> {
        Self::opened(path, wait, pool(1, wait)).await
    }

    /// The same with a say in every commit.
    #[cfg(feature = "simulator")]
    pub(crate) async fn gated(
        path: &Path,
        wait: Duration,
        gate: CommitGate,
    ) -> Result<Self, StartError> {
        let writer = pool(1, wait).after_connect(move |conn, _| {
            let gate = gate.clone();
            Box::pin(async move {
                conn.lock_handle().await?.set_commit_hook(move || gate());
                Ok(())
            })
        });
        Self::opened(path, wait, writer).await
    }

    async fn opened(
        path: &Path,
        wait: Duration,
        writer: SqlitePoolOptions,
    ) -> Result<Self, StartError> {
        let failed = |error: &dyn std::fmt::Display| StartError::Store(error.to_string());
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(wait);
        let writer = writer
            .connect_with(options.clone())
            .await
            .map_err(|e| failed(&e))?;
        sqlx::migrate!("./migrations")
            .run(&writer)
            .await
            .map_err(|e| failed(&e))?;
        let reader = pool(4, wait)
            .connect_with(options)
            .await
            .map_err(|e| failed(&e))?;
        Ok(Self { writer, reader })
    }

    /// The only way to write: takes the lock at once, so that nothing read inside can be stale.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, Problem> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>, Problem> {
        Ok(self.reader.acquire().await?)
    }

    /// A read that sees one moment.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static, Sqlite>, Problem> {
        Ok(self.reader.begin().await?)
    }

    pub(crate) async fn close(&self) {
        self.reader.close().await;
        // Two connections that close at once each leave the log to the other; after this the one file is whole.
        let emptied = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer);
        if let Err(error) = emptied.await {
            log::warn!("the store's log stays for the next start: {error}");
        }
        self.writer.close().await;
    }
}

fn pool(connections: u32, wait: Duration) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(wait.saturating_mul(2))
        // A commit that fails (a full disk) can leave a connection that takes itself to be inside a transaction: no
        // work could ever begin on it again.
        .before_acquire(|conn, _| {
            let clean = !sqlx::Connection::is_in_transaction(conn);
            Box::pin(async move { Ok(clean) })
        })
}

/// SQLite's integers are signed; times and counters of this bank stay far below their limit.
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
