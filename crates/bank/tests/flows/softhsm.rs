//! A bank whose keys are in a PKCS#11 token: SoftHSM 2, made by the test.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bank::{Clock, ManualClock, SystemClock};
use relay::{Message, Operation};

use crate::card::Card;
use crate::stage::{DEMO, PHONE};
use crate::terminal::{Terminal, inbox, new_id, outcome, phase};

pub(crate) const ISSUER_KEYS: [(&str, &str); 3] = [
    ("load", "00112233445566778899AABBCCDDEEFF"),
    ("tac", "112233445566778899AABBCCDDEEFF00"),
    ("maintenance", "33445566778899AABBCCDDEEFF001122"),
];

/// A token in a folder of its own, and a bank's configuration on it.
pub(crate) struct Hsm {
    pub(crate) dir: tempfile::TempDir,
}

impl Hsm {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tokens = dir.path().join("tokens");
        std::fs::create_dir(&tokens).unwrap();
        let conf = format!("directories.tokendir = {}\n", tokens.display());
        std::fs::write(dir.path().join("softhsm2.conf"), conf).unwrap();
        std::fs::write(dir.path().join("pin"), "123456\n").unwrap();
        let hsm = Self { dir };
        let made = hsm
            .with_token(Command::new("softhsm2-util").args([
                "--init-token",
                "--free",
                "--label",
                "bank",
                "--pin",
                "123456",
                "--so-pin",
                "654321",
            ]))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        let mut text = DEMO.replacen("[sms]\n", "[sms]\nresend_s = 0\n", 1);
        if let Some(url) = crate::engine::store() {
            let bank = format!("[bank]\nstore = \"{url}\"\n");
            text = text.replacen("[bank]\n", &bank, 1);
        }
        for (name, key) in ISSUER_KEYS {
            text = text.replace(key, &format!("hsm:{name}-0001"));
        }
        text.push_str(&format!(
            "\n[hsm]\nmodule = \"{}\"\ntoken = \"bank\"\npin_file = \"pin\"\nwrapping_key = \"files\"\n",
            module().display()
        ));
        std::fs::write(hsm.config(), text).unwrap();
        hsm
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("bank.toml")
    }

    pub(crate) fn bank_dir(&self) -> PathBuf {
        self.dir.path().join("bank")
    }

    pub(crate) fn with_token<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SOFTHSM2_CONF", self.dir.path().join("softhsm2.conf"))
    }

    pub(crate) fn bank(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bank"));
        command.arg(words[0]).arg("--dir").arg(self.bank_dir());
        command.args(&words[1..]).arg("--config").arg(self.config());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.with_token(&mut command);
        command
    }

    /// The key of the bank's files, and all issuer keys, made and imported.
    pub(crate) fn with_keys(self) -> Self {
        let generate = ["generate-wrapping-key", "--label", "files"];
        assert_eq!(self.make_key(&generate, ""), (true, String::new()));
        for (name, key) in ISSUER_KEYS {
            self.import(&format!("{name}-0001"), key);
        }
        self
    }

    pub(crate) fn import(&self, label: &str, key: &str) {
        let words = ["import-issuer-key", "--label", label];
        assert_eq!(self.make_key(&words, key), (true, String::new()), "{label}");
    }

    /// Something else in the configuration from the next start on.
    pub(crate) fn configure(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(self.config(), text.replace(from, to)).unwrap();
    }

    /// Runs a command that makes a key: whether it did, and what it said.
    pub(crate) fn make_key(&self, words: &[&str], input: &str) -> (bool, String) {
        let mut child = self.bank(words).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), said)
    }

    pub(crate) fn start(&self) -> Served {
        let free = "127.0.0.1:0";
        let words = ["run", "--dev", "--security", free, "--transaction", free];
        let mut child = self.bank(&words).spawn().unwrap();
        let mut line = String::new();
        let out = child.stdout.as_mut().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert!(line.starts_with("bank: ready"), "{line}");
        Served(child)
    }

    pub(crate) fn refused_start(&self) -> String {
        self.refusal().1
    }

    /// The exit code of a start that is refused, and what was said.
    pub(crate) fn refusal(&self) -> (Option<i32>, String) {
        let free = "127.0.0.1:0";
        let words = ["run", "--security", free, "--transaction", free];
        let output = self.bank(&words).output().unwrap();
        assert!(!output.status.success());
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    fn profile(&self) -> PathBuf {
        self.bank_dir().join("profile.json")
    }

    /// A terminal of the bank that runs, by the machine's time.
    pub(crate) async fn terminal(&self) -> Terminal {
        let clock = Arc::new(ManualClock::new(SystemClock.now_ms()));
        let client = Terminal::client_of(&self.profile());
        let mut terminal = Terminal::enrol_with(client, clock).await;
        terminal.fetch_key().await.unwrap();
        terminal
    }

    /// After a start, which has other ports.
    pub(crate) fn reach(&self, terminal: &mut Terminal) {
        terminal.client = Terminal::client_of(&self.profile());
    }

    /// Step 1 of a top-up, answered; and its id.
    pub(crate) async fn asked(
        &self,
        terminal: &mut Terminal,
        card: &mut Card,
    ) -> ([u8; 16], Message) {
        let before = inbox(&self.profile()).await.len();
        let id = new_id();
        terminal.send_code(&id, &card.tail(), PHONE).await;
        let mut sent = inbox(&self.profile()).await;
        while sent.len() == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
            sent = inbox(&self.profile()).await;
        }
        let code = sent[0]["code"].as_str().unwrap();
        let proof = terminal.verify(&id, code).await.unwrap();
        let message = terminal.load_message(id, card, (5_000, proof));
        (id, terminal.relay(&message).await)
    }

    /// A whole top-up.
    pub(crate) async fn top_up(&self, terminal: &mut Terminal, card: &mut Card) {
        let (id, answer) = self.asked(terminal, card).await;
        assert_eq!(phase(&answer), "credit");
        let tac = card.credit(answer.body.field("credit_data").unwrap());
        let told = terminal.credit_message(Operation::TopUp, (id, 2), tac);
        assert_eq!(outcome(&terminal.relay(&told).await), "ok");
    }
}

/// Ends with this value, whatever the test does.
pub(crate) struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn module() -> &'static Path {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/lib/pkcs11/libsofthsm2.so",
    ];
    let found = places.into_iter().map(Path::new).find(|path| path.exists());
    found.expect("SoftHSM 2 (package softhsm2)")
}
