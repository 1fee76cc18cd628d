//! The bank's process, and the network before it: lossy, duplicating, delaying, reordering.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use bank::{Config, Simulated, StartError};
use bank_client::{
    Answer, ClientError, Outgoing, ProfileError, REQUEST_DEADLINE, Sending, Server, Transport,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use virtual_card::Slot;

use crate::hold::Hold;
use crate::point::{When, Who};
use crate::world::{BankClock, Strike, World};

/// What a bank's store still does.
struct Commits {
    /// Commits until the process dies.
    left: AtomicU64,
    /// Commits that fail, from now on.
    refused: Arc<AtomicU64>,
}

/// More than the store ever refuses in a row.
const MOST_REFUSED: u64 = 5;

const NO_END: u64 = u64::MAX;

impl Commits {
    fn pass(&self) -> bool {
        let spend: fn(u64) -> Option<u64> = |left| match left {
            NO_END => Some(NO_END),
            left => left.checked_sub(1),
        };
        let count = |number: &AtomicU64, change: fn(u64) -> Option<u64>| {
            let order = Ordering::SeqCst;
            number.fetch_update(order, order, change).is_ok()
        };
        let refused = count(&self.refused, |refused| refused.checked_sub(1));
        !refused && count(&self.left, spend)
    }
}

/// A bank that can die and come back on its store.
pub(crate) struct BankProcess {
    world: Arc<World>,
    dir: PathBuf,
    config: Config,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    bank: Option<(Simulated, Arc<Commits>)>,
    back: Option<Instant>,
    last_round: Option<Instant>,
    /// Somebody else's write lock on the store.
    locker: Option<SqliteConnection>,
}

/// What became of a request.
pub(crate) enum Fate {
    Answered(Answer),
    /// No process listens.
    Nobody,
    /// It died with the request in its hands.
    Died,
}

impl BankProcess {
    pub(crate) fn new(world: &Arc<World>, dir: PathBuf, config: Config) -> Self {
        Self {
            world: world.clone(),
            dir,
            config,
            running: Mutex::default(),
        }
    }

    async fn open(&self) -> Result<(Simulated, Arc<Commits>), StartError> {
        let commits = Arc::new(Commits {
            left: AtomicU64::new(NO_END),
            refused: self.world.refused_commits.clone(),
        });
        let mut config = self.config.clone().with_inbox();
        config.dir.clone_from(&self.dir);
        config.clock = Arc::new(BankClock(self.world.clone()));
        let gate = commits.clone();
        config.commits = Some(Arc::new(move || gate.pass()));
        Ok((Simulated::open(&config).await?, commits))
    }

    /// The process ends between two requests, for `away_ms`.
    pub(crate) async fn kill(&self, away_ms: u64) {
        let mut running = self.running.lock().await;
        let _hold = Hold::new();
        self.die(&mut running, away_ms).await;
    }

    async fn die(&self, running: &mut Running, away_ms: u64) {
        if let Some((bank, commits)) = running.bank.take() {
            commits.left.store(0, Ordering::SeqCst);
            bank.close().await;
        }
        self.world
            .tell(format_args!("the bank is killed, back in {away_ms} ms"));
        running.back = Some(Instant::now() + Duration::from_millis(away_ms));
    }

    /// Does `work` on the bank that runs; starts it when `wake`, or when its time has come.
    pub(crate) async fn with<T>(
        &self,
        wake: bool,
        work: impl AsyncFnOnce(&Simulated) -> T,
    ) -> Option<T> {
        let mut running = self.running.lock().await;
        let _hold = Hold::new();
        self.lock_store(&mut running, !wake).await;
        // Each start of a bank whose store is full uses up one of the commits that fail.
        for _ in 0..MOST_REFUSED {
            self.wake(&mut running, wake).await;
        }
        match &running.bank {
            Some((bank, _)) => Some(work(bank).await),
            None => None,
        }
    }

    /// The end of a run.
    pub(crate) async fn stop(&self) {
        let mut running = self.running.lock().await;
        let _hold = Hold::new();
        self.lock_store(&mut running, false).await;
        if let Some((bank, _)) = running.bank.take() {
            bank.close().await;
        }
    }

    /// Another connection takes the store's write lock as long as the world says so and `may`, and gives it back.
    async fn lock_store(&self, running: &mut Running, may: bool) {
        let locked = may && self.world.store_is_locked();
        match running.locker.take() {
            None if locked => {
                let taken = self.other_connection().await;
                let taken = taken.unwrap_or_else(|error| panic!("no lock on the store: {error}"));
                running.locker = Some(taken);
                self.world.tell("somebody else locks the store");
            }
            Some(other) if !locked => {
                drop(other.close().await);
                self.world.tell("the store is free again");
            }
            same => running.locker = same,
        }
    }

    async fn other_connection(&self) -> Result<SqliteConnection, sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(self.dir.join("bank.sqlite"));
        let mut other = SqliteConnection::connect_with(&options).await?;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await?;
        Ok(other)
    }

    async fn wake(&self, running: &mut Running, anyway: bool) {
        let due = running.back.is_none_or(|back| Instant::now() >= back);
        if running.bank.is_none() && (anyway || due) {
            match self.open().await {
                Ok(opened) => {
                    running.bank = Some(opened);
                    running.back = None;
                    self.world.tell("the bank runs");
                }
                Err(error) => {
                    running.back = Some(Instant::now() + Duration::from_secs(5));
                    self.world
                        .tell(format_args!("the bank does not start: {error}"));
                }
            }
        }
    }

    /// One request as it arrives. `dies` is how many commits are still made, when the bank dies in its middle.
    pub(crate) async fn take(&self, request: &Outgoing, dies: Option<(u64, u64)>) -> Fate {
        let mut running = self.running.lock().await;
        let _hold = Hold::new();
        self.lock_store(&mut running, true).await;
        self.wake(&mut running, false).await;
        let Some((bank, commits)) = &running.bank else {
            return Fate::Nobody;
        };
        if let Some((left, _)) = dies {
            commits.left.store(left, Ordering::SeqCst);
        }
        let answer = answer(bank, request).await;
        if let Some((_, away_ms)) = dies {
            self.die(&mut running, away_ms).await;
            return Fate::Died;
        }
        const ROUND_EVERY: Duration = Duration::from_secs(30);
        let overdue = running
            .last_round
            .is_none_or(|last| last.elapsed() >= ROUND_EVERY);
        if overdue || request.path == "/v1/relay" || request.path == "/v1/sms/send" {
            if let Err(error) = bank.round().await {
                self.world.tell(format_args!("a round failed: {error}"));
            }
            running.last_round = Some(Instant::now());
        }
        Fate::Answered(answer)
    }
}

