use crate::Bug;

/// What a run of the model covers.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Cards; top-up number i is for card i modulo this.
    pub cards: u8,
    /// Devices with the app.
    pub apps: u8,
    /// Top-ups that may be begun.
    pub top_ups: u8,
    /// How often, in all: a card is torn, pulled or swapped, a process killed, an answer not waited for.
    /// Loss, repetition and reordering of messages cost nothing and are not bounded.
    pub faults: u8,
    /// Purchases with each card elsewhere.
    pub purchases: u8,
    /// The bank may give the money back where the card proves that it was not credited.
    pub refunds: bool,
    /// Cards may be lost, and two operators decide.
    pub operators: bool,
    /// The bank's check of a load and its debit are two commits, with time-outs between.
    pub two_commits: bool,
    /// What the account holds, in loads.
    pub funds: u8,
    /// A planted bug.
    pub bug: Option<Bug>,
}

impl Settings {
    /// One card, one device.
    pub const fn one_card(top_ups: u8, faults: u8) -> Self {
        Self {
            cards: 1,
            apps: 1,
            top_ups,
            faults,
            purchases: 0,
            refunds: false,
            operators: false,
            two_commits: false,
            funds: 2,
            bug: None,
        }
    }

    /// Two cards with one top-up each, on one device.
    pub const fn two_cards(faults: u8) -> Self {
        Self {
            cards: 2,
            ..Self::one_card(2, faults)
        }
    }

    /// One card that is carried between two devices.
    pub const fn two_devices(top_ups: u8, faults: u8) -> Self {
        Self {
            apps: 2,
            ..Self::one_card(top_ups, faults)
        }
    }

    /// The same with a planted bug.
    #[must_use]
    pub const fn with(self, bug: Bug) -> Self {
        Self {
            bug: Some(bug),
            ..self
        }
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }
}
