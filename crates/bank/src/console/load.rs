//! One load: what is known of it, everything that happened to it, and what operators may do about it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};

use crate::console::guard::Seen;
use crate::console::page::{failed, not_found, phase, signature, whole};
use crate::console::words::{Language, at, yuan};
use crate::console::{Desk, host};
use crate::error::Problem;
use crate::store::console::{Event, Facts, Line, Wanted, events, facts, lines};
use crate::store::corebank::{AtHost, at_host};

struct Known {
    line: Line,
    facts: Facts,
    events: Vec<(i64, Event)>,
    at_host: Option<AtHost>,
    why: Option<&'static str>,
}

pub(super) async fn page(
    State(desk): State<Arc<Desk>>,
    Extension(seen): Extension<Seen>,
    Path(reference): Path<String>,
) -> Response {
    shown(&desk, &seen, &reference, None).await
}

/// The page with a word on what was just done, or why it was not.
pub(super) async fn shown(
    desk: &Desk,
    seen: &Seen,
    reference: &str,
    said: Option<&Markup>,
) -> Response {
    let language = seen.language;
    match read(desk, reference).await {
        Ok(Some(known)) => {
            let body = html! {
                @if let Some(said) = said { (said) }
                (summary(language, &known))
                @if let Some(at_host) = &known.at_host { (host::of_load(language, at_host)) }
                @if seen.decides() { (acts(seen, &known)) }
                section.panel {
                    h2 { (language.say("What happened", "经过")) }
                    ol.timeline data-testid="timeline" {
                        @for (at_ms, event) in &known.events { (told(language, *at_ms, event)) }
                    }
                }
            };
            whole(seen, "/loads", &known.line.reference, &body)
        }
        Ok(None) => not_found(language),
        Err(error) => failed(language, error),
    }
}

async fn read(desk: &Desk, reference: &str) -> Result<Option<Known>, Problem> {
    let _one = desk.reading.acquire().await.map_err(Problem::internal)?;
    let mut conn = desk.bank.store.snapshot().await?;
    let wanted = Wanted {
        reference: reference.to_owned(),
        ..Wanted::default()
    };
    let line = lines(&mut conn, &wanted).await?.into_iter().next();
    let (Some(line), Some(facts)) = (line, facts(&mut conn, reference).await?) else {
        return Ok(None);
    };
    let events = events(&mut conn, (&facts.id, reference)).await?;
    let row = crate::store::load::called(&desk.bank, &mut conn, reference).await?;
    Ok(Some(Known {
        why: row.and_then(|row| row.load.state().why()),
        at_host: at_host(&mut conn, &facts.id).await?,
        line,
        facts,
        events,
    }))
}

fn summary(language: Language, known: &Known) -> Markup {
    let Known {
        line, facts, why, ..
    } = known;
    let why = why.map(|why| language.why(why)).unwrap_or_default();
    let proof = facts.proof.as_deref().map(|proof| language.proof(proof));
    html! {
        dl.facts {
            div { dt { (language.say("State", "状态")) }
                dd data-testid="state" { (phase(language, &line.phase)) @if !why.is_empty() { " " (why) } } }
            div { dt { (language.say("Amount", "金额")) } dd data-testid="amount" { (yuan(line.amount)) } }
            div { dt { (language.say("Card", "卡")) } dd { (line.industry) " ···· " (line.tail) } }
            div { dt { (language.say("What", "类型")) } dd { (language.kind(&line.kind)) } }
            div { dt { (language.say("Terminal", "终端")) } dd { (line.terminal) } }
            div { dt { (language.say("Asked for", "申请时间")) } dd { (at(facts.requested_ms)) } }
            @if let Some(proof) = proof {
                div { dt { (language.say("Settled by", "了结依据")) } dd data-testid="proof" { (proof) } }
            }
        }
    }
}

/// Forms for what the ledger allows now. Whoever sends one signs it with their password.
fn acts(seen: &Seen, known: &Known) -> Markup {
    let language = seen.language;
    let line = &known.line;
    let title = match line.phase.as_str() {
        "manual" => language.say("Decide: two operators must agree", "处理：须两名操作员一致"),
        "issued" | "in-doubt" if line.kind == "top-up" => {
            language.say("The card is lost or broken", "卡片丢失或损坏")
        }
        _ => return html! {},
    };
    let manual = line.phase == "manual";
    html! {
        section.panel {
            h2 { (title) }
            form.stacked method="post" action={ "/loads/" (line.reference) } data-testid="act" {
                input type="hidden" name="csrf" value=(seen.signed.csrf);
                @if manual {
                    fieldset {
                        legend { (language.say("What becomes of the money", "资金去向")) }
                        @for end in ledger::Resolution::ALL {
                            label.choice {
                                input type="radio" name="as" value=(end.name()) required data-testid={ "as-" (end.name()) };
                                " " (language.resolution(end.name()))
                            }
                        }
                    }
                } @else {
                    input type="hidden" name="as" value="lost-card";
                    p { (language.say(
                        "No money moves by this: the load waits for two operators from then on.",
                        "此操作不移动资金：之后由两名操作员处理。")) }
                }
                label for="evidence" { (language.say("What you saw (no long numbers)", "所见依据（请勿填写完整号码）")) }
                textarea id="evidence" name="evidence" rows="3" maxlength="500" required data-testid="evidence" {}
                (signature(seen))
            }
        }
    }
}

fn told(language: Language, at_ms: i64, event: &Event) -> Markup {
    html! {
        li {
            time { (at(at_ms)) }
            @match event {
                Event::Moved { from, to } => div.what { (phase(language, from)) " → " (phase(language, to)) },
                Event::Attempt { number, counter, balance, terminal } => div.what {
                    (language.say("Code for the card, attempt", "下发写卡指令，第")) " " (number)
                    (language.say(": the card said counter", " 次：卡片计数器")) " " (counter)
                    (language.say(", balance", "，余额")) " " (yuan(*balance))
                    (language.say("; terminal", "；终端")) " " (terminal)
                },
                Event::Money { kind, amount } => div.what { (language.transfer(kind)) " " (yuan(*amount)) },
                Event::Incident { kind, id } => div.what.bad {
                    (language.say("Incident", "异常事件")) " " (kind) " " code { (id) }
                },
                Event::Proposal { operator, resolution, evidence } => div.what {
                    strong { (operator) } (language.say(" proposed: ", " 提议："))
                    (language.resolution(resolution)) blockquote { (evidence) }
                },
                Event::CardLost { detail } => div.what {
                    @let said = serde_json::from_str::<serde_json::Value>(detail).unwrap_or_default();
                    strong { (said["operator"].as_str().unwrap_or_default()) }
                    (language.say(" took it over: the card is lost", " 接手：卡片丢失"))
                    blockquote { (said["evidence"].as_str().unwrap_or_default()) }
                },
            }
        }
    }
}
