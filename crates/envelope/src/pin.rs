//! The bank card password and its block (`docs/protocol.md`, section 5).

mod digits;
#[cfg(test)]
mod outside;

use aes::Aes128;
use cbc::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

use crate::{
    Refused, Secret, Suite, Terminal,
    kdf::odd_parity,
    keys::WorkingKey,
    secret::key,
    tdes::{decipher_block, encipher_block},
};

pub use digits::{PIN_LENGTH, PinDigits};

key!(
    /// The key of PIN blocks.
    PinKey, 16
);

/// The form of a PIN block (ISO 9564-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 0: digits and F, 8 bytes under TDES. The same digits give the same block.
    Iso0,
    /// 3: digits and random A to F, 8 bytes under TDES.
    Iso3,
    /// 4: digits, A and random bytes, 16 bytes under AES.
    Iso4,
}

impl Format {
    /// What a terminal sends in a suite.
    pub fn of(suite: Suite) -> Self {
        match suite {
            Suite::MasterKey | Suite::Des | Suite::Tdes => Self::Iso3,
            Suite::AesGcm => Self::Iso4,
        }
    }
}

/// The PIN key of a working key: label `pin`; odd parity in suites 0 to 2.
pub fn pin_key(key: &WorkingKey, terminal: &Terminal) -> PinKey {
    let secret = key.derive(terminal, "pin");
    PinKey(match key.facts().suite {
        Suite::MasterKey | Suite::Des | Suite::Tdes => odd_parity(secret),
        Suite::AesGcm => secret,
    })
}

/// Enciphers a complete password. `random` is fresh for every call; format 0 does not use it.
///
/// # Errors
/// [`Refused`] when digits are missing.
pub fn block(
    digits: &PinDigits,
    key: &PinKey,
    format: Format,
    terminal: &Terminal,
    random: &[u8; 8],
) -> Result<Vec<u8>, Refused> {
    if !digits.is_complete() {
        return Err(Refused);
    }
    let pin = digits.typed();
    let field = match format {
        Format::Iso0 => field(pin, 0x00, &[0x0F; 8]),
        Format::Iso3 => field(
            pin,
            0x30,
            &random.map(|byte| 0x0A_u8.saturating_add(byte % 6)),
        ),
        Format::Iso4 => {
            let field = field_4(pin, random);
            return Ok(encipher_4(&key.0, &field, &account_4(terminal)).to_vec());
        }
    };
    let plain = Zeroizing::new(xor(*Zeroizing::new(field), account_0(terminal)));
    Ok(encipher_block(&key.0, *plain).to_vec())
}

/// Opens what [`block`] made: format 4 in suite 3, formats 0 and 3 in the others.
///
/// # Errors
/// [`Refused`] for another key, terminal, length or form, and for anything but six digits.
pub fn open_block(
    bytes: &[u8],
    key: &PinKey,
    suite: Suite,
    terminal: &Terminal,
) -> Result<PinDigits, Refused> {
    match suite {
        Suite::MasterKey | Suite::Des | Suite::Tdes => {
            let block = bytes.try_into().map_err(|_| Refused)?;
            let plain = decipher_block(&key.0, block);
            let field = Zeroizing::new(xor(plain, account_0(terminal)));
            let is_3 = field.first().is_some_and(|head| head >> 4 == 3);
            if is_3 {
                read_field(field.as_slice(), 0x30, |fill| fill >= 0x0A)
            } else {
                read_field(field.as_slice(), 0x00, |fill| fill == 0x0F)
            }
        }
        Suite::AesGcm => {
            let block = bytes.try_into().map_err(|_| Refused)?;
            let field = decipher_4(&key.0, block, &account_4(terminal));
            let left = field.first_chunk::<8>().ok_or(Refused)?;
            read_field(left, 0x40, |fill| fill == 0x0A)
        }
    }
}

/// ISO 9564-1 format 4: 4, length, digits, A up to 8 bytes, then 8 random bytes.
fn field_4(pin: &[u8], random: &[u8; 8]) -> Zeroizing<[u8; 16]> {
    let mut out = Zeroizing::new([0; 16]);
    let (left, right) = out.split_at_mut(8);
    left.copy_from_slice(&field(pin, 0x40, &[0x0A; 8]));
    right.copy_from_slice(random);
    out
}

/// Control and length, digits, then `fill`: half bytes.
fn field(pin: &[u8], control: u8, fill: &[u8; 8]) -> [u8; 8] {
    let length = u8::try_from(pin.len()).unwrap_or(0) & 0x0F;
    // The fill is as long as six digits need; a shorter password of a test takes its last one again.
    let last = std::iter::repeat(fill[7]);
    let mut digits = pin.iter().copied().chain(fill.iter().copied()).chain(last);
    let mut out = [control | length; 8];
    for byte in out.iter_mut().skip(1) {
        let (high, low) = (digits.next().unwrap_or(0), digits.next().unwrap_or(0));
        *byte = high << 4 | low;
    }
    out
}

