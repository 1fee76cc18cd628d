//! What travels, as symbols: equal exactly where the bytes would be equal.

/// Number of an exchange; those below the count of top-ups are top-ups and name their load.
pub(crate) type Id = u8;

/// Every load is of one and the same amount, so that one can pass for another as easily as possible.
pub(crate) const AMOUNT: u8 = 1;

/// A reply to INITIALIZE FOR LOAD with its MAC1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Init {
    pub(crate) card: u8,
    /// Stands for the card's random number.
    pub(crate) nonce: u8,
    pub(crate) counter: u8,
    pub(crate) balance: u8,
}

/// The host's date and time in a MAC2: no two attempts have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct At {
    pub(crate) load: Id,
    pub(crate) attempt: u8,
}

/// The bank's order to credit; good for one session of one card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mac2 {
    pub(crate) card: u8,
    pub(crate) nonce: u8,
    pub(crate) at: At,
}

/// The card's receipt for one load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tac {
    pub(crate) card: u8,
    /// Before the load.
    pub(crate) counter: u8,
    pub(crate) new_balance: u8,
    pub(crate) at: At,
}

impl Tac {
    /// Four bytes that differ where anything differs.
    pub(crate) fn bytes(self) -> [u8; 4] {
        let at = self.at.load * 16 + self.at.attempt;
        [self.card, self.counter, self.new_balance, at]
    }

    pub(crate) fn from_bytes([card, counter, new_balance, at]: [u8; 4]) -> Self {
        Self {
            card,
            counter,
            new_balance,
            at: At {
                load: at / 16,
                attempt: at % 16,
            },
        }
    }
}

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Body {
    TopUp { card: u8, init: Init },
    Resume { card: u8, about: Option<Id> },
    Proven { tacs: [Option<Tac>; 2] },
    LoadAgain { init: Init },
    Credited { tac: Option<Tac> },
}

/// A request on its way to the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    pub(crate) id: Id,
    pub(crate) step: u8,
    pub(crate) body: Body,
}

/// The bank's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Prove { before: u8 },
    LoadAgain,
    Credit(Mac2),
    End(Outcome),
}

/// The outcome in a closing message, as far as it matters to money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Ok,
    InDoubt,
    CardRefused,
    TacBad,
    Manual,
    Refunded,
    WrittenOff,
    NothingPending,
    /// `load-open`, `counter-seen`, `funds-short`, `card-mac-bad`, `voided`.
    Refused,
}

/// What an outcome says of the money, as `session::failure::verdict` reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    Returned,
    WrittenOff,
    Open,
    NotMoved,
}

impl Outcome {
    pub(crate) fn verdict(self) -> Verdict {
        match self {
            Self::Ok => Verdict::Done,
            Self::Refunded => Verdict::Returned,
            Self::WrittenOff => Verdict::WrittenOff,
            Self::InDoubt | Self::CardRefused | Self::TacBad | Self::Manual => Verdict::Open,
            Self::NothingPending | Self::Refused => Verdict::NotMoved,
        }
    }
}
