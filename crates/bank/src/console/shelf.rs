//! The industry packages that are served, and the limits of each industry.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use relay::Operation;

use crate::console::Desk;
use crate::console::guard::Seen;
use crate::console::page::whole;
use crate::console::words::{Language, yuan};

pub(super) async fn page(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
) -> Response {
    let language = seen.language;
    let body = html! { (packages(language, &desk)) (limits(language, &desk)) };
    let title = language.say("Packages and limits", "行业包与限额");
    whole(&seen, "/packages", title, &body)
}

fn packages(language: Language, desk: &Desk) -> Markup {
    let signer = hex::encode(desk.bank.packages.signer);
    html! {
        div.scroll tabindex="0" role="region" aria-label=(language.say("Packages", "行业包")) {
            table data-testid="packages" {
                thead { tr {
                    th { (language.say("Industry", "行业")) }
                    th { (language.say("Name", "名称")) }
                    th.number { (language.say("Version", "版本")) }
                    th { (language.say("Operations", "交易")) }
                    th.number { (language.say("One load", "单笔限额")) }
                    th.number { (language.say("On the card", "余额上限")) }
                } }
                tbody {
                    @for served in desk.bank.packages.served.values() {
                        @let settings = desk.bank.industry(&served.industry);
                        tr {
                            td { (served.industry) }
                            td { (match language {
                                Language::Chinese => &served.package.name().zh_cn,
                                Language::English => &served.package.name().en,
                            }) }
                            td.number { (served.version) }
                            td { @for (at, operation) in served.package.operations().enumerate() {
                                @if at > 0 { ", " } (operation_name(language, operation))
                            } }
                            @if let Some(it) = settings {
                                td.number { (yuan(it.min_amount.into())) " – " (yuan(it.max_amount.into())) }
                                td.number { (yuan(it.max_balance.into())) }
                            } @else {
                                td.number { (language.say("reads only", "只读")) }
                                td.number {}
                            }
                        }
                    }
                }
            }
        }
        p.note { (language.say("Signed by the key", "签名公钥")) " " code data-testid="signer" { (signer) } }
    }
}

fn limits(language: Language, desk: &Desk) -> Markup {
    let settings = &desk.bank.settings;
    let (sms, limits) = (&settings.sms, &settings.limits);
    let rows: [(&str, &str, u64); 12] = [
        (
            "Codes per number and hour",
            "每号码每小时验证码",
            sms.per_number_per_hour.into(),
        ),
        (
            "Codes per terminal and hour",
            "每终端每小时验证码",
            sms.per_terminal_per_hour.into(),
        ),
        (
            "Codes per address and hour",
            "每地址每小时验证码",
            sms.per_address_per_hour.into(),
        ),
        (
            "Codes per block of numbers and hour",
            "每号段每小时验证码",
            sms.per_prefix_per_hour.into(),
        ),
        ("Tries of one code", "单个验证码尝试次数", sms.tries.into()),
        (
            "Tries of a password",
            "密码尝试次数",
            settings.password.tries.into(),
        ),
        (
            "Requests in work at most",
            "并发请求上限",
            limits.concurrent_requests as u64,
        ),
        (
            "Connections at most",
            "连接数上限",
            limits.connections as u64,
        ),
        (
            "Requests per terminal and minute",
            "每终端每分钟请求",
            limits.requests_per_terminal_per_minute.into(),
        ),
        (
            "Enrolments per address and hour",
            "每地址每小时注册",
            limits.enrolments_per_address_per_hour.into(),
        ),
        (
            "Unknown cards per terminal and hour",
            "每终端每小时未知卡",
            limits.unknown_cards_per_terminal_per_hour.into(),
        ),
        (
            "Seconds until a silent load is in doubt",
            "无回应转待核实（秒）",
            limits.silence_s,
        ),
    ];
    html! {
        section.panel {
            h2 { (language.say("Limits of this bank", "本行限额")) }
            dl.facts data-testid="limits" {
                @for (english, chinese, value) in rows {
                    div { dt { (language.say(english, chinese)) } dd { (value) } }
                }
            }
        }
    }
}

fn operation_name(language: Language, operation: Operation) -> &'static str {
    match operation {
        Operation::Balance => language.say("balance", "查余额"),
        Operation::TopUp => language.say("top-up", "充值"),
        Operation::ReTopUp => language.say("re-top-up", "完成未到账充值"),
        Operation::Activation => language.say("activation", "激活"),
    }
}
