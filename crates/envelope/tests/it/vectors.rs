//! The protocol's own vectors, made from its words by a program that shares no code with this one.

use envelope::keys::{self, KeyFacts, MasterKey, WorkingKey};
use envelope::pin::{self, Format, PinDigits};
use envelope::seal::{self, Header};
use envelope::{Direction, Suite, Terminal, auth};
use serde_json::Value;

macro_rules! cases {
    ($file:literal) => {{
        let text = include_str!(concat!("../../../../tests/fixtures/vectors/", $file));
        let mut file: Value = serde_json::from_str(text).unwrap();
        let Value::Array(cases) = file["cases"].take() else {
            panic!("{} has no cases", $file)
        };
        assert!(!cases.is_empty());
        cases
    }};
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap()
}

fn number<T: TryFrom<u64>>(case: &Value, name: &str) -> T {
    let number = case[name].as_u64().unwrap();
    T::try_from(number).ok().unwrap()
}

fn bytes(case: &Value, name: &str) -> Vec<u8> {
    hex::decode(text(case, name)).unwrap()
}

fn array<const N: usize>(case: &Value, name: &str) -> [u8; N] {
    bytes(case, name).try_into().unwrap()
}

fn suite(case: &Value) -> Suite {
    number::<u8>(case, "suite").try_into().unwrap()
}

fn terminal(case: &Value) -> Terminal {
    text(case, "terminal").parse().unwrap()
}

fn facts(case: &Value) -> KeyFacts {
    KeyFacts {
        id: number(case, "key_id"),
        suite: suite(case),
        not_before_ms: case["not_before_ms"].as_u64().unwrap_or(0),
        expires_ms: case["expires_ms"].as_u64().unwrap_or(u64::MAX),
    }
}

#[test]
fn every_envelope_is_sealed_and_opened_as_the_vectors_say() {
    for case in cases!("envelope.json") {
        let key = WorkingKey::new(facts(&case), array(&case, "working_key"));
        let direction = match text(&case, "direction") {
            "to-bank" => Direction::ToBank,
            _ => Direction::ToTerminal,
        };
        let header = Header {
            suite: suite(&case),
            direction,
            terminal: terminal(&case),
            key_id: number(&case, "key_id"),
            counter: number(&case, "counter"),
            time_ms: number(&case, "time_ms"),
        };
        let (message, sealed) = (bytes(&case, "message"), bytes(&case, "sealed"));
        // Suites below 3 take the first 8 of the 12.
        let mut random = bytes(&case, "random");
        random.resize(12, 0);
        let random: [u8; 12] = random.try_into().unwrap();
        assert_eq!(
            seal::seal(&key, &header, &message, &random),
            Ok(sealed.clone())
        );
        let (read, opened) = seal::open(&key, &sealed, direction).unwrap();
        assert_eq!((read, opened.to_vec()), (header, message));
    }
}

#[test]
fn every_key_is_derived_and_wrapped_as_the_vectors_say() {
    for case in cases!("keys.json") {
        let master = MasterKey::new(array(&case, "master_key"));
        let (terminal, facts) = (terminal(&case), facts(&case));
        let key = match suite(&case) {
            Suite::MasterKey => WorkingKey::of_master(facts, &master),
            Suite::Des | Suite::Tdes | Suite::AesGcm => {
                WorkingKey::new(facts, array(&case, "working_key"))
            }
        };
        assert_eq!(key.expose().to_vec(), bytes(&case, "working_key"));
        let check = keys::key_check_value(master.expose());
        assert_eq!(check.to_vec(), bytes(&case, "master_key_check_value"));
        let check = key.check_value();
        assert_eq!(check.to_vec(), bytes(&case, "working_key_check_value"));
        let auth = keys::auth_key(&master, &terminal);
        assert_eq!(auth.expose().to_vec(), bytes(&case, "auth_key"));
        let tls = keys::tls_secret(&master, &terminal);
        assert_eq!(tls.expose().to_vec(), bytes(&case, "tls_secret"));
        let public = envelope::package::signer_public(tls.expose());
        assert_eq!(public.to_vec(), bytes(&case, "tls_public"));
        let nonce = array(&case, "wrap_nonce");
        let wrapped = keys::wrap_working_key(&master, &terminal, &key, &nonce).unwrap();
        assert_eq!(wrapped.to_vec(), bytes(&case, "wrapped"));
        let again = keys::unwrap_working_key(&master, &terminal, facts, &check, &wrapped).unwrap();
        assert_eq!(again.expose(), key.expose());
    }
}

