//! The bank's own program, as it is released, in a process of its own whose memory can be looked at.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bank_client::Profile;
use tempfile::TempDir;

use crate::Failure;

const START: Duration = Duration::from_secs(20);

pub(crate) struct Served {
    child: Child,
    dir: TempDir,
    pub(crate) profile: Profile,
}

/// A program that was built beside this one.
pub(crate) fn program(name: &str) -> Result<PathBuf, Failure> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::current_exe()?.with_file_name(file);
    if path.is_file() {
        Ok(path)
    } else {
        let path = path.display();
        Err(format!("no {path}: run it by `cargo xtask bench`").into())
    }
}

impl Served {
    /// On free ports, with this configuration.
    pub(crate) fn start(configuration: &str) -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("bank.toml");
        std::fs::write(&file, configuration)?;
        let mut command = Command::new(program("bank")?);
        command
            .args(["run", "--log", "error", "--dir"])
            .arg(dir.path());
        command.arg("--config").arg(&file);
        for server in ["--security", "--transaction"] {
            command.args([server, "127.0.0.1:0"]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let (child, profile) = served(child, &dir.path().join("profile.json"))?;
        Ok(Self {
            child,
            dir,
            profile,
        })
    }

    /// Proportional set size, kB: what this process costs the machine now.
    pub(crate) fn memory_kb(&self) -> Result<f64, Failure> {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let kib = pss_kib(&rollup).ok_or("the kernel tells no Pss")?;
        Ok(kib * 1_024.0 / 1_000.0)
    }

    /// What the process wrote into its folder, bytes.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The profile, as soon as all of it is written.
fn served(mut child: Child, path: &Path) -> Result<(Child, Profile), Failure> {
    let began = Instant::now();
    while began.elapsed() < START {
        let text = std::fs::read(path).unwrap_or_default();
        if let Ok(profile) = Profile::parse(&text) {
            return Ok((child, profile));
        }
        if let Some(status) = child.try_wait()? {
            return Err(format!("the bank ended with {status}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    Err("the bank did not start".into())
}

fn pss_kib(rollup: &str) -> Option<f64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_file_is_read() {
        let rollup =
            "55-7f ---p 00000000 00:00 0 [rollup]\nRss: 20 kB\nPss:  1234 kB\nPss_Dirty: 7 kB\n";
        assert_eq!(pss_kib(rollup), Some(1234.0));
        assert_eq!(pss_kib(""), None);
    }
}
