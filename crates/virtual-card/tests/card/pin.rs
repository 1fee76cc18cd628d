use crate::support::{initialize, ok, ready, word};
use purse::command::{PIN_UNBLOCK, get_challenge, reload_pin, verify};
use purse::crypto::reload_pin_mac;
use purse::secure;
use virtual_card::{CardProfile, Moment, WrongPin};

const RIGHT: [u8; 3] = [0x12, 0x34, 0x56];

fn try_pin(card: &mut virtual_card::Card, pin: &[u8]) -> u16 {
    word(&card.transmit(&verify(pin).unwrap()))
}

#[test]
fn a_card_with_a_pin_loads_after_verify_only() {
    let mut card = ready(CardProfile::demo_pin());
    assert_eq!(word(&card.transmit(&initialize(1))), 0x6982);
    assert_eq!(try_pin(&mut card, &RIGHT), 0x9000);
    ok(&card.transmit(&initialize(1)));
}

#[test]
fn three_wrong_pins_block_it_and_a_right_one_gives_the_tries_back() {
    let mut card = ready(CardProfile::demo_pin());
    assert_eq!(try_pin(&mut card, &[0]), 0x63C2);
    assert_eq!(try_pin(&mut card, &[0]), 0x63C1);
    assert_eq!(try_pin(&mut card, &RIGHT), 0x9000);
    for expected in [0x63C2, 0x63C1, 0x63C0, 0x6983] {
        assert_eq!(try_pin(&mut card, &[0]), expected);
    }
    assert_eq!(try_pin(&mut card, &RIGHT), 0x6983, "even the right one");
    assert_eq!(
        word(&card.transmit(&initialize(1))),
        0x6982,
        "the old VERIFY counts no more"
    );
}

#[test]
fn pulling_the_card_out_during_verify_gains_no_try() {
    let mut card = ready(CardProfile::demo_pin());
    card.interrupt(&verify(&[0]).unwrap());
    assert_eq!(card.profile().pin.as_ref().unwrap().tries_left, 2);
    let slot = virtual_card::Slot::with_card(virtual_card::Card::new(CardProfile::demo_pin()));
    slot.arm(virtual_card::Fault::Tear {
        ins: Some(0x20),
        moment: Moment::During,
        nth: 1,
    });
    slot.power_on();
    let _ = slot.transmit(&purse::command::select(&purse::command::PURSE_AID).unwrap());
    assert!(slot.transmit(&verify(&[0]).unwrap()).is_empty());
    assert_eq!(
        slot.status().card.unwrap().purse.unwrap().pin_tries_left,
        Some(2)
    );
}

#[test]
fn a_card_without_a_pin_says_so() {
    let mut card = ready(CardProfile::demo());
    assert_eq!(try_pin(&mut card, &RIGHT), 0x9403);
    ok(&card.transmit(&initialize(1)));
}

#[test]
fn some_cards_tell_a_wrong_pin_as_6c() {
    let mut profile = CardProfile::demo_pin();
    profile.quirks.wrong_pin = WrongPin::SixC;
    assert_eq!(try_pin(&mut ready(profile), &[0]), 0x6C02);
}

#[test]
fn pin_unblock_wants_the_right_pin_enciphered() {
    let mut profile = CardProfile::demo_pin();
    profile.pin.as_mut().unwrap().tries_left = 0;
    let mut card = ready(profile);
    let key = card.profile().card_keys().maintenance.0;
    let mut unblock = |pin: &[u8]| {
        let challenge = ok(&card.transmit(&get_challenge())).try_into().unwrap();
        word(
            &card.transmit(&secure::enciphered_command(&key, challenge, PIN_UNBLOCK, pin).unwrap()),
        )
    };
    assert_eq!(unblock(&[9, 9, 9]), 0x6A80);
    assert_eq!(unblock(&RIGHT), 0x9000);
    assert_eq!(try_pin(&mut card, &RIGHT), 0x9000);
}

#[test]
fn reload_pin_sets_a_new_one() {
    let mut card = ready(CardProfile::demo_pin());
    let mac = reload_pin_mac(&card.profile().card_keys().maintenance.0, &[0x65, 0x43]);
    assert_eq!(
        word(&card.transmit(&reload_pin(&[0x65, 0x43], [0; 4]).unwrap())),
        0x6988
    );
    assert_eq!(
        word(&card.transmit(&reload_pin(&[0x65, 0x43], mac).unwrap())),
        0x9000
    );
    assert_eq!(try_pin(&mut card, &[0x65, 0x43]), 0x9000);
}
