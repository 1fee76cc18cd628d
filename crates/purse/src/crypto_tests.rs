use super::*;
use crate::reply::{InitForLoad, InitForPurchase};

const TERMINAL: Terminal = [0x00, 0x11, 0x22, 0x33, 0x44, 0x55];

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

fn key(text: &str) -> CardKey {
    CardKey::from_bytes(&hex::decode(text).unwrap()).unwrap()
}

fn at(text: &str) -> HostTime {
    let [a, b, c, d, e, f, g] = bytes(text);
    HostTime::new([a, b, c, d], [e, f, g]).unwrap()
}

fn key_a() -> CardKey {
    key("00112233445566778899AABBCCDDEEFF")
}

#[test]
fn vector_a_load_with_key_version_0() {
    let reply = hex::decode("0000000000000000E0B84748EA411F90").unwrap();
    let init = InitForLoad::parse(&reply).unwrap();
    let session = load_session_key(&key_a(), init.random, init.online_counter);
    assert_eq!(session.expose(), &bytes("7C45FBFB5B3A68F5"));
    let terms = LoadTerms::purse(0x2000, TERMINAL);
    assert_eq!(mac1(&session, init.old_balance, &terms), bytes("EA411F90"));
    assert!(same(init.mac1, bytes("EA411F90")));
}

#[test]
fn vector_a_load_with_key_version_1() {
    let reply = hex::decode("0000000000000100C903814D03976C22").unwrap();
    let init = InitForLoad::parse(&reply).unwrap();
    let session = load_session_key(&key_a(), init.random, init.online_counter);
    assert_eq!(session.expose(), &bytes("11FDF264E8AEEFA3"));
    let terms = LoadTerms::purse(0x2000, TERMINAL);
    assert_eq!(mac1(&session, init.old_balance, &terms), init.mac1);
    let time = at("20161216105800");
    assert_eq!(mac2(&session, &terms, time), bytes("8AFA5718"));
    assert_eq!(key_a().folded().expose(), &[0x88; 8]);
    assert_eq!(
        tac(&key_a(), 0x2000, init.online_counter, &terms, time),
        bytes("FA00066D")
    );
}

#[test]
fn vector_a_purchase() {
    let reply = hex::decode("0000200000000000000000584633C9").unwrap();
    let init = InitForPurchase::parse(&reply).unwrap();
    assert_eq!(init.balance, 0x2000);
    let session = purchase_session_key(&key_a(), init.random, init.offline_counter, 0);
    assert_eq!(session.expose(), &bytes("C08346DF9F1D457A"));
    let terms = PurchaseTerms {
        amount: 1,
        kind: TransactionType::Purchase,
        terminal: TERMINAL,
        terminal_number: 0,
        at: at("20161216134600"),
    };
    assert_eq!(purchase_mac1(&session, &terms), bytes("D45737C5"));
    assert_eq!(purchase_tac(&key_a(), &terms), bytes("8AF270DC"));
    assert_eq!(purchase_mac2(&session, 1), bytes("66B54A6B"));
}

#[test]
fn vector_d_load() {
    let load = key("EB9BC6DCDF74FF4E4B43F2E34A6727B6");
    let codes = key("CEB726EDC01B793BC37DC09E2F768534");
    assert_eq!(codes.folded().expose(), &bytes("0DCAE673EF6DFC0F"));
    let session = load_session_key(&load, bytes("2755AE2D"), 0);
    assert_eq!(session.expose(), &bytes("A8AD62597D9A92E8"));
    let terms = LoadTerms::purse(0x1000, TERMINAL);
    let time = at("20111221214822");
    assert_eq!(mac1(&session, 0, &terms), bytes("F197CB4B"));
    assert_eq!(mac2(&session, &terms, time), bytes("C92043E5"));
    assert_eq!(tac(&codes, 0x1000, 0, &terms, time), bytes("1462AD13"));
}

#[test]
fn vector_d_purchase() {
    let purchase = key("09F4ACB09131420B8FE1B4CC007AC52B");
    let codes = key("CEB726EDC01B793BC37DC09E2F768534");
    let session = purchase_session_key(&purchase, bytes("C7ADCA50"), 0, 0x0102_0304);
    assert_eq!(session.expose(), &bytes("5AD87B7FCA01D1C6"));
    let terms = PurchaseTerms {
        amount: 0x1000,
        kind: TransactionType::Purchase,
        terminal: TERMINAL,
        terminal_number: 0x0102_0304,
        at: at("20111221214822"),
    };
    assert_eq!(purchase_mac1(&session, &terms), bytes("5B44D97E"));
    assert_eq!(purchase_mac2(&session, 0x1000), bytes("A241AE85"));
    assert_eq!(purchase_tac(&codes, &terms), bytes("1183BBA1"));
}

#[test]
fn vector_e_diversification() {
    let master = MasterKey::from(key_a());
    let made = diversify(&master, bytes("1122334455667788"));
    assert_eq!(
        made.expose().to_vec(),
        bytes::<16>("496BD7A3513644533100B54E71196528")
    );
    let twice = diversify(&master.level([1; 8]), [2; 8]);
    let by_hand = diversify(&diversify(&master, [1; 8]).into(), [2; 8]);
    assert_eq!(
        twice.expose(),
        by_hand.expose(),
        "a level is a diversification"
    );
}

#[test]
fn vector_f_external_authentication() {
    let ones = key("FFFFFFFFFFFFFFFF");
    let made = external_authentication(&ones, bytes("53FD1F262EC4E6E2"));
    assert_eq!(made, bytes("A0DBBFC1192FF24A"));
    let made = external_authentication(&ones, padded_challenge(bytes("06CEE4F2")));
    assert_eq!(made, bytes("FEC63184B307AEFD"));
    let rising = key("0102030405060708");
    let made = external_authentication(&rising, padded_challenge(bytes("BB83BFF3")));
    assert_eq!(made, bytes("74B0047DD681D96C"));
}

#[test]
fn keys_of_other_lengths_are_refused() {
    for length in [0, 7, 9, 15, 17, 24] {
        let error = CardKey::from_bytes(&vec![0; length]).unwrap_err();
        assert_eq!(error, KeyError { length });
    }
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?} {:?}", key_a(), MasterKey::from(key_a()));
    assert_eq!(shown, "CardKey(..) MasterKey(..)");
}

proptest::proptest! {
    #[test]
    fn what_was_enciphered_opens_again(key: [u8; 16], block: [u8; 8]) {
        let triple = CardKey::from_bytes(&key).unwrap();
        proptest::prop_assert_eq!(triple.decrypt(triple.encrypt(block)), block);
        let single = CardKey::from_bytes(&key[..8]).unwrap();
        proptest::prop_assert_eq!(single.decrypt(single.encrypt(block)), block);
    }
}
