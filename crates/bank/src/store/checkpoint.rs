//! Moves what was committed from a file's log into the file itself, beside those who write. SQLite would have whoever
//! commits the thousandth page do it and wait for the disk several times, the longer the larger the file is.

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, Result};
use tokio::sync::Mutex;

use crate::store::file::aside;

/// Pages in the log from which on they are moved beside many who write, 64 MiB. Sixteen times as many as SQLite's own: a
/// page that was written again and again is moved once, and others' commits meet the wait for the disk less often.
const DUE: c_int = 16_000;
/// The same where a commit was for one alone: the bank has time, and so few are on the disk before the next one comes.
const SOME: c_int = 64;
/// A log of so many pages has to begin anew, and whoever writes waits for the rest of it, when that is brief.
const LONG: c_int = 2 * DUE;
/// What is left of a log after a run that took no longer than this, was written meanwhile and takes no longer either.
const BRIEF: Duration = Duration::from_millis(50);
/// Runs in a row until one is brief.
const ROUNDS: u8 = 4;
/// A log of so many pages, 1 GiB, begins anew however long that takes.
const ENDLESS: c_int = 16 * DUE;

thread_local! {
    /// Pages in the log after this thread's last commit.
    static PAGES: Cell<c_int> = const { Cell::new(0) };
}

/// A connection that does nothing else; whoever finds it taken need not move anything.
#[derive(Clone)]
pub(crate) struct Checkpoints {
    /// None when the store is closed.
    mover: Arc<Mutex<Option<Connection>>>,
    /// Pages in the log when it was moved last.
    moved: Arc<AtomicI32>,
    /// Of these, the ones that had to stay: somebody reads what was before.
    stayed: Arc<AtomicI32>,
}

/// A log when a run began.
pub(crate) struct Log {
    pages: c_int,
    /// Pages that somebody still reads around.
    stayed: c_int,
}

impl Checkpoints {
    /// `writer` leaves them to `mover` from now on.
    pub(crate) fn beside(writer: &Connection, mover: Connection) -> Self {
        writer.wal_hook(Some(|_: &Wal, pages| {
            PAGES.set(pages);
            Ok(())
        }));
        Self {
            mover: Arc::new(Mutex::new(Some(mover))),
            moved: Arc::default(),
            stayed: Arc::default(),
        }
    }

    /// A commit of this thread that is looked after already.
    pub(crate) fn seen() {
        PAGES.set(0);
    }

    /// Whether the commit that this thread has just made left a log that should be moved. `alone`: it was for one who
    /// writes, and nobody waits.
    pub(crate) fn are_due(&self, alone: bool) -> bool {
        let pages = PAGES.take();
        if pages == 0 {
            // Nothing was written.
            return false;
        }
        let mut moved = self.moved.load(Ordering::Relaxed);
        if pages < moved {
            // It began anew.
            moved = 0;
            self.stayed.store(0, Ordering::Relaxed);
        }
        let more = pages.saturating_sub(moved);
        // All that stayed is looked through again: not before so much more is worth it.
        let worth = SOME.max(self.stayed.load(Ordering::Relaxed) / 4);
        let due = more >= worth && (alone || pages >= DUE && more >= DUE / 4);
        self.moved
            .store(if due { pages } else { moved }, Ordering::Relaxed);
        due
    }

