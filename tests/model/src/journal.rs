//! The app's journal: the real rules of `relay::journal` on states that can be compared and counted.

use relay::Operation;
use relay::journal::{self, Event, Place};

use crate::symbols::{Id, Outcome, Tac, Verdict};

/// `relay::journal::State` with symbols for its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Asked,
    Issued,
    Writing,
    ToDeliver(Option<Tac>),
    InDoubt,
    Done,
    NotDone,
    WrittenOff,
}

impl State {
    fn real(self) -> journal::State {
        match self {
            Self::Asked => journal::State::Asked,
            Self::Issued => journal::State::Issued,
            Self::Writing => journal::State::Writing,
            Self::ToDeliver(tac) => journal::State::ToDeliver {
                message: message(tac),
                written: tac.is_some(),
            },
            Self::InDoubt => journal::State::InDoubt,
            Self::Done => journal::State::Done,
            Self::WrittenOff => journal::State::WrittenOff,
            Self::NotDone => journal::State::NotDone {
                outcome: String::new(),
            },
        }
    }

    fn symbol(real: &journal::State) -> Self {
        match real {
            journal::State::Asked => Self::Asked,
            journal::State::Issued => Self::Issued,
            journal::State::Writing => Self::Writing,
            journal::State::ToDeliver { message, .. } => {
                Self::ToDeliver(message.first_chunk().map(|bytes| Tac::from_bytes(*bytes)))
            }
            journal::State::InDoubt => Self::InDoubt,
            journal::State::Done => Self::Done,
            journal::State::NotDone { .. } => Self::NotDone,
            journal::State::WrittenOff => Self::WrittenOff,
        }
    }
}

fn message(tac: Option<Tac>) -> Vec<u8> {
    tac.map(|tac| tac.bytes().to_vec()).unwrap_or_default()
}

/// The event of a card's answer.
pub(crate) fn wrote(tac: Option<Tac>) -> Event {
    Event::Wrote {
        message: message(tac),
        written: tac.is_some(),
    }
}

/// The event of a "no" that moved nothing.
pub(crate) fn not_done() -> Event {
    Event::NotDone {
        outcome: String::new(),
    }
}

/// One file of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) id: Id,
    pub(crate) resume: bool,
    pub(crate) about: Option<Id>,
    pub(crate) card: u8,
    /// Number of the step whose message waits in `ToDeliver`.
    pub(crate) step: u8,
    pub(crate) state: State,
}

impl Entry {
    fn real(&self) -> Option<journal::Entry> {
        Some(journal::Entry {
            transaction: [self.id; 16],
            operation: match self.resume {
                true => Operation::ReTopUp,
                false => Operation::TopUp,
            },
            industry: relay::IndustryCode::new(*b"0001").ok()?,
            tail: String::new(),
            amount: 1,
            reference: None,
            about: self.about.map(|id| journal::About([id; 16])),
            mark: None,
            started_ms: 0,
            state: self.state.real(),
        })
    }

    /// As `session::journal::Record::apply`: what the rules don't allow changes nothing.
    pub(crate) fn apply(&mut self, event: Event) {
        let applied = self.real().and_then(|entry| entry.apply(event).ok());
        if let Some(entry) = applied {
            self.state = State::symbol(&entry.state);
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.real().is_some_and(|entry| entry.is_open())
    }

    /// A load of its own, as `Record::is_load`.
    pub(crate) fn is_load(&self) -> bool {
        !self.resume || self.about.is_none()
    }

    /// What the app says of the money.
    pub(crate) fn place(&self) -> Place {
        self.real().map_or(Place::None, |entry| entry.place())
    }

    /// As `session::run::settle`.
    pub(crate) fn settle(&mut self, outcome: Outcome) {
        let asked = self.state == State::Asked;
        self.apply(match outcome.verdict() {
            Verdict::Done => Event::Done,
            Verdict::Returned => not_done(),
            Verdict::WrittenOff => Event::WrittenOff,
            Verdict::NotMoved if asked => not_done(),
            Verdict::NotMoved | Verdict::Open => Event::InDoubt,
        });
    }
}
