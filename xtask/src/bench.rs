use std::fs;
use std::process::Command;

use crate::build::{self, Made, cargo, root, target};
use crate::install::{self, Extent};
use crate::process::{find, run as finish};
use crate::rig::RigProcess;
use crate::test::SCREEN;
use crate::{Options, Outcome, bank_deb, bundle};

/// Measures, as fast as a release is: one thing, or everything. Which measurements there are is told by the program
/// itself (`tests/bench`), which gets here what it needs around it; a start is measured from outside.
pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let (flags, names): (Vec<String>, Vec<String>) = words
        .iter()
        .cloned()
        .partition(|word| word.starts_with("--"));
    match names.first().map(String::as_str) {
        Some(START) => start(&words[1..]),
        Some(_) => measured(words, &names),
        None => {
            let all = measured(words, &names);
            let flags: Vec<String> = flags
                .into_iter()
                .filter(|it| !it.starts_with(MOST))
                .collect();
            all.and(start(&flags))
        }
    }
}

const START: &str = "start";
/// How far a store grows: nothing that a start knows.
const MOST: &str = "--most";

/// What the program in `tests/bench` measures: everything when there are no names.
fn measured(words: &[String], names: &[String]) -> Outcome<()> {
    let wants = |name: &str| names.is_empty() || names.iter().any(|it| it == name);
    let talks = wants("commands") || wants("topup");
    install::system_packages(if wants("commands") {
        Extent::Peers
    } else {
        Extent::HeadlessTests
    })?;
    let mut command = cargo();
    command.args(["run", "--quiet", "--release"]);
    command.args(["-p", "tapfill-bench", "--bin", "bench", "--"]);
    command.args(words);
    if wants("sizes") {
        released()?;
    } else if wants("idle") {
        build::release_bank(Made::ToUse)?;
    }
    if wants("commands") {
        let python = build::python("pyscard", "tests/bench/peers/requirements.txt")?;
        command.env("TAPFILL_PYSCARD", python);
    }
    if talks {
        with_reader(&mut command)
    } else {
        finish(&mut command)
    }
}

/// All that people are handed, in its installers.
fn released() -> Outcome<()> {
    if !cfg!(target_os = "linux") {
        return build::release(Made::ToUse);
    }
    let words = ["--bundles", "deb"].map(str::to_owned);
    bundle::run(&Options::parse(&words, &[], &["--bundles"])?)?;
    bank_deb::make()
}

/// Beside a PC/SC service with a reader, which is nobody else's.
#[cfg(unix)]
fn with_reader(command: &mut Command) -> Outcome<()> {
    let dir = target().join("bench-reader");
    let reader = virtual_reader::VirtualReader::start(&dir).map_err(|e| e.to_string())?;
    command.env("PCSCLITE_CSOCK_NAME", reader.socket());
    command.env("TAPFILL_READER_PORT", reader.port().to_string());
    finish(command)
}

/// The measurements that need one say so.
#[cfg(not(unix))]
fn with_reader(command: &mut Command) -> Outcome<()> {
    finish(command)
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
