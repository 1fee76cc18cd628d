//! What the device keeps of a list that is paid, and how each card of it stands.

use serde::{Deserialize, Serialize};

/// One card's part. No number: the last digits and a check of all of them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Item {
    /// Whose card it is. Stays on this device.
    pub name: String,
    /// The last four digits.
    pub tail: String,
    /// Tell cards with the same last digits apart: of the number as it stands in the list, and with the zeros before it
    /// that people leave out.
    pub marks: Vec<u16>,
    /// Fen.
    pub amount: u32,
    /// Number of the newest attempt to load it here; none: no attempt was made.
    pub attempt: Option<u8>,
    /// How it stands.
    pub standing: Standing,
    /// Of its newest load, for people.
    pub reference: Option<String>,
    /// When that load ended, or the money went back: ms since 1970-01-01 UTC.
    pub time_ms: Option<u64>,
}

/// How an item stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Its card has not come.
    Waiting,
    /// Its load is not settled: the same card again.
    Open,
    /// On the card.
    Loaded,
    /// Its money is back in the account.
    Returned,
    /// Given up by two people of the bank.
    WrittenOff,
}

/// What the journal of this device has of an item's newest attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Own {
    /// It never came to a question to the bank.
    Nothing,
    /// It is not settled.
    Open {
        /// The load's reference, if the bank told it.
        reference: Option<String>,
    },
    /// On the card.
    Done {
        /// The load's reference.
        reference: Option<String>,
        /// When.
        time_ms: u64,
    },
    /// It ended without money on the card.
    NotDone,
    /// Two people of the bank gave it up.
    WrittenOff,
}

/// What the bank says of an item.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// How it stands there.
    pub standing: Standing,
    /// Of its newest load.
    pub reference: Option<String>,
    /// When that moved last.
    pub time_ms: Option<u64>,
}

impl Item {
    /// Takes what the journal has of the newest attempt. What is on the card stays there, and what went back stays
    /// back. `closed`: so is the queue, and what comes back goes on to the account. True: something changed.
    pub fn learn(&mut self, own: &Own, closed: bool) -> bool {
        let before = self.clone();
        match (self.standing, own) {
            (Standing::Loaded | Standing::Returned | Standing::WrittenOff, _)
            | (_, Own::Nothing) => {}
            (Standing::Waiting | Standing::Open, Own::WrittenOff) => {
                self.standing = Standing::WrittenOff;
            }
            (Standing::Waiting | Standing::Open, Own::Open { reference }) => {
                self.standing = Standing::Open;
                self.reference = reference.clone().or(self.reference.take());
            }
            (Standing::Waiting | Standing::Open, Own::Done { reference, time_ms }) => {
                self.standing = Standing::Loaded;
                self.reference = reference.clone().or(self.reference.take());
                self.time_ms = Some(*time_ms);
            }
            (Standing::Waiting | Standing::Open, Own::NotDone) => {
                self.standing = if closed {
                    Standing::Returned
                } else {
                    Standing::Waiting
                };
                self.reference = None;
            }
        }
        *self != before
    }

    /// Takes what the bank says. A load that the journal has as open may be on its way: it stays open until it is
    /// settled. True: something changed.
    pub fn hear(&mut self, told: &Told, own: &Own) -> bool {
        let before = self.clone();
        let on_its_way = told.standing == Standing::Waiting
            && matches!(own, Own::Open { .. } | Own::Done { .. });
        if !on_its_way {
            self.standing = told.standing;
            match told.standing {
                Standing::Waiting => (self.reference, self.time_ms) = (None, None),
                Standing::Open | Standing::Loaded | Standing::Returned | Standing::WrittenOff => {
                    self.reference = told.reference.clone().or(self.reference.take());
                    self.time_ms = told.time_ms.or(self.time_ms);
                }
            }
        }
        *self != before
    }

    /// The number for the next attempt: one that the bank has never heard. None: there are no more.
    #[must_use]
    pub fn next_attempt(&self, own: &Own) -> Option<u8> {
        match (self.attempt, own) {
            (None, _) => Some(0),
            (Some(made), Own::Nothing) => Some(made),
            (Some(made), Own::Open { .. } | Own::Done { .. } | Own::NotDone | Own::WrittenOff) => {
                made.checked_add(1)
            }
        }
    }

    fn is(&self, tail: &str, mark: Option<u16>) -> bool {
        self.tail == tail && mark.is_none_or(|mark| self.marks.contains(&mark))
    }
}

