//! Where a fault can strike: before, during and after each message and each command of each transaction.

use std::fmt;

/// What a run does in its middle. Each has its own rows in the matrix.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Act {
    /// The app starts with a network: working key, packages, limits.
    Start,
    Balance,
    TopUp,
    /// After a load whose write never reached the card.
    ResumeNotLoaded,
    /// After a load that is on the card, and the bank never heard of it.
    ResumeLoaded,
    /// The app starts again with a proof that waits in its journal.
    LateReport,
    Activation,
    /// Everything whole again, and what comes after: no faults, no rows.
    Healing,
}

impl Act {
    pub(crate) const ALL: [Self; 7] = [
        Self::Start,
        Self::Balance,
        Self::TopUp,
        Self::ResumeNotLoaded,
        Self::ResumeLoaded,
        Self::LateReport,
        Self::Activation,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Balance => "balance",
            Self::TopUp => "top-up",
            Self::ResumeNotLoaded => "re-top-up, not loaded",
            Self::ResumeLoaded => "re-top-up, loaded",
            Self::LateReport => "late report",
            Self::Activation => "activation",
            Self::Healing => "healing",
        }
    }
}

/// One message or command of an act: its name, and the how-manieth of that name (from 1).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Point {
    pub(crate) act: Act,
    pub(crate) step: String,
    pub(crate) nth: u32,
}

impl Point {
    /// A contact with the card is open there. Kinds of card differ nowhere else.
    pub(crate) fn is_torn(&self) -> bool {
        let without_card = matches!(self.act, Act::Start | Act::LateReport | Act::Healing);
        let command = self
            .step
            .starts_with(|first: char| first.is_ascii_uppercase());
        !without_card && (command || self.step == "relay")
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.act.name(), self.step, self.nth)
    }
}

/// Who fails.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Who {
    /// Torn off, or taken away while the bank is asked.
    Card,
    Network,
    /// The app's process is killed.
    App,
    /// The bank's process is killed.
    Bank,
}

impl Who {
    pub(crate) const ALL: [Self; 4] = [Self::Card, Self::Network, Self::App, Self::Bank];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Network => "network",
            Self::App => "app",
            Self::Bank => "bank",
        }
    }
}

/// When, seen from one message or command.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum When {
    Before,
    During,
    After,
}

impl When {
    pub(crate) const ALL: [Self; 3] = [Self::Before, Self::During, Self::After];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }
}

/// One cell of the matrix.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Cell {
    pub(crate) point: Point,
    pub(crate) who: Who,
    pub(crate) when: When,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, when) = (self.who.name(), self.when.name());
        write!(f, "{} {when} {}", who, self.point)
    }
}
