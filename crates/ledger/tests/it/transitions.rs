//! The table of a load, row by row, and what each row stores.

mod activation;
mod resuming;

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
