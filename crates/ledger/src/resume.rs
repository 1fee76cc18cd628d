//! What a card that comes back proves about a torn load.

use serde::{Deserialize, Serialize};

use crate::{Attempt, FreshInit, Since, Tac};

/// What the bank has seen since the load fell into doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// The card on the reader is the card of the load (industry and serial).
    pub same_card: bool,
    /// A TAC that verifies for an attempt of this load.
    pub tac: Option<Tac>,
    /// A new INITIALIZE FOR LOAD reply whose MAC1 verifies.
    pub init: Option<FreshInit>,
}

/// What follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// A TAC verifies: the card was credited.
    LoadedByTac,
    /// Counter n + 1 and a balance that fits: the card was credited.
    LoadedByCounter,
    /// Counter n: the card was not credited, and the old MAC2 is dead. Load again, or refund.
    NotLoaded,
    /// Suspense: a person decides, nothing moves.
    Contradiction(Contradiction),
    /// Stays pending.
    WrongCard(WrongCard),
    /// Ask the card for more.
    Undecided,
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Contradiction {
    /// Counter n + 1, but the balance is not old + amount - spent; or counter n and more money than before.
    Balance,
    /// Counter n + 1, but the log says that somebody else's load moved it.
    OtherLoad,
    /// Counter above n + 1: somebody else loaded this card.
    CounterAbove,
    /// A TAC of an attempt that is not the newest one.
    DeadAttempt,
}

/// Why this is not the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WrongCard {
    /// Another industry or serial.
    OtherSerial,
    /// A counter below n, which the load's card can't have.
    CounterBelow,
}

/// The decision table for one attempt in doubt of `amount` fen.
///
/// With counter n the balance may be lower than before: purchases do not move the online counter. With
/// counter n + 1 the balance must be old + amount, less what the log shows as spent since; and the log must not say
/// that another load came to that counter.
pub fn decide_resume(attempt: &Attempt, amount: u32, evidence: &Evidence) -> Decision {
    if !evidence.same_card {
        return Decision::WrongCard(WrongCard::OtherSerial);
    }
    if let Some(tac) = evidence.tac {
        return if tac.settles(attempt) {
            Decision::LoadedByTac
        } else {
            Decision::Contradiction(Contradiction::DeadAttempt)
        };
    }
    let Some(init) = evidence.init else {
        return Decision::Undecided;
    };
    let (counter, balance) = (u32::from(init.mac1.counter()), init.mac1.balance());
    let before = u32::from(attempt.counter);
    if counter < before {
        return Decision::WrongCard(WrongCard::CounterBelow);
    }
    match counter.saturating_sub(before) {
        0 if balance <= attempt.balance => Decision::NotLoaded,
        1 if init.since == Since::OtherLoad => Decision::Contradiction(Contradiction::OtherLoad),
        1 if balance_fits(attempt, amount, &init) => Decision::LoadedByCounter,
        0 | 1 => Decision::Contradiction(Contradiction::Balance),
        _ => Decision::Contradiction(Contradiction::CounterAbove),
    }
}

