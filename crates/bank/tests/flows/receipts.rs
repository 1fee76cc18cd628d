//! Receipts that anybody can check with the bank's page.

use crate::card::Card;
use crate::stage::Stage;

async fn page(stage: &Stage, query: &str) -> (u16, String) {
    let profile: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&stage.bank.profile_path).unwrap()).unwrap();
    let authority = profile["authority_pem"].as_str().unwrap();
    let authority = reqwest::Certificate::from_pem(authority.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_built_in_root_certs(false);
    let client = client.add_root_certificate(authority).build().unwrap();
    let url = profile["security_url"].as_str().unwrap();
    let answer = client
        .get(format!("{url}/receipt?{query}"))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn the_receipt_of_a_load_is_genuine_and_a_changed_one_is_not() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let end = terminal.top_up(&stage, &mut card, 5_000).await;
    let receipt = String::from_utf8(end.body.field("receipt").unwrap().to_vec()).unwrap();
    let reference = end.body.reference.clone().unwrap();
    let (status, told) = page(&stage, &receipt).await;
    assert_eq!(status, 200);
    for shown in ["¥50.00", "4471", &reference, "Demo Bank"] {
        assert!(told.contains(shown), "{shown} in {told}");
    }
    let (status, told) = page(&stage, &receipt.replace("a=5000", "a=9000")).await;
    assert_eq!(status, 404);
    assert!(
        !told.contains("90.00"),
        "a changed receipt shows nothing of itself"
    );
    let (status, _) = page(&stage, "r=<script>alert(1)</script>&s=00").await;
    assert_eq!(status, 404);
    stage.close(5_000).await;
}

#[tokio::test]
async fn the_profile_names_the_address_for_strangers_browsers_when_there_is_one() {
    let named = |text: String| {
        text.replacen(
            "[bank]",
            "[bank]\nreceipt_url = \"https://pay.bank.example\"",
            1,
        )
    };
    for (stage, url) in [
        (Stage::new().await, serde_json::Value::Null),
        (Stage::with(named).await, "https://pay.bank.example".into()),
    ] {
        let profile = std::fs::read(&stage.bank.profile_path).unwrap();
        let profile: serde_json::Value = serde_json::from_slice(&profile).unwrap();
        assert_eq!(profile["receipt_url"], url);
        stage.close(0).await;
    }
}
