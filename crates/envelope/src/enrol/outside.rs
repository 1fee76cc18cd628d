//! HPKE and X25519 over `tests/fixtures/outside`: RFC 9180 and Wycheproof.

use aes_gcm::{Aes256Gcm, KeyInit, aead::Aead};
use hpke::{setup_receiver, setup_sender_with_rng};
use outside_vectors::{read, wycheproof};

use super::*;

#[derive(Deserialize)]
#[expect(non_snake_case, reason = "the names of the published file")]
struct Rfc9180 {
    #[serde(with = "hex")]
    info: Vec<u8>,
    ikmR: Hex<32>,
    ikmE: Hex<32>,
    skRm: Hex<32>,
    skEm: Hex<32>,
    pkRm: Hex<32>,
    pkEm: Hex<32>,
    enc: Hex<32>,
    shared_secret: Hex<32>,
    key: Hex<32>,
    base_nonce: Hex<12>,
    encryptions: Vec<Encryption>,
    exports: Vec<Export>,
}

#[derive(Deserialize)]
struct Encryption {
    #[serde(with = "hex")]
    aad: Vec<u8>,
    #[serde(with = "hex")]
    ct: Vec<u8>,
    nonce: Hex<12>,
    #[serde(with = "hex")]
    pt: Vec<u8>,
}

#[derive(Deserialize)]
struct Export {
    #[serde(with = "hex")]
    exporter_context: Vec<u8>,
    #[serde(rename = "L")]
    length: usize,
    #[serde(with = "hex")]
    exported_value: Vec<u8>,
}

fn rfc_9180() -> Rfc9180 {
    read("rfc-9180/base_x25519_sha256_aes256gcm.json")
}

/// LabeledExtract of RFC 9180, 4.
fn extract(suite: &[u8], salt: &[u8], label: &[u8], input: &[u8]) -> [u8; 32] {
    kdf::hmac(salt, &[b"HPKE-v1", suite, label, input])
}

/// LabeledExpand of RFC 9180, 4, up to one block of SHA-256.
fn expand<const N: usize>(suite: &[u8], key: &[u8; 32], label: &[u8], info: &[u8]) -> [u8; N] {
    let length = [0, u8::try_from(N).unwrap()];
    let block = kdf::hmac(key, &[&length, b"HPKE-v1", suite, label, info, &[1]]);
    *block.first_chunk().unwrap()
}

/// The KEM's secret from that of X25519 (RFC 9180, 4.1).
fn kem_secret(dh: &[u8; 32], enc: &[u8; 32], public: &[u8; 32]) -> [u8; 32] {
    let suite = b"KEM\x00\x20";
    let secret = extract(suite, b"", b"eae_prk", dh);
    expand(suite, &secret, b"shared_secret", &[*enc, *public].concat())
}

/// Key and first nonce from the KEM's secret (RFC 9180, 5.1).
fn schedule(secret: &[u8; 32], info: &[u8]) -> ([u8; 32], [u8; 12]) {
    let suite = b"HPKE\x00\x20\x00\x01\x00\x02";
    let context = [
        [0].as_slice(),
        &extract(suite, b"", b"psk_id_hash", b""),
        &extract(suite, b"", b"info_hash", info),
    ]
    .concat();
    let secret = extract(suite, secret, b"secret", b"");
    (
        expand(suite, &secret, b"key", &context),
        expand(suite, &secret, b"base_nonce", &context),
    )
}

fn sealed_with(key: &[u8; 32], nonce: &[u8; 12], plain: &[u8]) -> HexBytes {
    HexBytes(
        Aes256Gcm::new(key.into())
            .encrypt(nonce.into(), plain)
            .unwrap(),
    )
}

/// The file has secrets as they were derived; serialized they are clamped (RFC 9180, 7.1.2; RFC 7748, 5).
fn clamped(mut secret: [u8; 32]) -> [u8; 32] {
    secret[0] &= 0xF8;
    secret[31] = secret[31] & 0x7F | 0x40;
    secret
}

#[test]
fn key_pairs_are_those_of_rfc_9180() {
    let vector = rfc_9180();
    for (random, secret, public) in [
        (vector.ikmR, vector.skRm, vector.pkRm),
        (vector.ikmE, vector.skEm, vector.pkEm),
    ] {
        let (made_secret, made_public) = hpke_key_pair(&random.0);
        assert_eq!(*made_secret.expose(), clamped(secret.0));
        assert_eq!(made_public, public.0);
    }
}

#[test]
fn every_message_and_export_is_that_of_rfc_9180() {
    let vector = rfc_9180();
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&vector.pkRm.0).unwrap();
    let secret = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(&vector.skRm.0).unwrap();
    let (enc, mut sender) = setup_sender_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        &vector.info,
        &mut Given::new(&vector.ikmE.0),
    )
    .unwrap();
    assert_eq!(enc.to_bytes().as_slice(), vector.enc.0);
    let mut receiver = setup_receiver::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &enc,
        &vector.info,
    )
    .unwrap();
    for case in &vector.encryptions {
        assert_eq!(sender.seal(&case.pt, &case.aad).unwrap(), case.ct);
        assert_eq!(receiver.open(&case.ct, &case.aad).unwrap(), case.pt);
    }
    for case in &vector.exports {
        let mut out = vec![0; case.length];
        receiver.export(&case.exporter_context, &mut out).unwrap();
        assert_eq!(out, case.exported_value);
        sender.export(&case.exporter_context, &mut out).unwrap();
        assert_eq!(out, case.exported_value);
    }
    assert_eq!((vector.encryptions.len(), vector.exports.len()), (257, 3));
}