fn balance_fits(attempt: &Attempt, amount: u32, init: &FreshInit) -> bool {
    let Some(loaded) = attempt.balance.checked_add(amount) else {
        return false;
    };
    let left = match init.since {
        Since::Spent(spent) => loaded.checked_sub(spent),
        Since::Unknown | Since::OtherLoad => None,
    };
    let balance = init.mac1.balance();
    balance == loaded || left == Some(balance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mac1;

    const ATTEMPT: Attempt = Attempt {
        number: 2,
        counter: 9,
        balance: 1_000,
        issued_ms: 0,
    };
    const AMOUNT: u32 = 5_000;

    fn init(counter: u16, balance: u32, spent: Option<u32>) -> Decision {
        decide(counter, balance, spent.map_or(Since::Unknown, Since::Spent))
    }

    fn decide(counter: u16, balance: u32, since: Since) -> Decision {
        let mac1 = Mac1::verify(counter, balance, &[0; 4], &[0; 4]).unwrap();
        let init = Some(FreshInit { mac1, since });
        decide_resume(
            &ATTEMPT,
            AMOUNT,
            &Evidence {
                same_card: true,
                tac: None,
                init,
            },
        )
    }

    #[test]
    fn a_tac_of_the_newest_attempt_decides_whatever_else_is_seen() {
        let tac = Tac::verify(&ATTEMPT, &[0; 4], &[0; 4]);
        let evidence = Evidence {
            same_card: true,
            tac,
            init: None,
        };
        assert_eq!(
            decide_resume(&ATTEMPT, AMOUNT, &evidence),
            Decision::LoadedByTac
        );
        let earlier = Attempt {
            number: 1,
            ..ATTEMPT
        };
        let same_counter = Evidence {
            tac: Tac::verify(&earlier, &[0; 4], &[0; 4]),
            ..evidence
        };
        assert_eq!(
            decide_resume(&ATTEMPT, AMOUNT, &same_counter),
            Decision::LoadedByTac,
            "the card does one load at each counter"
        );
        let ruled_out = Attempt {
            counter: 8,
            ..earlier
        };
        let dead = Evidence {
            tac: Tac::verify(&ruled_out, &[0; 4], &[0; 4]),
            ..evidence
        };
        let decision = decide_resume(&ATTEMPT, AMOUNT, &dead);
        assert_eq!(
            decision,
            Decision::Contradiction(Contradiction::DeadAttempt)
        );
    }

    #[test]
    fn counter_n_means_not_loaded() {
        assert_eq!(init(9, 1_000, None), Decision::NotLoaded);
        assert_eq!(init(9, 400, None), Decision::NotLoaded, "spent since");
        assert_eq!(
            init(9, 1_001, None),
            Decision::Contradiction(Contradiction::Balance)
        );
    }

    #[test]
    fn counter_n_plus_one_means_loaded_when_the_balance_fits() {
        assert_eq!(init(10, 6_000, None), Decision::LoadedByCounter);
        assert_eq!(init(10, 5_700, Some(300)), Decision::LoadedByCounter);
        for (balance, spent) in [
            (5_700, None),
            (5_700, Some(200)),
            (1_000, None),
            (6_001, Some(0)),
        ] {
            let decision = init(10, balance, spent);
            assert_eq!(
                decision,
                Decision::Contradiction(Contradiction::Balance),
                "{balance}"
            );
        }
    }

    #[test]
    fn counter_n_plus_one_by_somebody_elses_load_is_for_people() {
        let other = Decision::Contradiction(Contradiction::OtherLoad);
        assert_eq!(
            decide(10, 6_000, Since::OtherLoad),
            other,
            "the same amount"
        );
        assert_eq!(decide(10, 9_000, Since::OtherLoad), other);
        assert_eq!(
            decide(9, 1_000, Since::OtherLoad),
            Decision::NotLoaded,
            "an earlier load is the newest one in the log of a card that was not credited"
        );
    }

    #[test]
    fn any_other_counter_moves_nothing() {
        assert_eq!(
            init(11, 6_000, None),
            Decision::Contradiction(Contradiction::CounterAbove)
        );
        assert_eq!(
            init(8, 1_000, None),
            Decision::WrongCard(WrongCard::CounterBelow)
        );
    }

    #[test]
    fn another_serial_stays_pending_even_with_a_tac() {
        let tac = Tac::verify(&ATTEMPT, &[0; 4], &[0; 4]);
        let evidence = Evidence {
            same_card: false,
            tac,
            init: None,
        };
        let decision = decide_resume(&ATTEMPT, AMOUNT, &evidence);
        assert_eq!(decision, Decision::WrongCard(WrongCard::OtherSerial));
    }

    #[test]
    fn without_evidence_nothing_is_decided() {
        let evidence = Evidence {
            same_card: true,
            tac: None,
            init: None,
        };
        assert_eq!(
            decide_resume(&ATTEMPT, AMOUNT, &evidence),
            Decision::Undecided
        );
    }

    #[test]
    fn the_highest_counter_does_not_wrap_round() {
        let attempt = Attempt {
            counter: u16::MAX,
            ..ATTEMPT
        };
        let mac1 = Mac1::verify(0, 6_000, &[0; 4], &[0; 4]).unwrap();
        let since = Since::Unknown;
        let init = Some(FreshInit { mac1, since });
        let decision = decide_resume(
            &attempt,
            AMOUNT,
            &Evidence {
                same_card: true,
                tac: None,
                init,
            },
        );
        assert_eq!(decision, Decision::WrongCard(WrongCard::CounterBelow));
    }
}
