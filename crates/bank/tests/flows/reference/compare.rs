//! Whether the bank's books are the model's.

use super::model::{Books, FUNDS, Load, Phase, Step};
use super::world::World;
use crate::stage::Stage;

/// Money, phases and invariants, as the model has them.
pub(super) async fn compare(world: &mut World, books: &Books, step: &Step) {
    let stage = world.stage();
    let mut report = stage.bank.check().await.unwrap();
    assert_eq!(report.findings, [], "after {step:?}");
    let phase_of = |load: &Load| load.phase;
    let wanted: Vec<Phase> = books.loads.iter().map(phase_of).collect();
    let mut found = phases(stage).await;
    if matches!(step, Step::Restart | Step::GrowOld) {
        // The bank's own work begins with its start and is done a moment later.
        for _ in 0..200 {
            if found == wanted {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            found = phases(stage).await;
        }
        report = stage.bank.check().await.unwrap();
    }
    assert_eq!(found, wanted, "after {step:?}");
    let held = |load: &&Load| matches!(load.phase, Phase::Issued | Phase::InDoubt | Phase::Manual);
    let in_transit: u32 = books
        .loads
        .iter()
        .filter(held)
        .map(|load| load.amount)
        .sum();
    let money = report.money;
    assert_eq!(money.customers, i64::from(books.account), "after {step:?}");
    assert_eq!(money.in_transit, i64::from(in_transit), "after {step:?}");
    assert_eq!(
        money.written_off,
        i64::from(books.given_up),
        "after {step:?}"
    );
    assert_eq!(-money.funding, i64::from(FUNDS));
    for (card, purse) in world.cards.iter().zip(&books.purses) {
        assert_eq!(card.balance, purse.balance, "after {step:?}");
    }
}

/// Of every load that was approved, in the order of their making.
async fn phases(stage: &Stage) -> Vec<Phase> {
    let names = stage.phases().await;
    let read = |name: String| match name.as_str() {
        "issued" => Some(Phase::Issued),
        "in-doubt" => Some(Phase::InDoubt),
        "manual" => Some(Phase::Manual),
        "confirmed" => Some(Phase::Confirmed),
        "reversed" => Some(Phase::Reversed),
        "written-off" => Some(Phase::WrittenOff),
        "declined" => None,
        other => panic!("{other}"),
    };
    names.into_iter().filter_map(read).collect()
}
