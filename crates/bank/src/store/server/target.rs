//! Where a server is, and how a connection to it is made.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::StartError;

use super::Failed;
use super::login::Account;
use super::tls::{self, Pem, Proofs, Trust};
use super::wire::{Stream, Wire};

/// A server's place. It can hold a password, so it has no `Debug`.
pub(crate) struct Target {
    at: At,
    account: Account,
}

enum At {
    /// A file: whoever may open it is on this machine, so TLS has nothing to hide.
    Socket(String),
    Network {
        host: String,
        port: u16,
        tls: Option<Tls>,
    },
}

struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// Otherwise a server without it is spoken to in the open.
    is_needed: bool,
}

impl Target {
    /// As the schema's migrations reach it.
    pub(crate) fn new(options: &PgConnectOptions) -> Result<Self, StartError> {
        let secret = Secret::of(options);
        let folder = options.get_socket().map(|path| path.display().to_string());
        let (host, port) = (options.get_host(), options.get_port());
        let folder = folder.or_else(|| host.starts_with('/').then(|| host.to_owned()));
        let at = match folder {
            Some(folder) => At::Socket(format!("{folder}/.s.PGSQL.{port}")),
            None => At::Network {
                host: host.to_owned(),
                port,
                tls: secured(options.get_ssl_mode(), host, &secret.proofs)?,
            },
        };
        let account = Account {
            user: options.get_username().to_owned(),
            password: secret.password,
            database: options.get_database().map(str::to_owned),
            application: options
                .get_application_name()
                .unwrap_or_default()
                .to_owned(),
            options: options.get_options().unwrap_or_default().to_owned(),
        };
        Ok(Self { at, account })
    }

    pub(super) async fn connect(&self) -> Result<Wire, Failed> {
        let mut wire = Wire::new(self.at.reach().await?);
        self.account.log_in(&mut wire).await?;
        Ok(wire)
    }
}

impl At {
    async fn reach(&self) -> Result<Box<dyn Stream>, Failed> {
        match self {
            #[cfg(unix)]
            Self::Socket(path) => Ok(Box::new(tokio::net::UnixStream::connect(path).await?)),
            #[cfg(not(unix))]
            Self::Socket(_) => Err(Failed::unfit("no sockets that are files on this system")),
            Self::Network { host, port, tls } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                keep_alive(&stream)?;
                match tls {
                    None => Ok(Box::new(stream)),
                    Some(tls) => tls.secured(stream).await,
                }
            }
        }
    }
}

/// Without a word from a machine, before it is asked whether it is there; then with something on its way to it, unanswered.
const QUIET: Duration = Duration::from_secs(60);

/// Whoever waits for long hears of a machine that is gone, and what stands between forgets no connection.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let asks = TcpKeepalive::new()
        .with_time(QUIET)
        .with_interval(QUIET / 6);
    socket.set_tcp_keepalive(&asks)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(QUIET))?;
    Ok(())
}

impl Tls {
    async fn secured(&self, mut stream: TcpStream) -> Result<Box<dyn Stream>, Failed> {
        let mut asked = BytesMut::new();
        frontend::ssl_request(&mut asked);
        stream.write_all(&asked).await?;
        // What comes behind this one byte is of the handshake.
        match stream.read_u8().await? {
            b'S' => {}
            b'N' if !self.is_needed => return Ok(Box::new(stream)),
            _ => return Err(Failed::unfit("the store's server does not speak TLS")),
        }
        let connector = TlsConnector::from(self.config.clone());
        let secured = connector.connect(self.name.clone(), stream).await;
        Ok(Box::new(secured.map_err(refused)?))
    }
}

/// A certificate that is not believed now is not believed a moment later.
fn refused(error: io::Error) -> Failed {
    match error.kind() == io::ErrorKind::InvalidData {
        true => Failed::unfit(error),
        false => Failed::Broken(error),
    }
}

