use thiserror::Error;

use crate::{Letter, MAX_MESSAGE, MessageError, letter};

/// The bounds of one transaction (protocol, section 1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Requests to the bank.
    pub rounds: u8,
    /// The longest message, bytes; never above 65,536.
    pub message_bytes: usize,
    /// The longest wait for one answer of the bank, ms.
    pub bank_ms: u64,
    /// The longest time from the opening to the end, ms.
    pub whole_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rounds: 32,
            message_bytes: MAX_MESSAGE,
            bank_ms: 30_000,
            whole_ms: 180_000,
        }
    }
}

/// A message that came in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// From the card driver.
    Driver(Vec<u8>),
    /// From the transaction server, out of its envelope.
    Bank(Vec<u8>),
}

/// What to do with the message that came in; its bytes are never changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Seal it and send it to the transaction server.
    ToBank(Vec<u8>),
    /// Hand it to the driver.
    ToDriver(Vec<u8>),
    /// The transaction is over; this is its closing message.
    End(Vec<u8>),
}

/// Why a relay can't go on. It is over then; the journal says what to do about money.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum RelayError {
    /// Not a relay message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The opening does not start with `A`.
    #[error("an opening starts with A")]
    NotAnOpening,
    /// A message from the side whose turn it is not, or after the end.
    #[error("message out of turn")]
    OutOfTurn,
    /// More requests to the bank than the limit allows.
    #[error("too many rounds")]
    TooManyRounds,
    /// The bank's answer, or the whole, came too late.
    #[error("deadline is over")]
    Deadline,
}

/// One transaction between driver and bank. Sees of each message its letter and length alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Relay {
    limits: Limits,
    turn: Turn,
    rounds: u8,
    ends_ms: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Turn {
    Driver,
    Bank { until_ms: u64 },
    Over,
}

impl Relay {
    /// Starts with the app's opening `A`, which goes to the driver. `now_ms` is any clock that only rises.
    ///
    /// # Errors
    /// No opening, or too long.
    pub fn open(
        opening: Vec<u8>,
        now_ms: u64,
        limits: Limits,
    ) -> Result<(Self, Effect), RelayError> {
        check_length(&opening, limits)?;
        if letter(&opening)? != Letter::A {
            return Err(RelayError::NotAnOpening);
        }
        let ends_ms = now_ms.saturating_add(limits.whole_ms);
        let relay = Self {
            limits,
            turn: Turn::Driver,
            rounds: 0,
            ends_ms,
        };
        Ok((relay, Effect::ToDriver(opening)))
    }

    /// Takes the next message.
    ///
    /// A late `A` still ends the transaction: what it tells is true whenever it comes.
    ///
    /// # Errors
    /// See [`RelayError`]; the relay is used up.
    pub fn step(self, input: Input, now_ms: u64) -> Result<(Self, Effect), RelayError> {
        let (message, from_driver) = match input {
            Input::Driver(message) => (message, true),
            Input::Bank(message) => (message, false),
        };
        let deadline_ms = self.deadline_ms().ok_or(RelayError::OutOfTurn)?;
        if from_driver != matches!(self.turn, Turn::Driver) {
            return Err(RelayError::OutOfTurn);
        }
        check_length(&message, self.limits)?;
        match letter(&message)? {
            Letter::A => Ok((
                Self {
                    turn: Turn::Over,
                    ..self
                },
                Effect::End(message),
            )),
            Letter::I if now_ms > deadline_ms => Err(RelayError::Deadline),
            Letter::I if from_driver => self.ask(message, now_ms),
            Letter::I => Ok((
                Self {
                    turn: Turn::Driver,
                    ..self
                },
                Effect::ToDriver(message),
            )),
        }
    }

    /// The same request goes to the bank once more (new key, lost answer): its wait starts again.
    /// The deadline of the whole stays.
    #[must_use]
    pub fn asked_again(self, now_ms: u64) -> Self {
        match self.turn {
            Turn::Bank { .. } => Self {
                turn: self.bank_turn(now_ms),
                ..self
            },
            Turn::Driver | Turn::Over => self,
        }
    }

    /// When the present wait is over, in the clock of `now_ms`; none after the end.
    pub fn deadline_ms(&self) -> Option<u64> {
        match self.turn {
            Turn::Driver => Some(self.ends_ms),
            Turn::Bank { until_ms } => Some(until_ms.min(self.ends_ms)),
            Turn::Over => None,
        }
    }

    /// Requests sent to the bank so far.
    pub fn rounds(&self) -> u8 {
        self.rounds
    }

    fn ask(self, message: Vec<u8>, now_ms: u64) -> Result<(Self, Effect), RelayError> {
        if self.rounds >= self.limits.rounds {
            return Err(RelayError::TooManyRounds);
        }
        let rounds = self.rounds.saturating_add(1);
        Ok((
            Self {
                rounds,
                turn: self.bank_turn(now_ms),
                ..self
            },
            Effect::ToBank(message),
        ))
    }

    fn bank_turn(&self, now_ms: u64) -> Turn {
        Turn::Bank {
            until_ms: now_ms.saturating_add(self.limits.bank_ms),
        }
    }
}

