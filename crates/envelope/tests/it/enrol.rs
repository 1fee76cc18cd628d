//! Enrolment between a terminal and a bank that know only each other's public keys.

use envelope::{
    Refused, Suite,
    enrol::{Enrolled, Exchange, MAX_DEVICE, Previous, hpke_key_pair, open_request},
    keys::MasterKey,
    package::signer_public,
};
use proptest::prelude::*;
use serde_json::Value;

const SIGNER: [u8; 32] = [0x51; 32];
const BANK_SEED: [u8; 32] = [0xBA; 32];

fn start(random: u8) -> (Exchange, String) {
    let (_, bank) = hpke_key_pair(&BANK_SEED);
    Exchange::start(
        &bank,
        &[random; 80],
        Some(Previous {
            terminal: "009988776655".parse().unwrap(),
            key: None,
        }),
        "a desktop",
    )
    .unwrap()
}

fn granted() -> Enrolled {
    Enrolled {
        terminal: "001122334455".parse().unwrap(),
        master_key: MasterKey::new([0x77; 32]),
        suite: Suite::AesGcm,
        time_ms: 1_700_000_000_000,
    }
}

fn answer(request: &str) -> String {
    let (secret, _) = hpke_key_pair(&BANK_SEED);
    let request = open_request(secret.expose(), request).unwrap();
    request.answer(&granted(), &SIGNER, &[0xA7; 32]).unwrap()
}

/// One flipped bit in each byte behind the hex strings of a JSON object.
fn flips(json: &str) -> Vec<String> {
    let object: serde_json::Map<String, Value> = serde_json::from_str(json).unwrap();
    let mut out = Vec::new();
    for (name, value) in &object {
        let bytes = hex::decode(value.as_str().unwrap()).unwrap();
        for place in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1 << (place % 8);
            let mut changed = object.clone();
            changed.insert(name.clone(), Value::String(hex::encode(bytes)));
            out.push(serde_json::to_string(&changed).unwrap());
        }
    }
    out
}

#[test]
fn both_sides_end_with_the_same_key() {
    let (exchange, request) = start(1);
    let (secret, _) = hpke_key_pair(&BANK_SEED);
    let opened = open_request(secret.expose(), &request).unwrap();
    assert_eq!(
        opened.previous_terminal.map(|t| t.to_string()),
        Some("009988776655".to_owned())
    );
    assert_eq!(opened.device, "a desktop");
    let enrolled = exchange
        .finish(&answer(&request), &signer_public(&SIGNER))
        .unwrap();
    assert_eq!(enrolled, granted());
}

#[test]
fn the_first_terminal_has_no_previous_one_and_a_long_device_name_is_cut() {
    let (secret, bank) = hpke_key_pair(&BANK_SEED);
    let long = "机".repeat(100);
    let (_, request) = Exchange::start(&bank, &[2; 80], None, &long).unwrap();
    let opened = open_request(secret.expose(), &request).unwrap();
    assert_eq!(opened.previous_terminal, None);
    assert_eq!(opened.device.chars().count(), MAX_DEVICE);
}

#[test]
fn an_answer_of_another_signer_or_to_another_request_is_refused() {
    let (exchange, request) = start(1);
    let (other, other_request) = start(3);
    let (ours, theirs) = (answer(&request), answer(&other_request));
    assert_eq!(
        exchange.finish(&ours, &signer_public(&[0x52; 32])),
        Err(Refused)
    );
    assert_eq!(
        exchange.finish(&theirs, &signer_public(&SIGNER)),
        Err(Refused)
    );
    assert_eq!(other.finish(&ours, &signer_public(&SIGNER)), Err(Refused));
}

