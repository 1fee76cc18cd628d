//! Programs in other languages that send the command: Python with pyscard, Java with the JDK's own smart card API.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::COMMAND;
use crate::Failure;

/// Java has a list of its own of where the library may be, without Debian's folders.
const LIBRARIES: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu/libpcsclite.so.1",
    "/usr/lib/aarch64-linux-gnu/libpcsclite.so.1",
    "/usr/lib64/libpcsclite.so.1",
    "/usr/lib/libpcsclite.so.1",
    "/usr/lib/libpcsclite.so",
];

/// A program that waits for its turns. Ends with this value.
pub(super) struct Peer {
    child: Child,
    turns: Option<ChildStdin>,
    times: BufReader<ChildStdout>,
}

/// All of them, each with what kept it from starting.
pub(super) fn start(reader: &str) -> [(&'static str, Result<Peer, Failure>); 2] {
    [
        ("pyscard", python(reader)),
        ("javax.smartcardio", java(reader)),
    ]
}

fn python(reader: &str) -> Result<Peer, Failure> {
    let python = std::env::var("TAPFILL_PYSCARD");
    let python = python.map_err(|_| "no Python with it: run it by `cargo xtask bench`")?;
    let mut command = Command::new(python);
    command.arg(file("transmit.py"));
    Peer::start(command, reader)
}

fn java(reader: &str) -> Result<Peer, Failure> {
    let library = LIBRARIES.iter().find(|path| Path::new(path).exists());
    let library = library.ok_or("no libpcsclite")?;
    let mut command = Command::new("java");
    command.arg(format!("-Dsun.security.smartcardio.library={library}"));
    command.arg(file("Transmit.java"));
    Peer::start(command, reader)
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("peers")
        .join(name)
}

impl Peer {
    fn start(mut command: Command, reader: &str) -> Result<Self, Failure> {
        let mut child = command
            .args([reader, &hex::encode(COMMAND)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let turns = child.stdin.take();
        let times = child.stdout.take().ok_or("no output")?;
        let mut peer = Self {
            child,
            turns,
            times: BufReader::new(times),
        };
        peer.send(1)?;
        Ok(peer)
    }

    /// One turn.
    pub(super) fn send(&mut self, commands: usize) -> Result<Vec<Duration>, Failure> {
        let turns = self.turns.as_mut().ok_or("no input")?;
        writeln!(turns, "{commands}")?;
        turns.flush()?;
        let mut line = String::new();
        self.times.read_line(&mut line)?;
        let ns = line.split_whitespace().map(str::parse::<u64>);
        let times: Vec<Duration> = ns
            .map(|ns| ns.map(Duration::from_nanos))
            .collect::<Result<_, _>>()?;
        if times.len() == commands {
            Ok(times)
        } else {
            Err("it ended in the middle of its turn".into())
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.turns.take());
        let _ended = self.child.wait();
    }
}
