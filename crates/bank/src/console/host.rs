//! What the core banking host was asked for, and what waits there.

use maud::{Markup, html};

use crate::console::page::figure;
use crate::console::today::oldest;
use crate::console::words::{Language, at, yuan};
use crate::error::Problem;
use crate::metrics::Waits;
use crate::store::Conn;
use crate::store::corebank::{self, AtHost, Pending};

/// Of the oldest, on today's page.
const MOST: i64 = 20;

/// Of a bank whose customers' money is at a host.
pub(super) struct Waiting {
    is_up: bool,
    asked: Waits,
    owed: Waits,
    oldest: Vec<Pending>,
}

pub(super) async fn waiting(conn: &mut Conn, is_up: bool) -> Result<Waiting, Problem> {
    Ok(Waiting {
        is_up,
        asked: corebank::waits(conn, "asked").await?,
        owed: corebank::waits(conn, "reverse").await?,
        oldest: corebank::pending(conn, MOST).await?,
    })
}

/// Beside today's other figures.
pub(super) fn figures(language: Language, waiting: &Waiting, now_ms: i64) -> Markup {
    let line = match waiting.is_up {
        true => language.say("signed on", "已签到"),
        false => language.say("no line", "线路中断"),
    };
    let told = |id, label, waits: &Waits| {
        figure(
            id,
            label,
            &yuan(waits.amount),
            &oldest(language, waits, now_ms),
        )
    };
    html! {
        (figure("core-line", language.say("Core banking host", "核心系统"), line, ""))
        (told("core-asked", language.say("Asked, no answer yet", "已询问待应答"), &waiting.asked))
        (told("core-owed", language.say("Reversals owed", "待冲正"), &waiting.owed))
    }
}

/// The oldest of what waits; nothing when nothing does.
pub(super) fn table(language: Language, waiting: &Waiting) -> Markup {
    if waiting.oldest.is_empty() {
        return html! {};
    }
    let title = language.say("What waits at the core banking host", "核心系统待处理");
    html! {
        section.panel {
            h2 { (title) }
            div.scroll tabindex="0" role="region" aria-label=(title) {
                table data-testid="core-waiting" {
                    thead { tr {
                        th { (language.say("Reference", "参考号")) }
                        th { (language.say("State", "状态")) }
                        th.number { (language.say("Amount", "金额")) }
                        th { (language.say("Since", "开始时间")) }
                        th { (language.say("Answer to the load", "充值应答码")) }
                        th.number { (language.say("Reversals sent", "已发冲正")) }
                        th { (language.say("Answer to them", "冲正应答码")) }
                    } }
                    tbody {
                        @for it in &waiting.oldest {
                            tr {
                                td { a href={ "/loads/" (it.reference) } { (it.reference) } }
                                td { (state(language, &it.state)) }
                                td.number { (yuan(it.amount)) }
                                td { (at(it.since_ms)) }
                                td { (code(language, it.response.as_deref())) }
                                td.number { (it.reversals) }
                                td { (code(language, it.reversal_response.as_deref())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// On a load's own page.
pub(super) fn of_load(language: Language, it: &AtHost) -> Markup {
    html! {
        section.panel {
            h2 { (language.say("At the core banking host", "核心系统")) }
            dl.facts {
                div { dt { (language.say("State", "状态")) }
                    dd data-testid="core-state" { (state(language, &it.state)) } }
                div { dt { (language.say("Since", "开始时间")) } dd { (at(it.since_ms)) } }
                div { dt { (language.say("Asked for", "询问时间")) } dd { (at(it.asked_ms)) } }
                div { dt { (language.say("Its number there (field 37)", "检索参考号（37 域）")) }
                    dd data-testid="core-rrn" { (it.rrn) } }
                div { dt { (language.say("Answer (field 39)", "应答码（39 域）")) }
                    dd data-testid="core-response" { (code(language, it.response.as_deref())) } }
                @if let Some(approval) = &it.approval {
                    div { dt { (language.say("Approval (field 38)", "授权码（38 域）")) } dd { (approval) } }
                }
                @if it.reversals > 0 {
                    div { dt { (language.say("Reversals sent", "已发冲正")) }
                        dd data-testid="core-reversals" { (it.reversals) } }
                    div { dt { (language.say("Answer to them", "冲正应答码")) }
                        dd data-testid="core-reversal-response" {
                            (code(language, it.reversal_response.as_deref())) } }
                }
                @if it.state == "reverse" {
                    div { dt { (language.say("Sent again", "下次发送")) } dd { (at(it.next_ms)) } }
                }
            }
        }
    }
}

fn state(language: Language, state: &str) -> &'static str {
    match state {
        "asked" => language.say("asked, no answer yet", "已询问待应答"),
        "booked" => language.say("booked", "已记账"),
        "declined" => language.say("refused", "被拒绝"),
        "reverse" => language.say("a reversal is owed", "待冲正"),
        "reversed" => language.say("taken back", "已冲正"),
        _ => language.say("unknown", "未知"),
    }
}

/// A code as the host gave it, with its meaning where this bank acts by it (`corebank::message`).
fn code(language: Language, code: Option<&str>) -> String {
    let Some(code) = code else {
        return language.say("none", "无").to_owned();
    };
    let meaning = match code {
        "00" => language.say("approved", "成功"),
        "25" => language.say("no record", "无原交易"),
        "51" => language.say("funds short", "余额不足"),
        "94" => language.say("a repetition", "重复交易"),
        _ => return code.to_owned(),
    };
    format!("{code} {meaning}")
}
