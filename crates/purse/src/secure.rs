//! Secure messaging: commands with a MAC, and with enciphered data and a MAC.
//!
//! Source: JR/T 0025.2, secure messaging. The start value is the card's challenge and four zeros;
//! an 8-byte key gives a CBC-MAC, a 16-byte key a retail MAC (ISO/IEC 9797-1 algorithm 3).

use crate::command::CommandError;
use crate::crypto::{CardKey, long_mac, padded_challenge};
use thiserror::Error;
use zeroize::Zeroizing;

/// The first four bytes of a command: CLA, INS, P1, P2.
pub type Head = [u8; 4];

/// Enciphered data that does not open into length and plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("enciphered data is not a length and a plain text")]
pub struct DecipherError;

/// MAC over CLA INS P1 P2 Lc (data and MAC) and data, under the card's 4-byte challenge.
///
/// # Errors
/// `CommandError` when data and MAC are over 255 bytes.
pub fn mac(
    key: &CardKey,
    challenge: [u8; 4],
    head: Head,
    data: &[u8],
) -> Result<[u8; 4], CommandError> {
    let lc = length_with_mac(data)?;
    let covered = [&head[..], &[lc], data].concat();
    let [a, b, c, d, ..] = long_mac(key, padded_challenge(challenge), &covered);
    Ok([a, b, c, d])
}

/// A whole secured command: plain data, then its MAC.
///
/// # Errors
/// `CommandError` when data and MAC are over 255 bytes.
pub fn command(
    key: &CardKey,
    challenge: [u8; 4],
    head: Head,
    data: &[u8],
) -> Result<Vec<u8>, CommandError> {
    let mac = mac(key, challenge, head, data)?;
    Ok([&head[..], &[length_with_mac(data)?], data, &mac].concat())
}

/// A whole secured command: enciphered data, then the MAC over the ciphertext.
///
/// # Errors
/// `CommandError` when ciphertext and MAC are over 255 bytes.
pub fn enciphered_command(
    key: &CardKey,
    challenge: [u8; 4],
    head: Head,
    plain: &[u8],
) -> Result<Vec<u8>, CommandError> {
    command(key, challenge, head, &encipher(key, plain)?)
}

/// Length byte and plain text, padded with 80 00.. only if needed, block by block.
///
/// # Errors
/// `CommandError` when the plain text is over 255 bytes.
pub fn encipher(key: &CardKey, plain: &[u8]) -> Result<Vec<u8>, CommandError> {
    let length = u8::try_from(plain.len()).map_err(|_| CommandError)?;
    let mut text = Zeroizing::new(Vec::with_capacity(264));
    text.push(length);
    text.extend_from_slice(plain);
    if !text.len().is_multiple_of(8) {
        text.push(0x80);
        let filled = text.len().next_multiple_of(8);
        text.resize(filled, 0x00);
    }
    let (blocks, _) = text.as_chunks::<8>();
    Ok(blocks
        .iter()
        .flat_map(|block| key.encrypt(*block))
        .collect())
}

