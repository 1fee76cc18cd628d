//! The table of a load, row by row, and what each row stores.

use ledger::*;

const MAC: [u8; 4] = [9; 4];
const AMOUNT: u32 = 5_000;
const N: u16 = 12;
const B: u32 = 300;

fn order(kind: Kind) -> Order {
    Order {
        id: LoadId([7; 16]),
        kind,
        terminal: [0; 6],
        card: CardId(1),
        account: AccountId(2),
        amount: if kind == Kind::TopUp { AMOUNT } else { 0 },
    }
}

fn shard() -> Shard {
    requested().shard()
}

fn requested() -> Load {
    Load::request(order(Kind::TopUp), 10).unwrap()
}

fn mac1(counter: u16, balance: u32) -> Mac1 {
    Mac1::verify(counter, balance, &MAC, &MAC).unwrap()
}

fn tac(attempt: u32) -> Event {
    tac_at(attempt, N)
}

fn tac_at(number: u32, counter: u16) -> Event {
    Event::Tac(code(number, counter))
}

fn code(number: u32, counter: u16) -> Tac {
    let attempt = Attempt {
        number,
        counter,
        balance: B,
        issued_ms: 0,
    };
    Tac::verify(&attempt, &MAC, &MAC).unwrap()
}

fn resume(counter: u16, balance: u32, not_loaded: Verdict) -> Event {
    let init = Some(FreshInit {
        mac1: mac1(counter, balance),
        since: Since::Unknown,
    });
    Event::Resume {
        evidence: Evidence {
            same_card: true,
            tac: None,
            init,
        },
        not_loaded,
    }
}

fn step(load: Load, event: Event) -> (Load, Vec<Effect>) {
    load.step(event, 20).unwrap()
}

fn after(load: Load, events: Vec<Event>) -> Load {
    events
        .into_iter()
        .fold(load, |load, event| step(load, event).0)
}

fn issued() -> Load {
    after(
        requested(),
        vec![
            Event::Authorise(mac1(N, B)),
            Event::Issue { available: 5_000 },
        ],
    )
}

fn in_doubt() -> Load {
    step(issued(), Event::Doubt(Doubt::Silence)).0
}

fn manual() -> Load {
    step(in_doubt(), Event::Suspend(Suspense::TooOld)).0
}

fn reversed() -> Load {
    step(in_doubt(), resume(N, B, Verdict::Refund)).0
}

fn transfer(from: Account, to: Account) -> Effect {
    Effect::Transfer(Transfer {
        from,
        to,
        amount: AMOUNT,
    })
}

const CUSTOMER: Account = Account::Customer(AccountId(2));

#[test]
fn a_load_of_nothing_is_refused() {
    let nothing = Order {
        amount: 0,
        ..order(Kind::TopUp)
    };
    assert_eq!(Load::request(nothing, 0), Err(Refusal::Amount));
    let costly = Order {
        amount: 1,
        ..order(Kind::Activation)
    };
    assert_eq!(Load::request(costly, 0), Err(Refusal::Amount));
}

#[test]
fn the_debit_and_the_mac2_are_in_one_commit() {
    let load = step(requested(), Event::Authorise(mac1(N, B))).0;
    assert_eq!(
        load.state(),
        &State::Authorised {
            counter: N,
            balance: B
        }
    );
    let (load, effects) = step(load, Event::Issue { available: 5_000 });
    assert_eq!(load.state(), &State::Issued { attempt: 1 });
    assert_eq!(
        effects,
        [
            transfer(CUSTOMER, Account::InTransit(shard())),
            Effect::IssueMac2 { attempt: 1 },
            Effect::Moved {
                from: Phase::Authorised,
                to: Phase::Issued
            },
        ]
    );
    let attempt = Attempt {
        number: 1,
        counter: N,
        balance: B,
        issued_ms: 20,
    };
    assert_eq!(load.attempts(), [attempt]);
    assert_eq!(load.changed_ms(), 20);
}

#[test]
fn one_fen_short_is_declined_without_a_mac2() {
    let load = step(requested(), Event::Authorise(mac1(N, B))).0;
    let (load, effects) = step(load, Event::Issue { available: 4_999 });
    assert_eq!(
        load.state(),
        &State::Declined {
            why: Decline::FundsShort
        }
    );
    assert_eq!(
        effects,
        [Effect::Moved {
            from: Phase::Authorised,
            to: Phase::Declined
        }]
    );
}

#[test]
fn before_a_mac2_a_load_is_voided_and_after_it_never() {
    for event in [Event::TimeOut, Event::Cancel] {
        let load = step(requested(), Event::Authorise(mac1(N, B))).0;
        assert_eq!(step(load, event.clone()).0.state(), &State::Voided);
        for load in [issued(), in_doubt(), manual()] {
            let phase = load.state().phase();
            assert_eq!(
                load.step(event.clone(), 20),
                Err(Refusal::OutOfPlace(phase))
            );
        }
    }
}

