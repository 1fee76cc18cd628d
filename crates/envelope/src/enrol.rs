//! The first key: HPKE both ways and a signed transcript (`docs/protocol.md`, 3.1; RFC 9180).
//!
//! The terminal makes an [`Exchange`] and sends its request; the bank opens it with [`open_request`], grants a
//! terminal and a master key with [`OpenRequest::answer`]; the terminal takes both with [`Exchange::finish`].

#[cfg(test)]
mod outside;

use std::fmt;

use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable,
    aead::AesGcm256,
    kdf::HkdfSha256,
    kem::X25519HkdfSha256,
    rand_core::{TryCryptoRng, TryRng},
    single_shot_open, single_shot_seal_with_rng,
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    Refused, Secret, Suite, Terminal,
    auth::succession_mac,
    kdf,
    keys::{AuthKey, MasterKey, key_check_value, verify_check_value},
    package::{sign, verify},
    secret::same,
};

const REQUEST_INFO: &[u8] = b"tapfill/1/enrol";
const ANSWER_INFO: &[u8] = b"tapfill/1/enrolled";
const TRANSCRIPT: &[u8] = b"tapfill/1/enrolment";

/// The longest device name, in characters.
pub const MAX_DEVICE: usize = 64;

/// An X25519 key pair for HPKE from 32 random bytes (RFC 9180, DeriveKeyPair): secret, public.
pub fn hpke_key_pair(random: &[u8; 32]) -> (Secret<32>, [u8; 32]) {
    let (secret, public) = X25519HkdfSha256::derive_keypair(random);
    (
        Secret::new(secret.to_bytes().into()),
        public.to_bytes().into(),
    )
}

/// The terminal that this installation was before.
#[derive(Clone, Copy, Debug)]
pub struct Previous<'a> {
    /// Its number.
    pub terminal: Terminal,
    /// Its key, while it is still there: the bank ends a terminal only for a successor that proves it.
    pub key: Option<&'a AuthKey>,
}

/// The terminal's side of one enrolment, between request and answer.
pub struct Exchange {
    reply_secret: Secret<32>,
    nonce: [u8; 16],
    request_hash: [u8; 32],
}

impl fmt::Debug for Exchange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Exchange(hidden)")
    }
}

/// What the terminal has after its enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Its number.
    pub terminal: Terminal,
    /// Its first key; into the keystore at once.
    pub master_key: MasterKey,
    /// The suite that the bank chose for it.
    pub suite: Suite,
    /// The bank's time, ms.
    pub time_ms: u64,
}

impl Exchange {
    /// Makes the request, as JSON. `bank` is the pinned `enrolment_hpke`; `random` is fresh: 32 bytes for the
    /// encapsulation, 32 for the reply key, 16 for the nonce. `device` is cut at [`MAX_DEVICE`] characters.
    ///
    /// # Errors
    /// [`Refused`] when `bank` is no X25519 public key.
    pub fn start(
        bank: &[u8; 32],
        random: &[u8; 80],
        previous: Option<Previous<'_>>,
        device: &str,
    ) -> Result<(Self, String), Refused> {
        let (encapsulation, rest) = random.split_first_chunk::<32>().ok_or(Refused)?;
        let (reply_seed, nonce) = rest.split_first_chunk::<32>().ok_or(Refused)?;
        let nonce: [u8; 16] = nonce.try_into().map_err(|_| Refused)?;
        let (reply_secret, reply_key) = hpke_key_pair(reply_seed);
        let body = RequestBody {
            reply_key: Hex(reply_key),
            nonce: Hex(nonce),
            previous_terminal: previous.as_ref().map(|previous| previous.terminal),
            previous_mac: previous
                .and_then(|previous| previous.key)
                .map(|key| Hex(succession_mac(key, &nonce, &reply_key))),
            device: device.chars().take(MAX_DEVICE).collect(),
        };
        let plain = Zeroizing::new(serde_json::to_vec(&body).map_err(|_| Refused)?);
        let sealed = seal(bank, REQUEST_INFO, &plain, encapsulation)?;
        let request_hash = sealed.hash();
        let json = serde_json::to_string(&sealed).map_err(|_| Refused)?;
        Ok((
            Self {
                reply_secret,
                nonce,
                request_hash,
            },
            json,
        ))
    }

