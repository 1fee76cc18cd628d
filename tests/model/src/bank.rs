//! The bank: what `bank::flow` does with a request, each in one commit, on the real ledger.

use ledger::{
    Decline, Doubt, Effect, Event, Evidence, FreshInit, Mac1, Operators, Phase, Resolution, Since,
    Suspense, Tac as Verified, Verdict,
};

use crate::bug::Bug;
use crate::card::Card;
use crate::load::{Accounts, Book};
use crate::settings::Settings;
use crate::symbols::{At, Body, Id, Init, Mac2, Outcome, Reply, Request, Tac};

/// What the bank keeps of a transaction that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Exchange {
    id: Id,
    next_step: u8,
    awaits: Option<Phrase>,
    pub(crate) load: Option<Id>,
    /// The newest attempt when the card was asked for its proof.
    attempt: u32,
    since: Since,
}

/// The phase that the driver was asked to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phrase {
    TopUp,
    Resume,
    Prove,
    LoadAgain,
    Credit,
}

/// An answer that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) id: Id,
    pub(crate) step: u8,
    pub(crate) reply: Reply,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bank {
    pub(crate) loads: Vec<Option<Book>>,
    /// The first final phase of each load: kept to see that it stays.
    pub(crate) finals: Vec<Option<Phase>>,
    pub(crate) accounts: Accounts,
    pub(crate) mac2s: Vec<Mac2>,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) replies: Vec<Stored>,
    void: Vec<Id>,
    counter_seen: Vec<u8>,
    /// A request between its two commits. Volatile.
    pub(crate) working: Option<(Request, Init)>,
    /// A reply that is not stored yet: a planted bug. Volatile.
    pub(crate) unsaved: Option<(Exchange, Stored)>,
}

impl Bank {
    pub(crate) fn new(settings: &Settings) -> Self {
        let customer = i8::try_from(settings.funds).unwrap_or(i8::MAX);
        Self {
            loads: vec![None; usize::from(settings.top_ups)],
            finals: vec![None; usize::from(settings.top_ups)],
            accounts: Accounts {
                customer,
                in_transit: 0,
                float: 0,
                written_off: 0,
            },
            mac2s: Vec::new(),
            exchanges: Vec::new(),
            replies: Vec::new(),
            void: Vec::new(),
            counter_seen: vec![0; usize::from(settings.cards)],
            working: None,
            unsaved: None,
        }
    }

    pub(crate) fn load(&self, id: Id) -> Option<&Book> {
        self.loads.get(usize::from(id))?.as_ref()
    }

    /// The load that a transaction of a terminal is about.
    pub(crate) fn load_of(&self, id: Id) -> Option<Id> {
        let exchange = self.exchanges.iter().find(|exchange| exchange.id == id);
        exchange.and_then(|exchange| exchange.load)
    }

    pub(crate) fn reply(&self, id: Id, step: u8) -> Option<Reply> {
        let stored = |stored: &&Stored| (stored.id, stored.step) == (id, step);
        self.replies.iter().find(stored).map(|stored| stored.reply)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.working.is_some() || self.unsaved.is_some()
    }

    pub(crate) fn open_of_card(&self, card: u8) -> Option<Id> {
        let open = |book: &Book| book.phase().is_open() && book.is_of(card);
        let at = self
            .loads
            .iter()
            .position(|load| load.as_ref().is_some_and(open));
        at.and_then(|at| Id::try_from(at).ok())
    }

    /// Whether a request would do anything but bring the stored reply.
    pub(crate) fn would_take(&self, request: &Request) -> bool {
        if self.is_busy() || self.reply(request.id, request.step).is_some() {
            return false;
        }
        let exchange = self.exchange(request);
        exchange.next_step == request.step && exchange.awaits == Some(phrase(&request.body))
    }

    fn exchange(&self, request: &Request) -> Exchange {
        let found = self
            .exchanges
            .iter()
            .find(|exchange| exchange.id == request.id);
        let awaits = match request.body {
            Body::TopUp { .. } => Phrase::TopUp,
            Body::Resume { .. }
            | Body::Proven { .. }
            | Body::LoadAgain { .. }
            | Body::Credited { .. } => Phrase::Resume,
        };
        found.copied().unwrap_or(Exchange {
            id: request.id,
            next_step: 1,
            awaits: Some(awaits),
            load: None,
            attempt: 0,
            since: Since::Unknown,
        })
    }

