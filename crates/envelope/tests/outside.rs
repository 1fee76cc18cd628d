//! The libraries, used as this crate uses them, over the vectors in `tests/fixtures/outside`.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use des::Des;
use hkdf::Hkdf;
use retail_mac::{Mac, RetailMac};
use serde::Deserialize;
use sha2::Sha256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GcmCase {
    tc_id: u32,
    comment: String,
    #[serde(with = "hex")]
    key: [u8; 32],
    #[serde(with = "hex")]
    iv: [u8; 12],
    #[serde(with = "hex")]
    aad: Vec<u8>,
    #[serde(with = "hex")]
    msg: Vec<u8>,
    #[serde(with = "hex")]
    ct: Vec<u8>,
    #[serde(with = "hex")]
    tag: [u8; 16],
    result: String,
}

#[test]
fn aes_256_gcm_seals_and_opens_as_wycheproof_says() {
    let (mut valid, mut invalid) = (0, 0);
    for case in outside_vectors::wycheproof::<GcmCase>("wycheproof/aes_gcm.json") {
        let name = format!("case {} {}", case.tc_id, case.comment);
        let cipher = Aes256Gcm::new((&case.key).into());
        let sealed = [case.ct.as_slice(), &case.tag].concat();
        let payload = |msg| Payload {
            msg,
            aad: &case.aad,
        };
        let opened = cipher.decrypt((&case.iv).into(), payload(&sealed));
        let made = cipher
            .encrypt((&case.iv).into(), payload(&case.msg))
            .unwrap();
        if case.result == "valid" {
            valid += 1;
            assert_eq!(opened.as_ref(), Ok(&case.msg), "{name}");
            assert_eq!(made, sealed, "{name}");
        } else {
            invalid += 1;
            assert!(opened.is_err(), "{name}");
            assert_ne!(made, sealed, "{name}");
        }
    }
    assert_eq!((valid, invalid), (39, 27));
}

#[test]
fn hkdf_sha_256_gives_what_wycheproof_expects() {
    let (mut valid, mut invalid) = (0, 0);
    for case in outside_vectors::hkdf() {
        let mut out = vec![0; case.size];
        let made = Hkdf::<Sha256>::new(Some(&case.salt), &case.ikm).expand(&case.info, &mut out);
        if case.result == "valid" {
            valid += 1;
            assert!(made.is_ok(), "case {}", case.tc_id);
            assert_eq!(out, case.okm, "case {}", case.tc_id);
        } else {
            invalid += 1;
            assert!(made.is_err(), "case {}", case.tc_id);
        }
    }
    assert_eq!((valid, invalid), (83, 3));
}

/// Algorithm 3 with equal halves of the key is algorithm 1.
#[test]
fn the_retail_mac_gives_the_examples_of_iso_9797_1() {
    let cases = outside_vectors::macs();
    for case in &cases {
        let key = match case.algorithm {
            1 => case.key.repeat(2),
            _ => case.key.clone(),
        };
        let mut text = case.text.clone().into_bytes();
        if case.padding == 2 {
            text.push(0x80);
        }
        let mut mac = RetailMac::<Des>::new_from_slice(&key).unwrap();
        mac.update(&text);
        let made = mac.finalize().into_bytes();
        assert!(made.starts_with(&case.mac), "{}", case.name());
    }
    assert_eq!(cases.len(), 14);
}
