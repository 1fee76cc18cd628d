//! The envelope of `docs/protocol.md`, section 2.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use crate::{
    Direction, Refused, Secret, Suite, Terminal,
    kdf::odd_parity,
    keys::WorkingKey,
    secret::same,
    tdes::{CbcKey, retail_mac},
};

/// Bytes of the header.
pub const HEADER_LENGTH: usize = 36;
/// The longest message that is sealed or opened.
pub const MAX_MESSAGE: usize = 65_536;
/// The longest envelope: header, nonce or IV, message, tag or padding and MAC.
pub const MAX_ENVELOPE: usize = HEADER_LENGTH + MAX_MESSAGE + 28;

const MAGIC_AND_VERSION: [u8; 3] = *b"TF\x01";

/// What an envelope says in clear. The length is worked out from what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Cipher and integrity check.
    pub suite: Suite,
    /// Who it is for.
    pub direction: Direction,
    /// The terminal, whichever side sends.
    pub terminal: Terminal,
    /// Number of the working key.
    pub key_id: u32,
    /// From 1, rising by one with every new message; an answer repeats it.
    pub counter: u64,
    /// Time of the sender, ms.
    pub time_ms: u64,
}

impl Header {
    fn encode(&self, sealed_length: usize) -> Result<[u8; HEADER_LENGTH], Refused> {
        let length = u32::try_from(sealed_length).map_err(|_| Refused)?;
        let bytes = [
            MAGIC_AND_VERSION.as_slice(),
            &[self.suite.number(), self.direction.number(), 0],
            &self.terminal.bcd(),
            &self.key_id.to_be_bytes(),
            &self.counter.to_be_bytes(),
            &self.time_ms.to_be_bytes(),
            &length.to_be_bytes(),
        ]
        .concat();
        bytes.try_into().map_err(|_| Refused)
    }
}

/// Reads the header **without** checking that it is genuine: good for finding the key, for nothing else.
///
/// # Errors
/// [`Refused`] when this is no envelope of this version, or is cut or overlong.
pub fn peek(envelope: &[u8]) -> Result<Header, Refused> {
    parse(envelope).map(|(header, ..)| header)
}

/// Seals `message`. `random` is fresh for every call: the nonce of suite 3; the first 8 bytes are the IV of
/// the others.
///
/// # Errors
/// [`Refused`] when the header names another key or suite, or the message is over [`MAX_MESSAGE`].
pub fn seal(
    key: &WorkingKey,
    header: &Header,
    message: &[u8],
    random: &[u8; 12],
) -> Result<Vec<u8>, Refused> {
    if header.key_id != key.facts().id || header.suite != key.facts().suite {
        return Err(Refused);
    }
    if message.len() > MAX_MESSAGE {
        return Err(Refused);
    }
    match cbc_keys(key, header) {
        None => seal_gcm(key, header, message, random),
        Some((cipher, mac)) => {
            let iv = random.first_chunk::<8>().ok_or(Refused)?;
            let sealed = cipher.encipher(iv, message);
            let bytes = header.encode(sealed.len().saturating_add(16))?;
            let mac = retail_mac(&mac, &[&bytes, iv, &sealed]);
            Ok([bytes.as_slice(), iv, &sealed, &mac].concat())
        }
    }
}

/// Opens an envelope that must go in `direction`, under the key that its header names.
///
/// # Errors
/// [`Refused`] for anything that is not exactly what the holder of `key` sealed in that direction.
pub fn open(
    key: &WorkingKey,
    envelope: &[u8],
    direction: Direction,
) -> Result<(Header, Zeroizing<Vec<u8>>), Refused> {
    let (header, clear, sealed) = parse(envelope)?;
    let ours = header.direction == direction
        && header.key_id == key.facts().id
        && header.suite == key.facts().suite;
    if !ours {
        return Err(Refused);
    }
    let message = match cbc_keys(key, &header) {
        None => open_gcm(key, &header, clear, sealed)?,
        Some((cipher, mac)) => {
            let (iv, rest) = sealed.split_first_chunk::<8>().ok_or(Refused)?;
            let (body, received) = rest.split_last_chunk::<8>().ok_or(Refused)?;
            same(&retail_mac(&mac, &[clear, iv, body]), received)?;
            cipher.decipher(iv, body)?
        }
    };
    if message.len() > MAX_MESSAGE {
        return Err(Refused);
    }
    Ok((header, message))
}

fn parse(envelope: &[u8]) -> Result<(Header, &[u8; HEADER_LENGTH], &[u8]), Refused> {
    let (clear, sealed) = envelope
        .split_first_chunk::<HEADER_LENGTH>()
        .ok_or(Refused)?;
    let mut rest = Reader(clear);
    if rest.take::<3>()? != MAGIC_AND_VERSION {
        return Err(Refused);
    }
    let [suite, direction, reserved] = rest.take()?;
    let header = Header {
        suite: suite.try_into()?,
        direction: direction.try_into()?,
        terminal: Terminal::from_bcd(rest.take()?)?,
        key_id: u32::from_be_bytes(rest.take()?),
        counter: u64::from_be_bytes(rest.take()?),
        time_ms: u64::from_be_bytes(rest.take()?),
    };
    let length = usize::try_from(u32::from_be_bytes(rest.take()?)).map_err(|_| Refused)?;
    if reserved != 0 || length != sealed.len() || envelope.len() > MAX_ENVELOPE {
        return Err(Refused);
    }
    Ok((header, clear, sealed))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Refused)?;
        self.0 = rest;
        Ok(*head)
    }
}

/// Cipher and MAC keys of suites 0 to 2; `None` for suite 3.
fn cbc_keys(key: &WorkingKey, header: &Header) -> Option<(CbcKey, Secret<16>)> {
    let direction = header.direction.name();
    let purpose = format!("{direction}/cipher");
    let cipher = match header.suite {
        Suite::MasterKey => CbcKey::Des(odd_parity(key.leading())),
        Suite::Des => CbcKey::Des(odd_parity(key.derive(&header.terminal, &purpose))),
        Suite::Tdes => CbcKey::Tdes(odd_parity(key.derive(&header.terminal, &purpose))),
        Suite::AesGcm => return None,
    };
    let mac = odd_parity(key.derive(&header.terminal, &format!("{direction}/mac")));
    Some((cipher, mac))
}

fn gcm(key: &WorkingKey, header: &Header) -> Aes256Gcm {
    let purpose = format!("{}/cipher", header.direction.name());
    let secret: Secret<32> = key.derive(&header.terminal, &purpose);
    Aes256Gcm::new(secret.expose().into())
}

fn seal_gcm(
    key: &WorkingKey,
    header: &Header,
    message: &[u8],
    nonce: &[u8; 12],
) -> Result<Vec<u8>, Refused> {
    let clear = header.encode(message.len().saturating_add(28))?;
    let payload = Payload {
        msg: message,
        aad: &clear,
    };
    let sealed = gcm(key, header)
        .encrypt(nonce.into(), payload)
        .map_err(|_| Refused)?;
    Ok([clear.as_slice(), nonce, &sealed].concat())
}

fn open_gcm(
    key: &WorkingKey,
    header: &Header,
    clear: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let (nonce, body) = sealed.split_first_chunk::<12>().ok_or(Refused)?;
    let payload = Payload {
        msg: body,
        aad: clear,
    };
    gcm(key, header)
        .decrypt(nonce.into(), payload)
        .map(Zeroizing::new)
        .map_err(|_| Refused)
}
