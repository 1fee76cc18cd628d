//! What is counted of a running bank. Labels are words of this program alone: nothing that a stranger sent, no number of a
//! card, a phone or a terminal, no reference.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::corebank::metrics::CoreMetrics;
use crate::error::Problem;
use crate::store::statements::Cost;

/// From what a read of memory takes to the longest time that a request may take, seconds.
const BUCKETS_S: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Answered {
    server: &'static str,
    path: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Asked {
    server: &'static str,
    path: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Code {
    code: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct PhaseLabel {
    phase: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// An industry of the configuration, and one byte of a card whose code verified.
#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct KeysLabel {
    industry: String,
    version: String,
}

/// What became of a code that was to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SmsResult {
    /// To the inbox of development.
    Delivered,
    /// A sender elsewhere has it.
    Accepted,
    /// It was not taken, or nobody answered: it goes again.
    Again,
    /// The sender never will take it.
    Refused,
    /// It was handed over as often as is good, and never answered.
    Unanswered,
    /// Its code was not good any more before anybody took it.
    GivenUp,
    /// A receipt says that the phone has it.
    Arrived,
    /// A receipt says that the phone never will have it.
    NotArrived,
    /// The number that was typed is not on file: nothing is sent, and nobody outside can tell.
    NotOnFile,
    /// This bank has no sender.
    NoSender,
}

impl SmsResult {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Accepted => "accepted",
            Self::Again => "again",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::GivenUp => "given-up",
            Self::Arrived => "arrived",
            Self::NotArrived => "not-arrived",
            Self::NotOnFile => "not-on-file",
            Self::NoSender => "no-sender",
        }
    }
}

/// Loads of one phase, or things of one kind that wait.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Waits {
    pub(crate) count: i64,
    pub(crate) amount: i64,
    /// Since when the oldest waits.
    pub(crate) since_ms: Option<i64>,
}

/// What a scrape reads from the store.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) open: Vec<(&'static str, Waits)>,
    pub(crate) outbox: Vec<(String, Waits)>,
    pub(crate) incidents: Vec<(String, i64)>,
    /// Open ones, and what waits in them.
    pub(crate) queues: Waits,
}

type Seconds = Family<Asked, Histogram, fn() -> Histogram>;

