//! What things cost: `cargo xtask bench [WHAT] [--quick] [--json] [--most=LOADS]`. A further measurement is a function
//! in a file of its own and a line in [`BENCHES`].

// The small terminal and card of the bank's own flows, which fail as a test does.
#[allow(clippy::unwrap_used, dead_code)]
#[path = "../../../crates/bank/tests/flows/card.rs"]
mod card;
mod commands;
mod desk;
mod figures;
mod fill;
mod growth;
mod idle;
mod interpreter;
mod issuer;
mod loads;
// Of the bank's own test with two processes.
#[allow(clippy::unwrap_used)]
#[path = "../../../crates/bank/tests/postgres/person.rs"]
mod person;
#[allow(clippy::unwrap_used)]
#[path = "../../../crates/bank/tests/flows/program.rs"]
mod program;
mod served;
mod sizes;
#[allow(clippy::unwrap_used)]
mod soak;
#[allow(clippy::unwrap_used)]
#[path = "loads/stage.rs"]
mod stage;
#[allow(clippy::unwrap_used, dead_code)]
#[path = "../../../crates/bank/tests/flows/terminal.rs"]
mod terminal;
mod topup;

use std::io::Write;
use std::process::ExitCode;

use figures::Report;

/// What ends a measurement without figures.
type Failure = Box<dyn std::error::Error>;

/// How long to measure.
#[derive(Clone, Copy)]
enum Effort {
    /// Figures for the documentation.
    Whole,
    /// Whether it works, and roughly what comes out.
    Quick,
}

/// How a measurement is made.
#[derive(Clone, Copy)]
struct Plan {
    effort: Effort,
    /// No database has more loads than this.
    most_loads: Option<u64>,
}

/// Name on the command line, what it measures, and the measurement.
type Bench = (
    &'static str,
    &'static str,
    fn(Plan) -> Result<Report, Failure>,
);

const BENCHES: [Bench; 7] = [
    (
        "interpreter",
        "an industry package's commands, above the same commands sent by hand",
        interpreter::measure,
    ),
    (
        "loads",
        "durable loads over HTTPS, on SQLite and on PostgreSQL, beside PostgreSQL's own pgbench",
        loads::measure,
    ),
    (
        "growth",
        "loads in a bank that has few of them behind it, and in one that has very many",
        growth::measure,
    ),
    (
        "topup",
        "a whole top-up through the reader, beside the same commands and requests by hand",
        topup::measure,
    ),
    (
        "commands",
        "a command to the card through the reader, beside what others use for it",
        commands::measure,
    ),
    (
        "idle",
        "the bank's memory for each terminal that is connected and does nothing",
        idle::measure,
    ),
    (
        "sizes",
        "programs, installer, page, and the bank's memory at rest",
        sizes::measure,
    ),
];

/// No measurement, but the same terminals: `cargo xtask soak`.
const SOAK: &str = "soak";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((first, rest)) if first == SOAK => soak::run(rest),
        Some(_) | None => run(&words),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "bench: {why}\n{}", usage());
            ExitCode::FAILURE
        }
    }
}

/// Whether everything kept to its limit.
fn run(words: &[String]) -> Result<bool, Failure> {
    let (flags, names): (Vec<&String>, Vec<&String>) =
        words.iter().partition(|word| word.starts_with("--"));
    let mut plan = Plan {
        effort: Effort::Whole,
        most_loads: None,
    };
    let mut json = false;
    for flag in flags {
        match (flag.as_str(), flag.strip_prefix("--most=")) {
            ("--quick", _) => plan.effort = Effort::Quick,
            ("--json", _) => json = true,
            (_, Some(loads)) => plan.most_loads = Some(loads.parse()?),
            (unknown, None) => return Err(format!("{unknown} is not known").into()),
        }
    }
    match names.as_slice() {
        [] => Ok(all(plan, json)),
        [name] => {
            let found = BENCHES.iter().find(|(known, ..)| known == name);
            let (.., measure) = found.ok_or_else(|| format!("no measurement `{name}`"))?;
            told(&measure(plan)?, json)
        }
        _ => Err("name one measurement, or none for all".into()),
    }
}

/// One after the other. What can't be measured breaks its limit, and keeps no other from being measured.
fn all(plan: Plan, json: bool) -> bool {
    let one = |(name, _, measure): Bench| {
        let kept = measure(plan).and_then(|report| told(&report, json));
        kept.unwrap_or_else(|why| {
            let _ = writeln!(std::io::stderr(), "bench {name}: {why}");
            false
        })
    };
    BENCHES.map(one).iter().all(|kept| *kept)
}

fn told(report: &Report, json: bool) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", report.json())?;
    } else {
        writeln!(out, "{}\n", report.table())?;
    }
    Ok(report.is_within())
}

fn usage() -> String {
    let lines = BENCHES.map(|(name, what, _)| format!("  {name:<12} {what}"));
    format!(
        "usage: cargo xtask bench [WHAT] [--quick] [--json] [--most=LOADS]\n{}",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        for text in [
            "nothing",
            "interpreter --fast",
            "interpreter interpreter",
            "growth --most",
            "growth --most=many",
        ] {
            assert!(run(&words(text)).is_err(), "`{text}`");
        }
    }

    /// The others need a reader, peers or programs, which `cargo xtask bench` brings.
    const ALONE: [&str; 3] = ["interpreter", "loads", "growth"];

    #[test]
    fn each_measurement_gives_figures_in_both_forms() {
        let plan = Plan {
            effort: Effort::Quick,
            most_loads: Some(1_000),
        };
        let alone = BENCHES.iter().filter(|(name, ..)| ALONE.contains(name));
        for (name, _, measure) in alone {
            let report = measure(plan).unwrap();
            assert!(report.table().lines().count() > 3, "{name}");
            let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
            assert!(
                json["rows"].as_array().is_some_and(|it| !it.is_empty()),
                "{name}"
            );
        }
    }
}