fn check_length(message: &[u8], limits: Limits) -> Result<(), RelayError> {
    if message.len() > limits.message_bytes.min(MAX_MESSAGE) {
        return Err(RelayError::Message(MessageError::TooLong));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        rounds: 3,
        message_bytes: 100,
        bank_ms: 30_000,
        whole_ms: 180_000,
    };

    fn open() -> Relay {
        Relay::open(b"A-opening".to_vec(), 1_000, LIMITS).unwrap().0
    }

    fn driver(bytes: &[u8]) -> Input {
        Input::Driver(bytes.to_vec())
    }

    fn bank(bytes: &[u8]) -> Input {
        Input::Bank(bytes.to_vec())
    }

    #[test]
    fn messages_pass_byte_for_byte_until_an_a() {
        let (relay, effect) = Relay::open(b"A\x00\xFF".to_vec(), 0, LIMITS).unwrap();
        assert_eq!(effect, Effect::ToDriver(b"A\x00\xFF".to_vec()));
        let (relay, effect) = relay.step(driver(b"I\x01"), 1).unwrap();
        assert_eq!(effect, Effect::ToBank(b"I\x01".to_vec()));
        let (relay, effect) = relay.step(bank(b"I\x02"), 2).unwrap();
        assert_eq!(effect, Effect::ToDriver(b"I\x02".to_vec()));
        let (relay, _) = relay.step(driver(b"I\x03"), 3).unwrap();
        let (relay, effect) = relay.step(bank(b"A\x04"), 4).unwrap();
        assert_eq!(effect, Effect::End(b"A\x04".to_vec()));
        assert_eq!(relay.rounds(), 2);
        assert_eq!(
            relay.deadline_ms(),
            None,
            "nothing is waited for after the end"
        );
        assert_eq!(
            relay.step(bank(b"A"), 5),
            Err(RelayError::OutOfTurn),
            "ended"
        );
    }

    #[test]
    fn an_opening_that_is_no_a_is_refused() {
        let refused = Relay::open(b"I".to_vec(), 0, LIMITS);
        assert_eq!(refused, Err(RelayError::NotAnOpening));
    }

    #[test]
    fn the_side_whose_turn_it_is_not_is_refused() {
        assert_eq!(open().step(bank(b"I"), 1_000), Err(RelayError::OutOfTurn));
        let (relay, _) = open().step(driver(b"I"), 1_000).unwrap();
        assert_eq!(relay.step(driver(b"I"), 1_000), Err(RelayError::OutOfTurn));
    }

    #[test]
    fn rounds_and_sizes_have_an_end() {
        let mut relay = open();
        for _ in 0..3 {
            relay = relay.step(driver(b"I"), 1_000).unwrap().0;
            relay = relay.step(bank(b"I"), 1_000).unwrap().0;
        }
        assert_eq!(
            relay.step(driver(b"I"), 1_000),
            Err(RelayError::TooManyRounds)
        );
        assert!(
            open().step(driver(&[b'I'; 100]), 1_000).is_ok(),
            "the limit"
        );
        let long = open().step(driver(&[b'I'; 101]), 1_000);
        assert_eq!(long, Err(RelayError::Message(MessageError::TooLong)));
    }

    #[test]
    fn deadlines_end_a_wait_but_a_late_end_is_still_an_end() {
        let (relay, _) = open().step(driver(b"I"), 5_000).unwrap();
        assert_eq!(relay.deadline_ms(), Some(35_000));
        assert_eq!(relay.step(bank(b"I"), 35_001), Err(RelayError::Deadline));
        assert!(
            relay.step(bank(b"I"), 35_000).is_ok(),
            "in time to the millisecond"
        );
        assert!(
            relay.step(bank(b"A"), 99_000).is_ok(),
            "what an A tells is true at any time"
        );
        assert_eq!(
            open().step(driver(b"I"), 181_001),
            Err(RelayError::Deadline),
            "the whole"
        );
    }

    #[test]
    fn asking_again_starts_the_banks_wait_again_within_the_whole() {
        let (relay, _) = open().step(driver(b"I"), 5_000).unwrap();
        assert_eq!(relay.asked_again(20_000).deadline_ms(), Some(50_000));
        assert_eq!(relay.asked_again(170_000).deadline_ms(), Some(181_000));
        assert_eq!(
            relay.asked_again(20_000).rounds(),
            1,
            "it is the same request"
        );
    }

    proptest! {
        #[test]
        fn any_inputs_end_without_panic(
            inputs in proptest::collection::vec((any::<bool>(), any::<Vec<u8>>(), any::<u64>()), 0..50),
        ) {
            let mut relay = open();
            for (from_driver, bytes, now_ms) in inputs {
                let input = if from_driver { Input::Driver(bytes) } else { Input::Bank(bytes) };
                match relay.step(input, now_ms) {
                    Ok((next, _)) => relay = next,
                    Err(_) => break,
                }
                prop_assert!(relay.rounds() <= 3);
            }
        }
    }
}
