//! Follows the tutorial of `docs/industry-packages.md` word by word: writes its files, makes its changes, runs its
//! commands, and wants the output that it shows.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bank_client::{BankClient, Profile};
use session::shells::{MemoryVault, SimulatedReader};
use session::{Parts, Session, SystemClock};
use tapfill_tests::Person;
use tempfile::TempDir;
use virtual_card::{AnyProfile, Slot};

const PAGE: &str = include_str!("../../../docs/industry-packages.md");
const SECTION: &str = "## A fourth industry from nothing";

/// A fenced block: its info string's words, and its text.
struct Block {
    kind: &'static str,
    about: Option<&'static str>,
    text: String,
}

fn tutorial() -> &'static str {
    let (_, rest) = PAGE.split_once(SECTION).unwrap();
    rest.split_once("\n## ").unwrap().0
}

fn blocks() -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = tutorial().lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let (kind, about) = match info.split_once(' ') {
            Some((kind, about)) => (kind, Some(about)),
            None => (info, None),
        };
        let text = lines.by_ref().take_while(|line| *line != "```");
        let text = text.map(|line| format!("{line}\n")).collect();
        found.push(Block { kind, about, text });
    }
    found
}

/// The reader's folder, and what `…` stood for in what was shown.
struct Reader {
    dir: TempDir,
    shown: String,
    seen: BTreeMap<String, String>,
    topped_up: bool,
}

impl Reader {
    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap_or_else(|why| panic!("{file}: {why}"))
    }

    /// A file as the page gives it; a line with `…` gets what a command has shown.
    fn write(&self, file: &str, text: &str) {
        let lines = text.lines().map(|line| match line.split_once('…') {
            None => format!("{line}\n"),
            Some((before, after)) => format!("{before}{}{after}\n", self.seen[before]),
        });
        std::fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        std::fs::write(self.path(file), lines.collect::<String>()).unwrap();
    }

    /// A change as people read it: lines with `-` go, lines with `+` come, the others stand.
    fn change(&self, file: &str, change: &str) {
        let side = |gone: char| -> String {
            let kept = change.lines().filter(|line| !line.starts_with(gone));
            kept.map(|line| format!("{}\n", line.get(1..).unwrap_or_default()))
                .collect()
        };
        let (before, after) = (side('+'), side('-'));
        let text = self.read(file);
        let places = text.matches(&before).count();
        assert_eq!(places, 1, "{file}: this stands there once:\n{before}");
        std::fs::write(self.path(file), text.replacen(&before, &after, 1)).unwrap();
    }

    async fn run(&mut self, command: &str, fails: bool) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words.as_slice() {
            ["cargo", "xtask", "package", rest @ ..] => {
                let mut program = Command::new(env!("CARGO_BIN_EXE_package-kit"));
                let done = program.args(rest).current_dir(self.dir.path()).output();
                let done = done.unwrap();
                self.shown = String::from_utf8(done.stdout).unwrap();
                let told = String::from_utf8_lossy(&done.stderr);
                let lines = self.shown.lines();
                let unexpected: Vec<_> = lines.filter(|it| !it.starts_with("passed")).collect();
                assert_eq!(
                    done.status.success(),
                    !fails,
                    "{command}\n{}\n{told}",
                    unexpected.join("\n")
                );
            }
            [
                "cargo",
                "xtask",
                "demo",
                "--card",
                card,
                "--bank-config",
                bank,
            ] => {
                self.top_up(card, bank).await;
            }
            _ => panic!("this test knows no `{command}`"),
        }
    }

    /// Each line that the page shows comes in what was shown, in this order.
    fn expect(&mut self, text: &str) {
        let mut rest = self.shown.as_str();
        for wanted in text.lines() {
            let parts: Vec<&str> = wanted.split('…').collect();
            let mut found = None;
            while let Some((line, after)) = rest.split_once('\n') {
                rest = after;
                if let Some(stood) = stands_for(&parts, line) {
                    found = Some(stood);
                    break;
                }
            }
            let stood = found.unwrap_or_else(|| panic!("`{wanted}` is not in:\n{}", self.shown));
            self.seen.insert(parts[0].to_owned(), stood);
        }
    }

    /// What the demo does, without its window: this bank, this card, a person at the app's session.
    async fn top_up(&mut self, card: &str, bank: &str) {
        let config = bank::Config::from_file(&self.path("bank"), &self.path(bank)).unwrap();
        let bank = bank::start(config.with_inbox().on_free_ports()).await;
        let bank = bank.unwrap_or_else(|why| panic!("{why}"));
        let profile = Profile::parse(&std::fs::read(&bank.profile_path).unwrap()).unwrap();
        let card = AnyProfile::from_file(&self.path(card)).unwrap();
        let slot = Slot::with_card(card.into_card());
        let app = self.path("app");
        let person = person(&profile, &slot, &app);
        person.ready().await.unwrap();
        let shown = person.balance().await.unwrap().card.unwrap();
        assert_eq!(
            (shown.name.en.as_str(), shown.balance),
            ("Canteen purse", 1_850)
        );
        assert_eq!(shown.industry, "0004");
        person.top_up(2_000).await.unwrap();
        let shown = person.balance().await.unwrap().card.unwrap();
        assert_eq!(shown.balance, 3_850);
        assert_eq!(
            slot.profile().unwrap().balance,
            3_850,
            "the card itself says so too"
        );
        let report = bank.check().await.unwrap();
        assert_eq!((report.findings, report.open_loads), (vec![], 0));
        bank.stop().await;
        self.topped_up = true;
    }
}

