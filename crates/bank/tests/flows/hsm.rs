//! Issuer keys and the key of the bank's files in a PKCS#11 token.

use crate::card::Card;
use crate::process::bank;
use crate::softhsm::{Hsm, ISSUER_KEYS};

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
    let (mut terminal, mut card) = (hsm.terminal().await, Card::demo());
    hsm.top_up(&mut terminal, &mut card).await;
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
    let (code, said) = hsm.refusal();
    assert!(said.contains("hsm-unusable: bank"), "{said}");
    assert_eq!(code, Some(4), "the unit does not start it again");
    let asked = hsm.bank(&["open-loads"]).output().unwrap();
    assert_eq!(asked.status.code(), Some(4), "nor does any other command");
}
