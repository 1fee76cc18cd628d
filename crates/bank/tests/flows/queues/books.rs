//! The books of queues: found wrong when they are, closed by people, and in the day's file.

use bank::{OperatorError, Signature};
use sqlx::{Connection, PgConnection, SqliteConnection};
use zeroize::Zeroizing;

use super::{AMOUNT, Class};
use crate::stage::{NOW_MS, Stage};

const ONE: i64 = AMOUNT as i64;

pub(super) async fn harmed(stage: &Stage, sql: &'static str) {
    if let Some(url) = &stage.store {
        let mut conn = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        return;
    }
    let path = stage.dir.path().join("bank.sqlite");
    let url = format!("sqlite://{}", path.display());
    let mut conn = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
}

/// How books with one item on its card and two that wait are made wrong, how that is mended, and who finds it.
const HARMS: [(&str, &str, &str, &str); 9] = [
    (
        "UPDATE account SET balance = balance + 1 WHERE name LIKE 'queue:%'",
        "UPDATE account SET balance = balance - 1 WHERE name LIKE 'queue:%'",
        "I21",
        "does not hold what waits",
    ),
    (
        "UPDATE queue_item SET state = 'waiting' WHERE place = 0",
        "UPDATE queue_item SET state = 'loaded' WHERE place = 0",
        "I22",
        "item 0 TF-",
    ),
    (
        "UPDATE queue_item SET state = 'returned' WHERE place = 1",
        "UPDATE queue_item SET state = 'waiting' WHERE place = 1",
        "I21",
        "does not hold what waits",
    ),
    (
        "UPDATE queue_item SET amount = amount + 1 WHERE place = 0",
        "UPDATE queue_item SET amount = amount - 1 WHERE place = 0",
        "I22",
        "is not what queue",
    ),
    (
        "UPDATE queue_item SET state = 'loaded' WHERE place = 2",
        "UPDATE queue_item SET state = 'waiting' WHERE place = 2",
        "I22",
        "item 2 no load",
    ),
    (
        "UPDATE queue SET closed_ms = 1",
        "UPDATE queue SET closed_ms = NULL",
        "I21",
        "is closed, and something waits",
    ),
    (
        "UPDATE queue SET total = total + 1",
        "UPDATE queue SET total = total - 1",
        "I21",
        "was not paid once",
    ),
    (
        "UPDATE queue_code SET spent_ms = NULL",
        "UPDATE queue_code SET spent_ms = 1",
        "I15",
        "queue ",
    ),
    (
        "UPDATE load SET queue = '00000000000000000000000000000000'",
        "UPDATE load SET queue = (SELECT id FROM queue)",
        "I9",
        "TF-",
    ),
];

#[tokio::test]
async fn the_reconciler_names_a_queue_that_is_wrong() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    class.load(0, 0, opened.proof).await;
    for (harm, mend, rule, place) in HARMS {
        let before = class.stage.bank.check().await.unwrap().findings;
        assert_eq!(before, [], "before {harm}");
        harmed(&class.stage, harm).await;
        let found = class.stage.bank.check().await.unwrap().findings;
        let named = |it: &bank::Finding| it.rule == rule && it.place.contains(place);
        assert!(found.iter().any(named), "{harm}: {found:?}");
        harmed(&class.stage, mend).await;
    }
    class.stage.close(ONE).await;
}

#[tokio::test]
async fn the_store_itself_lets_no_queue_fall_below_zero() {
    let class = Class::new().await;
    class.opened().await;
    let sql = "UPDATE account SET balance = -1 WHERE name LIKE 'queue:%'";
    let refused = if let Some(url) = &class.stage.store {
        let mut conn = PgConnection::connect(url).await.unwrap();
        sqlx::query(sql).execute(&mut conn).await.unwrap_err()
    } else {
        let path = class.stage.dir.path().join("bank.sqlite");
        let url = format!("sqlite://{}", path.display());
        let mut conn = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(sql).execute(&mut conn).await.unwrap_err()
    };
    let said = refused.to_string();
    assert!(said.contains("below"), "{said}");
    class.stage.close(0).await;
}

#[tokio::test]
async fn a_days_file_adds_up_with_queues_in_it() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    class.load(0, 0, opened.proof).await;
    class.close().await;
    let (dir, settings) = (class.stage.dir.path(), class.stage.config().settings);
    let day = "2026-11-23".parse().unwrap();
    let done = bank::reconcile(dir, Some(&settings), day, NOW_MS).await;
    let done = done.unwrap();
    assert!(done.agrees, "{}", done.csv);
    for line in [
        "moved,queue-debit,1,15000\n",
        "moved,queue-refund,1,10000\n",
        "moved,debit,1,5000\n",
        "moved,credit,1,5000\n",
    ] {
        assert!(done.csv.contains(line), "{line} not in {}", done.csv);
    }
    class.stage.close(ONE).await;
}

fn secret() -> Zeroizing<String> {
    Zeroizing::new("chen keeps this to themselves".to_owned())
}

fn signed(evidence: &str) -> Signature {
    Signature {
        operator: "chen".to_owned(),
        password: secret(),
        evidence: evidence.to_owned(),
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, OperatorError>) -> &'static str {
    match result.unwrap_err() {
        OperatorError::Refused { code, .. } => code,
        OperatorError::Start(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn an_operator_closes_a_queue_and_signs_it() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    class.load(0, 0, opened.proof).await;
    let stage = &class.stage;
    let id = hex::encode(class.queue);
    bank::keep_operator(stage.config(), "chen", &secret())
        .await
        .unwrap();
    let all = bank::queues(stage.config()).await.unwrap();
    assert_eq!(
        (all[0]["queue"].as_str(), all.as_array().unwrap().len()),
        (Some(id.as_str()), 1)
    );
    assert_eq!(
        (&all[0]["loaded"], &all[0]["waiting"]),
        (&5_000.into(), &10_000.into())
    );
    let one = bank::one_queue(stage.config(), &id).await.unwrap();
    assert_eq!(one["items"][0]["card_tail"], "0001");
    assert_eq!(one["items"][1]["state"], "waiting");
    let close = async |id: &str, signature| bank::close_queue(stage.config(), id, &signature).await;
    let wrong = Signature {
        password: Zeroizing::new("somebody else's word".to_owned()),
        ..signed("the school asked")
    };
    assert_eq!(code(close(&id, wrong).await), "operator-refused");
    assert_eq!(code(close(&id, signed(" ")).await), "evidence-missing");
    let unknown = close(&"0".repeat(32), signed("the school asked")).await;
    assert_eq!(code(unknown), "queue-unknown");
    assert_eq!(class.paid().await, (3 * ONE, 2 * ONE), "nothing moved");
    close(&id, signed("the school asked")).await.unwrap();
    assert_eq!(class.paid().await, (ONE, 0));
    let again = close(&id, signed("the school asked")).await;
    assert_eq!(code(again), "queue-closed");
    class.stage.close(ONE).await;
}
