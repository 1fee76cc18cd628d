use crate::support::{AT, TERMINAL, credit, expected_tac, initialize, load, ok, ready, word};
use purse::TransactionType::{Load, Purchase};
use purse::command::{get_transaction_prove, initialize_for_load, read_log_record};
use purse::{LogRecord, Proof};
use virtual_card::{Card, CardProfile, LogEntry, Overflow};

#[test]
fn a_load_moves_balance_counter_log_and_proof_together() {
    let before = CardProfile::demo();
    let mut card = ready(before.clone());
    assert_eq!(load(&mut card, 5_000), expected_tac(&before, 5_000));
    assert_eq!(card.profile().balance, 17_850);
    assert_eq!(card.profile().online_counter, 8);
    let record = LogRecord::parse(&ok(&card.transmit(&read_log_record(1)))).unwrap();
    assert_eq!(
        (record.counter, record.amount, record.kind),
        (7, 5_000, Load)
    );
    assert_eq!((record.terminal, record.at), (TERMINAL, AT));
}

#[test]
fn the_vector_of_a_real_card_comes_out_of_this_one() {
    let key = "00112233445566778899AABBCCDDEEFF";
    let text = format!(
        r#"{{"serial":"00000000000000000001","keys":{{"card":{{"load":"{key}","tac":"{key}",
        "purchase":"{key}","maintenance":"{key}"}}}},"key_version":1}}"#
    );
    let card = Card::new(CardProfile::from_json(&text).unwrap());
    let mut card = card.with_random(|bytes| bytes.copy_from_slice(&[0xC9, 0x03, 0x81, 0x4D]));
    card.power_on();
    ok(&card.transmit(&purse::command::select(&purse::command::PURSE_AID).unwrap()));
    let init = ok(&card.transmit(&initialize_for_load(1, 0x2000, TERMINAL)));
    assert_eq!(hex::encode_upper(init), "0000000000000100C903814D03976C22");
    let tac = card.transmit(&hex::decode("805200000B201612161058008AFA571804").unwrap());
    assert_eq!(hex::encode_upper(tac), "FA00066D9000");
}

#[test]
fn the_session_key_dies_with_the_power() {
    let mut card = ready(CardProfile::demo());
    let init = ok(&card.transmit(&initialize(5_000)));
    let credit = credit(card.profile(), 5_000, &init);
    card.reset();
    ok(&card.transmit(&purse::command::select(&purse::command::PURSE_AID).unwrap()));
    assert_eq!(word(&card.transmit(&credit)), 0x6985);
    assert_eq!(
        card.profile(),
        ready(CardProfile::demo()).profile(),
        "nothing changed"
    );
}

#[test]
fn a_card_without_power_says_nothing() {
    let mut card = Card::new(CardProfile::demo());
    assert!(card.transmit(&initialize(1)).is_empty());
}

#[test]
fn a_wrong_mac2_ends_the_session() {
    let mut card = ready(CardProfile::demo());
    let init = ok(&card.transmit(&initialize(5_000)));
    let right = credit(card.profile(), 5_000, &init);
    let mut wrong = right.clone();
    wrong[15] ^= 1;
    assert_eq!(word(&card.transmit(&wrong)), 0x9302);
    assert_eq!(
        word(&card.transmit(&right)),
        0x6985,
        "the right one comes too late"
    );
    assert_eq!(card.profile().balance, 12_850);
}

#[test]
fn a_second_credit_and_a_replayed_one_are_refused() {
    let mut card = ready(CardProfile::demo());
    let init = ok(&card.transmit(&initialize(5_000)));
    let first = credit(card.profile(), 5_000, &init);
    ok(&card.transmit(&first));
    assert_eq!(
        word(&card.transmit(&first)),
        0x6985,
        "no INITIALIZE before it"
    );
    ok(&card.transmit(&initialize(5_000)));
    assert_eq!(
        word(&card.transmit(&first)),
        0x9302,
        "another random and counter"
    );
}

#[test]
fn the_proof_survives_power_and_belongs_to_its_counter() {
    let before = CardProfile::demo();
    let mut card = ready(before.clone());
    load(&mut card, 5_000);
    card.power_off();
    let mut card = ready(card.profile().clone());
    let proof = Proof::parse(&ok(&card.transmit(&get_transaction_prove(Load, 8)))).unwrap();
    assert_eq!(proof.tac, expected_tac(&before, 5_000));
    assert_eq!(
        word(&card.transmit(&get_transaction_prove(Load, 7))),
        0x9406,
        "before"
    );
    assert_eq!(
        word(&card.transmit(&get_transaction_prove(Load, 9))),
        0x9406,
        "of no load"
    );
    assert_eq!(
        word(&card.transmit(&get_transaction_prove(Purchase, 8))),
        0x9406,
        "of no purchase"
    );
}

