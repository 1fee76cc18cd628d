//! What is going on: figures that change by themselves, and the last day and fortnight as bars.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use crate::console::chart::{Bar, bars};
use crate::console::guard::Seen;
use crate::console::page::{failed, figure, whole};
use crate::console::words::{Language, at, yuan};
use crate::console::{Desk, host};
use crate::error::Problem;
use crate::metrics::{Stored, Waits};
use crate::store::console::{Column, columns, counted};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const OFFSET_MS: i64 = 8 * HOUR_MS;

struct Figures {
    now_ms: i64,
    stored: Stored,
    hours: Vec<Column>,
    days: Vec<Column>,
    hours_from_ms: i64,
    days_from_ms: i64,
    /// None when customers' money is in this bank's own ledger.
    host: Option<host::Waiting>,
    in_work: usize,
    connections: usize,
}

pub(super) async fn page(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
) -> Response {
    let language = seen.language;
    match figures(&desk).await {
        Ok(figures) => {
            let body = html! {
                div id="figures" data-live="/figures" aria-live="off" { (shown(language, &figures)) }
            };
            whole(&seen, "/", language.say("Today", "今日"), &body)
        }
        Err(error) => failed(language, error),
    }
}

/// The part of the page that changes.
pub(super) async fn fragment(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
) -> Response {
    match figures(&desk).await {
        Ok(figures) => Html(shown(seen.language, &figures).into_string()).into_response(),
        Err(error) => failed(seen.language, error),
    }
}

async fn figures(desk: &Desk) -> Result<Figures, Problem> {
    let _one = desk.reading.acquire().await.map_err(Problem::internal)?;
    let mut conn = desk.bank.store.snapshot().await?;
    let now_ms = crate::store::signed(desk.bank.now_ms());
    let hours_from_ms = now_ms - now_ms.rem_euclid(HOUR_MS) - 23 * HOUR_MS;
    let today_ms = now_ms - (now_ms + OFFSET_MS).rem_euclid(DAY_MS);
    let days_from_ms = today_ms - 13 * DAY_MS;
    let host = match desk.bank.core.host() {
        Some(asked) => Some(host::waiting(&mut conn, asked.is_up()).await?),
        None => None,
    };
    Ok(Figures {
        now_ms,
        stored: counted(&mut conn).await?,
        hours: columns(&mut conn, (hours_from_ms, HOUR_MS)).await?,
        days: columns(&mut conn, (days_from_ms, DAY_MS)).await?,
        hours_from_ms,
        days_from_ms,
        host,
        in_work: desk.bank.admission.in_work(),
        connections: desk.bank.crowd.connections(),
    })
}

fn shown(language: Language, figures: &Figures) -> Markup {
    let today: Vec<&Column> = figures.days.iter().filter(|it| it.step == 13).collect();
    let of = |phase: &str| {
        let found = today.iter().find(|it| it.phase == phase);
        found.map_or((0, 0), |it| (it.count, it.amount))
    };
    let (confirmed, loaded) = of("confirmed");
    let (declined, _) = of("declined");
    let loads = |count: i64| match language {
        Language::English if count == 1 => "1 load".to_owned(),
        Language::English => format!("{count} loads"),
        Language::Chinese => format!("{count} 笔"),
    };
    let sms = figures.stored.outbox.iter().find(|(kind, _)| kind == "sms");
    let sms = sms.map_or(0, |(_, waits)| waits.count);
    let incidents: i64 = figures
        .stored
        .incidents
        .iter()
        .map(|(_, count)| count)
        .sum();
    html! {
        section.figures aria-label=(language.say("Figures", "数字")) {
            (figure("loaded", language.say("On cards today", "今日到卡"), &yuan(loaded), &loads(confirmed)))
            (figure("declined", language.say("Declined today", "今日拒绝"), &loads(declined), ""))
            @for phase in ["issued", "in-doubt", "manual"] {
                @let waits = waits(&figures.stored, phase);
                (figure(phase, language.phase(phase), &yuan(waits.amount), &oldest(language, &waits, figures.now_ms)))
            }
            @if let Some(host) = &figures.host { (host::figures(language, host, figures.now_ms)) }
            (figure("sms-waiting", language.say("SMS to be sent", "待发短信"), &sms.to_string(), ""))
            (figure("incidents", language.say("Incidents", "异常事件"), &incidents.to_string(), ""))
            (figure("in-work", language.say("Requests in work", "处理中的请求"), &figures.in_work.to_string(),
                &format!("{} {}", figures.connections, language.say("connections", "个连接"))))
        }
        @if let Some(host) = &figures.host { (host::table(language, host)) }
        div.charts {
            section.panel {
                h2 { (language.say("Loads by hour", "每小时充值笔数")) }
                (bars("by-hour", language.say("Number of loads in each of the last 24 hours", "最近 24 小时每小时的充值笔数"),
                    &by_hour(language, figures)))
                (legend(language))
            }
            section.panel {
                h2 { (language.say("Onto cards by day, yuan", "每日到卡金额（元）")) }
                (bars("by-day", language.say("Yuan loaded onto cards on each of the last 14 days", "最近 14 天每日到卡金额"),
                    &by_day(language, figures)))
            }
        }
        p.note { (language.say("As of", "截至")) " " time data-testid="as-of" { (at(figures.now_ms)) } }
    }
}

