//! What `docs/operations.md` tells an operator to do, done.

use std::path::Path;
use std::sync::Arc;

use bank::{Clock, ManualClock, Settings, SystemClock};
use bank_client::ClientError;
use serde_json::json;

use crate::card::Card;
use crate::program::Process;
use crate::stage::{DEMO, PHONE, Stage};
use crate::terminal::{Terminal, inbox, new_id, outcome, phase};

pub(crate) const DOCUMENT: &str = include_str!("../../../../docs/operations.md");

/// Whatever the document says that runs the program, with its options.
fn commands() -> Vec<&'static str> {
    let blocks = DOCUMENT.split("```").skip(1).step_by(2);
    let lines = blocks
        .flat_map(str::lines)
        .map(|line| line.strip_prefix("sudo -u tapfill-bank ").unwrap_or(line));
    let inline = named(DOCUMENT).into_iter();
    let inline = inline.filter(|text| text.contains(" --dir "));
    lines
        .chain(inline)
        .filter_map(|line| line.strip_prefix("bank "))
        .collect()
}

/// Words of a command; what stands in brackets is left out or not, as asked.
fn words(command: &str, whole: bool) -> Vec<String> {
    let mut text = command.to_owned();
    if !whole {
        while let (Some(from), Some(to)) = (text.find('['), text.find(']')) {
            text.replace_range(from..=to, "");
        }
    }
    let text = text.replace(['[', ']'], "");
    let parts = text.split('"').enumerate();
    let quoted = parts.flat_map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    quoted.collect()
}

#[test]
fn every_command_of_the_document_is_understood() {
    let all = commands();
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    assert!(all.len() > 12, "{all:?}");
    for command in all {
        for whole in [true, false] {
            let words = words(command, whole).into_iter().map(|word| {
                let is_place = ["DIR", "NEW", "/var/lib/tapfill-bank"].contains(&word.as_str());
                match word.as_str() {
                    _ if is_place => nowhere.display().to_string(),
                    "ROLE" => "viewer".to_owned(),
                    "ANCHOR" => format!("0:1:{}", "00".repeat(32)),
                    _ => word,
                }
            });
            let said = std::process::Command::new(env!("CARGO_BIN_EXE_bank"))
                .args(words)
                .stdin(std::process::Stdio::null())
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&said.stderr).into_owned();
            assert_eq!(said.status.code(), Some(1), "bank {command}: {told}");
        }
    }
    assert!(!nowhere.exists(), "no command made a bank");
}

/// Texts in backticks.
pub(crate) fn named(text: &str) -> Vec<&str> {
    let outside_blocks = text.split("```").step_by(2);
    outside_blocks
        .flat_map(|part| part.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_field_that_the_document_names_is_one_of_the_configuration() {
    let sections = [
        "bank", "keys", "sms", "password", "limits", "hsm", "core", "customer",
    ];
    let files = ["key", "pem", "toml", "sqlite"];
    let mut seen = 0;
    for name in named(DOCUMENT) {
        let Some((section, field)) = name.split_once('.') else {
            continue;
        };
        let is_word = |text: &str| text.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
        if !sections.contains(&section) || !is_word(field) || files.contains(&field) {
            continue;
        }
        let head = match section {
            "bank" => String::new(),
            "customer" => "[[customer]]\n".to_owned(),
            other => format!("[{other}]\n"),
        };
        let text = format!("[bank]\nname = \"B\"\n{head}{field} = {{ nothing = 1 }}\n");
        let refused = Settings::parse(&text).err().map(|it| it.to_string());
        let refused = refused.unwrap_or_default();
        assert!(
            !refused.contains(&format!("unknown field `{field}`")),
            "{name}: {refused}"
        );
        seen += 1;
    }
    assert!(seen > 12, "{seen} fields are named");
}

/// A profile from before, with the addresses of now.
fn client(stage: &Stage, old: &serde_json::Value) -> bank_client::BankClient {
    let new: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&stage.bank.profile_path).unwrap()).unwrap();
    let mut old = old.clone();
    for url in ["security_url", "transaction_url"] {
        old[url] = new[url].clone();
    }
    let path = stage.dir.path().join("old-profile.json");
    std::fs::write(&path, old.to_string()).unwrap();
    Terminal::client_of(&path)
}

fn profile(stage: &Stage) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(&stage.bank.profile_path).unwrap()).unwrap()
}

async fn without(stage: Stage, files: &[&str]) -> Stage {
    let away = |store: &Path| {
        for file in files {
            std::fs::remove_file(store.with_file_name(file)).unwrap();
        }
    };
    stage.restarted_after(away).await
}

