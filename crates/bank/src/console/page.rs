//! What all pages have around them.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::console::guard::Seen;
use crate::console::session::Role;
use crate::console::words::Language;
use crate::error::Problem;

/// Where one can go: address, English, Chinese.
const PLACES: [(&str, &str, &str); 8] = [
    ("/", "Today", "今日"),
    ("/loads", "Loads", "充值"),
    ("/queues", "Queues", "批量充值"),
    ("/days", "Days", "日对账"),
    ("/terminals", "Terminals", "终端"),
    ("/packages", "Packages and limits", "行业包与限额"),
    ("/sms", "SMS", "短信"),
    ("/checks", "Checks", "账目核查"),
];

/// A whole page for somebody who is signed in; `here` is its place in the menu.
pub(super) fn whole(seen: &Seen, here: &str, title: &str, body: &Markup) -> Response {
    let language = seen.language;
    let role = match seen.role {
        Role::Viewer => language.say("may look", "只读"),
        Role::Operator => language.say("operator", "操作员"),
    };
    let menu = html! {
        nav aria-label=(language.say("Places", "栏目")) {
            @for (path, english, chinese) in PLACES {
                a href=(path) aria-current=[(path == here).then_some("page")] {
                    (language.say(english, chinese))
                }
            }
        }
        form.who method="post" action="/sign-out" {
            input type="hidden" name="csrf" value=(seen.signed.csrf);
            span data-testid="who" { (seen.signed.operator) " · " (role) }
            button.quiet data-testid="sign-out" { (language.say("Sign out", "退出")) }
        }
    };
    framed(language, here, title, Some(&menu), body)
}

/// A page with nothing of the bank in it.
pub(super) fn outside(language: Language, title: &str, body: &Markup) -> Response {
    framed(language, "/sign-in", title, None, body)
}

fn framed(
    language: Language,
    here: &str,
    title: &str,
    menu: Option<&Markup>,
    body: &Markup,
) -> Response {
    let other = language.other();
    let page = html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Tapfill" }
                link rel="stylesheet" href="/console.css";
                script src="/console.js" defer {}
            }
            body {
                a.skip href="#main" { (language.say("To the content", "跳到正文")) }
                header {
                    p.brand { "Tapfill " span { (language.say("Console", "控制台")) } }
                    @if let Some(menu) = menu { (menu) }
                    a.language href={ "/language?to=" (other.tag()) "&back=" (here) } lang=(other.tag())
                        data-testid="language" { (other.say("English", "中文")) }
                }
                main id="main" {
                    h1 data-testid="title" { (title) }
                    (body)
                }
            }
        }
    };
    Html(page.into_string()).into_response()
}

/// A heading with a number under it; `id` is what tests know it by.
pub(super) fn figure(id: &str, label: &str, value: &str, note: &str) -> Markup {
    html! {
        div.figure {
            p.label { (label) }
            p.value data-testid=(id) { (value) }
            @if !note.is_empty() { p.note { (note) } }
        }
    }
}

/// A phase in its colour.
pub(super) fn phase(language: Language, phase: &str) -> Markup {
    html! { span class={ "phase " (phase) } { (language.phase(phase)) } }
}

/// The end of a form that an operator signs. Their name is for whatever fills passwords in, and is not sent.
pub(super) fn signature(seen: &Seen) -> Markup {
    let language = seen.language;
    html! {
        input type="text" autocomplete="username" value=(seen.signed.operator) readonly hidden;
        label for="password" { (language.say("Your password, as a signature", "以密码签署")) }
        input id="password" name="password" type="password" autocomplete="current-password" required
            data-testid="password";
        button data-testid="sign" { (language.say("Sign", "签署")) }
    }
}

/// A failure of the bank's, with the number under which it was logged.
pub(super) fn failed(language: Language, problem: Problem) -> Response {
    let busy = matches!(&problem, Problem::Refused { .. });
    let (status, json) = problem.answer();
    let told: serde_json::Value = serde_json::from_slice(&json).unwrap_or_default();
    let incident = told["params"]["incident"].as_str().unwrap_or_default();
    let body = html! {
        p.problem role="alert" {
            @if busy {
                (language.say("The bank is busy. Try again in a moment.", "系统繁忙，请稍后再试。"))
            } @else {
                (language.say("The bank could not do this. It is in its log as incident", "操作失败，日志中的事件号："))
                " " code { (incident) }
            }
        }
        p { a href="/" { (language.say("Back to today", "返回今日")) } }
    };
    let title = language.say("Not possible now", "暂时无法完成");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, outside(language, title, &body)).into_response()
}

pub(super) async fn missing(headers: HeaderMap) -> Response {
    not_found(Language::of(&headers))
}

pub(super) fn not_found(language: Language) -> Response {
    let body = html! {
        p { (language.say("There is nothing at this address.", "此地址没有内容。")) }
        p { a href="/" { (language.say("Back to today", "返回今日")) } }
    };
    let title = language.say("Not found", "未找到");
    (StatusCode::NOT_FOUND, outside(language, title, &body)).into_response()
}

/// To another address after a form, with cookies.
pub(super) fn moved(to: &str, cookies: &[String]) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response();
    for cookie in cookies {
        if let Ok(value) = cookie.parse() {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}
