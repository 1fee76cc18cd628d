use crate::Outcome;
use crate::build::{cargo, root};
use crate::process::run as finish;

/// Builds the tools for packages and runs them where the person is: their files are named from there.
pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let here = std::env::current_dir().map_err(|e| format!("this folder: {e}"))?;
    let mut command = cargo();
    command.args(["run", "--quiet", "--manifest-path"]);
    command.arg(root().join("Cargo.toml"));
    command.args(["-p", "package-kit", "--bin", "package-kit", "--"]);
    finish(command.args(words).current_dir(here))
}