fn read_field(
    field: &[u8],
    control: u8,
    is_fill: impl Fn(u8) -> bool,
) -> Result<PinDigits, Refused> {
    let (head, rest) = field.split_first().ok_or(Refused)?;
    if usize::from(*head) != usize::from(control) | PIN_LENGTH {
        return Err(Refused);
    }
    let mut digits = PinDigits::default();
    for (place, nibble) in rest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0F])
        .enumerate()
    {
        let fits = if place < PIN_LENGTH {
            digits.push(nibble)
        } else {
            is_fill(nibble)
        };
        if !fits {
            return Err(Refused);
        }
    }
    Ok(digits)
}

/// Format 0: four zeros, then the 12 digits.
fn account_0(terminal: &Terminal) -> [u8; 8] {
    let mut out = [0; 8];
    let (_, right) = out.split_at_mut(2);
    right.copy_from_slice(&terminal.bcd());
    out
}

/// Format 4: 0 for 12 digits, the digits, then zeros.
fn account_4(terminal: &Terminal) -> [u8; 16] {
    let mut nibbles = std::iter::once(0).chain(terminal.digits());
    let mut out = [0; 16];
    for byte in &mut out {
        let (high, low) = (nibbles.next().unwrap_or(0), nibbles.next().unwrap_or(0));
        *byte = high << 4 | low;
    }
    out
}

/// E(E(field) xor account).
fn encipher_4(key: &Secret<16>, field: &[u8; 16], account: &[u8; 16]) -> [u8; 16] {
    let cipher = Aes128::new(key.expose().into());
    let mut block = (*field).into();
    cipher.encrypt_block(&mut block);
    let mut block = xor(block.into(), *account).into();
    cipher.encrypt_block(&mut block);
    block.into()
}

fn decipher_4(key: &Secret<16>, block: [u8; 16], account: &[u8; 16]) -> Zeroizing<[u8; 16]> {
    let cipher = Aes128::new(key.expose().into());
    let mut block = block.into();
    cipher.decrypt_block(&mut block);
    let mut block = xor(block.into(), *account).into();
    cipher.decrypt_block(&mut block);
    Zeroizing::new(block.into())
}

