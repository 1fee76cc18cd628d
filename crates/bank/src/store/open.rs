//! Where a store is, and how it is opened: with its schema brought up to date.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use crate::error::{Problem, StartError};
use crate::store::file::{self, File, Readers};
use crate::store::group::Turns;
use crate::store::server::{Pool, Target};
use crate::store::sql::Made;
use crate::store::{Engine, Lanes, Store};
use crate::vault::random;

/// The bank that a file is of: a file has only one.
const ONLY: i64 = 1;
/// Connections of one process that read a file beside the one that writes it.
const READERS: u32 = 4;
/// What the connection that writes a file keeps of it. Of a store with ten million loads the inner pages of all indexes are
/// some 80 MB, and each statement goes through them: SQLite's usual 2 MB would be read anew all the time. Memory that a
/// smaller store never asks for.
const CACHE_KIB: i64 = 96 * 1024;
/// The log of a file after its beginning anew, bytes at most: what it usually grows to beside many who write.
const LOG_BYTES: i64 = 128 << 20;
/// Connections of one process to a server. More of them would only wait for each other there.
const CONNECTIONS: u32 = 16;
/// How often a schema is tried to be brought up to date while another process does the same.
const MIGRATIONS: u32 = 20;
const MIGRATION_PAUSE: Duration = Duration::from_millis(250);

/// Asked before each commit, on the database's own thread.
#[cfg(feature = "simulator")]
pub type CommitGate = Arc<dyn Fn() -> bool + Send + Sync>;

/// Where a store is. It can hold a password, so it has no `Debug`.
pub(crate) enum Place {
    /// A file of SQLite; a relative one is in the bank's folder.
    File(PathBuf),
    /// A server that speaks as PostgreSQL does, and this bank's number among those that share the database.
    Server(Box<PgConnectOptions>, i64),
}

impl Default for Place {
    fn default() -> Self {
        Self::File("bank.sqlite".into())
    }
}

impl Place {
    /// As the configuration has it: `sqlite:FILE` or `postgres://...`.
    pub(crate) fn parse(url: &str, bank: u32) -> Result<Self, String> {
        if let Some(file) = url.strip_prefix("sqlite:") {
            return match file.trim_start_matches("//") {
                "" => Err("sqlite: needs a file".to_owned()),
                file => Ok(Self::File(file.into())),
            };
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err("expected sqlite:FILE or postgres://HOST/DATABASE".to_owned());
        }
        // The error could show what is in the place of a password.
        let options = PgConnectOptions::from_str(url).map_err(|_| "no URL of PostgreSQL")?;
        let options = options
            .application_name("tapfill-bank")
            // Of a small table a server would read all, and a serialisable transaction that did is in the way of
            // everybody who writes to it.
            .options([("enable_seqscan", "off")]);
        Ok(Self::Server(Box::new(options), bank.into()))
    }
}

/// How a store is opened.
pub(crate) struct Opening {
    /// How long one that is in use is waited for.
    pub(crate) wait: Duration,
    #[cfg(feature = "simulator")]
    pub(crate) gate: Option<CommitGate>,
}

impl Opening {
    pub(crate) fn after(wait: Duration) -> Self {
        Self {
            wait,
            #[cfg(feature = "simulator")]
            gate: None,
        }
    }

    /// Opens the database and brings its schema up to date.
    pub(crate) async fn open(self, place: &Place) -> Result<Store, StartError> {
        let (wait, bank) = match place {
            Place::File(_) => (self.wait, ONLY),
            Place::Server(_, bank) => (self.wait, *bank),
        };
        let engine = match place {
            Place::File(path) => Engine::File(self.file(path).await?),
            Place::Server(options, _) => Engine::Server(server(options, wait).await?, Lanes::new()),
        };
        let [first] = random::<1>().map_err(crate::running::store_failed)?;
        Ok(Store {
            engine,
            bank,
            wait,
            next_chain: Arc::new(AtomicI64::new(first.into())),
        })
    }

