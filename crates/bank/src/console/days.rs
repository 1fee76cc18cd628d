//! Reconciliation: days with their files, every invariant, the audit log's chain.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ledger::Phase;
use maud::{Markup, html};

use crate::check::{self, Report};
use crate::console::Desk;
use crate::console::guard::Seen;
use crate::console::page::{failed, figure, not_found, phase, whole};
use crate::console::words::{Language, yuan};
use crate::error::Problem;
use crate::reconcile::{Day, Reconciled, of_day};

const SHOWN: usize = 31;

pub(super) async fn page(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
) -> Response {
    let language = seen.language;
    let today = Day::of_ms(desk.bank.now_ms());
    let days = std::iter::successors(today, |day| day.before()).take(SHOWN);
    let body = html! {
        p { (language.say("A day of the bank is one of China (UTC+8). Its file never changes once the day is over.",
            "以北京时间（UTC+8）为一日。日终后文件不再变化。")) }
        ul.days data-testid="days" {
            @for day in days {
                li { a href={ "/days/" (day) } { (day) } }
            }
        }
    };
    whole(&seen, "/days", language.say("Days", "日对账"), &body)
}

async fn read(desk: &Desk, day: &str) -> Result<Option<Reconciled>, Problem> {
    let Ok(day) = day.parse::<Day>() else {
        return Ok(None);
    };
    let _one = desk.reading.acquire().await.map_err(Problem::internal)?;
    let mut conn = desk.bank.store.snapshot().await?;
    of_day(&mut conn, day, desk.bank.now_ms()).await.map(Some)
}

pub(super) async fn day(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
    Path(day): Path<String>,
) -> Response {
    match read(&desk, &day).await {
        Ok(Some(done)) => whole(&seen, "/days", &day, &told(seen.language, &day, &done)),
        Ok(None) => not_found(seen.language),
        Err(error) => failed(seen.language, error),
    }
}

pub(super) async fn file(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
    Path(day): Path<String>,
) -> Response {
    match read(&desk, &day).await {
        Ok(Some(done)) => {
            let name = format!("attachment; filename=\"{day}.csv\"");
            let headers = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
                (header::CONTENT_DISPOSITION, name),
            ];
            (headers, done.csv).into_response()
        }
        Ok(None) => not_found(seen.language),
        Err(error) => failed(seen.language, error),
    }
}

fn told(language: Language, day: &str, done: &Reconciled) -> Markup {
    let (before, after) = done.in_transit;
    html! {
        p data-testid="agrees" class=(if done.agrees { "done" } else { "problem" }) {
            @if done.agrees { (language.say("The day adds up.", "当日账目相符。")) }
            @else { (language.say("The day does not add up: stop the bank and look.", "当日账目不符：请停机核查。")) }
            @if !done.complete { " " (language.say("It is not over yet.", "当日尚未结束。")) }
        }
        table.narrow data-testid="sums" {
            thead { tr {
                th { (language.say("State at the day's end", "日终状态")) }
                th.number { (language.say("Loads", "笔数")) }
                th.number { (language.say("Amount", "金额")) }
            } }
            tbody {
                @for it in Phase::ALL {
                    @if let Some((count, fen)) = done.sums.get(&it) {
                        tr { td { (phase(language, it.name())) } td.number { (count) } td.number { (yuan(*fen)) } }
                    }
                }
            }
        }
        table.narrow data-testid="moves" {
            thead { tr {
                th { (language.say("Money that moved", "资金变动")) }
                th.number { (language.say("Number", "笔数")) }
                th.number { (language.say("Amount", "金额")) }
            } }
            tbody {
                @for (kind, (count, fen)) in &done.moves {
                    tr { td { (language.transfer(kind)) } td.number { (count) } td.number { (yuan(*fen)) } }
                }
            }
        }
        p { (language.say("In transit", "在途资金")) ": " (yuan(before)) " → " strong { (yuan(after)) } }
        p { a.button href={ "/days/" (day) "/file" } data-testid="file" {
            (language.say("The day's file (CSV)", "下载对账文件（CSV）")) } }
    }
}

pub(super) async fn checks(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
) -> Response {
    let language = seen.language;
    let _one = desk.reading.acquire().await;
    match check::report(&desk.bank.store, &desk.bank.vault).await {
        Ok(report) => {
            let title = language.say("Checks", "账目核查");
            whole(&seen, "/checks", title, &findings(language, &report))
        }
        Err(error) => failed(language, error),
    }
}

fn findings(language: Language, report: &Report) -> Markup {
    let money = &report.money;
    html! {
        @if report.findings.is_empty() {
            p.done data-testid="findings" {
                (language.say("Every rule holds, and the audit log's chain is whole.", "全部规则成立，审计链完整。"))
            }
        } @else {
            p.problem role="alert" { (language.say("Stop the bank and keep its folder:", "请停机并保留数据目录：")) }
            ul data-testid="findings" {
                @for finding in &report.findings { li { strong { (finding.rule) } " " (finding.place) } }
            }
        }
        section.figures {
            (figure("customers", language.say("Customers' accounts", "客户账户"), &yuan(money.customers), ""))
            (figure("queues", language.say("Paid for queues", "批次待充资金"), &yuan(money.queues), ""))
            (figure("in-transit", language.say("In transit", "在途资金"), &yuan(money.in_transit), ""))
            (figure("card-float", language.say("On cards", "卡内资金"), &yuan(money.card_float), ""))
            (figure("written-off", language.say("Written off", "已核销"), &yuan(money.written_off), ""))
            (figure("open", language.say("Open loads", "未完成充值"), &report.open_loads.to_string(), ""))
        }
    }
}
