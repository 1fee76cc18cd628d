use crate::cash_host::{
    APPROVED, arpc_of, ask, balance, begin, finish, load, named, prove_issuer, put, record, slot,
    values,
};
use crate::support::{ok, word};
use purse::cash::{
    AID, APPLICATION_BLOCK, APPLICATION_UNBLOCK, CardVerification, CryptogramKind, amount_to_bcd,
    external_authenticate, generate_ac, get_data, get_processing_options, script, session_key, tag,
};
use purse::command::{PPSE, PSE, select};
use purse::tlv::{dol, find, split_by_dol};
use virtual_card::{AnyProfile, BlockedSelect, CashKeySource, CashProfile, Slot};

#[test]
fn a_whole_load_sets_the_balance_counts_and_logs() {
    let slot = slot(named("cash"));
    let end = load(&slot, 5_000);
    assert_eq!((end.data.balance, end.atc), (13_650, 24), "as the TC tells");
    assert_eq!(end.data.cvr.scripts(), 1);
    assert_eq!(balance(&slot), amount_to_bcd(13_650));
    let profile = slot.cash_profile().unwrap();
    assert_eq!(profile.last_online_atc, 24);
    let newest = &profile.log[0];
    assert_eq!((newest.amount, newest.kind, newest.atc), (5_000, 0x63, 24));
    assert!(newest.merchant.starts_with(b"TAPFILL\0"));
    let again = load(&slot, 100);
    assert_eq!(again.data.balance, 13_750, "and once more");
}

#[test]
fn the_card_tells_its_number_dates_and_lists() {
    let slot = slot(named("cash"));
    begin(&slot, 0);
    let person = record(&slot, 1, 1);
    let part = |tag: u16| hex::encode_upper(find(&person, &[0x70, tag]).unwrap());
    assert_eq!(part(0x5A), "6200000000000005520F");
    assert_eq!(
        (part(0x5F34), part(0x5F24), part(0x5F25)),
        ("01".into(), "341231".into(), "240101".into())
    );
    assert_eq!(
        word(&slot.transmit(&[0, 0xB2, 2, 0x0C, 0])),
        0x6A83,
        "no second record"
    );
    assert_eq!(
        word(&slot.transmit(&[0, 0xB2, 1, 0x1C, 0])),
        0x6A82,
        "no such file"
    );
    for (tag, value) in [
        (tag::BALANCE, "000000008650"),
        (tag::BALANCE_LIMIT, "000000100000"),
        (tag::SINGLE_LIMIT, "000000100000"),
        (tag::ATC, "0018"),
        (tag::LAST_ONLINE_ATC, "0015"),
    ] {
        let reply = ok(&slot.transmit(&get_data(tag)));
        assert_eq!(
            hex::encode(find(&reply, &[tag]).unwrap()),
            value,
            "{tag:04X}"
        );
    }
    assert_eq!(word(&slot.transmit(&get_data(0x9F50))), 0x6A88);
}

#[test]
fn the_log_is_read_by_its_format() {
    let slot = slot(named("cash"));
    slot.power_on();
    let fci = ok(&slot.transmit(&select(&AID).unwrap()));
    let entry = find(&fci, &[0x6F, 0xA5, 0xBF0C, 0x9F4D]).unwrap().to_vec();
    assert_eq!(entry, [0x0B, 10], "file and records");
    let format = ok(&slot.transmit(&get_data(tag::LOG_FORMAT)));
    let format = find(&format, &[tag::LOG_FORMAT]).unwrap();
    let sizes: usize = dol(format)
        .unwrap()
        .iter()
        .map(|one| usize::from(one.length))
        .sum();
    assert_eq!(sizes, 45);
    let oldest = record(&slot, 0x0B, 3);
    let parts = split_by_dol(format, &oldest).unwrap();
    assert_eq!(parts[2].value, amount_to_bcd(10_000));
    assert_eq!(word(&slot.transmit(&[0, 0xB2, 4, 0x5C, 0])), 0x6A83);
}

