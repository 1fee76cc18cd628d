//! Card after card: whose is it, and what happens to it.

use ipc::{Code, MoneyPlace, StepState, TapState, TapView, TransactionKind};
use roster::{Found, Own, Standing};

use super::{Paid, Screen};
use crate::actor::{Actor, Happened};
use crate::card_mark::CardMark;
use crate::failure::{Failure, Verdict, verdict};
use crate::look::Look;
use crate::opening::{Terms, opening};
use crate::run::{self, Ended, Job, Progress, lock};
use crate::terminal::random;

/// A card that first has to be settled, and then another that looks like it: more runs than this are a fault.
const MOST_TRIES: u8 = 6;

/// What a card is put to work for.
#[derive(Clone, Copy)]
enum Plan {
    /// Its part of the list.
    Load,
    /// A load of it that is open; with the transaction id that this device knows it by.
    Settle(Option<[u8; 16]>),
}

/// A run for a card of a list.
#[derive(Clone)]
pub(crate) struct Tapped {
    queue: [u8; 16],
    item: usize,
    card: CardMark,
    settles: bool,
}

impl Actor {
    /// A card is on the reader while a list is on the screen.
    pub(crate) fn queue_card_is_here(&mut self) {
        let here = self.reader.state == card_link::ReaderState::Card;
        // The person's card waits for the bank's word on the key.
        if !here || self.runs > 0 || self.key_queries > 0 || !self.queues.wants_card() {
            return;
        }
        let insertions = self.reader.insertions;
        let shells = self.shells();
        let Some(screen) = &mut self.queues.screen else {
            return;
        };
        let id = screen.id;
        let paid = self.queues.store.get(&hex::encode(id));
        let industry = paid.and_then(|paid| paid.industry.parse().ok());
        let Some(industry) = industry.filter(|_| !screen.busy) else {
            return;
        };
        if screen.tapped == Some(insertions) {
            // What was done for it is done.
            return;
        }
        screen.begin_tap(insertions);
        self.inserted_before = insertions;
        self.runs = self.runs.saturating_add(1);
        let look = Look::quiet(shells, id);
        self.beside(async move { Happened::QueueSaw(id, look.with(industry).await) });
    }

    /// The card was read: it is somebody's, or nobody's.
    pub(crate) fn queue_saw(&mut self, id: [u8; 16], ended: Ended) {
        self.runs = self.runs.saturating_sub(1);
        if let Err(failure) = self.queue_judge(id, ended) {
            self.stop_tap(id, failure, MoneyPlace::None);
        }
        self.card_is_here();
    }

    fn queue_judge(&mut self, id: [u8; 16], ended: Ended) -> Result<(), Failure> {
        let facts = ended.result?.card.unwrap_or_default();
        let paid = (self.queues.store.get(&hex::encode(id))).ok_or(Code::QueueUnknown)?;
        let industry = paid.industry.parse().map_err(|_| Code::IndustryUnknown)?;
        let card = CardMark::of(industry, &facts).ok_or(Code::CardReplyBad)?;
        self.queue_take_card(id, card)
    }

    /// Finds the card's part and does what is due.
    fn queue_take_card(&mut self, id: [u8; 16], card: CardMark) -> Result<(), Failure> {
        let by_hand = self.parts.reader.is_by_hand();
        let Some(paid) = self.queues.store.get(&hex::encode(id)).cloned() else {
            return Err(Code::QueueUnknown.into());
        };
        let Some(screen) = self.queues.shown(&id) else {
            // Its screen was left before the card was known: nothing was begun.
            return Ok(());
        };
        let found = roster::find(&paid.items, &card.tail, card.mark, &screen.passed);
        let (item, settles) = match found {
            Found::Nobody if screen.passed.is_empty() => {
                return Err(Failure::from(Code::QueueUnlisted).with("tail", &card.tail));
            }
            Found::Nobody => return Err(Failure::from(Code::QueueCard).with("tail", &card.tail)),
            Found::Returned(_) => return Err(Code::QueueClosed.into()),
            Found::WrittenOff(_) => return Err(Code::WrittenOff.into()),
            Found::Ticked(item) => {
                screen.ticked(item, by_hand);
                return Ok(());
            }
            Found::Load(item) => (item, false),
            Found::Settle(item) => (item, true),
        };
        // A new INITIALIZE makes some cards drop the proof of a load that is still open.
        let about = (lock(&self.journal).unfinished_on(&card)).map(|load| load.entry.transaction);
        let plan = match about {
            None if !settles => Plan::Load,
            about => Plan::Settle(about),
        };
        self.queue_run(&paid, item, card, plan)
    }

