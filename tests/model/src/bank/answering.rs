//! What becomes of each kind of request.

use ledger::{
    Decline, Doubt, Event, Evidence, FreshInit, Mac1, Phase, Since, Tac as Verified, Verdict,
};

use crate::bug::Bug;
use crate::card::Card;
use crate::load::Book;
use crate::settings::Settings;
use crate::symbols::{At, Id, Init, Mac2, Outcome, Reply, Request, Tac};

use super::{Bank, Exchange, Phrase, Stored};

impl Bank {
    /// None: the load is authorised and waits for the second commit.
    pub(super) fn top_up(
        &mut self,
        settings: &Settings,
        exchange: &mut Exchange,
        card: u8,
        init: Init,
    ) -> Option<Reply> {
        let refused = Some(Reply::End(Outcome::Refused));
        let id = exchange.id;
        if self.void.contains(&id) {
            return refused;
        }
        *self.loads.get_mut(usize::from(id))? = Book::request(id, card);
        exchange.load = Some(id);
        let Some(mac1) = mac1(card, init) else {
            self.step(id, Event::Decline(Decline::Mac1));
            return refused;
        };
        if self.open_of_card(card).is_some() && !settings.has(Bug::SecondOpenLoad) {
            self.step(id, Event::Decline(Decline::LoadOpen));
            return refused;
        }
        let counter = init.counter;
        if self.is_old(card, counter) && !settings.has(Bug::CounterUnchecked) {
            self.step(id, Event::Decline(Decline::CounterSeen));
            return refused;
        }
        self.saw(card, counter);
        self.step(id, Event::Authorise(mac1));
        if settings.two_commits {
            return None;
        }
        Some(self.debit(settings, id, init))
    }

    fn debit(&mut self, settings: &Settings, id: Id, init: Init) -> Reply {
        let available = i64::from(self.accounts.customer);
        let before = self.accounts;
        self.step(id, Event::Issue { available });
        if settings.has(Bug::Mac2WithoutDebit) {
            self.accounts = before;
        }
        match self.load(id).map(Book::phase) {
            Some(Phase::Issued) => self.mac2(id, init),
            _declined => Reply::End(Outcome::Refused),
        }
    }

    /// The second of two commits.
    pub(crate) fn finish(&mut self, settings: &Settings, request: Request, init: Init) {
        let mut exchange = self.exchange(&request);
        let reply = self.debit(settings, request.id, init);
        exchange.load = Some(request.id);
        exchange.next_step += 1;
        exchange.awaits = matches!(reply, Reply::Credit(_)).then_some(Phrase::Credit);
        let stored = Stored {
            id: request.id,
            step: request.step,
            reply,
        };
        self.save(exchange, stored);
    }

    /// A load that was authorised and that nobody works on any more.
    pub(crate) fn void(&mut self, id: Id, event: Event) {
        self.step(id, event);
        let exchange = Exchange {
            id,
            next_step: 2,
            awaits: None,
            load: Some(id),
            attempt: 0,
            since: Since::Unknown,
        };
        let reply = Reply::End(Outcome::Refused);
        self.save(exchange, Stored { id, step: 1, reply });
    }

    pub(super) fn resume(&mut self, exchange: &mut Exchange, card: u8, about: Option<Id>) -> Reply {
        let found = match about {
            None => self.open_of_card(card),
            Some(about) if self.load(about).is_some() => Some(about),
            Some(about) => {
                self.void_unseen(about);
                self.load_of(about)
            }
        };
        let Some(id) = found else {
            return Reply::End(Outcome::NothingPending);
        };
        let Some(book) = self.load(id) else {
            return Reply::End(Outcome::NothingPending);
        };
        if !matches!(book.phase(), Phase::Issued | Phase::InDoubt) {
            return self.end_as(id);
        }
        if !book.is_of(card) {
            return Reply::End(Outcome::InDoubt);
        }
        self.step(id, Event::Doubt(Doubt::Torn));
        exchange.load = Some(id);
        let before = self
            .load(id)
            .and_then(|book| book.0.last_attempt())
            .and_then(|attempt| u8::try_from(attempt.counter).ok());
        Reply::Prove {
            before: before.unwrap_or_default(),
        }
    }

    pub(super) fn proven(
        &mut self,
        settings: &Settings,
        cards: &[Card],
        exchange: &mut Exchange,
        tacs: [Option<Tac>; 2],
    ) -> Reply {
        let Some((id, book)) = self.in_doubt(exchange) else {
            return self.end_of(exchange);
        };
        let tacs: Vec<Tac> = tacs.into_iter().flatten().collect();
        if let Some(tac) = verified(settings, id, book, &tacs) {
            let evidence = Evidence {
                same_card: true,
                tac: Some(tac),
                init: None,
            };
            self.resumed(id, evidence, Verdict::LoadAgain);
            return self.end_as(id);
        }
        let newest = book.0.last_attempt().copied();
        exchange.attempt = newest.map_or(0, |attempt| attempt.number);
        let card = cards.iter().find(|card| book.is_of(card.number));
        exchange.since = card.map_or(Since::Unknown, |card| card.since(id));
        Reply::LoadAgain
    }

