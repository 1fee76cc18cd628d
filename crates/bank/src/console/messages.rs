//! SMS and what became of them. Whose they were is not told.

use maud::{Markup, html};

use crate::console::page::figure;
use crate::console::words::{Language, at};
use crate::store::posting::{MessageLine, Outcomes};

/// How those of a day ended.
pub(super) fn figures(language: Language, outcomes: &[Outcomes]) -> Markup {
    let sum = |wanted: &[&str]| -> i64 {
        let these = outcomes.iter();
        let these = these.filter(|(outcome, _, _)| wanted.contains(&outcome.as_str()));
        these.map(|(_, _, count)| count).sum()
    };
    let receipts = |wanted: &str| -> i64 {
        let these = outcomes.iter();
        let these = these.filter(|(_, receipt, _)| receipt.as_deref() == Some(wanted));
        these.map(|(_, _, count)| count).sum()
    };
    let arrived = format!(
        "{} {}, {} {}",
        receipts("arrived"),
        language.say("arrived", "已送达"),
        receipts("failed"),
        language.say("did not", "未送达"),
    );
    let taken = sum(&["accepted", "delivered"]).to_string();
    let failed = sum(&["refused", "unanswered", "no-sender"]).to_string();
    html! {
        (figure("sms-accepted", language.say("Taken by the sender", "通道已接收"), &taken, &arrived))
        (figure("sms-failed", language.say("Failed", "发送失败"), &failed, ""))
        (figure("sms-given-up", language.say("Given up: the code was too old", "已放弃（验证码过期）"), &sum(&["given-up"]).to_string(), ""))
    }
}

pub(super) fn table(language: Language, messages: &[MessageLine]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(language.say("Messages", "短信")) {
            table data-testid="messages" {
                thead { tr {
                    th { (language.say("Made", "生成时间")) }
                    th { (language.say("State", "状态")) }
                    th.number { (language.say("Tries", "尝试次数")) }
                    th { (language.say("Ended", "结束时间")) }
                    th { (language.say("Receipt", "送达回执")) }
                } }
                tbody {
                    @for it in messages {
                        tr {
                            td { (at(it.created_ms)) }
                            td { (state(language, it)) }
                            td.number { (it.tries) }
                            td { @if let Some(ended) = it.delivered_ms { (at(ended)) } }
                            td { @if let Some(receipt) = &it.receipt {
                                (arrival(language, receipt))
                                @if let Some(told) = it.receipt_ms { " " (at(told)) }
                            } }
                        }
                    }
                }
            }
        }
    }
}

fn state(language: Language, message: &MessageLine) -> &'static str {
    let Some(outcome) = &message.outcome else {
        return match (message.delivered_ms, message.tries) {
            // Of an earlier release, which did not tell.
            (Some(_), _) => language.say("over", "已结束"),
            (None, 0) => language.say("waits", "待发送"),
            (None, _) => language.say("is tried again", "重试中"),
        };
    };
    match outcome.as_str() {
        "accepted" => language.say("taken by the sender", "通道已接收"),
        "delivered" => language.say("in the inbox of development", "已到开发收件箱"),
        "refused" => language.say("refused by the sender", "通道拒绝"),
        "unanswered" => language.say("never answered, perhaps sent", "通道无应答，可能已发出"),
        "given-up" => language.say("given up: the code was too old", "已放弃（验证码过期）"),
        "not-on-file" => language.say("not sent: not on file", "未发送：号码不符"),
        "no-sender" => language.say("not sent: there is no sender", "未发送：无通道"),
        _ => language.say("unknown", "未知"),
    }
}

fn arrival(language: Language, receipt: &str) -> &'static str {
    match receipt {
        "arrived" => language.say("arrived", "已送达"),
        _ => language.say("did not arrive", "未送达"),
    }
}
