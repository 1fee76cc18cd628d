//! Keys and codes of the purse: diversification, session keys, MAC1, MAC2, TAC.
//!
//! Source: JR/T 0025.2, security mechanism. `E3` is two-key 3DES in EDE; the MAC is a single-DES
//! CBC-MAC with padding 80 00.. always added (ISO/IEC 9797-1 algorithm 1, method 2), cut to 4 bytes.
//! The algorithm byte of a card misleads: the key's length chooses, 8 bytes DES, 16 bytes 3DES
//! (field practice).

use crate::time::HostTime;
use crate::types::{Terminal, TransactionType};
use des::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::{Des, TdesEde2};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A key that is neither 8 nor 16 bytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a purse key has 8 or 16 bytes, not {length}")]
pub struct KeyError {
    /// Bytes that were given.
    pub length: usize,
}

/// A key of one card, 8 bytes (DES) or 16 bytes (3DES). Wiped when dropped; `Debug` shows no key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct CardKey {
    left: [u8; 8],
    right: Option<[u8; 8]>,
}

/// A key of the issuer, from which card keys are made. Wiped when dropped; `Debug` shows no key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey(CardKey);

/// The 8-byte key of one load or purchase. Wiped when dropped; `Debug` shows no key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionKey([u8; 8]);

impl CardKey {
    /// # Errors
    /// `KeyError` unless there are 8 or 16 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let error = KeyError {
            length: bytes.len(),
        };
        match bytes.split_first_chunk::<8>() {
            Some((left, [])) => Ok(Self {
                left: *left,
                right: None,
            }),
            Some((left, rest)) => {
                let right = rest.try_into().map_err(|_| error)?;
                Ok(Self {
                    left: *left,
                    right: Some(right),
                })
            }
            None => Err(error),
        }
    }

    /// The key's bytes, for storage and wrapping.
    #[must_use]
    pub fn expose(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(16));
        bytes.extend_from_slice(&self.left);
        bytes.extend(self.right.iter().flatten());
        bytes
    }

    /// Enciphers one block: DES with 8 bytes, 3DES (EDE, two keys) with 16.
    #[must_use]
    pub fn encrypt(&self, block: [u8; 8]) -> [u8; 8] {
        match self.right {
            None => des_encrypt(&self.left, block),
            Some(_) => {
                let mut block = block.into();
                self.triple().encrypt_block(&mut block);
                block.into()
            }
        }
    }

    /// Deciphers one block: DES with 8 bytes, 3DES with 16.
    #[must_use]
    pub fn decrypt(&self, block: [u8; 8]) -> [u8; 8] {
        match self.right {
            None => des_decrypt(&self.left, block),
            Some(_) => {
                let mut block = block.into();
                self.triple().decrypt_block(&mut block);
                block.into()
            }
        }
    }

    pub(crate) fn from_halves(left: [u8; 8], right: [u8; 8]) -> Self {
        Self {
            left,
            right: Some(right),
        }
    }

    fn triple(&self) -> TdesEde2 {
        let mut key = [0; 16];
        for (place, byte) in key.iter_mut().zip(self.expose().iter()) {
            *place = *byte;
        }
        let cipher = TdesEde2::new(&key.into());
        key.zeroize();
        cipher
    }

    /// Left half xor right half of a 16-byte key; an 8-byte key itself.
    fn folded(&self) -> SessionKey {
        let right = self.right.unwrap_or_default();
        SessionKey(xor(self.left, right))
    }
}

impl From<[u8; 16]> for CardKey {
    fn from(bytes: [u8; 16]) -> Self {
        let [
            l0,
            l1,
            l2,
            l3,
            l4,
            l5,
            l6,
            l7,
            r0,
            r1,
            r2,
            r3,
            r4,
            r5,
            r6,
            r7,
        ] = bytes;
        Self {
            left: [l0, l1, l2, l3, l4, l5, l6, l7],
            right: Some([r0, r1, r2, r3, r4, r5, r6, r7]),
        }
    }
}

impl MasterKey {
    /// # Errors
    /// `KeyError` unless there are 8 or 16 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        CardKey::from_bytes(bytes).map(Self)
    }

    /// The next level of a recipe: a master key made from this one.
    #[must_use]
    pub fn level(&self, factor: [u8; 8]) -> Self {
        Self(diversify(self, factor))
    }

    /// Uses the key undiversified, for recipes without a level.
    #[must_use]
    pub fn into_card_key(self) -> CardKey {
        self.0.clone()
    }
}

