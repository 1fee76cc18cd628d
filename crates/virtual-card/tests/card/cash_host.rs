//! An issuer's host and its terminal, for electronic cash, by the rules of `purse::cash`.

use crate::support::{ok, word};
use purse::cash::{
    AID, CardVerification, Cryptogram, CryptogramKind, IssuerData, Terms, amount_to_bcd, arpc,
    balance_mac, cryptogram, external_authenticate, generate_ac, get_data, get_processing_options,
    put_balance, read_record, same, session_key, tag,
};
use purse::command::select;
use purse::tlv::{dol, find, join_by_dol};
use virtual_card::{AnyProfile, CashKeys, CashProfile, Slot};

/// "Approved".
pub(crate) const APPROVED: [u8; 2] = *b"00";

pub(crate) fn named(name: &str) -> CashProfile {
    CashProfile::named(name).unwrap()
}

pub(crate) fn slot(profile: CashProfile) -> Slot {
    Slot::with_card(AnyProfile::ElectronicCash(profile).into_card())
}

/// What the host knows once the card has asked it.
#[derive(Clone, Copy)]
pub(crate) struct Online {
    pub(crate) atc: u16,
    pub(crate) code: Cryptogram,
    pub(crate) data: IssuerData,
    pub(crate) kind: u8,
    amount: u32,
}

/// Values of the terminal by tag; the load's time and place.
fn value(tag: u16, amount: u32) -> Option<Vec<u8>> {
    match tag {
        0x9F02 => Some(amount_to_bcd(amount).to_vec()),
        0x9F1A | 0x5F2A => Some(vec![0x01, 0x56]),
        0x95 => Some(vec![0x00, 0x80, 0x00, 0x80, 0x00]),
        0x9A => Some(vec![0x26, 0x11, 0x23]),
        0x9F21 => Some(vec![0x09, 0x30, 0x00]),
        0x9C => Some(vec![0x63]),
        0x9F37 => Some(vec![0xDE, 0xAD, 0xBE, 0xEF]),
        0x9F4E => Some(b"TAPFILL".to_vec()),
        0x8A => Some(APPROVED.to_vec()),
        _ => None,
    }
}

fn keys(slot: &Slot) -> CashKeys {
    slot.cash_profile().unwrap().card_keys()
}

/// SELECT and GET PROCESSING OPTIONS; also of a blocked application.
pub(crate) fn begin(slot: &Slot, amount: u32) {
    slot.power_on();
    let fci = slot.transmit(&select(&AID).unwrap());
    let (fci, status) = fci.split_last_chunk::<2>().unwrap();
    assert!([[0x90, 0], [0x6A, 0x81]].contains(status), "{status:02X?}");
    let pdol = find(fci, &[0x6F, 0xA5, 0x9F38]).unwrap();
    let values = join_by_dol(pdol, |tag| value(tag, amount)).unwrap();
    ok(&slot.transmit(&get_processing_options(&values).unwrap()));
}

pub(crate) fn record(slot: &Slot, file: u8, number: u8) -> Vec<u8> {
    ok(&slot.transmit(&read_record(file, number).unwrap()))
}

pub(crate) fn values(slot: &Slot, record_number: u8, tag: u16, amount: u32) -> Vec<u8> {
    let list = record(slot, 0x02, record_number);
    let list = find(&list, &[0x70, tag]).unwrap();
    assert!(dol(list).unwrap().len() > 8);
    join_by_dol(list, |tag| value(tag, amount)).unwrap()
}

/// The reply of GENERATE AC in either template: kind, ATC, cryptogram, 9F10.
fn parts(reply: &[u8]) -> (u8, u16, Cryptogram, IssuerData) {
    let joined = match find(reply, &[0x80]) {
        Ok(joined) => joined.to_vec(),
        Err(_) => [0x9F27, 0x9F36, 0x9F26, 0x9F10]
            .map(|tag| find(reply, &[0x77, tag]).unwrap())
            .concat(),
    };
    let (&[kind, high, low], rest) = joined.split_first_chunk().unwrap();
    let (code, data) = rest.split_first_chunk().unwrap();
    let atc = u16::from_be_bytes([high, low]);
    (kind, atc, *code, IssuerData::parse(data).unwrap())
}

