//! The whole bank on its SQLite store against a small model of it: after every step the money, the phase of every
//! load and every invariant are the model's.

mod compare;
mod model;
mod world;

use proptest::prelude::*;
use proptest_state_machine::{StateMachineTest, prop_state_machine};

use compare::compare;
use model::{Books, Step};
use world::{World, act};

struct Bank;

impl StateMachineTest for Bank {
    type SystemUnderTest = World;
    type Reference = Books;

    fn init_test(_: &Books) -> World {
        World::new()
    }

    fn apply(mut world: World, after: &Books, step: Step) -> World {
        world.run(async |world| {
            act(world, after, &step).await;
            compare(world, after, &step).await;
        });
        world
    }

    fn teardown(world: World, _: Books) {
        world.end();
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_bank_keeps_the_books_of_the_model(sequential 1..30 => Bank);
}
