use crate::support::{initialize, load, ok, ready, word};
use purse::command::{
    APPLICATION_BLOCK, APPLICATION_UNBLOCK, CARD_BLOCK, FILE_15, FILE_16, PURSE_AID,
    external_authenticate, get_challenge, get_challenge_long, read_file15, read_file16, select,
    update_binary_head,
};
use purse::crypto::{external_authentication, padded_challenge};
use purse::{File15, secure};
use virtual_card::{Card, CardProfile};

fn secured(card: &mut Card, head: [u8; 4], data: &[u8]) -> Vec<u8> {
    let challenge = ok(&card.transmit(&get_challenge())).try_into().unwrap();
    let key = card.profile().card_keys().maintenance.0;
    secure::command(&key, challenge, head, data).unwrap()
}

fn activation() -> Vec<u8> {
    let file = CardProfile {
        enable_flag: 1,
        ..CardProfile::demo_inactive()
    }
    .file15();
    file.encode()[8..28].to_vec()
}

#[test]
fn activation_by_a_secured_update_lets_money_in() {
    let mut card = ready(CardProfile::demo_inactive());
    let head = update_binary_head(FILE_15, 8).unwrap();
    let update = secured(&mut card, head, &activation());
    assert_eq!(word(&card.transmit(&update)), 0x9000);
    let file = File15::parse(&ok(&card.transmit(&read_file15()))).unwrap();
    assert!(file.active());
    load(&mut card, 100);
    assert_eq!(
        word(&card.transmit(&update)),
        0x6985,
        "its challenge is used up"
    );
}

#[test]
fn a_challenge_is_valid_for_the_next_command_only() {
    let mut card = ready(CardProfile::demo_inactive());
    let head = update_binary_head(FILE_15, 8).unwrap();
    let update = secured(&mut card, head, &activation());
    ok(&card.transmit(&read_file15()));
    assert_eq!(word(&card.transmit(&update)), 0x6985);
    assert_eq!(card.profile().enable_flag, 0);
}

#[test]
fn three_wrong_macs_lock_the_application_for_good() {
    let mut card = ready(CardProfile::demo_inactive());
    let head = update_binary_head(FILE_15, 8).unwrap();
    for expected in [0x6988, 0x6988, 0x9303, 0x9303] {
        let mut wrong = secured(&mut card, head, &activation());
        *wrong.last_mut().unwrap() ^= 1;
        assert_eq!(word(&card.transmit(&wrong)), expected);
    }
    let right = secured(&mut card, head, &activation());
    assert_eq!(word(&card.transmit(&right)), 0x9303);
    card.reset();
    assert_eq!(word(&card.transmit(&select(&PURSE_AID).unwrap())), 0x6A81);
    assert_eq!(word(&card.transmit(&initialize(1))), 0x6985);
}

#[test]
fn a_right_mac_forgets_the_wrong_ones() {
    let mut card = ready(CardProfile::demo_inactive());
    let head = update_binary_head(FILE_16, 0).unwrap();
    for round in 0..4 {
        let mut wrong = secured(&mut card, head, &[round]);
        *wrong.last_mut().unwrap() ^= 1;
        assert_eq!(word(&card.transmit(&wrong)), 0x6988);
        let right = secured(&mut card, head, &[round]);
        assert_eq!(word(&card.transmit(&right)), 0x9000);
    }
    assert_eq!(ok(&card.transmit(&read_file16()))[0], 3);
}

#[test]
fn an_update_beyond_the_file_or_without_a_mac_is_refused() {
    let mut card = ready(CardProfile::demo());
    let head = update_binary_head(FILE_15, 29).unwrap();
    let beyond = secured(&mut card, head, &[1, 2]);
    assert_eq!(word(&card.transmit(&beyond)), 0x6B00);
    assert_eq!(word(&card.transmit(&[0x00, 0xD6, 0x95, 0, 1, 1])), 0x6982);
}

#[test]
fn a_blocked_application_does_nothing_but_unblock() {
    let mut card = ready(CardProfile::demo());
    let block = secured(&mut card, APPLICATION_BLOCK, &[]);
    assert_eq!(word(&card.transmit(&block)), 0x9000);
    assert_eq!(word(&card.transmit(&select(&PURSE_AID).unwrap())), 0x6A81);
    let others = [
        initialize(1),
        read_file15(),
        purse::command::get_balance(purse::Balance::Purse),
    ];
    for command in others {
        assert_eq!(word(&card.transmit(&command)), 0x6985, "{command:02X?}");
    }
    let unblock = secured(&mut card, APPLICATION_UNBLOCK, &[]);
    assert_eq!(word(&card.transmit(&unblock)), 0x9000);
    load(&mut card, 100);
}

#[test]
fn a_blocked_card_stays_blocked() {
    let mut card = ready(CardProfile::demo());
    let block = secured(&mut card, CARD_BLOCK, &[]);
    assert_eq!(word(&card.transmit(&block)), 0x9000);
    card.reset();
    assert_eq!(word(&card.transmit(&select(&PURSE_AID).unwrap())), 0x6A81);
    let unblock = secured(&mut card, APPLICATION_UNBLOCK, &[]);
    assert_eq!(word(&card.transmit(&unblock)), 0x6985);
}

#[test]
fn external_authentication_takes_both_lengths_of_challenge() {
    let mut card = ready(CardProfile::demo());
    let key = card.profile().card_keys().maintenance.0;
    let long = ok(&card.transmit(&get_challenge_long()))
        .try_into()
        .unwrap();
    let command = external_authenticate(0, external_authentication(&key, long));
    ok(&card.transmit(&command));
    assert_eq!(word(&card.transmit(&command)), 0x6985, "once");
    let short = ok(&card.transmit(&get_challenge())).try_into().unwrap();
    let cryptogram = external_authentication(&key, padded_challenge(short));
    ok(&card.transmit(&external_authenticate(0, cryptogram)));
    ok(&card.transmit(&get_challenge()));
    assert_eq!(
        word(&card.transmit(&external_authenticate(0, [0; 8]))),
        0x6300
    );
}