/// Checks the cryptogram and the balance's MAC.
fn checked(slot: &Slot, reply: &[u8], amount: u32) -> Online {
    let keys = keys(slot);
    let (kind, atc, code, data) = parts(reply);
    let fixed = |tag: u16| value(tag, amount).unwrap();
    let terms = Terms {
        amount: amount_to_bcd(amount),
        other_amount: [0; 6],
        country: fixed(0x9F1A).try_into().unwrap(),
        verification: fixed(0x95).try_into().unwrap(),
        currency: fixed(0x5F2A).try_into().unwrap(),
        date: fixed(0x9A).try_into().unwrap(),
        kind: 0x63,
        unpredictable: fixed(0x9F37).try_into().unwrap(),
        interchange: [0x7C, 0x00],
        atc,
        cvr: data.cvr.0,
    };
    let key = session_key(&keys.cryptogram.0, atc);
    assert!(same(code, cryptogram(&key, &terms)), "the cryptogram");
    let mac_key = session_key(&keys.mac.0, atc);
    assert_eq!(
        data.mac,
        balance_mac(&mac_key, data.balance, atc),
        "the balance's MAC"
    );
    Online {
        atc,
        code,
        data,
        kind,
        amount,
    }
}

/// The first GENERATE AC.
pub(crate) fn ask(slot: &Slot, amount: u32) -> Online {
    begin(slot, amount);
    let values = values(slot, 1, 0x8C, amount);
    let command = generate_ac(CryptogramKind::Arqc, &values).unwrap();
    checked(slot, &ok(&slot.transmit(&command)), amount)
}

pub(crate) fn arpc_of(slot: &Slot, online: &Online) -> Vec<u8> {
    let key = session_key(&keys(slot).cryptogram.0, online.atc);
    external_authenticate(arpc(&key, online.code, APPROVED), APPROVED)
}

pub(crate) fn prove_issuer(slot: &Slot, online: &Online) {
    ok(&slot.transmit(&arpc_of(slot, online)));
}

/// PUT DATA, made by the host for this question of the card.
pub(crate) fn put(slot: &Slot, online: &Online, tag: u16, fen: u32) -> Vec<u8> {
    let key = session_key(&keys(slot).mac.0, online.atc);
    put_balance(&key, tag, online.atc, online.code, fen).unwrap()
}

/// The second GENERATE AC, asking for approval.
pub(crate) fn finish(slot: &Slot, online: &Online) -> Online {
    let values = values(slot, 2, 0x8D, online.amount);
    let command = generate_ac(CryptogramKind::Tc, &values).unwrap();
    checked(slot, &ok(&slot.transmit(&command)), online.amount)
}

/// A whole load.
pub(crate) fn load(slot: &Slot, amount: u32) -> Online {
    let online = ask(slot, amount);
    prove_issuer(slot, &online);
    let script = put(slot, &online, tag::BALANCE, online.data.balance + amount);
    assert_eq!(word(&slot.transmit(&script)), 0x9000);
    let end = finish(slot, &online);
    assert_eq!(end.kind, CryptogramKind::Tc.byte());
    assert!(
        end.data
            .cvr
            .has(CardVerification::FIRST_ARQC | CardVerification::SECOND_TC)
    );
    end
}

/// The balance by GET DATA, in a session of its own.
pub(crate) fn balance(slot: &Slot) -> Vec<u8> {
    slot.power_on();
    ok(&slot.transmit(&select(&AID).unwrap()));
    let reply = ok(&slot.transmit(&get_data(tag::BALANCE)));
    find(&reply, &[tag::BALANCE]).unwrap().to_vec()
}