#[test]
fn the_environment_lists_the_application_and_nothing_else_is_there() {
    let slot = slot(named("cash"));
    slot.power_on();
    let fci = ok(&slot.transmit(&select(PPSE).unwrap()));
    let listed = find(&fci, &[0x6F, 0xA5, 0xBF0C, 0x61, 0x4F]).unwrap();
    assert_eq!(listed, AID);
    for name in [PSE, &purse::command::PURSE_AID] {
        assert_eq!(word(&slot.transmit(&select(name).unwrap())), 0x6A82);
    }
    assert_eq!(
        word(&slot.transmit(&get_data(tag::BALANCE))),
        0x6985,
        "nothing is selected"
    );
}

#[test]
fn template_80_carries_the_same_answers() {
    let mut profile = named("cash");
    profile.quirks.options_in_80 = true;
    profile.quirks.cryptogram_in_80 = true;
    let slot = slot(profile);
    assert_eq!(load(&slot, 100).data.balance, 8_750);
    let options = &slot.record()[1].reply;
    assert!(
        options.starts_with(&[0x80, 0x0A, 0x7C, 0x00]),
        "{options:02X?}"
    );
}

#[test]
fn lists_of_the_profile_are_those_that_the_card_asks_for() {
    let mut profile = named("cash");
    profile.pdol = Vec::new();
    profile.cdol1 = [profile.cdol1.as_slice(), &[0x9F, 0x35, 1]].concat();
    let slot = slot(profile);
    assert_eq!(
        load(&slot, 100).data.balance,
        8_750,
        "a longer CDOL1, no PDOL"
    );
    begin(&slot, 0);
    let short = vec![0; 52];
    let command = generate_ac(CryptogramKind::Arqc, &short).unwrap();
    assert_eq!(
        word(&slot.transmit(&command)),
        0x6700,
        "one byte is missing"
    );
}

#[test]
fn a_wrong_arpc_ends_the_script_before_it_begins() {
    let slot = slot(named("cash"));
    let online = ask(&slot, 5_000);
    let wrong = external_authenticate([7; 8], APPROVED);
    assert_eq!(word(&slot.transmit(&wrong)), 0x6300);
    let right = arpc_of(&slot, &online);
    assert_eq!(
        word(&slot.transmit(&right)),
        0x6985,
        "one try for each transaction"
    );
    let script = put(&slot, &online, tag::BALANCE, 13_650);
    assert_eq!(word(&slot.transmit(&script)), 0x6985);
    let end = finish(&slot, &online);
    assert_eq!(end.kind, CryptogramKind::Aac.byte(), "no approval");
    assert!(end.data.cvr.has(CardVerification::AUTHENTICATION_FAILED));
    assert_eq!(end.data.balance, 8_650);
}

#[test]
fn a_script_without_a_proven_issuer_is_refused() {
    let slot = slot(named("cash"));
    let online = ask(&slot, 5_000);
    let script = put(&slot, &online, tag::BALANCE, 13_650);
    assert_eq!(word(&slot.transmit(&script)), 0x6985);
    assert_eq!(finish(&slot, &online).kind, CryptogramKind::Aac.byte());
    assert_eq!(balance(&slot), amount_to_bcd(8_650));
}

#[test]
fn a_wrong_mac_ends_the_script_and_is_told() {
    let slot = slot(named("cash"));
    let online = ask(&slot, 5_000);
    prove_issuer(&slot, &online);
    let right = put(&slot, &online, tag::BALANCE, 13_650);
    let mut wrong = right.clone();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(word(&slot.transmit(&wrong)), 0x6988);
    assert_eq!(word(&slot.transmit(&right)), 0x6985, "no second guess");
    let end = finish(&slot, &online);
    assert!(end.data.cvr.has(CardVerification::SCRIPT_FAILED));
    assert_eq!((end.data.cvr.scripts(), end.data.balance), (0, 8_650));
    let next = ask(&slot, 5_000);
    assert!(
        next.data.cvr.has(CardVerification::SCRIPT_FAILED),
        "told once more"
    );
    prove_issuer(&slot, &next);
    assert!(
        !finish(&slot, &next)
            .data
            .cvr
            .has(CardVerification::SCRIPT_FAILED),
        "forgotten"
    );
}