async fn answer(bank: &Simulated, outgoing: &Outgoing) -> Answer {
    let router = match outgoing.server {
        Server::Security => bank.security(),
        Server::Transaction => bank.transaction(),
    };
    let method = if outgoing.body.is_some() {
        "POST"
    } else {
        "GET"
    };
    let mut request = Request::builder().method(method).uri(&outgoing.path);
    for (name, value) in &outgoing.headers {
        request = request.header(*name, value);
    }
    let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000)));
    let body = Body::from(outgoing.body.clone().unwrap_or_default());
    let request = match request.extension(peer).body(body) {
        Ok(request) => request,
        Err(error) => panic!("no request: {error}"),
    };
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status().as_u16();
    let mac = response.headers().get("tapfill-mac");
    let mac = mac.and_then(|mac| mac.to_str().ok()).map(str::to_owned);
    let body = to_bytes(response.into_body(), usize::MAX).await;
    let body = body.map(|bytes| bytes.to_vec()).unwrap_or_default();
    Answer {
        status,
        body,
        mac,
        own_ms: None,
    }
}

/// The app's way to the bank.
pub(crate) struct Network {
    pub(crate) world: Arc<World>,
    pub(crate) bank: Arc<BankProcess>,
    pub(crate) slot: Slot,
}

impl Transport for Network {
    fn identify(&self, _: &str, _: &[u8; 32]) -> Result<(), ProfileError> {
        Ok(())
    }

    fn send(&self, request: Outgoing) -> Sending<'_> {
        let name = request.path.trim_start_matches("/v1/").to_owned();
        let strike = self.world.arrive(&name);
        // Drawn now: what the bank's database still does at this moment takes real time, and orders nothing.
        let latency = || Duration::from_millis(5 + self.world.below(40));
        let way = Way {
            there: latency(),
            back: latency(),
            world: self.world.clone(),
            bank: self.bank.clone(),
            slot: self.slot.clone(),
        };
        Box::pin(async move {
            // What is on its way goes on when nobody waits for it any more.
            way.world.under_way(1);
            let journey = tokio::spawn(async move {
                let outcome = way.clone().go(request, &name, strike).await;
                way.world.under_way(-1);
                outcome
            });
            let outcome = match tokio::time::timeout(REQUEST_DEADLINE, journey).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                Err(_) => Err(ClientError::Silent),
            };
            if let Err(error) = &outcome {
                self.world.tell(format_args!("network: {error}"));
            }
            outcome
        })
    }
}

/// One request under way.
#[derive(Clone)]
struct Way {
    there: Duration,
    back: Duration,
    world: Arc<World>,
    bank: Arc<BankProcess>,
    slot: Slot,
}

/// How a lost message shows: at once, or by silence.
async fn lost(draw: u64, at_once: ClientError) -> Result<Answer, ClientError> {
    if draw.is_multiple_of(2) {
        return Err(at_once);
    }
    silence().await
}

