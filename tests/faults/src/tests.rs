use std::sync::Arc;
use std::time::Duration;

use crate::cards::{KINDS, PLAIN};
use crate::plan::{Matrix, Plan, Tear};
use crate::point::{Act, Cell, Point, When, Who};
use crate::rare::Rare;
use crate::replay::{ReplayError, replay};
use crate::run::{Report, run, simulated_time, templates, wallet};
use crate::stage::Stage;
use crate::template::Templates;
use crate::world::World;

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
            let (first, again) = (by_instant(&first.trace), by_instant(&again.trace));
            assert_eq!(first, again, "seed {seed} is replayed");
        }
    }
}

/// What card and bank do in the same millisecond, beside each other, has no order between them.
fn by_instant(trace: &[String]) -> Vec<String> {
    let instant = |line: &String| {
        let ms = line.split(" ms").next().unwrap_or_default();
        (ms.trim().parse::<u64>().unwrap_or_default(), line.clone())
    };
    let mut sorted = trace.to_vec();
    sorted.sort_by_key(instant);
    sorted
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

/// A phone's system freezes an app in the background and lets time go on.
#[test]
fn an_app_that_was_frozen_for_hours_makes_up_for_no_try_that_it_missed() {
    let templates = templates().unwrap();
    let plan = Plan::plain(PLAIN, Act::Start);
    let turns = simulated_time().unwrap().block_on(async {
        let world = Arc::new(World::new(&plan, wallet(&plan), false));
        let stage = Stage::new(templates.of(plan.card), &world, &plan).await;
        let stage = stage.unwrap();
        stage.person.ready().await.unwrap();
        let revision = || stage.person.session.view().borrow().revision;
        let before = revision();
        tokio::time::advance(Duration::from_secs(8 * 3_600)).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let turns = revision() - before;
        stage.close().await;
        turns
    });
    assert!(turns < 20, "{turns} turns for 9,600 tries that were missed");
}

/// Each state of the journal is cut off in the middle, the first one in a file that is empty but for it.
#[test]
fn an_app_that_dies_while_its_journal_is_written_loses_nothing() {
    let templates = templates().unwrap();
    for nth in 1..=4 {
        for draw in [1, 60, 200, 600, 900] {
            let mut plan = Plan::plain(PLAIN, Act::TopUp);
            let point = Point {
                act: Act::TopUp,
                step: "journal".to_owned(),
                nth,
            };
            let (who, when) = (Who::App, When::During);
            plan.faults.push((Cell { point, who, when }, draw));
            let report = run(&templates, &plan, false);
            assert_eq!(report.broken, None, "{}", report.trace.join("\n"));
            assert_eq!(report.struck.len(), 1, "state {nth} was written");
        }
    }
}

/// What a top-up waits for on the disk, with a card that was seen here before.
#[test]
fn a_load_waits_four_times_for_its_journal_and_once_for_the_cards_balance_in_files_that_are_there()
{
    let plan = Plan::plain(PLAIN, Act::TopUp);
    let report = run(&templates().unwrap(), &plan, false);
    let trace = report.trace.join("\n");
    let (_, second) = trace.split_once("Topup: done").unwrap();
    let (typed, load) = second.split_once("sms/verify").unwrap();
    let waits = |part: &str| {
        let waits = part.lines().filter_map(|line| line.split_once("disk: "));
        waits.map(|(_, what)| what.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(waits(typed), ["the journal, anew"], "{trace}");
    let mut expected = vec!["the journal, in place"; 4];
    expected.push("the rest, in place");
    assert_eq!(waits(load), expected, "{trace}");
}

/// A message that left can still arrive, so nobody may take its load for one that never was (seed 68272).
#[test]
fn a_message_astray_is_never_taken_for_unsent() {
    let templates = templates().unwrap();
    let astray = [
        ("twice", 0),
        ("late by 8000 ms", 40_001),
        ("once more in 8000 ms", 40_003),
    ];
    for (how, draw) in astray {
        let mut plan = Plan::plain(PLAIN, Act::TopUp);
        let cell = |step: &str, who, when| {
            let point = Point {
                act: Act::TopUp,
                step: step.to_owned(),
                nth: 1,
            };
            Cell { point, who, when }
        };
        let bank_away = (cell("INITIALIZE", Who::Bank, When::Before), 20_000);
        let lost = (cell("relay", Who::Network, When::During), draw);
        plan.faults.extend([bank_away, lost]);
        let report = run(&templates, &plan, false);
        let trace = report.trace.join("\n");
        assert_eq!(report.broken, None, "{trace}");
        assert!(trace.contains(how), "{how}: {trace}");
        assert!(
            trace.contains("Topup: failed: bank-silent, money Unsure"),
            "{how}: {trace}"
        );
    }
}

#[test]
fn each_kind_of_card_is_torn_at_each_of_its_steps() {
    let templates = templates().unwrap();
    let mut matrix = Matrix::find(&templates, None).unwrap();
    for kind in KINDS {
        let begins = match kind.name {
            "cash" => "GENERATE AC",
            _ => "INITIALIZE",
        };
        for step in ["PROBE", begins, kind.write, "relay"] {
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
    matrix.by_card = true;
    let round = u64::try_from(matrix.tears.len()).unwrap();
    let mut planned: Vec<Tear> = Vec::new();
    for seed in 1..=round {
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

/// What the app of a run with this fault in its top-up exports at the end.
fn exported(faults: &[(&str, u32, Who, When)]) -> String {
    let mut plan = Plan::plain(PLAIN, Act::TopUp);
    for (step, nth, who, when) in faults {
        let point = Point {
            act: Act::TopUp,
            step: (*step).to_owned(),
            nth: *nth,
        };
        let (who, when) = (*who, *when);
        plan.faults.push((Cell { point, who, when }, 1));
    }
    let (report, trace) = crate::run::exported(&templates().unwrap(), &plan);
    assert_eq!(report.broken, None, "{}", report.trace.join("\n"));
    assert_eq!(report.struck.len(), faults.len(), "each fault struck");
    trace
}

#[test]
fn the_trace_of_a_torn_top_up_and_its_re_top_up_is_run_again_to_the_byte() {
    let templates = templates().unwrap();
    for (when, carried_out) in [
        (When::Before, "unanswered 1: not carried out"),
        (When::After, "unanswered 1: carried out"),
    ] {
        let trace = exported(&[("CREDIT", 1, Who::Card, when)]);
        let first = replay(&templates, &trace).unwrap_or_else(|error| panic!("{error}"));
        assert!(first.contains("-> Lost"), "{first}");
        assert!(first.contains("card-lost"), "{first}");
        assert!(first.contains("InTransit"), "{first}");
        assert!(first.contains(carried_out), "{first}");
        assert_eq!(replay(&templates, &trace).unwrap(), first);
    }
}

#[test]
fn traces_with_lost_requests_and_bad_contact_are_run_again() {
    let templates = templates().unwrap();
    for faults in [
        [("relay", 2, Who::Network, When::After)],
        [("relay", 1, Who::Network, When::Before)],
        [("PROBE", 2, Who::Card, When::After)],
        [("INITIALIZE", 1, Who::Card, When::After)],
        [("SELECT", 1, Who::Card, When::Before)],
    ] {
        let trace = exported(&faults);
        let again = replay(&templates, &trace);
        again.unwrap_or_else(|error| panic!("{faults:?}\n{error}"));
    }
}

#[test]
fn a_trace_that_was_changed_is_not_the_same() {
    let templates = templates().unwrap();
    let trace = exported(&[("CREDIT", 1, Who::Card, When::After)]);
    let changed = trace.replacen("\"already-on-card\"", "\"loaded\"", 1);
    assert_ne!(changed, trace);
    let Err(ReplayError::Differs(told)) = replay(&templates, &changed) else {
        panic!("a trace of something else passes");
    };
    assert!(told.contains("differs: screen"), "{told}");
    assert!(replay(&templates, "no trace").is_err());
}

/// From the first start on: enrolment, a card torn after CREDIT FOR LOAD, a re-top-up; on HTTPS and the real clock.
#[test]
fn a_trace_of_real_servers_is_run_again() {
    let trace = include_str!("../../fixtures/traces/torn.jsonl");
    let templates = templates().unwrap();
    let told = replay(&templates, trace).unwrap_or_else(|error| panic!("{error}"));
    assert!(told.contains("unanswered 1: carried out"), "{told}");
    assert!(told.contains("bank /v1/enrol: -> ok"), "{told}");
    assert!(told.contains("card: 805200000B -> Lost"), "{told}");
    assert!(told.ends_with("re-top-up AlreadyOnCard\n"), "{told}");
}

/// A phone whose sheet a person closed while a card was awaited; then a balance.
#[test]
fn a_trace_of_a_phone_whose_sheet_was_closed_is_run_again() {
    let trace = include_str!("../../fixtures/traces/closed.jsonl");
    let templates = templates().unwrap();
    let told = replay(&templates, trace).unwrap_or_else(|error| panic!("{error}"));
    assert!(told.contains("card-none"), "{told}");
    assert!(told.contains("card: 00A4040009 -> 9000"), "{told}");
}
