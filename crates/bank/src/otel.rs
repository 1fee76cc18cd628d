//! Traces for whoever collects them: one span for each request, where it enters, as OTLP over HTTP (JSON). They say what
//! the metrics say, one by one: words of this program and times, nothing of a stranger's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use crate::config::OtelSettings;
use crate::error::StartError;
use crate::redact::redacted;
use crate::sms::trust;
use crate::vault::random;

/// Spans that wait for the next batch. A collector that is away costs those above, and nobody's time.
const MOST_WAITING: usize = 4_096;
const MOST_IN_BATCH: usize = 512;
const PAUSE: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(5);
/// `SPAN_KIND_SERVER` and `STATUS_CODE_ERROR` (opentelemetry-proto, trace.proto).
const SERVER: u8 = 2;
const ERROR: u8 = 2;

/// One request, from its head to its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) server: &'static str,
    /// A known one, or `other`.
    pub(crate) path: &'static str,
    pub(crate) method: &'static str,
    pub(crate) status: u16,
    pub(crate) ended_ms: u64,
    pub(crate) took: Duration,
}

/// Where spans are left.
#[derive(Default)]
pub(crate) struct Spans {
    to: Mutex<Option<Sender<Span>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    lost: Arc<AtomicU64>,
}

impl Spans {
    /// Sends what it is given from now on; without a collector it takes nothing.
    pub(crate) fn to(settings: Option<&OtelSettings>) -> Result<Self, StartError> {
        let Some(settings) = settings else {
            return Ok(Self::default());
        };
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(trust::client_config(settings.authority.as_deref())?)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(|_| StartError::Tls("no client for otel".to_owned()))?;
        let (to, from) = channel(MOST_WAITING);
        let lost = Arc::<AtomicU64>::default();
        let whose = (settings.endpoint.clone(), settings.service.clone());
        let task = tokio::spawn(send(http, whose, from, lost.clone()));
        Ok(Self {
            to: Mutex::new(Some(to)),
            task: Mutex::new(Some(task)),
            lost,
        })
    }

    pub(crate) fn ended(&self, span: Span) {
        let to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(to) = to.as_ref() else { return };
        if to.try_send(span).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends what is left.
    pub(crate) async fn close(&self) {
        let _closed = self
            .to
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            let _late = tokio::time::timeout(PAUSE, task).await;
        }
    }
}

/// One of those that this bank's paths know, or `_OTHER`, as OpenTelemetry calls the rest.
pub(crate) fn method(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        _ => "_OTHER",
    }
}

async fn send(
    http: reqwest::Client,
    (url, service): (String, String),
    mut from: Receiver<Span>,
    lost: Arc<AtomicU64>,
) {
    let mut is_away = false;
    while let Some(first) = from.recv().await {
        let batch = batch(first, &mut from).await;
        let body = body(&service, &batch);
        let request = http.post(&url).header("Content-Type", "application/json");
        let answer = request.body(body.to_string()).send().await;
        let is_taken = answer.is_ok_and(|answer| answer.status().is_success());
        if !is_taken {
            let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            lost.fetch_add(count, Ordering::Relaxed);
        }
        // Told when it changes: a collector that is away for a day is one line.
        match (is_taken, is_away) {
            (false, false) => log::warn!("traces are not taken by the collector"),
            (true, true) => {
                let lost = lost.load(Ordering::Relaxed);
                log::info!("traces are taken again; {lost} were lost so far");
            }
            (true, false) | (false, true) => {}
        }
        is_away = !is_taken;
    }
}

/// What comes within a moment goes together.
async fn batch(first: Span, from: &mut Receiver<Span>) -> Vec<Span> {
    let mut batch = vec![first];
    let more = async {
        while batch.len() < MOST_IN_BATCH
            && let Some(span) = from.recv().await
        {
            batch.push(span);
        }
    };
    let _over = tokio::time::timeout(PAUSE, more).await;
    batch
}

/// ExportTraceServiceRequest in its JSON form (OTLP 1.x).
fn body(service: &str, spans: &[Span]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let resource = [
        text("service.name", service),
        text("service.version", version),
    ];
    let spans: Vec<Value> = spans.iter().map(span).collect();
    let scope = json!({"name": "bank", "version": version});
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]})
}

/// Each is a trace of its own: what a terminal says of others' traces is a stranger's word.
fn span(span: &Span) -> Value {
    let ended_ns = u128::from(span.ended_ms) * 1_000_000;
    let began_ns = ended_ns.saturating_sub(span.took.as_nanos());
    let status = json!({"code": if span.status >= 500 { ERROR } else { 0 }});
    json!({
        "traceId": id::<16>(),
        "spanId": id::<8>(),
        "name": format!("{} {}", span.method, span.path),
        "kind": SERVER,
        "startTimeUnixNano": began_ns.to_string(),
        "endTimeUnixNano": ended_ns.to_string(),
        "attributes": [
            text("http.request.method", span.method),
            text("http.route", span.path),
            text("tapfill.server", span.server),
            {"key": "http.response.status_code", "value": {"intValue": span.status.to_string()}},
        ],
        "status": status,
    })
}

/// Through the same filter as the log, should a word ever be more than a word.
fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": redacted(value)}})
}

fn id<const N: usize>() -> String {
    random::<N>().map_or_else(|_| "0".repeat(2 * N), hex::encode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(status: u16) -> Span {
        Span {
            server: "security",
            path: "/v1/sms/send",
            method: "POST",
            status,
            ended_ms: 1_795_428_001_000,
            took: Duration::from_micros(1_500),
        }
    }

    #[test]
    fn a_span_has_its_times_and_only_a_failure_of_the_banks_is_an_error() {
        let span = span(&asked(429));
        assert_eq!(span["name"], "POST /v1/sms/send");
        assert_eq!(span["startTimeUnixNano"], "1795428000998500000");
        assert_eq!(span["endTimeUnixNano"], "1795428001000000000");
        assert_eq!(span["status"]["code"], 0, "a refusal is an answer");
        assert_eq!(super::span(&asked(500))["status"]["code"], ERROR);
        assert_eq!(span["traceId"].as_str().unwrap().len(), 32);
        assert_eq!(span["spanId"].as_str().unwrap().len(), 16);
    }

    #[test]
    fn a_number_that_came_in_by_mistake_is_cut_as_in_the_log() {
        let body = body("bank 13800006021", &[asked(200)]).to_string();
        assert!(body.contains("bank ...6021"), "{body}");
        assert!(!body.contains("13800006021"));
    }

    #[test]
    fn a_method_that_a_stranger_invents_is_none_of_the_words() {
        let of = |text: &str| method(&text.parse().unwrap());
        assert_eq!(
            [of("GET"), of("POST"), of("DROP")],
            ["GET", "POST", "_OTHER"]
        );
    }
}
