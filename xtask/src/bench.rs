use crate::Outcome;
use crate::build::cargo;
use crate::process::run as finish;

/// Measures, as fast as a release is. Which measurements there are is told by the program itself (`tests/bench`).
pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--release"]);
    command.args(["-p", "tapfill-bench", "--bin", "bench", "--"]);
    finish(command.args(words))
}
