//! The bank's own authority, the servers' certificate and the pins.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::StartError;
use crate::files::Directory;
use crate::peer::{AnyKey, Presence};

/// What both servers present and what a profile tells about it.
pub(crate) struct Identity {
    pub(crate) security: Arc<ServerConfig>,
    pub(crate) transaction: Arc<ServerConfig>,
    pub(crate) authority_pem: String,
    /// Pin of the server's key, then of the backup key.
    pub(crate) pins: [String; 2],
}

/// `ask`: whether terminals show certificates of their own.
pub(crate) fn identity(
    dir: &Directory,
    host_names: &[String],
    ask: bool,
) -> Result<Identity, StartError> {
    let authority_key = key(dir, "authority.key")?;
    let server_key = key(dir, "server.key")?;
    let backup_key = key(dir, "backup.key")?;
    let params = authority_params()?;
    let authority_pem = dir.public_text("authority.pem", || {
        let made = params
            .self_signed(&authority_key)
            .map_err(|error| error.to_string())?;
        Ok(Zeroizing::new(made.pem()))
    })?;
    let issuer = Issuer::new(params, authority_key);
    let params = server_params(host_names)?;
    let certificate = params.signed_by(&server_key, &issuer).map_err(tls)?;
    // A terminal has no certificate before its enrolment.
    let security = ask.then_some(Presence::Optional);
    let transaction = ask.then_some(Presence::Required);
    let config = |ask| server_config(&server_key, certificate.der(), ask).map(Arc::new);
    Ok(Identity {
        security: config(security)?,
        transaction: config(transaction)?,
        authority_pem: authority_pem.to_string(),
        pins: [pin(&server_key), pin(&backup_key)],
    })
}

fn server_config(
    key: &KeyPair,
    certificate: &CertificateDer<'static>,
    ask: Option<Presence>,
) -> Result<ServerConfig, StartError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls)?;
    let builder = match ask {
        None => builder.with_no_client_auth(),
        Some(presence) => builder.with_client_cert_verifier(Arc::new(AnyKey(presence))),
    };
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut server = builder
        .with_single_cert(vec![certificate.clone()], private)
        .map_err(tls)?;
    // What an idle terminal costs is a third with HTTP/1.1 (decision 22).
    server.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    Ok(server)
}

fn key(dir: &Directory, name: &str) -> Result<KeyPair, StartError> {
    let pem = dir.text(name, || {
        let key = KeyPair::generate().map_err(|error| error.to_string())?;
        Ok(Zeroizing::new(key.serialize_pem()))
    })?;
    KeyPair::from_pem(&pem).map_err(|error| StartError::File {
        path: dir.path(name).display().to_string(),
        cause: error.to_string(),
    })
}

/// SHA-256 of the SubjectPublicKeyInfo, hex.
fn pin(key: &KeyPair) -> String {
    hex::encode(Sha256::digest(key.subject_public_key_info()))
}

/// The same at every start: the stored certificate must stay the issuer of new server certificates.
fn authority_params() -> Result<CertificateParams, StartError> {
    let mut params = CertificateParams::new(Vec::new()).map_err(tls)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Tapfill bank authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params);
    Ok(params)
}

fn server_params(host_names: &[String]) -> Result<CertificateParams, StartError> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    names.extend_from_slice(host_names);
    names.dedup();
    let mut params = CertificateParams::new(names).map_err(tls)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "Tapfill bank");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    valid(&mut params);
    Ok(params)
}

/// Wide on purpose: a terminal whose clock is years off must still reach the bank to be told the time. What
/// ends a key's life is its pin, which a new profile replaces.
fn valid(params: &mut CertificateParams) {
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(2099, 12, 31);
}

fn tls(error: impl ToString) -> StartError {
    StartError::Tls(error.to_string())
}
