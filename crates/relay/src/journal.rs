//! The states of a transaction in the terminal's journal: written before any effect that can lose money.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{IndustryCode, Operation};

/// One transaction in the journal. Holds no key, code, password or card number.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// The transaction's id (tag C1), 32 hex digits.
    #[serde(with = "hex::serde")]
    pub transaction: [u8; 16],
    /// What it is for.
    pub operation: Operation,
    /// The industry of its card.
    pub industry: IndustryCode,
    /// The last four digits of the card's number.
    pub tail: String,
    /// A check of the card's whole number, to tell cards with the same last digits apart; none in older journals.
    #[serde(default)]
    pub mark: Option<u16>,
    /// Fen; 0 when no money is meant to move.
    pub amount: u32,
    /// The bank's reference for people, once known.
    #[serde(default)]
    pub reference: Option<String>,
    /// Re-top-up: the transaction id of the top-up that it is about.
    #[serde(default)]
    pub about: Option<About>,
    /// When it began, ms since 1970-01-01 UTC.
    pub started_ms: u64,
    /// How far it came.
    pub state: State,
}

/// The id of another transaction, 32 hex digits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct About(#[serde(with = "hex::serde")] pub [u8; 16]);

/// How far a transaction came.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The first request may have reached the bank; no answer yet.
    Asked,
    /// The bank answered with what the card needs: the money left the account.
    Issued,
    /// The command that changes the card may have reached it.
    Writing,
    /// The card answered; the bank has not acknowledged yet.
    ToDeliver {
        /// The driver's message, to be sent as it is.
        #[serde(with = "hex::serde")]
        message: Vec<u8>,
        /// True: the card says that it took the money. False: it says no.
        written: bool,
    },
    /// The bank knows that this load is unfinished.
    InDoubt,
    /// Finished: on the card, and the bank knows.
    Done,
    /// Finished: nothing happened, or all went back.
    NotDone {
        /// The outcome's code, e.g. `funds-short`.
        outcome: String,
    },
    /// Finished: the bank's people closed it, with the money neither on the card nor back.
    WrittenOff,
}

/// What happened to a transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The bank's first answer goes on (an `I`).
    Issued,
    /// The next command to the card commits.
    Writing,
    /// The card answered the command that commits, and the driver has this for the bank.
    Wrote {
        /// The driver's message.
        message: Vec<u8>,
        /// What [`State::ToDeliver`] keeps.
        written: bool,
    },
    /// The bank says that the load is unfinished (`in-doubt`, `card-refused`, `tac-bad`, `manual`).
    InDoubt,
    /// The bank, or a later re-top-up, says that it is on the card.
    Done,
    /// The bank, or a later re-top-up, says that nothing happened or all went back.
    NotDone {
        /// The outcome's code.
        outcome: String,
    },
    /// The bank's people gave it up.
    WrittenOff,
}

/// Where the money of a transaction is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// Never left the account, or went back.
    Account,
    /// May have left the account.
    Unsure,
    /// Left the account, kept by the bank for the card.
    InTransit,
    /// On the card; the bank has to hear of it.
    OnCardUnreported,
    /// On the card.
    OnCard,
    /// Given up by the bank's people: they know more.
    WrittenOff,
    /// None was meant to move.
    None,
}

/// An event that can't happen in this state. The entry stays as it is.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the journal does not allow this step")]
pub struct NotAllowed;

impl Entry {
    /// Takes an event. The same event again is allowed and changes nothing.
    ///
    /// # Errors
    /// [`NotAllowed`]; a finished entry stays finished.
    pub fn apply(self, event: Event) -> Result<Self, NotAllowed> {
        let state = self.state.clone().next(event)?;
        Ok(Self { state, ..self })
    }

    /// True as long as something is to be done: deliver, or offer re-top-up.
    pub fn is_open(&self) -> bool {
        match self.state {
            State::Asked
            | State::Issued
            | State::Writing
            | State::ToDeliver { .. }
            | State::InDoubt => true,
            State::Done | State::NotDone { .. } | State::WrittenOff => false,
        }
    }

    /// True from the moment at which money could be on its way until the end.
    pub fn is_pending_money(&self) -> bool {
        self.is_open() && self.place() != Place::None
    }

    /// Where the money is, as far as the terminal can tell.
    pub fn place(&self) -> Place {
        if !matches!(self.operation, Operation::TopUp | Operation::ReTopUp) {
            return Place::None;
        }
        match &self.state {
            State::Asked => Place::Unsure,
            State::Issued | State::Writing | State::InDoubt => Place::InTransit,
            State::ToDeliver { written: false, .. } => Place::InTransit,
            State::ToDeliver { written: true, .. } => Place::OnCardUnreported,
            State::Done => Place::OnCard,
            State::NotDone { .. } => Place::Account,
            State::WrittenOff => Place::WrittenOff,
        }
    }
}

