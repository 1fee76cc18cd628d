use crate::cards::{KINDS, PLAIN};
use crate::plan::{Matrix, Plan, Tear};
use crate::point::{Act, Point, When, Who};
use crate::rare::Rare;
use crate::run::{Report, run, templates};
use crate::template::Templates;

fn report(templates: &Templates, matrix: &Matrix, seed: u64) -> Report {
    run(templates, &matrix.plan(seed, None).unwrap(), false)
}

/// A number without a common factor with the number of cells goes through all of them.
const STRIDE: u64 = 37;

#[test]
fn one_seed_is_one_run_and_no_invariant_breaks() {
    let templates = templates().unwrap();
    let matrix = Matrix::find(&templates, None).unwrap();
    for seed in (1..=200).map(|n| n * STRIDE) {
        let first = report(&templates, &matrix, seed);
        assert_eq!(
            first.broken,
            None,
            "seed {seed}\n{}",
            first.trace.join("\n")
        );
        if seed <= 50 * STRIDE {
            let again = report(&templates, &matrix, seed);
            assert_eq!(first.trace, again.trace, "seed {seed} is replayed");
        }
    }
}

#[test]
fn a_matrix_has_every_message_and_every_command_of_a_top_up() {
    let templates = templates().unwrap();
    let matrix = Matrix::find(&templates, crate::cards::named("plain")).unwrap();
    let steps: Vec<&str> = matrix
        .rows
        .iter()
        .filter(|(point, _)| point.act == Act::TopUp)
        .map(|(point, _)| point.step.as_str())
        .collect();
    for step in [
        "key-query",
        "sms/send",
        "sms/verify",
        "INITIALIZE",
        "relay",
        "CREDIT",
    ] {
        assert!(steps.contains(&step), "{step} is in {steps:?}");
    }
    assert_eq!(steps.iter().filter(|step| **step == "relay").count(), 2);
}

/// The first commit of the first request fails, and two more.
#[test]
fn a_store_that_was_full_serves_again_and_the_app_finds_that_out_by_itself() {
    let mut plan = Plan::plain(PLAIN, Act::TopUp);
    let point = Point {
        act: Act::Start,
        step: "working-key".to_owned(),
        nth: 1,
    };
    plan.rare.push((point, Rare::StoreFull(3)));
    let report = run(&templates().unwrap(), &plan, false);
    assert_eq!(report.rare, ["the bank's store is full"]);
    assert_eq!(report.broken, None, "{}", report.trace.join("\n"));
}

#[test]
fn a_store_that_somebody_else_locks_is_waited_for() {
    let mut plan = Plan::plain(PLAIN, Act::TopUp);
    let point = Point {
        act: Act::TopUp,
        step: "relay".to_owned(),
        nth: 1,
    };
    plan.rare.push((point, Rare::StoreLocked(2_000)));
    let report = run(&templates().unwrap(), &plan, false);
    let trace = report.trace.join("\n");
    assert_eq!(report.broken, None, "{trace}");
    assert!(trace.contains("somebody else locks the store"), "{trace}");
    assert!(trace.contains("bank: relay -> 503"), "busy first: {trace}");
    assert!(trace.contains("Topup: done"), "then done: {trace}");
}

#[test]
fn each_kind_of_card_is_torn_at_each_of_its_steps() {
    let templates = templates().unwrap();
    let matrix = Matrix::find(&templates, None).unwrap();
    for kind in KINDS {
        for step in ["PROBE", "INITIALIZE", "CREDIT", "relay"] {
            for when in When::ALL {
                let tear = Tear {
                    act: Act::TopUp,
                    step: step.to_owned(),
                    when,
                    card: kind.name,
                };
                assert!(matrix.tears.contains(&tear), "{tear:?}");
            }
        }
    }
    let round = 3 * u64::try_from(matrix.tears.len()).unwrap() / 2 + 3;
    let mut planned: Vec<Tear> = Vec::new();
    for seed in (1..=round).filter(|seed| !seed.is_multiple_of(3)) {
        let plan = matrix.plan(seed, None).unwrap();
        let torn = plan.faults.iter().filter(|(cell, _)| cell.who == Who::Card);
        planned.extend(torn.map(|(cell, _)| Tear {
            act: cell.point.act,
            step: cell.point.step.clone(),
            when: cell.when,
            card: plan.card.name,
        }));
    }
    for tear in &matrix.tears {
        assert!(planned.contains(tear), "{tear:?} in one round");
    }
}
