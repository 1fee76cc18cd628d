//! I20: no key, code, password or full card number in any log, file, database column or message to the page.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use session::shells::KeyVault;

use crate::stage::Stage;

static LOG: Mutex<String> = Mutex::new(String::new());

struct Keep;

impl log::Log for Keep {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut log = LOG.lock().unwrap();
        log.push_str(&format!("{}\n", record.args()));
    }

    fn flush(&self) {}
}

/// Every byte of every file under `dir`, apart from what is meant to hold secrets.
fn files(dir: &Path, found: &mut Vec<u8>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_none_or(|extension| extension != "key") {
            found.extend(fs::read(&path).unwrap());
        }
    }
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole
        .windows(part.len())
        .any(|window| window.eq_ignore_ascii_case(part))
}

/// What a line of a trace may hold: nothing that was typed, read, sent or reckoned.
fn only_known_members(number: usize, line: &serde_json::Value) {
    const KNOWN: [&str; 26] = [
        "at_ms",
        "event",
        "version",
        "enrolled",
        "pending",
        "reader",
        "state",
        "insertions",
        "closed",
        "does",
        "kind",
        "code",
        "fault",
        "ms",
        "head",
        "sent",
        "status",
        "got",
        "path",
        "outcome",
        "kept",
        "phase",
        "trouble",
        "screen",
        "stage",
        "step",
    ];
    const ON_SCREEN: [&str; 3] = ["place", "contact", "resume"];
    let Some(members) = line.as_object() else {
        return;
    };
    for (name, value) in members {
        let known = KNOWN.contains(&name.as_str()) || ON_SCREEN.contains(&name.as_str());
        assert!(known, "line {number}: {name}");
        if name == "head" {
            assert!(value.as_str().unwrap().len() <= 10, "5 bytes: {value}");
        }
        only_known_members(number, value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stays_anywhere_after_a_full_run() {
    log::set_logger(&Keep).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let stage = Stage::ready().await;
    let mut views = stage.person.session.view();
    let seen = tokio::spawn(async move {
        let mut all = String::new();
        while views.changed().await.is_ok() {
            all.push_str(&serde_json::to_string(&*views.borrow_and_update()).unwrap());
        }
        all
    });
    stage.person.balance().await.unwrap();
    stage.person.top_up(1_000).await.unwrap();
    stage.slot.arm(virtual_card::Fault::Tear {
        ins: Some(0x52),
        moment: virtual_card::Moment::After,
        nth: 1,
    });
    let _ = stage.person.top_up(1_000).await;
    let codes = stage.person.codes().await.unwrap();
    assert_eq!(codes.len(), 2);
    stage.insert();
    let back = |v: &ipc::AppView| v.reader.state == ipc::ReaderKind::Card;
    stage.person.until("the card", back).await.unwrap();
    stage.person.resume().await.unwrap();
    let exported = stage.person.give(ipc::Command::ExportTrace).await.unwrap();
    let ipc::Reply::Exported { path } = exported else {
        panic!("a path")
    };
    let trace = fs::read_to_string(path).unwrap();
    assert!(
        trace.contains("card-lost") && trace.contains("80520000"),
        "{trace}"
    );
    let view = stage.person.look();
    let terminal = view.terminal.unwrap().id;
    let receipt = view.transaction.unwrap().receipt.unwrap();
    let reference = receipt.reference.unwrap();
    for private in ["4471", "13800006021", "246810", &terminal, &reference] {
        assert!(!trace.contains(private), "{private} in a trace: {trace}");
    }
    for code in &codes {
        assert!(!trace.contains(&format!("\"{code}\"")), "an SMS code");
    }
    for (number, line) in trace.lines().skip(1).enumerate() {
        only_known_members(number, &serde_json::from_str(line).unwrap());
    }
    let master = stage.vault.load("master-key").unwrap().unwrap();
    let master = &master[8..];
    stage.healed().await;

    let Stage { person, dir, .. } = stage;
    let page = serde_json::to_string(&person.look()).unwrap();
    drop(person);
    let mut whole = seen.await.unwrap().into_bytes();
    whole.extend(page.into_bytes());
    assert!(contains(&whole, b"4471"), "the tail may show");
    files(dir.path(), &mut whole);
    whole.extend(LOG.lock().unwrap().as_bytes());
    assert!(whole.len() > 10_000, "there is something to look through");
    let issuer = [
        "00112233445566778899aabbccddeeff",
        "112233445566778899aabbccddeeff00",
        "33445566778899aabbccddeeff001122",
    ];
    for key in issuer {
        assert!(!contains(&whole, key.as_bytes()), "an issuer key as text");
        assert!(
            !contains(&whole, &hex::decode(key).unwrap()),
            "an issuer key"
        );
    }
    assert!(!contains(&whole, master), "the terminal's master key");
    assert!(
        !contains(&whole, hex::encode(master).as_bytes()),
        "the master key as text"
    );
    assert!(
        !contains(&whole, b"00006217000000004471"),
        "the card number as text"
    );
    assert!(
        !contains(&whole, &hex::decode("00006217000000004471").unwrap()),
        "the card number"
    );
    assert!(!contains(&whole, b"13800006021"), "the phone number");
    assert!(!contains(&whole, b"246810"), "the password");
    for code in codes {
        let quoted = format!("\"{code}\"");
        assert!(
            !contains(&whole, quoted.as_bytes()),
            "the code in a message or file"
        );
        assert!(
            !contains(LOG.lock().unwrap().as_bytes(), code.as_bytes()),
            "the code in a log"
        );
    }
}