impl From<CardKey> for MasterKey {
    fn from(key: CardKey) -> Self {
        Self(key)
    }
}

impl SessionKey {
    /// The key's bytes, for known-answer tests.
    #[must_use]
    pub fn expose(&self) -> &[u8; 8] {
        &self.0
    }
}

/// `DK = E3(MK, F) || E3(MK, not F)`; an 8-byte master key gives the 8 bytes `E(MK, F)`.
///
/// How many levels and which factor is configuration of an industry, not code.
#[must_use]
pub fn diversify(master: &MasterKey, factor: [u8; 8]) -> CardKey {
    let MasterKey(key) = master;
    CardKey {
        left: key.encrypt(factor),
        right: key.right.map(|_| key.encrypt(factor.map(|byte| !byte))),
    }
}

/// What MAC1, MAC2 and TAC of a load are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadTerms {
    /// Fen.
    pub amount: u32,
    /// [`TransactionType::Load`] for the purse.
    pub kind: TransactionType,
    /// Number of the terminal.
    pub terminal: Terminal,
}

impl LoadTerms {
    /// Terms of a purse load.
    #[must_use]
    pub fn purse(amount: u32, terminal: Terminal) -> Self {
        Self {
            amount,
            kind: TransactionType::Load,
            terminal,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        [
            &self.amount.to_be_bytes()[..],
            &[self.kind.byte()],
            &self.terminal,
        ]
        .concat()
    }
}

/// `SESLK = E3(DLK, random || online counter || 8000)`.
#[must_use]
pub fn load_session_key(key: &CardKey, random: [u8; 4], online_counter: u16) -> SessionKey {
    session_key(key, random, online_counter, [0x80, 0x00])
}

/// MAC1, card to host: over old balance (fen), amount, type and terminal.
#[must_use]
pub fn mac1(key: &SessionKey, old_balance: u32, terms: &LoadTerms) -> [u8; 4] {
    mac(
        &key.0,
        &[&old_balance.to_be_bytes()[..], &terms.bytes()].concat(),
    )
}

/// MAC2, host to card: over amount, type, terminal, host date and time.
#[must_use]
pub fn mac2(key: &SessionKey, terms: &LoadTerms, at: HostTime) -> [u8; 4] {
    mac(&key.0, &[&terms.bytes()[..], &at.date, &at.time].concat())
}

/// TAC of a load: over new balance (fen), the online counter BEFORE it rose, and MAC2's data.
#[must_use]
pub fn tac(
    key: &CardKey,
    new_balance: u32,
    counter_before: u16,
    terms: &LoadTerms,
    at: HostTime,
) -> [u8; 4] {
    let head = [
        &new_balance.to_be_bytes()[..],
        &counter_before.to_be_bytes(),
    ]
    .concat();
    mac(
        &key.folded().0,
        &[&head[..], &terms.bytes(), &at.date, &at.time].concat(),
    )
}

/// What MAC1 and TAC of a purchase are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurchaseTerms {
    /// Fen.
    pub amount: u32,
    /// [`TransactionType::Purchase`] for the purse.
    pub kind: TransactionType,
    /// Number of the terminal.
    pub terminal: Terminal,
    /// The terminal's own transaction number.
    pub terminal_number: u32,
    /// The terminal's date and time.
    pub at: HostTime,
}

/// `SESPK = E3(DPK, random || offline counter || last 2 bytes of the terminal's number)`.
#[must_use]
pub fn purchase_session_key(
    key: &CardKey,
    random: [u8; 4],
    offline_counter: u16,
    terminal_number: u32,
) -> SessionKey {
    let [_, _, high, low] = terminal_number.to_be_bytes();
    session_key(key, random, offline_counter, [high, low])
}

/// MAC1 of a purchase, terminal to card: over amount, type, terminal, date and time.
#[must_use]
pub fn purchase_mac1(key: &SessionKey, terms: &PurchaseTerms) -> [u8; 4] {
    let head = [
        &terms.amount.to_be_bytes()[..],
        &[terms.kind.byte()],
        &terms.terminal,
    ]
    .concat();
    mac(
        &key.0,
        &[&head[..], &terms.at.date, &terms.at.time].concat(),
    )
}

