//! Answers worked out by another program (Python `cryptography` and `psec`) from `docs/protocol.md` alone.

use envelope::{
    Direction, Suite, Terminal, auth,
    keys::{self, KeyFacts, MasterKey, WorkingKey},
    pin::{self, Format, PinDigits},
    seal::{Header, open, seal},
};

const MESSAGE: &[u8] = b"I0001\x01 one relay message";
const RANDOM: [u8; 12] = [
    0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xAB,
];

const SEALED: [(Suite, Direction, &str); 6] = [
    (
        Suite::Des,
        Direction::ToBank,
        "5446010100003100000060210000000500000000000001020000019b76daa80000000030a0a1a2a3\
        a4a5a6a731904c5895538e09e6f3aa500118b54d8da88394f838f8db7b61d390f71deb0ce247e519\
        fd3df4a1",
    ),
    (
        Suite::Des,
        Direction::ToTerminal,
        "5446010101003100000060210000000500000000000001020000019b76daa80000000030a0a1a2a3\
        a4a5a6a749af17657b7c6bd7a90cf54963a23a20446b1c765b5e9039b5d3c0e071cb1dca094d664c\
        4d9d1c10",
    ),
    (
        Suite::Tdes,
        Direction::ToBank,
        "5446010200003100000060210000000500000000000001020000019b76daa80000000030a0a1a2a3\
        a4a5a6a7f14ded9ed3d5b8a83bcf104d046d368bc886b33bc5a8e71ef61a4d0407f1581efcacfa3c\
        03be576d",
    ),
    (
        Suite::Tdes,
        Direction::ToTerminal,
        "5446010201003100000060210000000500000000000001020000019b76daa80000000030a0a1a2a3\
        a4a5a6a7e4bdd4962831a311ae775f064ae38fc0f1839a4e423dd73c5e16d3378bdbad46439c5d17\
        e8910c7b",
    ),
    (
        Suite::AesGcm,
        Direction::ToBank,
        "5446010300003100000060210000000500000000000001020000019b76daa80000000034a0a1a2a3\
        a4a5a6a7a8a9aaab0614e34eb317a1967f40f0cf323d43c387ae66cae9b6a0490796f70d58d10eff\
        f6879d20063a52e8",
    ),
    (
        Suite::AesGcm,
        Direction::ToTerminal,
        "5446010301003100000060210000000500000000000001020000019b76daa80000000034a0a1a2a3\
        a4a5a6a7a8a9aaab79f74bc3de3d9b9557a0afc4bc09065324d58c1ef220c4ccdd907920d977bd2a\
        0f4673752da47ea7",
    ),
];

fn counted<const N: usize>(start: u8) -> [u8; N] {
    std::array::from_fn(|place| start + u8::try_from(place).unwrap())
}

fn terminal() -> Terminal {
    "310000006021".parse().unwrap()
}

fn facts(suite: Suite) -> KeyFacts {
    KeyFacts {
        id: 5,
        suite,
        not_before_ms: 1_767_225_600_000,
        expires_ms: 1_767_312_000_000,
    }
}

fn working_key(suite: Suite) -> WorkingKey {
    WorkingKey::new(facts(suite), counted(0))
}

#[test]
fn envelopes_of_every_suite_and_direction() {
    for (suite, direction, expected) in SEALED {
        let header = Header {
            suite,
            direction,
            terminal: terminal(),
            key_id: 5,
            counter: 0x0102,
            time_ms: 1_767_225_600_000,
        };
        let envelope = seal(&working_key(suite), &header, MESSAGE, &RANDOM).unwrap();
        assert_eq!(hex::encode(&envelope), expected, "{suite:?} {direction:?}");
        let (opened, message) = open(&working_key(suite), &envelope, direction).unwrap();
        assert_eq!((opened, message.as_slice()), (header, MESSAGE));
    }
}

#[test]
fn pin_keys_and_blocks_of_every_suite() {
    let digits = PinDigits::try_from("246810").unwrap();
    for (suite, format, key, expected) in [
        (
            Suite::Des,
            Format::Iso0,
            "a79bbfe0c8efa2bab94040d3613858d9",
            "7cea35e0263e3376",
        ),
        (
            Suite::Tdes,
            Format::Iso0,
            "0bdad6fd3d2320a137d57c7c3825ead5",
            "e3ede0e4ae4169d4",
        ),
        (
            Suite::AesGcm,
            Format::Iso4,
            "69189f43a5e3a20f8baf7ac9f82b458a",
            "271520d533f67825e13abee91d5d8903",
        ),
    ] {
        let pin_key = pin::pin_key(&working_key(suite), &terminal());
        assert_eq!(hex::encode(pin_key.expose()), key, "{suite:?}");
        let block = pin::block(&digits, &pin_key, format, &terminal(), &counted(0xC0)).unwrap();
        assert_eq!(hex::encode(block), expected, "{suite:?}");
    }
}

#[test]
fn a_wrapped_working_key_and_its_check_value() {
    let master = MasterKey::new(counted(0x40));
    let key = working_key(Suite::AesGcm);
    let expected = "a0a1a2a3a4a5a6a7a8a9aaaba5c9cc07b07721bcbbbca577a0b612ba076b3fc5fbfd071f\
                    b01e08292c46ae95f8ca2746844b52375fb2a951f0cd3f00";
    let wrapped = keys::wrap_working_key(&master, &terminal(), &key, &RANDOM).unwrap();
    assert_eq!(hex::encode(wrapped), expected);
    assert_eq!(hex::encode(key.check_value()), "0fadd7");
}

#[test]
fn macs_of_a_request_and_of_its_answer() {
    let key = keys::auth_key(&MasterKey::new(counted(0x40)), &terminal());
    let expected = "6feda53c9525682c67ab14987549a3c4f8ae63a9ceb30821f4a53f06d8950c76";
    assert_eq!(hex::encode(key.expose()), expected);
    let (nonce, body) = (
        "00112233445566778899aabbccddeeff",
        b"{\"industry\": \"0001\"}",
    );
    let time_ms = 1_767_225_600_000;
    let mac = auth::request_mac(&key, "/v1/limits", &terminal(), nonce, time_ms, body);
    let expected = "c334f078ddf51dce8fb6dbffb5d9a96e264271f028a206d3b4aaaa9278a8d5f3";
    assert_eq!(hex::encode(mac), expected);
    let mac = auth::answer_mac(&key, nonce, 200, body);
    let expected = "ace1c7e153fd5f62d86a4dbe2dfc7709a6a2ccd8778519ac0b9a9e296ec2f0c4";
    assert_eq!(hex::encode(mac), expected);
}
