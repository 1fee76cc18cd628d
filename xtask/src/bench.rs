use std::fs;
use std::process::Command;

use crate::Outcome;
use crate::build::{self, cargo, root, target};
use crate::install::{self, Extent};
use crate::process::{find, run as finish};
use crate::rig::RigProcess;
use crate::test::SCREEN;

/// Measures, as fast as a release is. Which measurements there are is told by the program itself (`tests/bench`); a
/// start is measured from outside.
pub(crate) fn run(words: &[String]) -> Outcome<()> {
    if let Some((first, rest)) = words.split_first()
        && first == "start"
    {
        return start(rest);
    }
    let mut command = cargo();
    command.args(["run", "--quiet", "--release"]);
    command.args(["-p", "tapfill-bench", "--bin", "bench", "--"]);
    finish(command.args(words))
}

/// What does the same job, from Debian: a program for a card on a reader, with a window.
const PEER: &str = "AusweisApp2";

/// The app, an empty window of the same web view and a peer, started in turn on one display, with everything around
/// the app that it meets at home.
fn start(words: &[String]) -> Outcome<()> {
    if !cfg!(target_os = "linux") {
        return Err("starts are measured on an X display, on Linux".into());
    }
    if words.iter().any(|it| it != "--quick" && it != "--json") {
        return Err("usage: cargo xtask bench start [--quick] [--json]".into());
    }
    let starts = if words.iter().any(|it| it == "--quick") {
        "3"
    } else {
        "12"
    };
    install::system_packages(Extent::Starts)?;
    build::headless()?;
    build::starts()?;
    let dir = target().join("start");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let rig = RigProcess::start(&["--dir".into(), dir.display().to_string()])?;
    let release = target().join("release");
    let program = |name: &str, path: std::path::PathBuf| format!("{name}={}", path.display());
    let mut command = Command::new("xvfb-run");
    command
        .args(["-a", "-s", SCREEN])
        .arg(release.join("start"))
        .args(["--starts", starts, "--pictures"])
        .arg(&dir)
        .args(words.iter().filter(|word| *word == "--json"))
        .arg(program("tapfill", release.join("tapfill")))
        .arg(program("empty-window", release.join("empty-window")));
    match find(PEER) {
        Some(peer) => drop(command.arg(program("ausweisapp", peer))),
        None => eprintln!("{PEER} is not installed: left out"),
    }
    command.current_dir(root()).envs(rig.environment());
    for (name, own) in [("HOME", "RIG_HOME"), ("XDG_RUNTIME_DIR", "RIG_RUNTIME_DIR")] {
        command.envs(rig.value(own).map(|value| (name, value)));
    }
    let outcome = finish(&mut command);
    println!("The last picture of each is in {}.", dir.display());
    outcome
}
