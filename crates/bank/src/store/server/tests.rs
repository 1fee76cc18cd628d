//! How a server is reached: over TLS, and with a password.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use private_postgres::{Durability, PrivatePostgres};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::*;

fn started() -> Option<PrivatePostgres> {
    PrivatePostgres::start(Durability::None).unwrap()
}

/// The folder with a server's socket.
fn folder(server: &PrivatePostgres) -> String {
    let url = server.schema().unwrap();
    let (_, rest) = url.split_once("host=").unwrap();
    rest.split_once('&').unwrap().0.to_owned()
}

async fn reached(url: &str) -> Result<(), String> {
    let target = Target::new(&url.parse().unwrap()).map_err(|error| error.to_string())?;
    let pool = Pool::new(target, 1, Duration::from_secs(5));
    let Leased { mut wire, .. } = pool
        .lease()
        .await
        .map_err(|problem| format!("{problem:?}"))?;
    wire.ask("SELECT 1".into(), &[]).unwrap();
    wire.send().await.unwrap();
    while !matches!(wire.event().await.unwrap(), Event::Ready) {}
    wire.end().await.unwrap();
    Ok(())
}

/// An authority's certificate as PEM, and what a server of this name proves itself by.
fn certified(name: &str) -> (String, ServerConfig) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([name.to_owned()]).unwrap();
    let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key);
    (authority, config.unwrap())
}

/// A port before a server's socket, with TLS or without; its number.
async fn port(socket: PathBuf, tls: Option<ServerConfig>) -> u16 {
    let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(served(near, socket.clone(), acceptor.clone()));
        }
    });
    port
}

/// None of those who end in the middle.
async fn served(mut near: TcpStream, socket: PathBuf, acceptor: Option<TlsAcceptor>) -> Option<()> {
    let mut far = UnixStream::connect(socket).await.ok()?;
    // SSLRequest is eight bytes, and what a client that wants no TLS begins with is more.
    let mut asked = [0; 8];
    near.peek(&mut asked).await.ok()?;
    if asked[4..] != [4, 210, 22, 47] {
        copy_bidirectional(&mut near, &mut far).await.ok()?;
        return Some(());
    }
    near.read_exact(&mut asked).await.ok()?;
    let Some(acceptor) = acceptor else {
        near.write_all(b"N").await.ok()?;
        copy_bidirectional(&mut near, &mut far).await.ok()?;
        return Some(());
    };
    near.write_all(b"S").await.ok()?;
    let mut near = acceptor.accept(near).await.ok()?;
    copy_bidirectional(&mut near, &mut far).await.ok()?;
    Some(())
}

#[tokio::test]
async fn a_server_is_believed_as_its_sslmode_says() {
    let Some(server) = started() else { return };
    let socket = PathBuf::from(folder(&server).replace("%2F", "/")).join(".s.PGSQL.5432");
    let (authority, config) = certified("localhost");
    let (_, of_another) = certified("elsewhere.example");
    let (another, elsewhere) = certified("elsewhere.example");
    let dir = tempfile::tempdir().unwrap();
    let named = |name: &str, pem: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.display().to_string()
    };
    let (authority, another) = (named("ca.pem", &authority), named("other.pem", &another));
    let good = port(socket.clone(), Some(config)).await;
    let other_name = port(socket.clone(), Some(elsewhere)).await;
    let strange = port(socket.clone(), Some(of_another)).await;
    let plain = port(socket, None).await;
    for (mode, port, authority, is_reached) in [
        ("disable", good, None, true),
        ("prefer", good, None, true),
        ("prefer", plain, None, true),
        ("require", good, None, true),
        ("require", strange, None, true),
        ("require", plain, None, false),
        ("verify-ca", good, Some(&authority), true),
        ("verify-ca", other_name, Some(&another), true),
        ("verify-ca", strange, Some(&another), false),
        ("verify-full", good, Some(&authority), true),
        ("verify-full", other_name, Some(&another), false),
        ("verify-full", strange, Some(&authority), false),
        ("verify-full", plain, Some(&authority), false),
    ] {
        let root = authority.map_or_else(String::new, |path| format!("&sslrootcert={path}"));
        let url = format!("postgres://bank@localhost:{port}/postgres?sslmode={mode}{root}");
        let done = reached(&url).await;
        assert_eq!(done.is_ok(), is_reached, "{url}: {done:?}");
    }
}

#[tokio::test]
async fn a_password_is_proved_as_the_server_wants_it_and_told_to_nobody() {
    let Some(server) = started() else { return };
    let folder = folder(&server);
    let told = |sql: &str| {
        let arguments = ["--no-psqlrc", "-At", "--command", sql, "postgres"];
        let done = server.tool("psql", &arguments).unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    let ways = [
        ("scram-sha-256", "scram-sha-256"),
        ("md5", "md5"),
        ("password", "md5"),
    ];
    let mut rules = String::new();
    for (number, (way, kept)) in ways.iter().enumerate() {
        told(&format!(
            "SET password_encryption = '{kept}'; CREATE ROLE r{number} LOGIN PASSWORD 'a b%/ä'"
        ));
        rules.push_str(&format!("local all r{number} {way}\n"));
    }
    rules.push_str("local all all trust\n");
    std::fs::write(told("SHOW hba_file"), rules).unwrap();
    told("SELECT pg_reload_conf()");
    for (number, (way, _)) in ways.iter().enumerate() {
        let url = |password: &str| {
            format!("postgres://r{number}:{password}@localhost/postgres?host={folder}")
        };
        // The rules are read anew a moment later.
        for _ in 0..100 {
            if reached(&url("wrong-secret")).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let refused = reached(&url("wrong-secret")).await.unwrap_err();
        assert!(refused.contains("28P01"), "{way}: {refused}");
        assert!(!refused.contains("secret"), "{refused}");
        let done = reached(&url("a%20b%25%2F%C3%A4")).await;
        assert!(done.is_ok(), "{way}: {done:?}");
    }
}
