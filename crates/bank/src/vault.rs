//! The store key: what makes columns unreadable to whoever has the database alone.

use std::num::NonZeroU32;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use ring::pbkdf2;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::Problem;

/// What a keyed hash is for: hashes of different purposes never match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Purpose {
    Card,
    Phone,
    Password,
    SmsCode,
    SmsProof,
    QueueCode,
    QueueProof,
    Count,
    Request,
    Enrolment,
    Audit,
    Owner,
    Backup,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Phone => "phone",
            Self::Password => "password",
            Self::SmsCode => "sms-code",
            Self::SmsProof => "sms-proof",
            Self::QueueCode => "queue-code",
            Self::QueueProof => "queue-proof",
            Self::Count => "count",
            Self::Request => "request",
            Self::Enrolment => "enrolment",
            Self::Audit => "audit",
            Self::Owner => "owner",
            Self::Backup => "backup",
        }
    }
}

/// Keys made from the 32 bytes of `store.key`. Hides itself in `Debug`.
pub(crate) struct Vault {
    root: Zeroizing<[u8; 32]>,
    seal: Aes256Gcm,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Vault(hidden)")
    }
}

impl Vault {
    pub(crate) fn new(root: Zeroizing<[u8; 32]>) -> Self {
        let key = derive(&root, "seal");
        Self {
            seal: Aes256Gcm::new((&*key).into()),
            root,
        }
    }

    /// HMAC-SHA256 under the key of one purpose; parts are length-prefixed.
    pub(crate) fn hash(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        let key = derive(&self.root, purpose.label());
        let mut mac = keyed(key.as_slice());
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// PBKDF2-HMAC-SHA256 (RFC 8018) over a keyed hash of the password. ring's, because it is as fast in a
    /// debug build: a demo should not wait for it.
    pub(crate) fn slow_hash(&self, password: &[u8], salt: &[u8], rounds: NonZeroU32) -> [u8; 32] {
        let pepper = Zeroizing::new(self.hash(Purpose::Password, &[password]));
        let mut out = [0; 32];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            rounds,
            salt,
            pepper.as_slice(),
            &mut out,
        );
        out
    }

    /// Nonce (12) || AES-256-GCM; `label` says what it is and must be the same to open it.
    pub(crate) fn seal(&self, label: &str, plain: &[u8]) -> Result<Vec<u8>, Problem> {
        let nonce: [u8; 12] = random()?;
        let payload = Payload {
            msg: plain,
            aad: label.as_bytes(),
        };
        let sealed = self
            .seal
            .encrypt((&nonce).into(), payload)
            .map_err(|_| Problem::internal("sealing failed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn open(&self, label: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let wrong = || Problem::internal(format!("a sealed {label} does not open"));
        let (nonce, sealed) = sealed.split_first_chunk::<12>().ok_or_else(wrong)?;
        let payload = Payload {
            msg: sealed,
            aad: label.as_bytes(),
        };
        self.seal
            .decrypt(nonce.into(), payload)
            .map(Zeroizing::new)
            .map_err(|_| wrong())
    }
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Problem::internal)?;
    Ok(bytes)
}

fn derive(root: &[u8; 32], label: &str) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    let info = format!("tapfill/bank/{label}");
    if Hkdf::<Sha256>::new(None, root)
        .expand(info.as_bytes(), out.as_mut_slice())
        .is_err()
    {
        unreachable!("32 bytes are within RFC 5869's limit");
    }
    out
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    match <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        Vault::new(Zeroizing::new([7; 32]))
    }

    #[test]
    fn what_is_sealed_opens_under_its_label_alone() {
        let sealed = vault().seal("phone", b"13800006021").unwrap();
        assert_eq!(
            vault().open("phone", &sealed).unwrap().as_slice(),
            b"13800006021"
        );
        assert!(vault().open("reply", &sealed).is_err());
        assert!(!sealed.windows(11).any(|bytes| bytes == b"13800006021"));
    }

    #[test]
    fn a_password_hashes_the_same_under_the_same_salt_and_rounds_alone() {
        let hash = |password: &[u8], salt: u8, rounds| {
            vault().slow_hash(password, &[salt; 16], NonZeroU32::new(rounds).unwrap())
        };
        assert_eq!(hash(b"246810", 1, 10), hash(b"246810", 1, 10));
        for other in [
            hash(b"246811", 1, 10),
            hash(b"246810", 2, 10),
            hash(b"246810", 1, 11),
        ] {
            assert_ne!(hash(b"246810", 1, 10), other);
        }
    }

    #[test]
    fn hashes_of_different_purposes_and_cuts_differ() {
        let vault = vault();
        let one = vault.hash(Purpose::Card, &[b"0001", b"44"]);
        assert_ne!(one, vault.hash(Purpose::Phone, &[b"0001", b"44"]));
        assert_ne!(one, vault.hash(Purpose::Card, &[b"00014", b"4"]));
    }
}
