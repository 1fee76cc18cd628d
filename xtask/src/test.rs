use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::build::{self, APP_FEATURES, Made, cargo};
use crate::install::{self, Extent};
use crate::process::{find, run as finish};
use crate::session::{Keyring, Session, SocketDir};
use crate::{Options, Outcome, ci, interop, kills, mobile, retold, soak};

/// A part of the tests, as `--only` names it.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Part {
    /// Every crate's own tests and the flows, in one build with the app.
    Rust,
    /// Every crate's own tests, real pcscd included.
    Unit,
    /// Servers, session and card together.
    Flows,
    /// The terminal in Python against the bank.
    Interop,
    /// The operators' page in Chromium.
    Console,
    /// App and bank killed at seeded moments.
    Kills,
    /// Two processes of a bank at full load, one killed now and then.
    Soak,
    /// The page's checks and tests, and the bindings.
    Web,
    /// The page alone, on its scripted views, in the window's engine.
    Page,
    /// The real window under WebDriver.
    Ui,
    /// The suites that show testers how to begin.
    Samples,
    /// What is handed to people, looked at from outside.
    Release,
    /// The phones' code, as far as it can be looked at here.
    Mobile,
}

impl Part {
    const EVERYTHING: [Self; 11] = [
        Self::Web,
        Self::Page,
        Self::Rust,
        Self::Interop,
        Self::Console,
        Self::Kills,
        Self::Soak,
        Self::Ui,
        Self::Samples,
        Self::Release,
        Self::Mobile,
    ];
    const NAMED: [Self; 13] = [
        Self::Rust,
        Self::Unit,
        Self::Flows,
        Self::Interop,
        Self::Console,
        Self::Kills,
        Self::Soak,
        Self::Web,
        Self::Page,
        Self::Ui,
        Self::Samples,
        Self::Release,
        Self::Mobile,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Unit => "unit",
            Self::Flows => "flows",
            Self::Interop => "interop",
            Self::Console => "console",
            Self::Kills => "kills",
            Self::Soak => "soak",
            Self::Web => "web",
            Self::Page => "page",
            Self::Ui => "ui",
            Self::Samples => "samples",
            Self::Release => "release",
            Self::Mobile => "mobile",
        }
    }

    const fn needs(self) -> Extent {
        match self {
            Self::Unit | Self::Flows | Self::Interop | Self::Kills | Self::Soak | Self::Web => {
                Extent::HeadlessTests
            }
            Self::Console => Extent::ConsoleTests,
            Self::Rust | Self::Page | Self::Ui | Self::Samples | Self::Release => {
                Extent::WindowTests
            }
            Self::Mobile => Extent::Mobile,
        }
    }

    fn run(self, options: &Options) -> Outcome<()> {
        match self {
            // The same features as the app's build below: nothing is compiled twice.
            Self::Rust => {
                build::page()?;
                crate_tests(&["--workspace", "--features", APP_FEATURES])
            }
            Self::Unit => crate_tests(&["--workspace", "--exclude", "tapfill", "--exclude", FLOWS]),
            Self::Flows => crate_tests(&["-p", FLOWS]),
            Self::Interop => interop::test(),
            Self::Console => interop::console(),
            Self::Kills if !cfg!(target_os = "linux") => {
                println!("left out: the virtual PC/SC reader is for Linux only");
                Ok(())
            }
            Self::Kills => kills::run(KILLS, 1),
            Self::Soak if !cfg!(target_os = "linux") => {
                println!("left out: its PostgreSQL server is looked for on Linux only");
                Ok(())
            }
            Self::Soak => soak::share(),
            Self::Web => ci::web().and_then(|()| ci::bindings(true)),
            Self::Page => page_tests(options),
            Self::Ui => window_tests(options),
            Self::Samples => samples(),
            Self::Release => {
                build::app()?;
                build::release(Made::ToLookAt)?;
                let mut command =
                    node_tests(&test_files(&format!("{WINDOW_TESTS}/release"))?, None, 1)?;
                finish(command.envs(Made::ToLookAt.environment().iter().copied()))
            }
            Self::Mobile => mobile::test(),
        }
    }
}

