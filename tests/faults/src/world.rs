//! What everything in one run shares: simulated time, what strikes where, and the trace.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use session::Session;
use tokio::time::{Instant, sleep};
use virtual_card::Fault;

use crate::plan::Plan;
use crate::point::{Act, Cell, Point, When, Who};
use crate::random::Random;
use crate::rare::Rare;
use crate::wallet::Wallet;

/// Simulated time begins here: 2026-11-23 in China, when the demo cards are valid.
pub(crate) const BEGINNING_MS: u64 = 1_795_401_000_000;

/// The point at which a harmless read is repeated to measure the contact.
pub(crate) const PROBE: &str = "PROBE";

/// A fault that met its point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strike {
    pub(crate) who: Who,
    pub(crate) when: When,
    /// What the fault does where it can do several things, and for how long.
    pub(crate) draw: u64,
}

impl Strike {
    pub(crate) fn is(self, who: Who, when: When) -> bool {
        self.who == who && self.when == when
    }
}

pub(crate) struct World {
    began: Instant,
    app_ahead_ms: AtomicI64,
    bank_ahead_ms: AtomicI64,
    /// Commits that the bank's store refuses from now on.
    pub(crate) refused_commits: Arc<AtomicU64>,
    pub(crate) wallet: Wallet,
    state: Mutex<State>,
}

struct State {
    random: Random,
    act: Act,
    met: BTreeMap<(Act, String), u32>,
    planned: Vec<(Cell, u64)>,
    rare: Vec<(Point, Rare)>,
    struck: Vec<Cell>,
    rare_struck: Vec<&'static str>,
    points: Vec<Point>,
    trace: Vec<String>,
    aloud: bool,
    app: Option<Session>,
    network_back: Option<Instant>,
    disk_full: bool,
    store_locked_until: Option<Instant>,
    app_dead: bool,
    dies_after_write: bool,
    under_way: u32,
}

