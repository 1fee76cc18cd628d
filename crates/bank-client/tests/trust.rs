//! Servers that are not the bank, each told apart, and none of them sent a byte of a request.
#![allow(clippy::unwrap_used)]

mod servers;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use bank_client::{BankClient, ClientError, Distrust};
use rcgen::KeyPair;
use rustls_pki_types::CertificateDer;
use servers::{Authority, TLS13, authority, params, pin, profile, server, server_saying};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn client(address: SocketAddr, authority: &Authority, pins: Vec<String>) -> BankClient {
    BankClient::new(profile(&format!("https://{address}"), authority, pins)).unwrap()
}

#[tokio::test]
async fn the_bank_itself_is_taken_by_its_pin_and_by_its_backup_pin() {
    let bank = authority("bank");
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = params("127.0.0.1").signed_by(&key, &bank.issuer).unwrap();
    let (address, read) = server(certificate.der().clone(), &key, TLS13).await;
    for pins in [vec![pin(&key), pin(&other)], vec![pin(&other), pin(&key)]] {
        let answer = client(address, &bank, pins).relay(vec![1]).await;
        assert_eq!(answer, Ok(b"ok".to_vec()));
    }
    assert_ne!(read.load(Ordering::SeqCst), 0);
}

/// What the client says, and that the server read nothing.
async fn refused(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    bank: &Authority,
    pins: Vec<String>,
) -> ClientError {
    let (address, read) = server(certificate, key, TLS13).await;
    let error = client(address, bank, pins)
        .relay(vec![1])
        .await
        .unwrap_err();
    assert_eq!(read.load(Ordering::SeqCst), 0, "nothing was sent");
    error
}

#[tokio::test]
async fn certificates_that_are_not_the_banks_are_told_apart() {
    let bank = authority("bank");
    let key = KeyPair::generate().unwrap();
    let pins = || vec![pin(&key)];

    let mut over = params("127.0.0.1");
    over.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let over = over.signed_by(&key, &bank.issuer).unwrap().der().clone();
    let mut not_yet = params("127.0.0.1");
    not_yet.not_before = rcgen::date_time_ymd(2090, 1, 1);
    let not_yet = not_yet.signed_by(&key, &bank.issuer).unwrap().der().clone();
    let elsewhere = authority("a proxy that looks in").issuer;
    let elsewhere = params("127.0.0.1")
        .signed_by(&key, &elsewhere)
        .unwrap()
        .der()
        .clone();
    // The same name and another key: what somebody makes who knows the bank's certificate.
    let twin = authority("bank").issuer;
    let twin = params("127.0.0.1")
        .signed_by(&key, &twin)
        .unwrap()
        .der()
        .clone();
    let own = params("127.0.0.1").self_signed(&key).unwrap().der().clone();
    let name = params("192.0.2.1")
        .signed_by(&key, &bank.issuer)
        .unwrap()
        .der()
        .clone();

    for (certificate, why) in [
        (over, Distrust::Expired),
        (not_yet, Distrust::Expired),
        (elsewhere, Distrust::Foreign),
        (twin, Distrust::Foreign),
        (own, Distrust::Foreign),
        (name, Distrust::Name),
    ] {
        let error = refused(certificate, &key, &bank, pins()).await;
        assert_eq!(error, ClientError::Untrusted(why));
    }
    let swapped = KeyPair::generate().unwrap();
    let certificate = params("127.0.0.1")
        .signed_by(&swapped, &bank.issuer)
        .unwrap();
    let error = refused(certificate.der().clone(), &swapped, &bank, pins()).await;
    assert_eq!(error, ClientError::Untrusted(Distrust::Swapped));
}

#[tokio::test]
async fn a_server_of_tls_1_2_and_a_portal_without_tls_are_no_bank() {
    let bank = authority("bank");
    let key = KeyPair::generate().unwrap();
    let certificate = params("127.0.0.1").signed_by(&key, &bank.issuer).unwrap();
    let (old, read) = server(certificate.der().clone(), &key, &rustls::version::TLS12).await;
    let error = client(old, &bank, vec![pin(&key)]).relay(vec![1]).await;
    assert_eq!(error, Err(ClientError::Untrusted(Distrust::NotTls)));
    assert_eq!(read.load(Ordering::SeqCst), 0);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let portal = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let page = b"HTTP/1.1 302 Found\r\nlocation: http://login.invalid/\r\n\r\n";
            let _ = socket.write_all(page).await;
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest).await;
        }
    });
    let error = client(portal, &bank, vec![pin(&key)]).relay(vec![1]).await;
    assert_eq!(error, Err(ClientError::Untrusted(Distrust::NotTls)));
}

#[tokio::test]
async fn a_port_where_nobody_answers_is_offline_and_a_line_that_breaks_says_nothing_of_trust() {
    let bank = authority("bank");
    let key = KeyPair::generate().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = client(address, &bank, vec![pin(&key)]).relay(vec![1]).await;
    assert_eq!(error, Err(ClientError::Offline));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let error = client(address, &bank, vec![pin(&key)]).relay(vec![1]).await;
    assert_eq!(error, Err(ClientError::Offline));
}

/// What the bank's own server says, were it in wrong hands.
async fn told(head: &str, body: &[u8]) -> Result<Vec<u8>, ClientError> {
    let bank = authority("bank");
    let key = KeyPair::generate().unwrap();
    let certificate = params("127.0.0.1").signed_by(&key, &bank.issuer).unwrap();
    let head = format!("HTTP/1.1 200 OK\r\n{head}connection: close\r\n\r\n");
    let answer = [head.as_bytes(), body].concat();
    let (address, _) = server_saying(certificate.der().clone(), &key, TLS13, answer).await;
    let client = client(address, &bank, vec![pin(&key)]);
    client.page("/v1/packages").await
}

/// 16 KiB of zeros as gzip makes them: 1,000 to 1 in a longer one.
const PACKED: &str = "1f8b0800000000000203edc13101000000c2a0f54f6d0c1fa000000000000000000000000000000080b70186d254ab00400000";

#[tokio::test]
async fn a_packed_answer_stays_packed() {
    let packed = hex::decode(PACKED).unwrap();
    let head = format!(
        "content-encoding: gzip\r\ncontent-length: {}\r\n",
        packed.len()
    );
    assert_eq!(told(&head, &packed).await, Ok(packed), "byte for byte");
}

#[tokio::test]
async fn an_answer_of_more_than_4_mib_is_none() {
    let whole = vec![0; 4 << 20];
    let length = |n: usize| format!("content-length: {n}\r\n");
    let answer = told(&length(whole.len()), &whole).await;
    assert_eq!(answer.map(|it| it.len()), Ok(4 << 20));
    let longer = vec![0; (4 << 20) + 1];
    let answer = told(&length(longer.len()), &longer).await;
    assert_eq!(answer, Err(ClientError::BadAnswer));
}

/// Nothing that unpacks is linked to what speaks to the bank, or to the bank itself.
#[test]
fn no_http_part_has_a_decompressor() {
    let lock = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    for name in ["reqwest", "hyper", "hyper-util", "axum", "tower-http"] {
        let named = format!("name = \"{name}\"\n");
        let parts: Vec<_> = lock
            .split("[[package]]")
            .filter(|it| it.contains(&named))
            .collect();
        assert!(!parts.is_empty(), "{name} is used");
        for part in parts {
            for packer in ["compression", "flate2", "brotli", "zstd", "miniz"] {
                assert!(!part.contains(packer), "{name} has {packer}");
            }
        }
    }
}