    /// One request in one commit: effects, exchange and reply.
    pub(crate) fn take(
        &mut self,
        settings: &Settings,
        cards: &[Card],
        request: Request,
        refund: bool,
    ) {
        let mut exchange = self.exchange(&request);
        exchange.awaits = None;
        let reply = match request.body {
            Body::TopUp { card, init } => match self.top_up(settings, &mut exchange, card, init) {
                Some(reply) => reply,
                None => {
                    self.working = Some((request, init));
                    return;
                }
            },
            Body::Resume { card, about } => self.resume(&mut exchange, card, about),
            Body::Proven { tacs } => self.proven(settings, cards, &mut exchange, tacs),
            Body::LoadAgain { init } => self.load_again(settings, &mut exchange, init, refund),
            Body::Credited { tac } => self.credited(settings, &exchange, tac),
        };
        exchange.next_step += 1;
        exchange.awaits = match reply {
            Reply::Prove { .. } => Some(Phrase::Prove),
            Reply::LoadAgain => Some(Phrase::LoadAgain),
            Reply::Credit(_) => Some(Phrase::Credit),
            Reply::End(_) => None,
        };
        let stored = Stored {
            id: request.id,
            step: request.step,
            reply,
        };
        if settings.has(Bug::ReplyAfterCommit) {
            self.unsaved = Some((exchange, stored));
        } else {
            self.save(exchange, stored);
        }
    }

    pub(crate) fn save(&mut self, exchange: Exchange, stored: Stored) {
        self.exchanges.retain(|known| known.id != exchange.id);
        self.exchanges.push(exchange);
        self.exchanges.sort_by_key(|known| known.id);
        self.replies.push(stored);
        self.replies.sort_by_key(|known| (known.id, known.step));
    }

    /// None: the load is authorised and waits for the second commit.
    fn top_up(
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

    fn resume(&mut self, exchange: &mut Exchange, card: u8, about: Option<Id>) -> Reply {
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

    fn never_saw(&self, id: Id) -> bool {
        self.load(id).is_none() && self.exchanges.iter().all(|known| known.id != id)
    }

    /// A transaction that never came never will.
    pub(crate) fn void_unseen(&mut self, id: Id) {
        if self.never_saw(id) && !self.void.contains(&id) {
            self.void.push(id);
            self.void.sort_unstable();
        }
    }

    fn proven(
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

    fn load_again(
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

    fn credited(&mut self, settings: &Settings, exchange: &Exchange, tac: Option<Tac>) -> Reply {
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

    /// As `/v1/outcome`, where it is final; `unsure` asks for a transaction that never came to be void.
    pub(crate) fn outcome(&self, id: Id, unsure: bool) -> Option<Outcome> {
        if unsure && self.never_saw(id) {
            return Some(Outcome::NothingPending);
        }
        let load = self.load_of(id).unwrap_or(id);
        match self.load(load)?.phase() {
            Phase::Confirmed => Some(Outcome::Ok),
            Phase::Reversed => Some(Outcome::Refunded),
            Phase::WrittenOff => Some(Outcome::WrittenOff),
            Phase::Declined | Phase::Voided => Some(Outcome::NothingPending),
            Phase::Requested
            | Phase::Authorised
            | Phase::Issued
            | Phase::InDoubt
            | Phase::Manual => None,
        }
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

    fn resumed(&mut self, id: Id, evidence: Evidence, not_loaded: Verdict) {
        self.step(
            id,
            Event::Resume {
                evidence,
                not_loaded,
            },
        );
    }

    /// The machine takes an event, and the money moves with it.
    pub(crate) fn step(&mut self, id: Id, event: Event) {
        let Some(Some(book)) = self.loads.get_mut(usize::from(id)) else {
            return;
        };
        let effects: Vec<Effect> = book.step(event);
        self.accounts.post(&effects);
        let phase = book.phase();
        if let Some(first) = self.finals.get_mut(usize::from(id))
            && phase.is_final()
            && first.is_none()
        {
            *first = Some(phase);
        }
    }

    pub(crate) fn silent(&mut self, settings: &Settings, id: Id) {
        self.step(id, Event::Doubt(Doubt::Silence));
        if settings.has(Bug::RefundOnSilence) {
            self.refund_blindly(id);
        }
    }

    pub(crate) fn suspend(&mut self, id: Id) {
        self.step(id, Event::Suspend(Suspense::LostCard));
    }

    pub(crate) fn resolve(&mut self, id: Id, resolution: Resolution) {
        if let Some(operators) = Operators::new("one", "two", "the card was seen") {
            self.step(
                id,
                Event::Resolve {
                    resolution,
                    operators,
                },
            );
        }
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

    /// A planted bug: the counter of the order itself stands in for the card's.
    fn refund_blindly(&mut self, id: Id) {
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
    fn overturn(&mut self, id: Id, tac: Verified) {
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

fn phrase(body: &Body) -> Phrase {
    match body {
        Body::TopUp { .. } => Phrase::TopUp,
        Body::Resume { .. } => Phrase::Resume,
        Body::Proven { .. } => Phrase::Prove,
        Body::LoadAgain { .. } => Phrase::LoadAgain,
        Body::Credited { .. } => Phrase::Credit,
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
