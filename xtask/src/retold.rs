//! What failed among thousands of lines, told once more where a reader looks: at the end.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Command;

use crate::Outcome;
use crate::process::{finished, name_of};

/// Of each failure.
const LINES: usize = 30;
const COLUMNS: usize = 400;

/// Runs tests with their output on the terminal; the error says what each failed test said.
pub(crate) fn run(command: &mut Command) -> Outcome<()> {
    run_on(command, &mut std::io::stdout())
}

fn run_on(command: &mut Command, screen: &mut impl Write) -> Outcome<()> {
    let failed = |e: std::io::Error, name: String| format!("{name}: {e}");
    let (said, says) = std::io::pipe().map_err(|e| failed(e, name_of(command)))?;
    let also = says.try_clone().map_err(|e| failed(e, name_of(command)))?;
    let spawned = command.stdout(says).stderr(also).spawn();
    // Ours is the last copy of the pipe's end: reading would never end.
    command.stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());
    let mut child = spawned.map_err(|e| failed(e, name_of(command)))?;
    let failures = pass_on(said, screen);
    let status = child.wait().map_err(|e| failed(e, name_of(command)))?;
    finished(command, status).map_err(|why| {
        let told = failures.iter().map(|line| format!("\n  {line}"));
        why + &told.collect::<String>()
    })
}

/// Copies every line; gives those that failed tests said.
fn pass_on(said: impl Read, screen: &mut impl Write) -> Vec<String> {
    let mut retelling = Retelling::default();
    let mut said = BufReader::new(said);
    let mut line = Vec::new();
    while matches!(said.read_until(b'\n', &mut line), Ok(1..)) {
        // A screen that is gone is no reason to end the tests.
        let _ = screen.write_all(&line).and_then(|()| screen.flush());
        retelling.line(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    retelling.kept
}

/// Reads what libtest prints: under `---- name stdout ----` what a failed test said.
#[derive(Default)]
struct Retelling {
    /// Lines that the failure being read may still fill.
    left: usize,
    kept: Vec<String>,
}

impl Retelling {
    fn line(&mut self, line: &str) {
        let begins = line.starts_with("---- ") && line.ends_with(" stdout ----");
        if begins {
            self.left = LINES;
        } else if line == "failures:" || line == "stack backtrace:" {
            self.left = 0;
        }
        let program_fails = line.starts_with("error:") || line.starts_with("error[");
        if (self.left == 0 && !program_fails) || line.is_empty() {
            return;
        }
        self.left = self.left.saturating_sub(1);
        self.kept.push(line.chars().take(COLUMNS).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_tests_are_told_once_more_and_others_are_not() {
        let said = "test one ... ok\ntest two ... FAILED\n\nfailures:\n\n---- two stdout ----\n\nthread 'two' panicked:\n\
                    left: 1\nstack backtrace:\n   0: begin\n\nfailures:\n    two\n\nerror: 1 target failed:\n    `--lib`\n";
        let mut screen = Vec::new();
        let told = pass_on(said.as_bytes(), &mut screen);
        assert_eq!(screen, said.as_bytes(), "all of it on the screen");
        assert_eq!(
            told,
            [
                "---- two stdout ----",
                "thread 'two' panicked:",
                "left: 1",
                "error: 1 target failed:"
            ]
        );
    }

    #[test]
    fn a_long_failure_is_cut() {
        let long = format!("---- a stdout ----\n{}\n", "x".repeat(COLUMNS * 2)).repeat(2);
        let lines = "y\n".repeat(LINES * 2);
        let told = pass_on(format!("{long}{lines}").as_bytes(), &mut Vec::new());
        assert!(told.iter().all(|line| line.len() <= COLUMNS), "{told:?}");
        assert_eq!(told.len(), 2 + LINES, "{told:?}");
    }

    #[cfg(unix)]
    #[test]
    fn what_a_program_says_ends_with_it() {
        let mut fails = Command::new("sh");
        fails.args([
            "-c",
            "echo '---- t stdout ----'; echo 'left: 1' >&2; exit 3",
        ]);
        let mut screen = Vec::new();
        let why = run_on(&mut fails, &mut screen).expect_err("it ends with 3");
        assert!(!screen.is_empty(), "all of it on the screen");
        assert!(
            why.ends_with("\n  ---- t stdout ----\n  left: 1") && why.contains('3'),
            "{why}"
        );
        run_on(&mut Command::new("true"), &mut screen).expect("nothing failed");
    }
}
