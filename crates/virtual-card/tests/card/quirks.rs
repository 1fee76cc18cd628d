use crate::support::{credit, initialize, load, ok, ready, word};
use purse::TransactionType::Load;
use purse::command::{
    PURSE_AID, get_balance, get_response, get_transaction_prove, initialize_for_load, select,
    verify,
};
use purse::reply::{balance, file15_of_fci};
use virtual_card::{BlockedSelect, Card, CardProfile, ProofCounter, Quirks, Shift};

fn with(change: impl FnOnce(&mut Quirks)) -> CardProfile {
    let mut profile = CardProfile::demo();
    change(&mut profile.quirks);
    profile
}

#[test]
fn cards_differ_in_the_counter_that_proves() {
    for (wanted, before, after) in [
        (ProofCounter::After, false, true),
        (ProofCounter::Before, true, false),
        (ProofCounter::Both, true, true),
    ] {
        let mut card = ready(with(|quirks| quirks.prove_counter = wanted));
        load(&mut card, 100);
        let mut given = |counter| card.transmit(&get_transaction_prove(Load, counter)).len() == 10;
        assert_eq!((given(7), given(8)), (before, after), "{wanted:?}");
    }
}

#[test]
fn cards_differ_in_proof_log_and_key_statuses() {
    let mut card = ready(with(|quirks| {
        quirks.log_counter = Shift::After;
        quirks.no_proof_status = 0x6985;
        quirks.unknown_key_status = 0x6581;
        quirks.drops_proof_at_initialize = true;
        quirks.balance_top_bit = true;
    }));
    assert_eq!(
        word(&card.transmit(&initialize_for_load(9, 1, [0; 6]))),
        0x6581
    );
    load(&mut card, 100);
    assert_eq!(card.profile().log[0].counter, 8);
    ok(&card.transmit(&initialize(100)));
    assert_eq!(
        word(&card.transmit(&get_transaction_prove(Load, 8))),
        0x6985,
        "dropped"
    );
    let raw = ok(&card.transmit(&get_balance(purse::Balance::Purse)));
    assert_eq!(raw[0], 0x80, "garbage in the top bit");
    assert_eq!(balance(&raw), Ok(12_950));
}

#[test]
fn some_cards_prove_after_verify_only() {
    let mut profile = CardProfile::demo_pin();
    profile.quirks.prove_needs_pin = true;
    let mut card = ready(profile);
    assert_eq!(
        word(&card.transmit(&get_transaction_prove(Load, 7))),
        0x6982
    );
    ok(&card.transmit(&verify(&[0x12, 0x34, 0x56]).unwrap()));
    ok(&card.transmit(&get_transaction_prove(Load, 7)));
}

#[test]
fn a_blocked_select_is_told_in_three_ways() {
    for (way, status, fci) in [
        (BlockedSelect::Bare, 0x6A81_u16, false),
        (BlockedSelect::WithFci, 0x6A81, true),
        (BlockedSelect::Warning, 0x6283, true),
    ] {
        let mut profile = CardProfile::demo_blocked();
        profile.quirks.blocked_select = way;
        let mut card = Card::new(profile);
        card.power_on();
        let reply = card.transmit(&select(&PURSE_AID).unwrap());
        let (data, word) = reply.split_last_chunk::<2>().unwrap();
        assert_eq!(
            (u16::from_be_bytes(*word), file15_of_fci(data).is_ok()),
            (status, fci)
        );
    }
}

#[test]
fn a_contact_card_loads_through_get_response() {
    let profile = with(|quirks| {
        quirks.contact_61xx = true;
        quirks.contact_6cxx = true;
    });
    let mut card = Card::new(profile);
    card.power_on();
    let more = word(&card.transmit(&select(&PURSE_AID).unwrap()));
    assert_eq!(more, 0x6134);
    assert_eq!(ok(&card.transmit(&get_response(0x34))).len(), 0x34);
    assert_eq!(word(&card.transmit(&initialize(100))), 0x6110);
    assert_eq!(
        word(&card.transmit(&get_response(0x00))),
        0x6C10,
        "the open Le"
    );
    let init = ok(&card.transmit(&get_response(0x10)));
    let credit = credit(card.profile(), 100, &init);
    assert_eq!(word(&card.transmit(&credit)), 0x6104);
    ok(&card.transmit(&get_response(4)));
    assert_eq!(word(&card.transmit(&get_response(4))), 0x6985, "once");
    assert_eq!(card.profile().balance, 12_950);
    assert_eq!(
        word(&card.transmit(&[0x00, 0xB0, 0x95, 0x00, 0x00])),
        0x6C1E
    );
}

#[test]
fn a_transit_union_card_knows_its_own_balances() {
    let aid = purse::command::TRANSIT_UNION_AID;
    let profile = CardProfile {
        aid: aid.to_vec(),
        ..CardProfile::demo()
    };
    let mut card = Card::new(profile);
    card.power_on();
    ok(&card.transmit(&select(&aid).unwrap()));
    let mut read = |which| balance(&ok(&card.transmit(&get_balance(which)))).unwrap();
    assert_eq!(read(purse::Balance::TransitUnion), 12_850);
    assert_eq!(read(purse::Balance::OverdraftUsed), 0);
    assert_eq!(read(purse::Balance::OverdraftLimit), 0);
}