#[test]
fn a_balance_above_the_limit_or_not_in_digits_is_refused() {
    for fen in [100_001, u32::MAX] {
        let slot = slot(named("cash"));
        let online = ask(&slot, 5_000);
        prove_issuer(&slot, &online);
        let script = put(&slot, &online, tag::BALANCE, fen);
        assert_eq!(word(&slot.transmit(&script)), 0x6985, "{fen}");
        assert_eq!(balance(&slot), amount_to_bcd(8_650));
    }
    let slot = slot(named("cash"));
    let online = ask(&slot, 5_000);
    prove_issuer(&slot, &online);
    let key = session_key(&slot.cash_profile().unwrap().card_keys().mac.0, online.atc);
    let head = [0x04, 0xDA, 0x9F, 0x79];
    let odd = script(&key, head, online.atc, online.code, &[0, 0, 0, 0, 0, 0x1A]).unwrap();
    assert_eq!(word(&slot.transmit(&odd)), 0x6A80);
}

#[test]
fn a_script_after_the_end_is_refused_and_so_is_a_third_cryptogram() {
    let slot = slot(named("cash"));
    let online = ask(&slot, 5_000);
    prove_issuer(&slot, &online);
    assert_eq!(finish(&slot, &online).kind, CryptogramKind::Tc.byte());
    let script = put(&slot, &online, tag::BALANCE, 13_650);
    assert_eq!(word(&slot.transmit(&script)), 0x6985);
    let values = values(&slot, 2, 0x8D, 5_000);
    let third = generate_ac(CryptogramKind::Tc, &values).unwrap();
    assert_eq!(word(&slot.transmit(&third)), 0x6985);
    let options = get_processing_options(&[0; 9]).unwrap();
    assert_eq!(word(&slot.transmit(&options)), 0x6985, "SELECT comes first");
}

#[test]
fn activation_lifts_the_limit_and_lets_money_in() {
    let slot = slot(named("cash-inactive"));
    let online = ask(&slot, 5_000);
    prove_issuer(&slot, &online);
    let early = put(&slot, &online, tag::BALANCE, 5_000);
    assert_eq!(word(&slot.transmit(&early)), 0x6985, "not activated");
    let online = ask(&slot, 0);
    prove_issuer(&slot, &online);
    for (tag, fen) in [(tag::BALANCE_LIMIT, 100_000), (tag::SINGLE_LIMIT, 30_000)] {
        let script = put(&slot, &online, tag, fen);
        assert_eq!(word(&slot.transmit(&script)), 0x9000, "{tag:04X}");
    }
    let end = finish(&slot, &online);
    assert_eq!(end.data.cvr.scripts(), 2);
    assert!(
        slot.cash_profile().unwrap().log.is_empty(),
        "no money moved"
    );
    assert_eq!(load(&slot, 5_000).data.balance, 5_000);
}

#[test]
fn a_purchase_elsewhere_takes_money_and_counts() {
    let slot = slot(named("cash"));
    assert!(slot.spend(650));
    assert!(!slot.spend(8_001), "not that much");
    let profile = slot.cash_profile().unwrap();
    assert_eq!(
        (profile.balance, profile.atc, profile.log[0].amount),
        (8_000, 24, 650)
    );
    assert_eq!(ask(&slot, 100).data.balance, 8_000);
}

/// APPLICATION BLOCK or UNBLOCK in a transaction of its own; its status word.
fn block(slot: &Slot, head: [u8; 4]) -> u16 {
    let online = ask(slot, 0);
    prove_issuer(slot, &online);
    let key = session_key(&slot.cash_profile().unwrap().card_keys().mac.0, online.atc);
    word(&slot.transmit(&script(&key, head, online.atc, online.code, &[]).unwrap()))
}