/// MAC2 of a purchase, card to terminal: over the amount (fen).
#[must_use]
pub fn purchase_mac2(key: &SessionKey, amount: u32) -> [u8; 4] {
    mac(&key.0, &amount.to_be_bytes())
}

/// TAC of a purchase: over amount, type, terminal, the terminal's number, date and time.
#[must_use]
pub fn purchase_tac(key: &CardKey, terms: &PurchaseTerms) -> [u8; 4] {
    let head = [
        &terms.amount.to_be_bytes()[..],
        &[terms.kind.byte()],
        &terms.terminal,
    ]
    .concat();
    let number = terms.terminal_number.to_be_bytes();
    mac(
        &key.folded().0,
        &[&head[..], &number, &terms.at.date, &terms.at.time].concat(),
    )
}

/// Cryptogram of EXTERNAL AUTHENTICATE over an 8-byte challenge; a 4-byte challenge is followed by
/// four zero bytes, see [`padded_challenge`].
#[must_use]
pub fn external_authentication(key: &CardKey, challenge: [u8; 8]) -> [u8; 8] {
    key.encrypt(challenge)
}

/// A 4-byte challenge followed by four zero bytes.
#[must_use]
pub fn padded_challenge([a, b, c, d]: [u8; 4]) -> [u8; 8] {
    [a, b, c, d, 0, 0, 0, 0]
}

/// MAC of RELOAD PIN: over the new PIN, with the key's halves xored.
#[must_use]
pub fn reload_pin_mac(key: &CardKey, pin: &[u8]) -> [u8; 4] {
    mac(&key.folded().0, pin)
}

/// Compares two codes in constant time.
#[must_use]
pub fn same(left: [u8; 4], right: [u8; 4]) -> bool {
    left.ct_eq(&right).into()
}

fn session_key(key: &CardKey, random: [u8; 4], counter: u16, tail: [u8; 2]) -> SessionKey {
    let [a, b, c, d] = random;
    let [high, low] = counter.to_be_bytes();
    let [t0, t1] = tail;
    SessionKey(key.encrypt([a, b, c, d, high, low, t0, t1]))
}

fn mac(key: &[u8; 8], data: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = cbc_mac(key, [0; 8], data);
    [a, b, c, d]
}

/// Single-DES CBC-MAC of `data` padded with 80 00.., all 8 bytes.
fn cbc_mac(key: &[u8; 8], iv: [u8; 8], data: &[u8]) -> [u8; 8] {
    let cipher = Des::new(&(*key).into());
    padded(data).iter().fold(iv, |chain, block| {
        let mut block = xor(chain, *block).into();
        cipher.encrypt_block(&mut block);
        block.into()
    })
}

/// CBC-MAC with an 8-byte key, retail MAC (ISO/IEC 9797-1 algorithm 3) with 16 bytes, all 8 bytes.
pub(crate) fn long_mac(key: &CardKey, iv: [u8; 8], data: &[u8]) -> [u8; 8] {
    let chained = cbc_mac(&key.left, iv, data);
    match &key.right {
        None => chained,
        Some(right) => des_encrypt(&key.left, des_decrypt(right, chained)),
    }
}

/// Blocks of 8 bytes: `data`, 80, zeros.
fn padded(data: &[u8]) -> Vec<[u8; 8]> {
    let (blocks, rest) = data.as_chunks::<8>();
    let mut last = [0; 8];
    for (place, byte) in last.iter_mut().zip(rest.iter().chain([&0x80])) {
        *place = *byte;
    }
    [blocks, &[last]].concat()
}

fn des_encrypt(key: &[u8; 8], block: [u8; 8]) -> [u8; 8] {
    let mut block = block.into();
    Des::new(&(*key).into()).encrypt_block(&mut block);
    block.into()
}

fn des_decrypt(key: &[u8; 8], block: [u8; 8]) -> [u8; 8] {
    let mut block = block.into();
    Des::new(&(*key).into()).decrypt_block(&mut block);
    block.into()
}

pub(crate) fn xor(left: [u8; 8], right: [u8; 8]) -> [u8; 8] {
    (u64::from_ne_bytes(left) ^ u64::from_ne_bytes(right)).to_ne_bytes()
}

macro_rules! hide_key {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

hide_key!(CardKey, MasterKey, SessionKey);

pub(crate) use hide_key;

#[cfg(test)]
#[path = "crypto_tests.rs"]
mod tests;
