//! What an operator signs about a load.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use zeroize::Zeroizing;

use crate::console::form::Fields;
use crate::console::guard::Seen;
use crate::console::page::failed;
use crate::console::words::Language;
use crate::console::{Desk, load};
use crate::error::Problem;
use crate::operators::{Act, Acted, OperatorError, Signature, act_on};

pub(super) async fn decide(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
    body: String,
) -> Response {
    let body = Zeroizing::new(body);
    let fields = Fields::read(&body);
    if !seen.signed.made(fields.get("csrf")) {
        return (StatusCode::FORBIDDEN, "form\n").into_response();
    }
    let act = match fields.get("as") {
        "lost-card" => Ok(Act::LostCard),
        word => Act::parse(word),
    };
    let Ok(act) = act else {
        return (StatusCode::BAD_REQUEST, "as\n").into_response();
    };
    let signature = Signature {
        operator: seen.signed.operator.clone(),
        password: Zeroizing::new(fields.whole("password").to_owned()),
        evidence: fields.get("evidence").to_owned(),
    };
    let language = seen.language;
    match act_on(&desk.bank, &reference, act, &signature).await {
        Ok(acted) => {
            let said =
                html! { p.done role="status" data-testid="said" { (done(language, acted)) } };
            load::shown(&desk, &seen, &reference, Some(&said)).await
        }
        Err(OperatorError::Refused { code, .. }) => {
            let said = refused(language, code);
            let page = load::shown(&desk, &seen, &reference, Some(&said)).await;
            (StatusCode::CONFLICT, page).into_response()
        }
        Err(error @ OperatorError::Start(_)) => failed(language, Problem::internal(error)),
    }
}

fn done(language: Language, acted: Acted) -> &'static str {
    match acted {
        Acted::Proposed => language.say(
            "Kept. A different operator has to propose the same.",
            "已记录，须另一名操作员提出相同处理。",
        ),
        Acted::Disagreed => language.say(
            "Kept. Another operator proposed something else: nothing moves before two agree.",
            "已记录。另一名操作员的提议不同：两人一致之前不移动资金。",
        ),
        Acted::Decided => language.say("Two operators agreed: carried out.", "两人一致，已执行。"),
        Acted::TakenOver => language.say(
            "The load waits for two operators now.",
            "该笔充值现由两名操作员处理。",
        ),
    }
}

pub(super) fn refused(language: Language, code: &str) -> Markup {
    let why = match code {
        "operator-refused" => language.say("The password is wrong.", "密码不正确。"),
        "operator-locked" => language.say(
            "Too many wrong passwords: locked.",
            "密码错误次数过多，已锁定。",
        ),
        "operator-again" => language.say(
            "You have said so already: it takes another operator.",
            "您已提出，须由另一名操作员确认。",
        ),
        "operator-viewer" => language.say("You may look, not decide.", "您只有查看权限。"),
        "load-not-manual" => language.say(
            "The load has moved on: nothing is decided by people here now.",
            "该笔充值状态已变，现无需人工处理。",
        ),
        "queue-closed" => language.say("It is closed already.", "该批次已结束。"),
        "evidence-missing" => language.say("Say what you saw.", "请填写依据。"),
        "evidence-long" => language.say("That is too long.", "依据过长。"),
        "evidence-number" => language.say(
            "No full numbers, please: the last four digits are enough.",
            "请勿填写完整号码，后四位即可。",
        ),
        _ => language.say("Not possible.", "无法完成。"),
    };
    html! { p.problem role="alert" data-testid="said" { (why) } }
}
