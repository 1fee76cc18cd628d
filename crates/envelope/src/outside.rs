//! The functions of this crate over the vectors in `tests/fixtures/outside`, whose README names the sources.

use serde::Deserialize;

use crate::{
    Secret,
    kdf::{hkdf, hmac},
    package::verify,
    tdes::{CbcKey, decipher_block, encipher_block, retail_mac},
};

/// Reads a file of `tests/fixtures/outside`.
macro_rules! fixture {
    ($path:literal) => {
        serde_json::from_str(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/fixtures/outside/",
            $path
        )))
        .unwrap()
    };
}
pub(crate) use fixture;

#[derive(Deserialize)]
struct Cases<T> {
    cases: Vec<T>,
}

/// A file of Wycheproof.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wycheproof<T> {
    pub(crate) test_groups: Vec<T>,
}

#[derive(Deserialize)]
pub(crate) struct Group<T> {
    pub(crate) tests: Vec<T>,
}

#[derive(Deserialize)]
struct Tdes {
    file: String,
    count: u32,
    #[serde(with = "hex")]
    key: [u8; 24],
    #[serde(with = "hex")]
    iv: [u8; 8],
    #[serde(with = "hex")]
    plaintext: Vec<u8>,
    #[serde(with = "hex")]
    ciphertext: Vec<u8>,
}

impl Tdes {
    fn name(&self) -> String {
        format!("{} {}", self.file, self.count)
    }

    fn runs_under(&self, key: &CbcKey) {
        let sealed = key.encipher(&self.iv, &self.plaintext);
        let (body, padding) = sealed.split_at(self.plaintext.len());
        assert_eq!(body, self.ciphertext, "{}", self.name());
        assert_eq!(padding.len(), 8, "{}", self.name());
        let padded = [self.ciphertext.as_slice(), padding].concat();
        let opened = key.decipher(&self.iv, &padded).unwrap();
        assert_eq!(*opened, self.plaintext, "{}", self.name());
    }

    fn runs_block_by_block(&self, key: &Secret<16>) {
        let mut before = self.iv;
        let blocks = self.plaintext.as_chunks::<8>().0.iter();
        for (plain, cipher) in blocks.zip(self.ciphertext.as_chunks::<8>().0) {
            let chained = std::array::from_fn(|place| plain[place] ^ before[place]);
            assert_eq!(encipher_block(key, chained), *cipher, "{}", self.name());
            assert_eq!(decipher_block(key, *cipher), chained, "{}", self.name());
            before = *cipher;
        }
    }
}

#[test]
fn des_and_tdes_in_cbc_are_those_of_nist() {
    let file: Cases<Tdes> = fixture!("nist-cavp/tdes_cbc.json");
    let (mut one, mut two) = (0, 0);
    for case in &file.cases {
        let [first, second, third]: [[u8; 8]; 3] = case.key.as_chunks().0.try_into().unwrap();
        case.runs_under(&CbcKey::Tdes(Secret::new(case.key)));
        if first == third {
            two += 1;
            let key = [first, second].concat();
            case.runs_block_by_block(&key.as_slice().try_into().unwrap());
        }
        if first == third && first == second {
            one += 1;
            case.runs_under(&CbcKey::Des(Secret::new(first)));
        }
    }
    assert_eq!((one, two, file.cases.len()), (490, 510, 530));
}

#[derive(Deserialize)]
struct MacCase {
    algorithm: u8,
    padding: u8,
    #[serde(with = "hex")]
    key: Vec<u8>,
    text: String,
    #[serde(with = "hex")]
    mac: Vec<u8>,
    origin: String,
}

#[test]
fn the_retail_mac_is_algorithm_3_with_padding_method_2() {
    let file: Cases<MacCase> = fixture!("iso-9797-1/mac.json");
    let mut ran = 0;
    for case in file.cases {
        if (case.algorithm, case.padding) == (3, 2) {
            ran += 1;
            let mac = retail_mac(
                &case.key.as_slice().try_into().unwrap(),
                &[case.text.as_bytes()],
            );
            assert!(
                mac.starts_with(&case.mac),
                "{}: {:?}",
                case.origin,
                case.text
            );
        }
    }
    assert_eq!(ran, 4);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HkdfCase {
    tc_id: u32,
    #[serde(with = "hex")]
    ikm: Vec<u8>,
    #[serde(with = "hex")]
    salt: Vec<u8>,
    #[serde(with = "hex")]
    info: Vec<u8>,
    size: usize,
    #[serde(with = "hex")]
    okm: Vec<u8>,
    result: String,
}

#[test]
fn hkdf_gives_what_wycheproof_expects() {
    let file: Wycheproof<Group<HkdfCase>> = fixture!("wycheproof/hkdf_sha256.json");
    let mut ran = 0;
    for case in file.test_groups.iter().flat_map(|group| &group.tests) {
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
    let file: Wycheproof<Group<HmacCase>> = fixture!("wycheproof/hmac_sha256.json");
    let mut ran = 0;
    for case in file.test_groups.iter().flat_map(|group| &group.tests) {
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
    let file: Wycheproof<SignerGroup> = fixture!("wycheproof/ed25519.json");
    let mut ran = 0;
    let mut unexpected = Vec::new();
    for group in &file.test_groups {
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
