//! Processes of the bank's own program, and its commands beside them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use bank_client::BankClient;
use serde_json::Value;

use crate::terminal::Terminal;

/// One process of the bank, on the addresses that it got at first.
pub(crate) struct Process {
    program: PathBuf,
    flags: &'static [&'static str],
    pub(crate) dir: PathBuf,
    config: PathBuf,
    addresses: Option<[String; 2]>,
    /// The line that it said when it was.
    pub(crate) ready: String,
    child: Option<Child>,
}

impl Process {
    /// On its folder; made when absent.
    pub(crate) fn new(program: &Path, flags: &'static [&'static str], dir: PathBuf) -> Self {
        std::fs::create_dir_all(&dir).unwrap();
        Self {
            program: program.to_owned(),
            flags,
            config: dir.with_file_name("bank.toml"),
            dir,
            addresses: None,
            ready: String::new(),
            child: None,
        }
    }

    pub(crate) fn start(&mut self) {
        let free = || ["127.0.0.1:0".to_owned(), "127.0.0.1:0".to_owned()];
        let [security, transaction] = self.addresses.clone().unwrap_or_else(free);
        let mut command = self.command(&["run", "--log", "warn"]);
        command.args(self.flags);
        command.args(["--security", &security, "--transaction", &transaction]);
        let mut log = File::options();
        let log = log.create(true).append(true).open(self.log_path());
        let log = log.unwrap();
        command.stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        (self.ready, self.child) = (line, Some(child));
        self.addresses = Some([self.address("security"), self.address("transaction")]);
    }

    /// One of those that it said.
    pub(crate) fn address(&self, name: &str) -> String {
        let mut words = self.ready.split_whitespace();
        let found = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        found
            .unwrap_or_else(|| panic!("not ready: {}{}", self.ready, self.log()))
            .to_owned()
    }

    /// A page of metrics and health, with its head.
    #[allow(dead_code)] // not everybody who runs a bank looks after it
    pub(crate) fn looked_at(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address("metrics")).unwrap();
        let host = "Host: localhost\r\nConnection: close";
        write!(stream, "GET {path} HTTP/1.1\r\n{host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn client(&self) -> BankClient {
        Terminal::client_of(&self.dir.join("profile.json"))
    }

    /// What all of it wrote on standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.with_extension("log")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).arg("--dir").arg(&self.dir);
        command.arg("--config").arg(&self.config);
        // Whatever they ask is on this machine.
        command.env("NO_PROXY", "localhost,127.0.0.1");
        command
    }

    /// Another command of the same program on the same bank, beside whatever runs.
    pub(crate) fn ask(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// The same for one that reads a line first.
    #[allow(dead_code)] // who only looks at a bank types nothing
    pub(crate) fn ask_with(&self, line: &str, words: &[&str]) -> Output {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{line}").unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    /// The same for one that prints JSON, whatever it ends with.
    pub(crate) fn told(&self, words: &[&str]) -> Value {
        let said = self.ask(words);
        let read = serde_json::from_slice(&said.stdout);
        read.unwrap_or_else(|_| panic!("{words:?}: {said:?}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

/// Keys and certificates of the bank, for its second process.
fn copy_folder(from: &Path, to: &Path) {
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        if item.file_name() != "profile.json" {
            std::fs::copy(item.path(), to.join(item.file_name())).unwrap();
        }
    }
}

/// Two running processes of one bank; `first` is the one whose keys both have.
pub(crate) fn pair(mut first: Process, configuration: &str) -> [Process; 2] {
    std::fs::write(&first.config, configuration).unwrap();
    first.start();
    let dir = first.dir.with_file_name("two");
    let mut second = Process::new(&first.program, first.flags, dir);
    copy_folder(&first.dir, &second.dir);
    second.start();
    [first, second]
}