/// Opens what [`encipher`] made. The padding must be the one that it writes.
///
/// # Errors
/// `DecipherError` when length or padding do not fit.
pub fn decipher(key: &CardKey, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecipherError> {
    let (blocks, []) = text.as_chunks::<8>() else {
        return Err(DecipherError);
    };
    let opened: Zeroizing<Vec<u8>> = Zeroizing::new(
        blocks
            .iter()
            .flat_map(|block| key.decrypt(*block))
            .collect(),
    );
    let (&length, rest) = opened.split_first().ok_or(DecipherError)?;
    let (plain, padding) = rest
        .split_at_checked(usize::from(length))
        .ok_or(DecipherError)?;
    let padding_fits = match padding.split_first() {
        None => true,
        Some((&first, zeros)) => {
            first == 0x80 && padding.len() < 8 && zeros.iter().all(|&byte| byte == 0)
        }
    };
    if !padding_fits {
        return Err(DecipherError);
    }
    Ok(Zeroizing::new(plain.to_vec()))
}

pub(crate) fn length_with_mac(data: &[u8]) -> Result<u8, CommandError> {
    let length = data.len().checked_add(4).ok_or(CommandError)?;
    u8::try_from(length).map_err(|_| CommandError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    fn key(text: &str) -> CardKey {
        CardKey::from_bytes(&bytes(text)).unwrap()
    }

    #[test]
    fn vector_g_plain_form() {
        let key = CardKey::from_bytes(&[0x36; 16]).unwrap();
        let data = bytes("000122000001FFFF01010000220000000000000620160101205012310000");
        let made = command(
            &key,
            [0xA3, 0xBB, 0xCF, 0xC8],
            [0x04, 0xD6, 0x95, 0x00],
            &data,
        );
        let expected = [bytes("04D6950022"), data, bytes("96E32EF1")].concat();
        assert_eq!(made, Ok(expected));
    }

    #[test]
    fn vector_g_enciphered_form() {
        let text = "00112233445566778899AABBCCDDEEFF";
        let plain = bytes(&format!("220000{text}"));
        let challenge = [0x5D, 0x72, 0xB3, 0xFD];
        let head = [0x84, 0xD4, 0x00, 0x00];
        let sealed = "DCC0BB5793ABFCA2CA8C1624822F6E01A86A0B5CBED191DD";
        assert_eq!(encipher(&key(text), &plain), Ok(bytes(sealed)));
        let made = enciphered_command(&key(text), challenge, head, &plain);
        assert_eq!(made, Ok(bytes(&format!("84D400001C{sealed}8A9D4ADB"))));
        let single = mac(&key(&text[..16]), challenge, head, &bytes(sealed));
        assert_eq!(
            single,
            Ok([0x6C, 0x99, 0x68, 0x64]),
            "an 8-byte key gives a CBC-MAC"
        );
        assert_eq!(
            decipher(&key(text), &bytes(sealed)).unwrap().to_vec(),
            plain
        );
    }

    #[test]
    fn a_text_that_fills_its_blocks_gets_no_padding() {
        let key = CardKey::from_bytes(&[0x36; 8]).unwrap();
        assert_eq!(encipher(&key, &[1; 7]).unwrap().len(), 8);
        assert_eq!(encipher(&key, &[1; 8]).unwrap().len(), 16);
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let key = CardKey::from_bytes(&[0x36; 8]).unwrap();
        assert_eq!(command(&key, [0; 4], [0; 4], &[0; 252]), Err(CommandError));
        assert_eq!(encipher(&key, &[0; 256]), Err(CommandError));
    }

    proptest! {
        #[test]
        fn the_mac_of_a_16_byte_key_is_the_retail_mac(
            bytes: [u8; 16],
            data in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            use retail_mac::{KeyInit, Mac, RetailMac};
            let mut foreign = <RetailMac<des::Des> as KeyInit>::new(&bytes.into());
            foreign.update(&[4, 0xD6, 0x95, 8, u8::try_from(data.len() + 4).unwrap()]);
            foreign.update(&data);
            foreign.update(&[0x80]);
            let whole = foreign.finalize().into_bytes();
            let own = mac(&CardKey::from_bytes(&bytes).unwrap(), [0; 4], [4, 0xD6, 0x95, 8], &data);
            prop_assert_eq!(&own.unwrap()[..], &whole[..4]);
        }

        #[test]
        fn what_was_enciphered_opens_again(
            plain in proptest::collection::vec(any::<u8>(), 0..=255),
        ) {
            let key = CardKey::from_bytes(&[0x36; 16]).unwrap();
            let opened = decipher(&key, &encipher(&key, &plain).unwrap()).unwrap();
            prop_assert_eq!(opened.to_vec(), plain);
        }

        #[test]
        fn opening_garbage_never_panics(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let key = CardKey::from_bytes(&[0x36; 16]).unwrap();
            let _ = decipher(&key, &text);
        }
    }
}
