//! The SMS inbox of development mode.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use crate::bank::Bank;
use crate::http::{escaped, respond};
use crate::sms::Sms;

const HEAD: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="2">
<title>SMS inbox</title><style>
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:36rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.25rem}p.note{opacity:.7}ol{list-style:none;padding:0}
li{border:1px solid color-mix(in srgb,currentColor 20%,transparent);border-radius:.75rem;padding:1rem;margin:.75rem 0}
.code{font:600 1.75rem/1.2 ui-monospace,monospace;letter-spacing:.2em;display:block;margin:.25rem 0}
.from{opacity:.7;font-size:.875rem}</style></head><body><h1>SMS inbox</h1>
<p class="note">Development only. What a customer's phone would show, newest first.</p><ol>"#;

pub(crate) fn routes() -> Router<Arc<Bank>> {
    Router::new()
        .route("/dev/sms", get(page))
        .route("/dev/sms.json", get(json))
}

async fn json(State(bank): State<Arc<Bank>>) -> Response {
    let body = serde_json::to_vec(&all(&bank)).unwrap_or_default();
    respond(200, "application/json", body, None)
}

async fn page(State(bank): State<Arc<Bank>>) -> Response {
    let mut html = String::from(HEAD);
    let all = all(&bank);
    if all.is_empty() {
        html.push_str("<li>No message yet.</li>");
    }
    for sms in all {
        let Sms {
            phone, code, text, ..
        } = sms;
        // Digits and the bank's own words: nothing here was typed by a stranger but the bank's name.
        let (phone, code, text) = (escaped(&phone), escaped(&code), escaped(&text));
        let item = write!(
            html,
            "<li><span class=\"from\">To {phone}</span><span class=\"code\">{code}</span>{text}</li>"
        );
        debug_assert!(item.is_ok(), "writing to a string can't fail");
    }
    html.push_str("</ol></body></html>");
    respond(200, "text/html; charset=utf-8", html.into_bytes(), None)
}

fn all(bank: &Bank) -> Vec<Sms> {
    bank.inbox
        .as_ref()
        .map(|inbox| inbox.all())
        .unwrap_or_default()
}
