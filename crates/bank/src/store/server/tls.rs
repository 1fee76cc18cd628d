//! TLS towards the store's server, as `sslmode` has it.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::error::StartError;

/// Whom to believe that it is the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trust {
    /// Anybody (`prefer`, `require`): nobody who only listens hears anything.
    Anybody,
    /// Whoever has a certificate of a known authority (`verify-ca`).
    Certified,
    /// The same, and it is for the name that is called (`verify-full`).
    Named,
}

/// What the two sides prove themselves by.
#[derive(Default)]
pub(super) struct Proofs {
    pub(super) authorities: Option<Pem>,
    pub(super) certificate: Option<Pem>,
    pub(super) key: Option<Pem>,
}

/// It can hold a key, so it has no `Debug`.
pub(super) enum Pem {
    /// A path.
    File(String),
    Inline(String),
}

impl Pem {
    /// As sqlx tells it.
    pub(super) fn told(text: &str) -> Self {
        match text.strip_prefix("file: ") {
            Some(path) => Self::File(path.to_owned()),
            None => Self::Inline(text.to_owned()),
        }
    }

    fn read(&self) -> Result<Vec<u8>, StartError> {
        match self {
            Self::File(path) => std::fs::read(path).map_err(|error| self.bad(error)),
            Self::Inline(text) => Ok(text.clone().into_bytes()),
        }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, StartError> {
        let pem = self.read()?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        all.map_err(|error| self.bad(error))
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, StartError> {
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|error| self.bad(error))
    }

    fn bad(&self, cause: impl ToString) -> StartError {
        let path = match self {
            Self::File(path) => path,
            Self::Inline(_) => "bank.store",
        };
        StartError::File {
            path: path.to_owned(),
            cause: cause.to_string(),
        }
    }
}

pub(super) fn config(trust: Trust, proofs: &Proofs) -> Result<ClientConfig, StartError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Anybody => Arc::new(Lenient {
            verifier: None,
            provider,
        }),
        Trust::Certified => Arc::new(Lenient {
            verifier: Some(verifier(proofs, provider.clone())?),
            provider,
        }),
        Trust::Named => verifier(proofs, provider)?,
    };
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match (&proofs.certificate, &proofs.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(chain), Some(key)) => {
            let own = builder.with_client_auth_cert(chain.certificates()?, key.key()?);
            own.map_err(unusable)
        }
        (Some(_), None) | (None, Some(_)) => Err(unusable("sslcert and sslkey belong together")),
    }
}

/// The authorities of a file, else the machine's own.
fn verifier(
    proofs: &Proofs,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, StartError> {
    let mut roots = RootCertStore::empty();
    match &proofs.authorities {
        Some(pem) => {
            for certificate in pem.certificates()? {
                roots.add(certificate).map_err(|error| pem.bad(error))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            let (_good, _bad) = roots.add_parsable_certificates(found.certs);
        }
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    verifier.build().map_err(unusable)
}

fn unusable(cause: impl ToString) -> StartError {
    StartError::Tls(cause.to_string())
}

/// Looks at less than all of a certificate.
#[derive(Debug)]
struct Lenient {
    /// Looks at all but the name; none: nothing is looked at.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(verifier) = &self.verifier else {
            return Ok(ServerCertVerified::assertion());
        };
        match verifier.verify_server_cert(certificate, chain, name, ocsp, now) {
            // The name is what is looked at last.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