/// Of the 500 that `cargo xtask kills` does.
const KILLS: u64 = 20;
const FLOWS: &str = "tapfill-tests";
const WINDOW_TESTS: &str = "tests/ui";
const FAILED_REPORTER: &str = "tests/ui/lib/failed-files.mjs";
/// Each file of the page's tests has a browser and a screen of its own, and waits for it most of the time.
const PAGES_AT_ONCE: u8 = 2;
pub(crate) const SCREEN: &str = "-screen 0 1280x960x24";

/// Installs what is missing, runs the parts asked for, and sums up. All parts run even when one fails.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let parts = match options.value("--only") {
        None => Part::EVERYTHING.to_vec(),
        Some(name) => {
            let part = Part::NAMED.into_iter().find(|part| part.name() == name);
            vec![part.ok_or_else(|| {
                let names: Vec<_> = Part::NAMED.iter().map(|part| part.name()).collect();
                format!("--only {name}: one of {}", names.join(", "))
            })?]
        }
    };
    for part in &parts {
        install::system_packages(part.needs())?;
    }
    let mut results = Vec::new();
    for part in parts {
        println!("\n== {} ==", part.name());
        let start = Instant::now();
        let outcome = part.run(options);
        if let Err(why) = &outcome {
            println!("{why}");
        }
        results.push((part, outcome, start.elapsed()));
    }
    summary(&results)
}

fn summary(results: &[(Part, Outcome<()>, Duration)]) -> Outcome<()> {
    println!("\n== summary ==");
    for (part, outcome, elapsed) in results {
        let (name, seconds) = (part.name(), elapsed.as_secs());
        match outcome {
            Ok(()) => println!("{name:<6} passed in {seconds} s"),
            Err(why) => println!("{name:<6} FAILED in {seconds} s: {why}"),
        }
    }
    let failed: Vec<_> = results
        .iter()
        .filter(|(_, o, _)| o.is_err())
        .map(|(part, ..)| part.name())
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("failed: {}", failed.join(", ")))
}

/// Runs in a session with a keystore, which the tests of the vault and of the flows look for.
fn crate_tests(selection: &[&str]) -> Outcome<()> {
    let dir = build::target().join("test-session");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let sockets = SocketDir::create()?;
    let session = cfg!(target_os = "linux")
        .then(|| Session::start(&dir, sockets.path(), Keyring::Unlocked))
        .transpose()?;
    let mut command = cargo();
    command.args(["test", "--no-fail-fast"]).args(selection);
    command.envs(session.as_ref().map(Session::environment));
    retold::run(&mut command)
}

fn window_tests(options: &Options) -> Outcome<()> {
    build::app()?;
    let screens = build::target().join("artefacts/screens");
    let _ = fs::remove_dir_all(&screens);
    fs::create_dir_all(&screens).map_err(|e| format!("{}: {e}", screens.display()))?;
    let outcome = node_tests_twice(&test_files(WINDOW_TESTS)?, |files| {
        let mut command = node_tests(files, options.value("--filter"), 1)?;
        command
            .env("TAPFILL_APP", build::binary("tapfill"))
            .env("TAPFILL_SCREENS", &screens);
        Ok(command)
    });
    println!("Screenshots: {}", screens.display());
    outcome
}

/// Every scene of the page in every language and theme: axe, the keyboard, large text.
fn page_tests(options: &Options) -> Outcome<()> {
    build::npm(&["run", "--silent", "build:fake"])?;
    let files = test_files(&format!("{WINDOW_TESTS}/page"))?;
    let outcome = node_tests_twice(&files, |files| {
        node_tests(files, options.value("--filter"), PAGES_AT_ONCE)
    });
    println!(
        "Pictures: {}",
        build::target().join("artefacts/page").display()
    );
    outcome
}

