//! Group commit: on SQLite, where one writes at a time, those who wait for their turn share one commit, and so one
//! wait for the disk. Each one's work is a savepoint of its own: what fails is undone alone.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::error::Problem;

/// The one who writes, and those whose work waits for its commit.
pub(crate) struct Group {
    tx: Option<Transaction<'static, Sqlite>>,
    /// The savepoint of somebody who went away in the middle is still open.
    is_open: bool,
    waiting: Vec<oneshot::Sender<Result<(), Problem>>>,
}

/// Turns at writing.
#[derive(Clone)]
pub(crate) struct Turns {
    pool: SqlitePool,
    group: Arc<Mutex<Group>>,
}

/// Somebody's turn.
pub(crate) struct Turn(OwnedMutexGuard<Group>);

impl Turns {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        let group = Group {
            tx: None,
            is_open: false,
            waiting: Vec::new(),
        };
        let group = Arc::new(Mutex::new(group));
        Self { pool, group }
    }

    /// Nobody waits any more.
    pub(crate) async fn finish(&self) {
        self.group.lock().await.commit().await;
    }

    /// A turn, with a savepoint open.
    pub(crate) async fn take(&self, wait: Duration) -> Result<Turn, Problem> {
        let turn = tokio::time::timeout(wait, self.group.clone().lock_owned()).await;
        let mut group = turn.map_err(|_| Problem::busy())?;
        group.tidy().await;
        if group.tx.is_none() {
            group.tx = Some(self.pool.begin_with("BEGIN IMMEDIATE").await?);
            // Turns are taken in the order in which they were asked for: this comes after all who wait by now.
            let turns = self.clone();
            tokio::spawn(async move { turns.group.lock().await.commit().await });
        }
        group.run("SAVEPOINT work").await?;
        group.is_open = true;
        Ok(Turn(group))
    }
}

impl Turn {
    pub(crate) fn conn(&mut self) -> Result<&mut SqliteConnection, Problem> {
        let tx = self.0.tx.as_mut();
        tx.map(|tx| &mut **tx)
            .ok_or_else(|| Problem::internal("a turn without a transaction"))
    }

    /// The work is done; returns when it is committed, with others' turns in between.
    pub(crate) async fn done(mut self) -> Result<(), Problem> {
        self.0.run("RELEASE work").await?;
        self.0.is_open = false;
        let (tell, told) = oneshot::channel();
        self.0.waiting.push(tell);
        drop(self);
        // Nobody tells when the bank ends in the middle.
        told.await.unwrap_or_else(|_| Err(Problem::late()))
    }

    pub(crate) async fn undone(mut self) {
        self.0.tidy().await;
    }
}

impl Group {
    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match &mut self.tx {
            Some(tx) => sqlx::query(sql).execute(&mut **tx).await.map(drop),
            None => Err(sqlx::Error::WorkerCrashed),
        }
    }

    /// Undoes what somebody left. Some failures (a full disk) make SQLite undo the whole transaction: then the
    /// savepoint is gone too, and with it the work of all who wait.
    async fn tidy(&mut self) {
        if !self.is_open {
            return;
        }
        self.is_open = false;
        let mut undone = self.run("ROLLBACK TO work").await;
        if undone.is_ok() {
            undone = self.run("RELEASE work").await;
        }
        let Err(error) = undone else { return };
        self.tx = None;
        self.tell(Err(error.into()));
    }

    async fn commit(&mut self) {
        self.tidy().await;
        let Some(tx) = self.tx.take() else { return };
        let done = tx.commit().await;
        self.tell(done.map_err(Problem::from_commit));
    }

    fn tell(&mut self, done: Result<(), Problem>) {
        for waiting in self.waiting.drain(..) {
            // Who went away has no use for it.
            let _gone = waiting.send(done.clone());
        }
    }
}
