//! Bugs that the model must find.

use ledger::{Event, Evidence, FreshInit, Mac1, Since, Tac as Verified, Verdict};

use crate::load::Book;
use crate::symbols::Id;

use super::Bank;

impl Bank {
    /// A planted bug: the counter of the order itself stands in for the card's.
    pub(super) fn refund_blindly(&mut self, id: Id) {
        let Some(attempt) = self.load(id).and_then(|book| book.0.last_attempt()) else {
            return;
        };
        let mac1 = Mac1::verify(attempt.counter, attempt.balance, &[0; 4], &[0; 4]);
        let Some(mac1) = mac1 else { return };
        let evidence = Evidence {
            same_card: true,
            tac: None,
            init: Some(FreshInit {
                mac1,
                since: Since::Unknown,
            }),
        };
        self.resumed(id, evidence, Verdict::Refund);
    }

    /// A planted bug: a written-off load is made anew and confirmed.
    pub(super) fn overturn(&mut self, id: Id, tac: Verified) {
        let Some(attempt) = self.load(id).and_then(|book| book.0.last_attempt()) else {
            return;
        };
        let card = self.load(id).map(|book| book.0.order().card.0);
        let mac1 = Mac1::verify(attempt.counter, attempt.balance, &[0; 4], &[0; 4]);
        let fresh = card
            .and_then(|card| u8::try_from(card).ok())
            .and_then(|card| Book::request(id, card));
        let (Some(mac1), Some(mut fresh)) = (mac1, fresh) else {
            return;
        };
        fresh.step(Event::Authorise(mac1));
        fresh.step(Event::Issue { available: 1 });
        let effects = fresh.step(Event::Tac(tac));
        self.accounts.post(&effects);
        if let Some(kept) = self.loads.get_mut(usize::from(id)) {
            *kept = Some(fresh);
        }
    }
}