/// What `…` stands for in a line made of these parts, the first one where there are several.
fn stands_for(parts: &[&str], line: &str) -> Option<String> {
    let (first, others) = parts.split_first()?;
    let mut rest = line.strip_prefix(first)?;
    let mut stood = None;
    for (number, part) in others.iter().enumerate() {
        let last = number + 1 == others.len();
        let at = if last {
            rest.len().checked_sub(part.len())?
        } else {
            rest.find(part)?
        };
        let (before, after) = rest.split_at_checked(at)?;
        rest = after.strip_prefix(part)?;
        stood.get_or_insert(before.to_owned());
    }
    rest.is_empty().then(|| stood.unwrap_or_default())
}

fn person(profile: &Profile, slot: &Slot, dir: &Path) -> Person {
    let session = Session::start(Parts {
        reader: Arc::new(SimulatedReader::new(slot.clone())),
        bank: BankClient::new(profile.clone()).unwrap(),
        vault: Arc::new(MemoryVault::default()),
        clock: Arc::new(SystemClock),
        dir: dir.to_owned(),
        documents: dir.join("documents"),
        version: "test".to_owned(),
        development: true,
    });
    let inbox = BankClient::new(profile.clone()).unwrap();
    Person::new(session.unwrap(), inbox, "13800006021", "246810")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tutorial_leads_to_a_card_that_is_topped_up() {
    let mut reader = Reader {
        dir: tempfile::tempdir().unwrap(),
        shown: String::new(),
        seen: BTreeMap::new(),
        topped_up: false,
    };
    for Block { kind, about, text } in blocks() {
        match (kind, about) {
            ("sh", fails @ (None | Some("fails"))) => {
                for command in text.lines() {
                    reader.run(command, fails.is_some()).await;
                }
            }
            ("text", None) => reader.expect(&text),
            ("diff", Some(file)) => reader.change(file, &text),
            ("json" | "toml", Some(file)) => reader.write(file, &text),
            other => panic!("what is to be done with a block {other:?}?"),
        }
    }
    assert!(reader.topped_up, "the tutorial ends with money on the card");
    for amount in ["¥18.50", "¥38.50", "phone 13800006021", "password 246810"] {
        assert!(
            tutorial().contains(amount),
            "{amount} is what this test does"
        );
    }
    fixtures_are_the_tutorials(&reader);
}

/// The window's test runs the same industry from files: a package that is signed already, and its bank.
fn fixtures_are_the_tutorials(reader: &Reader) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/industry-0004");
    if std::env::var_os("TAPFILL_WRITE_FIXTURES").is_some() {
        for file in [
            "packages/0004.json",
            "packages/0004.json.sig",
            "card.json",
            "bank.toml",
        ] {
            std::fs::create_dir_all(fixtures.join("packages")).unwrap();
            let text = reader.read(&format!("canteen/{file}"));
            std::fs::write(fixtures.join(file), text).unwrap();
        }
    }
    let fixture = |file: &str| std::fs::read_to_string(fixtures.join(file)).unwrap_or_default();
    let again = "run this test with TAPFILL_WRITE_FIXTURES=1 to write them again";
    for file in ["packages/0004.json", "card.json"] {
        let made = reader.read(&format!("canteen/{file}"));
        assert_eq!(
            fixture(file),
            made,
            "tests/fixtures/industry-0004/{file}: {again}"
        );
    }
    let without_signer = |text: String| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("package_signer"));
        lines.map(str::to_owned).collect()
    };
    let made = without_signer(reader.read("canteen/bank.toml"));
    assert_eq!(
        without_signer(fixture("bank.toml")),
        made,
        "bank.toml: {again}"
    );
    let table: toml::Table = fixture("bank.toml").parse().unwrap();
    let signer = hex::decode(table["bank"]["package_signer"].as_str().unwrap()).unwrap();
    let signature = hex::decode(fixture("packages/0004.json.sig").trim()).unwrap();
    let package = fixture("packages/0004.json");
    let good = envelope::package::verify_package(
        &signer.try_into().unwrap(),
        package.as_bytes(),
        &signature,
    );
    assert!(good.is_ok(), "signed by the signer of its bank: {again}");
}