fn waits(stored: &Stored, phase: &str) -> Waits {
    let found = stored.open.iter().find(|(name, _)| *name == phase);
    found.map(|(_, waits)| waits.clone()).unwrap_or_default()
}

pub(super) fn oldest(language: Language, waits: &Waits, now_ms: i64) -> String {
    let Some(since_ms) = waits.since_ms.filter(|_| waits.count > 0) else {
        return language.say("none", "无").to_owned();
    };
    let minutes = (now_ms - since_ms).max(0) / 60_000;
    let (count, hours, days) = (waits.count, minutes / 60, minutes / 1_440);
    match language {
        Language::English if days > 0 => format!("{count}, the oldest {days} d"),
        Language::English if hours > 0 => format!("{count}, the oldest {hours} h"),
        Language::English => format!("{count}, the oldest {minutes} min"),
        Language::Chinese if days > 0 => format!("{count} 笔，最早 {days} 天前"),
        Language::Chinese if hours > 0 => format!("{count} 笔，最早 {hours} 小时前"),
        Language::Chinese => format!("{count} 笔，最早 {minutes} 分钟前"),
    }
}

/// The groups that a bar of loads is made of, from the ground up.
const GROUPS: [(&str, &[&str]); 3] = [
    ("confirmed", &["confirmed"]),
    ("waits", &["issued", "in-doubt", "manual"]),
    ("failed", &["declined", "reversed", "voided", "written-off"]),
];

fn group(language: Language, name: &str) -> &'static str {
    match name {
        "confirmed" => language.say("on the card", "已到卡"),
        "waits" => language.say("open", "未完成"),
        _ => language.say("no load", "未充值"),
    }
}

fn legend(language: Language) -> Markup {
    html! {
        ul.legend {
            @for (name, _) in GROUPS { li { span class={ "key " (name) } {} (group(language, name)) } }
        }
    }
}

fn by_hour(language: Language, figures: &Figures) -> Vec<Bar> {
    let bar = |step: i64| {
        let begins = at(figures.hours_from_ms + step * HOUR_MS);
        let hour = begins.get(11..13).unwrap_or_default().to_owned();
        let parts: Vec<(&'static str, i64)> = GROUPS
            .into_iter()
            .map(|(name, phases)| {
                let fits = |it: &&Column| it.step == step && phases.contains(&it.phase.as_str());
                let count = figures.hours.iter().filter(fits).map(|it| it.count).sum();
                (name, count)
            })
            .collect();
        let told = parts.iter().filter(|(_, count)| *count > 0);
        let told: Vec<String> = { told }
            .map(|(name, count)| format!("{} {count}", group(language, name)))
            .collect();
        Bar {
            told: format!("{hour}:00  {}", told.join(", ")),
            under: if step % 3 == 2 { hour } else { String::new() },
            parts,
        }
    };
    (0..24).map(bar).collect()
}

fn by_day(language: Language, figures: &Figures) -> Vec<Bar> {
    let bar = |step: i64| {
        let begins = at(figures.days_from_ms + step * DAY_MS);
        let fits = |it: &&Column| it.step == step && it.phase == "confirmed";
        let amount: i64 = figures.days.iter().filter(fits).map(|it| it.amount).sum();
        let day = begins.get(5..10).unwrap_or_default();
        Bar {
            told: format!("{day}  {} {}", yuan(amount), group(language, "confirmed")),
            under: if step % 2 == 1 {
                day.to_owned()
            } else {
                String::new()
            },
            parts: vec![("confirmed", amount / 100)],
        }
    };
    (0..14).map(bar).collect()
}
