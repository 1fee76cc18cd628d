//! The bank: what `bank::flow` does with a request, each in one commit, on the real ledger.

mod answering;
mod planted;

use ledger::{Doubt, Effect, Event, Operators, Phase, Resolution, Since, Suspense};

use crate::bug::Bug;
use crate::card::Card;
use crate::load::{Accounts, Book};
use crate::settings::Settings;
use crate::symbols::{Body, Id, Init, Mac2, Outcome, Reply, Request};

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