    fn queue_run(
        &mut self,
        paid: &Paid,
        item: usize,
        card: CardMark,
        plan: Plan,
    ) -> Result<(), Failure> {
        let queue = paid.key().ok_or(Code::Internal)?;
        let screen = self.queues.shown(&queue).ok_or(Code::Cancelled)?;
        screen.tries = screen.tries.saturating_add(1);
        if screen.tries > MOST_TRIES {
            return Err(Code::Internal.into());
        }
        let job = self.queue_job(paid, item, card.clone(), plan)?;
        if let Some(screen) = self.queues.shown(&queue) {
            screen.run_tap(item);
        }
        let shells = self.shells();
        self.runs = self.runs.saturating_add(1);
        let steps = self.events.clone();
        let on_progress = Box::new(move |progress| {
            let _ = steps.send(Happened::QueueStep(queue, progress));
        });
        let tapped = Tapped {
            queue,
            item,
            card,
            settles: matches!(plan, Plan::Settle(_)),
        };
        self.beside(async move {
            let ended = run::run(shells, job, on_progress).await;
            Happened::QueueEnded(tapped, ended)
        });
        Ok(())
    }

    /// The run for a plan. A load's attempt is on the disk before anybody is asked.
    fn queue_job(
        &mut self,
        paid: &Paid,
        item: usize,
        card: CardMark,
        plan: Plan,
    ) -> Result<Job, Failure> {
        let industry = paid.industry.parse().map_err(|_| Code::IndustryUnknown)?;
        let part = paid.items.get(item).ok_or(Code::Internal)?;
        let (kind, id, about, terms) = match plan {
            Plan::Load => {
                let queue = paid.key().ok_or(Code::Internal)?;
                let proof = paid.proof().ok_or(Code::BankSilent)?;
                let own = paid.own(&lock(&self.journal), item);
                let attempt = part.next_attempt(&own).ok_or(Code::TooMany)?;
                let index = u16::try_from(item).map_err(|_| Code::Internal)?;
                self.note_attempt(&paid.id, item, attempt)?;
                let terms = Terms {
                    amount: Some(part.amount),
                    sms_proof: Some(proof),
                    ..Terms::default()
                };
                let id = envelope::queue::transaction(&queue, index, attempt);
                (TransactionKind::Topup, id, None, terms)
            }
            Plan::Settle(about) => {
                let mut id = [0; 16];
                random(&mut id)?;
                let [.., attempt] = &mut id;
                *attempt = 0;
                let terms = Terms {
                    about,
                    ..Terms::default()
                };
                (TransactionKind::Resume, id, about, terms)
            }
        };
        let known = about.and_then(|about| {
            let journal = lock(&self.journal);
            journal
                .get(&hex::encode(about))
                .map(|load| load.entry.amount)
        });
        let amount = match plan {
            Plan::Load => Some(part.amount),
            Plan::Settle(_) => known,
        };
        Ok(Job {
            id,
            kind,
            industry,
            opening: opening(&self.link, kind, id, industry, &terms)?,
            amount,
            card: Some(card),
            about,
        })
    }

    fn note_attempt(&mut self, id: &str, item: usize, attempt: u8) -> Result<(), Failure> {
        let mut paid = (self.queues.store.get(id).cloned()).ok_or(Code::Internal)?;
        let part = paid.items.get_mut(item).ok_or(Code::Internal)?;
        if part.attempt != Some(attempt) {
            part.attempt = Some(attempt);
            self.queues.store.keep(paid)?;
        }
        Ok(())
    }

    pub(crate) fn queue_went_on(&mut self, id: [u8; 16], progress: Progress) {
        let Some(tap) = self
            .queues
            .shown(&id)
            .and_then(|screen| screen.tap.as_mut())
        else {
            return;
        };
        match progress {
            Progress::Step(name, StepState::Running, place) => {
                (tap.step, tap.place) = (Some(name), place);
            }
            Progress::Step(_, StepState::Waiting | StepState::Done | StepState::Failed, place) => {
                tap.place = place;
            }
            Progress::Contact(contact) => tap.contact = contact,
        }
    }

    /// A run for a card came to its end.
    pub(crate) fn queue_ended(&mut self, tapped: &Tapped, ended: Ended) {
        self.runs = self.runs.saturating_sub(1);
        let heard = ended.result.as_ref().err();
        if heard.is_none_or(|failure| failure.code.is_away()) {
            self.bank_answered(heard);
        }
        self.queues_learn();
        let place = ended.place;
        let id = hex::encode(tapped.queue);
        let clean = ended.result.is_ok() && !tapped.settles;
        let next = match ended.result {
            Ok(closing) => self.queue_took(tapped, &closing),
            Err(failure) => self.queue_after(tapped, failure),
        };
        if let Err(failure) = next {
            self.stop_tap(tapped.queue, failure, place);
        }
        if !clean {
            self.ask_queue(&id, None);
        }
        self.card_is_here();
    }

