//! The connection against hosts that are not what they should be.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::clock::SystemClock;
use crate::config::CoreSettings;
use crate::corebank::iso::{Bitmap, Message, Mti};
use crate::corebank::link::Link;
use crate::corebank::metrics::CoreMetrics;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["core.bank".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key);
        Arc::new(config.unwrap()).into()
    }

    fn write(&self, path: &Path) {
        std::fs::write(path, self.0.pem()).unwrap();
    }
}

fn settings(address: SocketAddr, more: &str) -> CoreSettings {
    let text = format!(
        "address = \"{address}\"\nacquirer = \"1\"\nterminal = \"T\"\nmerchant = \"M\"\n\
         processing_code = \"600000\"\nanswer_ms = 500\necho_s = 1\n{more}"
    );
    toml::from_str(&text).unwrap()
}

/// Answers every 0800 with this code; what it read, by field 70.
async fn sign_on(line: &mut (impl AsyncRead + AsyncWrite + Unpin), code: &str) -> Option<String> {
    let length = line.read_u16().await.ok()?;
    let mut bytes = vec![0; length.into()];
    line.read_exact(&mut bytes).await.ok()?;
    let asked = Message::decode(&bytes, Bitmap::Binary).unwrap();
    let answer = asked.as_type(Mti::NETWORK_ANSWER).with(39, code);
    let answer = answer.encode(Bitmap::Binary).unwrap();
    let length = u16::try_from(answer.len()).unwrap();
    line.write_u16(length).await.ok()?;
    line.write_all(&answer).await.ok()?;
    line.flush().await.ok()?;
    asked.text(70).map(str::to_owned)
}

/// Whether a link comes up within a few seconds.
async fn comes_up(settings: &CoreSettings) -> bool {
    let link = Link::new(Arc::new(SystemClock), CoreMetrics::default(), 0);
    let until_up = async {
        while !link.is_up() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = link.run(settings) => unreachable!("it runs until it is aborted"),
        up = tokio::time::timeout(Duration::from_secs(3), until_up) => up.is_ok(),
    }
}

/// A host over TLS, whose certificate is of this authority.
async fn host_of(authority: &Authority) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = authority.acceptor();
    let serving = tokio::spawn(async move {
        loop {
            let (line, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut line) = acceptor.accept(line).await else {
                    return;
                };
                while sign_on(&mut line, "00").await.is_some() {}
            });
        }
    });
    (address, serving)
}

#[tokio::test]
async fn a_host_that_gets_another_authority_is_reached_before_and_after_by_a_file_with_both() {
    let dir = tempfile::tempdir().unwrap();
    let (before, after) = (Authority::new(), Authority::new());
    let (old_address, old_host) = host_of(&before).await;
    let (new_address, new_host) = host_of(&after).await;
    let path = dir.path().join("core-authority.pem");
    let more = format!(
        "authority = \'{}\'\nserver_name = \"core.bank\"",
        path.display()
    );
    let (old, new) = (settings(old_address, &more), settings(new_address, &more));
    std::fs::write(&path, before.0.pem()).unwrap();
    assert_eq!((comes_up(&old).await, comes_up(&new).await), (true, false));
    std::fs::write(&path, before.0.pem() + &after.0.pem()).unwrap();
    assert_eq!((comes_up(&old).await, comes_up(&new).await), (true, true));
    std::fs::write(&path, after.0.pem()).unwrap();
    assert_eq!((comes_up(&old).await, comes_up(&new).await), (false, true));
    old_host.abort();
    new_host.abort();
}

#[tokio::test]
async fn a_host_under_another_authority_or_name_is_never_spoken_to() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new(), Authority::new());
    ours.write(&dir.path().join("ours.pem"));
    theirs.write(&dir.path().join("theirs.pem"));
    let (address, serving) = host_of(&ours).await;
    for (authority, name, is_ours) in [
        ("ours", "core.bank", true),
        ("ours", "other.bank", false),
        ("theirs", "core.bank", false),
        ("missing", "core.bank", false),
    ] {
        let path = dir.path().join(format!("{authority}.pem"));
        let more = format!(
            "authority = \'{}\'\nserver_name = \"{name}\"",
            path.display()
        );
        let up = comes_up(&settings(address, &more)).await;
        assert_eq!(up, is_ours, "{authority} {name}");
    }
    assert!(!comes_up(&settings(address, "")).await, "in clear");
    serving.abort();
}

#[tokio::test]
async fn a_sign_on_that_is_refused_is_tried_again_and_an_echo_follows_a_silence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut line, _) = listener.accept().await.unwrap();
        assert_eq!(sign_on(&mut line, "91").await.as_deref(), Some("001"));
        let (mut line, _) = listener.accept().await.unwrap();
        assert_eq!(sign_on(&mut line, "00").await.as_deref(), Some("001"));
        assert_eq!(sign_on(&mut line, "00").await.as_deref(), Some("301"));
    });
    let link = Link::new(Arc::new(SystemClock), CoreMetrics::default(), 999_998);
    assert_eq!(
        [link.next_stan(), link.next_stan()],
        [999_999, 1],
        "field 11 comes round"
    );
    let settings = settings(address, "");
    tokio::select! {
        () = link.run(&settings) => unreachable!("it runs until it is aborted"),
        done = serving => done.unwrap(),
    }
}