    pub(super) fn load_again(
        &mut self,
        settings: &Settings,
        exchange: &mut Exchange,
        init: Init,
        refund: bool,
    ) -> Reply {
        let Some((id, book)) = self.in_doubt(exchange) else {
            return self.end_of(exchange);
        };
        let card = u8::try_from(book.0.order().card.0).unwrap_or(u8::MAX);
        // A MAC1 may be old. This one is known to be younger than the newest MAC2 only if the card was asked for
        // it after that was made.
        let newest = book.0.last_attempt().map(|attempt| attempt.number);
        if newest != Some(exchange.attempt) && !settings.has(Bug::RefundOnOldInitialize) {
            return Reply::End(Outcome::InDoubt);
        }
        let Some(mac1) = mac1(card, init) else {
            return Reply::End(Outcome::Refused);
        };
        self.saw(card, init.counter);
        let since = exchange.since;
        let evidence = Evidence {
            same_card: true,
            tac: None,
            init: Some(FreshInit { mac1, since }),
        };
        let verdict = match refund {
            true => Verdict::Refund,
            false => Verdict::LoadAgain,
        };
        self.resumed(id, evidence, verdict);
        match self.load(id).map(Book::phase) {
            Some(Phase::Issued) => self.mac2(id, init),
            _settled => self.end_as(id),
        }
    }

    pub(super) fn credited(
        &mut self,
        settings: &Settings,
        exchange: &Exchange,
        tac: Option<Tac>,
    ) -> Reply {
        let Some((id, book)) = exchange.load.and_then(|id| Some((id, self.load(id)?))) else {
            return Reply::End(Outcome::NothingPending);
        };
        let before = book.phase();
        let Some(tac) = tac else {
            self.step(id, Event::Doubt(Doubt::CardRefused));
            return self.end_unless_in_doubt(id, Outcome::CardRefused);
        };
        let Some(tac) = verified(settings, id, book, &[tac]) else {
            self.step(id, Event::Doubt(Doubt::BadTac));
            return self.end_unless_in_doubt(id, Outcome::TacBad);
        };
        if settings.has(Bug::FinalNotFinal) && before == Phase::WrittenOff {
            self.overturn(id, tac);
        } else {
            self.step(id, Event::Tac(tac));
        }
        self.end_as(id)
    }

    fn in_doubt(&self, exchange: &Exchange) -> Option<(Id, &Book)> {
        let id = exchange.load?;
        let book = self.load(id)?;
        (book.phase() == Phase::InDoubt).then_some((id, book))
    }

    fn end_of(&self, exchange: &Exchange) -> Reply {
        match exchange.load {
            Some(id) => self.end_as(id),
            None => Reply::End(Outcome::NothingPending),
        }
    }

    fn end_unless_in_doubt(&self, id: Id, outcome: Outcome) -> Reply {
        match self.load(id).map(Book::phase) {
            Some(Phase::InDoubt) => Reply::End(outcome),
            _other => self.end_as(id),
        }
    }

    /// As `bank::flow::closing`.
    fn end_as(&self, id: Id) -> Reply {
        let Some(book) = self.load(id) else {
            return Reply::End(Outcome::NothingPending);
        };
        Reply::End(match book.phase() {
            Phase::Confirmed => Outcome::Ok,
            Phase::Manual => Outcome::Manual,
            Phase::WrittenOff => Outcome::WrittenOff,
            Phase::Reversed => Outcome::Refunded,
            Phase::Declined | Phase::Voided | Phase::Requested => Outcome::NothingPending,
            Phase::Authorised | Phase::Issued | Phase::InDoubt => Outcome::InDoubt,
        })
    }

    fn mac2(&mut self, id: Id, init: Init) -> Reply {
        let number = self
            .load(id)
            .and_then(|book| book.0.last_attempt())
            .and_then(|attempt| u8::try_from(attempt.number).ok());
        let mac2 = Mac2 {
            card: init.card,
            nonce: init.nonce,
            at: At {
                load: id,
                attempt: number.unwrap_or_default(),
            },
        };
        self.mac2s.push(mac2);
        self.mac2s
            .sort_by_key(|made| (made.at.load, made.at.attempt));
        Reply::Credit(mac2)
    }

    pub(super) fn resumed(&mut self, id: Id, evidence: Evidence, not_loaded: Verdict) {
        self.step(
            id,
            Event::Resume {
                evidence,
                not_loaded,
            },
        );
    }

    fn is_old(&self, card: u8, counter: u8) -> bool {
        let seen = self.counter_seen.get(usize::from(card));
        let confirmed = |book: &Book| {
            book.is_of(card)
                && book.phase() == Phase::Confirmed
                && book
                    .0
                    .last_attempt()
                    .is_some_and(|attempt| attempt.counter >= u16::from(counter))
        };
        seen.is_some_and(|seen| counter < *seen) || self.loads.iter().flatten().any(confirmed)
    }

    fn saw(&mut self, card: u8, counter: u8) {
        if let Some(seen) = self.counter_seen.get_mut(usize::from(card)) {
            *seen = (*seen).max(counter);
        }
    }
}

/// The bank computes MAC1 with the keys of the card that the load is for: another card's does not verify.
fn mac1(card: u8, init: Init) -> Option<Mac1> {
    let (expected, received) = ([card; 4], [init.card; 4]);
    Mac1::verify(
        u16::from(init.counter),
        u32::from(init.balance),
        &expected,
        &received,
    )
}

/// The first TAC that verifies over an attempt's own data, newest attempt first.
fn verified(settings: &Settings, id: Id, book: &Book, tacs: &[Tac]) -> Option<Verified> {
    let card = u8::try_from(book.0.order().card.0).ok()?;
    for attempt in book.0.attempts().iter().rev() {
        let expected = book.expected(id, card, attempt)?.bytes();
        for tac in tacs {
            let received = match settings.has(Bug::TacOfAnotherLoad) {
                true => expected,
                false => tac.bytes(),
            };
            let found = Verified::verify(attempt, &expected, &received);
            if found.is_some() {
                return found;
            }
        }
    }
    None
}