    async fn file(self, path: &Path) -> Result<File, StartError> {
        let wait = self.wait;
        migrate_file(path, wait).await?;
        let writer = file::connect(path, wait).map_err(failed)?;
        let cached = writer.pragma_update(None, "cache_size", -CACHE_KIB);
        cached.map_err(failed)?;
        // What a long read made of the log goes back to the disk when the log begins anew.
        let cut = writer.pragma_update(None, "journal_size_limit", LOG_BYTES);
        cut.map_err(failed)?;
        #[cfg(not(feature = "simulator"))]
        let alone = false;
        #[cfg(feature = "simulator")]
        let alone = self.gate.is_some();
        if !alone {
            // Whoever waits for it to write, waits without a thread.
            writer.busy_timeout(Duration::ZERO).map_err(failed)?;
        }
        #[cfg(feature = "simulator")]
        if let Some(gate) = self.gate {
            // What answers true is rolled back.
            let hooked = writer.commit_hook(Some(move || !gate()));
            hooked.map_err(failed)?;
        }
        // A simulation has a say in each commit, not in several at once, and nothing happens beside it.
        let mut turns = Turns::new(writer, wait, alone);
        if !alone {
            let mover = file::connect(path, Duration::ZERO).map_err(failed)?;
            turns = turns.with_checkpoints(mover).await;
        }
        Ok(File {
            turns,
            readers: Readers::new(path.to_owned(), READERS, wait),
        })
    }
}

/// Brings a file's schema up to date; makes the file when there is none.
async fn migrate_file(path: &Path, wait: Duration) -> Result<(), StartError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .foreign_keys(true)
        .busy_timeout(wait);
    // A pool of one: a migration of a bare connection gives a future that can't be shown to be `Send` everywhere.
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .map_err(failed)?;
    let migrated = sqlx::migrate!("./migrations").run(&pool).await;
    pool.close().await;
    migrated.map_err(failed)
}

async fn server(options: &PgConnectOptions, wait: Duration) -> Result<Pool, StartError> {
    let target = Target::new(options)?;
    migrate_server(options, wait).await?;
    Ok(Pool::new(target, CONNECTIONS, wait.saturating_mul(2)))
}

/// Brings a server's schema up to date.
async fn migrate_server(options: &PgConnectOptions, wait: Duration) -> Result<(), StartError> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(wait.saturating_mul(2))
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    let mut migrator = sqlx::migrate!("./migrations/postgres");
    // Not every engine has locks of this kind: who comes second finds the tables made, and looks again.
    migrator.set_locking(false);
    let mut left = MIGRATIONS;
    let done = loop {
        let Err(error) = migrator.run(&pool).await else {
            break Ok(());
        };
        left -= 1;
        let is_for_now = matches!(
            error,
            sqlx::migrate::MigrateError::Execute(_)
                | sqlx::migrate::MigrateError::ExecuteMigration(..)
        );
        if left == 0 || !is_for_now {
            break Err(failed(error));
        }
        tokio::time::sleep(MIGRATION_PAUSE).await;
    };
    pool.close().await;
    done
}

/// Tables that have rows before the first load.
const FILLED_FIRST: [&str; 3] = ["account", "customer", "card"];

impl Store {
    /// Has a server count what is in the store where it never did: a planner that guesses reads all customers for each
    /// load. Later it counts by itself. One that counts in another way is left to it.
    pub(crate) async fn count_first(&self) {
        if let Err(problem) = self.counted().await {
            log::debug!("the store's server does not count: {problem:?}");
        }
    }

    async fn counted(&self) -> Result<(), Problem> {
        let Some(mut conn) = self.ahead().await? else {
            return Ok(());
        };
        let sql = "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
             WHERE nspname = current_schema() AND relname = 'card' AND reltuples <= 0";
        let uncounted: i64 = conn.bare(sql).value().await?;
        if uncounted > 0 {
            for table in FILLED_FIRST {
                let sql = format!("ANALYZE {table}");
                conn.bare(Made(sql)).execute().await?;
            }
        }
        Ok(())
    }
}

