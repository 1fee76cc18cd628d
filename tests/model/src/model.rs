//! Everything together: who can do what, and what it costs.

use ledger::{Event, Phase, Resolution};
use stateright::{Model, Property};

use crate::app::{App, Next, Run};
use crate::bank::Bank;
use crate::bug::Bug;
use crate::card::{Card, Habits};
use crate::journal::State;
use crate::properties;
use crate::settings::Settings;
use crate::symbols::{Body, Id, Request};

/// Everything that there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub(crate) cards: Vec<Card>,
    pub(crate) apps: Vec<App>,
    pub(crate) bank: Bank,
    /// Every request ever sent. Any of them may arrive now, later, again or never.
    pub(crate) network: Vec<Request>,
    /// Number of the next re-top-up.
    next_id: Id,
    /// Faults left.
    faults: u8,
    /// A step that had to lead on led back: kept to see that there is none.
    pub(crate) led_back: bool,
}

/// When a card is torn. During a command it does all or nothing, which is after or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The command is carried out and its reply arrives.
    Not,
    /// Before the command arrives.
    Before,
    /// After it was carried out, before its reply arrives.
    After,
}

/// What can happen. Numbers are those of apps, cards, requests and transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is told by its name and by `World::act`
pub enum Action {
    BeginTopUp { app: u8, id: u8 },
    BeginResume { app: u8, card: u8 },
    Step { app: u8 },
    Command { app: u8, cut: Cut },
    Pull { app: u8 },
    Swap { app: u8 },
    Answer { app: u8 },
    GiveUp { app: u8 },
    Unread { app: u8 },
    AppDies { app: u8 },
    SendProof { app: u8, id: u8 },
    ProofAnswered { app: u8, id: u8 },
    Learns { app: u8, id: u8, unsure: bool },
    BankTakes { request: u8, refund: bool },
    BankFinishes,
    BankDies,
    TimeOut { load: u8 },
    Cancel { load: u8 },
    Silence { load: u8 },
    Purchase { card: u8 },
    LoseCard { load: u8 },
    Decide { load: u8, as_: Resolution },
}

/// More transactions than any way through the model may need: who comes here goes round in a circle.
const MANY: Id = 32;

