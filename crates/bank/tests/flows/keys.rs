use bank::Clock;
use bank_client::ClientError;
use envelope::enrol::Exchange;
use envelope::package::verify_package;
use serde_json::json;

use crate::card::Card;
use crate::stage::{PASSWORD, Stage};
use crate::terminal::{Terminal, code, identify, new_id, outcome, phase, random};

const DAY_MS: u64 = 24 * 3_600_000;

#[tokio::test]
async fn an_expired_key_is_refused_and_the_same_message_goes_under_a_new_one() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    stage.clock.advance(DAY_MS - 2_000);
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let message = terminal
        .load_message(id, &mut card, (5_000, proof))
        .encode()
        .unwrap();
    stage.clock.advance(3_000);
    let refused = terminal.relay_bytes(&message).await.unwrap_err();
    assert_eq!(code(refused), "key-expired");
    let before = stage.bank.money().await.unwrap();
    terminal.fetch_key().await.unwrap();
    let answer = terminal.relay_bytes(&message).await.unwrap();
    let answer = relay::Message::parse(&answer).unwrap();
    assert_eq!(
        phase(&answer),
        "credit",
        "the password under the old key is still read"
    );
    assert_eq!(
        before.customers - stage.bank.money().await.unwrap().customers,
        5_000
    );
    card.credit(answer.body.field("credit_data").unwrap())
        .unwrap();
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_bank_that_asks_for_certificates_takes_each_terminal_by_its_own_alone() {
    let asks = |text: String| text.replacen("[bank]\n", "[bank]\nclient_certificates = true\n", 1);
    let stage = Stage::with(asks).await;
    let mut terminal = stage.terminal().await;
    let other = stage.terminal().await;
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &Card::demo()).await;
    let message = terminal.load_message(id, &mut Card::demo(), (5_000, proof));
    let sealed = terminal.seal(&message.encode().unwrap());

    // Everything else is right; the connection is another terminal's.
    let own = terminal.client.clone();
    terminal.client = other.client.clone();
    let refused = terminal.client.relay(sealed.clone()).await.unwrap_err();
    assert_eq!(code(refused), "envelope-refused");
    assert_eq!(
        code(terminal.fetch_key().await.unwrap_err()),
        "envelope-refused"
    );
    // And nobody's: the transaction server does not even speak to it, the security server enrols it.
    terminal.client = Terminal::client(&stage);
    let refused = terminal.client.relay(sealed.clone()).await.unwrap_err();
    assert_eq!(refused, ClientError::Silent);
    assert_eq!(
        code(terminal.fetch_key().await.unwrap_err()),
        "envelope-refused"
    );
    // Its number with another key is not it.
    let mut forged = terminal.enrolled.clone();
    forged.master_key = envelope::keys::MasterKey::new(random());
    identify(&terminal.client, &forged);
    let refused = terminal.client.relay(sealed.clone()).await.unwrap_err();
    assert_eq!(code(refused), "envelope-refused");

    terminal.client = own;
    let answer = terminal.client.relay(sealed).await.unwrap();
    let answer = relay::Message::parse(&terminal.open(&answer)).unwrap();
    assert_eq!(phase(&answer), "credit", "the refused ones used up nothing");
}

#[tokio::test]
async fn a_key_query_says_current_then_renew() {
    let stage = Stage::new().await;
    let terminal = stage.terminal().await;
    let ask = async |id: u32| {
        terminal
            .ask("/v1/key-query", json!({"key_id": id}))
            .await
            .unwrap()["answer"]
            .clone()
    };
    assert_eq!(ask(1).await, "current");
    assert_eq!(ask(2).await, "renew", "a key that this terminal never had");
    stage.clock.advance(DAY_MS - 2 * 3_600_000);
    assert_eq!(ask(1).await, "renew", "within the margin");
    stage.close(0).await;
}

#[tokio::test]
async fn a_counter_with_another_body_is_refused_and_noted() {
    let stage = Stage::new().await;
    let mut terminal = stage.terminal().await;
    let message = |terminal: &Terminal| {
        terminal
            .load_message(new_id(), &mut Card::demo(), (5_000, [0; 16]))
            .encode()
            .unwrap()
    };
    let first = message(&terminal);
    terminal.relay_bytes(&first).await.unwrap();
    let other = message(&terminal);
    let now_ms = stage.clock.now_ms();
    let replayed = terminal
        .client
        .relay(terminal.seal_as(&other, 1, now_ms))
        .await;
    assert_eq!(code(replayed.unwrap_err()), "replay");
    terminal.counter = 100;
    terminal.relay_bytes(&first).await.unwrap();
    let old = terminal
        .client
        .relay(terminal.seal_as(&first, 36, now_ms))
        .await;
    assert_eq!(code(old.unwrap_err()), "replay", "below the window");
    let zero = terminal
        .client
        .relay(terminal.seal_as(&first, 0, now_ms))
        .await;
    assert_eq!(code(zero.unwrap_err()), "replay");
    let inside = terminal
        .client
        .relay(terminal.seal_as(&first, 37, now_ms))
        .await;
    inside.unwrap();
    stage.close(0).await;
}

