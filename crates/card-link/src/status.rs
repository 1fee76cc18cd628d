/// What is on the reader.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ReaderState {
    /// No reader.
    #[default]
    None,
    /// A reader without a card.
    Empty,
    /// A reader with a card.
    Card,
    /// The PC/SC service does not run.
    ServiceDown,
    /// The PC/SC service runs and answers nobody.
    ServiceHung,
    /// A phone's NFC is switched off.
    NfcOff,
    /// A phone without NFC.
    NfcNone,
    /// The system does not let this program use readers.
    Denied,
}

/// The readers of this device.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ReaderStatus {
    /// State of [`Self::reader`].
    pub state: ReaderState,
    /// The reader in use: the chosen one, else the first with a card, else the first.
    pub reader: Option<String>,
    /// All readers.
    pub readers: Vec<String>,
    /// The person's choice.
    pub chosen: Option<String>,
    /// Rises with each card that comes.
    pub insertions: u64,
    /// Rises each time that a phone stops to look for a card though one is wanted: the person closed the sheet, or its
    /// time was over.
    pub closed: u64,
    /// Percent left in a phone that may not last for a load: 20 or less, and not being charged.
    pub low_battery: Option<u8>,
}

/// One reader as the system tells it.
#[cfg(not(any(target_os = "android", target_os = "ios")))]
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) card: bool,
    /// Cards that came and went, where the system counts them; else always 0.
    pub(crate) events: u32,
}

/// Cards that came between two looks. One that was swapped meanwhile shows in the count of events alone.
#[cfg(not(any(target_os = "android", target_os = "ios")))]
pub(crate) fn count_new(before: &[Seen], now: &[Seen]) -> u64 {
    let is_new = |reader: &&Seen| reader.card && !before.contains(reader);
    now.iter().filter(is_new).map(|_| 1).sum()
}

#[cfg(not(any(target_os = "android", target_os = "ios")))]
impl ReaderStatus {
    /// The status after a look at all readers. A chosen reader that is away does not hide the others.
    pub(crate) fn of(seen: &[Seen], chosen: Option<&str>, insertions: u64) -> Self {
        let with_card = seen.iter().find(|reader| reader.card);
        let used = chosen
            .and_then(|name| seen.iter().find(|reader| reader.name == name))
            .or(with_card)
            .or(seen.first());
        let state = match used {
            None => ReaderState::None,
            Some(reader) if reader.card => ReaderState::Card,
            Some(_) => ReaderState::Empty,
        };
        Self {
            state,
            reader: used.map(|reader| reader.name.clone()),
            readers: seen.iter().map(|reader| reader.name.clone()).collect(),
            chosen: chosen.map(str::to_owned),
            insertions,
            closed: 0,
            low_battery: None,
        }
    }

    /// The same without any reader.
    pub(crate) fn without(state: ReaderState, chosen: Option<&str>, insertions: u64) -> Self {
        Self {
            state,
            ..Self::of(&[], chosen, insertions)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, card: bool) -> Seen {
        Seen {
            name: name.to_owned(),
            card,
            events: 0,
        }
    }

    #[test]
    fn each_coming_of_a_card_counts_once() {
        let (empty, card) = ([seen("a", false)], [seen("a", true)]);
        assert_eq!(count_new(&[], &card), 1, "there at the start");
        assert_eq!(count_new(&empty, &card), 1);
        assert_eq!(count_new(&card, &card), 0, "it stays");
        assert_eq!(count_new(&card, &empty), 0, "it goes");
        let swapped = [Seen {
            events: 2,
            ..seen("a", true)
        }];
        assert_eq!(count_new(&card, &swapped), 1, "between two looks");
    }

    #[test]
    fn the_reader_with_the_card_is_used_unless_a_person_chose() {
        let readers = [seen("a", false), seen("b", true)];
        let any = ReaderStatus::of(&readers, None, 0);
        assert_eq!(
            (any.state, any.reader.as_deref()),
            (ReaderState::Card, Some("b"))
        );
        let chosen = ReaderStatus::of(&readers, Some("a"), 0);
        assert_eq!(
            (chosen.state, chosen.reader.as_deref()),
            (ReaderState::Empty, Some("a"))
        );
        let away = ReaderStatus::of(&readers, Some("c"), 0);
        assert_eq!(
            away.reader.as_deref(),
            Some("b"),
            "a reader that is away hides no other"
        );
    }
}