/// Whose card lies there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Found {
    /// Of nobody on the list.
    Nobody,
    /// This item is to be loaded.
    Load(usize),
    /// This item's load is to be settled.
    Settle(usize),
    /// This item is on the card.
    Ticked(usize),
    /// This item's money went back.
    Returned(usize),
    /// This item was given up.
    WrittenOff(usize),
}

/// Looks for a card. `passed` are items that the bank said are another card's: two of a list can look alike.
#[must_use]
pub fn find(items: &[Item], tail: &str, mark: Option<u16>, passed: &[usize]) -> Found {
    let first = |standing: Standing| {
        let is_it = |(place, item): &(usize, &Item)| {
            item.standing == standing && item.is(tail, mark) && !passed.contains(place)
        };
        items.iter().enumerate().find(is_it).map(|(place, _)| place)
    };
    first(Standing::Open)
        .map(Found::Settle)
        .or_else(|| first(Standing::Waiting).map(Found::Load))
        .or_else(|| first(Standing::Loaded).map(Found::Ticked))
        .or_else(|| first(Standing::Returned).map(Found::Returned))
        .or_else(|| first(Standing::WrittenOff).map(Found::WrittenOff))
        .unwrap_or(Found::Nobody)
}

/// What a list comes to: fen, and how many cards.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// All of it.
    pub paid: Sum,
    /// On cards.
    pub loaded: Sum,
    /// Back in the account.
    pub returned: Sum,
    /// In the queue: their cards have not come.
    pub waiting: Sum,
    /// In loads that are not settled.
    pub unsettled: Sum,
    /// Given up by two people of the bank.
    pub written_off: Sum,
}

/// So much on so many cards.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sum {
    /// Cards.
    pub cards: u32,
    /// Fen.
    pub fen: u64,
}

impl Sum {
    fn add(&mut self, fen: u32) {
        self.cards = self.cards.saturating_add(1);
        self.fen = self.fen.saturating_add(fen.into());
    }
}

impl Totals {
    /// Of these items.
    #[must_use]
    pub fn of(items: &[Item]) -> Self {
        let mut totals = Self::default();
        for item in items {
            totals.paid.add(item.amount);
            let part = match item.standing {
                Standing::Waiting => &mut totals.waiting,
                Standing::Open => &mut totals.unsettled,
                Standing::Loaded => &mut totals.loaded,
                Standing::Returned => &mut totals.returned,
                Standing::WrittenOff => &mut totals.written_off,
            };
            part.add(item.amount);
        }
        totals
    }