#[tokio::test]
async fn clocks_far_apart_are_told_the_banks_time() {
    let stage = Stage::new().await;
    let terminal = stage.terminal().await;
    let now_ms = stage.clock.now_ms();
    let message = terminal.load_message(new_id(), &mut Card::demo(), (5_000, [0; 16]));
    let sealed = terminal.seal_as(&message.encode().unwrap(), 1, now_ms - 10 * 365 * DAY_MS);
    let ClientError::Refused { code: said, params } =
        terminal.client.relay(sealed).await.unwrap_err()
    else {
        panic!("no refusal");
    };
    assert_eq!(
        (said.as_str(), params["time_ms"].as_str()),
        ("time-skew", now_ms.to_string().as_str())
    );
    let sealed = terminal.seal_as(&message.encode().unwrap(), 1, now_ms - 299_000);
    terminal.client.relay(sealed).await.unwrap();
    let path = "/v1/limits";
    let body = r#"{"industry":"0001"}"#;
    let proof = terminal.proof(path, random(), now_ms + 301_000, body);
    let answer = terminal
        .client
        .security(path, &proof, body.to_owned())
        .await
        .unwrap();
    assert_eq!(
        (answer.status, code(answer.refusal())),
        (409, "time-skew".to_owned())
    );
    assert!(answer.mac.is_some(), "a known terminal can trust the time");
    stage.close(0).await;
}

#[tokio::test]
async fn a_request_is_taken_once_and_only_from_its_terminal() {
    let stage = Stage::new().await;
    let (terminal, other) = (stage.terminal().await, stage.terminal().await);
    let (path, body, now_ms) = ("/v1/limits", r#"{"industry":"0001"}"#, stage.clock.now_ms());
    let proof = terminal.proof(path, random(), now_ms, body);
    let ask = async |proof: &bank_client::Proof, body: &str| {
        let answer = terminal
            .client
            .security(path, proof, body.to_owned())
            .await
            .unwrap();
        (
            answer.status,
            if answer.status == 200 {
                String::new()
            } else {
                code(answer.refusal())
            },
        )
    };
    assert_eq!(ask(&proof, body).await, (200, String::new()));
    assert_eq!(ask(&proof, body).await, (409, "replay".to_owned()));
    assert_eq!(
        ask(&proof, r#"{"industry":"0002"}"#).await,
        (403, "envelope-refused".to_owned())
    );
    let mut stolen = other.proof(path, random(), now_ms, body);
    stolen.terminal = terminal.enrolled.terminal.to_string();
    assert_eq!(
        ask(&stolen, body).await,
        (403, "envelope-refused".to_owned())
    );
    stolen.terminal = "000000000001".to_owned();
    assert_eq!(
        ask(&stolen, body).await,
        (403, "terminal-unknown".to_owned())
    );
    stolen.terminal = "x".to_owned();
    assert_eq!(ask(&stolen, body).await, (400, "bad-request".to_owned()));
    stage.close(0).await;
}

#[tokio::test]
async fn a_revoked_terminal_is_refused_everywhere() {
    let stage = Stage::new().await;
    let mut terminal = stage.terminal().await;
    let number = terminal.enrolled.terminal.to_string();
    assert!(stage.bank.revoke(&number).await.unwrap());
    assert!(!stage.bank.revoke("000000000001").await.unwrap());
    let refused = terminal
        .ask("/v1/key-query", json!({"key_id": 1}))
        .await
        .unwrap_err();
    assert_eq!(code(refused), "terminal-revoked");
    let refused = terminal.relay_bytes(b"I0001\x01").await.unwrap_err();
    assert_eq!(code(refused), "terminal-revoked");
    stage.close(0).await;
}

#[tokio::test]
async fn packages_are_signed_and_limits_are_the_configurations() {
    let stage = Stage::new().await;
    let terminal = stage.terminal().await;
    let answer = terminal.ask("/v1/packages", json!({})).await.unwrap();
    let package = &answer["packages"][0];
    assert_eq!(package["industry"], "0001");
    let signer = terminal.client.profile().package_signer_key().unwrap();
    let bytes = |name: &str| hex::decode(package[name].as_str().unwrap()).unwrap();
    verify_package(&signer, &bytes("package"), &bytes("signature")).unwrap();
    let limits = terminal
        .ask("/v1/limits", json!({"industry": "0001"}))
        .await
        .unwrap();
    let expected = json!({"min_amount": 100, "max_amount": 50_000, "max_balance": 100_000});
    assert_eq!(limits, expected);
    stage.close(0).await;
}

#[tokio::test]
async fn a_suite_below_the_lowest_and_an_unknown_key_are_refused() {
    let stage = Stage::with(|text| format!("{text}\n[keys]\nsuite = 1\nlowest_suite = 1\n")).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    assert_eq!(terminal.key.as_ref().unwrap().facts().suite.number(), 1);
    assert_eq!(
        outcome(&terminal.top_up(&stage, &mut card, 5_000).await),
        "ok",
        "suite 1 works"
    );
    let message = terminal.load_message(new_id(), &mut card.clone(), (5_000, [0; 16]));
    let mut sealed = terminal.seal(&message.encode().unwrap());
    sealed[15] = 99;
    assert_eq!(
        code(terminal.client.relay(sealed).await.unwrap_err()),
        "key-unknown"
    );
    let strict = Stage::new().await;
    let mut terminal = strict.terminal().await;
    let mut sealed = terminal.seal(&message.encode().unwrap());
    sealed[3] = 1;
    assert_eq!(
        code(terminal.client.relay(sealed).await.unwrap_err()),
        "suite-refused"
    );
    strict.close(0).await;
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_password_under_an_unknown_key_is_a_bad_message_and_costs_no_try() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let mut id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let mut message = terminal.load_message(id, &mut card, (5_000, proof));
    let mut block = terminal.pin_block(PASSWORD);
    block[3] = 77;
    message.body.pin_block = Some(block);
    assert_eq!(outcome(&terminal.relay(&message).await), "message-bad");
    id[15] = 1;
    let mut message = terminal.load_message(id, &mut card, (5_000, proof));
    message.body.pin_block = Some(terminal.pin_block("000000"));
    let wrong = terminal.relay(&message).await;
    assert_eq!(wrong.body.field("tries_left"), Some(&[2][..]));
    stage.close(0).await;
}

#[tokio::test]
async fn an_enrolment_request_is_answered_again_for_ten_minutes_and_then_never() {
    let stage = Stage::new().await;
    let client = Terminal::client(&stage);
    let key = client.profile().enrolment_hpke_key().unwrap();
    let (exchange, request) = Exchange::start(&key, &random(), None, "test").unwrap();
    let signer = client.profile().enrolment_signer_key().unwrap();
    let first = client.enrol(request.clone()).await.unwrap();
    let first = exchange.finish(&first, &signer).unwrap();
    stage.clock.advance(9 * 60_000);
    let again = client.enrol(request.clone()).await.unwrap();
    assert_eq!(
        exchange.finish(&again, &signer).unwrap().terminal,
        first.terminal
    );
    stage.clock.advance(2 * 60_000);
    assert_eq!(code(client.enrol(request).await.unwrap_err()), "replay");
    stage.close(0).await;
}

#[tokio::test]
async fn enrolments_from_one_address_are_limited() {
    let limits = "[limits]\nenrolments_per_address_per_hour = 2\n";
    let stage = Stage::with(|text| format!("{text}\n{limits}")).await;
    stage.terminal().await;
    stage.terminal().await;
    let client = Terminal::client(&stage);
    let key = client.profile().enrolment_hpke_key().unwrap();
    let start = || Exchange::start(&key, &random(), None, "test").unwrap().1;
    assert_eq!(code(client.enrol(start()).await.unwrap_err()), "too-many");
    stage.clock.advance(3_600_001);
    client.enrol(start()).await.unwrap();
    stage.close(0).await;
}

fn profile(stage: &Stage) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(&stage.bank.profile_path).unwrap()).unwrap()
}