impl State {
    fn next(self, event: Event) -> Result<Self, NotAllowed> {
        let settled = matches!(self, Self::Done | Self::NotDone { .. } | Self::WrittenOff);
        let next = match event {
            Event::Issued => Self::Issued,
            Event::Writing => Self::Writing,
            Event::Wrote { message, written } => Self::ToDeliver { message, written },
            Event::InDoubt => Self::InDoubt,
            Event::Done => Self::Done,
            Event::NotDone { outcome } => Self::NotDone { outcome },
            Event::WrittenOff => Self::WrittenOff,
        };
        let allowed = next == self
            || match &next {
                Self::Asked => false,
                // a re-top-up asks several times before it writes
                Self::Issued => matches!(self, Self::Asked),
                Self::Writing => matches!(self, Self::Issued),
                Self::ToDeliver { .. } => matches!(self, Self::Writing),
                Self::InDoubt | Self::Done => !settled,
                // once the card may hold the money, only the bank's word after a proof says no
                Self::NotDone { .. } | Self::WrittenOff => !settled,
            };
        if allowed { Ok(next) } else { Err(NotAllowed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(state: State) -> Entry {
        Entry {
            transaction: [1; 16],
            operation: Operation::TopUp,
            industry: "0001".parse().unwrap(),
            tail: "4471".to_owned(),
            mark: None,
            amount: 5_000,
            reference: None,
            about: None,
            started_ms: 0,
            state,
        }
    }

    fn wrote(written: bool) -> Event {
        Event::Wrote {
            message: b"I".to_vec(),
            written,
        }
    }

    #[test]
    fn a_load_that_goes_well_moves_its_money_once() {
        let mut load = entry(State::Asked);
        let mut places = vec![load.place()];
        for event in [Event::Issued, Event::Writing, wrote(true), Event::Done] {
            load = load.apply(event).unwrap();
            places.push(load.place());
        }
        use Place::{InTransit, OnCard, OnCardUnreported, Unsure};
        assert_eq!(
            places,
            [Unsure, InTransit, InTransit, OnCardUnreported, OnCard]
        );
        assert!(!load.is_open());
    }

    #[test]
    fn steps_can_not_be_left_out_or_gone_back() {
        let not_done = || State::NotDone {
            outcome: "funds-short".to_owned(),
        };
        let cases = [
            (State::Asked, Event::Writing),
            (State::Asked, wrote(true)),
            (State::Issued, wrote(true)),
            (State::Writing, Event::Issued),
            (State::InDoubt, Event::Writing),
            (State::Done, Event::InDoubt),
            (
                State::Done,
                Event::NotDone {
                    outcome: "voided".to_owned(),
                },
            ),
            (not_done(), Event::Done),
            (not_done(), Event::Issued),
        ];
        for (state, event) in cases {
            let result = entry(state.clone()).apply(event.clone());
            assert_eq!(result, Err(NotAllowed), "{state:?} {event:?}");
        }
    }

    #[test]
    fn the_same_event_twice_changes_nothing() {
        let load = entry(State::Writing).apply(wrote(true)).unwrap();
        assert_eq!(load.clone().apply(wrote(true)).unwrap(), load);
        assert_eq!(
            load.apply(wrote(false)),
            Err(NotAllowed),
            "another message is another matter"
        );
    }

    #[test]
    fn a_card_that_said_no_leaves_the_money_with_the_bank() {
        let load = entry(State::Writing).apply(wrote(false)).unwrap();
        assert_eq!(load.place(), Place::InTransit);
        let load = load.apply(Event::InDoubt).unwrap();
        assert!(load.is_pending_money());
        assert_eq!(
            load.apply(Event::Done).unwrap().place(),
            Place::OnCard,
            "after re-top-up"
        );
    }

    #[test]
    fn an_activation_moves_no_money() {
        let activation = Entry {
            operation: Operation::Activation,
            ..entry(State::Writing)
        };
        assert_eq!(activation.place(), Place::None);
        assert!(activation.is_open() && !activation.is_pending_money());
    }

    #[test]
    fn an_entry_reads_back_from_json() {
        let mut load = entry(State::ToDeliver {
            message: vec![0x49, 0xFF],
            written: true,
        });
        load.about = Some(About([2; 16]));
        let text = serde_json::to_string(&load).unwrap();
        assert!(text.contains(r#""message":"49ff""#), "{text}");
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), load);
    }

    #[test]
    fn what_the_banks_people_gave_up_is_over_and_neither_here_nor_there() {
        let given_up = entry(State::InDoubt).apply(Event::WrittenOff).unwrap();
        assert!(!given_up.is_open());
        assert_eq!(given_up.place(), Place::WrittenOff);
        assert!(given_up.clone().apply(Event::Done).is_err(), "it is over");
        assert!(entry(State::Done).apply(Event::WrittenOff).is_err());
        let back = Event::NotDone {
            outcome: "refunded".to_owned(),
        };
        assert!(given_up.apply(back).is_err());
    }
}
