//! Group commit: on SQLite, where one writes at a time, those who wait for their turn share one commit, and so one
//! wait for the disk. Each one's work is a savepoint of its own: what fails is undone alone.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::Instant;

use crate::error::Problem;
use crate::store::checkpoint::Checkpoints;
use crate::store::file::aside;

/// Between two looks whether another process still writes.
const LOOK: Duration = Duration::from_millis(2);

/// The one who writes, and those whose work waits for its commit.
pub(crate) struct Group {
    conn: Connection,
    /// How long another process that writes is waited for.
    wait: Duration,
    /// Each work is a commit of its own.
    alone: bool,
    has_begun: bool,
    /// The savepoint of who has the turn is open.
    is_open: bool,
    waiting: Vec<oneshot::Sender<Result<(), Problem>>>,
}

/// Turns at writing.
#[derive(Clone)]
pub(crate) struct Turns {
    group: Arc<Mutex<Group>>,
    /// None where SQLite makes its own.
    pub(super) checkpoints: Option<Checkpoints>,
}

/// Somebody's turn.
pub(crate) struct Turn(OwnedMutexGuard<Group>);

impl Turns {
    pub(crate) fn new(conn: Connection, wait: Duration, alone: bool) -> Self {
        let group = Group {
            conn,
            wait,
            alone,
            has_begun: false,
            is_open: false,
            waiting: Vec::new(),
        };
        Self {
            group: Arc::new(Mutex::new(group)),
            checkpoints: None,
        }
    }

    /// The same with a connection of its own for what moves into the file.
    pub(crate) async fn with_checkpoints(mut self, mover: Connection) -> Self {
        let group = self.group.lock().await;
        self.checkpoints = Some(Checkpoints::beside(&group.conn, mover));
        drop(group);
        self
    }

    /// Nobody writes any more: all of it goes from the log into the file.
    pub(crate) async fn close(&self) {
        let mut group = self.group.lock().await;
        group.commit();
        if let Some(checkpoints) = &self.checkpoints {
            Checkpoints::seen();
            checkpoints.close().await;
        }
        let emptied = aside(|| {
            // Other processes may write: the first is in nobody's way, the second keeps them from it and so waits for no
            // reader.
            group.conn.busy_timeout(Duration::ZERO)?;
            ["PASSIVE", "TRUNCATE"].into_iter().try_for_each(|how| {
                let sql = format!("PRAGMA wal_checkpoint({how})");
                group.conn.query_row(&sql, [], |_| Ok(()))
            })
        });
        if let Err(error) = emptied {
            log::warn!("the store's log stays for the next start: {error}");
        }
    }

    /// A turn, with a savepoint open.
    pub(crate) async fn take(&self, wait: Duration) -> Result<Turn, Problem> {
        let turn = tokio::time::timeout(wait, self.group.clone().lock_owned()).await;
        let mut group = turn.map_err(|_| Problem::busy())?;
        if !group.has_begun {
            group.begin().await?;
            if !group.alone {
                // Turns are taken in the order in which they were asked for: this comes after all who wait by now.
                tokio::spawn(self.clone().commit());
            }
        }
        group.run("SAVEPOINT work")?;
        group.is_open = true;
        Ok(Turn(group))
    }

    async fn commit(self) {
        let mut group = self.group.lock().await;
        let alone = group.waiting.len() <= 1;
        group.commit();
        let due = self.checkpoints.as_ref().filter(|it| it.are_due(alone));
        drop(group);
        let Some(checkpoints) = due else { return };
        let failed = match checkpoints.run() {
            Some(Ok(true)) => {
                // Nobody adds to the rest or stands in the middle of it meanwhile.
                let mut group = self.group.lock().await;
                group.commit();
                Checkpoints::seen();
                checkpoints.once().and_then(Result::err)
            }
            Some(Err(error)) => Some(error),
            Some(Ok(false)) | None => None,
        };
        if let Some(error) = failed {
            log::warn!("the store's log stays as it is: {error}");
        }
    }
}

