//! What only PostgreSQL can do, or must be told not to.

use sqlx::{Connection, PgConnection};

use crate::broken_books::{HARMS, TRIGGERS_GONE, finds, places};
use crate::card::Card;
use crate::stage::{NOW_MS, Stage};
use crate::terminal::{new_id, outcome};

async fn database(stage: &Stage) -> Option<PgConnection> {
    let url = stage.store.as_ref()?;
    Some(PgConnection::connect(url).await.unwrap())
}

#[tokio::test]
async fn the_store_refuses_to_change_history() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.top_up(&stage, &mut card, 5_000).await;
    if let Some(mut other) = database(&stage).await {
        for sql in [
            "UPDATE entry SET amount = 1",
            "DELETE FROM entry",
            "DELETE FROM transfer",
            "UPDATE audit SET detail = ''",
            "DELETE FROM audit",
            "DELETE FROM transition",
            "UPDATE attempt SET counter = 0",
            "UPDATE reply SET sealed = ''",
        ] {
            let refused = sqlx::query(sql).execute(&mut other).await.unwrap_err();
            let said = refused.to_string();
            assert!(said.contains("append-only"), "{sql}: {said}");
        }
    }
    stage.close(5_000).await;
}

#[tokio::test]
async fn the_reconciler_names_what_is_wrong() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.top_up(&stage, &mut card, 5_000).await;
    let Some(mut other) = database(&stage).await else {
        return stage.close(5_000).await;
    };
    let reference: String = sqlx::query_scalar("SELECT reference FROM load")
        .fetch_one(&mut other)
        .await
        .unwrap();
    for trigger in [
        "reply_stays ON reply",
        "entry_stays ON entry",
        "audit_stays ON audit",
    ] {
        let sql = format!("DROP TRIGGER {trigger}");
        let dropped = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut other);
        dropped.await.unwrap();
    }
    for (harm, mend, rules) in HARMS {
        let before = stage.bank.check().await.unwrap().findings;
        assert_eq!(places(&before), TRIGGERS_GONE, "before {harm}");
        sqlx::raw_sql(harm).execute(&mut other).await.unwrap();
        let after = stage.bank.check().await.unwrap().findings;
        finds(&after, harm, rules, &reference);
        sqlx::raw_sql(mend).execute(&mut other).await.unwrap();
    }
    stage.bank.stop().await;
}

#[tokio::test]
async fn the_reconciler_looks_for_rows_of_no_load_itself() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.top_up(&stage, &mut card, 5_000).await;
    let Some(mut other) = database(&stage).await else {
        return stage.close(5_000).await;
    };
    let harm = "UPDATE exchange SET load = decode(repeat('ab', 16), 'hex')";
    sqlx::query(harm).execute(&mut other).await.unwrap();
    let findings = stage.bank.check().await.unwrap().findings;
    let found = findings
        .iter()
        .any(|it| it.rule == "I9" && it.place.starts_with("no load exchange of "));
    assert!(found, "the server let it pass: {findings:?}");
    let mended = "UPDATE exchange SET load = id";
    sqlx::query(mended).execute(&mut other).await.unwrap();
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_is_internal_and_leaves_nothing_behind() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let message = terminal.load_message(id, &mut card, (5_000, proof));
    let sealed = terminal.seal(&message.encode().unwrap());
    let Some(mut other) = database(&stage).await else {
        return stage.close(0).await;
    };
    // The reply is the last but one row of the commit: everything before it must be undone.
    let broken =
        "CREATE TRIGGER broken BEFORE INSERT ON reply FOR EACH ROW EXECUTE FUNCTION stays()";
    sqlx::query(broken).execute(&mut other).await.unwrap();
    let said = terminal.client.relay(sealed.clone()).await.unwrap_err();
    assert_eq!(crate::terminal::code(said), "internal");
    assert_eq!(
        stage.bank.money().await.unwrap(),
        stage.money,
        "no fen moved"
    );
    let mended = "DROP TRIGGER broken ON reply";
    sqlx::query(mended).execute(&mut other).await.unwrap();
    let answer = terminal.client.relay(sealed).await.unwrap();
    let answer = relay::Message::parse(&terminal.open(&answer)).unwrap();
    card.credit(answer.body.field("credit_data").unwrap())
        .unwrap();
    stage.close(5_000).await;
}

