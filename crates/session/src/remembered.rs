//! The cards that this device remembers, the one that was seen last first: how each stood, and how its person tells it
//! from the others.

use ipc::{CardColour, PurseView};

use crate::card_mark::CardMark;

/// Of a card's name; more is cut off where cards stand side by side.
const MOST_LETTERS: usize = 16;
/// Of all cards: the one that was not seen for longest is forgotten.
const MOST_CARDS: usize = 20;

/// What the file does not have yet.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Unsaved {
    Nothing,
    /// How a card stands: the card itself tells it again.
    Balance,
    /// A card that is new here.
    Card,
}

/// What a person calls a card, as it is kept: None when it is none that can be shown, an empty name is no name.
pub(crate) fn label(text: &str) -> Option<Option<String>> {
    let text = text.trim();
    let is_plain = !text.chars().any(char::is_control);
    (is_plain && text.chars().count() <= MOST_LETTERS)
        .then(|| (!text.is_empty()).then(|| text.to_owned()))
}

pub(crate) fn place(purses: &[PurseView], card: &CardMark) -> Option<usize> {
    purses.iter().position(|known| card.is(&known.into()))
}

/// Puts a card that was just read at the top.
pub(crate) fn see(purses: &mut Vec<PurseView>, mut purse: PurseView) -> Unsaved {
    let known = place(purses, &CardMark::from(&purse)).map(|at| purses.remove(at));
    if let Some(known) = &known {
        // A clock that was set back makes nothing that was seen older than what came before it.
        purse.seen_ms = purse.seen_ms.max(known.seen_ms);
        purse.label.clone_from(&known.label);
        purse.colour = known.colour;
    } else {
        purse.colour = unused(purses);
    }
    let stood = known.map(|known| PurseView {
        balance: purse.balance,
        seen_ms: purse.seen_ms,
        ..known
    });
    let news = match stood {
        Some(stood) if stood == purse => Unsaved::Balance,
        Some(_) | None => Unsaved::Card,
    };
    purses.insert(0, purse);
    purses.truncate(MOST_CARDS);
    news
}

/// A colour that no card has, else one that the fewest have.
fn unused(purses: &[PurseView]) -> CardColour {
    let have = |colour: &CardColour| purses.iter().filter(|it| it.colour == *colour).count();
    let all = CardColour::ALL.into_iter();
    all.min_by_key(have).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ipc::LocalName;

    use super::*;

    fn purse(tail: &str) -> PurseView {
        PurseView {
            industry: "0001".to_owned(),
            name: LocalName::default(),
            tail: tail.to_owned(),
            mark: Some(7),
            balance: 100,
            seen_ms: 1,
            expiry: None,
            active: true,
            label: None,
            colour: CardColour::default(),
        }
    }

    #[test]
    fn each_new_card_has_a_colour_of_its_own_as_long_as_there_are_any() {
        let mut purses = Vec::new();
        let tails: Vec<String> = (0..7).map(|number| format!("447{number}")).collect();
        for tail in &tails {
            see(&mut purses, purse(tail));
        }
        let colours: Vec<_> = purses.iter().rev().map(|it| it.colour).collect();
        assert_eq!(colours[..5], CardColour::ALL);
        assert_eq!(colours[5..], CardColour::ALL[..2]);
    }

    #[test]
    fn a_card_that_is_seen_again_keeps_its_name_and_its_colour() {
        let mut purses = Vec::new();
        see(&mut purses, purse("4471"));
        see(&mut purses, purse("8826"));
        purses[1].label = Some("Grandma".to_owned());
        purses[1].colour = CardColour::Slate;
        assert_eq!(see(&mut purses, purse("4471")), Unsaved::Balance);
        let first = &purses[0];
        assert_eq!(first.label.as_deref(), Some("Grandma"));
        assert_eq!((first.colour, purses.len()), (CardColour::Slate, 2));
    }

    #[test]
    fn a_name_is_short_and_plain_and_an_empty_one_is_none() {
        let sixteen = "\u{5976}".repeat(16);
        for (text, kept) in [
            (" Mum's ", Some(Some("Mum's"))),
            ("  ", Some(None)),
            (sixteen.as_str(), Some(Some(sixteen.as_str()))),
            ("seventeen letters", None),
            ("two\nlines", None),
        ] {
            let kept = kept.map(|name| name.map(str::to_owned));
            assert_eq!(label(text), kept, "{text:?}");
        }
    }
}