async fn enrols(client: bank_client::BankClient) -> bool {
    let profile = client.profile();
    let bank_key = profile.enrolment_hpke_key().unwrap();
    let signer = profile.enrolment_signer_key().unwrap();
    let seed = crate::terminal::random();
    let started = envelope::enrol::Exchange::start(&bank_key, &seed, None, "test");
    let (exchange, request) = started.unwrap();
    match client.enrol(request).await {
        Ok(answer) => exchange.finish(&answer, &signer).is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn keys_that_are_moved_away_change_what_the_document_says_and_nothing_else() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let old = profile(&stage);
    let stage = without(stage, &["enrolment.key", "enrolment-signer.key"]).await;
    let reached = client(&stage, &old);
    assert!(!enrols(reached.clone()).await, "old profiles can't enrol");
    assert!(enrols(client(&stage, &profile(&stage))).await);
    terminal.client = reached;
    stage.clock.advance(1_000);
    let done = terminal.top_up(&stage, &mut card, 1_000).await;
    assert_eq!(outcome(&done), "ok", "enrolled terminals go on");

    let stage = without(stage, &["package-signer.key"]).await;
    terminal.client = client(&stage, &old);
    let answer = terminal.ask("/v1/packages", json!({})).await.unwrap();
    assert!(answer["packages"].as_array().is_some());
    assert_ne!(profile(&stage)["package_signer"], old["package_signer"]);

    let before = profile(&stage);
    let stage = without(stage, &["receipt-signer.key"]).await;
    for name in [
        "pins",
        "authority_pem",
        "enrolment_signer",
        "package_signer",
    ] {
        assert_eq!(profile(&stage)[name], before[name], "it is in no profile");
    }

    let before = profile(&stage);
    let stage = without(stage, &["authority.key", "authority.pem"]).await;
    terminal.client = client(&stage, &before);
    let refused = terminal.fetch_key().await.unwrap_err();
    assert!(
        matches!(refused, ClientError::Untrusted(_)),
        "an app with the old profile refuses the bank: {refused}"
    );
    terminal.reach(&stage);
    assert!(terminal.fetch_key().await.is_ok(), "with the new one");
    stage.close(1_000).await;
}

const PASSWORD_OF_OPERATORS: &str = "a long enough one";

/// A bank of the program, configured as the document says.
fn installed(folder: &Path, store: Option<&str>) -> Process {
    let url = store.map(|url| format!("store = \"{url}\"\n"));
    let bank = format!(
        "[bank]\nmetrics = \"127.0.0.1:0\"\n{}",
        url.unwrap_or_default()
    );
    let text = DEMO.replacen("[bank]\n", &bank, 1);
    let text = text.replacen("[sms]\n", "[sms]\nresend_s = 0\n", 1);
    std::fs::write(folder.join("bank.toml"), text).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_bank"));
    Process::new(program, &["--dev"], folder.join("bank"))
}

async fn issued(bank: &Process, terminal: &mut Terminal, card: &mut Card) -> [u8; 16] {
    let profile = bank.dir.join("profile.json");
    let before = inbox(&profile).await.len();
    let id = new_id();
    terminal.send_code(&id, &card.tail(), PHONE).await;
    let mut sent = inbox(&profile).await;
    while sent.len() == before {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        sent = inbox(&profile).await;
    }
    let code = sent[0]["code"].as_str().unwrap();
    let proof = terminal.verify(&id, code).await.unwrap();
    let answer = terminal.load_message(id, card, (1_000, proof));
    let answer = terminal.relay(&answer).await;
    assert_eq!(phase(&answer), "credit");
    card.credit(answer.body.field("credit_data").unwrap());
    id
}

async fn top_up(bank: &Process, terminal: &mut Terminal, card: &mut Card) {
    let id = issued(bank, terminal, card).await;
    let tac = card.prove(card.counter).unwrap();
    let tac = Some(tac[4..].try_into().unwrap());
    let told = terminal.credit_message(relay::Operation::TopUp, (id, 2), tac);
    assert_eq!(outcome(&terminal.relay(&told).await), "ok");
}

fn copied(bank: &Process, backup: &str, elsewhere: &Path) {
    let store = crate::engine::store();
    let other = installed(elsewhere, store.as_deref());
    crate::backup::copy_keys(&bank.dir, &other.dir);
    let restored = other.told(&["restore", "--file", backup]);
    assert_eq!(restored["findings"], json!([]), "{restored}");
    let again = other.ask(&["restore", "--file", backup]);
    assert_eq!(again.status.code(), Some(1), "never over a bank");
    assert!(other.ask(&["check"]).status.success());
    assert!(other.ask(&["audit", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_is_run_looked_at_copied_and_restored_as_the_document_says() {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::engine::store();
    let mut bank = installed(folder.path(), store.as_deref());
    bank.start();
    for name in ["chen", "wang"] {
        let kept = bank.ask_with(PASSWORD_OF_OPERATORS, &["operator", "--name", name]);
        assert!(kept.status.success(), "{kept:?}");
    }
    for path in ["/health/live", "/health/ready", "/metrics"] {
        let answer = bank.looked_at(path);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    let clock = Arc::new(ManualClock::new(SystemClock.now_ms()));
    let mut terminal = Terminal::enrol_with(bank.client(), clock).await;
    terminal.fetch_key().await.unwrap();
    let mut card = Card::demo();
    top_up(&bank, &mut terminal, &mut card).await;
    let anchor = bank.told(&["audit", "verify"]);
    let anchor = anchor["anchor"].as_str().unwrap();

    // Loads run while it is copied.
    let file = folder.path().join("backup.jsonl");
    let file = file.to_str().unwrap();
    let saved = std::thread::scope(|scope| {
        let saving = scope.spawn(|| bank.ask(&["backup", "--file", file]));
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for _ in 0..3 {
                    top_up(&bank, &mut terminal, &mut card).await;
                }
            });
        });
        saving.join().unwrap()
    });
    assert!(
        String::from_utf8(saved.stdout)
            .unwrap()
            .ends_with(" rows\n")
    );
    assert!(!bank.ask(&["backup", "--file", file]).status.success());
    copied(&bank, file, tempfile::tempdir().unwrap().path());

    issued(&bank, &mut terminal, &mut card).await;
    let open = bank.told(&["open-loads"]);
    let reference = open[0]["reference"].as_str().unwrap();
    let end = [
        "--reference",
        reference,
        "--evidence",
        "seen at the counter",
    ];
    for (words, said) in [
        (&["lost-card", "--name", "chen"][..], "taken-over\n"),
        (
            &["decide", "--name", "chen", "--as", "loaded"],
            "proposed\n",
        ),
        (&["decide", "--name", "wang", "--as", "loaded"], "decided\n"),
    ] {
        let done = bank.ask_with(PASSWORD_OF_OPERATORS, &[words, &end].concat());
        assert_eq!(String::from_utf8(done.stdout).unwrap(), said);
    }
    assert_eq!(bank.told(&["open-loads"]), json!([]));
    assert_eq!(bank.told(&["queue", "list"]), json!([]));
    let verified = bank.ask(&["audit", "verify", "--anchor", anchor]);
    assert!(verified.status.success(), "{verified:?}");
    let day = bank::Day::of_ms(SystemClock.now_ms()).unwrap().to_string();
    let out = folder.path().join("day.csv");
    let words = ["reconcile", "--day", &day, "--out", out.to_str().unwrap()];
    assert!(bank.ask(&words).status.success());
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains("moved,credit,"), "{text}");
    let checked = bank.told(&["check"]);
    assert_eq!(checked["findings"], json!([]));
    assert_eq!(checked["money"]["card_float"], 5_000);
}

#[tokio::test]
async fn a_command_that_is_given_a_wrong_folder_finds_no_bank_and_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::engine::store();
    let mut bank = installed(folder.path(), store.as_deref());
    bank.start();
    bank.kill();
    let elsewhere = Process::new(
        Path::new(env!("CARGO_BIN_EXE_bank")),
        &["--dev"],
        folder.path().join("elsewhere"),
    );
    let all: [&[&str]; 7] = [
        &["check"],
        &["audit", "verify"],
        &["reconcile", "--day", "2026-11-23"],
        &["open-loads"],
        &["queue", "list"],
        &["operator", "--name", "chen"],
        &["revoke", "--terminal", "000000000001"],
    ];
    for words in all {
        let refused = elsewhere.ask_with(PASSWORD_OF_OPERATORS, words);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains("there is no bank here"), "{words:?}: {said}");
        let left = std::fs::read_dir(&elsewhere.dir).unwrap().count();
        assert_eq!(left, 0, "{words:?} made something");
    }
    // The keys of another bank are no alarm about this one's books.
    std::fs::write(bank.dir.join("store.key"), "07".repeat(32)).unwrap();
    for words in [&["check"][..], &["audit", "verify"]] {
        let refused = bank.ask(words);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains("another store.key"), "{words:?}: {said}");
    }
}

#[tokio::test]
async fn an_older_program_does_not_start_on_a_newer_schema() {
    use sqlx::{ConnectOptions, Connection};

    let stage = Stage::new().await;
    let config = stage.config();
    let Stage {
        dir, store, bank, ..
    } = stage;
    bank.stop().await;
    let row =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of later', TRUE,";
    if let Some(url) = store {
        let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
        let sql = sqlx::AssertSqlSafe(format!("{row} '', 0)"));
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    } else {
        let path = dir.path().join("bank.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut conn = options.connect().await.unwrap();
        let sql = sqlx::AssertSqlSafe(format!("{row} x'', 0)"));
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    }
    let refused = bank::start(config).await.err().unwrap().to_string();
    assert!(refused.contains("store-unusable"), "{refused}");
    assert!(refused.contains("9999"), "{refused}");
}