fn xor<const N: usize>(mut left: [u8; N], right: [u8; N]) -> [u8; N] {
    for (byte, other) in left.iter_mut().zip(right) {
        *byte ^= other;
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::KeyFacts;

    fn terminal() -> Terminal {
        "001122334455".parse().unwrap()
    }

    fn key_of(suite: Suite) -> PinKey {
        let facts = KeyFacts {
            id: 1,
            suite,
            not_before_ms: 0,
            expires_ms: 1,
        };
        pin_key(&WorkingKey::new(facts, [3; 32]), &terminal())
    }

    fn typed(text: &str) -> PinDigits {
        PinDigits::try_from(text).unwrap()
    }

    #[test]
    fn format_0_gives_a_well_known_clear_block() {
        // PIN 1234, account 43219876543210987 without its check digit: 987654321098.
        let account = account_0(&"987654321098".parse().unwrap());
        let clear = xor(field(&[1, 2, 3, 4], 0x00, &[0x0F; 8]), account);
        assert_eq!(hex::encode_upper(clear), "0412AC89ABCDEF67");
    }

    #[test]
    fn format_4_fields_have_the_form_of_iso_9564() {
        let field = field_4(&[1, 2, 3, 4, 5, 6], &[0xEE; 8]);
        assert_eq!(
            hex::encode_upper(*field),
            "46123456AAAAAAAAEEEEEEEEEEEEEEEE"
        );
        let account = account_4(&terminal());
        assert_eq!(
            hex::encode_upper(account),
            "00011223344550000000000000000000"
        );
    }

    #[test]
    fn format_4_opens_the_published_example_of_psec() {
        // `encipher_pinblock_iso_4` in psec's documentation: PIN 1234, account 1234567890123456.
        let bytes = |text: &str| <[u8; 16]>::try_from(hex::decode(text).unwrap()).unwrap();
        let key = Secret::new(bytes("00112233445566778899AABBCCDDEEFF"));
        let account = bytes("41234567890123456000000000000000");
        let block = bytes("7CDF645C86CAF763AE34637A66997534");
        let field = decipher_4(&key, block, &account);
        assert_eq!(hex::encode_upper(&field[..8]), "441234AAAAAAAAAA");
        assert_eq!(encipher_4(&key, &field, &account), block);
    }

    #[test]
    fn the_aes_under_format_4_is_that_of_fips_197_appendix_c_1() {
        let bytes = |text: &str| <[u8; 16]>::try_from(hex::decode(text).unwrap()).unwrap();
        let key = Secret::new(bytes("000102030405060708090a0b0c0d0e0f"));
        let plain = bytes("00112233445566778899aabbccddeeff");
        let cipher = bytes("69c4e0d86a7b0430d8cdb78070b4c55a");
        // With an account field that turns E(plain) back into plain, two rounds are E(plain) again.
        assert_eq!(encipher_4(&key, &plain, &xor(cipher, plain)), cipher);
        assert_eq!(*decipher_4(&key, cipher, &xor(cipher, plain)), plain);
    }

    #[test]
    fn a_block_is_refused_when_any_bit_of_it_is_another_digit_or_form() {
        for suite in Suite::ALL {
            let key = key_of(suite);
            let format = Format::of(suite);
            let sealed = block(&typed("246810"), &key, format, &terminal(), &[9; 8]).unwrap();
            assert_eq!(sealed.len(), if suite == Suite::AesGcm { 16 } else { 8 });
            let opened = open_block(&sealed, &key, suite, &terminal()).unwrap();
            assert_eq!(opened.ascii().as_slice(), b"246810");
            for bit in 0..sealed.len() * 8 {
                let mut bytes = sealed.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let opened = open_block(&bytes, &key, suite, &terminal());
                assert_eq!(opened.map(|_| ()), Err(Refused), "{suite:?} bit {bit}");
            }
            for length in 0..sealed.len() {
                let cut = open_block(&sealed[..length], &key, suite, &terminal());
                assert_eq!(cut.map(|_| ()), Err(Refused));
            }
            // A digit under the random fill of format 3 would go unseen; the key itself is the terminal's own.
            let other = "901122334455".parse().unwrap();
            let opened = open_block(&sealed, &key, suite, &other);
            assert_ne!(
                opened.map(|digits| digits.ascii().to_vec()),
                Ok(b"246810".to_vec())
            );
        }
    }

    #[test]
    fn a_bank_opens_formats_0_and_3_and_format_3_differs_each_time() {
        let (suite, terminal) = (Suite::Tdes, terminal());
        let key = key_of(suite);
        let make = |format, random| block(&typed("135790"), &key, format, &terminal, &random);
        let blocks = [
            make(Format::Iso0, [0; 8]).unwrap(),
            make(Format::Iso3, [0; 8]).unwrap(),
            make(Format::Iso3, [0, 1, 2, 3, 4, 5, 6, 255]).unwrap(),
        ];
        for sealed in &blocks {
            let opened = open_block(sealed, &key, suite, &terminal).unwrap();
            assert_eq!(opened.ascii().as_slice(), b"135790");
        }
        assert_ne!(blocks[0], blocks[1]);
        assert_ne!(blocks[1], blocks[2]);
        assert_eq!(make(Format::Iso0, [9; 8]).unwrap(), blocks[0]);
    }

    #[test]
    fn missing_digits_make_no_block() {
        for text in ["", "1", "12345"] {
            let made = block(
                &typed(text),
                &key_of(Suite::AesGcm),
                Format::Iso4,
                &terminal(),
                &[0; 8],
            );
            assert_eq!(made, Err(Refused));
        }
    }

    #[test]
    fn pin_keys_of_the_des_suites_have_odd_parity() {
        for suite in [Suite::MasterKey, Suite::Des, Suite::Tdes] {
            let key = key_of(suite);
            assert!(key.expose().iter().all(|byte| byte.count_ones() % 2 == 1));
        }
    }

    proptest! {
        #[test]
        fn any_six_digits_come_back(
            text in "[0-9]{6}",
            suite in prop::sample::select(Suite::ALL.to_vec()),
            number in "[0-9]{12}",
            random in any::<[u8; 8]>(),
        ) {
            let terminal = number.parse().unwrap();
            let key = key_of(suite);
            let format = Format::of(suite);
            let sealed = block(&typed(&text), &key, format, &terminal, &random).unwrap();
            let opened = open_block(&sealed, &key, suite, &terminal).unwrap();
            prop_assert_eq!(opened.ascii().to_vec(), text.into_bytes());
        }

        #[test]
        fn a_field_of_another_form_is_refused(field in any::<[u8; 8]>()) {
            let text = hex::encode(field);
            let digits = text[2..8].bytes().all(|byte| byte.is_ascii_digit());
            let right = text.starts_with("06") && digits && text.ends_with("ffffffff");
            prop_assert_eq!(read_field(&field, 0x00, |fill| fill == 0x0F).is_ok(), right);
        }
    }
}