pub(crate) struct Metrics {
    registry: Registry,
    started: Instant,
    requests: Family<Answered, Counter>,
    seconds: Seconds,
    refusals: Family<Code, Counter>,
    in_work: Gauge,
    connections: Gauge,
    connections_refused: Counter,
    /// Of requests for transactions.
    pub(crate) cost: Cost,
    moves: Family<PhaseLabel, Counter>,
    moved_fen: Family<PhaseLabel, Counter>,
    cards: Family<KeysLabel, Counter>,
    sms: Family<ResultLabel, Counter>,
    rounds: Counter,
    rounds_failed: Counter,
    /// When the bank's own work last came to its end, ms after `started`.
    round_done_ms: AtomicU64,
    open: Family<PhaseLabel, Gauge>,
    open_fen: Family<PhaseLabel, Gauge>,
    open_oldest: Family<PhaseLabel, Gauge<f64, AtomicU64>>,
    waiting: Family<KindLabel, Gauge>,
    waiting_oldest: Family<KindLabel, Gauge<f64, AtomicU64>>,
    incidents: Family<KindLabel, Gauge>,
    queues: Gauge,
    queues_fen: Gauge,
    round_age: Gauge<f64, AtomicU64>,
    pub(crate) core: CoreMetrics,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("tapfill_bank"),
            started: Instant::now(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS_S)),
            refusals: Family::default(),
            in_work: Gauge::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            cost: Cost::default(),
            moves: Family::default(),
            moved_fen: Family::default(),
            cards: Family::default(),
            sms: Family::default(),
            rounds: Counter::default(),
            rounds_failed: Counter::default(),
            round_done_ms: AtomicU64::new(0),
            open: Family::default(),
            open_fen: Family::default(),
            open_oldest: Family::default(),
            waiting: Family::default(),
            waiting_oldest: Family::default(),
            incidents: Family::default(),
            queues: Gauge::default(),
            queues_fen: Gauge::default(),
            round_age: Gauge::default(),
            core: CoreMetrics::default(),
        };
        metrics.register_flow();
        metrics.register_store();
        metrics.core.register(&mut metrics.registry);
        metrics
    }

    fn register_flow(&mut self) {
        let registry = &mut self.registry;
        let all = self.requests.clone();
        registry.register(
            "requests",
            "Requests answered, by server, path and status",
            all,
        );
        let (name, help) = (
            "request_duration",
            "From the head of a request to its answer",
        );
        registry.register_with_unit(name, help, Unit::Seconds, self.seconds.clone());
        let help = "Refusals by their public code (docs/protocol.md, section 7)";
        registry.register("refusals", help, self.refusals.clone());
        registry.register("in_work", "Requests in work now", self.in_work.clone());
        registry.register(
            "connections",
            "Connections open now",
            self.connections.clone(),
        );
        let help = "Connections closed at once because there were too many";
        registry.register(
            "connections_refused",
            help,
            self.connections_refused.clone(),
        );
        let help = "Statements that requests for transactions had the store do";
        registry.register("relay_statements", help, self.cost.statements.clone());
        let help = "Ways to the store's server and back of requests for transactions";
        registry.register("relay_ways", help, self.cost.ways.clone());
        let help = "Moves of loads, by the phase they came to";
        registry.register("load_moves", help, self.moves.clone());
        let help = "Amounts of the loads that moved, fen, by the phase they came to";
        registry.register("load_moved_fen", help, self.moved_fen.clone());
        let help = "Cards that asked for a load, by the version of their keys";
        registry.register("card_keys", help, self.cards.clone());
        registry.register(
            "sms",
            "Codes handed over, by what became of them",
            self.sms.clone(),
        );
        registry.register(
            "rounds",
            "Rounds of the bank's own work",
            self.rounds.clone(),
        );
        let help = "Rounds of the bank's own work that failed";
        registry.register("rounds_failed", help, self.rounds_failed.clone());
    }

    fn register_store(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "open_loads",
            "Loads whose outcome is open",
            self.open.clone(),
        );
        let help = "Amounts of the loads whose outcome is open, fen";
        registry.register("open_loads_fen", help, self.open_fen.clone());
        let (name, help) = ("open_load_age", "Age of the oldest load of a phase");
        registry.register_with_unit(name, help, Unit::Seconds, self.open_oldest.clone());
        let help = "What waits in the outbox, by kind";
        registry.register("outbox_waiting", help, self.waiting.clone());
        let (name, help) = ("outbox_age", "Age of the oldest thing in the outbox");
        registry.register_with_unit(name, help, Unit::Seconds, self.waiting_oldest.clone());
        let help = "Incidents in the store, by kind: none of them is normal";
        registry.register("incidents", help, self.incidents.clone());
        registry.register("open_queues", "Queues that are open", self.queues.clone());
        let help = "What waits in open queues for its card, fen";
        registry.register("open_queues_fen", help, self.queues_fen.clone());
        let (name, help) = (
            "round_age",
            "Since the bank's own work last came to its end",
        );
        registry.register_with_unit(name, help, Unit::Seconds, self.round_age.clone());
    }

    pub(crate) fn answered(
        &self,
        (server, path): (&'static str, &'static str),
        status: u16,
        took: Duration,
    ) {
        let labels = Answered {
            server,
            path,
            status,
        };
        self.requests.get_or_create(&labels).inc();
        let labels = Asked { server, path };
        self.seconds
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    pub(crate) fn refused(&self, problem: &Problem) {
        let code = match problem {
            Problem::Refused { code, .. } => code,
            // As it is answered.
            Problem::Conflict { .. } => "busy",
            Problem::Internal { .. } => "internal",
        };
        self.refusals.get_or_create(&Code { code }).inc();
    }

    /// How busy the bank is at this moment.
    pub(crate) fn busy_with(&self, requests: usize, connections: usize) {
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.in_work.set(number(requests));
        self.connections.set(number(connections));
    }

    pub(crate) fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    pub(crate) fn moved(&self, to: &str, amount: u64) {
        let known = ledger::Phase::ALL.into_iter().map(ledger::Phase::name);
        let Some(phase) = { known }.find(|name| *name == to) else {
            return;
        };
        self.moves.get_or_create(&PhaseLabel { phase }).inc();
        let fen = self.moved_fen.get_or_create(&PhaseLabel { phase });
        fen.inc_by(amount);
    }

    /// A genuine card of these keys, or one whose keys are not here.
    pub(crate) fn card(&self, industry: &str, version: Option<u8>) {
        let labels = KeysLabel {
            industry: industry.to_owned(),
            version: version.map_or("unknown".to_owned(), |it| it.to_string()),
        };
        self.cards.get_or_create(&labels).inc();
    }

    pub(crate) fn sms(&self, result: SmsResult) {
        let result = result.name();
        self.sms.get_or_create(&ResultLabel { result }).inc();
    }

    pub(crate) fn round(&self, good: bool) {
        self.rounds.inc();
        if good {
            let since = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.round_done_ms.store(since, Ordering::Relaxed);
        } else {
            self.rounds_failed.inc();
        }
    }

    /// How long ago the bank's own work last came to its end, or the start if it never did.
    pub(crate) fn round_age(&self) -> Duration {
        let done = Duration::from_millis(self.round_done_ms.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(done)
    }

    /// Everything, as Prometheus reads it (OpenMetrics 1.0).
    pub(crate) fn text(&self, stored: &Stored, now_ms: u64) -> Result<String, Problem> {
        self.round_age.set(self.round_age().as_secs_f64());
        // What is gone from the store must not stay at its last number.
        for phase in ["issued", "in-doubt", "manual"] {
            let found = stored.open.iter().find(|(name, _)| *name == phase);
            let waits = found.map(|(_, waits)| waits.clone()).unwrap_or_default();
            let label = PhaseLabel { phase };
            self.open.get_or_create(&label).set(waits.count);
            self.open_fen.get_or_create(&label).set(waits.amount);
            let oldest = self.open_oldest.get_or_create(&label);
            oldest.set(age_s(waits.since_ms, now_ms));
        }
        for kind in ["sms", "load-moved"] {
            let found = stored.outbox.iter().find(|(name, _)| name == kind);
            let waits = found.map(|(_, waits)| waits.clone()).unwrap_or_default();
            let kind = kind.to_owned();
            let label = KindLabel { kind };
            self.waiting.get_or_create(&label).set(waits.count);
            let oldest = self.waiting_oldest.get_or_create(&label);
            oldest.set(age_s(waits.since_ms, now_ms));
        }
        for (kind, count) in &stored.incidents {
            let kind = kind.clone();
            let incidents = self.incidents.get_or_create(&KindLabel { kind });
            incidents.set(*count);
        }
        self.queues.set(stored.queues.count);
        self.queues_fen.set(stored.queues.amount);
        let mut text = String::new();
        encode(&mut text, &self.registry).map_err(Problem::internal)?;
        Ok(text)
    }
}

pub(crate) fn age_s(since_ms: Option<i64>, now_ms: u64) -> f64 {
    let since = since_ms.and_then(|since| u64::try_from(since).ok());
    let age_ms = since.map_or(0, |since| now_ms.saturating_sub(since));
    Duration::from_millis(age_ms).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_that_has_no_loads_any_more_is_told_as_none() {
        let metrics = Metrics::new();
        let waits = Waits {
            count: 2,
            amount: 700,
            since_ms: Some(1_000),
        };
        let stored = Stored {
            open: vec![("manual", waits)],
            ..Stored::default()
        };
        let text = metrics.text(&stored, 61_000).unwrap();
        assert!(
            text.contains("tapfill_bank_open_loads{phase=\"manual\"} 2"),
            "{text}"
        );
        assert!(text.contains("tapfill_bank_open_load_age_seconds{phase=\"manual\"} 60.0"));
        let text = metrics.text(&Stored::default(), 62_000).unwrap();
        assert!(
            text.contains("tapfill_bank_open_loads{phase=\"manual\"} 0"),
            "{text}"
        );
        assert!(
            text.ends_with("# EOF\n"),
            "complete, as OpenMetrics tells it"
        );
    }

    #[test]
    fn a_phase_is_counted_by_its_own_name_alone() {
        let metrics = Metrics::new();
        metrics.moved("confirmed", 5_000);
        metrics.moved("6217000000004471", 5_000);
        let text = metrics.text(&Stored::default(), 0).unwrap();
        assert!(text.contains("tapfill_bank_load_moves_total{phase=\"confirmed\"} 1"));
        assert!(
            !text.contains("6217"),
            "no label comes from outside: {text}"
        );
    }
}
