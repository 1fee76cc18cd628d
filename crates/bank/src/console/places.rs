//! Terminals with their keys, and codes by SMS.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};

use crate::console::Desk;
use crate::console::form::Fields;
use crate::console::guard::Seen;
use crate::console::messages;
use crate::console::page::{failed, figure, whole};
use crate::console::words::{Language, at};
use crate::error::Problem;
use crate::store::console::{self, CodeLine, TerminalLine};
use crate::store::posting;

const MOST: i64 = 100;
const DAY_MS: u64 = 24 * 3_600_000;

pub(super) async fn terminals(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
    RawQuery(query): RawQuery,
) -> Response {
    let language = seen.language;
    let fields = Fields::read(&query.unwrap_or_default());
    let digits = fields.get("number").chars().filter(char::is_ascii_digit);
    let number: String = digits.take(12).collect();
    let read = async {
        let _one = desk.reading.acquire().await.map_err(Problem::internal)?;
        let mut conn = desk.bank.store.snapshot().await?;
        console::terminals(&mut conn, (&number, MOST)).await
    };
    match read.await {
        Ok(found) => {
            let now_ms = crate::store::signed(desk.bank.now_ms());
            let body = html! {
                form.search role="search" action="/terminals" {
                    label for="number" { (language.say("Number, or its beginning", "终端号或其开头")) }
                    input id="number" name="number" value=(number) inputmode="numeric" maxlength="12" data-testid="number";
                    button { (language.say("Find", "查找")) }
                }
                (terminal_table(language, &found, now_ms))
            };
            whole(
                &seen,
                "/terminals",
                language.say("Terminals", "终端"),
                &body,
            )
        }
        Err(error) => failed(language, error),
    }
}

fn terminal_table(language: Language, found: &[TerminalLine], now_ms: i64) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(language.say("Terminals", "终端")) {
            table data-testid="terminals" {
                thead { tr {
                    th { (language.say("Number", "终端号")) }
                    th { (language.say("State", "状态")) }
                    th { (language.say("Device", "设备")) }
                    th { (language.say("Suite (lowest)", "套件（最低）")) }
                    th { (language.say("Enrolled", "注册时间")) }
                    th { (language.say("Working key", "工作密钥")) }
                    th { (language.say("Key expires", "密钥到期")) }
                    th.number { (language.say("Messages", "报文数")) }
                    th { (language.say("Succeeds", "接替")) }
                } }
                tbody {
                    @for it in found {
                        tr {
                            td { (it.id) }
                            td { span class={ "phase " (it.state) } { (language.terminal(&it.state)) } }
                            td { (it.device) }
                            td { (it.suite) " (" (it.lowest_suite) ")" }
                            td { (at(it.enrolled_ms)) }
                            td { @if let Some(id) = it.key_id { "#" (id) } @else { "-" } }
                            td { @if let Some(expires) = it.expires_ms {
                                (at(expires))
                                @if expires <= now_ms { " " span.phase.declined { (language.say("expired", "已过期")) } }
                            } }
                            td.number { (it.highest.unwrap_or(0)) }
                            td { (it.previous.as_deref().unwrap_or("")) }
                        }
                    }
                }
            }
        }
    }
}

pub(super) async fn sms(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
) -> Response {
    let language = seen.language;
    let since_ms = crate::store::signed(desk.bank.now_ms().saturating_sub(DAY_MS));
    let read = async {
        let _one = desk.reading.acquire().await.map_err(Problem::internal)?;
        let mut conn = desk.bank.store.snapshot().await?;
        let stored = console::counted(&mut conn).await?;
        let codes = console::codes(&mut conn, (since_ms, MOST)).await?;
        let outcomes = posting::outcomes(&mut conn, since_ms).await?;
        let sent = posting::messages(&mut conn, (since_ms, MOST)).await?;
        Ok::<_, Problem>((stored, codes, outcomes, sent))
    };
    match read.await {
        Ok((stored, codes, outcomes, sent)) => {
            let waits = stored.outbox.iter().find(|(kind, _)| kind == "sms");
            let (count, oldest) = waits.map_or((0, None), |(_, it)| (it.count, it.since_ms));
            let oldest = oldest.map(at).unwrap_or_default();
            let body = html! {
                section.figures {
                    (figure("sms-waiting", language.say("Not handed over yet", "待发送"), &count.to_string(), &oldest))
                    (figure("sms-asked", language.say("Asked for in 24 hours", "24 小时内申请"), &codes.len().to_string(), ""))
                    (messages::figures(language, &outcomes))
                }
                (code_table(language, &codes))
                h2 { (language.say("On their way to phones", "发送情况")) }
                (messages::table(language, &sent))
            };
            whole(&seen, "/sms", language.say("SMS", "短信"), &body)
        }
        Err(error) => failed(language, error),
    }
}

fn code_table(language: Language, codes: &[CodeLine]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(language.say("Codes", "验证码")) {
            table data-testid="codes" {
                thead { tr {
                    th { (language.say("Last sent", "最近发送")) }
                    th { (language.say("Card", "卡")) }
                    th { (language.say("State", "状态")) }
                    th.number { (language.say("Sent", "发送次数")) }
                    th.number { (language.say("Tries left", "剩余次数")) }
                    th { (language.say("Terminal", "终端")) }
                } }
                tbody {
                    @for code in codes {
                        tr {
                            td { (at(code.sent_ms)) }
                            td { (code.industry) " ···· " (code.card_tail) }
                            td { (code_state(language, code)) }
                            td.number { (code.sends) }
                            td.number { (code.tries_left) }
                            td { (code.terminal) }
                        }
                    }
                }
            }
        }
    }
}

fn code_state(language: Language, code: &CodeLine) -> &'static str {
    if code.spent_ms.is_some() {
        language.say("used for a load", "已用于充值")
    } else if code.verified_ms.is_some() {
        language.say("right, not used yet", "已验证，未使用")
    } else if code.card.is_none() {
        language.say(
            "number and card are not on file together",
            "手机号与卡不匹配，未发送",
        )
    } else if code.tries_left == 0 {
        language.say("locked", "已锁定")
    } else {
        language.say("sent, waits", "已发送，等待输入")
    }
}