    /// It ended well: the part is on the card, or an older load is settled and the part comes next.
    fn queue_took(&mut self, tapped: &Tapped, closing: &industry::Closing) -> Result<(), Failure> {
        let id = hex::encode(tapped.queue);
        let mut paid = (self.queues.store.get(&id).cloned()).ok_or(Code::QueueUnknown)?;
        let unknown_here = matches!(
            paid.own(&lock(&self.journal), tapped.item),
            Own::Nothing | Own::NotDone | Own::WrittenOff
        );
        let part = paid.items.get_mut(tapped.item).ok_or(Code::Internal)?;
        let returned = verdict(&closing.outcome) == Verdict::Returned;
        let own = Own::Done {
            reference: closing.reference.clone(),
            time_ms: closing.time_ms.unwrap_or_else(|| self.link.bank_now_ms()),
        };
        // The bank has one open load for a card: this was it, though the journal knows nothing of it.
        let settled = part.standing == Standing::Open && unknown_here && !returned;
        if settled && part.learn(&own, paid.closed) {
            self.queues.store.keep(paid.clone())?;
        }
        let loaded =
            (paid.items.get(tapped.item)).is_some_and(|part| part.standing == Standing::Loaded);
        if !loaded && tapped.settles {
            return self.queue_take_card(tapped.queue, tapped.card.clone());
        }
        self.remember_balance(Some(&tapped.card), closing);
        if let Some(screen) = self.queues.shown(&tapped.queue) {
            screen.end_tap(tapped.item, closing.new_balance);
        }
        Ok(())
    }

    /// It ended without money on the card: some ends have a next step in the same contact.
    fn queue_after(&mut self, tapped: &Tapped, failure: Failure) -> Result<(), Failure> {
        let nothing_open = [Code::NothingPending, Code::Voided].contains(&failure.code);
        if tapped.settles && nothing_open {
            // Now the part itself.
            self.nothing_open(tapped)?;
        } else if failure.code == Code::QueueCard {
            let screen = self.queues.shown(&tapped.queue);
            screen.ok_or(Code::Cancelled)?.passed.push(tapped.item);
        } else if failure.code == Code::LoadOpen && !tapped.settles {
            // A load from elsewhere: it comes first.
            let id = hex::encode(tapped.queue);
            let paid = (self.queues.store.get(&id).cloned()).ok_or(Code::QueueUnknown)?;
            let card = tapped.card.clone();
            return self.queue_run(&paid, tapped.item, card, Plan::Settle(None));
        } else {
            return Err(failure);
        }
        self.queue_take_card(tapped.queue, tapped.card.clone())
    }

    fn nothing_open(&mut self, tapped: &Tapped) -> Result<(), Failure> {
        let id = hex::encode(tapped.queue);
        let mut paid = (self.queues.store.get(&id).cloned()).ok_or(Code::QueueUnknown)?;
        let closed = paid.closed;
        let part = paid.items.get_mut(tapped.item).ok_or(Code::Internal)?;
        if part.standing == Standing::Open && part.learn(&Own::NotDone, closed) {
            self.queues.store.keep(paid)?;
        }
        Ok(())
    }

    fn stop_tap(&mut self, id: [u8; 16], failure: Failure, place: MoneyPlace) {
        if let Some(tap) = self
            .queues
            .shown(&id)
            .and_then(|screen| screen.tap.as_mut())
        {
            tap.state = TapState::Stopped;
            tap.step = None;
            tap.contact = None;
            tap.place = place;
            tap.error = Some(failure.view(place));
        }
    }

    /// What the journal has of every list's loads.
    pub(crate) fn queues_learn(&mut self) {
        self.queues.store.learn(&lock(&self.journal));
    }
}

impl Screen {
    /// The phone looks for no more cards until the person wants it to.
    pub(crate) fn card_unwanted(&mut self) {
        if self.stage == ipc::QueueStage::Tap && !self.is_at_work() {
            self.error = Some(Failure::from(Code::CardNone).view(MoneyPlace::None));
        }
    }

    fn begin_tap(&mut self, insertions: u64) {
        self.tapped = Some(insertions);
        self.taps = self.taps.saturating_add(1);
        self.passed.clear();
        self.tries = 0;
        self.error = None;
        // On a phone the same card is found again as long as it is held: what it came to is shown on.
        let before = self.tap.take().filter(|tap| tap.state == TapState::Loaded);
        self.last = before.and_then(|tap| tap.item.zip(Some(tap.balance)));
        self.tap = Some(TapView {
            count: self.taps,
            state: TapState::Reading,
            item: None,
            step: None,
            place: MoneyPlace::None,
            contact: None,
            balance: None,
            error: None,
        });
    }

    fn run_tap(&mut self, item: usize) {
        if let Some(tap) = &mut self.tap {
            tap.state = TapState::Running;
            tap.item = u32::try_from(item).ok();
        }
    }

    fn end_tap(&mut self, item: usize, balance: Option<u32>) {
        if let Some(tap) = &mut self.tap {
            tap.state = TapState::Loaded;
            tap.item = u32::try_from(item).ok();
            tap.step = None;
            tap.contact = None;
            tap.place = MoneyPlace::OnCard;
            tap.balance = balance;
        }
    }

    /// The part is on the card already.
    fn ticked(&mut self, item: usize, by_hand: bool) {
        let item = u32::try_from(item).ok();
        let just_now = self.last.filter(|(last, _)| by_hand && Some(*last) == item);
        if let Some(tap) = &mut self.tap {
            tap.item = item;
            tap.state = TapState::Ticked;
            if let Some((_, balance)) = just_now {
                (tap.state, tap.balance) = (TapState::Loaded, balance);
                tap.place = MoneyPlace::OnCard;
            }
        }
    }
}