/// Each suite by the one command that its reader is told.
fn samples() -> Outcome<()> {
    build::app()?;
    for language in ["javascript", "python"] {
        println!("{language} ...");
        let run = build::root().join(format!("{WINDOW_TESTS}/samples/{language}/run"));
        finish(Command::new(run).current_dir(build::root()))?;
    }
    Ok(())
}

/// Runs tests, and those files that failed once more: WebKit's driver now and then loses its browser under load. A fault
/// of ours fails the second time as well.
fn node_tests_twice(
    files: &[String],
    command: impl Fn(&[String]) -> Outcome<Command>,
) -> Outcome<()> {
    let noted = failed_tests();
    let _ = fs::remove_file(&noted);
    finish(&mut command(files)?).or_else(|why| {
        let again = failed_of(files, &fs::read_to_string(&noted).unwrap_or_default());
        println!(
            "{why}\nOnce more, to tell a fault of ours from one of the driver:\n{}",
            again.join("\n")
        );
        finish(&mut command(&again)?)
    })
}

/// Where the reporter notes the files that failed.
fn failed_tests() -> PathBuf {
    build::target().join("failed-tests.txt")
}

/// Those of `files` that are noted as failed, one a line; all of them when none is: the runner itself failed.
fn failed_of(files: &[String], noted: &str) -> Vec<String> {
    let failed: Vec<_> = files
        .iter()
        .filter(|file| noted.lines().any(|line| line == file.as_str()))
        .cloned()
        .collect();
    if failed.is_empty() {
        return files.to_vec();
    }
    failed
}

/// Node's test runner on these files, so many `at_once`, with a display of its own.
fn node_tests(files: &[String], filter: Option<&str>, at_once: u8) -> Outcome<Command> {
    install::node_modules(&build::root().join(WINDOW_TESTS))?;
    let xvfb = find("xvfb-run").ok_or("xvfb-run is missing (package xvfb)")?;
    let program = std::env::current_exe().map_err(|e| format!("this program: {e}"))?;
    let mut command = Command::new(xvfb);
    command.current_dir(build::root());
    command.args(["-a", "-s", SCREEN, "node", "--test"]);
    command.arg(format!("--test-concurrency={at_once}"));
    command.args(["--test-reporter=spec", "--test-reporter-destination=stdout"]);
    command.arg(format!(
        "--test-reporter={}/{FAILED_REPORTER}",
        build::root().display()
    ));
    command.arg(format!(
        "--test-reporter-destination={}",
        failed_tests().display()
    ));
    command.args(filter.map(|text| format!("--test-name-pattern={text}")));
    command.env("TAPFILL_XTASK", program);
    command.args(files);
    Ok(command)
}

fn test_files(folder: &str) -> Outcome<Vec<String>> {
    let mut files: Vec<String> = fs::read_dir(build::root().join(folder))
        .map_err(|e| format!("{folder}: {e}"))?
        .filter_map(|entry| Some(entry.ok()?.path().display().to_string()))
        .filter(|path| path.ends_with(".test.mjs"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(format!("no tests in {folder}"));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_part_fails_the_whole() {
        let results = [
            (Part::Web, Ok(()), Duration::ZERO),
            (Part::Ui, Err("no window".to_owned()), Duration::ZERO),
        ];
        assert_eq!(summary(&results), Err("failed: ui".to_owned()));
        assert_eq!(summary(&results[..1]), Ok(()));
    }

    #[test]
    fn only_files_that_failed_run_once_more() {
        let files = [
            "/t/axe.test.mjs",
            "/t/glance.test.mjs",
            "/t/motion.test.mjs",
        ]
        .map(String::from);
        let again = failed_of(
            &files,
            "/t/motion.test.mjs\n/t/axe.test.mjs\n/t/motion.test.mjs\n",
        );
        assert_eq!(again, ["/t/axe.test.mjs", "/t/motion.test.mjs"]);
        assert_eq!(failed_of(&files, ""), files, "nobody knows which: all");
        assert_eq!(failed_of(&files, "/t/axe\n"), files, "no part of a name");
    }
}
