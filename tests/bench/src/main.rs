//! What things cost: `cargo xtask bench WHAT [--quick] [--json]`. A further measurement is a function here and a line
//! in [`BENCHES`].

// The small terminal and card of the bank's own flows, which fail as a test does.
#[allow(clippy::unwrap_used, dead_code)]
#[path = "../../../crates/bank/tests/flows/card.rs"]
mod card;
mod figures;
mod interpreter;
mod issuer;
mod loads;
#[allow(clippy::unwrap_used)]
#[path = "loads/stage.rs"]
mod stage;
#[allow(clippy::unwrap_used, dead_code)]
#[path = "../../../crates/bank/tests/flows/terminal.rs"]
mod terminal;

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

/// Name on the command line, what it measures, and the measurement.
type Bench = (
    &'static str,
    &'static str,
    fn(Effort) -> Result<Report, Failure>,
);

const BENCHES: [Bench; 2] = [
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
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
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
    if let Some(unknown) = flags
        .iter()
        .find(|it| !["--quick", "--json"].contains(&it.as_str()))
    {
        return Err(format!("{unknown} is not known").into());
    }
    let has = |flag: &str| flags.iter().any(|it| *it == flag);
    let effort = if has("--quick") {
        Effort::Quick
    } else {
        Effort::Whole
    };
    let [name] = names.as_slice() else {
        return Err("name one measurement".into());
    };
    let found = BENCHES.iter().find(|(known, ..)| known == name);
    let (.., measure) = found.ok_or_else(|| format!("no measurement `{name}`"))?;
    let report = measure(effort)?;
    let text = if has("--json") {
        report.json()
    } else {
        report.table()
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(report.is_within())
}

fn usage() -> String {
    let lines = BENCHES.map(|(name, what, _)| format!("  {name:<12} {what}"));
    format!(
        "usage: cargo xtask bench WHAT [--quick] [--json]\n{}",
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
            "",
            "nothing",
            "interpreter --fast",
            "interpreter interpreter",
        ] {
            assert!(run(&words(text)).is_err(), "`{text}`");
        }
    }

    #[test]
    fn each_measurement_gives_figures_in_both_forms() {
        for (name, _, measure) in BENCHES {
            let report = measure(Effort::Quick).unwrap();
            assert!(report.table().lines().count() > 3, "{name}");
            let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
            assert!(
                json["rows"].as_array().is_some_and(|it| !it.is_empty()),
                "{name}"
            );
        }
    }
}
