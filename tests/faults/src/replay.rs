//! A person's exported trace, run again: the same choices, the same faults of card, network and disk at the same
//! places, through the real session; then both traces are compared.
//!
//! A trace tells neither the kind of card nor whether a command or a request whose answer was lost was carried out.
//! Those are tried in turn, always in the same order, until one gives the same trace.

mod actor;
mod compare;
mod script;
mod shells;

use std::fmt::Write;
use std::sync::Arc;

use crate::cards::{KINDS, Kind};
use crate::template::Templates;

use script::Script;

/// Why a trace could not be run again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    #[error("not a trace: {0}")]
    Format(String),
    #[error("a trace of format {0}: this version knows {format}", format = session::TRACE_FORMAT)]
    Version(u8),
    #[error(
        "nothing to run again: every part begins with an unfinished load of which the trace has no beginning"
    )]
    NoBeginning,
    #[error("{0}")]
    Stage(String),
    /// What was run, and where it went another way.
    #[error("{0}")]
    Differs(String),
}

/// One guess at what the trace does not tell.
#[derive(Clone, Copy)]
pub(crate) struct Guess {
    pub(crate) card: Kind,
    pub(crate) active: bool,
    /// Bit by bit: the n-th command or request without an answer was carried out.
    pub(crate) done: u32,
}

/// More answers without a trace than this are taken for lost on their way there.
const MOST_UNKNOWN: u32 = 5;

/// Runs it again. The lines of what happened, when it is the same.
pub(crate) fn replay(templates: &Templates, text: &str) -> Result<String, ReplayError> {
    let script = Arc::new(Script::parse(text)?);
    let mut closest: Option<(usize, String)> = None;
    for guess in guesses(&script) {
        let again = actor::run(templates, &script, guess)?;
        let compared = compare::compare(&script.lines, &again);
        let mut told = head(&script, guess);
        told.push_str(&compared.told);
        let Some(differs) = compared.differs else {
            return Ok(told);
        };
        if closest
            .as_ref()
            .is_none_or(|(same, _)| compared.same > *same)
        {
            let _ = writeln!(told, "differs: {differs}");
            closest = Some((compared.same, told));
        }
    }
    let told = closest.map(|(_, told)| told).unwrap_or_default();
    Err(ReplayError::Differs(told))
}

fn guesses(script: &Script) -> Vec<Guess> {
    let unknown = script.unanswered.min(MOST_UNKNOWN);
    let order = if script.activates {
        [false, true]
    } else {
        [true, false]
    };
    let mut all = Vec::new();
    for active in order {
        for done in 0..1_u32 << unknown {
            // How long each command took stands in the trace: a slow card is one of the others.
            for card in KINDS.into_iter().filter(|kind| kind.name != "slow") {
                all.push(Guess { card, active, done });
            }
        }
    }
    all
}

fn head(script: &Script, guess: Guess) -> String {
    let mut told = format!("trace of Tapfill {} on {}\n", script.version, script.system);
    if script.left_out > 0 {
        let _ = writeln!(told, "{} older lines left out", script.left_out);
    }
    let state = if guess.active { "active" } else { "not active" };
    let _ = writeln!(told, "card: {}, {state}", guess.card.name);
    for n in 0..script.unanswered.min(MOST_UNKNOWN) {
        let done = if guess.done >> n & 1 == 1 { "" } else { "not " };
        let _ = writeln!(told, "unanswered {}: {done}carried out", n + 1);
    }
    told
}
