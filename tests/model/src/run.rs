use std::fmt;
use std::time::{Duration, Instant};

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use crate::settings::Settings;

/// What an exhaustive run saw.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Different states.
    pub states: usize,
    /// Transitions taken.
    pub transitions: usize,
    /// Steps of the longest shortest way to a state.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        write!(
            out,
            "{} states, {} transitions, depth {}, {seconds:.1} s",
            self.states, self.transitions, self.depth
        )
    }
}

/// Tries everything.
///
/// # Errors
/// The properties that don't hold, each with the steps that lead there; or what was never reached.
pub fn explore(settings: Settings) -> Result<Figures, String> {
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = settings
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let mut wrong = Vec::new();
    for property in settings.properties() {
        let found = checker.discovery(property.name);
        match (property.expectation, found) {
            (Expectation::Always | Expectation::Eventually, Some(path)) => {
                let steps = path.into_actions();
                let steps: Vec<String> = steps.iter().map(|step| format!("  {step:?}")).collect();
                wrong.push(format!("{}\n{}", property.name, steps.join("\n")));
            }
            (Expectation::Sometimes, None) => wrong.push(format!("never: {}", property.name)),
            (Expectation::Always | Expectation::Eventually, None)
            | (Expectation::Sometimes, Some(_)) => {}
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    Ok(Figures {
        states: checker.unique_state_count(),
        transitions: checker.state_count(),
        depth: checker.max_depth(),
        took: begun.elapsed(),
    })
}

/// The name of a property that does not hold, if there is one.
pub fn first_failure(settings: Settings) -> Option<&'static str> {
    let checker = settings
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let always = |name: &&str| {
        settings
            .properties()
            .iter()
            .any(|property| property.name == *name && property.expectation.discovery_is_failure())
    };
    checker.discoveries().into_keys().find(always)
}
