//! Keys of a terminal and their life.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    Refused, Secret, Suite, Terminal, kdf,
    secret::{key, same},
};

key!(
    /// The first key of a terminal, from enrolment; lives in the OS keystore.
    MasterKey, 32
);
key!(
    /// The key of the MACs of `docs/protocol.md` 3.2.
    AuthKey, 32
);

/// First 3 bytes of HMAC-SHA256(key, `tapfill/1/kcv`).
pub fn key_check_value(key: &[u8]) -> [u8; 3] {
    let [a, b, c, ..] = kdf::hmac(key, &[b"tapfill/1/kcv"]);
    [a, b, c]
}

/// Whether two key check values agree.
///
/// # Errors
/// [`Refused`] when they do not.
pub fn verify_check_value(key: &[u8], received: &[u8]) -> Result<(), Refused> {
    same(&key_check_value(key), received)
}

/// HKDF of the master key, info `tapfill/1/auth`.
pub fn auth_key(master: &MasterKey, terminal: &Terminal) -> AuthKey {
    AuthKey(kdf::hkdf(
        master.expose(),
        terminal.to_string().as_bytes(),
        "tapfill/1/auth",
    ))
}

/// The Ed25519 secret of the certificate that the terminal shows in TLS, where its bank asks for one: HKDF of the
/// master key, info `tapfill/1/tls`.
pub fn tls_secret(master: &MasterKey, terminal: &Terminal) -> Secret<32> {
    let salt = terminal.to_string();
    kdf::hkdf(master.expose(), salt.as_bytes(), "tapfill/1/tls")
}

/// What is known of a working key beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// Number of the key, in headers.
    pub id: u32,
    /// The only suite that it serves.
    pub suite: Suite,
    /// Good from, ms.
    pub not_before_ms: u64,
    /// Good until just before, ms.
    pub expires_ms: u64,
}

impl KeyFacts {
    /// Where the key is in its life; `margin_ms` before the expiry it is expiring.
    pub fn health(&self, now_ms: u64, margin_ms: u64) -> KeyHealth {
        if now_ms < self.not_before_ms {
            KeyHealth::NotYet
        } else if now_ms >= self.expires_ms {
            KeyHealth::Expired
        } else if now_ms.saturating_add(margin_ms) >= self.expires_ms {
            KeyHealth::Expiring
        } else {
            KeyHealth::Good
        }
    }
}

/// The life of a working key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyHealth {
    /// Before its time.
    NotYet,
    /// In its time, with more than the margin left.
    Good,
    /// In its time, with less than the margin left.
    Expiring,
    /// After its time.
    Expired,
}

/// The security server's answer to a key query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAnswer {
    /// Go on.
    Current,
    /// Fetch a new working key first.
    Renew,
    /// Enrol again first.
    Enrol,
}

/// The answer to a query about a known key of a known terminal. [`KeyAnswer::Enrol`] is the server's to say.
pub fn query_answer(facts: &KeyFacts, now_ms: u64, margin_ms: u64) -> KeyAnswer {
    match facts.health(now_ms, margin_ms) {
        KeyHealth::Good => KeyAnswer::Current,
        KeyHealth::NotYet | KeyHealth::Expiring | KeyHealth::Expired => KeyAnswer::Renew,
    }
}

/// The key that seals relay messages for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkingKey {
    facts: KeyFacts,
    secret: Secret<32>,
}

impl WorkingKey {
    /// A key of 32 bytes. The caller's own copy is the caller's to wipe.
    pub fn new(facts: KeyFacts, secret: [u8; 32]) -> Self {
        Self {
            facts,
            secret: Secret::new(secret),
        }
    }

    /// Id, suite and life.
    pub fn facts(&self) -> &KeyFacts {
        &self.facts
    }

    /// The bytes, for one use.
    pub fn expose(&self) -> &[u8; 32] {
        self.secret.expose()
    }

    /// See [`key_check_value`].
    pub fn check_value(&self) -> [u8; 3] {
        key_check_value(self.secret.expose())
    }