/// Longer than anybody waits.
async fn silence() -> Result<Answer, ClientError> {
    sleep(REQUEST_DEADLINE.saturating_mul(2)).await;
    Err(ClientError::Silent)
}

impl Way {
    async fn go(
        self,
        request: Outgoing,
        name: &str,
        strike: Option<Strike>,
    ) -> Result<Answer, ClientError> {
        let is = |who, when| strike.is_some_and(|strike| strike.is(who, when));
        let draw = strike.map(|strike| strike.draw).unwrap_or_default();
        if is(Who::Card, When::Before) {
            self.slot.remove();
        }
        if is(Who::App, When::Before) {
            self.world.kill_app();
            return Err(ClientError::Silent);
        }
        if is(Who::Bank, When::Before) {
            self.bank.kill(1 + draw % 40_000).await;
        }
        if is(Who::Network, When::Before) && draw.is_multiple_of(3) {
            self.world.network_off(1 + draw % 100_000);
        }
        if self.world.network_is_off() {
            return Err(ClientError::Offline);
        }
        sleep(self.there).await;
        if is(Who::Network, When::Before) {
            return lost(draw, ClientError::Offline).await;
        }
        if is(Who::Card, When::During) {
            self.slot.remove();
        }
        if is(Who::App, When::During) {
            self.world.kill_app();
        }
        if is(Who::Network, When::During) {
            // Whether anybody was there or not, the message had left: no connection was refused.
            return match self.astray(request, name, draw).await {
                Err(ClientError::Offline) => Err(ClientError::Silent),
                outcome => outcome,
            };
        }
        let dies = is(Who::Bank, When::During).then_some((draw % 3, 1 + draw % 40_000));
        let outcome = self.hand_over(&request, name, dies).await;
        sleep(self.back).await;
        if is(Who::Network, When::After) {
            return lost(draw, ClientError::Silent).await;
        }
        if self.world.network_is_off() {
            return Err(ClientError::Silent);
        }
        if is(Who::Card, When::After) {
            self.slot.remove();
        }
        if is(Who::Bank, When::After) {
            self.bank.kill(1 + draw % 40_000).await;
        }
        if is(Who::App, When::After) {
            self.world.kill_app();
            return Err(ClientError::Silent);
        }
        outcome
    }

    async fn hand_over(
        &self,
        request: &Outgoing,
        name: &str,
        dies: Option<(u64, u64)>,
    ) -> Result<Answer, ClientError> {
        match self.bank.take(request, dies).await {
            Fate::Answered(answer) => {
                let code = refusal(&answer);
                self.world
                    .tell(format_args!("bank: {name} -> {}{code}", answer.status));
                Ok(answer)
            }
            Fate::Nobody => Err(ClientError::Offline),
            Fate::Died => Err(ClientError::Silent),
        }
    }

    /// Twice, late, too late, or twice with the second one long after.
    async fn astray(self, request: Outgoing, name: &str, draw: u64) -> Result<Answer, ClientError> {
        match draw % 5 {
            0 => {
                self.world.tell("twice");
                let first = self.hand_over(&request, name, None).await;
                let second = self.hand_over(&request, name, None).await;
                if draw.is_multiple_of(2) {
                    first
                } else {
                    second
                }
            }
            1 => {
                let ms = draw / 5 % 29_000;
                self.world.tell(format_args!("late by {ms} ms"));
                sleep(Duration::from_millis(ms)).await;
                self.hand_over(&request, name, None).await
            }
            2 => {
                let ms = 30_000 + draw / 5 % 200_000;
                self.world.tell(format_args!("too late by {ms} ms"));
                self.copy_in(ms, request, name);
                silence().await
            }
            3 => {
                let ms = draw / 5 % 150_000;
                self.world.tell(format_args!("once more in {ms} ms"));
                self.copy_in(ms, request.clone(), name);
                self.hand_over(&request, name, None).await
            }
            _ => {
                self.world.tell("half of it");
                let mut half = request;
                if let Some(body) = &mut half.body {
                    body.truncate(body.len() / 2);
                }
                drop(self.hand_over(&half, name, None).await);
                Err(ClientError::Silent)
            }
        }
    }

    fn copy_in(&self, ms: u64, request: Outgoing, name: &str) {
        let way = self.clone();
        let name = name.to_owned();
        self.world.under_way(1);
        tokio::spawn(async move {
            sleep(Duration::from_millis(ms)).await;
            way.world.tell(format_args!("a late copy of {name}"));
            drop(way.hand_over(&request, &name, None).await);
            way.world.under_way(-1);
        });
    }
}

fn refusal(answer: &Answer) -> String {
    if answer.status == 200 {
        return String::new();
    }
    format!(" {}", answer.refusal())
}
