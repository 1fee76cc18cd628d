//! What is known of the phone's field. No IO.

use super::messages::{Nfc, PhoneEvent, Power};
use crate::{ReaderState, ReaderStatus};

/// The one reader that a phone has.
pub(super) const NAME: &str = "NFC";

/// With so little left a phone may go out in the middle of a load.
const LOW_PERCENT: u8 = 20;

#[derive(Debug, Default)]
pub(super) struct Field {
    /// Not known before the phone told it.
    pub(super) nfc: Option<Nfc>,
    pub(super) session: Option<u64>,
    /// Nobody wants a card of it any more, and the phone has not been told yet.
    ending: Option<u64>,
    pub(super) tag: Option<u64>,
    insertions: u64,
    closed: u64,
    /// The session ended by itself: not again before the wish for a card was taken back.
    pub(super) dismissed: bool,
    low_battery: Option<u8>,
}

impl Field {
    pub(super) fn hear(&mut self, event: &PhoneEvent) {
        match *event {
            PhoneEvent::State { nfc } => {
                self.nfc = Some(nfc);
                if nfc != Nfc::On {
                    self.session = None;
                    self.tag = None;
                }
            }
            PhoneEvent::Tag { session, tag } if self.session == Some(session) => {
                self.tag = Some(tag);
                self.insertions += 1;
            }
            PhoneEvent::Lost { session, tag } if self.session == Some(session) => self.spend(tag),
            PhoneEvent::Closed { session, .. } if self.session == Some(session) => self.close(),
            // Of a session that is over already.
            PhoneEvent::Tag { .. } | PhoneEvent::Lost { .. } | PhoneEvent::Closed { .. } => {}
        }
    }

    /// The phone stopped to look.
    pub(super) fn close(&mut self) {
        self.session = None;
        self.tag = None;
        self.closed += 1;
        self.dismissed = true;
    }

    /// Nobody wants a card any more: whoever wants one next must not find the one that the phone is about to lose.
    pub(super) fn unwanted(&mut self) {
        self.tag = None;
        self.ending = self.session.take().or(self.ending);
    }

    /// The session that the phone is to end, if it has one.
    pub(super) fn end(&mut self) -> Option<u64> {
        self.unwanted();
        self.dismissed = false;
        self.ending.take()
    }

    /// Nothing is sent to this tag again.
    pub(super) fn spend(&mut self, tag: u64) {
        if self.tag == Some(tag) {
            self.tag = None;
        }
    }

    pub(super) fn power(&mut self, power: Power) {
        let low = power.percent <= LOW_PERCENT && !power.charging;
        self.low_battery = low.then_some(power.percent);
    }

    pub(super) fn status(&self) -> ReaderStatus {
        let state = match self.nfc {
            None => ReaderState::None,
            Some(Nfc::None) => ReaderState::NfcNone,
            Some(Nfc::Off) => ReaderState::NfcOff,
            Some(Nfc::On) if self.tag.is_some() => ReaderState::Card,
            Some(Nfc::On) => ReaderState::Empty,
        };
        let there = matches!(self.nfc, Some(Nfc::On | Nfc::Off));
        let name = there.then(|| NAME.to_owned());
        ReaderStatus {
            state,
            readers: name.iter().cloned().collect(),
            reader: name,
            chosen: None,
            insertions: self.insertions,
            closed: self.closed,
            low_battery: self.low_battery,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::messages::Why;
    use super::*;

    fn polling() -> Field {
        let mut field = Field::default();
        field.hear(&PhoneEvent::State { nfc: Nfc::On });
        field.session = Some(2);
        field
    }

    #[test]
    fn no_nfc_nfc_off_and_no_card_are_three_states() {
        let mut field = Field::default();
        assert_eq!(field.status().state, ReaderState::None, "not told yet");
        field.hear(&PhoneEvent::State { nfc: Nfc::None });
        assert_eq!(field.status().state, ReaderState::NfcNone);
        assert_eq!(field.status().reader, None, "no reader to choose");
        field.hear(&PhoneEvent::State { nfc: Nfc::Off });
        assert_eq!(field.status().state, ReaderState::NfcOff);
        field.hear(&PhoneEvent::State { nfc: Nfc::On });
        assert_eq!(field.status().state, ReaderState::Empty);
    }

    #[test]
    fn what_an_old_session_tells_late_changes_nothing() {
        let mut field = polling();
        field.hear(&PhoneEvent::Tag { session: 1, tag: 7 });
        assert_eq!(field.status().state, ReaderState::Empty, "a tag of before");
        field.hear(&PhoneEvent::Tag { session: 2, tag: 8 });
        field.hear(&PhoneEvent::Closed {
            session: 1,
            why: Why::Cancelled,
        });
        field.hear(&PhoneEvent::Lost { session: 1, tag: 8 });
        assert_eq!(field.status().state, ReaderState::Card, "this one lives");
        assert_eq!(field.status().insertions, 1);
    }

    #[test]
    fn a_battery_is_low_at_20_percent_unless_it_is_charged() {
        let mut field = polling();
        for (percent, charging, low) in [
            (21, false, None),
            (20, false, Some(20)),
            (3, true, None),
            (3, false, Some(3)),
        ] {
            field.power(Power { percent, charging });
            assert_eq!(field.status().low_battery, low, "{percent} {charging}");
        }
    }

    #[test]
    fn a_tag_that_is_spent_leaves_and_the_next_counts_as_a_new_card() {
        let mut field = polling();
        field.hear(&PhoneEvent::Tag { session: 2, tag: 8 });
        field.spend(7);
        assert_eq!(field.status().state, ReaderState::Card, "another tag's end");
        field.spend(8);
        assert_eq!(field.status().state, ReaderState::Empty);
        field.hear(&PhoneEvent::Tag { session: 2, tag: 9 });
        assert_eq!(field.status().insertions, 2);
    }

    #[test]
    fn a_closed_sheet_is_counted_and_not_opened_again_by_itself() {
        let mut field = polling();
        field.hear(&PhoneEvent::Closed {
            session: 2,
            why: Why::Cancelled,
        });
        assert_eq!(field.status().closed, 1);
        assert!(field.dismissed, "the person just closed it");
    }
}