impl World {
    pub(crate) fn new(plan: &Plan, wallet: Wallet, aloud: bool) -> Self {
        Self {
            began: Instant::now(),
            app_ahead_ms: AtomicI64::new(0),
            bank_ahead_ms: AtomicI64::new(0),
            refused_commits: Arc::default(),
            wallet,
            state: Mutex::new(State {
                random: Random::new(plan.seed ^ 0x5EED),
                act: Act::Start,
                met: BTreeMap::new(),
                planned: plan.faults.clone(),
                rare: plan.rare.clone(),
                struck: Vec::new(),
                rare_struck: Vec::new(),
                points: Vec::new(),
                trace: Vec::new(),
                aloud,
                app: None,
                network_back: None,
                disk_full: false,
                store_locked_until: None,
                app_dead: false,
                dies_after_write: false,
                under_way: 0,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, what: impl std::fmt::Display) {
        let at_ms = self.began.elapsed().as_millis();
        let mut state = self.state();
        let line = format!("{at_ms:>8} ms  {what}");
        if state.aloud {
            crate::say(&line);
        }
        state.trace.push(line);
    }

    pub(crate) fn below(&self, most: u64) -> u64 {
        self.state().random.below(most)
    }

    /// The bank's and the app's clock before anything moves one of them, ms since 1970.
    fn now_ms(&self) -> u64 {
        let since_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        BEGINNING_MS.saturating_add(since_ms)
    }

    /// From here on points belong to this act.
    pub(crate) fn begin(&self, act: Act) {
        self.tell(format_args!("-- {}", act.name()));
        self.state().act = act;
    }

    /// Something reaches a message or a command: the fault that waits there, if any.
    pub(crate) fn arrive(self: &Arc<Self>, step: &str) -> Option<Strike> {
        let mut state = self.state();
        let act = state.act;
        let nth = state.met.entry((act, step.to_owned())).or_default();
        *nth += 1;
        // All later records of a log are alike, and so are all later looks at the contact.
        let nth = if ["READ RECORD", PROBE].contains(&step) {
            (*nth).min(2)
        } else {
            *nth
        };
        let step = step.to_owned();
        let point = Point { act, step, nth };
        let rare = state.rare.iter().position(|(at, _)| *at == point);
        let rare = rare.map(|at| state.rare.remove(at).1);
        let at = state
            .planned
            .iter()
            .position(|(cell, _)| cell.point == point);
        state.points.push(point);
        state.rare_struck.extend(rare.map(Rare::name));
        drop(state);
        if let Some(rare) = rare {
            self.meet(rare);
        }
        let mut state = self.state();
        let (cell, draw) = state.planned.remove(at?);
        let strike = Strike {
            who: cell.who,
            when: cell.when,
            draw,
        };
        state.struck.push(cell.clone());
        drop(state);
        self.tell(format_args!("!! {cell}"));
        Some(strike)
    }

    fn meet(self: &Arc<Self>, rare: Rare) {
        self.tell(format_args!("!! {} ({rare:?})", rare.name()));
        let clock = |ms: i64, clock: &AtomicI64| {
            clock.fetch_add(ms, Ordering::SeqCst);
        };
        match rare {
            Rare::AppClock(ms) => clock(ms, &self.app_ahead_ms),
            Rare::BankClock(ms) => clock(ms, &self.bank_ahead_ms),
            Rare::StoreFull(commits) => self.refused_commits.store(commits, Ordering::SeqCst),
            Rare::StoreLocked(ms) => {
                self.state().store_locked_until = Some(Instant::now() + Duration::from_millis(ms));
            }
            Rare::Jitter { ms, commands, seed } => self.wallet.slot.arm(Fault::Jitter {
                ms,
                commands: Some(commands),
                seed,
            }),
            Rare::Garbage => self.wallet.slot.arm(Fault::Garbage { ins: None }),
            Rare::Truncate => self.wallet.slot.arm(Fault::Truncate { ins: None }),
            Rare::DiskFull(ms) => {
                self.state().disk_full = true;
                self.later(ms, |world| world.state().disk_full = false);
            }
            Rare::OtherCard { ms, seen } => {
                self.wallet.change(seen);
                self.later(ms, move |world| world.wallet.change(seen));
            }
        }
    }

    /// Counts as under way, so that healing waits for it.
    fn later(self: &Arc<Self>, ms: u64, what: impl FnOnce(&Self) + Send + 'static) {
        let world = self.clone();
        world.under_way(1);
        tokio::spawn(async move {
            sleep(Duration::from_millis(ms)).await;
            world.tell("it is over");
            what(&world);
            world.under_way(-1);
        });
    }

    /// No fault that has not struck yet will.
    pub(crate) fn peace(&self) {
        let mut state = self.state();
        state.planned.clear();
        state.rare.clear();
        self.refused_commits.store(0, Ordering::SeqCst);
        state.network_back = None;
        state.disk_full = false;
        state.store_locked_until = None;
    }

    pub(crate) fn network_off(&self, ms: u64) {
        self.tell(format_args!("the network is away for {ms} ms"));
        self.state().network_back = Some(Instant::now() + Duration::from_millis(ms));
    }

    pub(crate) fn network_is_off(&self) -> bool {
        let back = self.state().network_back;
        back.is_some_and(|back| Instant::now() < back)
    }

    pub(crate) fn store_is_locked(&self) -> bool {
        let until = self.state().store_locked_until;
        until.is_some_and(|until| Instant::now() < until)
    }

    pub(crate) fn disk_is_full(&self) -> bool {
        self.state().disk_full
    }

    /// From here on what is written is of a new process.
    pub(crate) fn app_starts(&self) {
        let mut state = self.state();
        state.app_dead = false;
        state.dies_after_write = false;
    }

    pub(crate) fn app_is_dead(&self) -> bool {
        self.state().app_dead
    }

    /// The write that goes on now is the process's last.
    pub(crate) fn kill_after_write(&self) {
        self.state().dies_after_write = true;
    }

    pub(crate) fn disk_strike_after(&self, journal: bool) -> Result<(), session::DiskError> {
        if journal && std::mem::take(&mut self.state().dies_after_write) {
            self.kill_app();
            return Err(session::DiskError::Broken);
        }
        Ok(())
    }

    pub(crate) fn app_started(&self, session: Session) {
        self.state().app = Some(session);
    }

    pub(crate) fn app_lives(&self) -> bool {
        self.state().app.is_some()
    }

    /// The app's process ends wherever it is.
    pub(crate) fn kill_app(&self) {
        let app = {
            let mut state = self.state();
            state.app_dead = true;
            state.app.take()
        };
        if let Some(app) = app {
            self.tell("the app is killed");
            app.kill();
        }
    }

    /// Requests and copies of them that somebody may still carry out.
    pub(crate) fn under_way(&self, by: i32) {
        let mut state = self.state();
        state.under_way = state.under_way.saturating_add_signed(by);
    }

    pub(crate) fn requests_under_way(&self) -> u32 {
        self.state().under_way
    }

    pub(crate) fn struck(&self) -> Vec<Cell> {
        self.state().struck.clone()
    }

    pub(crate) fn rare_struck(&self) -> Vec<&'static str> {
        self.state().rare_struck.clone()
    }

    pub(crate) fn points(&self) -> Vec<Point> {
        self.state().points.clone()
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.state().trace.clone()
    }
}

/// The app's clock.
pub(crate) struct AppClock(pub(crate) std::sync::Arc<World>);

impl session::Clock for AppClock {
    fn now_ms(&self) -> u64 {
        let ahead_ms = self.0.app_ahead_ms.load(Ordering::SeqCst);
        self.0.now_ms().saturating_add_signed(ahead_ms)
    }
}

/// The bank's clock.
pub(crate) struct BankClock(pub(crate) std::sync::Arc<World>);

impl bank::Clock for BankClock {
    fn now_ms(&self) -> u64 {
        let ahead_ms = self.0.bank_ahead_ms.load(Ordering::SeqCst);
        self.0.now_ms().saturating_add_signed(ahead_ms)
    }
}
