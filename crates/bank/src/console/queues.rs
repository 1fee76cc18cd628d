//! Institutions' queues: found by their name or by a card's last digits; one queue with its items, and closing it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ledger::QueueId;
use maud::{Markup, html};
use zeroize::Zeroizing;

use crate::console::Desk;
use crate::console::act::refused;
use crate::console::form::Fields;
use crate::console::guard::Seen;
use crate::console::page::{failed, not_found, signature, whole};
use crate::console::words::{Language, at, yuan};
use crate::error::Problem;
use crate::operators::{OperatorError, Signature};
use crate::queues;
use crate::store::queue::{self, ItemLine, ItemState, QueueRow};
use crate::store::signed;

const MOST: i64 = 50;

type Known = (QueueRow, Vec<ItemLine>);

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
    RawQuery(query): RawQuery,
) -> Response {
    let language = seen.language;
    let fields = Fields::read(&query.unwrap_or_default());
    match read_list(&desk, &fields).await {
        Ok(found) => {
            let body = html! { (search(language, &fields)) (table(language, &fields, &found)) };
            whole(&seen, "/queues", language.say("Queues", "批量充值"), &body)
        }
        Err(error) => failed(language, error),
    }
}

async fn read_list(desk: &Desk, fields: &Fields) -> Result<Vec<Known>, Problem> {
    let Some(wanted) = wanted(fields.get("find")) else {
        return Ok(Vec::new());
    };
    let before_ms = fields.get("before").parse().unwrap_or(i64::MAX);
    let _one = desk.reading.acquire().await.map_err(Problem::internal)?;
    let mut conn = desk.bank.store.snapshot().await?;
    let mut found = Vec::new();
    for row in queue::newest(&mut conn, wanted, (before_ms, MOST)).await? {
        let items = queue::items(&mut conn, row.id).await?;
        found.push((row, items));
    }
    Ok(found)
}

/// How a queue's name begins, or a card's last four digits; none when it is neither.
fn wanted(find: &str) -> Option<(&str, &str)> {
    let hex = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
    match find.len() {
        4 if find.bytes().all(|it| it.is_ascii_alphanumeric()) => Some(("", find)),
        0 | 6..=32 if find.bytes().all(hex) => Some((find, "")),
        _ => None,
    }
}

fn search(language: Language, fields: &Fields) -> Markup {
    html! {
        form.search role="search" action="/queues" {
            label for="find" { (language.say("First six digits of its name, or a card's last four", "批次号前六位，或卡号后四位")) }
            input id="find" name="find" value=(fields.get("find")) maxlength="32" autocomplete="off" data-testid="find";
            button data-testid="search" { (language.say("Find", "查找")) }
        }
    }
}

fn table(language: Language, fields: &Fields, found: &[Known]) -> Markup {
    let more = found.last();
    let more = more.filter(|_| i64::try_from(found.len()) == Ok(MOST));
    html! {
        @if found.is_empty() {
            p.empty data-testid="none" { (language.say("No queue fits this.", "没有符合条件的批次。")) }
        } @else {
            div.scroll tabindex="0" role="region" aria-label=(language.say("Queues", "批量充值")) {
                table data-testid="queues" {
                    thead { tr {
                        th { (language.say("Name", "批次号")) }
                        th { (language.say("State", "状态")) }
                        th.number { (language.say("Cards", "卡数")) }
                        th.number { (language.say("Paid", "已付")) }
                        @for state in ItemState::ALL { th.number { (item_state(language, state)) } }
                        th { (language.say("Opened", "开始时间")) }
                    } }
                    tbody {
                        @for (row, items) in found {
                            tr {
                                td { a href={ "/queues/" (row.id) } { (short(row.id)) } }
                                td { (standing(language, row)) }
                                td.number { (row.cards) }
                                td.number { (yuan(row.total.into())) }
                                @for state in ItemState::ALL {
                                    td.number { (yuan(signed(queues::sum(items, &[state])))) }
                                }
                                td { (at(signed(row.opened_ms))) }
                            }
                        }
                    }
                }
            }
        }
        @if let Some((last, _)) = more {
            p { a data-testid="older" href={ "/queues?find=" (fields.get("find")) "&before=" (last.opened_ms) } {
                (language.say("Older ones", "更早的")) } }
        }
    }
}

pub(super) async fn page(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
    Path(id): Path<String>,
) -> Response {
    shown(&desk, &seen, &id, None).await
}

/// What an operator signs: closing it.
pub(super) async fn close(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
    Path(id): Path<String>,
    body: String,
) -> Response {
    let body = Zeroizing::new(body);
    let fields = Fields::read(&body);
    if !seen.signed.made(fields.get("csrf")) {
        return (StatusCode::FORBIDDEN, "form\n").into_response();
    }
    let signature = Signature {
        operator: seen.signed.operator.clone(),
        password: Zeroizing::new(fields.whole("password").to_owned()),
        evidence: fields.get("evidence").to_owned(),
    };
    let language = seen.language;
    match queues::close_by(&desk.bank, &id, &signature).await {
        Ok(()) => {
            let done = language.say("Closed: what waited is back.", "已结束，未充金额已退回。");
            let said = html! { p.done role="status" data-testid="said" { (done) } };
            shown(&desk, &seen, &id, Some(&said)).await
        }
        Err(OperatorError::Refused { code, .. }) => {
            let said = refused(language, code);
            let page = shown(&desk, &seen, &id, Some(&said)).await;
            (StatusCode::CONFLICT, page).into_response()
        }
        Err(error @ OperatorError::Start(_)) => failed(language, Problem::internal(error)),
    }
}