#[test]
fn what_the_enrolment_seals_and_opens_is_that_of_rfc_9180() {
    let vector = rfc_9180();
    let (key, nonce) = schedule(&vector.shared_secret.0, &vector.info);
    assert_eq!((key, nonce), (vector.key.0, vector.base_nonce.0));
    let first = vector.encryptions.first().unwrap();
    assert_eq!(nonce, first.nonce.0);
    let sealed = seal(&vector.pkRm.0, &vector.info, &first.pt, &vector.ikmE.0).unwrap();
    assert_eq!(sealed.enc.0, vector.enc.0);
    // The enrolment has no associated data: the ciphertext is the vector's, the tag is another.
    let length = first.pt.len();
    assert_eq!(sealed.sealed.0[..length], first.ct[..length]);
    assert_eq!(sealed.sealed.0, sealed_with(&key, &nonce, &first.pt).0);
    let opened = open(&vector.skRm.0, &vector.info, &sealed).unwrap();
    assert_eq!(*opened, first.pt);
    let other = Sealed {
        enc: sealed.enc,
        sealed: HexBytes(first.ct.clone()),
    };
    assert_eq!(open(&vector.skRm.0, &vector.info, &other), Err(Refused));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct X25519Case {
    tc_id: u32,
    comment: String,
    public: Hex<32>,
    private: Hex<32>,
    shared: Hex<32>,
}

/// A sender that has only Wycheproof's shared secret seals to the private key: the enrolment opens it.
#[test]
fn secrets_of_x25519_are_those_of_wycheproof_and_zero_is_refused() {
    let (mut good, mut zero) = (0, 0);
    for case in wycheproof::<X25519Case>("wycheproof/x25519.json") {
        let private = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(&case.private.0).unwrap();
        let own: [u8; 32] = X25519HkdfSha256::sk_to_pk(&private).to_bytes().into();
        let shared = kem_secret(&case.shared.0, &case.public.0, &own);
        let (key, nonce) = schedule(&shared, REQUEST_INFO);
        let sealed = Sealed {
            enc: case.public.clone(),
            sealed: sealed_with(&key, &nonce, b"one request"),
        };
        let opened = open(&case.private.0, REQUEST_INFO, &sealed);
        let to = seal(&case.public.0, REQUEST_INFO, b"one request", &[7; 32]);
        let name = format!("case {} {}", case.tc_id, case.comment);
        if case.shared.0 == [0; 32] {
            zero += 1;
            assert_eq!(opened, Err(Refused), "{name}");
            assert_eq!(to.map(|_| ()), Err(Refused), "{name}");
        } else {
            good += 1;
            assert_eq!(
                opened.map(|plain| plain.to_vec()),
                Ok(b"one request".to_vec()),
                "{name}"
            );
            assert!(to.is_ok(), "{name}");
        }
    }
    assert_eq!((good, zero), (487, 31));
}

/// `tests/fixtures/vectors/enrolment.json`: made from the words of the protocol by a program of its own.
#[derive(Deserialize)]
struct Vectors {
    cases: Vec<WholeEnrolment>,
}

#[derive(Deserialize)]
struct WholeEnrolment {
    enrolment_hpke_private: Hex<32>,
    enrolment_signer: Hex<32>,
    reply_private: Hex<32>,
    reply_key: Hex<32>,
    nonce: Hex<16>,
    request: serde_json::Value,
    answer: serde_json::Value,
    result: GrantedByVector,
    previous_master_key: Option<Hex<32>>,
    previous_terminal: Option<Terminal>,
}

#[derive(Deserialize)]
struct GrantedByVector {
    terminal: Terminal,
    master_key: Hex<32>,
    suite: Suite,
    time_ms: u64,
}

#[test]
fn both_sides_read_a_whole_enrolment_as_the_vectors_say() {
    let file = include_str!("../../../../tests/fixtures/vectors/enrolment.json");
    let vectors: Vectors = serde_json::from_str(file).unwrap();
    assert_eq!(vectors.cases.len(), 2, "a first one and a succession");
    for case in vectors.cases {
        let json = case.request.to_string();
        let request = open_request(&case.enrolment_hpke_private.0, &json).unwrap();
        assert_eq!(request.reply_key, case.reply_key.0);
        assert_eq!(request.nonce, case.nonce.0);
        assert_eq!(request.previous_terminal, case.previous_terminal);
        if let (Some(key), Some(terminal)) = (case.previous_master_key, case.previous_terminal) {
            let key = crate::keys::auth_key(&MasterKey::new(key.0), &terminal);
            assert!(request.succeeds(&key));
            let other = crate::keys::auth_key(&MasterKey::new([7; 32]), &terminal);
            assert!(!request.succeeds(&other), "who does not hold the key");
        }
        let exchange = Exchange {
            reply_secret: Secret::new(case.reply_private.0),
            nonce: case.nonce.0,
            request_hash: *request.request_hash(),
        };
        let answer = case.answer.to_string();
        let enrolled = exchange.finish(&answer, &case.enrolment_signer.0).unwrap();
        let granted = Enrolled {
            terminal: case.result.terminal,
            master_key: MasterKey::new(case.result.master_key.0),
            suite: case.result.suite,
            time_ms: case.result.time_ms,
        };
        assert_eq!(enrolled, granted);
    }
}
