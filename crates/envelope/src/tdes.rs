//! DES and TDES in CBC, and the retail MAC.

use cbc::{
    Decryptor, Encryptor,
    cipher::{
        BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
        KeyInit, block_padding::Iso7816,
    },
};
use des::{Des, TdesEde2, TdesEde3};
use retail_mac::{Mac, RetailMac};
use zeroize::Zeroizing;

use crate::{Refused, Secret};

/// A cipher key of suite 1 or 2, with odd parity.
pub(crate) enum CbcKey {
    Des(Secret<8>),
    Tdes(Secret<24>),
}

impl CbcKey {
    /// Pads with 80 00.. (always) and enciphers.
    pub(crate) fn encipher(&self, iv: &[u8; 8], plain: &[u8]) -> Vec<u8> {
        match self {
            Self::Des(key) => {
                let cipher = Des::new(key.expose().into());
                Encryptor::inner_iv_init(cipher, iv.into()).encrypt_padded_vec::<Iso7816>(plain)
            }
            Self::Tdes(key) => {
                let cipher = TdesEde3::new(key.expose().into());
                Encryptor::inner_iv_init(cipher, iv.into()).encrypt_padded_vec::<Iso7816>(plain)
            }
        }
    }

    /// Deciphers and takes the padding off. Only for bytes whose MAC is right.
    pub(crate) fn decipher(
        &self,
        iv: &[u8; 8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let plain = match self {
            Self::Des(key) => {
                let cipher = Des::new(key.expose().into());
                Decryptor::inner_iv_init(cipher, iv.into()).decrypt_padded_vec::<Iso7816>(sealed)
            }
            Self::Tdes(key) => {
                let cipher = TdesEde3::new(key.expose().into());
                Decryptor::inner_iv_init(cipher, iv.into()).decrypt_padded_vec::<Iso7816>(sealed)
            }
        };
        plain.map(Zeroizing::new).map_err(|_| Refused)
    }
}

/// ISO/IEC 9797-1 algorithm 3 with DES, padding method 2, 8 bytes, over the joined parts.
pub(crate) fn retail_mac(key: &Secret<16>, parts: &[&[u8]]) -> [u8; 8] {
    let mut mac = RetailMac::<Des>::new(key.expose().into());
    for part in parts {
        mac.update(part);
    }
    // The library adds zeros up to the block's end (method 1); the 80 before them makes it method 2.
    mac.update(&[0x80]);
    mac.finalize().into_bytes().into()
}

/// One block under 2-key TDES.
pub(crate) fn encipher_block(key: &Secret<16>, block: [u8; 8]) -> [u8; 8] {
    let mut block = block.into();
    TdesEde2::new(key.expose().into()).encrypt_block(&mut block);
    block.into()
}

/// The inverse of [`encipher_block`].
pub(crate) fn decipher_block(key: &Secret<16>, block: [u8; 8]) -> [u8; 8] {
    let mut block = block.into();
    TdesEde2::new(key.expose().into()).decrypt_block(&mut block);
    block.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_retail_mac_gives_the_secure_messaging_vectors_of_real_cards() {
        // An IV that is not zero is the same as a first block enciphered on its way in: IV xor first block.
        let mut data =
            hex::decode("04D6950022000122000001FFFF01010000220000000000000620160101205012310000")
                .unwrap();
        for (byte, iv) in data.iter_mut().zip(bytes::<8>("A3BBCFC800000000")) {
            *byte ^= iv;
        }
        let mac = retail_mac(&Secret::new([0x36; 16]), &[&data]);
        assert_eq!(hex::encode_upper(&mac[..4]), "96E32EF1");

        let key = Secret::new(bytes("00112233445566778899AABBCCDDEEFF"));
        let mut data =
            hex::decode("84D400001CDCC0BB5793ABFCA2CA8C1624822F6E01A86A0B5CBED191DD").unwrap();
        for (byte, iv) in data.iter_mut().zip(bytes::<8>("5D72B3FD00000000")) {
            *byte ^= iv;
        }
        let mac = retail_mac(&key, &[&data]);
        assert_eq!(hex::encode_upper(&mac[..4]), "8A9D4ADB");
    }

    #[test]
    fn the_retail_mac_gives_the_vector_of_bac_in_icao_9303_part_11_appendix_d() {
        let key = Secret::new(bytes("7962D9ECE03D1ACD4C76089DCE131543"));
        let data = "72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F2";
        let mac = retail_mac(&key, &[&hex::decode(data).unwrap()]);
        assert_eq!(hex::encode_upper(mac), "5F1448EEA8AD90A7");
    }

    #[test]
    fn the_retail_mac_does_not_depend_on_how_the_data_is_cut() {
        let key = Secret::new(bytes("00112233445566778899AABBCCDDEEFF"));
        let data: Vec<u8> = (0..40).collect();
        for length in 0..data.len() {
            let whole = retail_mac(&key, &[&data[..length]]);
            for cut in 0..length {
                let (left, right) = data[..length].split_at(cut);
                assert_eq!(retail_mac(&key, &[left, right]), whole);
            }
        }
    }

    #[test]
    fn des_gives_the_external_authentication_vectors_of_real_cards() {
        // With a single DES key twice, 2-key TDES is DES.
        let key = Secret::new([0xFF; 16]);
        let block = encipher_block(&key, bytes("53FD1F262EC4E6E2"));
        assert_eq!(hex::encode_upper(block), "A0DBBFC1192FF24A");
        let key = CbcKey::Des(Secret::new(bytes("0102030405060708")));
        let sealed = key.encipher(&[0; 8], &bytes::<8>("BB83BFF300000000"));
        assert_eq!(hex::encode_upper(&sealed[..8]), "74B0047DD681D96C");
        assert_eq!(sealed.len(), 16, "a whole block of padding is added");
    }

    #[test]
    fn two_key_tdes_gives_the_diversification_vector_of_real_cards() {
        let key = Secret::new(bytes("00112233445566778899AABBCCDDEEFF"));
        let block = encipher_block(&key, bytes("1122334455667788"));
        assert_eq!(hex::encode_upper(block), "496BD7A351364453");
        assert_eq!(decipher_block(&key, block), bytes::<8>("1122334455667788"));
    }

    #[test]
    fn three_key_tdes_gives_the_vector_of_nist_sp_800_67_appendix_b() {
        let key = CbcKey::Tdes(Secret::new(bytes(
            "0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123",
        )));
        let sealed = key.encipher(&[0; 8], b"The qufc");
        assert_eq!(hex::encode_upper(&sealed[..8]), "A826FD8CE53B855F");
        assert_eq!(
            key.decipher(&[0; 8], &sealed).unwrap().as_slice(),
            b"The qufc"
        );
    }

    #[test]
    fn bytes_without_padding_are_refused() {
        let key = CbcKey::Des(Secret::new([1; 8]));
        assert_eq!(key.decipher(&[0; 8], &[]), Err(Refused));
        assert_eq!(key.decipher(&[0; 8], &[0; 7]), Err(Refused));
        let sealed = key.encipher(&[0; 8], &[0; 8]);
        assert_eq!(
            key.decipher(&[0; 8], &sealed[..8]),
            Err(Refused),
            "all zeros, no 80"
        );
    }
}
