//! The seeded simulator: session, driver, envelope, servers and stores, with faults at every step.
//!
//! One seed, one run: the same seed gives the same run. `docs/testing.md` says how to read what it prints.

mod cards;

mod hold;
mod network;
mod person;
mod plan;
mod point;
mod processor;
mod random;
mod rare;
mod reader;
mod replay;
mod run;
mod stage;
mod table;
mod template;
#[cfg(test)]
mod tests;
mod wallet;
mod world;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use cards::Kind;
use plan::Matrix;
use table::Table;

/// A line for the person at the terminal.
#[expect(clippy::print_stdout, reason = "a program for the terminal")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

struct Asked {
    seeds: u64,
    first: u64,
    one: Option<u64>,
    card: Option<Kind>,
    jobs: u64,
    replay: Option<String>,
    by_card: bool,
}

const USAGE: &str = "simulate [--seeds N] [--first S] [--seed S] [--card KIND] [--matrix steps|cards] [--jobs N] | --replay FILE   (docs/testing.md)";

fn asked() -> Result<Asked, String> {
    let mut asked = Asked {
        seeds: 10_000,
        first: 1,
        one: None,
        card: None,
        jobs: 2,
        replay: None,
        by_card: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        let number = || {
            value
                .parse()
                .map_err(|_| format!("{word} {value}: not a number"))
        };
        match word.as_str() {
            "--matrix" => asked.by_card = by_card(&value)?,
            "--replay" => asked.replay = Some(value.clone()),
            "--seeds" => asked.seeds = number()?,
            "--first" => asked.first = number()?,
            "--seed" => asked.one = Some(number()?),
            "--jobs" => asked.jobs = number()?.max(1),
            "--card" => {
                let kinds = cards::KINDS.map(|kind| kind.name).join(", ");
                let kind = cards::named(&value);
                asked.card = Some(kind.ok_or_else(|| format!("--card: one of {kinds}"))?);
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(asked)
}

fn by_card(matrix: &str) -> Result<bool, String> {
    match matrix {
        "steps" => Ok(false),
        "cards" => Ok(true),
        _ => Err(format!("--matrix {matrix}: steps or cards")),
    }
}

fn main() -> ExitCode {
    match asked().and_then(|asked| simulate(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&why);
            ExitCode::FAILURE
        }
    }
}

fn simulate(asked: &Asked) -> Result<(), String> {
    let templates = run::templates().map_err(|error| error.to_string())?;
    if let Some(file) = &asked.replay {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let told = replay::replay(&templates, &text).map_err(|error| error.to_string())?;
        say(told.trim_end());
        say("the same");
        return Ok(());
    }
    let mut matrix = Matrix::find(&templates, asked.card)?;
    matrix.by_card = asked.by_card;
    if let Some(seed) = asked.one {
        let plan = matrix.plan(seed, asked.card).ok_or("no such seed")?;
        let report = run::run(&templates, &plan, true);
        return report.broken.map_or(Ok(()), Err);
    }
    let began = Instant::now();
    let next = AtomicU64::new(asked.first);
    let stop = AtomicBool::new(false);
    let end = asked.first.saturating_add(asked.seeds);
    let tables = std::thread::scope(|scope| {
        let work = |job| {
            processor::stay_on(job);
            let mut table = Table::new();
            loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= end || stop.load(Ordering::SeqCst) {
                    return table;
                }
                let Some(plan) = matrix.plan(seed, asked.card) else {
                    return table;
                };
                let report = run::run(&templates, &plan, false);
                if let Some(broken) = &report.broken {
                    say(&report.trace.join("\n"));
                    let card = asked.card.map(|card| format!(" --card {}", card.name));
                    let card = card.unwrap_or_default();
                    let by = if asked.by_card { " --matrix cards" } else { "" };
                    say(&format!("seed {seed}: {broken}"));
                    say(&format!(
                        "again: cargo xtask simulate --seed {seed}{card}{by}\n"
                    ));
                }
                if table.add(report) >= MOST_FAILURES {
                    stop.store(true, Ordering::SeqCst);
                }
            }
        };
        let threads: Vec<_> = (0..asked.jobs)
            .map(|job| scope.spawn(move || work(job)))
            .collect();
        let ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended.collect::<Result<Vec<Table>, _>>()
    });
    let tables = tables.map_err(|_| "a run panicked".to_owned())?;
    let table = tables.into_iter().fold(Table::new(), Table::and);
    table.print(&matrix, began.elapsed());
    table.verdict(&matrix)
}

/// A worker that has seen so many broken runs stops.
const MOST_FAILURES: u64 = 5;
