//! What each of these does to the world.

use ledger::Event;

use crate::app::{App, Next, Run};
use crate::bug::Bug;
use crate::card::Card;
use crate::settings::Settings;
use crate::symbols::Request;

use super::{Action, Cut, MANY, World};

impl World {
    pub(super) fn act(&mut self, settings: &Settings, action: Action) -> Option<()> {
        match action {
            Action::BeginTopUp { app, id } => {
                let card = self.top_up_card(id);
                self.begin(app, Run::top_up(id, card))?;
            }
            Action::BeginResume { app, card } => {
                if self.next_id >= MANY {
                    self.led_back = true;
                    return Some(());
                }
                let it = self.apps.get(usize::from(app))?;
                let about = it.unfinished_on(card).map(|entry| entry.id);
                let run = Run::resume(settings, self.next_id, about, card);
                self.next_id += 1;
                self.begin(app, run)?;
            }
            Action::Step { app } => {
                let sent = self.app(app)?.step(settings);
                self.send(sent);
                self.release(app)?;
            }
            Action::Command { app, cut } => self.command(settings, app, cut)?,
            Action::Pull { app } => {
                self.contact(app)?.power_off();
                self.pay()?;
            }
            Action::Swap { app } => {
                self.contact(app)?.power_off();
                let cards = u8::try_from(self.cards.len()).ok()?;
                let run = self.app(app)?.run.as_mut()?;
                run.contact = (run.contact + 1) % cards;
                self.contact(app)?.power_on(app);
                self.pay()?;
            }
            Action::Answer { app } => {
                let run = self.apps.get(usize::from(app))?.run?;
                let reply = self.bank.reply(run.id, run.step)?;
                self.app(app)?.run.as_mut()?.answered(reply);
            }
            Action::GiveUp { app } => {
                self.app(app)?.give_up(settings);
                self.release(app)?;
                self.pay()?;
            }
            Action::Unread { app } => {
                let run = self.apps.get(usize::from(app))?.run?;
                self.network.retain(|request| request.id != run.id);
                self.app(app)?.unread();
                self.release(app)?;
                self.pay()?;
            }
            Action::AppDies { app } => {
                self.app(app)?.run = None;
                self.release(app)?;
                self.pay()?;
            }
            Action::SendProof { app, id } => {
                let it = self.apps.get(usize::from(app))?;
                let sent = it.to_deliver().find(|request| request.id == id);
                self.send(sent);
            }
            Action::ProofAnswered { app, id } => {
                let it = self.apps.get(usize::from(app))?;
                let asked = it.to_deliver().find(|request| request.id == id)?;
                let reply = self.bank.reply(id, asked.step)?;
                self.app(app)?.delivered(id, reply);
            }
            Action::Learns { app, id, unsure } => {
                let outcome = self.bank.outcome(id, unsure)?;
                if unsure {
                    self.bank.void_unseen(id);
                }
                self.app(app)?.learns(id, outcome);
            }
            Action::BankTakes { request, refund } => {
                let request = *self.network.get(usize::from(request))?;
                self.bank.take(settings, &self.cards, request, refund);
            }
            Action::BankFinishes => {
                if let Some((request, init)) = self.bank.working.take() {
                    self.bank.finish(settings, request, init);
                }
                if let Some((exchange, stored)) = self.bank.unsaved.take() {
                    self.bank.save(exchange, stored);
                }
            }
            Action::BankDies => {
                self.bank.working = None;
                self.bank.unsaved = None;
                self.pay()?;
            }
            Action::TimeOut { load } => self.bank.void(load, Event::TimeOut),
            Action::Cancel { load } => self.bank.void(load, Event::Cancel),
            Action::Silence { load } => self.bank.silent(settings, load),
            Action::Purchase { card } => {
                let card = self.cards.get_mut(usize::from(card))?;
                card.power_off();
                card.purchase();
            }
            Action::LoseCard { load } => {
                self.bank.suspend(load);
                self.pay()?;
            }
            Action::Decide { load, as_ } => self.bank.resolve(load, as_),
        }
        Some(())
    }

    fn app(&mut self, app: u8) -> Option<&mut App> {
        self.apps.get_mut(usize::from(app))
    }

    /// The card that a run's handle reaches.
    fn contact(&mut self, app: u8) -> Option<&mut Card> {
        let card = self.apps.get(usize::from(app))?.run?.contact;
        self.cards.get_mut(usize::from(card))
    }

    fn begin(&mut self, app: u8, run: Run) -> Option<()> {
        self.app(app)?.run = Some(run);
        self.contact(app)?.holder = Some(app);
        Some(())
    }

    /// The reader lets go of the card when no run holds it. It stays powered, and its session with it.
    fn release(&mut self, app: u8) -> Option<()> {
        if self.app(app)?.run.is_none() {
            let held = |card: &&mut Card| card.holder == Some(app);
            let held = self.cards.iter_mut().filter(held);
            held.for_each(|card| card.holder = None);
        }
        Some(())
    }

    fn pay(&mut self) -> Option<()> {
        self.faults = self.faults.checked_sub(1)?;
        Some(())
    }

    fn send(&mut self, sent: Option<Request>) {
        if let Some(request) = sent.filter(|request| !self.network.contains(request)) {
            self.network.push(request);
            self.network
                .sort_by_key(|request| (request.id, request.step));
        }
    }

    fn command(&mut self, settings: &Settings, app: u8, cut: Cut) -> Option<()> {
        let mut run = self.apps.get(usize::from(app))?.run?;
        let card = self.cards.get_mut(usize::from(run.contact))?;
        let kept = settings.has(Bug::OldHandle) && matches!(run.next, Next::Credit(_));
        let here = card.holder == Some(app);
        if here && cut != Cut::Before {
            let mut carried_out = run;
            carried_out.command(card);
            if cut == Cut::Not {
                run = carried_out;
            }
        }
        let torn = cut != Cut::Not || !here;
        if torn && here {
            card.power_off();
        }
        if torn && kept {
            // A planted bug: the handle finds the card again, and the same command goes out once more.
            card.power_on(app);
        }
        self.app(app)?.run = (!torn || kept).then_some(run);
        self.release(app)?;
        if cut != Cut::Not {
            self.pay()?;
        }
        Some(())
    }
}