fn secured(mode: PgSslMode, host: &str, proofs: &Proofs) -> Result<Option<Tls>, StartError> {
    let verifies = matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull);
    if proofs.authorities.is_some() && !verifies {
        // It would never be looked at, and whoever gives it means it.
        let cause = "sslrootcert needs sslmode=verify-ca or verify-full";
        return Err(StartError::Tls(cause.to_owned()));
    }
    let (trust, is_needed) = match mode {
        PgSslMode::Disable | PgSslMode::Allow => return Ok(None),
        PgSslMode::Prefer => (Trust::Anybody, false),
        PgSslMode::Require => (Trust::Anybody, true),
        PgSslMode::VerifyCa => (Trust::Certified, true),
        PgSslMode::VerifyFull => (Trust::Named, true),
    };
    let name = ServerName::try_from(host.to_owned());
    Ok(Some(Tls {
        config: Arc::new(tls::config(trust, proofs)?),
        name: name.map_err(|_| StartError::Tls("no name of a host".to_owned()))?,
        is_needed,
    }))
}

/// What the options tell in their URL alone.
#[derive(Default)]
struct Secret {
    password: Option<String>,
    proofs: Proofs,
}

impl Secret {
    fn of(options: &PgConnectOptions) -> Self {
        // A user or a host of odd letters would be no URL, and neither is looked for.
        let url = options.clone().username("u").host("h").to_url_lossy();
        let mut secret = Self::default();
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslrootcert" => secret.proofs.authorities = Some(Pem::told(&value)),
                "sslcert" => secret.proofs.certificate = Some(Pem::told(&value)),
                "sslkey" => secret.proofs.key = Some(Pem::told(&value)),
                _ => {}
            }
        }
        // Pairs are decoded, a password in its place is not.
        let password = url
            .password()
            .map(|password| format!("password={password}"));
        if let Some(password) = password {
            let mut decoded = url;
            decoded.set_query(Some(&password));
            secret.password = decoded.query_pairs().next().map(|(_, it)| it.into_owned());
        }
        secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(url: &str) -> Secret {
        Secret::of(&url.parse().unwrap())
    }

    #[test]
    fn a_password_is_what_the_url_has_decoded() {
        for (url, password) in [
            ("postgres://b:plain@h/d", "plain"),
            ("postgres://b:a%2Fb%25%40%3A%2B%20c@h/d", "a/b%@:+ c"),
            ("postgres://b:p@ss@h/d", "p@ss"),
            ("postgres://b%2Fc@h/d?password=%C3%A4%26", "ä&"),
        ] {
            assert_eq!(secret(url).password.as_deref(), Some(password), "{url}");
        }
    }

    #[test]
    fn certificates_are_files_or_themselves() {
        let secret = secret("postgres://b@h/d?sslrootcert=%2Fa%20b%2Fca.pem&sslkey=key.pem");
        let path = |pem: Option<Pem>| match pem {
            Some(Pem::File(path)) => path,
            Some(Pem::Inline(_)) | None => panic!("no file"),
        };
        assert_eq!(path(secret.proofs.authorities), "/a b/ca.pem");
        assert_eq!(path(secret.proofs.key), "key.pem");
        assert!(secret.proofs.certificate.is_none());
    }

    #[test]
    fn a_socket_is_a_file_and_a_host_is_called_as_its_sslmode_says() {
        let at = |url: &str| Target::new(&url.parse().unwrap()).map(|target| target.at);
        let socket = at("postgres://b@localhost:7/d?host=%2Ftmp%2Fx&sslmode=verify-full");
        assert!(matches!(socket, Ok(At::Socket(path)) if path == "/tmp/x/.s.PGSQL.7"));
        // Whoever looks at certificates has one to begin with, where the machine has none.
        let authority = rcgen::generate_simple_self_signed([]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, authority.cert.pem()).unwrap();
        for (mode, needed) in [
            ("disable", None),
            ("prefer", Some(false)),
            ("require", Some(true)),
            ("verify-ca", Some(true)),
            ("verify-full", Some(true)),
        ] {
            let plain = format!("postgres://b@db.example/d?sslmode={mode}");
            let with_file = format!("{plain}&sslrootcert={}", file.display());
            let looks = mode.starts_with("verify");
            assert_eq!(at(&with_file).is_ok(), looks, "{mode}: the file is for it");
            let Ok(At::Network { host, port, tls }) = at(if looks { &with_file } else { &plain })
            else {
                panic!("{mode}");
            };
            assert_eq!((host.as_str(), port), ("db.example", 5432));
            assert_eq!(tls.map(|tls| tls.is_needed), needed, "{mode}");
        }
    }
}
