//! Envelopes: what was sealed comes back, and anything else is refused with the one error.

use envelope::{
    Direction, Refused, Suite, Terminal,
    keys::{KeyFacts, WorkingKey},
    seal::{HEADER_LENGTH, Header, MAX_ENVELOPE, MAX_MESSAGE, open, peek, seal},
};
use proptest::prelude::*;

const DIRECTIONS: [Direction; 2] = [Direction::ToBank, Direction::ToTerminal];

fn terminal() -> Terminal {
    "001122334455".parse().unwrap()
}

fn key(suite: Suite) -> WorkingKey {
    let facts = KeyFacts {
        id: 7,
        suite,
        not_before_ms: 0,
        expires_ms: u64::MAX,
    };
    WorkingKey::new(facts, [0x42; 32])
}

fn header(suite: Suite, direction: Direction) -> Header {
    Header {
        suite,
        direction,
        terminal: terminal(),
        key_id: 7,
        counter: 9,
        time_ms: 1_700,
    }
}

fn sealed(suite: Suite, direction: Direction, message: &[u8]) -> Vec<u8> {
    seal(&key(suite), &header(suite, direction), message, &[0x5A; 12]).unwrap()
}

fn all() -> impl Iterator<Item = (Suite, Direction)> {
    Suite::ALL
        .into_iter()
        .flat_map(|suite| DIRECTIONS.map(|direction| (suite, direction)))
}

#[test]
fn the_header_has_the_bytes_of_the_protocol() {
    for (suite, direction) in all() {
        let envelope = sealed(suite, direction, b"message");
        let mut expected = b"TF\x01".to_vec();
        expected.extend([suite.number(), direction.number(), 0]);
        expected.extend([0x00, 0x11, 0x22, 0x33, 0x44, 0x55]);
        expected.extend(7u32.to_be_bytes());
        expected.extend(9u64.to_be_bytes());
        expected.extend(1_700u64.to_be_bytes());
        expected.extend(
            u32::try_from(envelope.len() - HEADER_LENGTH)
                .unwrap()
                .to_be_bytes(),
        );
        assert_eq!(envelope[..HEADER_LENGTH], expected);
        assert_eq!(peek(&envelope), Ok(header(suite, direction)));
        let random = if suite == Suite::AesGcm { 12 } else { 8 };
        assert_eq!(envelope[HEADER_LENGTH..][..random], [0x5A; 12][..random]);
    }
}

