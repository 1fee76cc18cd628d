//! A store in a file of SQLite: one connection that writes and some that read.
//!
//! Statements run where they are called, on the caller's thread: most take some microseconds, less than to hand them to
//! another thread and to come back. What may take long lets the thread's other tasks go on elsewhere ([`aside`]).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Error, Result};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Problem;
use crate::store::group::Turns;
use crate::store::row::InFile;
use crate::store::sql::Value;

/// Distinct statements of the bank, each prepared once on each connection.
const STATEMENTS: usize = 256;

/// A file that is opened.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) turns: Turns,
    pub(crate) readers: Readers,
}

/// A connection to the file as it is in a release: what is committed is on the disk.
pub(crate) fn connect(path: &Path, wait: Duration) -> Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(wait)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
    )?;
    // A turn is a savepoint, and what would undo it is more than SQLite keeps in memory by itself: each turn would
    // write a file of its own that nobody needs after it.
    conn.execute_batch("PRAGMA temp_store = MEMORY")?;
    Ok(conn)
}

/// Work that waits for the disk or for another process, or reads a lot: where the runtime has several threads, this
/// one's other tasks go on meanwhile.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Connections that read.
#[derive(Clone)]
pub(crate) struct Readers {
    path: Arc<Path>,
    wait: Duration,
    turns: Arc<Semaphore>,
    most: u32,
    /// Opened, and with nobody.
    free: Arc<Mutex<Vec<Connection>>>,
}

/// One of them, for as long as somebody reads.
pub(crate) struct Reader {
    /// None when it is given back.
    conn: Option<Connection>,
    from: Readers,
    /// Whether what is asked on it may take long.
    is_long: bool,
    _turn: OwnedSemaphorePermit,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, most: u32, wait: Duration) -> Self {
        Self {
            path: path.into(),
            wait,
            turns: Arc::new(Semaphore::new(most as usize)),
            most,
            free: Arc::default(),
        }
    }

    /// For a statement or two that find what they look for at once.
    pub(crate) async fn read(&self) -> Result<Reader, Problem> {
        self.take(false).await
    }

    /// Sees one moment, however long it reads.
    pub(crate) async fn snapshot(&self) -> Result<Reader, Problem> {
        let mut reader = self.take(true).await?;
        reader.conn()?.execute_batch("BEGIN")?;
        Ok(reader)
    }

    async fn take(&self, is_long: bool) -> Result<Reader, Problem> {
        let wait = self.wait.saturating_mul(2);
        let turn = tokio::time::timeout(wait, self.turns.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| Problem::busy())?;
        let turn = turn.map_err(Problem::internal)?;
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let conn = match free {
            Some(conn) => conn,
            None => aside(|| self.connect())?,
        };
        Ok(Reader {
            conn: Some(conn),
            from: self.clone(),
            is_long,
            _turn: turn,
        })
    }

    fn connect(&self) -> Result<Connection> {
        let conn = connect(&self.path, self.wait)?;
        conn.execute_batch("PRAGMA query_only = ON")?;
        Ok(conn)
    }

    /// When everybody has read; nobody reads any more.
    pub(crate) async fn close(&self) {
        let all = self.turns.acquire_many(self.most).await;
        self.turns.close();
        drop(all);
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Reader {
    pub(crate) fn conn(&mut self) -> Result<&mut Connection, Problem> {
        let conn = self.conn.as_mut();
        conn.ok_or_else(|| Problem::internal("a reader that was given back"))
    }

    pub(crate) fn is_long(&self) -> bool {
        self.is_long
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take() else { return };
        // One that can't be taken out of its transaction is closed.
        if conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok() {
            let mut free = self
                .from
                .free
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            free.push(conn);
        }
    }
}

/// Runs a statement to its end; how many rows it changed.
pub(crate) fn execute(conn: &Connection, text: &str, values: &[Value]) -> Result<u64> {
    let mut statement = bound(conn, text, values)?;
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(conn.changes())
}

/// Hands each row to `take` until it says that this was enough.
pub(crate) fn each<T: InFile, E: From<Error>>(
    conn: &Connection,
    (text, values): (&str, &[Value]),
    mut take: impl FnMut(T) -> Result<Next, E>,
) -> Result<(), E> {
    let mut statement = bound(conn, text, values)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        match take(T::read(row)?)? {
            Next::More => {}
            Next::Enough => break,
        }
    }
    Ok(())
}

