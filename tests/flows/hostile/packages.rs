//! Packages that nobody should take, from a bank in wrong hands: each is refused with a text of its own, and the
//! good one stays in use.

use envelope::package::{sign_package, signer_public};
use ipc::{Code, Command};
use serde_json::{Value, json};

use crate::stage::{CARD_BEFORE, Stage};

pub(crate) fn shipped(code: &str) -> &'static str {
    let found = industries::ALL
        .iter()
        .find(|(file, _)| file.starts_with(code));
    found.unwrap().1
}

/// The bank's own secret: whoever holds it signs what he likes.
fn secret(stage: &Stage) -> [u8; 32] {
    let text = std::fs::read_to_string(stage.dir.path().join("bank/package-signer.key"));
    hex::decode(text.unwrap().trim())
        .unwrap()
        .try_into()
        .unwrap()
}

/// As the bank offers it.
pub(crate) fn offer(stage: &Stage, industry: &str, version: u32, text: &str) -> Value {
    signed(&secret(stage), industry, version, text)
}

fn signed(secret: &[u8; 32], industry: &str, version: u32, text: &str) -> Value {
    json!({
        "industry": industry,
        "version": version,
        "package": hex::encode(text),
        "signature": hex::encode(sign_package(secret, text.as_bytes())),
        "signer": hex::encode(signer_public(secret)),
    })
}

/// Every bad offer with the code that it is refused by.
fn bad(stage: &Stage) -> Vec<(Code, Value)> {
    let next = shipped("0001").replacen(r#""version": 1"#, r#""version": 2"#, 1);
    let good = offer(stage, "0001", 2, &next);
    let without = |member: &str| {
        let mut changed = good.clone();
        changed.as_object_mut().unwrap().remove(member);
        changed
    };
    let change = |from: &str, to: &str| {
        assert!(next.contains(from), "{from}");
        offer(stage, "0001", 2, &next.replacen(from, to, 1))
    };
    let mut altered = good.clone();
    altered["package"] = json!(hex::encode(next.replacen("100000", "900000", 1)));
    let mut same_version = offer(stage, "0001", 1, shipped("0001"));
    same_version["package"] = json!(hex::encode(shipped("0001").replacen("100000", "900000", 1)));
    let mut same_unsigned = offer(stage, "0001", 1, shipped("0001"));
    same_unsigned["signature"] = json!("");
    let many = format!(
        r#""steps": [{} {{ "run": "credit" }}]"#,
        r#"{ "run": "read_uid" },"#.repeat(1_500)
    );
    let deep = format!(r#""currency": {}"#, "[".repeat(20_000));
    vec![
        (Code::PackageUnsigned, without("signature")),
        (Code::PackageUnsigned, same_unsigned),
        (Code::PackageAltered, altered),
        (Code::PackageAltered, same_version),
        (Code::PackageSigner, signed(&[9; 32], "0001", 2, &next)),
        (
            Code::PackageOlder,
            offer(
                stage,
                "0001",
                1,
                &shipped("0001").replacen("Transit purse", "Other purse", 1),
            ),
        ),
        (
            Code::PackageEarly,
            change(r#""version": 2"#, r#""version": 2, "valid_from": 20991231"#),
        ),
        (
            Code::PackageField,
            change(r#""version": 2"#, r#""version": 2, "script": "80540100""#),
        ),
        (
            Code::PackageField,
            change(r#"{ "run": "read_uid" }"#, r#"{ "apdu": "80540100" }"#),
        ),
        (
            Code::PackageOversized,
            offer(stage, "0001", 2, &format!("{next}{}", " ".repeat(70_000))),
        ),
        (
            Code::PackageCommand,
            change(
                "805C0002 04",
                "80540100 0F 00000001 00000000000000 00000000 08",
            ),
        ),
        (
            Code::PackageCommand,
            change(r#"{ "run": "select" }"#, r#"{ "run": "debit" }"#),
        ),
        (
            Code::PackageEndless,
            change(r#""repeat": 10"#, r#""repeat": 10000"#),
        ),
        (
            Code::PackageEndless,
            change(r#""steps": [{ "run": "credit" }]"#, &many),
        ),
        (
            Code::PackageBomb,
            change(r#""version": 2"#, r#""version": 1e300"#),
        ),
        (Code::PackageBomb, change(r#""currency": "CNY""#, &deep)),
        // 42 kB that some would unpack to gigabytes: nobody here unpacks anything.
        (
            Code::PackageBad,
            offer(stage, "0001", 2, &"\u{1f}\u{8b}\u{8}\0".repeat(10_000)),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_package_is_told_by_its_code_and_the_good_one_goes_on_working() {
    let mut stage = Stage::ready().await;
    let liar = stage.lied_to();
    stage.person.ready().await.unwrap();
    for (number, (code, offer)) in bad(&stage).into_iter().enumerate() {
        liar.serve(&[offer]);
        stage.person.give(Command::RenewKey).await.unwrap();
        let view = stage.person.look();
        let told: Vec<_> = view.refused_packages.iter().map(|it| it.code).collect();
        assert_eq!(told, [code], "offer {number}");
        assert!(!view.refused_packages[0].why.is_empty());
        assert_eq!(view.refused_packages[0].industry, "0001");
        let known = |it: &&ipc::PackageView| it.industry == "0001";
        let used = view.packages.iter().find(known).unwrap();
        assert_eq!((used.version, used.covers.len()), (1, 4), "{code:?}");
        let read = stage.person.balance().await.unwrap().card.unwrap();
        assert_eq!(i64::from(read.balance), CARD_BEFORE, "{code:?}");
    }
    // The last refusal still shows, and money moves by the good package.
    stage.person.top_up(500).await.unwrap();
    assert_eq!(stage.card_balance(), CARD_BEFORE + 500);
    liar.honest();
    stage.person.give(Command::RenewKey).await.unwrap();
    assert_eq!(
        stage.person.look().refused_packages,
        vec![],
        "heals by itself"
    );
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_package_of_the_bank_is_taken_among_bad_ones_and_stays_after_a_start() {
    let mut stage = Stage::ready().await;
    let liar = stage.lied_to();
    stage.person.ready().await.unwrap();
    let newer = shipped("0001").replacen(r#""version": 1"#, r#""version": 5"#, 1);
    let mut offers: Vec<_> = bad(&stage).into_iter().map(|(_, offer)| offer).collect();
    let count = offers.len();
    offers.insert(3, offer(&stage, "0001", 5, &newer));
    liar.serve(&offers);
    stage.person.give(Command::RenewKey).await.unwrap();
    let version = |view: &ipc::AppView| {
        let known = |it: &&ipc::PackageView| it.industry == "0001";
        view.packages.iter().find(known).map(|it| it.version)
    };
    let view = stage.person.look();
    assert_eq!(
        (version(&view), view.refused_packages.len()),
        (Some(5), count)
    );
    // The bank itself has version 1: a step back that nobody takes.
    stage.restart_app();
    stage.person.ready().await.unwrap();
    let told = |view: &ipc::AppView| !view.refused_packages.is_empty();
    let view = stage.person.until("a refusal", told).await.unwrap();
    assert_eq!(view.refused_packages[0].code, Code::PackageOlder);
    assert_eq!(version(&view), Some(5));
    stage.person.top_up(300).await.unwrap();
    stage.healed().await;
}
