//! HKDF and HMAC with SHA-256, and the parity of DES keys.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::Secret;

/// HKDF-SHA256 (RFC 5869).
pub(crate) fn hkdf<const N: usize>(key: &[u8], salt: &[u8], info: &str) -> Secret<N> {
    const { assert!(N <= 255 * 32, "RFC 5869, 2.3") };
    let mut out = Secret::new([0; N]);
    Hkdf::<Sha256>::new(Some(salt), key)
        .expand(info.as_bytes(), out.expose_mut())
        .expect("the length is checked when this is compiled");
    out
}

/// HMAC-SHA256 over the joined parts.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// SHA-256 over the joined parts.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Sets the lowest bit of each byte so that the byte has an odd number of ones (FIPS 46-3).
pub(crate) fn odd_parity<const N: usize>(mut key: Secret<N>) -> Secret<N> {
    for byte in key.expose_mut() {
        let high = *byte & 0xFE;
        *byte = if high.count_ones() % 2 == 0 {
            high | 1
        } else {
            high
        };
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_a_des_key_has_odd_parity_and_keeps_its_upper_seven_bits() {
        for byte in 0..=u8::MAX {
            let [fixed] = *odd_parity(Secret::new([byte])).expose();
            assert_eq!(fixed.count_ones() % 2, 1, "{byte:02x}");
            assert_eq!(fixed & 0xFE, byte & 0xFE, "{byte:02x}");
        }
    }

    #[test]
    fn hkdf_gives_the_first_vector_of_rfc_5869() {
        let salt = hex::decode("000102030405060708090a0b0c").unwrap();
        let info = hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap();
        let mut out = [0; 42];
        Hkdf::<Sha256>::new(Some(&salt), &[0x0b; 22])
            .expand(&info, &mut out)
            .unwrap();
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf\
                        34007208d5b887185865";
        assert_eq!(hex::encode(out), expected);
    }

    #[test]
    fn hmac_gives_the_second_vector_of_rfc_4231_however_the_data_is_cut() {
        let mac = hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(mac), expected);
    }
}
