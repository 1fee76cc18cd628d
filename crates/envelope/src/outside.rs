//! The functions of this crate over the vectors in `tests/fixtures/outside`, whose README names the sources.

use outside_vectors::{Tdes, wycheproof, wycheproof_groups};
use serde::Deserialize;

use crate::{
    Secret,
    kdf::{hkdf, hmac},
    package::verify,
    tdes::{CbcKey, decipher_block, encipher_block, retail_mac},
};

fn runs_under(case: &Tdes, key: &CbcKey) {
    let sealed = key.encipher(&case.iv, &case.plaintext);
    let (body, padding) = sealed.split_at(case.plaintext.len());
    assert_eq!(body, case.ciphertext, "{}", case.name());
    assert_eq!(padding.len(), 8, "{}", case.name());
    let padded = [case.ciphertext.as_slice(), padding].concat();
    let opened = key.decipher(&case.iv, &padded).unwrap();
    assert_eq!(*opened, case.plaintext, "{}", case.name());
}

fn runs_block_by_block(case: &Tdes, key: &Secret<16>) {
    for (chained, cipher) in case.blocks() {
        assert_eq!(encipher_block(key, chained), cipher, "{}", case.name());
        assert_eq!(decipher_block(key, cipher), chained, "{}", case.name());
    }
}

#[test]
fn des_and_tdes_in_cbc_are_those_of_nist() {
    let cases = outside_vectors::tdes();
    let (mut one, mut two) = (0, 0);
    for case in &cases {
        let [first, second, third] = case.keys();
        runs_under(case, &CbcKey::Tdes(Secret::new(case.key)));
        if first == third {
            two += 1;
            let key = [first, second].concat();
            runs_block_by_block(case, &key.as_slice().try_into().unwrap());
        }
        if first == third && first == second {
            one += 1;
            runs_under(case, &CbcKey::Des(Secret::new(first)));
        }
    }
    assert_eq!((one, two, cases.len()), (490, 510, 530));
}

#[test]
fn the_retail_mac_is_algorithm_3_with_padding_method_2() {
    let mut ran = 0;
    for case in outside_vectors::macs() {
        if (case.algorithm, case.padding) == (3, 2) {
            ran += 1;
            let mac = retail_mac(
                &case.key.as_slice().try_into().unwrap(),
                &[case.text.as_bytes()],
            );
            assert!(mac.starts_with(&case.mac), "{}", case.name());
        }
    }
    assert_eq!(ran, 4);
}

#[test]
fn hkdf_gives_what_wycheproof_expects() {
    let mut ran = 0;
    for case in outside_vectors::hkdf() {
        // The labels of this crate are text; the library itself takes all cases in `tests/outside.rs`.
        let Ok(info) = std::str::from_utf8(&case.info) else {
            continue;
        };
        assert_eq!(case.result, "valid", "case {}", case.tc_id);
        ran += 1;
        // A shorter output is the beginning of a longer one (RFC 5869, 2.3).
        let longest: Secret<8160> = hkdf(&case.ikm, &case.salt, info);
        assert_eq!(
            longest.expose()[..case.size],
            case.okm,
            "case {}",
            case.tc_id
        );
    }
    assert_eq!(ran, 31);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HmacCase {
    tc_id: u32,
    #[serde(with = "hex")]
    key: Vec<u8>,
    #[serde(with = "hex")]
    msg: Vec<u8>,
    #[serde(with = "hex")]
    tag: Vec<u8>,
    result: String,
}

#[test]
fn hmac_gives_what_wycheproof_expects_and_nothing_else() {
    let mut ran = 0;
    for case in wycheproof::<HmacCase>("wycheproof/hmac_sha256.json") {
        ran += 1;
        let mac = hmac(&case.key, &[&case.msg]);
        let checked = crate::auth::verify(&mac, &hex::encode(&case.tag));
        assert_eq!(
            checked.is_ok(),
            case.result == "valid",
            "case {}",
            case.tc_id
        );
    }
    assert_eq!(ran, 87);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignerGroup {
    public_key: Signer,
    tests: Vec<Signed>,
}

#[derive(Deserialize)]
struct Signer {
    #[serde(with = "hex")]
    pk: [u8; 32],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    tc_id: u32,
    comment: String,
    #[serde(with = "hex")]
    msg: Vec<u8>,
    #[serde(with = "hex")]
    sig: Vec<u8>,
    result: String,
}

#[test]
fn signatures_are_good_when_wycheproof_says_so() {
    let groups: Vec<SignerGroup> = wycheproof_groups("wycheproof/ed25519.json");
    let mut ran = 0;
    let mut unexpected = Vec::new();
    for group in &groups {
        for case in &group.tests {
            ran += 1;
            let good = verify(&group.public_key.pk, &case.msg, &case.sig).is_ok();
            if good != (case.result == "valid") {
                unexpected.push((case.tc_id, &case.result, &case.comment));
            }
        }
    }
    assert_eq!(unexpected, []);
    assert_eq!(ran, 151);
}
