use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use relay::Operation;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use sqlx::Connection;

use crate::broken_books::{HARMS, TRIGGERS_GONE, finds, places};
use crate::card::Card;
use crate::core_host::{CoreHost, Fault, START};
use crate::hosted_stage::{AMOUNT, asked, top_up, until};
use crate::stage::Stage;
use crate::terminal::{Terminal, code, new_id, outcome, phase, random};

async fn database(stage: &Stage) -> sqlx::SqliteConnection {
    let path = stage.dir.path().join("bank.sqlite");
    sqlx::SqliteConnection::connect(&format!("sqlite://{}", path.display()))
        .await
        .unwrap()
}

#[tokio::test]
async fn garbage_on_every_address_gets_a_clear_code() {
    let stage = Stage::new().await;
    let mut terminal = stage.terminal().await;
    let client = &terminal.client;
    for envelope in [Vec::new(), b"TF".to_vec(), vec![0; 36], vec![0xFF; 60_000]] {
        assert_eq!(
            code(client.relay(envelope).await.unwrap_err()),
            "envelope-refused"
        );
    }
    assert_eq!(
        code(client.relay(vec![0; 128 * 1024 + 1]).await.unwrap_err()),
        "too-large"
    );
    for body in [
        "",
        "{}",
        "[]",
        "{\"enc\":\"00\",\"sealed\":\"zz\"}",
        "\u{0}",
    ] {
        let said = code(client.enrol(body.to_owned()).await.unwrap_err());
        assert!(
            said == "bad-request" || said == "envelope-refused",
            "{body}: {said}"
        );
    }
    let sealed = terminal.seal(b"x");
    let mut cut = sealed.clone();
    cut.pop();
    assert_eq!(
        code(terminal.client.relay(cut).await.unwrap_err()),
        "envelope-refused"
    );
    let mut altered = sealed;
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(
        code(terminal.client.relay(altered).await.unwrap_err()),
        "envelope-refused"
    );
    let whole = terminal.load_message(new_id(), &mut Card::demo(), (5_000, [0; 16]));
    let whole = whole.encode().unwrap();
    for bytes in [
        &b""[..],
        b"B",
        b"I0001",
        b"I00\xFF1\x01",
        b"I0001\x02",
        &whole[..whole.len() - 1],
    ] {
        let answer = terminal.relay_bytes(bytes).await.unwrap();
        let answer = relay::Message::parse(&answer).unwrap();
        assert_eq!(outcome(&answer), "message-bad", "{bytes:02X?}");
    }
    stage.close(0).await;
}

#[tokio::test]
async fn every_field_of_a_top_up_that_is_missing_or_cut_is_a_bad_message() {
    let stage = Stage::new().await;
    let mut terminal = stage.terminal().await;
    for name in ["file15", "init"] {
        let whole = terminal.load_message(new_id(), &mut Card::demo(), (5_000, [0; 16]));
        let mut missing = whole.clone();
        missing.body.fields.retain(|field| field.name != name);
        let mut cut = whole;
        cut.body.transaction = Some(new_id());
        let field = cut
            .body
            .fields
            .iter_mut()
            .find(|field| field.name == name)
            .unwrap();
        field.value.pop();
        for message in [missing, cut] {
            assert_eq!(
                outcome(&terminal.relay(&message).await),
                "message-bad",
                "{name}"
            );
        }
    }
    let mut strange = terminal.load_message(new_id(), &mut Card::demo(), (5_000, [0; 16]));
    strange.body.terminal = Some([9; 6]);
    assert_eq!(
        outcome(&terminal.relay(&strange).await),
        "message-bad",
        "another terminal"
    );
    let mut strange = terminal.load_message(new_id(), &mut Card::demo(), (5_000, [0; 16]));
    strange.body.operation = Some(Operation::Balance);
    assert_eq!(outcome(&terminal.relay(&strange).await), "step-unknown");
    let mut strange = terminal.load_message(new_id(), &mut Card::demo(), (5_000, [0; 16]));
    strange.body.phase = Some("debit".to_owned());
    assert_eq!(outcome(&terminal.relay(&strange).await), "message-bad");
    stage.close(0).await;
}

#[tokio::test]
async fn random_bytes_inside_a_good_envelope_never_hang_or_break_the_bank() {
    let stage = Stage::new().await;
    let mut terminal = stage.terminal().await;
    let whole = terminal.load_message(new_id(), &mut Card::demo(), (5_000, [0; 16]));
    let whole = whole.encode().unwrap();
    for _ in 0..60 {
        let mut bytes = whole.clone();
        for pair in random::<8>().chunks(2) {
            let at = usize::from(pair[0]) % bytes.len();
            bytes[at] = pair[1];
        }
        let answer = terminal.relay_bytes(&bytes).await.unwrap();
        assert_eq!(relay::letter(&answer), Ok(relay::Letter::A));
    }
    stage.close(0).await;
}

