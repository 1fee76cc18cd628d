//! Who may ask: a browser on this machine, and in it somebody who is signed in.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use crate::console::Desk;
use crate::console::session::{Role, Signed};
use crate::console::words::Language;
use crate::store::console;

pub(super) const SESSION: &str = "tapfill-console";

/// No script, style or picture but the bank's own files, nothing in line, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Who asks for a page, and in which language.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) signed: Signed,
    pub(super) role: Role,
    pub(super) language: Language,
}

impl Seen {
    pub(super) fn decides(&self) -> bool {
        self.role == Role::Operator
    }
}

/// Refuses what was not meant for this address, and puts on every answer what keeps strangers out of the page.
pub(super) async fn from_here(
    State(desk): State<Arc<Desk>>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let host = text(headers, &header::HOST);
    let mut response = if !is_ours(&desk, host) {
        // A stranger's name that was pointed at this address must not read the page through somebody's browser.
        (StatusCode::MISDIRECTED_REQUEST, "host\n").into_response()
    } else if request.method() == Method::POST && !is_own_form(headers, host) {
        (StatusCode::FORBIDDEN, "origin\n").into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

pub(super) async fn signed_in(
    State(desk): State<Arc<Desk>>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let language = Language::of(headers);
    let token = cookie(headers, SESSION);
    let signed = token.and_then(|token| desk.sessions.find(&token, desk.bank.now_ms()));
    let Some(signed) = signed else {
        return Redirect::to("/sign-in").into_response();
    };
    // Whoever was removed is out at once, and a role that was taken away is gone.
    let role = async {
        let mut conn = desk.bank.store.read().await?;
        console::role(&mut conn, &signed.operator).await
    };
    let role = match role.await {
        Ok(role) => role,
        Err(error) => return super::page::failed(language, error),
    };
    let Some(role) = role else {
        return Redirect::to("/sign-in").into_response();
    };
    request.extensions_mut().insert(Seen {
        signed,
        role,
        language,
    });
    next.run(request).await
}

/// The value of one cookie.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter();
    let mut all = all
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    all.find_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then(|| value.to_owned())
    })
}

fn is_ours(desk: &Desk, host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let known = &desk.bank.settings.bank.console_hosts;
    ["localhost", "127.0.0.1", "[::1]"].contains(&name) || known.iter().any(|it| it == name)
}

/// A form of this page says so itself; a browser that says nothing of where it comes from has the session's own word.
fn is_own_form(headers: &HeaderMap, host: &str) -> bool {
    let origin = text(headers, &header::ORIGIN);
    let of = |scheme: &str| origin.strip_prefix(scheme) == Some(host);
    let site = headers.get("sec-fetch-site");
    let own_site = site.is_none_or(|site| site == "same-origin");
    own_site && (origin.is_empty() || of("http://") || of("https://"))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}
