use crate::build::cargo;
use crate::process::run as finish;
use crate::{Options, Outcome};

/// Builds the simulator as fast as it gets with every check of ours on, and runs it.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--profile", "simulation"]);
    command.args(["-p", "tapfill-faults", "--bin", "simulate", "--"]);
    for name in ["--seeds", "--first", "--seed", "--card", "--jobs"] {
        command.args(
            options
                .value(name)
                .into_iter()
                .flat_map(|value| [name, value]),
        );
    }
    finish(&mut command)
}
