//! How a host is reached: TCP, or TLS that ends in one pinned authority.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::CoreSettings;
use crate::corebank::link::Ended;

const CONNECT: Duration = Duration::from_secs(10);

/// A stream to the host, in clear or not.
pub(super) trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

pub(super) async fn dial(settings: &CoreSettings) -> Result<Box<dyn Line>, Ended> {
    let reached = timeout(CONNECT, async {
        let line = TcpStream::connect(&settings.address).await?;
        line.set_nodelay(true)?;
        let Some(tls) = tls(settings)? else {
            return Ok::<Box<dyn Line>, std::io::Error>(Box::new(line));
        };
        let name = ServerName::try_from(settings.server_name().to_owned());
        let name = name.map_err(std::io::Error::other)?;
        Ok(Box::new(tls.connect(name, line).await?))
    });
    Ok(reached.await.map_err(|_| Ended::Silent)??)
}

/// Read at each connection: a new authority needs no restart.
fn tls(settings: &CoreSettings) -> std::io::Result<Option<TlsConnector>> {
    let Some(path) = &settings.authority else {
        return Ok(None);
    };
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(std::io::Error::other)?;
    for certificate in found {
        let certificate = certificate.map_err(std::io::Error::other)?;
        roots.add(certificate).map_err(std::io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(Arc::new(config).into()))
}
