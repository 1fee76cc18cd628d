//! Random histories of cards, loads and events: no rule of the ledger ever breaks.

use ledger::*;
use proptest::prelude::*;

use crate::world::{Op, World};

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..2usize, 1..4_000u32).prop_map(|(card, amount)| Op::Request { card, amount }),
        4 => any::<usize>().prop_map(Op::Authorise),
        4 => any::<usize>().prop_map(Op::Issue),
        4 => any::<usize>().prop_map(Op::CreditCard),
        3 => any::<usize>().prop_map(Op::DeliverTac),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(load, again)| Op::Resume { load, again }),
        1 => any::<usize>().prop_map(Op::ResumeOtherCard),
        3 => (any::<usize>(), 0..4usize).prop_map(|(load, why)| Op::Doubt { load, why }),
        2 => (0..2usize, 1..500u32).prop_map(|(card, amount)| Op::Spend { card, amount }),
        1 => (0..2usize).prop_map(Op::PowerOff),
        1 => (any::<usize>(), 0..5usize).prop_map(|(load, what)| Op::Stop { load, what }),
    ]
}

fn op_of_people() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => op(),
        1 => any::<usize>().prop_map(Op::Suspend),
        1 => (any::<usize>(), 0..3usize).prop_map(|(load, how)| Op::Resolve { load, how }),
        1 => (any::<usize>(), any::<u16>(), any::<u32>(), any::<Option<u32>>())
            .prop_map(|(load, counter, balance, spent)| Op::StrangeInit { load, counter, balance, spent }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_events_breaks_a_rule(ops in prop::collection::vec(op_of_people(), 1..80)) {
        let mut world = World::new();
        for op in ops {
            let before = world.snapshot();
            world.run(&op);
            let after = world.snapshot();
            prop_assert_eq!(invariant::check(&after), vec![], "after {:?}", op);
            prop_assert_eq!(invariant::append_only(&before.entries, &after.entries), Ok(()));
        }
    }

    #[test]
    fn when_cards_come_back_no_load_stays_in_doubt_and_no_fen_is_lost_or_made(
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let mut world = World::new();
        let total = world.total();
        for op in &ops {
            world.run(op);
        }
        world.heal();
        let snapshot = world.snapshot();
        prop_assert_eq!(invariant::check(&snapshot), vec![]);
        for load in &snapshot.loads {
            let settled = load.phase.is_final()
                || matches!(load.phase, Phase::Requested | Phase::Authorised);
            prop_assert!(settled, "{} stays {}", load.id.0[0], load.phase);
        }
        prop_assert_eq!(world.total(), total);
    }

    #[test]
    fn a_final_state_never_changes_and_never_moves_money(
        ops in prop::collection::vec(op_of_people(), 1..80),
    ) {
        let mut world = World::new();
        for op in ops {
            let before = world.loads();
            world.run(&op);
            for (before, after) in before.iter().zip(world.loads()) {
                if before.state().phase().is_final() {
                    prop_assert_eq!(before, &after, "after {:?}", op);
                }
            }
        }
    }

    #[test]
    fn a_load_survives_its_storage(ops in prop::collection::vec(op_of_people(), 1..40)) {
        let mut world = World::new();
        for op in ops {
            world.run(&op);
        }
        for load in world.loads() {
            let stored = serde_json::to_string(&load).unwrap();
            prop_assert_eq!(serde_json::from_str::<Load>(&stored).unwrap(), load);
        }
    }
}

#[test]
fn random_histories_reach_every_phase_by_every_proof() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let histories = prop::collection::vec(op_of_people(), 60..80);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let mut world = World::new();
        for op in histories.new_tree(&mut runner).unwrap().current() {
            world.run(&op);
        }
        for load in world.snapshot().loads {
            let proof = load.proof.map_or("-", |proof| proof.name());
            seen.insert(format!("{} {proof}", load.phase));
        }
    }
    for expected in [
        "requested -",
        "authorised -",
        "issued -",
        "in-doubt -",
        "manual -",
        "confirmed tac",
        "confirmed counter",
        "confirmed operators",
        "reversed counter",
        "reversed operators",
        "declined -",
        "voided -",
        "written-off -",
    ] {
        assert!(seen.contains(expected), "{expected} is missing in {seen:?}");
    }
}

#[test]
fn a_counter_that_people_confirmed_is_used_up() {
    let mut world = World::new();
    for op in [
        Op::Request { card: 1, amount: 1 },
        Op::Authorise(0),
        Op::Issue(0),
        Op::Doubt { load: 0, why: 0 },
        Op::Suspend(0),
        Op::Resolve { load: 0, how: 0 },
        Op::Request { card: 1, amount: 1 },
        Op::Authorise(1),
        Op::Issue(1),
        Op::CreditCard(1),
        Op::DeliverTac(1),
    ] {
        world.run(&op);
    }
    let books = world.snapshot();
    assert_eq!(invariant::check(&books), vec![]);
    let phases: Vec<Phase> = books.loads.iter().map(|load| load.phase).collect();
    assert_eq!(phases, [Phase::Confirmed, Phase::Declined]);
}