#[test]
fn a_tac_confirms_an_issued_load_and_a_load_in_doubt() {
    for load in [issued(), in_doubt()] {
        let (load, effects) = step(load, tac(1));
        assert_eq!(
            load.state(),
            &State::Confirmed {
                by: Proof::Tac { attempt: 1 }
            }
        );
        assert_eq!(
            effects[0],
            transfer(Account::InTransit(shard()), Account::CardFloat(shard()))
        );
        assert_eq!(effects.len(), 2);
    }
}

#[test]
fn the_same_request_again_gets_the_stored_reply_and_nothing_else() {
    assert_eq!(step(requested(), Event::Repeat), (requested(), vec![]));
    for load in [issued(), in_doubt(), manual(), reversed()] {
        let again = step(load.clone(), Event::Repeat);
        assert_eq!(again, (load, vec![Effect::AnswerStored]));
    }
}

#[test]
fn doubt_leaves_the_money_in_transit_and_a_bad_tac_is_an_incident() {
    for why in [Doubt::Silence, Doubt::Torn, Doubt::CardRefused] {
        let (load, effects) = step(issued(), Event::Doubt(why));
        assert_eq!(load.state(), &State::InDoubt { attempt: 1, why });
        assert_eq!(
            effects,
            [Effect::Moved {
                from: Phase::Issued,
                to: Phase::InDoubt
            }]
        );
        assert_eq!(step(load.clone(), Event::Doubt(why)), (load, vec![]));
    }
    let (load, effects) = step(issued(), Event::Doubt(Doubt::BadTac));
    assert_eq!(effects[0], Effect::Incident(Incident::BadTac));
    let (again, effects) = step(load.clone(), Event::Doubt(Doubt::BadTac));
    assert_eq!(
        (again, effects),
        (load, vec![Effect::Incident(Incident::BadTac)])
    );
}

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
fn two_operators_settle_what_no_card_can() {
    let operators = Operators::new("chen", "wang", "card seen at the counter").unwrap();
    for (resolution, goal, phase) in [
        (
            Resolution::Loaded,
            Account::CardFloat(shard()),
            Phase::Confirmed,
        ),
        (Resolution::Refund, CUSTOMER, Phase::Reversed),
        (
            Resolution::WriteOff,
            Account::WrittenOff(shard()),
            Phase::WrittenOff,
        ),
    ] {
        let event = Event::Resolve {
            resolution,
            operators: operators.clone(),
        };
        for load in [issued(), in_doubt()] {
            assert!(
                load.step(event.clone(), 20).is_err(),
                "only MANUAL is theirs"
            );
        }
        let (load, effects) = step(manual(), event);
        assert_eq!(load.state().phase(), phase);
        assert_eq!(effects[0], transfer(Account::InTransit(shard()), goal));
    }
}

#[test]
fn a_late_tac_on_a_reversed_load_is_an_incident_and_never_money() {
    let with_tac = Evidence {
        same_card: true,
        tac: Some(code(1, N)),
        init: None,
    };
    for event in [
        tac(1),
        Event::Resume {
            evidence: with_tac,
            not_loaded: Verdict::Refund,
        },
    ] {
        let again = step(reversed(), event);
        assert_eq!(
            again,
            (reversed(), vec![Effect::Incident(Incident::LateTac)])
        );
    }
    let confirmed = step(issued(), tac(1)).0;
    assert_eq!(
        step(confirmed.clone(), tac(1)),
        (confirmed, vec![Effect::AnswerStored])
    );
    assert_eq!(
        step(manual(), tac(1)),
        (manual(), vec![Effect::Incident(Incident::TacForOperators)])
    );
}

#[test]
fn a_final_state_refuses_every_other_event() {
    for event in [
        Event::Cancel,
        Event::TimeOut,
        Event::Issue { available: 9_999 },
        Event::Decline(Decline::Card),
        Event::Doubt(Doubt::Silence),
        resume(N, B, Verdict::LoadAgain),
        Event::Suspend(Suspense::TooOld),
        Event::FlagRead { active: true },
    ] {
        assert_eq!(
            reversed().step(event, 20),
            Err(Refusal::Final(Phase::Reversed))
        );
    }
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

#[test]
fn a_decline_has_its_place_before_the_mac2_alone() {
    let authorised = step(requested(), Event::Authorise(mac1(N, B))).0;
    let short = step(authorised.clone(), Event::Decline(Decline::FundsShort)).0;
    assert_eq!(short.state().phase(), Phase::Declined);
    let other = authorised.step(Event::Decline(Decline::Password), 99);
    assert_eq!(other, Err(Refusal::OutOfPlace(Phase::Authorised)));
    let issued = step(requested(), Event::Authorise(mac1(N, B))).0;
    let issued = step(issued, Event::Issue { available: 5_000 }).0;
    let late = issued.step(Event::Decline(Decline::FundsShort), 99);
    assert_eq!(late, Err(Refusal::OutOfPlace(Phase::Issued)));
}
