//! Cards as they differ in the field.

use virtual_card::{CardProfile, Overflow, ProofCounter, Shift};

/// A kind of card by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// It wants its PIN before a load: the industry package says so.
    pub(crate) pin: bool,
    change: fn(&mut CardProfile),
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Kind {
    /// The card that a top-up is for, with money and a log.
    pub(crate) fn active(self) -> CardProfile {
        self.made(CardProfile::demo())
    }

    /// The same before its activation.
    pub(crate) fn inactive(self) -> CardProfile {
        self.made(CardProfile::demo_inactive())
    }

    fn made(self, mut card: CardProfile) -> CardProfile {
        (self.change)(&mut card);
        card
    }
}

pub(crate) const PLAIN: Kind = Kind {
    name: "plain",
    pin: false,
    change: |_| {},
};

pub(crate) const KINDS: [Kind; 10] = [
    PLAIN,
    Kind {
        name: "proof-counter-before",
        pin: false,
        change: |card| card.quirks.prove_counter = ProofCounter::Before,
    },
    Kind {
        name: "proof-counter-both",
        pin: false,
        change: |card| card.quirks.prove_counter = ProofCounter::Both,
    },
    Kind {
        name: "log-counter-after",
        pin: false,
        change: |card| card.quirks.log_counter = Shift::After,
    },
    Kind {
        name: "no-proof-6985",
        pin: false,
        change: |card| card.quirks.no_proof_status = 0x6985,
    },
    Kind {
        name: "forgets-proof",
        pin: false,
        change: |card| card.quirks.drops_proof_at_initialize = true,
    },
    Kind {
        name: "pin",
        pin: true,
        change: |card| {
            card.pin = CardProfile::demo_pin().pin;
            card.quirks.prove_needs_pin = true;
        },
    },
    Kind {
        name: "contact",
        pin: false,
        change: |card| {
            card.quirks.contact_61xx = true;
            card.quirks.contact_6cxx = true;
        },
    },
    Kind {
        name: "slow",
        pin: false,
        change: |card| card.quirks.delay_ms = 4_000,
    },
    Kind {
        name: "odd",
        pin: false,
        change: |card| {
            card.quirks.balance_top_bit = true;
            card.quirks.log_at_once = true;
            card.quirks.overflow = Overflow::Credit;
            card.quirks.unknown_key_status = 0x6581;
            card.key_index = 0;
        },
    },
];

pub(crate) fn named(name: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.name == name)
}
