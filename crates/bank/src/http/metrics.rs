//! For those who look after the bank: metrics, health and readiness, on a loopback address of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

use crate::bank::Bank;
use crate::http::{problem, respond, told_to_wait, unknown};
use crate::store::{console, corebank};

/// The bank's own work has a round each second: without one for so long it is stuck.
const STUCK: Duration = Duration::from_secs(30);

/// Every path that is counted under its own name. What else a stranger may ask for is `other`.
const PATHS: [&str; 15] = [
    "/v1/relay",
    "/v1/enrol",
    "/v1/working-key",
    "/v1/key-query",
    "/v1/sms/send",
    "/v1/sms/verify",
    "/v1/packages",
    "/v1/limits",
    "/v1/outcome",
    "/v1/queue/send",
    "/v1/queue/open",
    "/v1/queue/state",
    "/v1/queue/close",
    "/v1/health",
    "/receipt",
];

pub(crate) fn server(bank: Arc<Bank>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(bank)
}

/// The same routes; each answer of `server` is counted and its time taken.
pub(crate) fn measured(bank: Arc<Bank>, server: &'static str, router: Router) -> Router {
    router.layer(from_fn_with_state((bank, server), measure))
}

async fn measure(
    State((bank, server)): State<(Arc<Bank>, &'static str)>,
    request: Request,
    next: Next,
) -> Response {
    let asked = request.uri().path();
    let path = PATHS.into_iter().find(|known| *known == asked);
    #[cfg(feature = "otel")]
    let method = crate::otel::method(request.method());
    let started = Instant::now();
    let response = next.run(request).await;
    let place = (server, path.unwrap_or("other"));
    let status = response.status().as_u16();
    let took = started.elapsed();
    bank.metrics.answered(place, status, took);
    #[cfg(feature = "otel")]
    bank.spans.ended(crate::otel::Span {
        server: place.0,
        path: place.1,
        method,
        status,
        ended_ms: bank.now_ms(),
        took,
    });
    response
}

async fn metrics(State(bank): State<Arc<Bank>>) -> Response {
    let read = async {
        let mut conn = bank.store.snapshot().await?;
        let stored = console::counted(&mut conn).await?;
        let owed = corebank::waits(&mut conn, "reverse").await?;
        bank.metrics.core.waits(&owed, bank.now_ms());
        let (requests, connections) = (bank.admission.in_work(), bank.crowd.connections());
        bank.metrics.busy_with(requests, connections);
        bank.metrics.text(&stored, bank.now_ms())
    };
    match read.await {
        Ok(text) => {
            let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            respond(200, form, text.into_bytes(), None)
        }
        Err(error) => problem(error),
    }
}

/// The process answers: to be asked by whatever starts it again.
async fn live() -> Response {
    respond(200, "application/json", b"{\"live\":true}".to_vec(), None)
}

/// The bank can do its work: to be asked by whatever sends requests to it.
async fn ready(State(bank): State<Arc<Bank>>) -> Response {
    let store = async {
        let mut conn = bank.store.read().await?;
        console::answers(&mut conn).await
    };
    let store = store.await.is_ok();
    let work = bank.metrics.round_age() < STUCK;
    let status = if store && work { 200 } else { 503 };
    let body = json!({"ready": store && work, "store": store, "own_work": work}).to_string();
    let response = respond(status, "application/json", body.into_bytes(), None);
    told_to_wait(response, (status == 503).then_some(1))
}
