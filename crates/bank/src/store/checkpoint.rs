//! Moves what was committed from a file's log into the file itself, beside those who write. SQLite would have whoever
//! commits the thousandth page do it and wait for the disk several times, the longer the larger the file is.

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, Result};
use tokio::sync::Mutex;

use crate::store::file::aside;

/// Pages in the log from which on they are moved, 32 MiB. Eight times as many as SQLite's own: a page that was written
/// again and again is moved once, and others' commits meet the wait for the disk less often.
const DUE: c_int = 8_000;
/// A log of so many pages has to begin anew, and whoever writes waits for that.
const LONG: c_int = 2 * DUE;

thread_local! {
    /// Pages in the log after this thread's last commit.
    static PAGES: Cell<c_int> = const { Cell::new(0) };
}

/// A connection that does nothing else; whoever finds it taken need not move anything.
#[derive(Clone)]
pub(crate) struct Checkpoints {
    mover: Arc<Mutex<Connection>>,
    /// Pages from which on another one is worth its waits for the disk.
    next: Arc<AtomicI32>,
}

impl Checkpoints {
    /// `writer` leaves them to `mover` from now on.
    pub(crate) fn beside(writer: &Connection, mover: Connection) -> Self {
        writer.wal_hook(Some(|_: &Wal, pages| {
            PAGES.set(pages);
            Ok(())
        }));
        Self {
            mover: Arc::new(Mutex::new(mover)),
            next: Arc::new(AtomicI32::new(DUE)),
        }
    }

    /// Whether the commit that this thread has just made left a log that should be moved: not before so much more was
    /// written than the last time.
    pub(crate) fn are_due(&self) -> bool {
        let pages = PAGES.take();
        if pages < DUE {
            self.next.store(DUE, Ordering::Relaxed);
            return false;
        }
        if pages < self.next.load(Ordering::Relaxed) {
            return false;
        }
        self.next
            .store(pages.saturating_add(DUE / 4), Ordering::Relaxed);
        true
    }

    /// Moves what nobody reads any more; waits for nobody. Whether the log is long, for all that is moved: it begins
    /// anew with a commit that finds nothing left in it. None while another one is at it.
    pub(crate) fn run(&self) -> Option<Result<bool>> {
        let mover = self.mover.try_lock().ok()?;
        let sql = "PRAGMA wal_checkpoint(PASSIVE)";
        let pages = aside(|| mover.query_row(sql, [], |row| row.get::<_, c_int>(1)));
        Some(pages.map(|pages| pages >= LONG))
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
        assert!(pages < 40_000, "{pages} pages of 60,000 that were written");
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