fn failed(error: impl Display) -> StartError {
    StartError::Store(error.to_string())
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions, Connection};

    use super::*;
    use crate::store::commit;

    #[test]
    fn a_url_says_where_the_store_is() {
        let file = |url| match Place::parse(url, 1) {
            Ok(Place::File(path)) => path.display().to_string(),
            Ok(Place::Server(..)) => panic!("{url}: a server"),
            Err(cause) => panic!("{url}: {cause}"),
        };
        assert_eq!(file("sqlite:bank.sqlite"), "bank.sqlite");
        assert_eq!(
            file("sqlite:///var/lib/bank.sqlite"),
            "/var/lib/bank.sqlite"
        );
        assert!(matches!(
            Place::parse("postgres://bank@db.example/bank", 7),
            Ok(Place::Server(_, 7))
        ));
        for wrong in [
            "",
            "bank.sqlite",
            "sqlite:",
            "mysql://h/d",
            "postgres://h:port/d",
        ] {
            assert!(Place::parse(wrong, 1).is_err(), "{wrong}");
        }
    }

    /// What a bank had before: two cards, one with a load in doubt after a confirmed one, and an audit log.
    const BEFORE: &str = "
        INSERT INTO customer (id, phone_hash, phone_sealed, password_salt, password_hash, password_rounds, tries_left,
            activation_tries_left) VALUES (1, x'01', x'', x'', x'', 10, 3, 3);
        INSERT INTO card (id, industry, number_hash, tail, customer, status, counter_seen)
            VALUES (1, '0001', x'01', '4471', 1, 'normal', 9), (2, '0001', x'02', '8826', 1, 'normal', 0);
        INSERT INTO load (id, reference, kind, terminal, card, account, amount, phase, proof, confirmed_counter,
            machine, card_sealed, requested_ms, changed_ms) VALUES
            (x'000102030405060708090A0B0C0D0E0F', 'TF-1', 'top-up', '1', 1, 1, 5, 'confirmed', 'tac', 7, '{}', x'', 1, 1),
            (x'100102030405060708090A0B0C0D0E0F', 'TF-2', 'top-up', '1', 1, 1, 5, 'in-doubt', NULL, NULL, '{}', x'', 2, 2);
        INSERT INTO audit (id, at_ms, kind, subject, detail, hash)
            VALUES (1, 1, 'a', 's', '{}', x'AA'), (2, 2, 'b', 's', '{}', x'BB');";
    /// The same since the third, which keeps more in a card's own row, and the ends of the audit log's chains.
    const SINCE_3: &str = "
        UPDATE card SET open_load = x'100102030405060708090A0B0C0D0E0F', counter_confirmed = 7 WHERE id = 1;
        INSERT INTO audit_head (bank, chain, last, hash) VALUES (1, 0, 2, x'BB');";

    #[tokio::test]
    async fn a_file_of_every_earlier_release_is_brought_up_to_date() {
        let all = sqlx::migrate!("./migrations");
        let newest = all.iter().map(|it| it.version).max().unwrap();
        for released in 1..newest {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("bank.sqlite");
            let earlier = all.iter().filter(|it| it.version <= released).cloned();
            let earlier = sqlx::migrate::Migrator::with_migrations(earlier.collect());
            let options = SqliteConnectOptions::new()
                .filename(&path)
                .create_if_missing(true);
            let mut old = options.connect().await.unwrap();
            earlier.run(&mut old).await.unwrap();
            sqlx::raw_sql(BEFORE).execute(&mut old).await.unwrap();
            if released >= 3 {
                sqlx::raw_sql(SINCE_3).execute(&mut old).await.unwrap();
            }
            old.close().await.unwrap();
            let opening = Opening::after(Duration::from_secs(5));
            let store = opening.open(&Place::File(path)).await.unwrap();
            is_up_to_date(&store, released).await;
            store.close().await;
        }
    }

    async fn is_up_to_date(store: &Store, released: i64) {
        let mut conn = store.read().await.unwrap();
        let sql = "SELECT hex(open_load), counter_confirmed FROM card WHERE bank = $1 ORDER BY id";
        let cards: Vec<(Option<String>, i64)> = conn.sql(sql).all().await.unwrap();
        assert_eq!(
            cards[0].1, 7,
            "{released}: the counter of its confirmed load"
        );
        assert!(
            cards[0]
                .0
                .as_ref()
                .is_some_and(|load| load.starts_with("1001"))
        );
        assert!(cards[1].0.as_ref().is_none_or(String::is_empty) && cards[1].1 == -1);
        let sql = "SELECT chain, last, hash FROM audit_head WHERE bank = $1";
        let heads: Vec<(i64, i64, Vec<u8>)> = conn.sql(sql).all().await.unwrap();
        assert_eq!(heads, [(0, 2, vec![0xBB])], "{released}");
        let added = async |kind: &'static str| -> Result<u64, Problem> {
            commit!(store, conn => {
                let sql = "INSERT INTO transfer (bank, kind, at_ms) VALUES ($1, $2, 1)";
                conn.sql(sql).bind(kind).execute().await
            })
        };
        let known = added("withdrawal").await;
        assert_eq!(known.ok(), Some(1), "{released}: a reason that came later");
        let unknown = added("theft").await;
        assert!(unknown.is_err(), "{released}: reasons are still checked");
    }

    #[test]
    fn a_password_in_a_url_is_in_no_error() {
        let told = Place::parse("postgres://bank:secret@db:port/bank", 1);
        let told = told.err().unwrap();
        assert!(!told.contains("secret"), "{told}");
    }
}