#[tokio::test]
async fn the_days_file_adds_up_and_each_chain_of_the_audit_log_hangs_together() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    for _ in 0..4 {
        terminal.top_up(&stage, &mut card, 1_000).await;
        stage.clock.advance(1_000);
    }
    let (dir, settings) = (stage.dir.path(), stage.config().settings);
    let day = "2026-11-23".parse().unwrap();
    let done = bank::reconcile(dir, Some(&settings), day, NOW_MS).await;
    let done = done.unwrap();
    assert!(done.agrees, "{}", done.csv);
    assert!(done.csv.contains("moved,debit,4,4000\n"), "{}", done.csv);
    let verified = async |anchor| {
        bank::verify_audit(dir, Some(&settings), anchor)
            .await
            .unwrap()
    };
    let audit = verified(None).await;
    assert_eq!(audit.broken, None);
    assert!(audit.rows > 12, "three moves of each load: {audit:?}");
    let anchor: bank::Anchor = audit.anchor.parse().unwrap();
    terminal.top_up(&stage, &mut card, 1_000).await;
    assert_eq!(verified(Some(&anchor)).await.broken, None, "it only grows");
    if let Some(mut other) = database(&stage).await {
        sqlx::raw_sql(
            "DROP TRIGGER audit_kept ON audit;
             DELETE FROM audit WHERE (chain, id) = (SELECT chain, last FROM audit_head ORDER BY last DESC LIMIT 1)",
        )
        .execute(&mut other)
        .await
        .unwrap();
        let broken = verified(None).await.broken.unwrap_or_default();
        assert!(broken.contains("is missing"), "{broken}");
        return stage.bank.stop().await;
    }
    stage.close(5_000).await;
}

#[tokio::test]
async fn another_banks_process_does_not_start_on_the_store() {
    let stage = Stage::new().await;
    if stage.store.is_some() {
        let elsewhere = tempfile::tempdir().unwrap();
        let mut config = stage.config();
        config.dir = elsewhere.path().to_owned();
        let refused = bank::start(config).await.err().unwrap().to_string();
        assert!(refused.contains("another store.key"), "{refused}");
    }
    stage.close(0).await;
}

#[tokio::test]
async fn two_banks_in_one_database_know_nothing_of_each_other() {
    let one = Stage::new().await;
    let Some(url) = one.store.clone() else {
        return one.close(0).await;
    };
    let beside = format!("[bank]\nstore = \"{url}\"\nnumber = 2\n");
    let two = Stage::on(None, |text| text.replacen("[bank]\n", &beside, 1)).await;
    let (mut terminal, mut card) = (one.terminal().await, Card::demo());
    terminal.top_up(&one, &mut card, 5_000).await;
    assert_eq!(
        two.bank.money().await.unwrap(),
        two.money,
        "no fen of the other one"
    );
    let mut stranger = two.terminal().await;
    let mut same_card = Card::demo();
    let done = stranger.top_up(&two, &mut same_card, 7_000).await;
    assert_eq!(
        outcome(&done),
        "ok",
        "the other bank's load of this card is not known here"
    );
    one.close(5_000).await;
    two.close(7_000).await;
}

#[tokio::test]
async fn a_bank_moves_from_a_file_to_a_server() {
    let stage = Stage::on(None, |text| text).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.top_up(&stage, &mut card, 5_000).await;
    let keys = tempfile::tempdir().unwrap();
    let backup = keys.path().join("backup.jsonl");
    bank::backup(stage.config(), &backup).await.unwrap();
    crate::backup::copy_keys(stage.dir.path(), keys.path());
    let server = Stage::empty(keys, stage.clock.clone(), stage.money);
    stage.bank.stop().await;
    let report = bank::restore(server.config(), &backup).await.unwrap();
    assert_eq!(report.findings, []);
    let stage = server.started().await;
    terminal.reach(&stage);
    stage.clock.advance(1_000);
    let done = terminal.top_up(&stage, &mut card, 700).await;
    assert_eq!(outcome(&done), "ok");
    stage.close(5_700).await;
}