#[test]
fn the_previous_load_is_proven_until_a_new_one_is_done() {
    let mut card = ready(CardProfile::demo());
    let old = ok(&card.transmit(&get_transaction_prove(Load, 7)));
    ok(&card.transmit(&initialize(100)));
    assert_eq!(
        ok(&card.transmit(&get_transaction_prove(Load, 7))),
        old,
        "INITIALIZE keeps it"
    );
    load(&mut card, 100);
    assert_eq!(
        word(&card.transmit(&get_transaction_prove(Load, 7))),
        0x9406
    );
}

#[test]
fn a_load_above_the_highest_balance_is_refused() {
    let mut card = ready(CardProfile::demo());
    assert_eq!(word(&card.transmit(&initialize(87_151))), 0x6985);
    assert_eq!(
        word(&card.transmit(&initialize(u32::MAX))),
        0x6985,
        "no wrap"
    );
    load(&mut card, 87_150);
    assert_eq!(card.profile().balance, 100_000);

    let mut profile = CardProfile::demo();
    profile.quirks.overflow = Overflow::Credit;
    let mut card = ready(profile);
    let init = ok(&card.transmit(&initialize(87_151)));
    let credit = credit(card.profile(), 87_151, &init);
    assert_eq!(word(&card.transmit(&credit)), 0x6985);
    assert_eq!(card.profile().balance, 12_850);
}

#[test]
fn an_exhausted_counter_and_an_unknown_key_are_refused() {
    let mut card = ready(CardProfile {
        online_counter: 0xFFFF,
        ..CardProfile::demo()
    });
    assert_eq!(word(&card.transmit(&initialize(1))), 0x9402);
    let mut card = ready(CardProfile {
        online_counter: 0xFFFE,
        ..CardProfile::demo()
    });
    load(&mut card, 1);
    assert_eq!(
        word(&card.transmit(&initialize(1))),
        0x9402,
        "FFFF is reached"
    );
    let mut card = ready(CardProfile::demo());
    assert_eq!(
        word(&card.transmit(&initialize_for_load(9, 1, TERMINAL))),
        0x9403
    );
}

#[test]
fn a_card_that_is_not_activated_takes_no_money() {
    let mut card = ready(CardProfile::demo_inactive());
    assert_eq!(word(&card.transmit(&initialize(1))), 0x6985);
    let mut profile = CardProfile::demo_inactive();
    profile.quirks.enforce_enable = false;
    load(&mut ready(profile), 1);
}

#[test]
fn the_log_is_cyclic() {
    let mut profile = CardProfile::demo();
    profile.log_capacity = 7;
    let mut card = ready(profile);
    for amount in 1..=9 {
        load(&mut card, amount);
    }
    let amounts: Vec<u32> = card
        .profile()
        .log
        .iter()
        .map(|entry: &LogEntry| entry.amount)
        .collect();
    assert_eq!(amounts, [9, 8, 7, 6, 5, 4, 3]);
    assert_eq!(word(&card.transmit(&read_log_record(8))), 0x6A83);
}

#[test]
fn a_stored_card_is_written_before_it_answers_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("card.json");
    let mut card = Card::stored(file.clone(), CardProfile::demo()).unwrap();
    card.power_on();
    ok(&card.transmit(&purse::command::select(&purse::command::PURSE_AID).unwrap()));
    load(&mut card, 5_000);
    assert_eq!(
        CardProfile::from_file(&file).unwrap(),
        *card.profile(),
        "already written"
    );
    let again = Card::stored(file, CardProfile::demo_inactive()).unwrap();
    assert_eq!(
        again.profile(),
        card.profile(),
        "the file counts, not the profile"
    );
}

#[test]
fn a_card_whose_memory_fails_keeps_the_old_and_says_6581() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gone").join("card.json");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    let mut card = Card::stored(file.clone(), CardProfile::demo()).unwrap();
    card.power_on();
    ok(&card.transmit(&purse::command::select(&purse::command::PURSE_AID).unwrap()));
    let init = ok(&card.transmit(&initialize(5_000)));
    let credit = credit(card.profile(), 5_000, &init);
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    assert_eq!(word(&card.transmit(&credit)), 0x6581);
    assert_eq!(card.profile().balance, 12_850, "all or nothing");
    assert_eq!(card.profile().online_counter, 7);
}
