use std::fs;
use std::path::Path;

use crate::card::Card;
use crate::stage::{PASSWORD, PHONE, Stage};
use crate::terminal::{new_id, outcome};

/// Every file of the bank's directory but the keys themselves, joined.
fn stored(dir: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        let secret = path.extension().is_some_and(|extension| extension == "key");
        if !secret {
            all.extend(fs::read(path).unwrap());
        }
    }
    all
}

#[track_caller]
fn absent(all: &[u8], what: &str, bytes: &[u8]) {
    let text = hex::encode(bytes);
    for form in [bytes, text.as_bytes(), text.to_uppercase().as_bytes()] {
        assert!(
            !all.windows(form.len()).any(|window| window == form),
            "{what} is stored"
        );
    }
}

#[tokio::test]
async fn no_secret_and_no_card_number_is_in_any_file_but_the_keys() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let id = new_id();
    terminal.send_code(&id, "4471", PHONE).await;
    let code = stage.newest_code("4471").await;
    let proof = terminal.verify(&id, &code).await.unwrap();
    // The next code is told from this one by its time.
    stage.clock.advance(1_000);
    assert_eq!(
        outcome(&terminal.top_up(&stage, &mut card, 5_000).await),
        "ok"
    );
    let all = stored(stage.dir.path());
    assert!(
        all.windows(11)
            .any(|window| window == b"card-float\x00" || window == b"card-float\x01")
            || all.windows(10).any(|window| window == b"card-float"),
        "the database is among them"
    );
    absent(&all, "serial", &card.serial);
    absent(&all, "serial's digits", &card.serial[2..]);
    absent(&all, "phone", PHONE.as_bytes());
    absent(&all, "SMS proof", &proof);
    absent(&all, "master key", terminal.enrolled.master_key.expose());
    absent(&all, "working key", terminal.key.as_ref().unwrap().expose());
    absent(
        &all,
        "issuer key",
        &hex::decode("00112233445566778899AABBCCDDEEFF").unwrap(),
    );
    for (what, digits) in [("password", PASSWORD), ("code", &code)] {
        // Six digits can be part of a longer number or of hex digits: alone they may not stand.
        let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
        let alone = all.windows(6).enumerate().any(|(at, window)| {
            window == digits.as_bytes()
                && !is_digit(at.checked_sub(1).and_then(|before| all.get(before)))
                && !is_digit(all.get(at + 6))
        });
        assert!(!alone, "{what} is stored");
    }
    stage.close(5_000).await;
}

#[cfg(unix)]
#[tokio::test]
async fn key_files_and_the_database_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new().await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(stage.dir.path()), 0o700);
    let mut keys = 0;
    for item in fs::read_dir(stage.dir.path()).unwrap() {
        let path = item.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "key") {
            keys += 1;
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    assert_eq!(
        keys, 8,
        "authority, server, backup, enrolment, three signers, store"
    );
    for name in ["bank.sqlite", "bank.sqlite-wal", "bank.sqlite-shm"] {
        assert_eq!(mode(&stage.dir.path().join(name)), 0o600, "{name}");
    }
    stage.close(0).await;
}
