//! The operators' page: what the bank knows, and the decisions that need two of them. On a loopback address of its own, made
//! here whole; a browser needs no script for anything but figures that change by themselves.
//!
//! The rules are those of [`crate::operators`]: whatever moves a load is signed with the operator's password each time.

mod act;
mod chart;
mod days;
mod form;
mod guard;
mod host;
mod load;
mod loads;
mod messages;
mod page;
mod places;
mod queues;
mod session;
mod shelf;
mod sign_in;
mod today;
mod words;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use crate::bank::Bank;
pub use crate::console::session::Role;
use crate::console::session::Sessions;
use crate::http::rate::Rate;

/// Attempts to sign in per minute, of everybody together: the page is for a few people on one machine.
const SIGN_INS: u32 = 60;

/// The longest form, bytes: evidence of 500 characters, all of them escaped.
const MOST_FORM: usize = 16 * 1024;

/// What all requests of the console share.
pub(crate) struct Desk {
    bank: Arc<Bank>,
    sessions: Sessions,
    sign_ins: Option<Rate>,
    /// One reader of the store at a time: the terminals need the others.
    reading: Semaphore,
}

pub(crate) fn server(bank: Arc<Bank>) -> Router {
    let desk = Arc::new(Desk {
        bank,
        sessions: Sessions::default(),
        sign_ins: Rate::new(SIGN_INS, Duration::from_secs(60)),
        reading: Semaphore::new(1),
    });
    let inside = Router::new()
        .route("/", get(today::page))
        .route("/figures", get(today::fragment))
        .route("/loads", get(loads::page))
        .route("/loads/{reference}", get(load::page).post(act::decide))
        .route("/queues", get(queues::list))
        .route("/queues/{queue}", get(queues::page).post(queues::close))
        .route("/terminals", get(places::terminals))
        .route("/packages", get(shelf::page))
        .route("/sms", get(places::sms))
        .route("/days", get(days::page))
        .route("/days/{day}", get(days::day))
        .route("/days/{day}/file", get(days::file))
        .route("/checks", get(days::checks))
        .route("/sign-out", post(sign_in::sign_out))
        .route_layer(from_fn_with_state(desk.clone(), guard::signed_in));
    Router::new()
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/language", get(sign_in::language))
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        .route("/console.css", get(style))
        .route("/console.js", get(script))
        .merge(inside)
        .fallback(page::missing)
        .layer(DefaultBodyLimit::max(MOST_FORM))
        .layer(from_fn_with_state(desk.clone(), guard::from_here))
        .with_state(desk)
}

async fn style() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("console.css")).into_response()
}

async fn script() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("console.js")).into_response()
}