    /// Takes the bank's answer. `signer` is the pinned `enrolment_signer`.
    ///
    /// # Errors
    /// [`Refused`] for an answer that is not signed by `signer` for this very request, that can't be opened,
    /// or whose key check value does not agree.
    pub fn finish(&self, answer_json: &str, signer: &[u8; 32]) -> Result<Enrolled, Refused> {
        let answer: Answer = serde_json::from_str(answer_json).map_err(|_| Refused)?;
        let sealed = Sealed {
            enc: answer.enc,
            sealed: answer.sealed,
        };
        let transcript = transcript(&self.request_hash, &sealed.hash());
        verify(signer, &transcript, &answer.signature.0)?;
        let plain = open(self.reply_secret.expose(), ANSWER_INFO, &sealed)?;
        let body: AnswerBody = serde_json::from_slice(&plain).map_err(|_| Refused)?;
        same(&body.nonce.0, &self.nonce)?;
        verify_check_value(&body.master_key.0, &body.key_check_value.0)?;
        Ok(Enrolled {
            terminal: body.terminal,
            master_key: MasterKey::new(body.master_key.0),
            suite: body.suite,
            time_ms: body.time_ms,
        })
    }
}

/// A request that the bank has opened.
#[derive(Debug, Clone)]
pub struct OpenRequest {
    reply_key: [u8; 32],
    nonce: [u8; 16],
    request_hash: [u8; 32],
    /// The terminal that this installation was before, by its own word.
    pub previous_terminal: Option<Terminal>,
    previous_mac: Option<[u8; 32]>,
    /// Free text, at most [`MAX_DEVICE`] characters.
    pub device: String,
}

/// Opens a request with the bank's secret HPKE key ([`hpke_key_pair`]).
///
/// # Errors
/// [`Refused`] for anything that was not sealed to that key, or is not of the right form.
pub fn open_request(secret: &[u8; 32], request_json: &str) -> Result<OpenRequest, Refused> {
    let sealed: Sealed = serde_json::from_str(request_json).map_err(|_| Refused)?;
    let plain = open(secret, REQUEST_INFO, &sealed)?;
    let body: RequestBody = serde_json::from_slice(&plain).map_err(|_| Refused)?;
    if body.device.chars().count() > MAX_DEVICE {
        return Err(Refused);
    }
    Ok(OpenRequest {
        reply_key: body.reply_key.0,
        nonce: body.nonce.0,
        request_hash: sealed.hash(),
        previous_terminal: body.previous_terminal,
        previous_mac: body.previous_mac.map(|mac| mac.0),
        device: body.device,
    })
}

impl OpenRequest {
    /// SHA-256 of the request as it came: the same request is the same enrolment.
    pub fn request_hash(&self) -> &[u8; 32] {
        &self.request_hash
    }

    /// Whether who asks held `key`, that of the previous terminal.
    pub fn succeeds(&self, key: &AuthKey) -> bool {
        let expected = succession_mac(key, &self.nonce, &self.reply_key);
        self.previous_mac
            .is_some_and(|mac| same(&expected, &mac).is_ok())
    }