#[test]
fn a_blocked_application_declines_and_is_unblocked_by_a_script() {
    let slot = slot(named("cash-blocked"));
    let online = ask(&slot, 0);
    assert_eq!(online.kind, CryptogramKind::Aac.byte(), "it declines");
    prove_issuer(&slot, &online);
    let script = put(&slot, &online, tag::BALANCE, 9_000);
    assert_eq!(
        word(&slot.transmit(&script)),
        0x6985,
        "nothing but the unblocking"
    );
    assert_eq!(block(&slot, APPLICATION_UNBLOCK), 0x9000);
    assert_eq!(load(&slot, 100).data.balance, 8_750);
    assert_eq!(
        block(&slot, APPLICATION_UNBLOCK),
        0x6985,
        "it isn't blocked"
    );
    assert_eq!(block(&slot, APPLICATION_BLOCK), 0x9000);
    assert!(slot.status().card.unwrap().blocked);
}

#[test]
fn select_of_a_blocked_application_is_6a81_or_6283() {
    for (how, expected, told) in [
        (BlockedSelect::WithFci, [0x6A, 0x81], true),
        (BlockedSelect::Warning, [0x62, 0x83], true),
        (BlockedSelect::Bare, [0x6A, 0x81], false),
    ] {
        let mut profile = named("cash-blocked");
        profile.quirks.blocked_select = how;
        let slot = slot(profile);
        slot.power_on();
        let reply = slot.transmit(&select(&AID).unwrap());
        assert!(reply.ends_with(&expected), "{how:?}");
        assert_eq!(reply.len() > 2, told, "{how:?}");
    }
}

#[test]
fn keys_can_be_given_directly() {
    let profile = named("cash");
    let own = CashProfile {
        keys: CashKeySource::Card(profile.card_keys()),
        ..profile
    };
    assert_eq!(load(&slot(own), 100).data.balance, 8_750);
}

#[test]
fn a_stored_card_keeps_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("card.json");
    let made = || {
        AnyProfile::find("cash")
            .unwrap()
            .into_stored_card(file.clone())
    };
    let slot = Slot::with_card(made().unwrap());
    load(&slot, 5_000);
    let again = Slot::with_card(made().unwrap());
    assert_eq!(again.cash_profile(), slot.cash_profile());
    assert_eq!(again.cash_profile().unwrap().balance, 13_650);
}

#[test]
fn odd_commands_get_their_status() {
    let slot = slot(named("cash"));
    begin(&slot, 0);
    for (command, expected) in [
        (&[0x80, 0xAE, 0xC0, 0, 0][..], 0x6A86),
        (&[0x80, 0xAE, 0x80, 1, 0], 0x6A86),
        (&[0x80, 0xAE, 0x80, 0, 1, 1], 0x6700),
        (&[0x00, 0x82, 0, 0, 1, 1], 0x6700),
        (&[0x00, 0xB2, 1, 0x0D, 0], 0x6A86),
        (&[0x00, 0xB0, 0x95, 0, 0], 0x6D00),
        (&[0x90, 0x00, 0, 0], 0x6E00),
        (&[0x00], 0x6700),
    ] {
        assert_eq!(word(&slot.transmit(command)), expected, "{command:02X?}");
    }
    let uid = ok(&slot.transmit(&[0xFF, 0xCA, 0, 0, 0]));
    assert_eq!(uid, [0x04, 0xA1, 0xB2, 0xD1]);
}

/// JR/T 0025.12: what makes a wallet of a phone that offers too much.
#[test]
fn a_terminal_that_offers_to_pay_at_once_is_paid_when_the_last_record_is_read() {
    let list = hex::decode("9F66049F0206").unwrap();
    for (offered, left) in [("20000000", 3_650), ("40000000", 8_650)] {
        let slot = slot(CashProfile {
            pdol: list.clone(),
            ..named("cash")
        });
        slot.power_on();
        ok(&slot.transmit(&select(&AID).unwrap()));
        let values = [hex::decode(offered).unwrap(), amount_to_bcd(5_000).to_vec()].concat();
        let reply = ok(&slot.transmit(&get_processing_options(&values).unwrap()));
        let approved = find(&reply, &[0x77, 0x9F26]).is_ok();
        assert_eq!(approved, left == 3_650, "{offered}");
        record(&slot, 1, 1);
        record(&slot, 2, 1);
        let held = || slot.cash_profile().unwrap().balance;
        assert_eq!(held(), 8_650, "not before the last");
        record(&slot, 2, 2);
        record(&slot, 2, 2);
        assert_eq!(held(), left, "{offered}: once");
    }
}