    /// Moves what nobody reads any more; waits for nobody. Whether the log is long and all but a brief rest of it moved:
    /// it begins anew with a commit that finds nothing left in it. None while another one is at it, and when the store is
    /// closed.
    pub(crate) fn run(&self) -> Option<Result<bool>> {
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let Log { pages, stayed } = match self.once()? {
                Ok(log) => log,
                Err(error) => return Some(Err(error)),
            };
            // While somebody reads most of it, it can't begin anew.
            if pages < LONG || stayed >= DUE {
                break;
            }
            if began.elapsed() < BRIEF || pages >= ENDLESS {
                return Some(Ok(true));
            }
        }
        Some(Ok(false))
    }

    /// The same in one go, for what is left.
    pub(crate) fn once(&self) -> Option<Result<Log>> {
        let mover = self.mover.try_lock().ok()?;
        let mover = mover.as_ref()?;
        let sql = "PRAGMA wal_checkpoint(PASSIVE)";
        let pages = aside(|| {
            mover.query_row(sql, [], |row| {
                Ok((row.get::<_, c_int>(1)?, row.get::<_, c_int>(2)?))
            })
        });
        Some(pages.map(|(pages, moved)| {
            let stayed = pages.saturating_sub(moved);
            self.stayed.store(stayed, Ordering::Relaxed);
            Log { pages, stayed }
        }))
    }

    /// Returns when nothing is moved any more: whoever opens the file next finds nobody at it.
    pub(crate) async fn close(&self) {
        self.mover.lock().await.take();
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use crate::store::file::connect;
    use crate::store::group::Turns;

    const WAIT: Duration = Duration::from_secs(5);
    /// More than a page.
    const WRITE: &str = "INSERT INTO it VALUES (randomblob(20000))";

    async fn turns(path: &Path) -> Turns {
        let conn = connect(path, WAIT).unwrap();
        conn.execute_batch("CREATE TABLE it (a BLOB)").unwrap();
        let mover = connect(path, Duration::ZERO).unwrap();
        Turns::new(conn, WAIT, false).with_checkpoints(mover).await
    }

    async fn write(turns: &Turns, times: u32) {
        for _ in 0..times {
            let mut turn = turns.take(WAIT).await.unwrap();
            turn.conn().execute(WRITE, []).unwrap();
            turn.done().await.unwrap();
        }
    }

    fn log_pages(dir: &tempfile::TempDir) -> u64 {
        let log: PathBuf = dir.path().join("it.sqlite-wal");
        std::fs::metadata(log).unwrap().len() / 4_120
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_log_stays_short_however_much_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let turns = turns(&dir.path().join("it.sqlite")).await;
        let writers = (0..4).map(|_| {
            let turns = turns.clone();
            tokio::spawn(async move { write(&turns, 2_500).await })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let pages = log_pages(&dir);
        assert!(pages < 45_000, "{pages} pages of 60,000 that were written");
    }

    /// Two writers, so that something is being moved when they are done.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_store_that_is_closed_is_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("it.sqlite");
        let turns = turns(&path).await;
        for _ in 0..20 {
            let writers = (0..2).map(|_| {
                let turns = turns.clone();
                tokio::spawn(async move { write(&turns, 10).await })
            });
            for writer in writers.collect::<Vec<_>>() {
                writer.await.unwrap();
            }
        }
        turns.close().await;
        let other = connect(&path, Duration::ZERO).unwrap();
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy: i64 = other.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 0, "nobody else is moving");
        let checkpoints = turns.checkpoints.as_ref().unwrap();
        assert!(checkpoints.run().is_none(), "and nothing is moved any more");
    }

    #[tokio::test]
    async fn who_writes_alone_leaves_next_to_nothing_in_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let turns = turns(&dir.path().join("it.sqlite")).await;
        write(&turns, 400).await;
        let pages = log_pages(&dir);
        assert!(pages < 200, "{pages} pages of 2,400 that were written");
    }

    #[tokio::test]
    async fn who_reads_for_long_holds_the_log_and_it_begins_anew_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("it.sqlite");
        let turns = turns(&path).await;
        let reader = connect(&path, WAIT).unwrap();
        write(&turns, 1).await;
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM it")
            .unwrap();
        write(&turns, 1_500).await;
        let held = log_pages(&dir);
        assert!(held > 8_000, "{held} pages, and one reads what was before");
        reader.execute_batch("COMMIT").unwrap();
        write(&turns, 1_500).await;
        let pages = log_pages(&dir);
        assert!(
            pages < held + 3_000,
            "{pages} pages: the same place is used again"
        );
    }
}