#[tokio::test]
async fn a_locked_database_is_busy_and_the_same_envelope_works_afterwards() {
    let stage = Stage::with(|text| format!("{text}\n[limits]\ndatabase_wait_ms = 50\n")).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let message = terminal.load_message(id, &mut card, (5_000, proof));
    let sealed = terminal.seal(&message.encode().unwrap());
    let mut other = database(&stage).await;
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    assert_eq!(
        code(terminal.client.relay(sealed.clone()).await.unwrap_err()),
        "busy"
    );
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let answer = terminal.client.relay(sealed).await.unwrap();
    let answer = relay::Message::parse(&terminal.open(&answer)).unwrap();
    assert_eq!(phase(&answer), "credit");
    card.credit(answer.body.field("credit_data").unwrap())
        .unwrap();
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_debit_that_comes_after_its_answer_is_told_as_late_and_not_as_busy() {
    let limits = "[limits]\ndatabase_wait_ms = 5000\nrequest_timeout_ms = 400\n";
    let stage = Stage::with(|text| format!("{text}\n{limits}")).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let message = terminal.load_message(id, &mut card, (5_000, proof));
    let sealed = terminal.seal(&message.encode().unwrap());
    let mut other = database(&stage).await;
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let said = code(terminal.client.relay(sealed.clone()).await.unwrap_err());
    assert_eq!(said, "late");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let mut answer = terminal.client.relay(sealed.clone()).await;
    while answer.is_err() {
        answer = terminal.client.relay(sealed.clone()).await;
    }
    let answer = relay::Message::parse(&terminal.open(&answer.unwrap())).unwrap();
    assert_eq!(phase(&answer), "credit");
    card.credit(answer.body.field("credit_data").unwrap())
        .unwrap();
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_is_internal_and_leaves_nothing_behind() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let message = terminal.load_message(id, &mut card, (5_000, proof));
    let sealed = terminal.seal(&message.encode().unwrap());
    let mut other = database(&stage).await;
    // The reply is the last but one row of the commit: everything before it must be undone.
    let broken =
        "CREATE TRIGGER broken BEFORE INSERT ON reply BEGIN SELECT RAISE(ABORT, 'full'); END";
    sqlx::query(broken).execute(&mut other).await.unwrap();
    let bank_client::ClientError::Refused { code: said, params } =
        terminal.client.relay(sealed.clone()).await.unwrap_err()
    else {
        panic!("no refusal");
    };
    assert_eq!(said, "internal");
    assert_eq!(params["incident"].len(), 12, "{params:?}");
    assert_eq!(
        stage.bank.money().await.unwrap(),
        stage.money,
        "no fen moved"
    );
    sqlx::query("DROP TRIGGER broken")
        .execute(&mut other)
        .await
        .unwrap();
    let answer = terminal.client.relay(sealed).await.unwrap();
    let answer = relay::Message::parse(&terminal.open(&answer)).unwrap();
    card.credit(answer.body.field("credit_data").unwrap())
        .unwrap();
    stage.close(5_000).await;
}

#[tokio::test]
async fn the_store_refuses_to_change_history() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.top_up(&stage, &mut card, 5_000).await;
    let mut other = database(&stage).await;
    for sql in [
        "UPDATE entry SET amount = 1",
        "DELETE FROM entry",
        "DELETE FROM transfer",
        "UPDATE audit SET detail = ''",
        "DELETE FROM audit",
        "DELETE FROM transition",
        "UPDATE attempt SET counter = 0",
        "UPDATE reply SET sealed = x''",
    ] {
        let refused = sqlx::query(sql).execute(&mut other).await.unwrap_err();
        assert!(
            refused.to_string().contains("append-only"),
            "{sql}: {refused}"
        );
    }
    stage.close(5_000).await;
}

#[tokio::test]
async fn the_reconciler_names_what_is_wrong() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.top_up(&stage, &mut card, 5_000).await;
    let mut other = database(&stage).await;
    let reference: String = sqlx::query_scalar("SELECT reference FROM load")
        .fetch_one(&mut other)
        .await
        .unwrap();
    for trigger in ["reply_stays", "entry_stays", "audit_stays"] {
        let sql = format!("DROP TRIGGER {trigger}");
        let dropped = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut other);
        dropped.await.unwrap();
    }
    let of_this_engine = [
        (
            "PRAGMA foreign_keys = OFF; UPDATE load SET account = 2",
            "UPDATE load SET account = 1",
            &["I9"][..],
        ),
        (
            "UPDATE outbox SET transition = NULL WHERE transition = 3",
            "UPDATE outbox SET transition = 3 WHERE kind = 'load-moved' AND transition IS NULL",
            &["I17"],
        ),
    ];
    // What breaks the audit log can't be mended: it comes last.
    for (harm, mend, rules) in of_this_engine.into_iter().chain(HARMS) {
        let before = stage.bank.check().await.unwrap().findings;
        assert_eq!(places(&before), TRIGGERS_GONE, "before {harm}");
        sqlx::raw_sql(harm).execute(&mut other).await.unwrap();
        let after = stage.bank.check().await.unwrap().findings;
        finds(&after, harm, rules, &reference);
        sqlx::raw_sql(mend).execute(&mut other).await.unwrap();
    }
    let found = stage.bank.check().await.unwrap().findings;
    let [triggers @ .., row] = &places(&found)[..] else {
        panic!("the audit log stays broken");
    };
    assert_eq!((triggers, *row), (&TRIGGERS_GONE[..], "audit row 3"));
    stage.bank.stop().await;
}

