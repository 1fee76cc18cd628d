//! Everything that can happen within these bounds. Each run prints how much that was.

use std::io::Write;

use model::{Settings, explore};

fn holds(name: &str, settings: Settings) {
    match explore(settings) {
        Ok(figures) => {
            let _ = writeln!(
                std::io::stdout(),
                "{name}, {} faults: {figures}",
                settings.faults
            );
        }
        Err(why) => panic!("{name}: {why}"),
    }
}

#[test]
fn one_card_with_two_attempts() {
    holds("one card, one top-up", Settings::one_card(1, 3));
    holds("one card, two top-ups", Settings::one_card(2, 2));
}

#[test]
fn two_cards_with_one_attempt_each() {
    holds("two cards", Settings::two_cards(2));
}

#[test]
fn one_card_between_two_devices() {
    holds("two devices", Settings::two_devices(2, 1));
}

#[test]
fn a_card_that_is_spent_from_in_between() {
    let settings = Settings {
        purchases: 1,
        ..Settings::one_card(2, 1)
    };
    holds("purchases", settings);
}

#[test]
fn a_bank_that_gives_money_back_on_the_cards_proof() {
    let settings = Settings {
        refunds: true,
        ..Settings::one_card(1, 3)
    };
    holds("refunds", settings);
    let settings = Settings {
        refunds: true,
        ..Settings::two_devices(1, 2)
    };
    holds("refunds, two devices", settings);
}

#[test]
fn lost_cards_and_two_operators() {
    let settings = Settings {
        operators: true,
        ..Settings::one_card(1, 3)
    };
    holds("operators", settings);
}

#[test]
fn a_bank_whose_check_and_debit_are_two_commits() {
    let settings = Settings {
        two_commits: true,
        funds: 1,
        ..Settings::one_card(2, 2)
    };
    holds("two commits", settings);
}
