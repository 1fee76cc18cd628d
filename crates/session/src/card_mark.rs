//! Which card it is, as far as this device remembers cards.

use ipc::{CardKey, CardView, PurseView};
use relay::IndustryCode;
use relay::journal::Entry;

/// The last four digits of a card's number, and a check of all of them. Issuers of two industries may give the same
/// number.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct CardMark {
    pub(crate) industry: String,
    pub(crate) tail: String,
    /// None in what an earlier version kept.
    pub(crate) mark: Option<u16>,
}

impl CardMark {
    /// The card that was read; none when the package gives no number.
    pub(crate) fn of(industry: IndustryCode, facts: &industry::Facts) -> Option<Self> {
        Some(Self {
            industry: industry.to_string(),
            tail: facts.tail()?.to_owned(),
            mark: facts.mark(),
        })
    }

    /// Whether both can be the same card. Without a check on either side the last digits alone count.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let differ = self.mark.zip(other.mark).is_some_and(|(a, b)| a != b);
        self.industry == other.industry && self.tail == other.tail && !differ
    }
}

impl From<&CardView> for CardMark {
    fn from(card: &CardView) -> Self {
        Self {
            industry: card.industry.clone(),
            tail: card.tail.clone(),
            mark: card.mark,
        }
    }
}

impl From<&CardKey> for CardMark {
    fn from(card: &CardKey) -> Self {
        Self {
            industry: card.industry.clone(),
            tail: card.tail.clone(),
            mark: card.mark,
        }
    }
}

impl From<&PurseView> for CardMark {
    fn from(purse: &PurseView) -> Self {
        Self {
            industry: purse.industry.clone(),
            tail: purse.tail.clone(),
            mark: purse.mark,
        }
    }
}

impl From<&Entry> for CardMark {
    fn from(entry: &Entry) -> Self {
        Self {
            industry: entry.industry.to_string(),
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
            industry: "0001".to_owned(),
            tail: tail.to_owned(),
            mark,
        }
    }

    #[test]
    fn the_same_number_in_another_industry_is_another_card() {
        let transit = mark("4471", Some(7));
        let campus = CardMark {
            industry: "0002".to_owned(),
            ..transit.clone()
        };
        assert!(!transit.is(&campus) && !campus.is(&transit));
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