    /// Nothing waits and nothing is open.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.waiting.cards == 0 && self.unsettled.cards == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn item(tail: &str, mark: u16, standing: Standing) -> Item {
        Item {
            name: "Seat 1".to_owned(),
            tail: tail.to_owned(),
            marks: vec![mark],
            amount: 5_000,
            attempt: None,
            standing,
            reference: None,
            time_ms: None,
        }
    }

    fn told(standing: Standing) -> Told {
        Told {
            standing,
            reference: Some("TF-1".to_owned()),
            time_ms: Some(7),
        }
    }

    const OPEN: Own = Own::Open { reference: None };

    #[test]
    fn a_card_is_found_by_its_last_digits_and_its_mark() {
        let items = [
            item("4471", 7, Standing::Loaded),
            item("4471", 8, Standing::Waiting),
            item("8826", 9, Standing::Open),
            item("1907", 1, Standing::Returned),
        ];
        let found = |tail, mark| find(&items, tail, mark, &[]);
        assert_eq!(found("4471", Some(7)), Found::Ticked(0));
        assert_eq!(found("4471", Some(8)), Found::Load(1));
        assert_eq!(found("8826", Some(9)), Found::Settle(2));
        assert_eq!(found("1907", Some(1)), Found::Returned(3));
        assert_eq!(found("4471", Some(9)), Found::Nobody, "another number");
        assert_eq!(found("1111", Some(7)), Found::Nobody);
        assert_eq!(
            found("4471", None),
            Found::Load(1),
            "without a mark the digits count"
        );
    }

    #[test]
    fn of_two_cards_that_look_alike_the_next_is_tried_when_the_bank_says_it_was_the_other() {
        let items = [
            item("4471", 7, Standing::Waiting),
            item("4471", 7, Standing::Waiting),
        ];
        assert_eq!(find(&items, "4471", Some(7), &[]), Found::Load(0));
        assert_eq!(find(&items, "4471", Some(7), &[0]), Found::Load(1));
        assert_eq!(find(&items, "4471", Some(7), &[0, 1]), Found::Nobody);
    }

    #[test]
    fn what_is_open_comes_before_what_waits() {
        let items = [
            item("4471", 7, Standing::Waiting),
            item("4471", 7, Standing::Open),
        ];
        assert_eq!(find(&items, "4471", Some(7), &[]), Found::Settle(1));
    }

    #[test]
    fn the_journal_decides_until_an_item_is_over() {
        let done = Own::Done {
            reference: Some("TF-2".to_owned()),
            time_ms: 9,
        };
        for (standing, own, expected) in [
            (Standing::Waiting, &Own::Nothing, Standing::Waiting),
            (Standing::Waiting, &OPEN, Standing::Open),
            (Standing::Waiting, &done, Standing::Loaded),
            (Standing::Waiting, &Own::NotDone, Standing::Waiting),
            (Standing::Open, &Own::Nothing, Standing::Open),
            (Standing::Open, &OPEN, Standing::Open),
            (Standing::Open, &done, Standing::Loaded),
            (Standing::Open, &Own::NotDone, Standing::Waiting),
            (Standing::Loaded, &OPEN, Standing::Loaded),
            (Standing::Loaded, &Own::NotDone, Standing::Loaded),
            (Standing::Open, &Own::WrittenOff, Standing::WrittenOff),
            (Standing::WrittenOff, &done, Standing::WrittenOff),
            (Standing::Returned, &OPEN, Standing::Returned),
            (Standing::Returned, &done, Standing::Returned),
        ] {
            let mut item = item("4471", 7, standing);
            let changed = item.learn(own, false);
            assert_eq!(item.standing, expected, "{standing:?} and {own:?}");
            assert_eq!(changed, standing != expected, "{standing:?} and {own:?}");
        }
        let mut back = item("4471", 7, Standing::Open);
        assert!(back.learn(&Own::NotDone, true));
        assert_eq!(
            back.standing,
            Standing::Returned,
            "of a queue that is closed"
        );
        let mut item = item("4471", 7, Standing::Open);
        assert!(item.learn(&done, true));
        assert_eq!(
            (item.reference.as_deref(), item.time_ms),
            (Some("TF-2"), Some(9))
        );
    }

    #[test]
    fn the_banks_word_counts_but_for_a_load_that_is_on_its_way() {
        for standing in [
            Standing::Waiting,
            Standing::Open,
            Standing::Loaded,
            Standing::Returned,
        ] {
            for own in [Own::Nothing, Own::NotDone] {
                let mut item = item("4471", 7, Standing::Open);
                item.hear(&told(standing), &own);
                assert_eq!(item.standing, standing, "{own:?}");
                assert_eq!(item.reference.is_some(), standing != Standing::Waiting);
            }
        }
        let mut open = item("4471", 7, Standing::Open);
        assert!(
            !open.hear(&told(Standing::Waiting), &OPEN),
            "its first message may be on its way"
        );
        assert_eq!(open.standing, Standing::Open);
        assert!(open.hear(&told(Standing::Returned), &OPEN));
        assert_eq!(
            open.standing,
            Standing::Returned,
            "closed, and never debited"
        );
    }

    #[test]
    fn an_attempt_that_the_bank_may_have_heard_is_never_made_again() {
        let mut it = item("4471", 7, Standing::Waiting);
        assert_eq!(it.next_attempt(&Own::Nothing), Some(0));
        it.attempt = Some(0);
        assert_eq!(
            it.next_attempt(&Own::Nothing),
            Some(0),
            "it came to no question"
        );
        assert_eq!(it.next_attempt(&Own::NotDone), Some(1));
        assert_eq!(it.next_attempt(&OPEN), Some(1));
        it.attempt = Some(255);
        assert_eq!(it.next_attempt(&Own::NotDone), None, "a byte has no more");
    }

    #[test]
    fn totals_have_each_item_once() {
        let standings = [
            Standing::Waiting,
            Standing::Open,
            Standing::Loaded,
            Standing::Returned,
            Standing::WrittenOff,
        ];
        let items: Vec<Item> = (standings.into_iter().enumerate())
            .flat_map(|(times, standing)| std::iter::repeat_n(item("4471", 7, standing), times + 1))
            .collect();
        let totals = Totals::of(&items);
        let parts = [
            totals.waiting,
            totals.unsettled,
            totals.loaded,
            totals.returned,
            totals.written_off,
        ];
        assert_eq!(parts.map(|part| part.cards), [1, 2, 3, 4, 5]);
        let fen = [5_000, 10_000, 15_000, 20_000, 25_000];
        assert_eq!(parts.map(|part| part.fen), fen);
        assert_eq!(
            totals.paid.fen,
            parts.iter().map(|part| part.fen).sum::<u64>()
        );
        assert!(!totals.is_over());
        assert!(Totals::of(&items[3..]).is_over(), "what is over alone");
    }
}
