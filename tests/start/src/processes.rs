//! A program with all the processes that it starts: their memory, and their end.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;

const POLITE: Duration = Duration::from_secs(3);

/// A program that runs.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    pub(crate) fn start(program: &Path) -> Result<Self, Failure> {
        let child = Command::new(program)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(Self { child })
    }

    /// Proportional set size of the program and of everything it started, KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let memory = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
        let texts = self
            .family()
            .into_iter()
            .filter_map(|pid| memory(&pid).ok());
        texts.filter_map(|text| pss_kib(&text)).sum()
    }

    fn family(&self) -> Vec<u32> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let Some(pid) = pid else { continue };
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            if let Some(parent) = parent(&stat) {
                children.entry(parent).or_default().push(pid);
            }
        }
        let mut family = vec![self.child.id()];
        let mut next = 0;
        while let Some(pid) = family.get(next) {
            family.extend(children.remove(pid).unwrap_or_default());
            next += 1;
        }
        family
    }

    /// Ends all of it, by process id.
    pub(crate) fn end(mut self) {
        let family = self.family();
        send(&family, Signal::TERM);
        let began = Instant::now();
        while began.elapsed() < POLITE {
            let gone = matches!(self.child.try_wait(), Ok(Some(_)));
            if gone && !family.iter().any(|pid| lives(*pid)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let left: Vec<u32> = family.into_iter().filter(|pid| lives(*pid)).collect();
        send(&left, Signal::KILL);
        let _ended = self.child.wait();
    }
}

fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn send(family: &[u32], signal: Signal) {
    for pid in family {
        let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
        // One that ended meanwhile is what is wanted.
        let _sent = pid.map(|pid| kill_process(pid, signal));
    }
}

fn pss_kib(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The parent's id: the second field after the name, which may hold anything.
fn parent(stat: &str) -> Option<u32> {
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_files_are_read() {
        let rollup = "5581e000-7ffc0 ---p 00000000 00:00 0 [rollup]\nRss: 20 kB\nPss:  1234 kB\nPss_Dirty: 7 kB\n";
        assert_eq!(pss_kib(rollup), Some(1234));
        assert_eq!(parent("17 (a) strange (name) S 4 17 17 0"), Some(4));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn a_program_has_memory_and_ends_with_its_children() {
        let dir = std::env::temp_dir().join(format!("tapfill-start-{}", std::process::id()));
        fs::write(&dir, "#!/bin/sh\nsleep 60 &\nwait\n").unwrap();
        let mut command = Command::new("sh");
        let child = command.arg(&dir).stdout(Stdio::null()).spawn().unwrap();
        let running = Running { child };
        let began = Instant::now();
        while running.family().len() < 2 && began.elapsed() < POLITE {
            std::thread::sleep(Duration::from_millis(10));
        }
        let family = running.family();
        assert_eq!(family.len(), 2, "the shell and what it started");
        assert!(running.memory_kib() > 0);
        running.end();
        assert!(!family.iter().any(|pid| lives(*pid)));
        fs::remove_file(dir).unwrap();
    }
}
