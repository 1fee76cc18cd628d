//! Everything together: who can do what, and what it costs.

mod acting;
mod choices;

use ledger::{Phase, Resolution};
use stateright::{Model, Property};

use crate::app::{App, Next};
use crate::bank::Bank;
use crate::card::{Card, Habits};
use crate::journal::State;
use crate::properties;
use crate::settings::Settings;
use crate::symbols::{Id, Request};

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

    fn loads_in(&self, phase: Phase) -> impl Iterator<Item = Id> {
        (0..).zip(&self.bank.loads).filter_map(move |(id, load)| {
            load.as_ref()
                .is_some_and(|load| load.phase() == phase)
                .then_some(id)
        })
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
