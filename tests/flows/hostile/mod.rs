//! What was tried on purpose to lose a fen, to make one, or to make the app say what is not so.

mod bank;
mod card;
mod cash_card;
mod disk;
mod keys;
mod network;
pub(crate) mod packages;
mod random;

use ipc::{ErrorView, ReaderKind, StepName, StepState};
use tapfill_tests::Trouble;
use virtual_card::{Fault, Moment};

use crate::stage::Stage;

pub(crate) fn tear(ins: u8, moment: Moment) -> Fault {
    Fault::Tear {
        ins: Some(ins),
        moment,
        nth: 1,
    }
}

pub(super) async fn card_back(stage: &Stage) {
    stage.slot.clear();
    stage.slot.insert();
    stage
        .person
        .until("the card", |v| v.reader.state == ReaderKind::Card)
        .await
        .unwrap();
}

pub(super) fn failure(result: Result<ipc::TransactionView, Trouble>) -> ErrorView {
    match result {
        Err(Trouble::Failed(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(view) => panic!("ended well: {view:?}"),
    }
}

pub(super) fn running(step: StepName) -> impl Fn(&ipc::AppView) -> bool {
    move |v| {
        v.transaction.as_ref().is_some_and(|t| {
            t.steps
                .iter()
                .any(|s| s.name == step && s.state == StepState::Running)
        })
    }
}

pub(super) fn rng(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |n| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        (x >> 11) % n
    }
}