impl Turn {
    pub(crate) fn conn(&mut self) -> &mut Connection {
        &mut self.0.conn
    }

    /// The work is done; returns when it is committed, with others' turns in between.
    pub(crate) async fn done(mut self) -> Result<(), Problem> {
        self.0.run("RELEASE work")?;
        self.0.is_open = false;
        let (tell, mut told) = oneshot::channel();
        self.0.waiting.push(tell);
        if self.0.alone {
            self.0.commit();
            return told.try_recv().unwrap_or_else(|_| Err(Problem::late()));
        }
        drop(self);
        // Nobody tells when the bank ends in the middle.
        told.await.unwrap_or_else(|_| Err(Problem::late()))
    }
}

/// Undone, or its asker went away in the middle.
impl Drop for Turn {
    fn drop(&mut self) {
        self.0.tidy();
    }
}

impl Group {
    /// Takes the lock at once, so that nothing read inside can be stale. Whoever waits for another process leaves this
    /// thread to others meanwhile; a simulation, whose clock stands still then, waits inside SQLite.
    async fn begin(&mut self) -> Result<(), Problem> {
        let until = Instant::now() + self.wait;
        loop {
            match self.run("BEGIN IMMEDIATE") {
                Ok(()) => break,
                Err(error)
                    if !self.alone
                        && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && Instant::now() < until =>
                {
                    tokio::time::sleep(LOOK).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.has_begun = true;
        Ok(())
    }

    fn run(&mut self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Undoes what is not done. Some failures (a full disk) make SQLite undo the whole transaction: then the
    /// savepoint is gone too, and with it the work of all who wait.
    fn tidy(&mut self) {
        if !self.is_open {
            return;
        }
        self.is_open = false;
        if self.alone {
            return self.leave();
        }
        let mut undone = self.run("ROLLBACK TO work");
        if undone.is_ok() {
            undone = self.run("RELEASE work");
        }
        let Err(error) = undone else { return };
        self.leave();
        self.tell(Err(error.into()));
    }

    fn commit(&mut self) {
        if !self.has_begun {
            return;
        }
        let done = aside(|| self.run("COMMIT"));
        self.leave();
        self.tell(done.map_err(Problem::from));
    }

    /// Out of the transaction, whatever became of it.
    fn leave(&mut self) {
        self.has_begun = false;
        if !self.conn.is_autocommit()
            && let Err(error) = self.run("ROLLBACK")
        {
            log::warn!("a rollback failed: {error}");
        }
    }

    fn tell(&mut self, done: Result<(), Problem>) {
        for waiting in self.waiting.drain(..) {
            // Who went away has no use for it.
            let _gone = waiting.send(done.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::file::connect;

    const WAIT: Duration = Duration::from_secs(5);

    fn turns(dir: &tempfile::TempDir, alone: bool) -> Turns {
        let conn = connect(&dir.path().join("it.sqlite"), WAIT).unwrap();
        conn.execute_batch("CREATE TABLE it (a INTEGER)").unwrap();
        Turns::new(conn, WAIT, alone)
    }

    async fn written(turns: &Turns, number: i64) -> Turn {
        let mut turn = turns.take(WAIT).await.unwrap();
        let sql = "INSERT INTO it VALUES (?1)";
        turn.conn().execute(sql, [number]).unwrap();
        turn
    }

    fn kept(dir: &tempfile::TempDir) -> Vec<i64> {
        let conn = connect(&dir.path().join("it.sqlite"), WAIT).unwrap();
        let mut statement = conn.prepare("SELECT a FROM it ORDER BY a").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<rusqlite::Result<_>>().unwrap()
    }

    #[tokio::test]
    async fn what_nobody_finishes_is_undone_and_what_shares_its_commit_stays() {
        for alone in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let turns = turns(&dir, alone);
            let first = written(&turns, 1).await;
            let (others, left) = (turns.clone(), turns.clone());
            let gone = tokio::spawn(async move { drop(written(&others, 2).await) });
            let last = tokio::spawn(async move { written(&left, 3).await.done().await });
            tokio::task::yield_now().await;
            first.done().await.unwrap();
            gone.await.unwrap();
            last.await.unwrap().unwrap();
            assert_eq!(kept(&dir), [1, 3], "alone: {alone}");
        }
    }

    #[tokio::test]
    async fn somebody_else_who_writes_is_waited_for_and_then_told_as_busy() {
        let dir = tempfile::tempdir().unwrap();
        drop(turns(&dir, false));
        let path = dir.path().join("it.sqlite");
        let other = connect(&path, WAIT).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let conn = connect(&path, Duration::ZERO).unwrap();
        let turns = Turns::new(conn, Duration::from_millis(50), false);
        assert!(turns.take(WAIT).await.is_err());
        other.execute_batch("ROLLBACK").unwrap();
        written(&turns, 1).await.done().await.unwrap();
        assert_eq!(kept(&dir), [1]);
    }

    /// A command that ends beside a bank that serves, while a third reads for long (a backup).
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_closes_while_somebody_reads_keeps_nobody_from_writing() {
        let dir = tempfile::tempdir().unwrap();
        drop(turns(&dir, false));
        let path = dir.path().join("it.sqlite");
        let none = Duration::ZERO;
        let served = Turns::new(
            connect(&path, none).unwrap(),
            Duration::from_millis(200),
            false,
        );
        written(&served, 1).await.done().await.unwrap();
        let reader = connect(&path, WAIT).unwrap();
        reader.execute_batch("BEGIN; SELECT a FROM it").unwrap();
        written(&served, 2).await.done().await.unwrap();
        let command = Turns::new(connect(&path, WAIT).unwrap(), Duration::from_secs(3), false);
        let closing = tokio::spawn(async move { command.close().await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        let turn = served.take(WAIT).await;
        assert!(turn.is_ok(), "a writer waits for somebody else's reader");
        turn.unwrap().done().await.unwrap();
        closing.await.unwrap();
    }

    /// A full disk under one of a group, at any of its statements: who was told of a commit is there, and nobody else.
    #[tokio::test]
    async fn a_full_disk_in_the_middle_of_a_group_takes_nobody_who_was_told_otherwise() {
        for pages in 3..40 {
            let dir = tempfile::tempdir().unwrap();
            let turns = turns(&dir, false);
            let mut turn = turns.take(WAIT).await.unwrap();
            turn.conn()
                .execute_batch("CREATE TABLE b (a INTEGER PRIMARY KEY, t TEXT UNIQUE)")
                .unwrap();
            turn.done().await.unwrap();
            let limit = format!("PRAGMA max_page_count = {pages}; PRAGMA cache_size = 4");
            turns.group.lock().await.conn.execute_batch(&limit).unwrap();
            let mut works = Vec::new();
            for number in 0..6_i64 {
                let turns = turns.clone();
                works.push(tokio::spawn(async move {
                    let mut turn = turns.take(WAIT).await?;
                    let sql = "INSERT INTO it VALUES (?1)";
                    turn.conn().execute(sql, [number]).map_err(Problem::from)?;
                    if number % 2 == 1 {
                        for _ in 0..8 {
                            let sql = "INSERT INTO b (t) VALUES (hex(randomblob(1500)))";
                            turn.conn().execute(sql, []).map_err(Problem::from)?;
                        }
                    }
                    turn.done().await
                }));
            }
            let mut told = Vec::new();
            for (number, work) in (0..).zip(works) {
                if work.await.unwrap().is_ok() {
                    told.push(number);
                }
            }
            assert_eq!(kept(&dir), told, "{pages} pages");
            turns
                .group
                .lock()
                .await
                .conn
                .execute_batch("PRAGMA max_page_count = 100000")
                .unwrap();
            written(&turns, 99).await.done().await.unwrap();
        }
    }
}
