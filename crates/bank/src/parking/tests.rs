use std::time::Duration;

use axum::Router;
use axum::http::Version;
use axum::routing::{get, post};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::crowd::{Crowd, Shares};
use crate::files::Directory;
use crate::listening::{PATIENCE, Patience};
use crate::tls;

const SHARES: Shares = Shares {
    connections: 100,
    connections_of_one: 100,
    bodies: 100,
    bodies_of_one: 100,
};
const SHORT: Patience = Patience {
    first_request: Duration::from_millis(1_000),
    next_request: Duration::from_millis(1_500),
};
/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(10);
const HERE: &str = "GET /here HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A server with one address, and who may come.
struct House {
    address: SocketAddr,
    client: ClientConfig,
    tls: Arc<ServerConfig>,
    crowd: Arc<Crowd>,
    stopping: watch::Sender<bool>,
    _dir: TempDir,
}

type Peer = TlsStream<TcpStream>;

fn routes() -> Router {
    Router::new()
        .route("/here", get(|| async { "here" }))
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/deaf", post(|| async { "heard nothing" }))
        .route(
            "/slow",
            get(|| async {
                sleep(Duration::from_millis(500)).await;
                "at last"
            }),
        )
}

impl House {
    fn open(patience: Patience) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let own = Directory::open(dir.path(), None).unwrap();
        let identity = tls::identity(&own, &[], false).unwrap();
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(identity.authority_pem.as_bytes());
        roots.add(authority.unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let crowd = Crowd::new(SHARES);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let tls = identity.security;
        let server = Server::new((routes(), tls.clone()), crowd.clone(), || (), patience);
        let (stopping, stop) = watch::channel(false);
        tokio::spawn(server.run(listener, Stop(stop)).unwrap());
        Self {
            address,
            client,
            tls,
            crowd,
            stopping,
            _dir: dir,
        }
    }

    fn client(&self, protocols: &[&[u8]]) -> ClientConfig {
        let mut client = self.client.clone();
        client.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
        client
    }

    async fn peer(&self, protocols: &[&[u8]]) -> Peer {
        self.peer_at(self.address, protocols).await
    }

    async fn peer_at(&self, address: SocketAddr, protocols: &[&[u8]]) -> Peer {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let connector = TlsConnector::from(Arc::new(self.client(protocols)));
        let name = ServerName::try_from("localhost").unwrap();
        connector.connect(name, tcp).await.unwrap()
    }

    /// Who has come and gone holds nothing.
    async fn is_left_empty(&self) {
        let empty = async {
            while self.crowd.connections() > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, empty)
            .await
            .expect("each share is free again");
    }
}

async fn send(peer: &mut Peer, text: &str) {
    peer.write_all(text.as_bytes()).await.unwrap();
    peer.flush().await.unwrap();
}

/// The head and the body of one answer.
async fn answer(peer: &mut Peer) -> (String, String) {
    let whole = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(peer.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        peer.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    };
    timeout(SOON, whole).await.expect("in time")
}

/// What still comes until the connection ends.
async fn rest(peer: &mut Peer) -> String {
    let mut all = Vec::new();
    let read = timeout(SOON, peer.read_to_end(&mut all)).await;
    let _cut = read.expect("an end");
    String::from_utf8_lossy(&all).into_owned()
}

