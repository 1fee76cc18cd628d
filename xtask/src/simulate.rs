use std::process::Command;

use crate::build::cargo;
use crate::process::run as finish;
use crate::{Options, Outcome};

/// Builds the simulator as fast as it gets with every check of ours on, and runs it.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let mut command = simulator("simulation");
    for name in [
        "--seeds", "--first", "--seed", "--card", "--matrix", "--jobs",
    ] {
        command.args(
            options
                .value(name)
                .into_iter()
                .flat_map(|value| [name, value]),
        );
    }
    finish(&mut command)
}

/// Runs a person's trace again: a matter of seconds, so that building is what takes time.
pub(crate) fn replay(words: &[String]) -> Outcome<()> {
    let [file] = words else {
        return Err("usage: cargo xtask replay FILE".to_owned());
    };
    let file = std::path::absolute(file).map_err(|error| format!("{file}: {error}"))?;
    let mut command = simulator("dev");
    command.arg("--replay").arg(file);
    finish(&mut command)
}

fn simulator(profile: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--profile", profile]);
    command.args(["-p", "tapfill-faults", "--bin", "simulate", "--"]);
    command
}
