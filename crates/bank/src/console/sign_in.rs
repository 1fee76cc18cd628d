//! In and out, and the choice of a language.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::html;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::console::Desk;
use crate::console::form::Fields;
use crate::console::guard::{SESSION, Seen, cookie};
use crate::console::page::{failed, moved, outside};
use crate::console::words::{COOKIE, Language};
use crate::error::Problem;
use crate::operators::{OperatorError, sign_in as checked};

const YEAR_S: u32 = 365 * 24 * 3_600;

pub(super) async fn page(headers: HeaderMap) -> Response {
    asked(Language::of(&headers), None)
}

pub(super) async fn sign_in(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let language = Language::of(&headers);
    let body = Zeroizing::new(body);
    let fields = Fields::read(&body);
    let now = Instant::now();
    if let Some(rate) = &desk.sign_ins {
        if rate.wait(&(), now).is_some() {
            return failed(language, Problem::busy());
        }
        rate.count(&(), now);
    }
    let password = Zeroizing::new(fields.whole("password").to_owned());
    let name = match checked(&desk.bank, fields.get("name"), &password).await {
        Ok(name) => name,
        Err(OperatorError::Refused { code, .. }) => return asked(language, Some(code)),
        Err(error @ OperatorError::Start(_)) => return failed(language, Problem::internal(error)),
    };
    match desk.sessions.begin(&name, desk.bank.now_ms()) {
        Ok(token) => {
            // An older session of this browser ends: its token may have been somebody else's.
            if let Some(old) = cookie(&headers, SESSION) {
                desk.sessions.end(&old);
            }
            let session = format!("{SESSION}={token}; Path=/; HttpOnly; SameSite=Strict");
            moved("/", &[session])
        }
        Err(error) => failed(language, error),
    }
}

fn asked(language: Language, refused: Option<&str>) -> Response {
    let why = refused.map(|code| match code {
        "operator-locked" => language.say(
            "Too many wrong passwords. A new password ends the lock (`bank operator`).",
            "密码错误次数过多。重新设置密码后解锁（bank operator）。",
        ),
        _ => language.say(
            "This is no operator of the bank, or not their password.",
            "操作员或密码不正确。",
        ),
    });
    let body = html! {
        @if let Some(why) = why { p.problem role="alert" data-testid="refused" { (why) } }
        form.stacked method="post" action="/sign-in" {
            label for="name" { (language.say("Name", "姓名")) }
            input id="name" name="name" autocomplete="username" autofocus required maxlength="32" data-testid="name";
            label for="password" { (language.say("Password", "密码")) }
            input id="password" name="password" type="password" autocomplete="current-password" required
                data-testid="password";
            button data-testid="sign-in" { (language.say("Sign in", "登录")) }
        }
    };
    let title = language.say("Sign in", "登录");
    let page = outside(language, title, &body);
    match refused {
        Some(_) => (StatusCode::FORBIDDEN, page).into_response(),
        None => page,
    }
}

pub(super) async fn sign_out(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if !seen.signed.made(Fields::read(&body).get("csrf")) {
        return (StatusCode::FORBIDDEN, "form\n").into_response();
    }
    if let Some(token) = cookie(&headers, SESSION) {
        desk.sessions.end(&token);
    }
    let gone = format!("{SESSION}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    moved("/sign-in", &[gone])
}

pub(super) async fn language(RawQuery(query): RawQuery) -> Response {
    let fields = Fields::read(&query.unwrap_or_default());
    let language = Language::parse(fields.get("to")).unwrap_or_default();
    // A place of this page alone: two slashes would begin another host's address.
    let back = fields.get("back");
    let safe = back
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-".contains(&byte));
    let back = if safe && back.starts_with('/') && !back.starts_with("//") {
        back
    } else {
        "/"
    };
    let tag = language.tag();
    let chosen = format!("{COOKIE}={tag}; Path=/; SameSite=Strict; Max-Age={YEAR_S}");
    moved(back, &[chosen])
}
