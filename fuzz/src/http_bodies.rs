//! What comes over HTTP or out of a file of the bank's: enrolment, MACs, wrapped keys, PIN blocks, configuration.

use bank::Settings;
use bank_client::Profile;
use envelope::enrol::{Enrolled, Exchange, MAX_DEVICE, Previous, hpke_key_pair, open_request};
use envelope::keys::{
    AuthKey, KeyAnswer, KeyFacts, MasterKey, unwrap_working_key, wrap_working_key,
};
use envelope::package::{sign_package, signer_public, verify_package};
use envelope::pin::{Format, PinDigits, block, open_block, pin_key};
use envelope::{Suite, Terminal, auth};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::envelope::{key, terminal};
use crate::input::Input;

const BANK: [u8; 32] = [0x21; 32];
const SIGNER: [u8; 32] = [0x42; 32];
const DEMO: &[u8] = include_bytes!("../../crates/bank/src/demo.toml");

/// First byte: what the others are.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.byte() % 10 {
        0 => request(input.rest()),
        1 => exchange(&mut input),
        2 => answer(input.rest()),
        3 => settings(&input.edited(DEMO)),
        4 => recipe(input.rest()),
        5 => pin(&mut input),
        6 => wrapped(&mut input),
        7 => small_values(input.rest()),
        8 => settings(input.rest()),
        _ => profile(&input.edited(PROFILE.as_bytes())),
    }
}

fn request(bytes: &[u8]) {
    let (secret, _) = hpke_key_pair(&BANK);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(opened) = open_request(secret.expose(), text) {
        assert!(opened.device.chars().count() <= MAX_DEVICE);
    }
}

pub(crate) fn started(random: &[u8; 80], device: &str) -> (Exchange, String) {
    let (_, public) = hpke_key_pair(&BANK);
    let key = AuthKey::new([9; 32]);
    let previous = Previous {
        terminal: terminal(),
        key: Some(&key),
    };
    Exchange::start(&public, random, Some(previous), device).expect("the bank's key is one")
}

/// A whole enrolment, then the same with its answer altered.
fn exchange(input: &mut Input<'_>) {
    let (secret, _) = hpke_key_pair(&BANK);
    let mut random = [1; 80];
    random[..4].copy_from_slice(&input.array::<4>());
    let device = String::from_utf8_lossy(input.short()).into_owned();
    let (exchange, request) = started(&random, &device);
    let opened = open_request(secret.expose(), &request).expect("it was sealed to this key");
    let cut: String = device.chars().take(MAX_DEVICE).collect();
    assert_eq!(opened.device, cut);
    let granted = Enrolled {
        terminal: terminal(),
        master_key: MasterKey::new([6; 32]),
        suite: Suite::AesGcm,
        time_ms: u64::from(input.number()),
    };
    let answer = opened
        .answer(&granted, &SIGNER, &[8; 32])
        .expect("the reply key is one");
    let signer = signer_public(&SIGNER);
    assert_eq!(exchange.finish(&answer, &signer).as_ref(), Ok(&granted));
    let (other, _) = started(&[2; 80], &device);
    assert!(other.finish(&answer, &signer).is_err(), "another request's");
    let altered = input.edited(answer.as_bytes());
    if let Ok(text) = std::str::from_utf8(&altered)
        && let Ok(taken) = exchange.finish(text, &signer)
    {
        assert_eq!(taken, granted, "other blanks or letters, the same bytes");
    }
    let altered = input.edited(request.as_bytes());
    self::request(&altered);
}

fn answer(bytes: &[u8]) {
    let (exchange, _) = started(&[1; 80], "device");
    if let Ok(text) = std::str::from_utf8(bytes) {
        let taken = exchange.finish(text, &signer_public(&SIGNER));
        assert!(taken.is_err(), "nobody signed it");
    }
}

fn settings(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(error) = Settings::parse(text)
    {
        assert!(!error.to_string().is_empty());
    }
}

/// A recipe of one level in an otherwise good configuration.
fn recipe(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let demo = std::str::from_utf8(DEMO).expect("it is text");
    let quoted = serde_json::to_string(text).expect("text");
    let whole = demo.replace("\"serial[2..10]\"", &quoted);
    let taken = Settings::parse(&whole).is_ok();
    let readable = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b" \t\r\n\x0B\x0C[]._-+".contains(&byte))
        || text
            .chars()
            .any(|letter| !letter.is_ascii() && letter.is_whitespace());
    assert!(
        readable || !taken,
        "only names, ranges and digits: {text:?}"
    );
}

