//! What a state change rests on. A proof can't be made by naming it: [`Tac`] and [`Mac1`] exist only when
//! what the card sent equals what the bank computed.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::Attempt;

/// A transaction authentication code that verifies over one attempt's own data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tac {
    attempt: u32,
    counter: u16,
}

impl Tac {
    /// Compares, in constant time, the TAC that the bank computed for `attempt` with the one that came.
    /// (JR/T 0025: TAC over new balance, counter before the load, amount, type, terminal, host date and time.)
    pub fn verify(attempt: &Attempt, expected: &[u8; 4], received: &[u8]) -> Option<Self> {
        bool::from(expected.as_slice().ct_eq(received)).then_some(Self {
            attempt: attempt.number,
            counter: attempt.counter,
        })
    }

    /// Whether it settles a load whose newest attempt is `newest`. Attempts that began at one counter are one and
    /// the same to the card: it does the first that reaches it, and has then moved on from all of them.
    pub fn settles(&self, newest: &Attempt) -> bool {
        self.attempt == newest.number || self.counter == newest.counter
    }

    /// The attempt that the card has done.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// What a card said in INITIALIZE FOR LOAD, with a MAC1 that verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mac1 {
    counter: u16,
    balance: u32,
}

impl Mac1 {
    /// Compares, in constant time, the MAC1 that the bank computed with the one that came.
    /// `counter` is the online counter and `balance` (fen) the old balance of the same reply.
    pub fn verify(counter: u16, balance: u32, expected: &[u8; 4], received: &[u8]) -> Option<Self> {
        bool::from(expected.as_slice().ct_eq(received)).then_some(Self { counter, balance })
    }

    /// The online counter.
    pub fn counter(&self) -> u16 {
        self.counter
    }

    /// The old balance in fen.
    pub fn balance(&self) -> u32 {
        self.balance
    }
}

/// A card that was initialised for load again, and its log if it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FreshInit {
    /// Counter and balance now.
    pub mac1: Mac1,
    /// What its log says ([`Since::of`]).
    pub since: Since,
}

/// What a card's log says of the time since a load was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Since {
    /// Nothing that helps.
    Unknown,
    /// The load is there, and so many fen were spent after it.
    Spent(u32),
    /// The newest load in the log is another one.
    OtherLoad,
}

/// One record of the card's log (file 18, 23 bytes), as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine {
    /// Fen.
    pub amount: u32,
    /// Transaction type: 01 and 02 are loads, 05, 06 and 09 purchases.
    pub kind: u8,
    /// Terminal number.
    pub terminal: [u8; 6],
    /// BCD `YYYYMMDDHHMMSS`.
    pub when: [u8; 7],
}

impl Since {
    /// Reads a log that is newest first; `ours` are the records that the attempts of the load would have left. The
    /// log's counter is not looked at: cards differ in it.
    pub fn of(log: &[LogLine], ours: &[LogLine]) -> Self {
        let mut spent: u32 = 0;
        for line in log {
            if ours.contains(line) {
                return Self::Spent(spent);
            }
            let sum = match line.kind {
                0x05 | 0x06 | 0x09 => spent.checked_add(line.amount),
                0x02 => return Self::OtherLoad,
                // E.g. a load of the card's other purse, which has a counter of its own.
                _other => None,
            };
            let Some(sum) = sum else {
                return Self::Unknown;
            };
            spent = sum;
        }
        Self::Unknown
    }
}

/// Two different people and what they saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operators {
    pub(crate) first: String,
    pub(crate) second: String,
    pub(crate) evidence: String,
}

impl Operators {
    /// `None` unless both names are there and differ (case and blanks aside) and there is some evidence.
    pub fn new(first: &str, second: &str, evidence: &str) -> Option<Self> {
        let (first, second, evidence) = (first.trim(), second.trim(), evidence.trim());
        let same = first.to_lowercase() == second.to_lowercase();
        if same || first.is_empty() || second.is_empty() || evidence.is_empty() {
            return None;
        }
        Some(Self {
            first: first.to_owned(),
            second: second.to_owned(),
            evidence: evidence.to_owned(),
        })
    }