#[tokio::test]
async fn two_terminals_at_once_with_one_card_debit_once() {
    let stage = Stage::new().await;
    let (mut one, mut two) = (stage.terminal().await, stage.terminal().await);
    let mut card = Card::demo();
    let first_id = new_id();
    let first_proof = one.sms_proof(&stage, &first_id, &card).await;
    stage.clock.advance(1_000);
    let second_id = new_id();
    let second_proof = two.sms_proof(&stage, &second_id, &card).await;
    let first = one.load_message(first_id, &mut card, (5_000, first_proof));
    let second = two.load_message(second_id, &mut card.clone(), (6_000, second_proof));
    let (first, second) = tokio::join!(one.relay(&first), two.relay(&second));
    let issued = [&first, &second]
        .iter()
        .filter(|it| it.letter == relay::Letter::I)
        .count();
    assert_eq!(issued, 1, "{first:?} {second:?}");
    let open = if first.letter == relay::Letter::A {
        first
    } else {
        second
    };
    assert_eq!(outcome(&open), "load-open");
    stage.close(0).await;
}

#[tokio::test]
async fn what_is_not_of_the_protocol_is_not_served() {
    let stage = Stage::new().await;
    let terminal = Terminal::enrol(&stage).await;
    let body = String::new();
    let proof = terminal.proof("/v1/console", random(), crate::stage::NOW_MS, &body);
    let answer = terminal
        .client
        .security("/v1/console", &proof, body)
        .await
        .unwrap();
    assert_eq!(
        (answer.status, code(answer.refusal())),
        (404, "bad-request".to_owned())
    );
    terminal.client.warm().await.unwrap();
    terminal.client.warm_security().await.unwrap();
    tokio::time::timeout(Duration::from_secs(8), stage.close(0))
        .await
        .unwrap();
}

/// A connection that sends what it is told and no more.
fn slow_peer(
    stage: &Stage,
    sent: &str,
) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let profile = Terminal::client(stage).profile().clone();
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(profile.authority_pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(stage.bank.transaction_addr).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, socket);
    stream.write_all(sent.as_bytes()).unwrap();
    stream.flush().unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_sends_half_a_body_is_cut_off_and_holds_nobody_up() {
    let stage = Stage::with(|text| {
        format!("{text}\n[limits]\nconcurrent_requests = 1\nrequest_timeout_ms = 1000\n")
    })
    .await;
    let terminal = stage.terminal().await;
    let head = "POST /v1/relay HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf";
    let mut slow = slow_peer(&stage, head);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        code(terminal.client.relay(vec![0; 40]).await.unwrap_err()),
        "envelope-refused"
    );
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    assert_eq!(
        code(terminal.client.relay(vec![0; 40]).await.unwrap_err()),
        "envelope-refused"
    );
    stage.close(0).await;
}

/// `busy` says that nothing was done, and terminals take it so: the first commit has, and the host was asked.
#[tokio::test]
async fn a_store_that_is_locked_when_the_host_has_answered_is_late_and_not_busy() {
    let host = CoreHost::start().await;
    let limits = "[limits]\ndatabase_wait_ms = 50\n";
    let stage = Stage::with(|text| format!("{}\n{limits}", host.configured(&text))).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    // The line is there once something went over it.
    assert_eq!(
        outcome(&top_up(&stage, &mut terminal, &mut card).await),
        "ok"
    );
    stage.clock.advance(61_000);
    host.fail(&[Fault::Late(400)]);
    let (_, message) = asked(&stage, &mut terminal, &mut card).await;
    let sealed = terminal.seal(&message.encode().unwrap());
    let client = terminal.client.clone();
    let first = tokio::spawn(async move { client.relay(sealed).await });
    until(&host, "0200", 2).await;
    let mut other = database(&stage).await;
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let said = code(first.await.unwrap().unwrap_err());
    let booked = START - host.books().balance;
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(
        (said.as_str(), booked),
        ("late", 2 * i64::from(AMOUNT)),
        "the host has booked it"
    );
}
