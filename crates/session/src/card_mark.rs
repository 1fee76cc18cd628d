//! Which card it is, as far as this device remembers cards.

use ipc::{CardView, PurseView};
use relay::journal::Entry;

/// The last four digits of a card's number, and a check of all of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct CardMark {
    pub(crate) tail: String,
    /// None in what an earlier version kept.
    pub(crate) mark: Option<u16>,
}

impl CardMark {
    /// The card that was read; none when the package gives no number.
    pub(crate) fn of(facts: &industry::Facts) -> Option<Self> {
        Some(Self {
            tail: facts.tail()?.to_owned(),
            mark: facts.mark(),
        })
    }

    /// Whether both can be the same card. Without a check on either side the last digits alone count.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let differ = self.mark.zip(other.mark).is_some_and(|(a, b)| a != b);
        self.tail == other.tail && !differ
    }
}

impl From<&CardView> for CardMark {
    fn from(card: &CardView) -> Self {
        Self {
            tail: card.tail.clone(),
            mark: card.mark,
        }
    }
}

impl From<&PurseView> for CardMark {
    fn from(purse: &PurseView) -> Self {
        Self {
            tail: purse.tail.clone(),
            mark: purse.mark,
        }
    }
}

impl From<&Entry> for CardMark {
    fn from(entry: &Entry) -> Self {
        Self {
            tail: entry.tail.clone(),
            mark: entry.mark,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(tail: &str, mark: Option<u16>) -> CardMark {
        CardMark {
            tail: tail.to_owned(),
            mark,
        }
    }

    #[test]
    fn two_cards_with_the_same_last_digits_are_told_apart() {
        let card = mark("4471", Some(7));
        assert!(card.is(&mark("4471", Some(7))));
        assert!(!card.is(&mark("4471", Some(8))), "another number");
        assert!(!card.is(&mark("8826", Some(7))));
    }

    #[test]
    fn what_an_earlier_version_kept_is_known_by_its_last_digits() {
        assert!(mark("4471", None).is(&mark("4471", Some(7))));
        assert!(mark("4471", Some(7)).is(&mark("4471", None)));
        assert!(!mark("4471", None).is(&mark("8826", Some(7))));
    }
}