    /// Both names.
    pub fn names(&self) -> [&str; 2] {
        [&self.first, &self.second]
    }

    /// What they saw.
    pub fn evidence(&self) -> &str {
        &self.evidence
    }
}

/// What a final state rests on (I10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "proof")]
pub enum Proof {
    /// The card's TAC for this attempt.
    Tac {
        /// Which attempt.
        attempt: u32,
    },
    /// A fresh MAC1 with this counter: n + 1 confirms, n reverses.
    Counter {
        /// The card's counter.
        counter: u16,
    },
    /// Activation: file 15 reads active.
    EnableFlag,
    /// Activation given up: nothing was at stake.
    NoMoney,
    /// Two people.
    Operators(Operators),
}

impl Proof {
    /// The name in tables: `tac`, `counter`, `enable-flag`, `no-money`, `operators`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tac { .. } => "tac",
            Self::Counter { .. } => "counter",
            Self::EnableFlag => "enable-flag",
            Self::NoMoney => "no-money",
            Self::Operators(_) => "operators",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: u8, amount: u32, second: u8) -> LogLine {
        LogLine {
            amount,
            kind,
            terminal: [1; 6],
            when: [0x20, 0x26, 1, 1, 0, 0, second],
        }
    }

    #[test]
    fn a_code_that_differs_or_is_cut_is_no_evidence() {
        let attempt = Attempt {
            number: 1,
            counter: 9,
            balance: 0,
            issued_ms: 0,
        };
        assert!(Tac::verify(&attempt, &[1, 2, 3, 4], &[1, 2, 3, 4]).is_some());
        for received in [&[1, 2, 3, 5][..], &[1, 2, 3], &[], &[1, 2, 3, 4, 0]] {
            assert!(Tac::verify(&attempt, &[1, 2, 3, 4], received).is_none());
            assert!(Mac1::verify(1, 0, &[1, 2, 3, 4], received).is_none());
        }
    }

    #[test]
    fn spending_is_counted_from_the_newest_record_down_to_the_load() {
        let load = line(2, 5_000, 1);
        let ours = [line(2, 5_000, 0), load];
        assert_eq!(Since::of(&[load], &ours), Since::Spent(0));
        let log = [line(6, 300, 3), line(9, 200, 2), load, line(6, 9_999, 0)];
        assert_eq!(Since::of(&log, &ours), Since::Spent(500));
        assert_eq!(Since::of(&log, &ours[..1]), Since::OtherLoad);
        assert_eq!(
            Since::of(&log[..2], &ours),
            Since::Unknown,
            "the load is not in the log"
        );
        let highest = [line(5, u32::MAX, 3), load];
        assert_eq!(Since::of(&highest, &ours), Since::Spent(u32::MAX));
        let huge = [line(6, u32::MAX, 3), line(6, 1, 2), load];
        assert_eq!(
            Since::of(&huge, &ours),
            Since::Unknown,
            "a sum beyond 32 bits says nothing"
        );
    }

    #[test]
    fn a_newer_load_of_somebody_else_is_told_apart_from_silence() {
        let load = line(2, 5_000, 1);
        for (newest, said) in [
            (line(2, 5_000, 9), Since::OtherLoad),
            (line(2, 4_999, 1), Since::OtherLoad),
            (line(1, 5_000, 9), Since::Unknown),
            (line(3, 5_000, 9), Since::Unknown),
        ] {
            let log = [line(6, 100, 10), newest, load];
            assert_eq!(Since::of(&log, &[load]), said, "{newest:?}");
        }
        assert_eq!(Since::of(&[], &[load]), Since::Unknown);
    }

    #[test]
    fn two_operators_are_two_people_with_evidence() {
        assert!(Operators::new("chen", "wang", "card seen at the counter").is_some());
        assert!(Operators::new("chen", " Chen ", "seen").is_none());
        assert!(Operators::new("chen", "", "seen").is_none());
        assert!(Operators::new("chen", "wang", " ").is_none());
    }
}
