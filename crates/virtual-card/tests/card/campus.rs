use crate::support::{credit, expected_tac, initialize, ok, word};
use purse::TransactionType::Load;
use purse::command::{
    APPLICATION_UNBLOCK, FILE_15, PURSE_AID, get_balance, get_challenge, get_transaction_prove,
    read_binary, read_file15, select, update_binary_head, verify,
};
use purse::tlv::find;
use purse::{Balance, MasterKey, diversify, secure};
use virtual_card::{Card, CardProfile, Fault, Moment, Slot, demo_campus_keys};

const PIN: &[u8] = b"123456";

fn slot(profile: CardProfile) -> Slot {
    let slot = Slot::with_card(Card::new(profile));
    slot.power_on();
    slot
}

fn choose(slot: &Slot) -> Vec<u8> {
    slot.transmit(&select(&CardProfile::campus().aid).unwrap())
}

fn secured(slot: &Slot, head: [u8; 4], data: &[u8]) -> Vec<u8> {
    let challenge = ok(&slot.transmit(&get_challenge())).try_into().unwrap();
    let key = slot.profile().unwrap().card_keys().maintenance.0;
    secure::command(&key, challenge, head, data).unwrap()
}

/// A whole load after VERIFY; the TAC is checked.
fn load(slot: &Slot, amount: u32) {
    ok(&slot.transmit(&verify(PIN).unwrap()));
    let before = slot.profile().unwrap();
    let init = ok(&slot.transmit(&initialize(amount)));
    let tac = ok(&slot.transmit(&credit(&before, amount, &init)));
    assert_eq!(tac, expected_tac(&before, amount));
}

#[test]
fn file_15_has_43_bytes_in_the_fci_and_by_read_binary() {
    let slot = slot(CardProfile::campus());
    let fci = ok(&choose(&slot));
    let file = find(&fci, &[0x6F, 0xA5, 0x9F0C]).unwrap();
    assert_eq!(file.len(), 43);
    let read = read_binary(FILE_15, 0, 43).unwrap();
    assert_eq!(ok(&slot.transmit(&read)), file);
    assert_eq!(ok(&slot.transmit(&read_file15())), file[..30]);
    assert_eq!(file[..30], CardProfile::campus().file15().encode());
    assert_eq!(word(&slot.transmit(&select(&PURSE_AID).unwrap())), 0x6A82);
}

#[test]
fn an_update_reaches_the_issuers_own_bytes_too() {
    let slot = slot(CardProfile::campus());
    ok(&choose(&slot));
    let head = update_binary_head(FILE_15, 29).unwrap();
    let update = secured(&slot, head, &[0xAA; 14]);
    assert_eq!(word(&slot.transmit(&update)), 0x9000);
    let file = ok(&slot.transmit(&read_binary(FILE_15, 0, 43).unwrap()));
    assert_eq!(file[29..], [0xAA; 14]);
    assert_eq!(slot.profile().unwrap().file15_more, [0xAA; 13]);
}

#[test]
fn keys_come_by_city_then_serial() {
    let profile = CardProfile::campus();
    let master = MasterKey::from(demo_campus_keys().load.0);
    let city = master.level([0x29, 0x01, 0, 0, 0, 0, 0, 0]);
    let key = diversify(&city, [0x86, 0x02, 0, 0, 0, 0, 0x53, 0x17]);
    assert_eq!(profile.card_keys().load.0.expose(), key.expose());
}

#[test]
fn a_load_needs_the_pin() {
    let slot = slot(CardProfile::campus());
    ok(&choose(&slot));
    assert_eq!(word(&slot.transmit(&initialize(1_000))), 0x6982);
    load(&slot, 1_000);
    ok(&choose(&slot));
    assert_eq!(
        word(&slot.transmit(&initialize(1_000))),
        0x6982,
        "SELECT forgets it"
    );
    assert_eq!(
        ok(&slot.transmit(&get_balance(Balance::Purse))),
        5_230_u32.to_be_bytes()
    );
    ok(&slot.transmit(&get_transaction_prove(Load, 3)));
}

#[test]
fn the_proof_needs_the_pin_where_the_card_wants_it() {
    let mut profile = CardProfile::campus();
    profile.quirks.prove_needs_pin = true;
    let slot = slot(profile);
    ok(&choose(&slot));
    load(&slot, 1_000);
    ok(&choose(&slot));
    let prove = get_transaction_prove(Load, 3);
    assert_eq!(word(&slot.transmit(&prove)), 0x6982);
    ok(&slot.transmit(&verify(PIN).unwrap()));
    ok(&slot.transmit(&prove));
}

#[test]
fn a_shipped_card_shows_file_15_and_does_nothing_but_unblock() {
    let slot = slot(CardProfile::campus_blocked());
    let reply = choose(&slot);
    let (fci, status) = reply.split_last_chunk::<2>().unwrap();
    assert_eq!(*status, [0x6A, 0x81]);
    let file = find(fci, &[0x6F, 0xA5, 0x9F0C]).unwrap();
    assert_eq!(file[10..20], CardProfile::campus_blocked().serial);
    for command in [
        initialize(1),
        read_file15(),
        get_balance(Balance::Purse),
        verify(PIN).unwrap(),
        get_transaction_prove(Load, 1),
        secured(&slot, update_binary_head(FILE_15, 8).unwrap(), &[1]),
    ] {
        assert_eq!(word(&slot.transmit(&command)), 0x6985, "{command:02X?}");
    }
    let unblock = secured(&slot, APPLICATION_UNBLOCK, &[]);
    assert_eq!(word(&slot.transmit(&unblock)), 0x9000);
    ok(&choose(&slot));
    load(&slot, 2_000);
    assert_eq!(slot.profile().unwrap().balance, 2_000);
}

#[test]
fn a_wrong_mac_or_an_old_challenge_does_not_unblock() {
    let slot = slot(CardProfile::campus_blocked());
    choose(&slot);
    let mut wrong = secured(&slot, APPLICATION_UNBLOCK, &[]);
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(word(&slot.transmit(&wrong)), 0x6988);
    let late = secured(&slot, APPLICATION_UNBLOCK, &[]);
    choose(&slot);
    assert_eq!(word(&slot.transmit(&late)), 0x6985, "its challenge is gone");
    assert!(slot.profile().unwrap().blocked);
}

#[test]
fn an_unblocking_is_torn_whole_or_not_at_all() {
    for (moment, blocked) in [
        (Moment::Before, true),
        (Moment::During, true),
        (Moment::After, false),
    ] {
        let slot = slot(CardProfile::campus_blocked());
        choose(&slot);
        slot.arm(Fault::Tear {
            ins: Some(0x18),
            moment,
            nth: 1,
        });
        let unblock = secured(&slot, APPLICATION_UNBLOCK, &[]);
        assert!(slot.transmit(&unblock).is_empty());
        assert_eq!(slot.profile().unwrap().blocked, blocked, "{moment:?}");
    }
}
