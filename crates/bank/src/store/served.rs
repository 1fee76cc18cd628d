//! A connection to a server, and for how long its answers are waited for.
//!
//! A machine that loses its power or its network says nothing any more, and nobody hears of that for many minutes: without
//! an end to waiting, its connections would keep all lanes, while new ones could long be had elsewhere.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgArguments;
use sqlx::{PgConnection, PgPool, Postgres, SqlStr};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::error::Problem;
use crate::store::row::Row;

/// A statement of a request takes milliseconds, and where others are in its way some seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A statement with its values.
pub(crate) type Asked = (SqlStr, PgArguments);

/// One that belongs to somebody. What is left in the middle of a statement is of no use to others, and is closed.
pub(crate) struct Served {
    /// None when it is given back.
    conn: Option<PoolConnection<Postgres>>,
    patience: Option<Duration>,
    /// A statement was sent, and its end was not heard.
    is_asked: bool,
    /// Inside a transaction.
    is_open: bool,
}

impl Served {
    pub(crate) async fn take(pool: &PgPool) -> Result<Self, Problem> {
        Ok(Self {
            conn: Some(pool.acquire().await?),
            patience: Some(PATIENCE),
            is_asked: false,
            is_open: false,
        })
    }

    /// Reads that see one moment take as long as there is to read.
    pub(crate) fn without_limit(mut self) -> Self {
        self.patience = None;
        self
    }

    /// Opens a transaction.
    pub(crate) async fn begin(&mut self, how: &'static str) -> Result<(), Problem> {
        self.is_open = true;
        self.run(how).await
    }

    /// Makes what was done last. An answer that does not come leaves open whether it was made.
    pub(crate) async fn commit(mut self) -> Result<(), Problem> {
        let (patience, conn) = self.ask()?;
        let done = heard(patience, sqlx::raw_sql("COMMIT").execute(conn)).await;
        let done = done.map_err(|_| Problem::late())?;
        self.is_asked = is_broken(&done);
        self.is_open = false;
        done.map(drop).map_err(Problem::from_commit)
    }

    /// Undoes it; the database does when this connection ends.
    pub(crate) async fn rollback(mut self) -> Result<(), Problem> {
        if self.is_asked {
            return Ok(());
        }
        self.run("ROLLBACK").await?;
        self.is_open = false;
        Ok(())
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), Problem> {
        let (patience, conn) = self.ask()?;
        let done = heard(patience, sqlx::raw_sql(sql).execute(conn)).await?;
        self.told(done).map(drop)
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, (sql, values): Asked) -> Result<u64, Problem> {
        let (patience, conn) = self.ask()?;
        let done = heard(patience, sqlx::query_with(sql, values).execute(conn)).await?;
        self.told(done).map(|done| done.rows_affected())
    }

    pub(crate) async fn all<T: Row>(&mut self, (sql, values): Asked) -> Result<Vec<T>, Problem> {
        let (patience, conn) = self.ask()?;
        let done = heard(patience, sqlx::query_as_with(sql, values).fetch_all(conn)).await?;
        self.told(done)
    }

    pub(crate) async fn optional<T: Row>(
        &mut self,
        (sql, values): Asked,
    ) -> Result<Option<T>, Problem> {
        let (patience, conn) = self.ask()?;
        let query = sqlx::query_as_with(sql, values);
        let done = heard(patience, query.fetch_optional(conn)).await?;
        self.told(done)
    }

    /// Hands each row to `take` as it comes.
    pub(crate) async fn each<T: Row>(
        &mut self,
        (sql, values): Asked,
        mut take: impl FnMut(T) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let (patience, conn) = self.ask()?;
        let mut rows = sqlx::query_as_with(sql, values).fetch(conn);
        while let Some(row) = heard(patience, rows.try_next()).await?? {
            take(row)?;
        }
        drop(rows);
        self.is_asked = false;
        Ok(())
    }

    fn ask(&mut self) -> Result<(Option<Duration>, &mut PgConnection), Problem> {
        self.is_asked = true;
        let conn = self.conn.as_mut();
        let conn = conn.ok_or_else(|| Problem::internal("a connection that was given back"))?;
        Ok((self.patience, conn))
    }