    /// Seals and signs the answer, as JSON. `random` is fresh; `signer_secret` is the Ed25519 secret whose
    /// public key the terminal has pinned.
    ///
    /// # Errors
    /// [`Refused`] when the request's reply key is none.
    pub fn answer(
        &self,
        granted: &Enrolled,
        signer_secret: &[u8; 32],
        random: &[u8; 32],
    ) -> Result<String, Refused> {
        let body = AnswerBody {
            terminal: granted.terminal,
            master_key: Hex(*granted.master_key.expose()),
            key_check_value: Hex(key_check_value(granted.master_key.expose())),
            nonce: Hex(self.nonce),
            suite: granted.suite,
            time_ms: granted.time_ms,
        };
        let plain = Zeroizing::new(serde_json::to_vec(&body).map_err(|_| Refused)?);
        let sealed = seal(&self.reply_key, ANSWER_INFO, &plain, random)?;
        let signature = sign(
            signer_secret,
            &transcript(&self.request_hash, &sealed.hash()),
        );
        let answer = Answer {
            enc: sealed.enc,
            sealed: sealed.sealed,
            signature: Hex(signature),
        };
        serde_json::to_string(&answer).map_err(|_| Refused)
    }
}

fn transcript(request: &[u8; 32], answer: &[u8; 32]) -> Vec<u8> {
    [TRANSCRIPT, request, answer].concat()
}

fn seal(to: &[u8; 32], info: &[u8], plain: &[u8], random: &[u8; 32]) -> Result<Sealed, Refused> {
    let to = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(to).map_err(|_| Refused)?;
    let (enc, sealed) = single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &to,
        info,
        plain,
        &[],
        &mut Given::new(random),
    )
    .map_err(|_| Refused)?;
    Ok(Sealed {
        enc: Hex(enc.to_bytes().into()),
        sealed: HexBytes(sealed),
    })
}

fn open(secret: &[u8; 32], info: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(secret).map_err(|_| Refused)?;
    let enc =
        <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&sealed.enc.0).map_err(|_| Refused)?;
    single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &enc,
        info,
        &sealed.sealed.0,
        &[],
    )
    .map(Zeroizing::new)
    .map_err(|_| Refused)
}

/// A source of randomness that was drawn before: 32 bytes, then (never needed) bytes derived from them.
struct Given {
    bytes: Secret<32>,
    drawn: u32,
}

impl Given {
    fn new(random: &[u8; 32]) -> Self {
        Self {
            bytes: Secret::new(*random),
            drawn: 0,
        }
    }

    fn block(&mut self) -> [u8; 32] {
        let number = self.drawn;
        self.drawn = number.wrapping_add(1);
        if number == 0 {
            return *self.bytes.expose();
        }
        kdf::hmac(
            self.bytes.expose(),
            &[b"tapfill/1/more", &number.to_be_bytes()],
        )
    }
}

impl TryRng for Given {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(32) {
            let block = Zeroizing::new(self.block());
            for (byte, random) in chunk.iter_mut().zip(block.iter()) {
                *byte = *random;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Given {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    enc: Hex<32>,
    sealed: HexBytes,
}

impl Sealed {
    fn hash(&self) -> [u8; 32] {
        kdf::sha256(&[&self.enc.0, &self.sealed.0])
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    enc: Hex<32>,
    sealed: HexBytes,
    signature: Hex<64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestBody {
    reply_key: Hex<32>,
    nonce: Hex<16>,
    previous_terminal: Option<Terminal>,
    #[serde(default)]
    previous_mac: Option<Hex<32>>,
    device: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerBody {
    terminal: Terminal,
    master_key: Hex<32>,
    key_check_value: Hex<3>,
    nonce: Hex<16>,
    suite: Suite,
    time_ms: u64,
}

/// `N` bytes as hex in JSON; wiped when dropped.
#[derive(Clone)]
struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Drop for Hex<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(hex::encode(self.0)))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut out = Self([0; N]);
        hex::decode_to_slice(text.as_bytes(), &mut out.0)
            .map_err(|_| serde::de::Error::custom("hex"))?;
        Ok(out)
    }
}

/// Any number of bytes as hex in JSON.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct HexBytes(#[serde(with = "hex::serde")] Vec<u8>);
