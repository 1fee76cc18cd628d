//! Keys and MACs of the card over the vectors in `tests/fixtures/outside`, whose README names the sources.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

use purse::{CardKey, crypto::reload_pin_mac};
use serde::Deserialize;

#[derive(Deserialize)]
struct Cases<T> {
    cases: Vec<T>,
}

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
    fn runs_under(&self, key: &[u8]) {
        let key = CardKey::from_bytes(key).unwrap();
        let mut before = self.iv;
        let blocks = self.plaintext.as_chunks::<8>().0.iter();
        for (plain, cipher) in blocks.zip(self.ciphertext.as_chunks::<8>().0) {
            let chained = std::array::from_fn(|place| plain[place] ^ before[place]);
            assert_eq!(
                key.encrypt(chained),
                *cipher,
                "{} {}",
                self.file,
                self.count
            );
            assert_eq!(
                key.decrypt(*cipher),
                chained,
                "{} {}",
                self.file,
                self.count
            );
            before = *cipher;
        }
    }
}

#[test]
fn card_keys_of_8_and_16_bytes_encipher_as_nist_says() {
    let file: Cases<Tdes> = fixture!("nist-cavp/tdes_cbc.json");
    let (mut one, mut two) = (0, 0);
    for case in &file.cases {
        let [first, second, third]: [[u8; 8]; 3] = case.key.as_chunks().0.try_into().unwrap();
        if first == third {
            two += 1;
            case.runs_under(&[first, second].concat());
        }
        if first == third && first == second {
            one += 1;
            case.runs_under(&first);
        }
    }
    assert_eq!((one, two), (490, 510));
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

/// An 8-byte key is not folded: the MAC of RELOAD PIN is algorithm 1 over any bytes.
#[test]
fn the_mac_of_the_card_is_algorithm_1_with_padding_method_2() {
    let file: Cases<MacCase> = fixture!("iso-9797-1/mac.json");
    let mut ran = 0;
    for case in file.cases {
        if (case.algorithm, case.padding) == (1, 2) {
            ran += 1;
            let key = CardKey::from_bytes(&case.key).unwrap();
            let made = reload_pin_mac(&key, case.text.as_bytes());
            assert_eq!(made, case.mac[..], "{}: {:?}", case.origin, case.text);
        }
    }
    assert_eq!(ran, 2);
}