#[tokio::test]
async fn both_schemas_have_the_same_columns() {
    let (file, server) = (Stage::on(None, |text| text).await, Stage::new().await);
    if let Some(mut conn) = database(&server).await {
        let here: Vec<(String, String)> = sqlx::query_as(
            "SELECT table_name::text, column_name::text FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_sqlx%'",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        let path = file.dir.path().join("bank.sqlite");
        let url = format!("sqlite://{}", path.display());
        let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let there: Vec<(String, String)> = sqlx::query_as(
            "SELECT sqlite_master.name, info.name FROM sqlite_master
             JOIN pragma_table_info(sqlite_master.name) AS info
             WHERE sqlite_master.type = 'table' AND sqlite_master.name NOT LIKE 'sqlite%'
             AND sqlite_master.name NOT LIKE '!_sqlx%' ESCAPE '!'",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        let sorted = |mut all: Vec<(String, String)>| {
            all.sort();
            all
        };
        assert_eq!(sorted(here), sorted(there));
    }
    file.close(0).await;
    server.close(0).await;
}

/// Keys and indexes of tables whose columns begin with something else than the bank.
const WITHOUT_BANK: &str = "
    SELECT index.relname::text FROM pg_index
    JOIN pg_class AS index ON index.oid = indexrelid
    JOIN pg_class AS of ON of.oid = indrelid
    JOIN pg_namespace ON pg_namespace.oid = of.relnamespace
    LEFT JOIN pg_attribute ON attrelid = of.oid AND attnum = indkey[0]
    WHERE nspname = current_schema() AND of.relname NOT LIKE '\\_sqlx%'
    AND attname IS DISTINCT FROM 'bank'
    UNION ALL
    SELECT conname::text FROM pg_constraint
    JOIN pg_namespace ON pg_namespace.oid = connamespace
    LEFT JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
    LEFT JOIN pg_attribute AS there ON there.attrelid = confrelid AND there.attnum = confkey[1]
    WHERE nspname = current_schema() AND contype = 'f'
    AND (pg_attribute.attname IS DISTINCT FROM 'bank' OR there.attname IS DISTINCT FROM 'bank')
    UNION ALL
    SELECT of.relname::text FROM pg_class AS of
    JOIN pg_namespace ON pg_namespace.oid = of.relnamespace
    WHERE nspname = current_schema() AND of.relkind = 'r' AND of.relname NOT LIKE '\\_sqlx%'
    AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = of.oid AND indisprimary)";

#[tokio::test]
async fn the_bank_comes_first_in_every_key_and_index() {
    let stage = Stage::new().await;
    if let Some(mut conn) = database(&stage).await {
        let mut without = async || -> Vec<String> {
            let found = sqlx::query_scalar(WITHOUT_BANK).fetch_all(&mut conn);
            found.await.unwrap()
        };
        assert_eq!(without().await, [""; 0]);
        let others = "CREATE INDEX elsewhere ON load (phase, bank);
             CREATE INDEX reckoned ON load (abs(amount));
             CREATE TABLE keyless (bank BIGINT);
             CREATE TABLE keyed (load BYTEA, bank BIGINT, PRIMARY KEY (bank, load),
                 CONSTRAINT turned FOREIGN KEY (load, bank) REFERENCES load (id, bank))";
        let mut other = database(&stage).await.unwrap();
        sqlx::raw_sql(others).execute(&mut other).await.unwrap();
        let mut found = without().await;
        found.sort();
        assert_eq!(found, ["elsewhere", "keyless", "reckoned", "turned"]);
    }
    stage.close(0).await;
}

#[tokio::test]
async fn a_process_that_starts_is_in_nobodys_way_when_the_configuration_says_nothing_new() {
    let stage = Stage::new().await;
    let Some(mut other) = database(&stage).await else {
        return stage.close(0).await;
    };
    // Somebody's load has written the rows of every customer and card, and is not over.
    let held =
        "BEGIN; UPDATE customer SET tries_left = tries_left; UPDATE card SET status = status";
    sqlx::raw_sql(held).execute(&mut other).await.unwrap();
    let starts = bank::start(stage.config());
    let second = tokio::time::timeout(std::time::Duration::from_secs(60), starts);
    second.await.unwrap().unwrap().stop().await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    stage.close(0).await;
}