/// Whether the next row is wanted too.
pub(crate) enum Next {
    More,
    Enough,
}

/// Prepared, with a value for each of its places. SQLite takes `$7` for a name and numbers them as they come, so the name
/// is looked at.
fn bound<'c>(conn: &'c Connection, text: &str, values: &[Value]) -> Result<CachedStatement<'c>> {
    let mut statement = conn.prepare_cached(text)?;
    let places = statement.parameter_count();
    for at in 1..=places {
        let name = statement.parameter_name(at);
        let number = name.and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?));
        let value = value.ok_or(Error::InvalidParameterCount(values.len(), places))?;
        statement.raw_bind_parameter(at, value)?;
    }
    Ok(statement)
}

impl ToSql for Value {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Number(number) => number.map(ValueRef::Integer),
            Self::Text(text) => text.as_ref().map(|text| ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => bytes.as_deref().map(ValueRef::Blob),
        };
        Ok(ToSqlOutput::Borrowed(value.unwrap_or(ValueRef::Null)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE it (a INTEGER, b TEXT, c BLOB)")
            .unwrap();
        conn
    }

    fn values(number: i64) -> [Value; 3] {
        [
            Value::Number(Some(number)),
            Value::Text(None),
            Value::Bytes(Some(vec![7])),
        ]
    }

    #[test]
    fn a_place_gets_the_value_of_its_number_wherever_it_stands() {
        let conn = memory();
        let sql = "INSERT INTO it (c, b, a) VALUES ($3, $2, $1)";
        assert_eq!(execute(&conn, sql, &values(4)).unwrap(), 1);
        let mut rows: Vec<(i64, Option<String>, Vec<u8>)> = Vec::new();
        let sql = "SELECT a, b, c FROM it WHERE a = $1 OR a = $1";
        let took: Result<()> = each(&conn, (sql, &values(4)), |row| {
            rows.push(row);
            Ok(Next::More)
        });
        took.unwrap();
        assert_eq!(rows, [(4, None, vec![7])]);
    }

    #[test]
    fn a_place_without_a_value_is_an_error_and_nothing_runs() {
        let conn = memory();
        for sql in [
            "INSERT INTO it (a) VALUES ($4)",
            "INSERT INTO it (a) VALUES ($0)",
            "INSERT INTO it (a) VALUES (?)",
            "INSERT INTO it (a) VALUES (:name)",
        ] {
            assert!(execute(&conn, sql, &values(1)).is_err(), "{sql}");
        }
        let kept: i64 = conn
            .query_row("SELECT count(*) FROM it", [], |row| row.get(0))
            .unwrap();
        assert_eq!(kept, 0);
    }

    #[tokio::test]
    async fn a_reader_can_not_write_and_comes_back_without_its_transaction() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("it.sqlite");
        let writer = connect(&path, Duration::from_secs(1)).unwrap();
        writer.execute_batch("CREATE TABLE it (a INTEGER)").unwrap();
        let readers = Readers::new(path, 1, Duration::from_millis(20));
        let mut reader = readers.snapshot().await.unwrap();
        let conn = reader.conn().unwrap();
        assert!(execute(conn, "INSERT INTO it VALUES (1)", &[]).is_err());
        assert!(!conn.is_autocommit());
        assert!(readers.read().await.is_err(), "there is one, and it reads");
        drop(reader);
        let mut reader = readers.read().await.unwrap();
        assert!(reader.conn().unwrap().is_autocommit());
        drop(reader);
        readers.close().await;
        assert!(readers.read().await.is_err());
    }
}