#[test]
fn lengths_are_those_of_the_suites() {
    for length in [0, 1, 7, 8, 9, 100] {
        let message = vec![1; length];
        let gcm = sealed(Suite::AesGcm, Direction::ToBank, &message);
        assert_eq!(gcm.len(), HEADER_LENGTH + 12 + length + 16);
        for suite in [Suite::Des, Suite::Tdes] {
            let cbc = sealed(suite, Direction::ToBank, &message);
            assert_eq!(cbc.len(), HEADER_LENGTH + 8 + (length / 8 + 1) * 8 + 8);
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_with_the_same_error() {
    for (suite, direction) in all() {
        let envelope = sealed(suite, direction, b"I0001\x01 a message of some length");
        assert!(open(&key(suite), &envelope, direction).is_ok());
        for bit in 0..envelope.len() * 8 {
            let mut bytes = envelope.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let opened = open(&key(suite), &bytes, direction);
            assert_eq!(opened, Err(Refused), "{suite:?} {direction:?} bit {bit}");
        }
    }
}

#[test]
fn a_cut_or_longer_envelope_is_refused() {
    for (suite, direction) in all() {
        let envelope = sealed(suite, direction, b"a message");
        for length in 0..envelope.len() {
            let cut = &envelope[..length];
            assert_eq!(open(&key(suite), cut, direction), Err(Refused));
            assert_eq!(peek(cut), Err(Refused));
            // The length in the header put right: only the integrity check is left to refuse it.
            if let Some(body) = length.checked_sub(HEADER_LENGTH) {
                let mut cut = cut.to_vec();
                cut[32..36].copy_from_slice(&u32::try_from(body).unwrap().to_be_bytes());
                assert!(peek(&cut).is_ok());
                assert_eq!(open(&key(suite), &cut, direction), Err(Refused));
            }
        }
        let longer = [envelope.as_slice(), &[0]].concat();
        assert_eq!(open(&key(suite), &longer, direction), Err(Refused));
    }
}

#[test]
fn the_other_direction_is_refused_even_when_the_header_is_changed_to_it() {
    for suite in Suite::ALL {
        let mut envelope = sealed(suite, Direction::ToBank, b"a message");
        assert_eq!(
            open(&key(suite), &envelope, Direction::ToTerminal),
            Err(Refused)
        );
        envelope[4] = 1;
        assert_eq!(
            open(&key(suite), &envelope, Direction::ToTerminal),
            Err(Refused)
        );
    }
}

#[test]
fn another_suite_is_refused_under_any_key_even_when_the_header_is_changed_to_it() {
    for from in Suite::ALL {
        for to in Suite::ALL.into_iter().filter(|to| *to != from) {
            let mut envelope = sealed(from, Direction::ToBank, b"a message of 24 bytes...");
            assert_eq!(open(&key(to), &envelope, Direction::ToBank), Err(Refused));
            envelope[3] = to.number();
            assert_eq!(open(&key(to), &envelope, Direction::ToBank), Err(Refused));
            assert_eq!(open(&key(from), &envelope, Direction::ToBank), Err(Refused));
        }
    }
}

#[test]
fn another_key_another_id_and_another_terminal_are_refused() {
    for (suite, direction) in all() {
        let envelope = sealed(suite, direction, b"a message");
        let facts = *key(suite).facts();
        let mut bytes = [0x42; 32];
        bytes[31] ^= 1;
        let other = WorkingKey::new(facts, bytes);
        assert_eq!(open(&other, &envelope, direction), Err(Refused));
        let other = WorkingKey::new(KeyFacts { id: 8, ..facts }, [0x42; 32]);
        assert_eq!(open(&other, &envelope, direction), Err(Refused));
        let mut moved = envelope.clone();
        moved[15] = 8;
        assert_eq!(
            open(&other, &moved, direction),
            Err(Refused),
            "the id is in the derivation"
        );
    }
}

#[test]
fn nothing_is_sealed_under_a_header_of_another_key_or_suite() {
    let good = header(Suite::AesGcm, Direction::ToBank);
    for bad in [
        Header {
            suite: Suite::Des,
            ..good
        },
        Header { key_id: 8, ..good },
    ] {
        assert_eq!(
            seal(&key(Suite::AesGcm), &bad, b"message", &[0; 12]),
            Err(Refused)
        );
    }
}

#[test]
fn the_longest_message_passes_and_one_byte_more_does_not() {
    for suite in Suite::ALL {
        let longest = vec![0xA5; MAX_MESSAGE];
        let envelope = sealed(suite, Direction::ToBank, &longest);
        assert!(envelope.len() <= MAX_ENVELOPE);
        let (_, message) = open(&key(suite), &envelope, Direction::ToBank).unwrap();
        assert_eq!(*message, longest);
        let header = header(suite, Direction::ToBank);
        let over = vec![0; MAX_MESSAGE + 1];
        assert_eq!(seal(&key(suite), &header, &over, &[0; 12]), Err(Refused));
    }
    let mut huge = sealed(Suite::AesGcm, Direction::ToBank, b"");
    huge.resize(MAX_ENVELOPE + 1, 0);
    let length = u32::try_from(huge.len() - HEADER_LENGTH).unwrap();
    huge[32..36].copy_from_slice(&length.to_be_bytes());
    assert_eq!(peek(&huge), Err(Refused));
}

#[test]
fn no_two_suites_directions_or_randoms_give_the_same_ciphertext() {
    let mut seen = std::collections::BTreeSet::new();
    // Suite 0 has one cipher key for both directions: only its random IV tells them apart.
    let one_key = |(suite, direction)| suite == Suite::MasterKey && direction != Direction::ToBank;
    for (suite, direction) in all().filter(|pair| !one_key(*pair)) {
        for random in [[1; 12], [2; 12]] {
            let envelope = seal(&key(suite), &header(suite, direction), &[0; 64], &random).unwrap();
            let start = HEADER_LENGTH + if suite == Suite::AesGcm { 12 } else { 8 };
            assert!(seen.insert(envelope[start..start + 32].to_vec()));
        }
    }
}

fn any_suite() -> impl Strategy<Value = Suite> {
    prop::sample::select(Suite::ALL.to_vec())
}

fn any_terminal() -> impl Strategy<Value = Terminal> {
    "[0-9]{12}".prop_map(|digits| digits.parse().unwrap())
}

prop_compose! {
    fn any_header()(
        suite in any_suite(),
        direction in prop::sample::select(DIRECTIONS.to_vec()),
        terminal in any_terminal(),
        key_id in any::<u32>(),
        counter in any::<u64>(),
        time_ms in any::<u64>(),
    ) -> Header {
        Header { suite, direction, terminal, key_id, counter, time_ms }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sealed_comes_back(
        header in any_header(),
        secret in any::<[u8; 32]>(),
        random in any::<[u8; 12]>(),
        message in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let facts =
            KeyFacts { id: header.key_id, suite: header.suite, not_before_ms: 0, expires_ms: 1 };
        let key = WorkingKey::new(facts, secret);
        let envelope = seal(&key, &header, &message, &random).unwrap();
        let (opened, body) = open(&key, &envelope, header.direction).unwrap();
        prop_assert_eq!(opened, header);
        prop_assert_eq!(&*body, &message);
    }

    #[test]
    fn garbage_never_opens_and_never_panics(
        suite in any_suite(),
        start in prop::bool::ANY,
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        if start && bytes.len() >= HEADER_LENGTH {
            let good = sealed(suite, Direction::ToBank, b"");
            bytes[..HEADER_LENGTH - 4].copy_from_slice(&good[..HEADER_LENGTH - 4]);
            let length = u32::try_from(bytes.len() - HEADER_LENGTH).unwrap();
            bytes[32..36].copy_from_slice(&length.to_be_bytes());
            prop_assert!(peek(&bytes).is_ok());
        }
        prop_assert_eq!(open(&key(suite), &bytes, Direction::ToBank), Err(Refused));
    }
}
