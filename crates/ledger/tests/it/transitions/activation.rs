//! Activations: the same table without money.

use super::*;

#[test]
fn an_activation_is_the_same_machine_without_money() {
    let load = Load::request(order(Kind::Activation), 10).unwrap();
    assert!(load.clone().step(Event::Authorise(mac1(N, B)), 20).is_err());
    let load = step(load, Event::AuthoriseActivation).0;
    let (load, effects) = step(load, Event::Issue { available: 0 });
    let moved = Effect::Moved {
        from: Phase::Authorised,
        to: Phase::Issued,
    };
    assert_eq!(effects, [Effect::IssueMac2 { attempt: 1 }, moved]);
    assert!(
        load.clone().step(tac(1), 20).is_err(),
        "an activation has no TAC"
    );
    let (confirmed, effects) = step(load.clone(), Event::FlagRead { active: true });
    assert_eq!(
        confirmed.state(),
        &State::Confirmed {
            by: Proof::EnableFlag
        }
    );
    assert_eq!(
        effects,
        [Effect::Moved {
            from: Phase::Issued,
            to: Phase::Confirmed
        }]
    );
    let doubt = step(load, Event::FlagRead { active: false }).0;
    assert_eq!(doubt.state().phase(), Phase::InDoubt);
    let given_up = step(doubt, Event::FlagRead { active: false }).0;
    assert_eq!(given_up.state(), &State::Reversed { by: Proof::NoMoney });
}

#[test]
fn a_top_up_has_no_enable_flag() {
    assert!(issued().step(Event::FlagRead { active: true }, 20).is_err());
    assert!(requested().step(Event::AuthoriseActivation, 20).is_err());
}

#[test]
fn an_activation_never_waits_for_people() {
    let load = Load::request(order(Kind::Activation), 10).unwrap();
    let load = step(load, Event::AuthoriseActivation).0;
    let load = step(load, Event::Issue { available: 0 }).0;
    let load = step(load, Event::Doubt(Doubt::Silence)).0;
    for why in [Suspense::TooOld, Suspense::LostCard] {
        let refused = load.clone().step(Event::Suspend(why), 99);
        assert_eq!(refused, Err(Refusal::OutOfPlace(Phase::InDoubt)));
    }
    let load = step(load, Event::FlagRead { active: true }).0;
    assert_eq!(load.state().phase(), Phase::Confirmed);
}
