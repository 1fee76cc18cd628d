//! Loads: found by reference or by the last digits of a card.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use maud::{Markup, html};

use crate::console::Desk;
use crate::console::form::Fields;
use crate::console::guard::Seen;
use crate::console::page::{failed, phase, whole};
use crate::console::words::{Language, at, yuan};
use crate::error::Problem;
use crate::store::console::{Line, Wanted, lines};

const MOST: i64 = 50;

pub(super) async fn page(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
    RawQuery(query): RawQuery,
) -> Response {
    let language = seen.language;
    let fields = Fields::read(&query.unwrap_or_default());
    let found = match wanted(&fields) {
        Some(wanted) => read(&desk, &wanted).await,
        None => Ok(Vec::new()),
    };
    match found {
        Ok(found) => {
            let body = html! { (search(language, &fields)) (list(language, &fields, &found)) };
            whole(&seen, "/loads", language.say("Loads", "充值"), &body)
        }
        Err(error) => failed(language, error),
    }
}

async fn read(desk: &Desk, wanted: &Wanted) -> Result<Vec<Line>, Problem> {
    let _one = desk.reading.acquire().await.map_err(Problem::internal)?;
    let mut conn = desk.bank.store.snapshot().await?;
    lines(&mut conn, wanted).await
}

/// None when what was typed is neither a reference nor the last four digits of a card.
fn wanted(fields: &Fields) -> Option<Wanted> {
    let find = fields.get("find").to_ascii_uppercase();
    let phase = fields.get("phase");
    let known = ledger::Phase::ALL.iter().any(|it| it.name() == phase);
    let mut wanted = Wanted {
        phase: if known {
            phase.to_owned()
        } else {
            String::new()
        },
        before_ms: fields.get("before").parse().unwrap_or(i64::MAX),
        most: MOST,
        ..Wanted::default()
    };
    let plain = find
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if find.starts_with("TF-") && plain && find.len() <= 16 {
        wanted.reference = find;
    } else if plain && find.len() == 4 {
        wanted.tail = find;
    } else if !find.is_empty() {
        return None;
    }
    Some(wanted)
}

fn search(language: Language, fields: &Fields) -> Markup {
    let phases = ledger::Phase::ALL.into_iter().map(ledger::Phase::name);
    html! {
        form.search role="search" action="/loads" {
            label for="find" { (language.say("Reference, or the card's last four digits", "参考号，或卡号后四位")) }
            input id="find" name="find" value=(fields.get("find")) maxlength="16" autocomplete="off" data-testid="find";
            label for="phase" { (language.say("State", "状态")) }
            select id="phase" name="phase" data-testid="phase" {
                option value="" { (language.say("any", "全部")) }
                @for name in phases {
                    option value=(name) selected[fields.get("phase") == name] { (language.phase(name)) }
                }
            }
            button data-testid="search" { (language.say("Find", "查找")) }
        }
    }
}

fn list(language: Language, fields: &Fields, found: &[Line]) -> Markup {
    let more = found
        .last()
        .filter(|_| i64::try_from(found.len()) == Ok(MOST));
    html! {
        @if found.is_empty() {
            p.empty data-testid="none" { (language.say("No load fits this.", "没有符合条件的充值。")) }
        } @else {
            div.scroll tabindex="0" role="region" aria-label=(language.say("Loads", "充值")) {
                table data-testid="loads" {
                    thead { tr {
                        th { (language.say("Reference", "参考号")) }
                        th { (language.say("State", "状态")) }
                        th.number { (language.say("Amount", "金额")) }
                        th { (language.say("Card", "卡")) }
                        th { (language.say("What", "类型")) }
                        th { (language.say("Terminal", "终端")) }
                        th { (language.say("Since", "时间")) }
                    } }
                    tbody {
                        @for line in found {
                            tr {
                                td { a href={ "/loads/" (line.reference) } { (line.reference) } }
                                td { (phase(language, &line.phase)) }
                                td.number { (yuan(line.amount)) }
                                td { (line.industry) " ···· " (line.tail) }
                                td { (language.kind(&line.kind)) }
                                td { (line.terminal) }
                                td { (at(line.changed_ms)) }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(last) = more {
            p { a data-testid="older" href={ "/loads?find=" (fields.get("find")) "&phase=" (fields.get("phase"))
                "&before=" (last.changed_ms) } { (language.say("Older ones", "更早的")) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_for_a_reference_a_tail_or_everything() {
        let of = |text: &str| wanted(&Fields::read(&format!("find={text}")));
        assert_eq!(of("tf-7k2m-9vqx").unwrap().reference, "TF-7K2M-9VQX");
        assert_eq!(of("+4471+").unwrap().tail, "4471");
        let all = of("").unwrap();
        assert!(all.reference.is_empty() && all.tail.is_empty());
        assert!(
            of("00006217000000004471").is_none(),
            "a whole number finds nothing"
        );
        assert!(of("44%25").is_none());
    }
}
