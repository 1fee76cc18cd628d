mod between;
mod ends;
mod protocols;
mod requests;
mod stalls;

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

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
    taking: Duration::from_millis(1_000),
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
        .route("/large", get(|| async { vec![b'x'; 32 << 20] }))
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
