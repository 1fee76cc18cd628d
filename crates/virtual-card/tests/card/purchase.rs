use crate::support::{AT, TERMINAL, ok, ready, word};
use purse::TransactionType::Purchase;
use purse::command::{debit_for_purchase, get_transaction_prove, initialize_for_purchase};
use purse::crypto::{
    PurchaseTerms, purchase_mac1, purchase_mac2, purchase_session_key, purchase_tac,
};
use purse::{InitForPurchase, Proof};
use virtual_card::CardProfile;

fn terms(amount: u32) -> PurchaseTerms {
    PurchaseTerms {
        amount,
        kind: Purchase,
        terminal: TERMINAL,
        terminal_number: 77,
        at: AT,
    }
}

fn debit(profile: &CardProfile, amount: u32, init: &[u8]) -> (Vec<u8>, Proof) {
    let init = InitForPurchase::parse(init).unwrap();
    let keys = profile.card_keys();
    let key = purchase_session_key(&keys.purchase.0, init.random, init.offline_counter, 77);
    let mac = purchase_mac2(&key, amount);
    let tac = purchase_tac(&keys.tac.0, &terms(amount));
    let command = debit_for_purchase(77, AT, purchase_mac1(&key, &terms(amount)));
    (command, Proof { mac, tac })
}

#[test]
fn a_purchase_takes_money_and_is_logged_and_proven() {
    let mut card = ready(CardProfile::demo());
    let init = ok(&card.transmit(&initialize_for_purchase(1, 300, TERMINAL)));
    let (command, expected) = debit(card.profile(), 300, &init);
    assert_eq!(
        Proof::parse_debit(&ok(&card.transmit(&command))),
        Ok(expected)
    );
    assert_eq!(card.profile().balance, 12_550);
    assert_eq!(
        (
            card.profile().offline_counter,
            card.profile().online_counter
        ),
        (43, 7)
    );
    assert_eq!(card.profile().log[0].kind, 0x06);
    let proof = ok(&card.transmit(&get_transaction_prove(Purchase, 43)));
    assert_eq!(Proof::parse(&proof), Ok(expected));
    assert_eq!(word(&card.transmit(&command)), 0x6985, "a second time");
}

#[test]
fn a_purchase_beyond_the_balance_or_with_a_wrong_mac_is_refused() {
    let mut card = ready(CardProfile::demo());
    assert_eq!(
        word(&card.transmit(&initialize_for_purchase(1, 12_851, TERMINAL))),
        0x9401
    );
    let init = ok(&card.transmit(&initialize_for_purchase(1, 1, TERMINAL)));
    let (mut command, _) = debit(card.profile(), 1, &init);
    command[19] ^= 1;
    assert_eq!(word(&card.transmit(&command)), 0x9302);
    assert_eq!(card.profile().balance, 12_850);
}

#[test]
fn a_credit_does_not_follow_the_initialize_of_a_purchase() {
    let mut card = ready(CardProfile::demo());
    ok(&card.transmit(&initialize_for_purchase(1, 1, TERMINAL)));
    let credit = purse::command::credit_for_load(AT, [0; 4]);
    assert_eq!(word(&card.transmit(&credit)), 0x6985);
}