#[test]
fn every_password_block_is_made_and_read_as_the_vectors_say() {
    for case in cases!("pin_blocks.json") {
        let terminal = terminal(&case);
        let suite = suite(&case);
        let keys = cases!("keys.json");
        let of_suite = keys.iter().find(|keys| keys["suite"] == case["suite"]);
        let working = array(of_suite.unwrap(), "working_key");
        let key = pin::pin_key(&WorkingKey::new(facts(&case), working), &terminal);
        let (format, random) = match number::<u8>(&case, "format") {
            0 => (Format::Iso0, [0; 8]),
            3 => {
                // The fill's digits a to f are the random bytes 0 to 5.
                let digits = text(&case, "random").bytes();
                let fill: Vec<u8> = digits
                    .map(|digit| digit.to_ascii_uppercase() - b'A')
                    .collect();
                (Format::Iso3, fill.try_into().unwrap())
            }
            _ => (Format::Iso4, array(&case, "random")),
        };
        let digits = PinDigits::try_from(text(&case, "password")).unwrap();
        let block = pin::block(&digits, &key, format, &terminal, &random).unwrap();
        assert_eq!(hex::encode(&block), text(&case, "block"));
        let read = pin::open_block(&block, &key, suite, &terminal).unwrap();
        let rebuilt = pin::block(&read, &key, format, &terminal, &random).unwrap();
        assert_eq!(rebuilt, block);
    }
}

#[test]
fn every_request_and_answer_is_proven_as_the_vectors_say() {
    for case in cases!("requests.json") {
        let (nonce, path) = (text(&case, "nonce"), text(&case, "path"));
        let (terminal, time_ms) = (terminal(&case), number(&case, "time_ms"));
        let masters = cases!("keys.json");
        let master = MasterKey::new(array(&masters[0], "master_key"));
        let key = keys::auth_key(&master, &terminal);
        assert_eq!(key.expose().to_vec(), bytes(&case, "auth_key"));
        let body = bytes(&case, "body");
        let mac = auth::request_mac(&key, path, &terminal, nonce, time_ms, &body);
        assert_eq!(auth::verify(&mac, text(&case, "mac")), Ok(()));
        let body = bytes(&case, "answer_body");
        let mac = auth::answer_mac(&key, nonce, number(&case, "status"), &body);
        assert_eq!(auth::verify(&mac, text(&case, "answer_mac")), Ok(()));
    }
}

#[test]
fn every_message_of_a_whole_session_is_sealed_and_opened_as_the_vectors_say() {
    for case in cases!("session.json") {
        let key = WorkingKey::new(facts(&case), array(&case, "working_key"));
        for exchange in case["exchanges"].as_array().unwrap() {
            let direction = match text(exchange, "direction") {
                "to-bank" => Direction::ToBank,
                _ => Direction::ToTerminal,
            };
            let (header, message) =
                seal::open(&key, &bytes(exchange, "sealed"), direction).unwrap();
            assert_eq!(header.counter, number::<u64>(exchange, "counter"));
            assert_eq!(message.to_vec(), bytes(exchange, "message"));
        }
    }
}

#[test]
fn the_longest_envelope_holds_the_longest_message() {
    for case in cases!("keys.json") {
        let key = WorkingKey::new(facts(&case), array(&case, "working_key"));
        let header = Header {
            suite: suite(&case),
            direction: Direction::ToBank,
            terminal: terminal(&case),
            key_id: number(&case, "key_id"),
            counter: 1,
            time_ms: 1,
        };
        let seal = |length| seal::seal(&key, &header, &vec![0; length], &[0; 12]);
        let sealed = seal(seal::MAX_MESSAGE).unwrap();
        assert!(sealed.len() <= seal::MAX_ENVELOPE);
        if suite(&case) == Suite::AesGcm {
            assert_eq!(sealed.len(), seal::MAX_ENVELOPE, "36 + 12 + 65,536 + 16");
        }
        assert!(seal(seal::MAX_MESSAGE + 1).is_err());
    }
}
