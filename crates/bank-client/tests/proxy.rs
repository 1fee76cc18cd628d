//! The bank behind a proxy: a tunnel is all that the proxy is asked for, and the pins hold through it.
#![allow(clippy::unwrap_used)]

mod servers;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use bank_client::{BankClient, ClientError, Distrust, Proxies};
use rcgen::KeyPair;
use servers::{TLS13, authority, params, pin, profile, server};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

type Asked = Arc<Mutex<Vec<String>>>;

/// A proxy that leads every tunnel to `bank`, or refuses it with `refusal`. Gives the heads of what it was asked.
async fn proxy(bank: SocketAddr, refusal: Option<&'static str>) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Asked::default();
    let heads = asked.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let heads = heads.clone();
            tokio::spawn(async move {
                let mut socket = BufReader::new(socket);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && socket.read_line(&mut head).await.unwrap() > 0
                {
                }
                heads.lock().unwrap().push(head);
                if let Some(refusal) = refusal {
                    let _ = socket.write_all(refusal.as_bytes()).await;
                    return;
                }
                let mut there = TcpStream::connect(bank).await.unwrap();
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                let _ = copy_bidirectional(&mut socket, &mut there).await;
            });
        }
    });
    (address, asked)
}

fn through(variables: &'static [&'static str], proxy: SocketAddr) -> Proxies {
    let value = format!("http://clerk:s3cret@{proxy}");
    let wanted = |name: &str| variables.contains(&name);
    let read = |name: &str| wanted(name).then(|| value.clone());
    Proxies::new(read, None)
}

/// A bank that no name service knows: only the proxy leads to it.
const BANK: &str = "https://bank.test";

#[tokio::test]
async fn the_bank_is_reached_through_a_tunnel_and_the_proxy_sees_its_name_alone() {
    let bank = authority("bank");
    let key = KeyPair::generate().unwrap();
    let certificate = params("bank.test").signed_by(&key, &bank.issuer).unwrap();
    let (address, _) = server(certificate.der().clone(), &key, TLS13).await;
    let (proxy, asked) = proxy(address, None).await;
    let profile = profile(BANK, &bank, vec![pin(&key)]);
    let proxies = through(&["https_proxy"], proxy);
    let client = BankClient::with_builder(profile, reqwest::Client::builder, proxies).unwrap();
    let answer = client.relay(b"a sealed message".to_vec()).await;
    assert_eq!(answer, Ok(b"ok".to_vec()));
    let asked = asked.lock().unwrap().concat();
    assert!(
        asked.starts_with("CONNECT bank.test:443 HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("Basic Y2xlcms6czNjcmV0"), "as whom: {asked}");
    assert!(!asked.contains("sealed"), "no byte of a request");
}

#[tokio::test]
async fn a_proxy_that_looks_into_connections_is_not_taken_for_the_bank() {
    let bank = authority("bank");
    let (key, swapped) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let foreign = authority("an office").issuer;
    let foreign = params("bank.test").signed_by(&key, &foreign).unwrap();
    let other = params("bank.test")
        .signed_by(&swapped, &bank.issuer)
        .unwrap();
    for (certificate, own, why) in [
        (foreign, &key, Distrust::Foreign),
        (other, &swapped, Distrust::Swapped),
    ] {
        let (address, read) = server(certificate.der().clone(), own, TLS13).await;
        let (proxy, _) = proxy(address, None).await;
        let profile = profile(BANK, &bank, vec![pin(&key)]);
        let proxies = through(&["HTTPS_PROXY"], proxy);
        let client = BankClient::with_builder(profile, reqwest::Client::builder, proxies).unwrap();
        let error = client.relay(vec![1]).await;
        assert_eq!(error, Err(ClientError::Untrusted(why)));
        assert_eq!(
            read.load(std::sync::atomic::Ordering::SeqCst),
            0,
            "nothing was sent"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_gives_no_tunnel_leaves_the_app_offline() {
    let bank = authority("bank");
    let key = KeyPair::generate().unwrap();
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    let (proxy, _) = proxy("127.0.0.1:9".parse().unwrap(), Some(refusal)).await;
    let profile = profile(BANK, &bank, vec![pin(&key)]);
    let proxies = through(&["HTTPS_PROXY"], proxy);
    let client = BankClient::with_builder(profile, reqwest::Client::builder, proxies).unwrap();
    assert_eq!(client.relay(vec![1]).await, Err(ClientError::Offline));
}

#[tokio::test]
async fn a_bank_on_this_device_and_one_that_is_excepted_are_reached_without_the_proxy() {
    let bank = authority("bank");
    let key = KeyPair::generate().unwrap();
    let certificate = params("127.0.0.1").signed_by(&key, &bank.issuer).unwrap();
    let (address, _) = server(certificate.der().clone(), &key, TLS13).await;
    let (proxy, asked) = proxy(address, None).await;
    let here = profile(&format!("https://{address}"), &bank, vec![pin(&key)]);
    let proxies = through(&["HTTPS_PROXY"], proxy);
    let client = BankClient::with_builder(here, reqwest::Client::builder, proxies).unwrap();
    assert_eq!(client.relay(vec![1]).await, Ok(b"ok".to_vec()));

    let read = move |name: &str| match name {
        "HTTPS_PROXY" => Some(proxy.to_string()),
        "NO_PROXY" => Some("other.test, bank.test".to_owned()),
        _ => None,
    };
    let there = profile(BANK, &bank, vec![pin(&key)]);
    let proxies = Proxies::new(read, None);
    let client = BankClient::with_builder(there, reqwest::Client::builder, proxies).unwrap();
    assert_eq!(
        client.relay(vec![1]).await,
        Err(ClientError::Offline),
        "no name service knows it"
    );
    assert!(
        asked.lock().unwrap().is_empty(),
        "the proxy was asked for neither"
    );
}

/// The one setting of this test's system.
static SETTING: OnceLock<String> = OnceLock::new();

#[tokio::test]
async fn the_system_is_asked_where_the_environment_says_nothing() {
    let bank = authority("bank");
    let key = KeyPair::generate().unwrap();
    let certificate = params("bank.test").signed_by(&key, &bank.issuer).unwrap();
    let (address, _) = server(certificate.der().clone(), &key, TLS13).await;
    let (proxy, asked) = proxy(address, None).await;
    SETTING.set(format!("http://{proxy}")).unwrap();
    let system = |url: &str| {
        SETTING
            .get()
            .filter(|_| url == "https://bank.test/")
            .cloned()
    };
    let proxies = Proxies::new(|_| None, Some(system));
    let profile = profile(BANK, &bank, vec![pin(&key)]);
    let client = BankClient::with_builder(profile, reqwest::Client::builder, proxies).unwrap();
    assert_eq!(client.relay(vec![1]).await, Ok(b"ok".to_vec()));
    assert_eq!(asked.lock().unwrap().len(), 1, "through the system's proxy");
}
