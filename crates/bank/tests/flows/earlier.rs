//! A store as each earlier release left it, with what a bank at work had in it: brought up to date, and gone on with.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};

use crate::card::Card;
use crate::resume::Resume;
use crate::stage::Stage;
use crate::terminal::outcome;

/// The first migrations of a store, up to the newest of that release.
fn until(all: &Migrator, released: i64) -> Migrator {
    let earlier = all.iter().filter(|it| it.version <= released).cloned();
    Migrator::with_migrations(earlier.collect())
}

/// Every number that a store can have been left at.
fn releases(all: &Migrator) -> Vec<i64> {
    let mut numbers: Vec<i64> = all.iter().map(|it| it.version).collect();
    numbers.sort_unstable();
    numbers.pop();
    numbers
}

/// The rows of a file of today in one of that release, in its place.
async fn file_left(dir: &Path, all: &Migrator, released: i64) {
    let (today, earlier) = (dir.join("bank.sqlite"), dir.join("earlier.sqlite"));
    let options = |path: &Path| SqliteConnectOptions::new().filename(path);
    let made = options(&earlier).create_if_missing(true).connect().await;
    let mut made = made.unwrap();
    until(all, released).run(&mut made).await.unwrap();
    made.close().await.unwrap();
    let from = options(&today).foreign_keys(false).connect().await;
    let mut conn: SqliteConnection = from.unwrap();
    let attach = format!("ATTACH '{}' AS earlier", earlier.display());
    let attached = sqlx::query(AssertSqlSafe(attach)).execute(&mut conn);
    attached.await.unwrap();
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT tables.name, group_concat(columns.name) FROM earlier.sqlite_schema AS tables
         JOIN pragma_table_info(tables.name, 'earlier') AS columns
         WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite%'
         AND tables.name NOT LIKE '!_sqlx%' ESCAPE '!' GROUP BY tables.name",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for (table, columns) in tables {
        let sql =
            format!("INSERT INTO earlier.{table} ({columns}) SELECT {columns} FROM main.{table}");
        let copied = sqlx::query(AssertSqlSafe(sql)).execute(&mut conn);
        copied.await.unwrap();
    }
    conn.close().await.unwrap();
    for beside in ["-wal", "-shm"] {
        let _none = std::fs::remove_file(dir.join(format!("bank.sqlite{beside}")));
    }
    std::fs::rename(earlier, today).unwrap();
}

/// The rows of a schema of today in an empty one, as that release made it.
async fn schema_left((today, empty): (&str, &str), all: &Migrator, released: i64) {
    let mut from = PgConnection::connect(today).await.unwrap();
    let from: String = sqlx::query_scalar("SELECT current_schema()::text")
        .fetch_one(&mut from)
        .await
        .unwrap();
    let mut conn = PgConnection::connect(empty).await.unwrap();
    let mut earlier = until(all, released);
    earlier.set_locking(false);
    earlier.run(&mut conn).await.unwrap();
    // Nobody looks whether what a row names is there already.
    let unchecked = sqlx::query("SET session_replication_role = replica").execute(&mut conn);
    unchecked.await.unwrap();
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, string_agg(column_name::text, ', ')
         FROM information_schema.columns WHERE table_schema = current_schema()
         AND table_name NOT LIKE '\\_sqlx%' GROUP BY table_name",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for (table, columns) in tables {
        let sql = format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM {from}.{table}");
        let copied = sqlx::query(AssertSqlSafe(sql)).execute(&mut conn);
        copied.await.unwrap();
    }
    let numbered: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.columns
         WHERE table_schema = current_schema() AND is_identity = 'YES'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for table in numbered {
        let sql =
            format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}");
        let counted = sqlx::query(AssertSqlSafe(sql)).execute(&mut conn);
        counted.await.unwrap();
    }
}

/// The same bank, stopped and started again on its store as that release would have left it.
async fn left(stage: Stage, all: &Migrator, released: i64) -> Stage {
    let Stage {
        dir,
        store,
        clock,
        bank,
        money,
    } = stage;
    bank.stop().await;
    let resting = Stage::empty(dir, clock, money);
    match (&store, &resting.store) {
        (Some(today), Some(empty)) => schema_left((today, empty), all, released).await,
        (None, None) => file_left(resting.dir.path(), all, released).await,
        (Some(_), None) | (None, Some(_)) => panic!("one engine throughout"),
    }
    resting.started().await
}

#[tokio::test]
async fn a_store_of_every_earlier_release_is_brought_up_to_date_with_all_that_is_in_it() {
    let all = match crate::engine::store() {
        Some(_) => sqlx::migrate!("./migrations/postgres"),
        None => sqlx::migrate!("./migrations"),
    };
    for released in releases(&all) {
        let stage = Stage::new().await;
        let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
        let done = terminal.top_up(&stage, &mut card, 5_000).await;
        assert_eq!(outcome(&done), "ok");
        let (torn, _) = terminal.issued(&stage, &mut card, 5_000).await;
        let before = stage.bank.money().await.unwrap();
        let stage = left(stage, &all, released).await;
        let report = stage.bank.check().await.unwrap();
        assert_eq!(report.findings, [], "of release {released}");
        assert_eq!(report.money, before, "of release {released}");
        terminal.reach(&stage);
        let another = terminal.load_message(crate::terminal::new_id(), &mut card, (100, [0; 16]));
        let refused = terminal.relay(&another).await;
        assert_eq!(outcome(&refused), "load-open", "of release {released}");
        let resume = Resume::of(Some(torn));
        let asked = resume.decide(&mut terminal, &mut card).await;
        let done = resume.credit(&mut terminal, &mut card, &asked).await;
        assert_eq!(outcome(&done), "ok", "of release {released}");
        let done = terminal.top_up(&stage, &mut card, 700).await;
        assert_eq!(outcome(&done), "ok", "of release {released}");
        stage.close(10_700).await;
    }
}

#[tokio::test]
async fn a_program_does_not_start_on_the_store_of_a_later_release() {
    let stage = Stage::new().await;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         SELECT max(version) + 1, description, success, checksum, execution_time FROM _sqlx_migrations
         GROUP BY version, description, success, checksum, execution_time ORDER BY version DESC LIMIT 1";
    let config = stage.config();
    match &stage.store {
        Some(url) => {
            let mut conn = PgConnection::connect(url).await.unwrap();
            sqlx::query(later).execute(&mut conn).await.unwrap();
        }
        None => {
            let options =
                SqliteConnectOptions::new().filename(stage.dir.path().join("bank.sqlite"));
            let mut conn = options.connect().await.unwrap();
            sqlx::query(later).execute(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        }
    }
    stage.bank.stop().await;
    let refused = bank::start(config).await.err().unwrap().to_string();
    assert!(refused.starts_with("store-unusable: "), "{refused}");
}
