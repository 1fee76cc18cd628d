//! A bank of its own for each test, with a clock that the test holds.

use std::path::Path;
use std::sync::Arc;

use bank::{Config, ManualClock, Money, Running, Settings};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::terminal::Terminal;

pub(crate) const DEMO: &str = include_str!("../../src/demo.toml");
/// 2026-11-23 10:00:00 UTC.
pub(crate) const NOW_MS: u64 = 1_795_428_000_000;
pub(crate) const PASSWORD: &str = "246810";
pub(crate) const PHONE: &str = "13800006021";

pub(crate) struct Stage {
    pub(crate) dir: TempDir,
    /// Of the store; none: a file in the folder.
    pub(crate) store: Option<String>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) bank: Running,
    pub(crate) money: Money,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|text| text).await
    }

    pub(crate) async fn with(change: impl Fn(String) -> String) -> Self {
        Self::on(crate::engine::store(), change).await
    }

    pub(crate) async fn on(store: Option<String>, change: impl Fn(String) -> String) -> Self {
        let text = change(text(store.as_deref()));
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let bank = bank::start(config(&dir, &text, clock.clone()))
            .await
            .unwrap();
        let money = bank.money().await.unwrap();
        Self {
            dir,
            store,
            clock,
            bank,
            money,
        }
    }

    /// A bank that has its folder and an empty store, and was never started.
    pub(crate) fn empty(dir: TempDir, clock: Arc<ManualClock>, money: Money) -> Resting {
        let store = crate::engine::store();
        Resting {
            dir,
            store,
            clock,
            money,
        }
    }

    /// The same bank, stopped and started again.
    pub(crate) async fn restarted(self) -> Self {
        self.restarted_with(|text| text).await
    }

    pub(crate) async fn restarted_with(self, change: impl Fn(String) -> String) -> Self {
        self.made_anew(change, |_| {}).await
    }

    /// The same bank, stopped and started again; something happens to its store meanwhile.
    pub(crate) async fn restarted_after(self, meanwhile: impl FnOnce(&Path)) -> Self {
        self.made_anew(|text| text, meanwhile).await
    }

    async fn made_anew(
        self,
        change: impl Fn(String) -> String,
        meanwhile: impl FnOnce(&Path),
    ) -> Self {
        let Self {
            dir,
            store,
            clock,
            bank,
            money,
        } = self;
        bank.stop().await;
        meanwhile(&dir.path().join("bank.sqlite"));
        let resting = Resting {
            dir,
            store,
            clock,
            money,
        };
        resting.started_with(change).await
    }

    /// Of the same bank, for whoever works on it from beside.
    pub(crate) fn config(&self) -> Config {
        self.config_with(|text| text)
    }

    pub(crate) fn config_with(&self, change: impl Fn(String) -> String) -> Config {
        let text = change(text(self.store.as_deref()));
        config(&self.dir, &text, self.clock.clone())
    }

    /// The references of all loads.
    pub(crate) async fn references(&self) -> Vec<String> {
        self.column("reference").await
    }

    /// The phases of all loads, in the order of their making.
    pub(crate) async fn phases(&self) -> Vec<String> {
        self.column("phase").await
    }

    /// Waits for what the bank does by itself; what it is after a whole round of that.
    pub(crate) async fn until_phases(&self, wanted: &[&str]) {
        for _ in 0..100 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            if self.phases().await == wanted {
                break;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        assert_eq!(self.phases().await, wanted);
    }

    async fn column(&self, name: &str) -> Vec<String> {
        if let Some(url) = &self.store {
            let mut conn = PgConnection::connect(url).await.unwrap();
            // Rows have no order of their own here; the first thing that happened to each has.
            let sql = format!(
                "SELECT {name} FROM load JOIN (SELECT load, min(id) AS first FROM transition
                 GROUP BY load) AS began ON began.load = load.id ORDER BY first"
            );
            return sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .fetch_all(&mut conn)
                .await
                .unwrap();
        }
        let path = self.dir.path().join("bank.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut conn = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let sql = format!("SELECT {name} FROM load ORDER BY rowid");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut conn)
            .await
            .unwrap()
    }

    pub(crate) async fn terminal(&self) -> Terminal {
        let mut terminal = Terminal::enrol(self).await;
        terminal.fetch_key().await.unwrap();
        terminal
    }

    /// Every invariant holds, and no fen was lost or made: `on_cards` is what cards hold and spent more than
    /// at the start of the test.
    pub(crate) async fn close(self, on_cards: i64) {
        let report = self.bank.check().await.unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        let now = report.money;
        let in_doubt = now.in_transit;
        let before = self.money.outside_cards();
        let after = now.outside_cards() + on_cards;
        let credited_twice = after - before;
        assert!(
            credited_twice == 0 || credited_twice == in_doubt,
            "I14: {before} before, {after} after, {in_doubt} in transit"
        );
        if in_doubt == 0 {
            assert_eq!(
                now.card_float - self.money.card_float,
                on_cards,
                "what cards hold"
            );
        }
        self.bank.stop().await;
    }
}

/// A bank that does not run.
pub(crate) struct Resting {
    pub(crate) dir: TempDir,
    pub(crate) store: Option<String>,
    clock: Arc<ManualClock>,
    money: Money,
}

impl Resting {
    pub(crate) fn config(&self) -> Config {
        config(&self.dir, &text(self.store.as_deref()), self.clock.clone())
    }

    pub(crate) async fn started(self) -> Stage {
        self.started_with(|text| text).await
    }

    async fn started_with(self, change: impl Fn(String) -> String) -> Stage {
        let Self {
            dir,
            store,
            clock,
            money,
        } = self;
        let text = change(text(store.as_deref()));
        let bank = bank::start(config(&dir, &text, clock.clone()))
            .await
            .unwrap();
        Stage {
            dir,
            store,
            clock,
            bank,
            money,
        }
    }
}

/// The demo bank's configuration on this store.
fn text(store: Option<&str>) -> String {
    let text = format!("{DEMO}\n[password]\nrounds = 10\n");
    match store {
        Some(url) => text.replacen("[bank]\n", &format!("[bank]\nstore = \"{url}\"\n"), 1),
        None => text,
    }
}

fn config(dir: &TempDir, text: &str, clock: Arc<ManualClock>) -> Config {
    let settings = Settings::parse(text).unwrap();
    let mut config = Config::new(dir.path(), settings)
        .with_inbox()
        .on_free_ports();
    config.clock = clock;
    config
}
