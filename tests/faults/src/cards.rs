//! Cards as they differ in the field.

use virtual_card::{AnyProfile, CardProfile, Overflow, ProofCounter, Shift};

/// A kind of card by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// It wants its PIN before a load: the industry package says so.
    pub(crate) pin: bool,
    /// The command that puts the money on it.
    pub(crate) write: &'static str,
    make: Make,
}

/// Where a kind comes from.
#[derive(Clone, Copy, Debug)]
enum Make {
    /// The transit purse's demo card, changed.
    Changed(fn(&mut CardProfile)),
    /// Demo cards of another industry, by name: active and not.
    Named(&'static str, &'static str),
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Kind {
    /// The card that a top-up is for, with money and a log.
    pub(crate) fn active(self) -> AnyProfile {
        self.made(CardProfile::demo(), |(active, _)| active)
    }

    /// The same before its activation.
    pub(crate) fn inactive(self) -> AnyProfile {
        self.made(CardProfile::demo_inactive(), |(_, inactive)| inactive)
    }

    /// Another active card of the same person.
    pub(crate) fn second(self) -> AnyProfile {
        match self.inactive() {
            AnyProfile::Purse(mut card) => {
                card.enable_flag = 1;
                card.blocked = false;
                AnyProfile::Purse(card)
            }
            AnyProfile::ElectronicCash(mut card) => {
                card.balance_limit = 100_000;
                AnyProfile::ElectronicCash(card)
            }
            recorded @ AnyProfile::Recorded(_) => recorded,
        }
    }

    fn made(
        self,
        mut card: CardProfile,
        which: fn((&'static str, &'static str)) -> &'static str,
    ) -> AnyProfile {
        let changed = match self.make {
            Make::Changed(change) => change,
            Make::Named(active, inactive) => {
                let named = AnyProfile::named(which((active, inactive)));
                return named.unwrap_or(AnyProfile::Purse(card));
            }
        };
        changed(&mut card);
        AnyProfile::Purse(card)
    }
}

pub(crate) const PLAIN: Kind = Kind {
    name: "plain",
    pin: false,
    write: CREDIT,
    make: Make::Changed(|_| {}),
};

pub(crate) const KINDS: [Kind; 12] = [
    PLAIN,
    Kind {
        name: "proof-counter-before",
        pin: false,
        write: CREDIT,
        make: Make::Changed(|card| card.quirks.prove_counter = ProofCounter::Before),
    },
    Kind {
        name: "proof-counter-both",
        pin: false,
        write: CREDIT,
        make: Make::Changed(|card| card.quirks.prove_counter = ProofCounter::Both),
    },
    Kind {
        name: "log-counter-after",
        pin: false,
        write: CREDIT,
        make: Make::Changed(|card| card.quirks.log_counter = Shift::After),
    },
    Kind {
        name: "no-proof-6985",
        pin: false,
        write: CREDIT,
        make: Make::Changed(|card| card.quirks.no_proof_status = 0x6985),
    },
    Kind {
        name: "forgets-proof",
        pin: false,
        write: CREDIT,
        make: Make::Changed(|card| card.quirks.drops_proof_at_initialize = true),
    },
    Kind {
        name: "pin",
        pin: true,
        write: CREDIT,
        make: Make::Changed(|card| {
            card.pin = CardProfile::demo_pin().pin;
            card.quirks.prove_needs_pin = true;
        }),
    },
    Kind {
        name: "contact",
        pin: false,
        write: CREDIT,
        make: Make::Changed(|card| {
            card.quirks.contact_61xx = true;
            card.quirks.contact_6cxx = true;
        }),
    },
    Kind {
        name: "slow",
        pin: false,
        write: CREDIT,
        make: Make::Changed(|card| card.quirks.delay_ms = 4_000),
    },
    Kind {
        name: "odd",
        pin: false,
        write: CREDIT,
        make: Make::Changed(|card| {
            card.quirks.balance_top_bit = true;
            card.quirks.log_at_once = true;
            card.quirks.overflow = Overflow::Credit;
            card.quirks.unknown_key_status = 0x6581;
            card.key_index = 0;
        }),
    },
    Kind {
        name: "campus",
        pin: false,
        write: CREDIT,
        make: Make::Named("campus", "campus-blocked"),
    },
    Kind {
        name: "cash",
        pin: false,
        write: "PUT DATA",
        make: Make::Named("cash", "cash-inactive"),
    },
];

const CREDIT: &str = "CREDIT";

pub(crate) fn named(name: &str) -> Option<Kind> {
    KINDS.into_iter().find(|kind| kind.name == name)
}
