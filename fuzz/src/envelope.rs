//! Sealed messages: only what the holder of the key sealed is opened.

use std::hash::{DefaultHasher, Hash, Hasher};

use envelope::keys::{KeyFacts, WorkingKey};
use envelope::seal::{HEADER_LENGTH, Header, MAX_ENVELOPE, open, peek, seal};
use envelope::{Direction, Suite, Terminal};

use crate::input::Input;

pub(crate) const KEY_ID: u32 = 7;

pub(crate) fn key(suite: Suite) -> WorkingKey {
    key_of(suite, [0x5A; 32])
}

/// Another key for every input: the fuzzer watches comparisons, so it learns the MAC of what it tried last. An edit
/// that brings it in, or a whole seed, must not pass for a forgery.
fn unseen_key(suite: Suite, input: &[u8]) -> WorkingKey {
    let mut secret = [0; 32];
    for (place, part) in secret.chunks_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        (place, input).hash(&mut hasher);
        part.copy_from_slice(&hasher.finish().to_be_bytes());
    }
    key_of(suite, secret)
}

fn key_of(suite: Suite, secret: [u8; 32]) -> WorkingKey {
    let facts = KeyFacts {
        id: KEY_ID,
        suite,
        not_before_ms: 0,
        expires_ms: u64::MAX,
    };
    WorkingKey::new(facts, secret)
}

pub(crate) fn terminal() -> Terminal {
    Terminal::from_bcd([0x00, 0x11, 0x22, 0x33, 0x44, 0x55]).expect("twelve digits")
}

fn directions() -> [Direction; 2] {
    [0, 1].map(|number| Direction::try_from(number).expect("there are two"))
}

/// First byte even: bytes from outside as they are. Odd: a good envelope, then edits of it.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    if input.byte() & 1 == 0 {
        from_outside(input.rest());
    } else {
        altered(&mut input);
    }
}

fn from_outside(envelope: &[u8]) {
    let header = peek(envelope);
    for suite in Suite::ALL {
        for direction in directions() {
            let Ok((opened, message)) = open(&key(suite), envelope, direction) else {
                continue;
            };
            assert_eq!(header, Ok(opened), "peek and open read the same header");
            assert_eq!(opened.direction, direction);
            assert_eq!(opened.suite, suite);
            assert_eq!(
                seal_like(envelope, &opened, &message),
                envelope,
                "one message, one key, one nonce: one envelope"
            );
        }
    }
    if header.is_ok() {
        assert!((HEADER_LENGTH..=MAX_ENVELOPE).contains(&envelope.len()));
    }
}

/// Seals with the nonce or IV of another envelope.
fn seal_like(envelope: &[u8], header: &Header, message: &[u8]) -> Vec<u8> {
    let mut random = [0; 12];
    for (place, byte) in random.iter_mut().zip(envelope.iter().skip(HEADER_LENGTH)) {
        *place = *byte;
    }
    seal(&key(header.suite), header, message, &random).expect("it was opened with this key")
}

fn altered(input: &mut Input<'_>) {
    let whole = input.all();
    let unseen_key = |suite| unseen_key(suite, whole);
    let suite = Suite::ALL[usize::from(input.byte() & 3)];
    let [there, back] = directions();
    let (direction, other) = match input.byte() & 1 {
        0 => (there, back),
        _ => (back, there),
    };
    let header = Header {
        suite,
        direction,
        terminal: terminal(),
        key_id: KEY_ID,
        counter: u64::from(input.number()),
        time_ms: u64::from(input.number()),
    };
    let random = input.array();
    let message = input.short();
    let good = seal(&unseen_key(suite), &header, message, &random).expect("a short message");
    assert_eq!(peek(&good), Ok(header));
    let opened = open(&unseen_key(suite), &good, direction).expect("it was sealed for us");
    assert_eq!((opened.0, opened.1.as_slice()), (header, message));
    assert!(
        open(&unseen_key(suite), &good, other).is_err(),
        "the other way"
    );
    let stranger = WorkingKey::new(*unseen_key(suite).facts(), [0xA5; 32]);
    assert!(open(&stranger, &good, direction).is_err(), "another key");
    let bad = input.edited(&good);
    if bad != good {
        for suite in Suite::ALL {
            for direction in directions() {
                assert!(
                    open(&unseen_key(suite), &bad, direction).is_err(),
                    "altered"
                );
            }
        }
    }
}
