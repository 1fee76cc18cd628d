//! A host that knows the keys, and ways to look at replies.

use purse::command;
use purse::crypto::{LoadTerms, load_session_key, mac1, mac2, tac};
use purse::{HostTime, InitForLoad, status};
use virtual_card::{Card, CardProfile};

pub(crate) const TERMINAL: [u8; 6] = [0, 0x11, 0x22, 0x33, 0x44, 0x55];
pub(crate) const AT: HostTime = HostTime {
    date: [0x20, 0x26, 0x11, 0x23],
    time: [0x09, 0x30, 0x00],
};

/// A powered card with the purse selected.
pub(crate) fn ready(profile: CardProfile) -> Card {
    let mut card = Card::new(profile);
    card.power_on();
    ok(&card.transmit(&command::select(&command::PURSE_AID).unwrap()));
    card
}

/// Data of a reply that must be 9000.
pub(crate) fn ok(reply: &[u8]) -> Vec<u8> {
    let (data, status) = status::split(reply).unwrap();
    assert_eq!(status, purse::Status::Ok, "{}", hex::encode_upper(reply));
    data.to_vec()
}

/// Status word of a reply without data.
pub(crate) fn word(reply: &[u8]) -> u16 {
    assert_eq!(
        reply.len(),
        2,
        "data came with a refusal: {}",
        hex::encode_upper(reply)
    );
    u16::from_be_bytes([reply[0], reply[1]])
}

pub(crate) fn initialize(amount: u32) -> Vec<u8> {
    command::initialize_for_load(1, amount, TERMINAL)
}

/// CREDIT FOR LOAD that answers this INITIALIZE; checks MAC1 on the way.
pub(crate) fn credit(profile: &CardProfile, amount: u32, init: &[u8]) -> Vec<u8> {
    let init = InitForLoad::parse(init).unwrap();
    let keys = profile.card_keys();
    let terms = LoadTerms::purse(amount, TERMINAL);
    let session = load_session_key(&keys.load.0, init.random, init.online_counter);
    assert_eq!(init.mac1, mac1(&session, init.old_balance, &terms), "MAC1");
    command::credit_for_load(AT, mac2(&session, &terms, AT))
}

/// The TAC of a load on this card as it is before the load.
pub(crate) fn expected_tac(before: &CardProfile, amount: u32) -> [u8; 4] {
    let terms = LoadTerms::purse(amount, TERMINAL);
    let key = before.card_keys().tac;
    tac(
        &key.0,
        before.balance + amount,
        before.online_counter,
        &terms,
        AT,
    )
}

/// A whole load; returns the TAC.
pub(crate) fn load(card: &mut Card, amount: u32) -> Vec<u8> {
    let init = ok(&card.transmit(&initialize(amount)));
    let credit = credit(card.profile(), amount, &init);
    ok(&card.transmit(&credit))
}
