//! Both servers' HTTP: limits on everything, one form of error.

pub(crate) mod admission;
#[cfg(feature = "development")]
pub(crate) mod inbox;
pub(crate) mod metrics;
pub(crate) mod rate;
pub(crate) mod rates;
pub(crate) mod receipt;
pub(crate) mod security;
pub(crate) mod transaction;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;

use crate::bank::Bank;
use crate::crowd::Presence;
use crate::error::Problem;

/// The longest request body, bytes.
const MAX_BODY: usize = 128 * 1024;

/// What a request asks for, with the body in hand.
pub(crate) type Asked = axum::http::Request<Bytes>;

pub(crate) fn routes(bank: Arc<Bank>, router: Router<Arc<Bank>>) -> Router {
    router
        .route("/v1/health", get(health))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(bank)
}

/// Text as it stands in a page.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

async fn health(State(bank): State<Arc<Bank>>) -> Response {
    let body = serde_json::json!({"time_ms": bank.now_ms()}).to_string();
    respond(200, "application/json", body.into_bytes(), None)
}

pub(crate) async fn unknown() -> Response {
    problem(Problem::refused(404, "bad-request"))
}

/// Runs one request within the limits of body, time and number.
pub(crate) async fn limited<F, Answer>(
    bank: Arc<Bank>,
    request: Request,
    work: impl FnOnce(Arc<Bank>, Asked) -> F,
) -> Result<Answer, Problem>
where
    F: Future<Output = Result<Answer, Problem>>,
{
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let from = peer.map(|peer| peer.0.ip());
    let result = match from.map_or(Ok(()), |from| bank.rates.address(from)) {
        Ok(()) => limited_in(&bank, request, work).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &result {
        bank.metrics.refused(error);
        if let Some(from) = from {
            bank.rates.refused(from, error);
        }
    }
    result
}

async fn limited_in<F, Answer>(
    bank: &Arc<Bank>,
    request: Request,
    work: impl FnOnce(Arc<Bank>, Asked) -> F,
) -> Result<Answer, Problem>
where
    F: Future<Output = Result<Answer, Problem>>,
{
    if bank.admission.is_full() {
        return Err(Problem::busy());
    }
    let most = Duration::from_millis(bank.settings.limits.request_timeout_ms);
    let until = tokio::time::Instant::now() + most;
    let (parts, body) = request.into_parts();
    // A body that comes by drops holds nobody up: it is not in work yet, and has its share of those that are on their way.
    let sending = match parts.extensions.get::<Arc<Presence>>() {
        Some(presence) => Some(presence.sends().ok_or_else(Problem::busy)?),
        None => None,
    };
    // Nothing has happened yet: whoever sends half a body is only told to come again.
    let body = tokio::time::timeout_at(until, read(body)).await;
    let body = body.unwrap_or_else(|_| Err(Problem::busy()))?;
    drop(sending);
    let _leave = bank.admission.enter().ok_or_else(Problem::busy)?;
    let work = work(bank.clone(), Asked::from_parts(parts, body));
    tokio::time::timeout_at(until, work)
        .await
        .unwrap_or_else(|_| Err(Problem::late()))
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    to_bytes(body, MAX_BODY).await.map_err(|error| {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(current) = cause {
            // axum wraps the limit's error; its text is the only stable sign of it.
            if current.to_string().contains("length limit exceeded") {
                return Problem::refused(413, "too-large");
            }
            cause = current.source();
        }
        Problem::bad_request()
    })
}

pub(crate) fn problem(problem: Problem) -> Response {
    let retry_after_s = problem.retry_after_s();
    let (status, body) = problem.answer();
    let response = respond(status, "application/json", body, None);
    told_to_wait(response, retry_after_s)
}

/// Says when to come again, for programs that know HTTP alone.
pub(crate) fn told_to_wait(mut response: Response, retry_after_s: Option<u64>) -> Response {
    if let Some(seconds) = retry_after_s {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

pub(crate) fn respond(
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    mac: Option<[u8; 32]>,
) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(value) = mac.and_then(|mac| HeaderValue::from_str(&hex::encode(mac)).ok()) {
        headers.insert("tapfill-mac", value);
    }
    response
}
