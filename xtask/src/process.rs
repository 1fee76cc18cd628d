use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

const POLITE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(20);
const LINES_SHOWN: usize = 15;

/// Runs a command to its end with its output on the terminal.
pub(crate) fn run(command: &mut Command) -> Outcome<()> {
    let status = command
        .status()
        .map_err(|e| format!("{}: {e}", name_of(command)))?;
    finished(command, status)
}

/// The same for a program that ends when its standard input closes: it does not outlive us, however we end.
pub(crate) fn run_leashed(command: &mut Command) -> Outcome<()> {
    let mut child = command
        .env("TAPFILL_LEASH", "1")
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{}: {e}", name_of(command)))?;
    let leash = child.stdin.take();
    let status = child
        .wait()
        .map_err(|e| format!("{}: {e}", name_of(command)))?;
    drop(leash);
    finished(command, status)
}

/// Runs a command and takes what it writes to standard output.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("{}: {e}", name_of(command)))?;
    finished(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(crate) fn finished(command: &Command, status: ExitStatus) -> Outcome<()> {
    if status.success() {
        return Ok(());
    }
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    Err(format!("{} ended with {status}", words.join(" ")))
}

pub(crate) fn name_of(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// The full path of a program, looked for where a shell would (and in the system's own folders).
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// A process in the background, with its output in a file. Stopped by its own id when dropped.
pub(crate) struct Background {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Background {
    pub(crate) fn start(
        name: &'static str,
        command: &mut Command,
        log_dir: &Path,
    ) -> Outcome<Self> {
        let log = log_dir.join(format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|e| format!("{}: {e}", log.display()))?;
        let errors = file
            .try_clone()
            .map_err(|e| format!("{}: {e}", log.display()))?;
        let child = command
            .stdout(file)
            .stderr(errors)
            .spawn()
            .map_err(|e| format!("{name}: {}: {e}", name_of(command)))?;
        Ok(Self { name, child, log })
    }

    /// Standard input, for a command that was given a pipe.
    pub(crate) fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until `ready` gives a value; fails when the process ends first or the time is over.
    pub(crate) fn until<T>(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Outcome<T> {
        let start = Instant::now();
        loop {
            if let Some(value) = ready() {
                return Ok(value);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.complaint(&format!("ended with {status}")));
            }
            if start.elapsed() > limit {
                return Err(self.complaint(&format!("not ready after {} s", limit.as_secs())));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits until the process has written `text`; gives all that it has written.
    pub(crate) fn until_written(&mut self, limit: Duration, text: &str) -> Outcome<String> {
        let log = self.log.clone();
        self.until(limit, || {
            fs::read_to_string(&log)
                .ok()
                .filter(|said| said.contains(text))
        })
    }

    fn complaint(&self, what: &str) -> String {
        let written = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = written.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(LINES_SHOWN)..)
            .unwrap_or_default();
        format!("{} {what}; its last words:\n{}", self.name, last.join("\n"))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        ask_to_end(self.child.id());
        let start = Instant::now();
        while start.elapsed() < POLITE {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(POLL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends the polite signal; the standard library only knows the deadly one.
fn ask_to_end(pid: u32) {
    let _ = Command::new("sh")
        .args(["-c", "kill -TERM \"$1\"", "sh", &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        folder
    }

    #[test]
    fn a_background_process_is_gone_when_its_owner_is() {
        let logs = folder("gone");
        let sleeper = Background::start("sleep", Command::new("sleep").arg("60"), &logs)
            .expect("every system has sleep");
        let pid = sleeper.child.id();
        drop(sleeper);
        let alive = Command::new("sh")
            .args(["-c", "kill -0 \"$1\" 2>/dev/null", "sh", &pid.to_string()])
            .status()
            .expect("a shell");
        assert!(!alive.success(), "process {pid} lives on");
        fs::remove_dir_all(logs).expect("the folder is ours");
    }

    #[test]
    fn a_process_that_ends_early_is_reported_with_its_last_words() {
        let logs = folder("early");
        let mut command = Command::new("sh");
        let mut broken = Background::start(
            "broken",
            command.args(["-c", "echo no card key; exit 3"]),
            &logs,
        )
        .expect("a shell");
        let why = broken
            .until(Duration::from_secs(10), || None::<()>)
            .expect_err("it never gets ready");
        assert!(why.contains("no card key"), "{why}");
        fs::remove_dir_all(logs).expect("the folder is ours");
    }
}