/// The steps of operations.md.
async fn with_another_server_key(stage: Stage) -> Stage {
    stage
        .restarted_after(|store| {
            let dir = store.parent().unwrap();
            std::fs::rename(dir.join("backup.key"), dir.join("server.key")).unwrap();
        })
        .await
}

#[tokio::test]
async fn the_backup_takes_the_place_of_the_servers_key_and_old_profiles_go_on_once() {
    let stage = Stage::new().await;
    let mut terminal = stage.terminal().await;
    let mut old = profile(&stage);
    let stage = with_another_server_key(stage).await;
    let new = profile(&stage);
    assert_eq!(new["pins"][0], old["pins"][1], "the backup serves now");
    assert_ne!(
        new["pins"][1], old["pins"][0],
        "and has a backup of its own"
    );
    assert_eq!(
        new["authority_pem"], old["authority_pem"],
        "under the same authority"
    );
    let reach = |old: &mut serde_json::Value, stage: &Stage| {
        // A restarted test bank has other ports.
        for url in ["security_url", "transaction_url"] {
            old[url] = profile(stage)[url].clone();
        }
        let path = stage.dir.path().join("old-profile.json");
        std::fs::write(&path, old.to_string()).unwrap();
        Terminal::client_of(&path)
    };
    terminal.client = reach(&mut old, &stage);
    assert!(
        terminal.fetch_key().await.is_ok(),
        "a terminal with the old profile goes on, by its second pin"
    );
    let stage = with_another_server_key(stage).await;
    terminal.client = reach(&mut old, &stage);
    let refused = terminal.fetch_key().await.unwrap_err();
    assert!(
        !matches!(refused, ClientError::Refused { .. }),
        "a second change is a stranger to it: {refused}"
    );
    stage.close(0).await;
}