    fn told<T>(&mut self, done: sqlx::Result<T>) -> Result<T, Problem> {
        self.is_asked = is_broken(&done);
        Ok(done?)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else {
            return;
        };
        let runtime = Handle::try_current().ok();
        match runtime.filter(|_| self.is_open && !self.is_asked) {
            Some(runtime) => drop(runtime.spawn(undone(conn))),
            None if self.is_asked || self.is_open => conn.close_on_drop(),
            None => {}
        }
    }
}

/// Takes it out of its transaction, for whoever has it next.
async fn undone(mut conn: PoolConnection<Postgres>) {
    let undone = timeout(PATIENCE, sqlx::raw_sql("ROLLBACK").execute(&mut *conn)).await;
    if !matches!(undone, Ok(Ok(_))) {
        conn.close_on_drop();
    }
}

/// When everybody has given theirs back; those that nobody answers are left to the system.
pub(crate) async fn close(pool: &PgPool) {
    if timeout(PATIENCE, pool.close()).await.is_err() {
        log::warn!("the store's server says nothing: its connections are left");
    }
}

/// Whether it failed by anything else than the server's own word.
fn is_broken<T>(done: &sqlx::Result<T>) -> bool {
    let failed = done.as_ref().err();
    failed.is_some_and(|error| error.as_database_error().is_none())
}

/// What comes within this time. Otherwise nothing was done: a transaction whose connection ends is undone.
async fn heard<T>(
    patience: Option<Duration>,
    answer: impl Future<Output = T>,
) -> Result<T, Problem> {
    match patience {
        None => Ok(answer.await),
        Some(patience) => timeout(patience, answer).await.map_err(|_| {
            log::warn!("the store's server says nothing");
            Problem::overtaken("a server that says nothing")
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use private_postgres::{Durability, PrivatePostgres};
    use tokio::io::copy_bidirectional;
    use tokio::net::{UnixListener, UnixStream};
    use tokio::sync::watch;

    use super::*;
    use crate::store::{Opening, Place, Store, commit, outbox};

    const SOCKET: &str = ".s.PGSQL.5432";

    /// Between a bank and its server. Connections that are there when it is told to fall silent hear nothing any more, as
    /// of a machine that lost its power; later ones are served.
    fn front(real: PathBuf, at: &Path) -> watch::Sender<bool> {
        let (silence, heard) = watch::channel(false);
        let listener = UnixListener::bind(at).unwrap();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(served(near, real.clone(), heard.clone()));
            }
        });
        silence
    }

    async fn served(mut near: UnixStream, real: PathBuf, mut silence: watch::Receiver<bool>) {
        let mut far = UnixStream::connect(real).await.unwrap();
        let is_old = !*silence.borrow();
        let falls_silent = silence.wait_for(|is_silent| *is_silent && is_old);
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => return,
            _ = falls_silent => {}
        }
        // Open, and without a word.
        std::future::pending::<()>().await;
    }

    async fn write(store: Store) -> Result<(), Problem> {
        commit!(store, conn => { outbox::sms(conn, vec![1], 1_000_000).await })
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_falls_silent_keeps_nobody_from_the_one_that_takes_its_place() {
        let Some(server) = PrivatePostgres::start(Durability::None).unwrap() else {
            return;
        };
        let url = server.schema().unwrap();
        let (_, host) = url.split_once("host=").unwrap();
        let (host, _) = host.split_once('&').unwrap();
        let real = Path::new(&host.replace("%2F", "/")).join(SOCKET);
        let dir = tempfile::tempdir().unwrap();
        let silence = front(real, &dir.path().join(SOCKET));
        let near = dir.path().display().to_string().replace('/', "%2F");
        let place = Place::parse(&url.replace(host, &near), 1).unwrap();
        let store = Opening::after(Duration::from_secs(1))
            .open(&place)
            .await
            .unwrap();
        // More connections than there are lanes, all of them old.
        let mut held = Vec::new();
        for _ in 0..12 {
            held.push(store.read().await.unwrap());
        }
        drop(held);
        write(store.clone()).await.unwrap();
        silence.send_replace(true);
        let stuck: Vec<_> = (0..16)
            .map(|_| tokio::spawn(write(store.clone())))
            .collect();
        for work in stuck {
            let ended = timeout(6 * PATIENCE, work).await;
            assert!(
                ended.is_ok(),
                "somebody waits for the silent one without end"
            );
        }
        // Each of those that nobody used yet is found out once.
        let written = async { while write(store.clone()).await.is_err() {} };
        let written = timeout(6 * PATIENCE, written).await;
        assert!(written.is_ok(), "new connections are to be had");
        store.close().await;
    }
}
