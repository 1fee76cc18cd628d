use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ED25519};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::ProfileError;

/// RFC 8410, section 7: what stands before the 32 bytes of an Ed25519 secret in PKCS#8.
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A terminal's certificate: signed by itself, since the bank knows its key by the master key of both.
pub(crate) struct OwnCertificate {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl OwnCertificate {
    /// `terminal`: 12 digits. `secret`: `envelope::keys::tls_secret`.
    pub(crate) fn new(terminal: &str, secret: &[u8; 32]) -> Result<Self, ProfileError> {
        let pkcs8 = Zeroizing::new([&PKCS8_ED25519[..], secret].concat());
        let der = PrivatePkcs8KeyDer::from(pkcs8.to_vec());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519);
        let key = key.map_err(|_| ProfileError::Tls)?;
        let params = CertificateParams::new(Vec::new());
        let mut params = params.map_err(|_| ProfileError::Tls)?;
        params.distinguished_name.push(DnType::CommonName, terminal);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        // What ends the key's life is the master key's: a terminal whose clock is wrong must still get in.
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2099, 12, 31);
        let made = params.self_signed(&key).map_err(|_| ProfileError::Tls)?;
        Ok(Self {
            certificate: made.der().clone(),
            key: PrivateKeyDer::Pkcs8(der),
        })
    }
}