impl Model for Settings {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let world = |habits: Habits| World {
            cards: (0..self.cards)
                .map(|number| Card::new(number, habits, self.purchases))
                .collect(),
            apps: vec![App::new(); usize::from(self.apps)],
            bank: Bank::new(self),
            network: Vec::new(),
            next_id: self.top_ups,
            faults: self.faults,
            led_back: false,
        };
        let mut all = Habits::all();
        // Without purchases nobody looks at the log.
        all.retain(|habits| habits.log || self.purchases > 0);
        all.into_iter().map(world).collect()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.duties(actions);
        world.wishes(self, actions);
        if world.faults > 0 {
            world.faults(self, actions);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        world.act(self, action)?;
        let mut duties = Vec::new();
        before.duties(&mut duties);
        if duties.contains(&action) {
            world.led_back |= world.progress() <= before.progress();
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}

impl World {
    fn each_app(&self) -> impl Iterator<Item = (u8, &App)> {
        (0..).zip(&self.apps)
    }

    pub(crate) fn card(&self, number: u8) -> Option<&Card> {
        self.cards.get(usize::from(number))
    }

    fn top_up_card(&self, id: Id) -> u8 {
        let cards = u8::try_from(self.cards.len()).unwrap_or(1);
        id % cards
    }

    /// No run is at work with it.
    fn is_free(&self, card: &Card) -> bool {
        let runs = |app: u8| {
            let app = self.apps.get(usize::from(app));
            app.is_some_and(|app| app.run.is_some())
        };
        !card.holder.is_some_and(runs)
    }

    /// What happens by itself when nothing is in the way: where all of these have come to an end, all must be well.
    pub(crate) fn duties(&self, actions: &mut Vec<Action>) {
        for (app, it) in self.each_app() {
            match &it.run {
                Some(run) if run.is_at_card() => {
                    actions.push(Action::Command { app, cut: Cut::Not })
                }
                Some(run) if run.next == Next::Wait => {
                    if self.bank.reply(run.id, run.step).is_some() {
                        actions.push(Action::Answer { app });
                    }
                }
                Some(_) => actions.push(Action::Step { app }),
                None => {
                    let waits = |card: &&Card| self.is_free(card) && self.waits_for(it, card);
                    let cards = self.cards.iter().filter(waits);
                    actions.extend(cards.map(|card| Action::BeginResume {
                        app,
                        card: card.number,
                    }));
                }
            }
            if it.run.is_none() {
                let settled = it
                    .unanswered()
                    .filter(|(id, unsure)| self.bank.outcome(*id, *unsure).is_some());
                actions.extend(settled.map(|(id, unsure)| Action::Learns { app, id, unsure }));
            }
            for request in it.to_deliver() {
                let id = request.id;
                if it.run.is_some_and(|run| run.id == id) {
                    continue;
                }
                if self.bank.reply(id, request.step).is_some() {
                    actions.push(Action::ProofAnswered { app, id });
                } else if it.run.is_none() && !self.network.contains(&request) {
                    actions.push(Action::SendProof { app, id });
                }
            }
        }
        for (at, request) in (0..).zip(&self.network) {
            if self.bank.would_take(request) {
                actions.push(Action::BankTakes {
                    request: at,
                    refund: false,
                });
            }
        }
        if self.bank.is_busy() {
            actions.push(Action::BankFinishes);
        } else {
            actions.extend(self.stuck().map(|load| Action::TimeOut { load }));
        }
    }

    /// A load on this card is unfinished in the journal, and neither with people nor still to be given up by the
    /// bank: the person who asks is told so, and asks again later.
    fn waits_for(&self, app: &App, card: &Card) -> bool {
        app.unfinished_on(card.number).is_some_and(|entry| {
            let load = self
                .bank
                .load(self.bank.load_of(entry.id).unwrap_or(entry.id));
            let later = [Phase::Manual, Phase::Authorised];
            !load.is_some_and(|load| later.contains(&load.phase()))
        })
    }

    /// Loads that were authorised and left there.
    fn stuck(&self) -> impl Iterator<Item = Id> {
        self.loads_in(Phase::Authorised)
    }

    fn loads_in(&self, phase: Phase) -> impl Iterator<Item = Id> {
        (0..).zip(&self.bank.loads).filter_map(move |(id, load)| {
            load.as_ref()
                .is_some_and(|load| load.phase() == phase)
                .then_some(id)
        })
    }

    /// What people and clocks may do or leave.
    fn wishes(&self, settings: &Settings, actions: &mut Vec<Action>) {
        for (app, it) in self.each_app() {
            if it.run.is_some() {
                continue;
            }
            let ids = (0..settings.top_ups).filter(|id| self.may_begin(it, *id));
            actions.extend(ids.map(|id| Action::BeginTopUp { app, id }));
            // Somebody who was told of a load on another device may ask for it here.
            let asks = |card: &&Card| {
                let open = self.bank.open_of_card(card.number);
                let phase = open
                    .and_then(|id| self.bank.load(id))
                    .map(|load| load.phase());
                self.apps.len() > 1
                    && self.is_free(card)
                    && it.unfinished_on(card.number).is_none()
                    && matches!(phase, Some(Phase::Issued | Phase::InDoubt))
            };
            let cards = self.cards.iter().filter(asks);
            actions.extend(cards.map(|card| Action::BeginResume {
                app,
                card: card.number,
            }));
        }
        actions.extend(
            self.loads_in(Phase::Issued)
                .map(|load| Action::Silence { load }),
        );
        if settings.refunds {
            for (at, request) in (0..).zip(&self.network) {
                let decides = matches!(request.body, Body::LoadAgain { .. });
                if decides && self.bank.would_take(request) {
                    actions.push(Action::BankTakes {
                        request: at,
                        refund: true,
                    });
                }
            }
        }
        if settings.two_commits && !self.bank.is_busy() {
            actions.extend(self.stuck().map(|load| Action::Cancel { load }));
        }
        for load in self.loads_in(Phase::Manual) {
            let both = [Resolution::Loaded, Resolution::Refund, Resolution::WriteOff];
            let seen = both.into_iter().filter(|as_| self.may_decide(load, *as_));
            actions.extend(seen.map(|as_| Action::Decide { load, as_ }));
        }
        let shops = |card: &&Card| {
            card.spent < settings.purchases && card.balance > 0 && self.is_free(card)
        };
        let cards = self.cards.iter().filter(shops);
        actions.extend(cards.map(|card| Action::Purchase { card: card.number }));
    }

    /// A number is a device's own: never used on another one, and again only where it surely moved nothing.
    fn may_begin(&self, app: &App, id: Id) -> bool {
        let card = self.top_up_card(id);
        let known = |app: &App| app.entry(id).is_some();
        if app.entry(id).is_none() && self.apps.iter().any(known) {
            return false;
        }
        let again = app
            .entry(id)
            .is_none_or(|entry| entry.state == State::NotDone);
        again
            && self.card(card).is_some_and(|card| self.is_free(card))
            && app.unfinished_on(card).is_none()
            && self.bank.reply(id, 1).is_none()
            && self.bank.load(id).is_none()
            && !self.network.iter().any(|request| request.id == id)
            && !self
                .apps
                .iter()
                .any(|app| app.run.is_some_and(|run| run.id == id))
    }

    /// Two people who have seen the card: they say what is true, or that neither can be shown.
    fn may_decide(&self, load: Id, as_: Resolution) -> bool {
        let credited = self.credits_of(load) > 0;
        !self.is_mac2_alive(load)
            && match as_ {
                Resolution::Loaded => credited,
                Resolution::Refund => !credited,
                Resolution::WriteOff => true,
            }
    }

    /// How often the card was credited for a load.
    pub(crate) fn credits_of(&self, load: Id) -> usize {
        let credited = self.cards.iter().flat_map(|card| &card.credited);
        credited.filter(|at| at.load == load).count()
    }

    /// The card still waits for a MAC2 that was made for this load.
    pub(crate) fn is_mac2_alive(&self, load: Id) -> bool {
        let made = self.bank.mac2s.iter().filter(|mac2| mac2.at.load == load);
        made.into_iter().any(|mac2| {
            self.card(mac2.card)
                .is_some_and(|card| card.session == Some(mac2.nonce))
        })
    }

    fn faults(&self, settings: &Settings, actions: &mut Vec<Action>) {
        for (app, it) in self.each_app() {
            let Some(run) = &it.run else { continue };
            actions.push(Action::AppDies { app });
            if run.is_at_card() {
                let cuts = [Cut::Before, Cut::After];
                actions.extend(cuts.map(|cut| Action::Command { app, cut }));
            }
            if self.cards.len() > 1 {
                actions.push(Action::Swap { app });
            }
            if run.next == Next::Wait {
                actions.push(Action::GiveUp { app });
                if settings.apps > 1 {
                    actions.push(Action::Pull { app });
                }
                let taken = self.bank.reply(run.id, run.step).is_some() || self.bank.is_busy();
                if !run.resume && run.step == 1 && !taken {
                    actions.push(Action::Unread { app });
                }
            }
        }
        if self.bank.is_busy() {
            actions.push(Action::BankDies);
        }
        if settings.operators {
            let doubtful = self.loads_in(Phase::InDoubt);
            actions.extend(doubtful.map(|load| Action::LoseCard { load }));
        }
    }

    fn act(&mut self, settings: &Settings, action: Action) -> Option<()> {
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

    /// Rises with each duty that is done. What rises in a finite world comes to an end.
    fn progress(&self) -> usize {
        let run = |app: &App| match &app.run {
            None => 999,
            Some(run) => usize::from(run.step) * 20 + place_of(&run.next),
        };
        let kept = |state: State| match state {
            State::Asked => 1,
            State::Issued => 2,
            State::Writing => 3,
            State::ToDeliver(_) => 4,
            State::InDoubt => 5,
            State::Done | State::NotDone | State::WrittenOff => 6,
        };
        let runs: usize = self.apps.iter().map(run).sum();
        let journals = self.apps.iter().flat_map(|app| &app.journal);
        let journals: usize = journals.map(|entry| kept(entry.state)).sum();
        let voided: usize = self.loads_in(Phase::Voided).count();
        let bank = self.bank.replies.len() * 2 + usize::from(self.bank.is_busy()) + voided;
        usize::from(self.next_id) * 1_000 + runs + journals + self.network.len() + bank
    }
}

/// How far a run is within its step.
fn place_of(next: &Next) -> usize {
    match next {
        Next::Wait => 1,
        Next::Prove { .. } => 2,
        Next::Initialize => 3,
        Next::Record(_) => 4,
        Next::Open(_) => 5,
        Next::Issued(_) => 6,
        Next::Writing(_) => 7,
        Next::Credit(_) => 8,
        Next::Wrote(_) => 9,
        Next::Send(_) => 10,
        Next::Close(_) => 11,
    }
}
