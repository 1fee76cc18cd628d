//! A property that can't fail shows nothing: each planted bug must be found, and by what it breaks.

use std::io::Write;

use model::{Bug, Settings, first_failure};

fn found(settings: Settings, bug: Bug) {
    let found = first_failure(settings.with(bug));
    assert_eq!(first_failure(settings), None, "without the bug all holds");
    let found = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
    let _ = writeln!(std::io::stdout(), "{bug:?}: {found}");
}

#[test]
fn a_refund_on_silence_is_found() {
    found(Settings::one_card(1, 1), Bug::RefundOnSilence);
}

#[test]
fn a_refund_on_an_old_initialize_is_found() {
    let settings = Settings {
        refunds: true,
        ..Settings::one_card(1, 2)
    };
    found(settings, Bug::RefundOnOldInitialize);
}

#[test]
fn a_reply_that_is_stored_after_the_commit_is_found() {
    found(Settings::one_card(1, 1), Bug::ReplyAfterCommit);
}

#[test]
fn a_mac2_without_its_debit_is_found() {
    found(Settings::one_card(1, 1), Bug::Mac2WithoutDebit);
}

#[test]
fn the_proof_of_another_load_is_found() {
    found(Settings::one_card(2, 1), Bug::TacOfAnotherLoad);
}

#[test]
fn a_second_open_load_is_found() {
    found(Settings::two_devices(2, 1), Bug::SecondOpenLoad);
}

#[test]
fn an_unchecked_counter_is_found() {
    found(Settings::two_devices(2, 1), Bug::CounterUnchecked);
}

#[test]
fn a_final_word_that_is_taken_back_is_found() {
    let settings = Settings {
        operators: true,
        ..Settings::one_card(1, 2)
    };
    found(settings, Bug::FinalNotFinal);
}

#[test]
fn a_proof_asked_for_after_an_initialize_is_found() {
    let settings = Settings {
        purchases: 1,
        ..Settings::one_card(1, 1)
    };
    found(settings, Bug::ProveAfterInitialize);
}

#[test]
fn a_journal_written_after_the_effect_is_found() {
    found(Settings::one_card(1, 1), Bug::JournalAfterEffect);
}

#[test]
fn a_command_sent_again_over_an_old_handle_is_found() {
    found(Settings::one_card(1, 1), Bug::OldHandle);
}

#[test]
fn silence_taken_for_a_no_is_found() {
    found(Settings::one_card(1, 1), Bug::SilenceIsNo);
}