fn posted(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn requests_one_after_another_are_all_answered_on_one_connection() {
    let house = House::open(PATIENCE);
    for protocols in [&[][..], &[&b"http/1.1"[..]]] {
        let mut peer = house.peer(protocols).await;
        for round in 0..50 {
            let body = format!("{round}").repeat(round * 20);
            send(&mut peer, &posted("/echo", &body)).await;
            let (head, said) = answer(&mut peer).await;
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            assert!(!head.contains("connection:"), "it goes on: {head}");
            assert_eq!(said, body);
        }
        assert_eq!(house.crowd.connections(), 1, "it was the same one");
        drop(peer);
        house.is_left_empty().await;
    }
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_in_turn_and_half_a_one_when_it_is_whole() {
    let house = House::open(PATIENCE);
    let mut peer = house.peer(&[]).await;
    let mut text = String::new();
    for at in 0..100 {
        text.push_str(&posted("/echo", &format!("{at}")));
        text.push_str(HERE);
    }
    let (half, other_half) = HERE.split_at(11);
    send(&mut peer, &(text + half)).await;
    for at in 0..100 {
        assert_eq!(answer(&mut peer).await.1, format!("{at}"));
        assert_eq!(answer(&mut peer).await.1, "here");
    }
    sleep(Duration::from_millis(50)).await;
    send(&mut peer, other_half).await;
    assert_eq!(answer(&mut peer).await.1, "here");
}

#[tokio::test]
async fn a_request_may_come_in_single_bytes() {
    let house = House::open(PATIENCE);
    let mut peer = house.peer(&[]).await;
    for body in ["first", "second"] {
        for byte in posted("/echo", body).chars() {
            send(&mut peer, &byte.to_string()).await;
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(answer(&mut peer).await.1, body);
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_never_taken_for_a_request() {
    let house = House::open(PATIENCE);
    for early in [0, 10, 500] {
        let mut peer = house.peer(&[]).await;
        let text = posted("/deaf", &HERE.repeat(200));
        let (now, later) = text.split_at(text.find("GET").unwrap() + early);
        send(&mut peer, now).await;
        assert_eq!(answer(&mut peer).await.1, "heard nothing");
        let _refused = peer.write_all(later.as_bytes()).await;
        let _refused = peer.shutdown().await;
        assert_eq!(rest(&mut peer).await, "", "no other answer");
    }
    house.is_left_empty().await;
}

#[tokio::test]
async fn who_asks_for_the_end_gets_it_at_once() {
    let house = House::open(PATIENCE);
    for text in [
        "GET /here HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        "GET /here HTTP/1.0\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let mut peer = house.peer(&[]).await;
        send(&mut peer, HERE).await;
        answer(&mut peer).await;
        send(&mut peer, text).await;
        let said = rest(&mut peer).await;
        assert!(said.starts_with("HTTP/1.") && said.len() > 20, "{said}");
    }
    house.is_left_empty().await;
}

#[tokio::test]
async fn silence_ends_and_a_head_by_drops_has_no_more_time_than_silence() {
    let house = House::open(SHORT);
    let mut mute = house.peer(&[]).await;
    let mut silent_later = house.peer(&[]).await;
    let mut drops_later = house.peer(&[]).await;
    let mut mute_in_http2 = house.peer(&[b"h2"]).await;
    for peer in [&mut silent_later, &mut drops_later] {
        send(peer, HERE).await;
        answer(peer).await;
    }
    let began = Instant::now();
    let dropping = async {
        // Most of the time is over before the first drop.
        sleep(Duration::from_millis(1_200)).await;
        while drops_later.write_all(b"G").await.is_ok() && drops_later.flush().await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
        began.elapsed()
    };
    let silence = async {
        assert_eq!(rest(&mut mute).await, "");
        let first = began.elapsed();
        let _greeting = rest(&mut mute_in_http2).await;
        assert_eq!(rest(&mut silent_later).await, "");
        (first, began.elapsed())
    };
    let (dropped, (first, next)) = tokio::join!(dropping, silence);
    assert!(
        first < SHORT.next_request,
        "the first in its own time: {first:?}"
    );
    for took in [dropped, next] {
        assert!(took >= Duration::from_millis(1_300), "not before: {took:?}");
        assert!(took < SHORT.next_request * 2, "and not anew: {took:?}");
    }
    house.is_left_empty().await;
}

#[tokio::test]
async fn a_stop_ends_the_silent_at_once_and_lets_a_request_in_work_finish() {
    let house = House::open(PATIENCE);
    let mut fresh = house.peer(&[]).await;
    let mut silent = house.peer(&[]).await;
    send(&mut silent, HERE).await;
    answer(&mut silent).await;
    let mut asking = house.peer(&[]).await;
    send(&mut asking, &HERE.replace("/here", "/slow")).await;
    sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    house.stopping.send(true).unwrap();
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut fresh).await, "");
    assert!(began.elapsed() < Duration::from_millis(300), "at once");
    let (head, said) = answer(&mut asking).await;
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(said, "at last");
    timeout(SOON, house.stopping.closed())
        .await
        .expect("nobody is left");
    assert_eq!(house.crowd.connections(), 0);
    assert!(TcpStream::connect(house.address).await.is_err(), "closed");
}

#[tokio::test]
async fn whoever_leaves_while_nothing_is_on_its_way_frees_their_share() {
    let house = House::open(PATIENCE);
    let mut peers = Vec::new();
    for _ in 0..4 {
        let mut peer = house.peer(&[]).await;
        send(&mut peer, HERE).await;
        answer(&mut peer).await;
        peers.push(peer);
    }
    assert_eq!(house.crowd.connections(), 4);
    for (at, mut peer) in peers.into_iter().enumerate() {
        if at % 2 == 0 {
            peer.shutdown().await.unwrap();
            assert_eq!(rest(&mut peer).await, "", "a goodbye is answered");
        }
    }
    house.is_left_empty().await;
}

/// Thirty requests, ten at a time, by a client that offers these protocols: what it spoke.
async fn spoken(house: &House, protocols: &[&[u8]]) -> Version {
    let client = reqwest::Client::builder().use_preconfigured_tls(house.client(protocols));
    let client = client.build().unwrap();
    let url = format!("https://localhost:{}/echo", house.address.port());
    let mut spoken = Vec::new();
    for _ in 0..3 {
        let asked = (0..10).map(|at| client.post(&url).body(format!("{at}")).send());
        for (at, said) in futures_util::future::join_all(asked)
            .await
            .into_iter()
            .enumerate()
        {
            let said = said.unwrap();
            spoken.push(said.version());
            assert_eq!(said.text().await.unwrap(), format!("{at}"));
        }
    }
    spoken.dedup();
    assert_eq!(spoken.len(), 1, "one protocol throughout");
    spoken.remove(0)
}

#[tokio::test]
async fn http2_has_many_requests_on_one_connection_as_before() {
    let house = House::open(PATIENCE);
    assert_eq!(spoken(&house, &[b"h2"]).await, Version::HTTP_2);
    house.is_left_empty().await;
}

#[tokio::test]
async fn who_offers_both_speaks_the_one_that_costs_less_between_two_requests() {
    let house = House::open(PATIENCE);
    for both in [[&b"h2"[..], b"http/1.1"], [b"http/1.1", b"h2"]] {
        assert_eq!(spoken(&house, &both).await, Version::HTTP_11);
    }
    house.is_left_empty().await;
}

/// The server's end of a new connection, and the peer's.
async fn line(house: &House) -> (Arc<Visitor>, Tls, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let comes = async {
        let (tcp, address) = listener.accept().await.unwrap();
        let tls = TlsAcceptor::from(house.tls.clone());
        (tls.accept(tcp).await.unwrap(), address)
    };
    let ((stream, address), peer) = tokio::join!(comes, house.peer_at(address, &[]));
    let crowd = house.crowd.clone();
    let visitor = Arc::new(Visitor {
        server: Server::new((routes(), house.tls.clone()), crowd, || (), PATIENCE),
        presence: house.crowd.enter(address.ip()).unwrap(),
        address,
        key: PeerKey::default(),
    });
    (visitor, Box::new(stream), peer)
}

#[tokio::test]
async fn between_two_requests_nothing_is_kept_but_the_stream() {
    let house = House::open(PATIENCE);
    let (visitor, stream, mut peer) = line(&house).await;
    let head_by = Instant::now() + SOON;
    let mut stop = Stop(house.stopping.subscribe());
    send(&mut peer, &(posted("/echo", "all of it") + "GET /h")).await;
    let left = talk(&visitor, stream, Bytes::new(), head_by, &mut stop).await;
    let (stream, early) = left.expect("the connection goes on");
    assert_eq!(answer(&mut peer).await.1, "all of it");
    assert_eq!(early, "GET /h", "nothing is lost that came with it");
    assert_eq!(Arc::strong_count(&visitor), 1, "HTTP has let go");
    send(&mut peer, "ere HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let left = talk(&visitor, stream, early, head_by, &mut stop).await;
    assert_eq!(answer(&mut peer).await.1, "here");
    assert!(left.expect("it goes on").1.is_empty());
}

#[tokio::test]
async fn while_a_body_is_unread_the_connection_stays_where_it_is() {
    let house = House::open(PATIENCE);
    let (visitor, stream, mut peer) = line(&house).await;
    let head_by = Instant::now() + SOON;
    let mut stop = Stop(house.stopping.subscribe());
    let text = posted("/deaf", &"x".repeat(100_000));
    send(&mut peer, &text[..1_000]).await;
    let left = talk(&visitor, stream, Bytes::new(), head_by, &mut stop).await;
    assert!(left.is_none(), "it ended: what comes next is not a request");
}

#[tokio::test]
async fn a_silent_connection_is_a_small_task() {
    let house = House::open(PATIENCE);
    let (visitor, stream, _peer) = line(&house).await;
    let stop = Stop(house.stopping.subscribe());
    let task = http1(visitor, stream, Instant::now(), stop);
    let size = size_of_val(&task);
    assert!(size < 700, "bytes for each that does nothing: {size}");
}
