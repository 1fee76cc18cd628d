use crate::support::{credit, expected_tac, initialize, ok, word};
use purse::Proof;
use purse::TransactionType::Load;
use purse::command::{PURSE_AID, get_transaction_prove, read_file15, select};
use std::time::{Duration, Instant};
use virtual_card::{Card, CardProfile, Fault, Moment, Slot};

fn demo_slot() -> Slot {
    let slot = Slot::with_card(Card::new(CardProfile::demo()));
    contact(&slot);
    slot
}

fn contact(slot: &Slot) {
    slot.power_on();
    ok(&slot.transmit(&select(&PURSE_AID).unwrap()));
}

/// A load torn at CREDIT; returns the slot with the card put back.
fn torn(moment: Moment) -> Slot {
    let slot = demo_slot();
    slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment,
        nth: 1,
    });
    let init = ok(&slot.transmit(&initialize(5_000)));
    let credit = credit(&slot.profile().unwrap(), 5_000, &init);
    assert!(slot.transmit(&credit).is_empty(), "the reader gets nothing");
    let status = slot.status();
    assert!(
        !status.present && status.torn && !status.powered,
        "{moment:?}"
    );
    assert!(
        slot.transmit(&credit).is_empty(),
        "no card until it is put back"
    );
    assert!(slot.insert());
    contact(&slot);
    assert_eq!(word(&slot.transmit(&credit)), 0x6985, "a late CREDIT");
    slot
}

#[test]
fn torn_before_or_during_credit_the_card_is_as_it_was() {
    for moment in [Moment::Before, Moment::During] {
        let slot = torn(moment);
        let profile = slot.profile().unwrap();
        let fresh = Card::new(CardProfile::demo());
        assert_eq!(&profile, fresh.profile(), "{moment:?}");
        assert_eq!(
            word(&slot.transmit(&get_transaction_prove(Load, 8))),
            0x9406
        );
    }
}

#[test]
fn torn_after_credit_the_card_has_the_money_and_proves_it() {
    let slot = torn(Moment::After);
    assert_eq!(slot.profile().unwrap().balance, 17_850);
    let proof = Proof::parse(&ok(&slot.transmit(&get_transaction_prove(Load, 8)))).unwrap();
    assert_eq!(proof.tac, expected_tac(&CardProfile::demo(), 5_000));
}

#[test]
fn a_stored_card_torn_during_credit_is_found_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("card.json");
    let slot = Slot::with_card(Card::stored(file.clone(), CardProfile::demo()).unwrap());
    contact(&slot);
    slot.arm(Fault::Tear {
        ins: Some(0x52),
        moment: Moment::During,
        nth: 1,
    });
    let init = ok(&slot.transmit(&initialize(5_000)));
    let credit = credit(&slot.profile().unwrap(), 5_000, &init);
    assert!(slot.transmit(&credit).is_empty());
    assert_eq!(CardProfile::from_file(&file).unwrap().balance, 12_850);
}

#[test]
fn a_card_taken_out_is_gone_until_it_is_put_back() {
    let slot = demo_slot();
    let mut view = slot.watch();
    assert!(slot.remove());
    assert!(!slot.remove(), "it is out");
    assert!(!view.borrow_and_update().present);
    assert_eq!(slot.atr(), None);
    assert!(slot.transmit(&read_file15()).is_empty());
    assert!(slot.insert());
    assert!(!slot.insert(), "it is in");
    assert_eq!(view.borrow_and_update().insertions, 2);
    assert!(slot.transmit(&read_file15()).is_empty(), "no power yet");
    assert!(!Slot::empty().insert(), "nothing to put in");
}

#[test]
fn a_swapped_card_answers_on_the_old_connection() {
    let slot = demo_slot();
    let before = *slot.watch().borrow();
    slot.swap(Card::new(CardProfile::demo_inactive()));
    assert_eq!(*slot.watch().borrow(), before, "the reader notices nothing");
    assert_eq!(
        word(&slot.transmit(&read_file15())),
        0x6985,
        "nothing is selected on it"
    );
    ok(&slot.transmit(&select(&PURSE_AID).unwrap()));
    let file = ok(&slot.transmit(&read_file15()));
    assert_eq!(file[10..20], CardProfile::demo_inactive().serial);
}

#[test]
fn garbage_and_cut_replies_happen_once() {
    let slot = demo_slot();
    slot.arm(Fault::Garbage { ins: Some(0xB0) });
    slot.arm(Fault::Truncate { ins: None });
    let right = CardProfile::demo().file15().encode();
    let garbage = slot.transmit(&read_file15());
    assert!(garbage.len() == 32 && garbage[..30] != right && !garbage.ends_with(&[0x90, 0]));
    assert_eq!(slot.transmit(&read_file15()), right[..16], "half of it");
    assert_eq!(ok(&slot.transmit(&read_file15())), right);
}

#[test]
fn a_slow_card_takes_its_time_and_a_card_gone_meanwhile_answers_nothing() {
    let slot = demo_slot();
    slot.arm(Fault::Slow { ms: 80 });
    let start = Instant::now();
    ok(&slot.transmit(&read_file15()));
    assert!(start.elapsed() >= Duration::from_millis(80));
    let other = slot.clone();
    let waiting = std::thread::spawn(move || other.transmit(&read_file15()));
    std::thread::sleep(Duration::from_millis(20));
    slot.remove();
    slot.insert();
    assert!(
        waiting.join().unwrap().is_empty(),
        "the card in now is not the one asked"
    );
    slot.clear();
    assert!(slot.status().faults.is_empty());
}

#[test]
fn commands_and_replies_are_recorded() {
    let slot = demo_slot();
    ok(&slot.transmit(&read_file15()));
    let record = slot.record();
    assert_eq!(record.len(), 2);
    assert_eq!(record[1].command, read_file15());
    assert_eq!(record[1].reply.len(), 32);
}
