//! What a card that comes back says of a load in doubt.

use super::*;

#[test]
fn counter_n_gives_a_second_mac2_without_a_second_debit() {
    let (load, effects) = step(in_doubt(), resume(N, B - 50, Verdict::LoadAgain));
    assert_eq!(load.state(), &State::Issued { attempt: 2 });
    assert_eq!(
        effects,
        [
            Effect::IssueMac2 { attempt: 2 },
            Effect::Moved {
                from: Phase::InDoubt,
                to: Phase::Issued
            }
        ]
    );
    assert_eq!(load.last_attempt().map(|last| last.balance), Some(B - 50));
    let by = Proof::Tac { attempt: 2 };
    assert_eq!(step(load, tac(2)).0.state(), &State::Confirmed { by });
}

#[test]
fn counter_n_gives_the_money_back_when_a_refund_is_chosen() {
    let (load, effects) = step(in_doubt(), resume(N, B, Verdict::Refund));
    assert_eq!(
        load.state(),
        &State::Reversed {
            by: Proof::Counter { counter: N }
        }
    );
    assert_eq!(effects[0], transfer(Account::InTransit(shard()), CUSTOMER));
}

#[test]
fn counter_n_plus_one_confirms_by_counter() {
    let (load, effects) = step(in_doubt(), resume(N + 1, B + AMOUNT, Verdict::LoadAgain));
    assert_eq!(
        load.state(),
        &State::Confirmed {
            by: Proof::Counter { counter: N + 1 }
        }
    );
    assert_eq!(
        effects[0],
        transfer(Account::InTransit(shard()), Account::CardFloat(shard()))
    );
}

#[test]
fn a_contradiction_is_for_people_and_moves_nothing() {
    for (counter, balance, why, incident) in [
        (N - 1, B, Suspense::CounterBelow, Incident::CounterBelow),
        (
            N + 2,
            B + AMOUNT,
            Suspense::CounterAbove,
            Incident::CounterAbove,
        ),
        (N + 1, B, Suspense::Contradiction, Incident::Contradiction),
        (
            N,
            B + AMOUNT,
            Suspense::Contradiction,
            Incident::Contradiction,
        ),
    ] {
        let (load, effects) = step(in_doubt(), resume(counter, balance, Verdict::Refund));
        assert_eq!(load.state(), &State::Manual { why });
        let moved = Effect::Moved {
            from: Phase::InDoubt,
            to: Phase::Manual,
        };
        assert_eq!(effects, [Effect::Incident(incident), moved]);
    }
}

#[test]
fn another_card_leaves_the_load_in_doubt() {
    let evidence = Evidence {
        same_card: false,
        tac: None,
        init: None,
    };
    let event = Event::Resume {
        evidence,
        not_loaded: Verdict::Refund,
    };
    let again = step(in_doubt(), event);
    assert_eq!(
        again,
        (in_doubt(), vec![Effect::Incident(Incident::OtherCard)])
    );
}

#[test]
fn a_card_that_says_nothing_decides_nothing() {
    let evidence = Evidence {
        same_card: true,
        tac: None,
        init: None,
    };
    let event = Event::Resume {
        evidence,
        not_loaded: Verdict::Refund,
    };
    assert_eq!(in_doubt().step(event.clone(), 20), Err(Refusal::Undecided));
    assert_eq!(
        issued().step(event, 20),
        Err(Refusal::OutOfPlace(Phase::Issued))
    );
}

#[test]
fn a_tac_of_an_earlier_attempt_at_the_same_counter_settles_the_load() {
    // A fresh INITIALIZE that was on its way for long: the card did the first attempt meanwhile.
    let second = step(in_doubt(), resume(N, B, Verdict::LoadAgain)).0;
    let by = Proof::Tac { attempt: 1 };
    let told = step(second.clone(), tac(1)).0;
    assert_eq!(told.state(), &State::Confirmed { by: by.clone() });
    let evidence = Evidence {
        same_card: true,
        tac: Some(code(1, N)),
        init: None,
    };
    let not_loaded = Verdict::LoadAgain;
    let shown = Event::Resume {
        evidence,
        not_loaded,
    };
    let shown = after(second, vec![Event::Doubt(Doubt::Torn), shown]);
    assert_eq!(shown.state(), &State::Confirmed { by }, "by 805A as well");
}

#[test]
fn a_tac_of_an_attempt_that_the_counter_had_ruled_out_goes_to_people() {
    let second = step(in_doubt(), resume(N, B, Verdict::LoadAgain)).0;
    let (doubt, effects) = step(second, tac_at(1, N - 1));
    assert_eq!(
        doubt.state(),
        &State::InDoubt {
            attempt: 2,
            why: Doubt::BadTac
        }
    );
    assert_eq!(effects[0], Effect::Incident(Incident::DeadAttemptTac));
    let (load, effects) = step(doubt, tac_at(1, N - 1));
    assert_eq!(
        load.state(),
        &State::Manual {
            why: Suspense::DeadAttempt
        }
    );
    assert_eq!(effects[0], Effect::Incident(Incident::DeadAttemptTac));
}

#[test]
fn after_too_many_attempts_a_person_decides() {
    let mut load = issued();
    for _ in 1..MAX_ATTEMPTS {
        load = after(
            load,
            vec![Event::Doubt(Doubt::Torn), resume(N, B, Verdict::LoadAgain)],
        );
    }
    assert_eq!(
        load.state(),
        &State::Issued {
            attempt: MAX_ATTEMPTS
        }
    );
    load = after(
        load,
        vec![Event::Doubt(Doubt::Torn), resume(N, B, Verdict::LoadAgain)],
    );
    assert_eq!(
        load.state(),
        &State::Manual {
            why: Suspense::TooManyAttempts
        }
    );
}
