//! What strangers, floods and too much work do to a bank that listens.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bank_client::ClientError;
use relay::{Message, Operation};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;

use crate::card::Card;
use crate::metered;
use crate::stage::{PHONE, Stage};
use crate::terminal::{Terminal, code, new_id, outcome};

type Peer = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// TLS as a stranger begins it who knows the bank's authority.
fn hello(stage: &Stage) -> rustls::ClientConnection {
    let profile = Terminal::client(stage).profile().clone();
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(profile.authority_pem.as_bytes());
    roots.add(authority.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    rustls::ClientConnection::new(Arc::new(config), name).unwrap()
}

/// A connection over TLS; an error when the bank closes it.
fn peer(stage: &Stage, address: SocketAddr) -> std::io::Result<Peer> {
    let mut connection = hello(stage);
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    Ok(rustls::StreamOwned::new(connection, socket))
}

fn limits(text: String, lines: &str) -> String {
    metered::watched(format!("{text}\n[limits]\n{lines}\n"))
}

/// Everything until the bank closes the connection.
fn answer(peer: &mut Peer) -> String {
    let mut all = Vec::new();
    let mut some = [0; 4_096];
    while let Ok(read) = peer.read(&mut some) {
        if read == 0 {
            break;
        }
        all.extend(&some[..read]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_send_bodies_by_drops_hold_nobody_up() {
    let short = "concurrent_requests = 4\nrequest_timeout_ms = 2000";
    let stage = Stage::with(|text| limits(text, short)).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let head = "POST /v1/relay HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf";
    let mut slow: Vec<Peer> = Vec::new();
    for _ in 0..12 {
        let mut one = peer(&stage, stage.bank.transaction_addr).unwrap();
        one.write_all(head.as_bytes()).unwrap();
        one.flush().unwrap();
        slow.push(one);
    }
    let done = terminal
        .ask("/v1/limits", json!({"industry": "0001"}))
        .await;
    assert_eq!(done.unwrap()["min_amount"], 100, "the other server is free");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    for mut one in slow {
        let said = answer(&mut one).to_lowercase();
        assert!(said.starts_with("http/1.1 503"), "no effect: {said}");
        assert!(said.contains("retry-after: "), "{said}");
    }
    let done = terminal.top_up(&stage, &mut card, 5_000).await;
    assert_eq!(outcome(&done), "ok");
    stage.close(5_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_comes_by_drops_or_is_too_long_ends_the_connection() {
    let stage = Stage::new().await;
    let address = stage.bank.security_addr;
    let mut long = peer(&stage, address).unwrap();
    let filler = "x".repeat(40_000);
    let head = format!("GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: {filler}\r\n\r\n");
    let _cut = long.write_all(head.as_bytes());
    let said = answer(&mut long);
    assert!(
        said.is_empty() || said.starts_with("HTTP/1.1 431"),
        "{said}"
    );
    let mut drops = peer(&stage, address).unwrap();
    let mut mute = peer(&stage, address).unwrap();
    let started = Instant::now();
    let mut open = drops
        .write_all(b"GET /v1/health HTTP/1.1\r\nHost: local")
        .is_ok();
    while open && started.elapsed() < Duration::from_secs(25) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        open = drops.write_all(b"X").and_then(|()| drops.flush()).is_ok();
    }
    assert!(!open, "cut off while it still sent");
    assert_eq!(
        answer(&mut mute),
        "",
        "nobody may be silent for ever either"
    );
    assert!(started.elapsed() < Duration::from_secs(25));
    stage.close(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_long_is_refused_before_it_has_come() {
    let stage = Stage::new().await;
    let (transaction, security) = (stage.bank.transaction_addr, stage.bank.security_addr);
    for (address, path) in [
        (transaction, "/v1/relay"),
        (security, "/v1/enrol"),
        (security, "/v1/sms/send"),
        (security, "/v1/queue/open"),
    ] {
        for length in [
            "Content-Length: 999999999\r\n",
            "Transfer-Encoding: chunked\r\n",
        ] {
            let mut one = peer(&stage, address).unwrap();
            let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n");
            one.write_all(head.as_bytes()).unwrap();
            let (said, sent) = flooded(&mut one);
            let cut_off = said.is_empty() && sent > 0;
            let refused = said.starts_with("HTTP/1.1 413");
            assert!(cut_off || refused, "{path}, {length}{said}");
        }
    }
    stage.close(0).await;
}

/// Sends a body of half a megabyte, in chunks, as far as the bank lets it; what the bank said, and how much was sent.
fn flooded(peer: &mut Peer) -> (String, usize) {
    let mut sent = 0;
    for _ in 0..64 {
        let chunk = format!("{:x}\r\n{}\r\n", 8_192, "a".repeat(8_192));
        if peer.write_all(chunk.as_bytes()).is_err() {
            break;
        }
        sent += chunk.len();
    }
    (answer(peer), sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_share_of_an_address_are_closed_and_come_back_when_others_go() {
    let stage = Stage::with(|text| limits(text, "connections_per_address = 3")).await;
    let address = stage.bank.security_addr;
    let mut held: Vec<Peer> = Vec::new();
    for _ in 0..3 {
        held.push(peer(&stage, address).unwrap());
    }
    assert!(
        peer(&stage, address).is_err(),
        "the fourth is closed before TLS begins"
    );
    let metrics = stage.bank.metrics_addr.unwrap();
    let (_, text) = metered::get(metrics, "/metrics").await;
    assert!(text.contains("tapfill_bank_connections 3\n"), "{text}");
    assert!(
        text.contains("tapfill_bank_connections_refused_total 1\n"),
        "{text}"
    );
    drop(held);
    let mut again = peer(&stage, address);
    for _ in 0..50 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        again = peer(&stage, address);
    }
    assert!(again.is_ok(), "room again");
    drop(again);
    stage.close(0).await;
}

/// How long whoever was refused so is told to wait.
fn wait_ms(expected: &str, error: ClientError) -> u64 {
    let ClientError::Refused { code, params } = error else {
        panic!("no refusal of the bank: {error}");
    };
    assert_eq!(code, expected);
    params["retry_after_ms"].parse().unwrap()
}

#[tokio::test]
async fn a_terminal_that_asks_without_a_pause_is_told_to_wait_and_others_are_not() {
    let few = "requests_per_terminal_per_minute = 60";
    let stage = Stage::with(|text| limits(text, few)).await;
    let (one, two) = (stage.terminal().await, stage.terminal().await);
    let asked = json!({"industry": "0001"});
    let mut good = 0;
    let refused = loop {
        match one.ask("/v1/limits", asked.clone()).await {
            Ok(_) => good += 1,
            Err(error) => break error,
        }
        assert!(good < 100, "never limited");
    };
    assert!(
        (10..30).contains(&good),
        "a quarter of a minute's at once: {good}"
    );
    assert!((1_000..60_000).contains(&wait_ms("too-many", refused)));
    assert!(two.ask("/v1/limits", asked).await.is_ok());
    stage.close(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_proves_nothing_is_told_to_wait_before_any_work_is_done() {
    let few = "refusals_per_address_per_minute = 40";
    let stage = Stage::with(|text| limits(text, few)).await;
    let client = Terminal::client(&stage);
    let mut codes = Vec::new();
    for _ in 0..20 {
        let error = client.relay(vec![0; 40]).await.unwrap_err();
        codes.push(code(error));
    }
    assert_eq!(codes[0], "envelope-refused");
    assert_eq!(codes[19], "too-many", "{codes:?}");
    let mut one = peer(&stage, stage.bank.transaction_addr).unwrap();
    let head = "POST /v1/relay HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx";
    one.write_all(head.as_bytes()).unwrap();
    let said = answer(&mut one).to_lowercase();
    assert!(said.starts_with("http/1.1 429"), "{said}");
    assert!(said.contains("retry-after: "), "{said}");
    stage.close(0).await;
}

#[tokio::test]
async fn a_terminal_that_goes_through_card_numbers_is_stopped_and_learns_no_more() {
    let few = "unknown_cards_per_terminal_per_hour = 12";
    let stage = Stage::with(|text| limits(text, few)).await;
    let mut terminal = stage.terminal().await;
    let mut known = Card::demo();
    let proof = terminal.sms_proof(&stage, &new_id(), &known).await;
    let mut unknown = 0;
    let refused = loop {
        let serial = format!("0000621700000{unknown:07}");
        let mut card = Card::new(&serial, true, 0);
        let asked = terminal.load_message(new_id(), &mut card, (5_000, proof));
        match terminal.relay_bytes(&asked.encode().unwrap()).await {
            Ok(reply) => {
                let reply = Message::parse(&reply).unwrap();
                assert_eq!(outcome(&reply), "card-unknown");
                unknown += 1;
            }
            Err(error) => break error,
        }
        assert!(unknown < 12, "never limited");
    };
    assert_eq!(unknown, 3, "a quarter of an hour's at once");
    assert!(wait_ms("too-many", refused) > 60_000);
    let asked = terminal.load_message(new_id(), &mut known, (5_000, proof));
    let known = terminal.relay_bytes(&asked.encode().unwrap()).await;
    assert_eq!(
        code(known.unwrap_err()),
        "too-many",
        "a card that is there looks the same now"
    );
    stage.close(0).await;
}

#[tokio::test]
async fn a_flood_of_codes_stops_for_numbers_on_file_and_others_alike() {
    let few = |text: String| text.replace("per_number_per_hour = 1000", "per_number_per_hour = 3");
    let stage = Stage::with(few).await;
    let terminal = stage.terminal().await;
    let mut seen = Vec::new();
    for phone in [PHONE, "13900009999"] {
        let mut answers = Vec::new();
        for _ in 0..5 {
            let id = hex::encode(new_id());
            let body =
                json!({"transaction": id, "industry": "0001", "card_tail": "4471", "phone": phone});
            answers.push(match terminal.ask("/v1/sms/send", body).await {
                Ok(answer) => answer.to_string(),
                Err(error) => code(error),
            });
        }
        seen.push(answers);
    }
    assert_eq!(
        seen[0], seen[1],
        "who asks can't tell which number is on file"
    );
    assert_eq!(seen[0][3..], ["too-many", "too-many"]);
    stage.close(0).await;
}

/// The time below which so many of a hundred are.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// Sends the very same message until the bank has room for it.
async fn patient(terminal: &mut Terminal, message: &Message) -> Message {
    let sealed = terminal.seal(&message.encode().unwrap());
    loop {
        match terminal.client.relay(sealed.clone()).await {
            Ok(answer) => return Message::parse(&terminal.open(&answer)).unwrap(),
            Err(error) => assert_eq!(code(error), "busy", "the only way to be refused"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Asks without a pause until then: how long each answer took, and each refusal.
async fn flood(terminal: Arc<Terminal>, until: Instant) -> (Vec<Duration>, Vec<Duration>) {
    let (mut taken, mut shed) = (Vec::new(), Vec::new());
    while Instant::now() < until {
        let begun = Instant::now();
        match terminal.ask("/v1/working-key", json!({})).await {
            Ok(_) => taken.push(begun.elapsed()),
            Err(error) => {
                assert!(wait_ms("busy", error) > 0, "the only way to be refused");
                shed.push(begun.elapsed());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    (taken, shed)
}

/// Asks a server of the bank as any HTTP client would, until it is refused for having too much work: that answer, small.
fn shed_by(stage: &Stage, address: SocketAddr, path: &str, until: Instant) -> String {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
    );
    let mut said = String::new();
    while Instant::now() < until && !said.starts_with("http/1.1 503") {
        let mut one = peer(stage, address).unwrap();
        one.write_all(head.as_bytes()).unwrap();
        said = answer(&mut one).to_lowercase();
    }
    said
}

/// What `limits.answer_ms` promises of a bank with too much work.
const ANSWER_MS: u64 = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn under_overload_the_bank_sheds_at_once_answers_what_it_takes_and_loses_nothing() {
    let tight = format!(
        "concurrent_requests = 4\nrequests_per_terminal_per_minute = 0\nanswer_ms = {ANSWER_MS}"
    );
    let stage = Stage::with(|text| limits(text, &tight)).await;
    let (mut payer, mut card) = (stage.terminal().await, Card::demo());
    let id = new_id();
    let proof = payer.sms_proof(&stage, &id, &card).await;
    let load = payer.load_message(id, &mut card, (5_000, proof));
    let mut terminals = Vec::new();
    for _ in 0..6 {
        terminals.push(Arc::new(stage.terminal().await));
    }
    let until = Instant::now() + Duration::from_secs(4);
    let askers = terminals.iter().cycle().take(48);
    let askers = askers.map(|terminal| tokio::spawn(flood(terminal.clone(), until)));
    let askers: Vec<_> = askers.collect();
    for (address, path) in [
        (stage.bank.transaction_addr, "/v1/relay"),
        (stage.bank.security_addr, "/v1/working-key"),
    ] {
        let said = tokio::task::block_in_place(|| shed_by(&stage, address, path, until));
        assert!(said.starts_with("http/1.1 503"), "{path}: {said}");
        assert!(said.contains("retry-after: "), "{path}: {said}");
    }
    let answer = patient(&mut payer, &load).await;
    let tac = card.credit(answer.body.field("credit_data").unwrap());
    let tac = payer.credit_message(Operation::TopUp, (id, 2), Some(tac.unwrap()));
    assert_eq!(outcome(&patient(&mut payer, &tac).await), "ok");
    let (mut taken, mut shed) = (Vec::new(), Vec::new());
    for asker in askers {
        let (some, others) = asker.await.unwrap();
        taken.extend(some);
        shed.extend(others);
    }
    let counts = (taken.len(), shed.len());
    assert!(counts.0 > 20 && counts.1 > 50, "taken, shed: {counts:?}");
    let p99 = percentile(&mut taken, 99);
    assert!(
        p99 < Duration::from_millis(ANSWER_MS),
        "p99 of {counts:?}: {p99:?}"
    );
    let (_, text) = metered::get(stage.bank.metrics_addr.unwrap(), "/metrics").await;
    assert!(
        text.contains("tapfill_bank_refusals_total{code=\"busy\"}"),
        "{text}"
    );
    let done = terminals[0].ask("/v1/limits", json!({"industry": "0001"}));
    let done = done.await;
    assert!(done.is_ok(), "and afterwards all is well: {done:?}");
    stage.close(5_000).await;
}
