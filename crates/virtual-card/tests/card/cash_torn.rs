use crate::cash_host::{ask, balance, finish, load, named, prove_issuer, put, slot};
use crate::support::word;
use purse::cash::{CardVerification, amount_to_bcd, tag};
use virtual_card::{AnyProfile, Fault, Moment, Slot};

/// A load torn at the script; the slot with the card put back, and the script that was sent.
fn torn(moment: Moment) -> (Slot, Vec<u8>) {
    let slot = slot(named("cash"));
    slot.arm(Fault::Tear {
        ins: Some(0xDA),
        moment,
        nth: 1,
    });
    let online = ask(&slot, 5_000);
    prove_issuer(&slot, &online);
    let script = put(&slot, &online, tag::BALANCE, 13_650);
    assert!(slot.transmit(&script).is_empty(), "the reader gets nothing");
    assert!(slot.status().torn && slot.insert());
    (slot, script)
}

#[test]
fn torn_before_or_during_the_script_the_balance_is_as_it_was() {
    for moment in [Moment::Before, Moment::During] {
        let (slot, _) = torn(moment);
        assert_eq!(balance(&slot), amount_to_bcd(8_650), "{moment:?}");
        let next = ask(&slot, 5_000);
        assert!(next.data.cvr.has(CardVerification::UNFINISHED));
        assert_eq!((next.data.balance, next.data.cvr.scripts()), (8_650, 0));
        assert_eq!(next.atc, 25, "the torn one was counted");
    }
}

#[test]
fn torn_after_the_script_the_next_question_proves_the_balance() {
    let (slot, _) = torn(Moment::After);
    assert_eq!(balance(&slot), amount_to_bcd(13_650));
    let next = ask(&slot, 5_000);
    assert!(next.data.cvr.has(CardVerification::UNFINISHED));
    assert_eq!((next.data.balance, next.data.cvr.scripts()), (13_650, 1));
    prove_issuer(&slot, &next);
    let end = finish(&slot, &next);
    assert!(!end.data.cvr.has(CardVerification::UNFINISHED));
    assert_eq!(
        end.data.balance, 13_650,
        "a transaction without a script changes nothing"
    );
}

#[test]
fn torn_at_the_confirmation_the_money_is_there() {
    let slot = slot(named("cash"));
    slot.arm(Fault::Tear {
        ins: Some(0xAE),
        moment: Moment::During,
        nth: 2,
    });
    let online = ask(&slot, 5_000);
    prove_issuer(&slot, &online);
    let script = put(&slot, &online, tag::BALANCE, 13_650);
    assert_eq!(word(&slot.transmit(&script)), 0x9000);
    let torn = std::panic::catch_unwind(|| finish(&slot, &online));
    assert!(torn.is_err(), "no TC");
    assert!(slot.insert());
    assert_eq!(ask(&slot, 0).data.balance, 13_650);
    assert_eq!(
        slot.cash_profile().unwrap().log.len(),
        3,
        "and no record of it"
    );
}

#[test]
fn an_old_script_is_dead_in_every_other_session() {
    let (slot, old) = torn(Moment::Before);
    slot.power_on();
    assert_eq!(word(&slot.transmit(&old)), 0x6985, "nothing is selected");
    let next = ask(&slot, 5_000);
    assert_eq!(
        word(&slot.transmit(&old)),
        0x6985,
        "the issuer has not proven itself"
    );
    prove_issuer(&slot, &next);
    assert_eq!(
        word(&slot.transmit(&old)),
        0x6988,
        "its MAC is another transaction's"
    );
    assert_eq!(balance(&slot), amount_to_bcd(8_650));
}

#[test]
fn a_script_sent_twice_in_its_session_sets_the_same_balance() {
    let slot = slot(named("cash"));
    let online = ask(&slot, 5_000);
    prove_issuer(&slot, &online);
    let script = put(&slot, &online, tag::BALANCE, 13_650);
    for _ in 0..2 {
        assert_eq!(word(&slot.transmit(&script)), 0x9000);
    }
    assert_eq!(
        finish(&slot, &online).data.balance,
        13_650,
        "it is absolute"
    );
}

#[test]
fn a_stored_card_torn_in_the_script_is_found_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("card.json");
    let made = AnyProfile::find("cash")
        .unwrap()
        .into_stored_card(file.clone());
    let slot = Slot::with_card(made.unwrap());
    slot.arm(Fault::Tear {
        ins: Some(0xDA),
        moment: Moment::During,
        nth: 1,
    });
    let online = ask(&slot, 5_000);
    prove_issuer(&slot, &online);
    let _ = slot.transmit(&put(&slot, &online, tag::BALANCE, 13_650));
    let AnyProfile::ElectronicCash(found) = AnyProfile::from_file(&file).unwrap() else {
        panic!("another technology");
    };
    assert_eq!((found.balance, found.atc), (8_650, 24));
}

#[test]
fn garbage_and_delay_strike_electronic_cash_too() {
    let slot = slot(named("cash"));
    slot.arm(Fault::Garbage { ins: Some(0xCA) });
    slot.power_on();
    let select = purse::command::select(&purse::cash::AID).unwrap();
    assert!(slot.transmit(&select).ends_with(&[0x90, 0]));
    let garbage = slot.transmit(&purse::cash::get_data(tag::BALANCE));
    assert!(garbage.len() > 2 && !garbage.ends_with(&[0x90, 0]));
    assert_eq!(balance(&slot), amount_to_bcd(8_650));
    slot.arm(Fault::Slow { ms: 30 });
    assert_eq!(slot.delay().as_millis(), 30);
    slot.clear();
    assert_eq!(load(&slot, 100).data.balance, 8_750);
}
