//! Keys and MACs of the card over the vectors in `tests/fixtures/outside`, whose README names the sources.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

use outside_vectors::Tdes;
use purse::{CardKey, crypto::reload_pin_mac};

fn runs_under(case: &Tdes, key: &[u8]) {
    let key = CardKey::from_bytes(key).unwrap();
    for (chained, cipher) in case.blocks() {
        assert_eq!(key.encrypt(chained), cipher, "{}", case.name());
        assert_eq!(key.decrypt(cipher), chained, "{}", case.name());
    }
}

#[test]
fn card_keys_of_8_and_16_bytes_encipher_as_nist_says() {
    let (mut one, mut two) = (0, 0);
    for case in &outside_vectors::tdes() {
        let [first, second, third] = case.keys();
        if first == third {
            two += 1;
            runs_under(case, &[first, second].concat());
        }
        if first == third && first == second {
            one += 1;
            runs_under(case, &first);
        }
    }
    assert_eq!((one, two), (490, 510));
}

/// An 8-byte key is not folded: the MAC of RELOAD PIN is algorithm 1 over any bytes.
#[test]
fn the_mac_of_the_card_is_algorithm_1_with_padding_method_2() {
    let mut ran = 0;
    for case in outside_vectors::macs() {
        if (case.algorithm, case.padding) == (1, 2) {
            ran += 1;
            let key = CardKey::from_bytes(&case.key).unwrap();
            let made = reload_pin_mac(&key, case.text.as_bytes());
            assert_eq!(made, case.mac[..], "{}", case.name());
        }
    }
    assert_eq!(ran, 2);
}
