//! Who is at the other end of a connection, where terminals show certificates of their own.
//!
//! A terminal's certificate is signed by itself: its key follows from the master key that the bank has as well, so
//! no authority is needed, and a terminal that is revoked or replaced loses its certificate with its key.

use envelope::keys;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::error::Problem;
use crate::store::terminal::TerminalRow;

/// RFC 8410, section 4: what stands before the 32 bytes of an Ed25519 public key.
const SPKI_ED25519: [u8; 12] = [
    0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Whether a connection without a certificate is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Presence {
    Optional,
    Required,
}

/// Takes any certificate whose key signs the handshake. Whose key it is, is asked with the request ([`owns`]).
#[derive(Debug)]
pub(crate) struct AnyKey(pub(crate) Presence);

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0 == Presence::Required
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        public_key(end_entity).ok_or(CertificateError::BadEncoding)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(CertificateError::BadSignature.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let provider = rustls::crypto::ring::default_provider();
        let algorithms = provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// The Ed25519 key of a certificate; `None` for any other.
fn public_key(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let spki = parsed.subject_public_key_info();
    spki.strip_prefix(&SPKI_ED25519[..])?.try_into().ok()
}

/// The key that the other end of a connection has proven in the handshake, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PeerKey(Option<[u8; 32]>);

impl PeerKey {
    /// `shown`: the certificates of the handshake.
    pub(crate) fn of(shown: Option<&[CertificateDer<'_>]>) -> Self {
        Self(shown.and_then(<[_]>::first).and_then(public_key))
    }
}

/// Where this bank asks for certificates, the connection must be of the terminal that the request speaks for.
///
/// # Errors
/// `envelope-refused` when it is another's, or nobody's.
pub(crate) fn owns(asks: bool, row: &TerminalRow, peer: PeerKey) -> Result<(), Problem> {
    if !asks {
        return Ok(());
    }
    let secret = keys::tls_secret(&row.master, &row.terminal);
    let expected = envelope::package::signer_public(secret.expose());
    if peer.0 == Some(expected) {
        Ok(())
    } else {
        Err(Problem::envelope_refused())
    }
}