    /// The master key in the place of a working key: suite 0.
    pub fn of_master(facts: KeyFacts, master: &MasterKey) -> Self {
        Self::new(facts, *master.expose())
    }

    /// The first 8 bytes as they are.
    pub(crate) fn leading(&self) -> Secret<8> {
        let mut out = Secret::new([0; 8]);
        for (byte, own) in out.expose_mut().iter_mut().zip(self.secret.expose()) {
            *byte = *own;
        }
        out
    }

    /// The key of one purpose: salt = terminal || key id, info `tapfill/1/suite-<n>/<purpose>`.
    pub(crate) fn derive<const N: usize>(&self, terminal: &Terminal, purpose: &str) -> Secret<N> {
        let mut salt = [0; 10];
        let (left, right) = salt.split_at_mut(6);
        left.copy_from_slice(&terminal.bcd());
        right.copy_from_slice(&self.facts.id.to_be_bytes());
        let info = format!("tapfill/1/suite-{}/{purpose}", self.facts.suite.number());
        kdf::hkdf(self.secret.expose(), &salt, &info)
    }
}

/// Wraps a working key under the master key: nonce (12) || ciphertext (32) || tag (16).
///
/// # Errors
/// [`Refused`], never in practice.
pub fn wrap_working_key(
    master: &MasterKey,
    terminal: &Terminal,
    key: &WorkingKey,
    nonce: &[u8; 12],
) -> Result<Vec<u8>, Refused> {
    let aad = wrap_data(terminal, &key.facts);
    let payload = Payload {
        msg: key.secret.expose(),
        aad: &aad,
    };
    let sealed = wrap_cipher(master, terminal)
        .encrypt(nonce.into(), payload)
        .map_err(|_| Refused)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// Opens what [`wrap_working_key`] made. `facts` and `check_value` are what came beside it.
///
/// # Errors
/// [`Refused`] for another master key, terminal or fact, for any altered byte and for another check value.
pub fn unwrap_working_key(
    master: &MasterKey,
    terminal: &Terminal,
    facts: KeyFacts,
    check_value: &[u8],
    wrapped: &[u8],
) -> Result<WorkingKey, Refused> {
    let (nonce, sealed) = wrapped.split_first_chunk::<12>().ok_or(Refused)?;
    let payload = Payload {
        msg: sealed,
        aad: &wrap_data(terminal, &facts),
    };
    let plain = wrap_cipher(master, terminal)
        .decrypt(nonce.into(), payload)
        .map_err(|_| Refused)?;
    let plain = Zeroizing::new(plain);
    let key = WorkingKey {
        facts,
        secret: Secret::try_from(plain.as_slice())?,
    };
    verify_check_value(key.expose(), check_value)?;
    Ok(key)
}

fn wrap_cipher(master: &MasterKey, terminal: &Terminal) -> Aes256Gcm {
    let terminal = terminal.to_string();
    let key: Secret<32> = kdf::hkdf(master.expose(), terminal.as_bytes(), "tapfill/1/wrap");
    Aes256Gcm::new(key.expose().into())
}

fn wrap_data(terminal: &Terminal, facts: &KeyFacts) -> Vec<u8> {
    [
        terminal.to_string().as_bytes(),
        &facts.id.to_be_bytes(),
        &[facts.suite.number()],
        &facts.not_before_ms.to_be_bytes(),
        &facts.expires_ms.to_be_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: KeyFacts = KeyFacts {
        id: 7,
        suite: Suite::AesGcm,
        not_before_ms: 1_000,
        expires_ms: 9_000,
    };

    fn terminal() -> Terminal {
        "001122334455".parse().unwrap()
    }

    fn wrapped() -> (MasterKey, WorkingKey, Vec<u8>) {
        let master = MasterKey::new([1; 32]);
        let key = WorkingKey::new(FACTS, [2; 32]);
        let wrapped = wrap_working_key(&master, &terminal(), &key, &[3; 12]).unwrap();
        (master, key, wrapped)
    }

    #[test]
    fn a_wrapped_key_comes_back_with_its_facts() {
        let (master, key, wrapped) = wrapped();
        assert_eq!(wrapped.len(), 12 + 32 + 16);
        let opened =
            unwrap_working_key(&master, &terminal(), FACTS, &key.check_value(), &wrapped).unwrap();
        assert_eq!(opened, key);
    }

    #[test]
    fn a_wrapped_key_is_refused_whole_when_one_bit_is_another_or_a_byte_is_missing() {
        let (master, key, wrapped) = wrapped();
        let open = |bytes: &[u8]| {
            unwrap_working_key(&master, &terminal(), FACTS, &key.check_value(), bytes)
        };
        for bit in 0..wrapped.len() * 8 {
            let mut bytes = wrapped.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&bytes), Err(Refused), "bit {bit}");
        }
        for length in 0..wrapped.len() {
            assert_eq!(open(&wrapped[..length]), Err(Refused), "length {length}");
        }
    }

    #[test]
    fn a_wrapped_key_belongs_to_its_master_key_terminal_and_facts() {
        let (master, key, wrapped) = wrapped();
        let kcv = key.check_value();
        let other: Terminal = "001122334456".parse().unwrap();
        assert_eq!(
            unwrap_working_key(&MasterKey::new([9; 32]), &terminal(), FACTS, &kcv, &wrapped),
            Err(Refused)
        );
        assert_eq!(
            unwrap_working_key(&master, &other, FACTS, &kcv, &wrapped),
            Err(Refused)
        );
        for facts in [
            KeyFacts { id: 8, ..FACTS },
            KeyFacts {
                suite: Suite::Des,
                ..FACTS
            },
            KeyFacts {
                not_before_ms: 0,
                ..FACTS
            },
            KeyFacts {
                expires_ms: 9_001,
                ..FACTS
            },
        ] {
            assert_eq!(
                unwrap_working_key(&master, &terminal(), facts, &kcv, &wrapped),
                Err(Refused),
                "{facts:?}"
            );
        }
        for kcv in [&[0, 0, 0][..], &kcv[..2], &[]] {
            assert_eq!(
                unwrap_working_key(&master, &terminal(), FACTS, kcv, &wrapped),
                Err(Refused)
            );
        }
    }

    #[test]
    fn a_key_is_renewed_when_less_than_the_margin_is_left() {
        for (now, health, answer) in [
            (999, KeyHealth::NotYet, KeyAnswer::Renew),
            (1_000, KeyHealth::Good, KeyAnswer::Current),
            (7_999, KeyHealth::Good, KeyAnswer::Current),
            (8_000, KeyHealth::Expiring, KeyAnswer::Renew),
            (8_999, KeyHealth::Expiring, KeyAnswer::Renew),
            (9_000, KeyHealth::Expired, KeyAnswer::Renew),
            (u64::MAX, KeyHealth::Expired, KeyAnswer::Renew),
        ] {
            assert_eq!(FACTS.health(now, 1_000), health, "{now}");
            assert_eq!(query_answer(&FACTS, now, 1_000), answer, "{now}");
        }
        assert_eq!(
            serde_json::to_string(&KeyAnswer::Current).unwrap(),
            "\"current\""
        );
    }

    #[test]
    fn no_two_purposes_terminals_ids_or_suites_share_a_key() {
        let mut seen = std::collections::BTreeSet::new();
        for suite in Suite::ALL {
            for id in [7, 8] {
                for terminal in ["001122334455", "001122334456"] {
                    for purpose in ["to-bank/cipher", "to-terminal/cipher", "to-bank/mac", "pin"] {
                        let key = WorkingKey::new(KeyFacts { id, suite, ..FACTS }, [2; 32]);
                        let derived: Secret<16> = key.derive(&terminal.parse().unwrap(), purpose);
                        assert!(seen.insert(*derived.expose()));
                    }
                }
            }
        }
        let master = MasterKey::new([2; 32]);
        let (auth, tls) = (
            auth_key(&master, &terminal()),
            tls_secret(&master, &terminal()),
        );
        assert_ne!(auth.expose(), master.expose());
        assert_ne!(tls.expose(), master.expose());
        assert_ne!(tls.expose(), auth.expose());
    }
}
