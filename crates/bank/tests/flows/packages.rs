//! Which packages are served, to whom, and under whose signature.

use std::path::Path;

use bank::{Config, Settings, StartError};
use serde_json::{Value, json};

use crate::stage::{DEMO, Stage};

const CAMPUS: &str = include_str!("../../../../industries/0002.json");
const SECRET: [u8; 32] = [7; 32];

fn codes(answer: &Value) -> Vec<&str> {
    let packages = answer["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|it| it["industry"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_list_that_the_terminal_has_is_not_sent_again() {
    let stage = Stage::new().await;
    let terminal = stage.terminal().await;
    let first = terminal.ask("/v1/packages", json!({})).await.unwrap();
    let etag = first["etag"].as_str().unwrap();
    let again = terminal
        .ask("/v1/packages", json!({"etag": etag}))
        .await
        .unwrap();
    let before = json!({"etag": etag, "limits": first["limits"]});
    assert_eq!(again, before, "as before");
    let other = terminal
        .ask("/v1/packages", json!({"etag": "another"}))
        .await
        .unwrap();
    assert_eq!(
        codes(&other),
        codes(&first),
        "a list that is not known is answered in full"
    );
    stage.close(0).await;
}

#[tokio::test]
async fn a_bank_serves_what_it_loads_and_what_only_reads() {
    let without_campus = |text: String| {
        let from = text.find("[[industry]]\ncode = \"0002\"").unwrap();
        let to = text.find("[[industry]]\ncode = \"0003\"").unwrap();
        let text = format!("{}{}", &text[..from], &text[to..]);
        let card = "[[customer.card]]\nindustry = \"0002\"\nserial = ";
        let text = text.replace(&format!("{card}\"00008602000000005317\"\n"), "");
        text.replace(&format!("{card}\"00008602000000009064\"\n"), "")
    };
    let stage = Stage::with(without_campus).await;
    let terminal = stage.terminal().await;
    let answer = terminal.ask("/v1/packages", json!({})).await.unwrap();
    let served = codes(&answer);
    assert!(!served.contains(&"0002"), "{served:?}");
    assert!(
        served.contains(&"0001") && served.contains(&"TUNI"),
        "{served:?}"
    );
    stage.close(0).await;
}

fn signed_elsewhere(folder: &Path, signature: &[u8]) -> Config {
    std::fs::write(folder.join("campus.json"), CAMPUS).unwrap();
    std::fs::write(folder.join("campus.json.sig"), hex::encode(signature)).unwrap();
    let public = hex::encode(envelope::package::signer_public(&SECRET));
    let lines = format!("[bank]\npackages = {folder:?}\npackage_signer = \"{public}\"");
    let settings = Settings::parse(&DEMO.replacen("[bank]", &lines, 1)).unwrap();
    Config::new(&folder.join("bank"), settings).on_free_ports()
}

#[tokio::test]
async fn packages_signed_elsewhere_are_served_under_that_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let good = envelope::package::sign_package(&SECRET, CAMPUS.as_bytes());
    let bank = bank::start(signed_elsewhere(folder.path(), &good))
        .await
        .unwrap();
    let profile: Value =
        serde_json::from_slice(&std::fs::read(&bank.profile_path).unwrap()).unwrap();
    let public = hex::encode(envelope::package::signer_public(&SECRET));
    assert_eq!(profile["package_signer"], public);
    bank.stop().await;

    let bad = envelope::package::sign_package(&[8; 32], CAMPUS.as_bytes());
    let refused = bank::start(signed_elsewhere(folder.path(), &bad))
        .await
        .err();
    assert!(
        matches!(&refused, Some(StartError::Package { name, .. }) if name.contains("campus")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_recipe_that_names_what_the_package_has_not_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let text = DEMO.replacen("\"serial[2..10]\"]", "\"file15.town[0..8]\"]", 1);
    assert_ne!(text, DEMO);
    let config = Config::new(folder.path(), Settings::parse(&text).unwrap()).on_free_ports();
    let refused = bank::start(config)
        .await
        .err()
        .map(|error| error.to_string());
    assert!(
        refused
            .as_ref()
            .is_some_and(|it| it.contains("file15.town")),
        "{refused:?}"
    );
}