#[test]
fn a_flipped_bit_in_any_byte_of_an_answer_is_refused_with_the_same_error() {
    let (exchange, request) = start(1);
    for changed in flips(&answer(&request)) {
        assert_eq!(
            exchange.finish(&changed, &signer_public(&SIGNER)),
            Err(Refused)
        );
    }
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_request_is_refused_with_the_same_error() {
    let (secret, _) = hpke_key_pair(&BANK_SEED);
    let (exchange, request) = start(1);
    for changed in flips(&request) {
        // The top bit of an X25519 key has no meaning (RFC 7748), but HPKE binds the encapsulated bytes.
        let opened = open_request(secret.expose(), &changed);
        assert_eq!(opened.map(|_| ()), Err(Refused));
    }
    assert!(
        exchange
            .finish(&answer(&request), &signer_public(&SIGNER))
            .is_ok()
    );
}

#[test]
fn a_request_to_another_bank_is_refused() {
    let (_, request) = start(1);
    let (other, _) = hpke_key_pair(&[0xBB; 32]);
    assert_eq!(
        open_request(other.expose(), &request).map(|_| ()),
        Err(Refused)
    );
}

#[test]
fn a_bank_key_of_low_order_is_refused() {
    assert!(Exchange::start(&[0; 32], &[1; 80], None, "").is_err());
}

#[test]
fn json_that_is_not_of_the_form_is_refused() {
    let (secret, _) = hpke_key_pair(&BANK_SEED);
    let (exchange, request) = start(1);
    let answer = answer(&request);
    for text in [
        "",
        "{}",
        "null",
        "[]",
        &request.replace("sealed", "sealer"),
        &request[1..],
    ] {
        assert_eq!(
            open_request(secret.expose(), text).map(|_| ()),
            Err(Refused)
        );
    }
    let extra = request.replace('{', "{\"more\":1,");
    assert_eq!(
        open_request(secret.expose(), &extra).map(|_| ()),
        Err(Refused)
    );
    for text in [
        "",
        "{}",
        &answer.replace("signature", "sign"),
        &answer[..answer.len() - 1],
    ] {
        assert_eq!(exchange.finish(text, &signer_public(&SIGNER)), Err(Refused));
    }
}

#[test]
fn the_transcript_is_signed_over_the_bytes_that_the_protocol_names() {
    use ed25519_dalek::{Signature, VerifyingKey};
    use sha2::{Digest, Sha256};
    let (_, request) = start(1);
    let answer = answer(&request);
    let field = |json: &str, name: &str| {
        let value: Value = serde_json::from_str(json).unwrap();
        hex::decode(value[name].as_str().unwrap()).unwrap()
    };
    let hash = |json: &str| Sha256::digest([field(json, "enc"), field(json, "sealed")].concat());
    let mut signed = b"tapfill/1/enrolment".to_vec();
    signed.extend(hash(&request));
    signed.extend(hash(&answer));
    let key = VerifyingKey::from_bytes(&signer_public(&SIGNER)).unwrap();
    let signature = Signature::from_slice(&field(&answer, "signature")).unwrap();
    assert!(key.verify_strict(&signed, &signature).is_ok());
}

#[test]
fn no_secret_is_in_the_clear_or_in_debug_output() {
    let (exchange, request) = start(1);
    let answer = answer(&request);
    let master = hex::encode([0x77; 32]);
    assert!(!answer.contains(&master));
    let shown = format!("{exchange:?} {:?}", granted());
    assert!(
        !shown.contains("119") && !shown.contains(&master),
        "{shown}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_enrolment_round_trips(
        terminal_random in prop::collection::vec(any::<u8>(), 80),
        bank_random in any::<[u8; 32]>(),
        master in any::<[u8; 32]>(),
        device in ".{0,64}",
    ) {
        let (secret, bank) = hpke_key_pair(&BANK_SEED);
        let random: [u8; 80] = terminal_random.try_into().unwrap();
        let (exchange, request) = Exchange::start(&bank, &random, None, &device).unwrap();
        let opened = open_request(secret.expose(), &request).unwrap();
        prop_assert_eq!(&opened.device, &device);
        let grant = Enrolled { master_key: MasterKey::new(master), ..granted() };
        let answer = opened.answer(&grant, &SIGNER, &bank_random).unwrap();
        prop_assert_eq!(exchange.finish(&answer, &signer_public(&SIGNER)), Ok(grant));
    }

    #[test]
    fn garbage_never_opens_and_never_panics(text in ".{0,200}") {
        let (secret, _) = hpke_key_pair(&BANK_SEED);
        prop_assert!(open_request(secret.expose(), &text).is_err());
    }
}