async fn shown(desk: &Desk, seen: &Seen, id: &str, said: Option<&Markup>) -> Response {
    let language = seen.language;
    match read(desk, id).await {
        Ok(Some((row, items))) => {
            let body = html! {
                @if let Some(said) = said { (said) }
                (summary(language, &row, &items))
                @if seen.decides() && row.is_open() { (act(seen, &row)) }
                (item_table(language, &items))
            };
            let title = format!("{} {}", language.say("Queue", "批次"), short(row.id));
            whole(seen, "/queues", &title, &body)
        }
        Ok(None) => not_found(language),
        Err(error) => failed(language, error),
    }
}

async fn read(desk: &Desk, id: &str) -> Result<Option<Known>, Problem> {
    let Ok(id) = id.parse::<QueueId>() else {
        return Ok(None);
    };
    let _one = desk.reading.acquire().await.map_err(Problem::internal)?;
    let mut conn = desk.bank.store.snapshot().await?;
    let Some(row) = queue::find(&mut conn, id).await? else {
        return Ok(None);
    };
    let items = queue::items(&mut conn, id).await?;
    Ok(Some((row, items)))
}

fn summary(language: Language, row: &QueueRow, items: &[ItemLine]) -> Markup {
    let ends = match row.closed_ms {
        Some(_) => language.say("Closed", "结束时间"),
        None => language.say("Closes by itself", "自动结束时间"),
    };
    html! {
        dl.facts {
            div { dt { (language.say("State", "状态")) } dd data-testid="state" { (standing(language, row)) } }
            div { dt { (language.say("Paid", "已付")) } dd data-testid="total" { (yuan(row.total.into())) } }
            @for state in ItemState::ALL {
                div { dt { (item_state(language, state)) }
                    dd data-testid=(state.name()) { (yuan(signed(queues::sum(items, &[state])))) } }
            }
            div { dt { (language.say("Industry", "行业")) } dd { (row.industry) } }
            div { dt { (language.say("Terminal", "终端")) } dd { (row.terminal) } }
            div { dt { (language.say("Opened", "开始时间")) } dd { (at(signed(row.opened_ms))) } }
            div { dt { (ends) } dd { (at(signed(row.closed_ms.unwrap_or(row.closes_ms)))) } }
            div { dt { (language.say("Name", "批次号")) } dd { code { (row.id) } } }
        }
    }
}

fn act(seen: &Seen, row: &QueueRow) -> Markup {
    let language = seen.language;
    html! {
        section.panel {
            h2 { (language.say("Close it", "提前结束")) }
            form.stacked method="post" action={ "/queues/" (row.id) } data-testid="act" {
                input type="hidden" name="csrf" value=(seen.signed.csrf);
                p { (language.say(
                    "What waits goes back to the account that paid. Open loads go on.",
                    "未充金额退回付款账户，未完成的充值照常了结。")) }
                label for="evidence" { (language.say("Why (no long numbers)", "原因（请勿填写完整号码）")) }
                textarea id="evidence" name="evidence" rows="3" maxlength="500" required data-testid="evidence" {}
                (signature(seen))
            }
        }
    }
}

fn item_table(language: Language, items: &[ItemLine]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(language.say("Cards", "卡片")) {
            table data-testid="items" {
                thead { tr {
                    th.number { (language.say("Place", "序号")) }
                    th { (language.say("Card", "卡")) }
                    th.number { (language.say("Amount", "金额")) }
                    th { (language.say("State", "状态")) }
                    th { (language.say("Load", "充值")) }
                    th { (language.say("Since", "时间")) }
                } }
                tbody {
                    @for item in items {
                        tr {
                            td.number { (item.place + 1) }
                            td { "···· " (item.tail) }
                            td.number { (yuan(item.amount.into())) }
                            td { span class={ "phase " (phase_of(item.state)) } { (item_state(language, item.state)) } }
                            td { @if let Some(reference) = &item.reference {
                                a href={ "/loads/" (reference) } { (reference) }
                            } }
                            td { (at(signed(item.changed_ms))) }
                        }
                    }
                }
            }
        }
    }
}

fn standing(language: Language, row: &QueueRow) -> &'static str {
    match row.is_open() {
        true => language.say("open", "进行中"),
        false => language.say("closed", "已结束"),
    }
}

fn item_state(language: Language, state: ItemState) -> &'static str {
    match state {
        ItemState::Waiting => language.say("waits for its card", "待充"),
        ItemState::Open => language.say("open", "未完成"),
        ItemState::Loaded => language.say("on the card", "已到卡"),
        ItemState::Returned => language.say("given back", "已退回"),
        ItemState::WrittenOff => language.say("written off", "已核销"),
    }
}

/// The phase of a load that has the same colour.
fn phase_of(state: ItemState) -> &'static str {
    match state {
        ItemState::Waiting => "issued",
        ItemState::Open => "in-doubt",
        ItemState::Loaded => "confirmed",
        ItemState::Returned => "reversed",
        ItemState::WrittenOff => "written-off",
    }
}

/// Enough of a queue's name for people.
fn short(id: QueueId) -> String {
    id.to_string().chars().take(6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_for_a_name_or_a_tail() {
        assert_eq!(wanted(""), Some(("", "")));
        assert_eq!(wanted("4471"), Some(("", "4471")));
        assert_eq!(wanted("a1b2c3"), Some(("a1b2c3", "")));
        for wrong in ["447", "a1b2%3", "00006217000000004471x", "A1B2C3"] {
            assert_eq!(wanted(wrong), None, "{wrong}");
        }
    }
}
