//! Issuer keys and the key of the bank's files in a PKCS#11 token (SoftHSM 2, made by the test).

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bank::ManualClock;
use relay::Operation;
use serde_json::Value;

use crate::card::Card;
use crate::process::bank;
use crate::stage::{DEMO, PHONE};
use crate::terminal::{Terminal, new_id, outcome, phase};

const ISSUER_KEYS: [(&str, &str); 3] = [
    ("load", "00112233445566778899AABBCCDDEEFF"),
    ("tac", "112233445566778899AABBCCDDEEFF00"),
    ("maintenance", "33445566778899AABBCCDDEEFF001122"),
];

/// A token in a folder of its own, and a bank's configuration on it.
struct Hsm {
    dir: tempfile::TempDir,
}

impl Hsm {
    fn new() -> Self {
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
        let mut text = DEMO.to_owned();
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

    fn config(&self) -> PathBuf {
        self.dir.path().join("bank.toml")
    }

    fn bank_dir(&self) -> PathBuf {
        self.dir.path().join("bank")
    }

    fn with_token<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SOFTHSM2_CONF", self.dir.path().join("softhsm2.conf"))
    }

    fn bank(&self, words: &[&str]) -> Command {
        let mut command = bank(&self.bank_dir(), words);
        command.arg("--config").arg(self.config());
        self.with_token(&mut command);
        command
    }

    /// Runs a command that makes a key: whether it did, and what it said.
    fn make_key(&self, words: &[&str], input: &str) -> (bool, String) {
        let mut child = self.bank(words).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), said)
    }

    fn start(&self) -> Served {
        let free = "127.0.0.1:0";
        let words = ["run", "--dev", "--security", free, "--transaction", free];
        let mut child = self.bank(&words).spawn().unwrap();
        let mut line = String::new();
        let out = child.stdout.as_mut().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert!(line.starts_with("bank: ready"), "{line}");
        Served(child)
    }

    fn refused_start(&self) -> String {
        let free = "127.0.0.1:0";
        let words = ["run", "--security", free, "--transaction", free];
        let output = self.bank(&words).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

/// Ends with this value, whatever the test does.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn module() -> &'static Path {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/lib/pkcs11/libsofthsm2.so",
    ];
    let found = places.into_iter().map(Path::new).find(|path| path.exists());
    found.expect("SoftHSM 2 (package softhsm2)")
}

async fn code(terminal: &Terminal, tail: &str) -> String {
    for _ in 0..200 {
        let page = terminal.client.page("/dev/sms.json").await.unwrap();
        let inbox: Vec<Value> = serde_json::from_slice(&page).unwrap();
        if let Some(sms) = inbox.iter().find(|sms| sms["card_tail"] == tail) {
            return sms["code"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no SMS");
}

#[tokio::test]
async fn a_bank_whose_keys_are_in_a_token_loads_a_card_and_keeps_no_key_in_a_file() {
    let hsm = Hsm::new();
    assert!(hsm.refused_start().contains("hsm-unusable: files"));
    let generate = ["generate-wrapping-key", "--label", "files"];
    assert_eq!(hsm.make_key(&generate, ""), (true, String::new()));
    assert!(hsm.refused_start().contains("hsm-unusable: load-0001"));
    for (name, key) in ISSUER_KEYS {
        let label = format!("{name}-0001");
        let words = ["import-issuer-key", "--label", label.as_str()];
        assert!(hsm.make_key(&words, "0011").1.contains("16 bytes"));
        assert_eq!(hsm.make_key(&words, key), (true, String::new()));
        let (made, said) = hsm.make_key(&words, key);
        assert!(!made && said.contains("already"), "{said}");
    }

    let served = hsm.start();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let clock = Arc::new(ManualClock::new(now.as_millis().try_into().unwrap()));
    let client = Terminal::client_of(&hsm.bank_dir().join("profile.json"));
    let mut terminal = Terminal::enrol_with(client, clock).await;
    terminal.fetch_key().await.unwrap();
    let mut card = Card::demo();
    let id = new_id();
    terminal.send_code(&id, &card.tail(), PHONE).await;
    let proof = terminal
        .verify(&id, &code(&terminal, &card.tail()).await)
        .await
        .unwrap();
    let message = terminal.load_message(id, &mut card, (5_000, proof));
    let answer = terminal.relay(&message).await;
    assert_eq!(phase(&answer), "credit");
    let tac = card.credit(answer.body.field("credit_data").unwrap());
    let told = terminal.credit_message(Operation::TopUp, (id, 2), tac);
    assert_eq!(outcome(&terminal.relay(&told).await), "ok");
    drop(served);

    for entry in std::fs::read_dir(hsm.bank_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "key") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("sealed:"), "{}", path.display());
        }
    }
    let checked = hsm.bank(&["check"]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let without = bank(&hsm.bank_dir(), &["check"]).output().unwrap();
    assert!(
        String::from_utf8(without.stderr)
            .unwrap()
            .contains("sealed")
    );
    // The same token opens them again.
    drop(hsm.start());
    std::fs::write(hsm.dir.path().join("pin"), "000000").unwrap();
    assert!(hsm.refused_start().contains("hsm-unusable: bank"));
}
