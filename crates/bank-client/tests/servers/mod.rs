//! Servers that are the bank, or would like to be.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bank_client::Profile;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Authority {
    pub(crate) pem: String,
    pub(crate) issuer: Issuer<'static, KeyPair>,
}

pub(crate) fn authority(name: &str) -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let pem = params.self_signed(&key).unwrap().pem();
    Authority {
        pem,
        issuer: Issuer::new(params, key),
    }
}

pub(crate) fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

pub(crate) fn pin(key: &KeyPair) -> String {
    hex::encode(Sha256::digest(key.subject_public_key_info()))
}

/// A server with one certificate. Answers every request with 200 and counts the bytes of requests that it could read.
pub(crate) async fn server(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    version: &'static rustls::SupportedProtocolVersion,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
    server_saying(certificate, key, version, answer.to_vec()).await
}

/// The same with an answer of its own. A request that asks for packed answers gets none.
pub(crate) async fn server_saying(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    version: &'static rustls::SupportedProtocolVersion,
    answer: Vec<u8>,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let read = Arc::new(AtomicUsize::new(0));
    let count = read.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else {
                continue;
            };
            let mut buffer = [0; 4_096];
            if let Ok(n @ 1..) = stream.read(&mut buffer).await {
                count.fetch_add(n, Ordering::SeqCst);
                let asked = String::from_utf8_lossy(&buffer[..n]).to_lowercase();
                if asked.contains("accept-encoding") {
                    continue;
                }
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (address, read)
}

pub(crate) const TLS13: &rustls::SupportedProtocolVersion = &rustls::version::TLS13;

/// What an app would know of a bank with both servers at `url`.
pub(crate) fn profile(url: &str, authority: &Authority, pins: Vec<String>) -> Profile {
    Profile {
        name: "Bank".to_owned(),
        security_url: url.to_owned(),
        receipt_url: None,
        transaction_url: url.to_owned(),
        authority_pem: authority.pem.clone(),
        pins,
        enrolment_hpke: "00".repeat(32),
        enrolment_signer: "00".repeat(32),
        package_signer: "00".repeat(32),
        lowest_suite: 3,
        client_certificate: false,
    }
}
