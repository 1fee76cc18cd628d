//! What is counted of a core banking host.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::metrics::{Waits, age_s};

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// Something that came from the host and belongs to nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stray {
    /// No message.
    Garbage,
    /// An answer that nobody waits for: too late, twice, or to other numbers.
    Unmatched,
}

/// Clones count the same.
#[derive(Clone, Default)]
pub(crate) struct CoreMetrics {
    answers: Family<ResultLabel, Counter>,
    reversals: Family<ResultLabel, Counter>,
    strays: Family<KindLabel, Counter>,
    connected: Gauge,
    waiting: Gauge,
    oldest: Gauge<f64, AtomicU64>,
}

impl CoreMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "What the core host said to loads";
        registry.register("core_answers", help, self.answers.clone());
        let help = "What the core host said to reversals";
        registry.register("core_reversals", help, self.reversals.clone());
        let help = "What came from the core host and belongs to nothing";
        registry.register("core_strays", help, self.strays.clone());
        let help = "1 while this process is signed on at the core host";
        registry.register("core_connected", help, self.connected.clone());
        let help = "Reversals that the core host has not confirmed yet";
        registry.register("core_reversals_waiting", help, self.waiting.clone());
        let (name, help) = ("core_reversal_age", "Age of the oldest of them");
        registry.register_with_unit(name, help, Unit::Seconds, self.oldest.clone());
    }

    pub(crate) fn answered(&self, result: &'static str) {
        self.answers.get_or_create(&ResultLabel { result }).inc();
    }

    pub(crate) fn reversed(&self, result: &'static str) {
        self.reversals.get_or_create(&ResultLabel { result }).inc();
    }

    pub(crate) fn stray(&self, stray: Stray) {
        let kind = match stray {
            Stray::Garbage => "garbage",
            Stray::Unmatched => "unmatched",
        };
        self.strays.get_or_create(&KindLabel { kind }).inc();
    }

    pub(crate) fn connected(&self, is_up: bool) {
        self.connected.set(is_up.into());
    }

    pub(crate) fn waits(&self, waits: &Waits, now_ms: u64) {
        self.waiting.set(waits.count);
        self.oldest.set(age_s(waits.since_ms, now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metrics, Stored};

    #[test]
    fn what_a_host_is_owed_is_told_with_its_age() {
        let metrics = Metrics::new();
        metrics.core.answered("approved");
        metrics.core.reversed("silent");
        metrics.core.stray(Stray::Garbage);
        metrics.core.connected(true);
        let waits = Waits {
            count: 2,
            amount: 700,
            since_ms: Some(1_000),
        };
        metrics.core.waits(&waits, 61_000);
        let text = metrics.text(&Stored::default(), 61_000).unwrap();
        for line in [
            "tapfill_bank_core_answers_total{result=\"approved\"} 1",
            "tapfill_bank_core_reversals_total{result=\"silent\"} 1",
            "tapfill_bank_core_strays_total{kind=\"garbage\"} 1",
            "tapfill_bank_core_connected 1",
            "tapfill_bank_core_reversals_waiting 2",
            "tapfill_bank_core_reversal_age_seconds 60.0",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
