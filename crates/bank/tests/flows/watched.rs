//! Metrics, health and readiness on a listener of their own.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::card::Card;
use crate::metered::{get, metrics, watched};
use crate::operations::{DOCUMENT, named};
use crate::stage::{PHONE, Stage};
use crate::terminal::{code, new_id, outcome};

#[tokio::test]
async fn the_metrics_tell_of_a_top_up_and_name_nobody() {
    let stage = Stage::with(watched).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let done = terminal.top_up(&stage, &mut card, 5_000).await;
    assert_eq!(outcome(&done), "ok");
    let code = stage.newest_code("4471").await;
    stage.clock.advance(120_000);
    let (second, _) = terminal.issued(&stage, &mut card, 3_000).await;
    stage.clock.advance(7_000);
    let mut text = metrics(&stage).await;
    for _ in 0..100 {
        if text.contains("load_moves_total{phase=\"issued\"} 2") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        text = metrics(&stage).await;
    }
    for line in [
        "requests_total{server=\"transaction\",path=\"/v1/relay\",status=\"200\"} 3",
        "requests_total{server=\"security\",path=\"/v1/enrol\",status=\"200\"} 2",
        "request_duration_seconds_count{server=\"security\",path=\"/v1/sms/send\"} 2",
        "load_moves_total{phase=\"confirmed\"} 1",
        "load_moves_total{phase=\"issued\"} 2",
        "load_moved_fen_total{phase=\"confirmed\"} 5000",
        "open_loads{phase=\"issued\"} 1",
        "open_loads_fen{phase=\"issued\"} 3000",
        "open_load_age_seconds{phase=\"issued\"} 7.0",
        "sms_total{result=\"delivered\"} 2",
        "outbox_waiting{kind=\"sms\"} 0",
    ] {
        assert!(
            text.contains(&format!("tapfill_bank_{line}\n")),
            "{line}\n{text}"
        );
    }
    let terminal_number = terminal.enrolled.terminal.to_string();
    let (serial, reference) = (hex::encode(card.serial), &stage.references().await[0]);
    let second = hex::encode(second);
    let master = hex::encode(terminal.enrolled.master_key.expose());
    for secret in [
        PHONE,
        &code,
        &terminal_number,
        &serial,
        reference,
        &second,
        &master,
    ] {
        assert!(
            !text.contains(secret),
            "{secret} is in the metrics:\n{text}"
        );
    }
    assert!(
        !text.contains("4471"),
        "not even a card's last digits: {text}"
    );
}

#[tokio::test]
async fn refusals_are_counted_by_their_code_and_strange_paths_as_one() {
    let stage = Stage::with(watched).await;
    let mut terminal = stage.terminal().await;
    terminal.send_code(&new_id(), "4471", PHONE).await;
    for _ in 0..3 {
        let wrong = terminal.verify(&new_id(), "123456").await;
        assert_eq!(code(wrong.unwrap_err()), "code-unknown");
    }
    let strange = terminal
        .ask("/v1/6217000000004471", serde_json::json!({}))
        .await;
    assert_eq!(code(strange.unwrap_err()), "bad-request");
    assert!(terminal.relay_bytes(b"A0001").await.is_ok());
    let text = metrics(&stage).await;
    assert!(
        text.contains("tapfill_bank_refusals_total{code=\"code-unknown\"} 3\n"),
        "{text}"
    );
    assert!(
        text.contains("path=\"other\",status=\"404\"} 1\n"),
        "{text}"
    );
    assert!(
        !text.contains("6217"),
        "no path of a stranger's is a label: {text}"
    );
}

#[tokio::test]
async fn a_bank_whose_store_does_not_answer_is_alive_and_not_ready() {
    let stage = Stage::with(watched).await;
    let address = stage.bank.metrics_addr.unwrap();
    let (status, text) = get(address, "/health/ready").await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("\"ready\":true"), "{text}");
    let change = async |sql: &'static str| {
        let path = stage.dir.path().join("bank.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut conn = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::query(sql).execute(&mut conn).await.unwrap();
    };
    change("ALTER TABLE operator RENAME TO elsewhere").await;
    let (status, text) = get(address, "/health/ready").await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("\"store\":false"), "{text}");
    assert!(text.to_lowercase().contains("retry-after"), "{text}");
    assert_eq!(get(address, "/health/live").await.0, 200);
    change("ALTER TABLE elsewhere RENAME TO operator").await;
    assert_eq!(get(address, "/health/ready").await.0, 200);
    assert_eq!(
        get(address, "/v1/enrol").await.0,
        404,
        "nothing else is served here"
    );
    stage.close(0).await;
}

#[tokio::test]
async fn metrics_are_told_on_the_loopback_interface_or_nowhere() {
    let stage = Stage::new().await;
    assert_eq!(
        stage.bank.metrics_addr, None,
        "only where an address is given"
    );
    let mut config = stage.config();
    stage.bank.stop().await;
    config.metrics = Some("0.0.0.0:0".parse().unwrap());
    let error = bank::start(config).await.err().unwrap().to_string();
    assert!(error.starts_with("address-unusable: 0.0.0.0:0"), "{error}");
}

/// First column of the tables of metrics, without labels.
fn metrics_of_the_document() -> BTreeSet<String> {
    let head = "| metric | what it is | alarm |";
    let tables = DOCUMENT.split(head).skip(1);
    let rows = tables.flat_map(|rest| {
        let lines = rest.lines().skip(1);
        lines.take_while(|line| line.starts_with('|'))
    });
    rows.flat_map(|row| named(row.split('|').nth(1).unwrap()))
        .map(|name| name.split('{').next().unwrap().to_owned())
        .collect()
}

/// Those that have nothing to tell of a bank without a core banking host and without an incident.
const SILENT: [&str; 4] = [
    "core_answers_total",
    "core_reversals_total",
    "core_strays_total",
    "incidents",
];

#[tokio::test]
async fn every_metric_of_the_document_is_told_and_no_other() {
    let stage = Stage::with(watched).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.top_up(&stage, &mut card, 1_000).await;
    let refused = terminal.verify(&new_id(), "123456").await;
    assert!(refused.is_err(), "a refusal to be counted");
    let address = stage.bank.metrics_addr.unwrap();
    let mut told = BTreeSet::new();
    // Moves are counted by the bank's own work, a moment later.
    for _ in 0..100 {
        told = told_metrics(address).await;
        if told.contains("load_moves_total") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let named = metrics_of_the_document();
    let silent = SILENT.map(str::to_owned);
    assert_eq!(named, told.into_iter().chain(silent).collect());
    stage.close(1_000).await;
}

async fn told_metrics(address: SocketAddr) -> BTreeSet<String> {
    let (status, text) = get(address, "/metrics").await;
    assert_eq!(status, 200, "{text}");
    let types = text.lines().filter_map(|line| {
        let (name, kind) = line.strip_prefix("# TYPE tapfill_bank_")?.split_once(' ')?;
        let total = if kind == "counter" { "_total" } else { "" };
        Some(format!("{name}{total}"))
    });
    types.collect()
}