fn pin(input: &mut Input<'_>) {
    let suite = Suite::ALL[usize::from(input.byte() & 3)];
    let (key, terminal) = (pin_key(&key(suite), &terminal()), terminal());
    let format = match input.byte() & 1 {
        0 if suite != Suite::AesGcm => Format::Iso0,
        _ => Format::of(suite),
    };
    let mut digits = PinDigits::default();
    for byte in input.short() {
        let before = digits.len();
        let changed = match byte {
            0xF0 => digits.pop(),
            0xF1.. => {
                digits.clear();
                true
            }
            digit => digits.push(*digit),
        };
        assert!(changed || digits.len() == before);
        assert_eq!(digits.ascii().len(), digits.len());
        assert!(digits.ascii().iter().all(u8::is_ascii_digit));
    }
    let random = input.array();
    let made = block(&digits, &key, format, &terminal, &random);
    assert_eq!(made.is_ok(), digits.is_complete());
    let sealed = made.unwrap_or_else(|_| vec![0; if suite == Suite::AesGcm { 16 } else { 8 }]);
    if digits.is_complete() {
        let opened = open_block(&sealed, &key, suite, &terminal).expect("it was made so");
        assert_eq!(opened.ascii(), digits.ascii());
    }
    // one key for all blocks of a terminal: an altered one is mostly refused, and is six digits if not
    let altered = input.edited(&sealed);
    if let Ok(opened) = open_block(&altered, &key, suite, &terminal) {
        assert!(opened.is_complete() && altered.len() == sealed.len());
        if format == Format::Iso0 && opened.ascii() == digits.ascii() {
            let same = block(&opened, &key, Format::Iso0, &terminal, &[0; 8]);
            let three = altered != sealed;
            assert!(three || same.as_ref() == Ok(&sealed));
        }
    }
}

fn wrapped(input: &mut Input<'_>) {
    let (master, terminal) = (MasterKey::new([6; 32]), terminal());
    let suite = Suite::ALL[usize::from(input.byte() & 3)];
    let key = key(suite);
    let good = wrap_working_key(&master, &terminal, &key, &input.array()).expect("32 bytes");
    let check = key.check_value();
    let edits = input.short();
    let altered = Input::new(edits).edited(&good);
    let opened = unwrap_working_key(&master, &terminal, *key.facts(), &check, &altered);
    assert_eq!(opened.is_ok(), altered == good);
    let check = input.short();
    let opened = unwrap_working_key(&master, &terminal, *key.facts(), check, &good);
    assert_eq!(opened.is_ok(), check == key.check_value());
    let package = input.short();
    let signature = sign_package(&SIGNER, package);
    let signer = signer_public(&SIGNER);
    let altered = input.edited(&signature);
    let verified = verify_package(&signer, package, &altered);
    assert_eq!(verified.is_ok(), altered == signature);
}

/// Header values and the JSON of small types.
fn small_values(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mac = auth::answer_mac(&AuthKey::new([9; 32]), "00", 200, b"{}");
    assert!(auth::verify(&mac, text).is_err(), "nobody made it");
    if let Ok(terminal) = text.parse::<Terminal>() {
        assert_eq!(terminal.to_string(), text, "12 digits and nothing else");
    }
    same_again::<Terminal>(text);
    same_again::<Suite>(text);
    same_again::<KeyFacts>(text);
    same_again::<KeyAnswer>(text);
    if let Ok(digits) = PinDigits::try_from(text) {
        assert_eq!(digits.ascii().as_slice(), bytes);
    }
    profile(bytes);
}

fn same_again<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = serde_json::from_str::<T>(text) {
        let written = serde_json::to_string(&value).expect("it was read");
        assert_eq!(serde_json::from_str::<T>(&written).ok(), Some(value));
    }
}

const PROFILE: &str = r#"{"name":"Bank","security_url":"https://localhost:8444","transaction_url":"https://localhost:8443",
"authority_pem":"","pins":["0000000000000000000000000000000000000000000000000000000000000001"],
"enrolment_hpke":"0000000000000000000000000000000000000000000000000000000000000002",
"enrolment_signer":"0000000000000000000000000000000000000000000000000000000000000003",
"package_signer":"0000000000000000000000000000000000000000000000000000000000000004","lowest_suite":3}"#;

fn profile(bytes: &[u8]) {
    if let Ok(profile) = Profile::parse(bytes) {
        assert!(profile.security_url.starts_with("https://"));
        assert!(profile.transaction_url.starts_with("https://"));
        assert!(profile.lowest_suite <= 3 && !profile.pins.is_empty());
        let text = serde_json::to_vec(&profile).expect("it was read");
        assert!(Profile::parse(&text).is_ok(), "it is kept and read again");
    }
}

/// An edit that puts a line into the demo bank's configuration, at its keys.
pub(crate) fn edit_of_demo(line: &str) -> Vec<u8> {
    let text = format!("[keys]\n{line}\n");
    let place = String::from_utf8_lossy(DEMO).find("[sms]").unwrap_or(0);
    let [.., high, low] = place.to_be_bytes();
    let length = u8::try_from(text.len()).expect("a short line");
    [&[high, low, 0, length], text.as_bytes()].concat()
}
