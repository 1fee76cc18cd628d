//! TLS towards those whom the bank itself calls.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::StartError;

/// The machine's own authorities, or those of a file and no others.
pub(crate) fn client_config(authority: Option<&Path>) -> Result<ClientConfig, StartError> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(path) => {
            for certificate in certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|error| unusable(path, error))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            let (_good, _bad) = roots.add_parsable_certificates(found.certs);
        }
    }
    if roots.is_empty() {
        let cause =
            "this machine has no certificates of authorities, and the configuration names none";
        return Err(StartError::Tls(cause.to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StartError::Tls(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let pem = std::fs::read(path).map_err(|error| unusable(path, error))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) | Err(_) => Err(unusable(path, "no certificate as PEM")),
    }
}

fn unusable(path: &Path, cause: impl ToString) -> StartError {
    StartError::File {
        path: path.display().to_string(),
        cause: cause.to_string(),
    }
}
