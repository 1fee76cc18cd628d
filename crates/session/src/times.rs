//! Where the time of the last runs went, hop by hop: a small record on this device, and what it comes to.
//!
//! It holds how long things took and which kind of transaction it was. No date, amount or number.

use std::fs;
use std::path::{Path, PathBuf};

use ipc::{Hop, HopView, TimesView, TransactionKind};
use serde::{Deserialize, Serialize};

use crate::run::Times;
use crate::trace::written;

/// The most that is kept of one kind; the oldest go.
const MOST_RUNS: usize = 50;

/// In the order of the screen.
const KINDS: [TransactionKind; 4] = [
    TransactionKind::Topup,
    TransactionKind::Resume,
    TransactionKind::Activate,
    TransactionKind::Balance,
];

/// One run that ended well, ms.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct RunTimes {
    kind: TransactionKind,
    card_ms: f64,
    app_ms: f64,
    /// None: without the bank.
    cipher_ms: Option<f64>,
    network_ms: Option<f64>,
    /// None: without the bank, or with one that does not tell.
    bank_ms: Option<f64>,
    total_ms: f64,
}

impl RunTimes {
    /// Each hop by itself; what is left of the whole is the app's.
    pub(crate) fn of(kind: TransactionKind, times: &Times) -> Self {
        let asked = times.requests > 0;
        let inside_ms = times.inside_bank_ms.filter(|_| asked);
        let outside_ms = times.bank_ms - times.cipher_ms - inside_ms.unwrap_or_default();
        let app_ms = times.total_ms - times.card_ms - times.bank_ms;
        Self {
            kind,
            card_ms: tenths(times.card_ms),
            app_ms: tenths(app_ms),
            cipher_ms: asked.then(|| tenths(times.cipher_ms)),
            network_ms: asked.then(|| tenths(outside_ms)),
            bank_ms: inside_ms.map(tenths),
            total_ms: tenths(times.total_ms),
        }
    }

    fn hop(&self, hop: Hop) -> Option<f64> {
        match hop {
            Hop::Card => Some(self.card_ms),
            Hop::App => Some(self.app_ms),
            Hop::Cipher => self.cipher_ms,
            Hop::Network => self.network_ms,
            Hop::Bank => self.bank_ms,
            Hop::Total => Some(self.total_ms),
        }
    }
}

/// Clocks that disagree by a hair make no negative time.
fn tenths(ms: f64) -> f64 {
    (ms.max(0.0) * 10.0).round() / 10.0
}

/// The value that so many percent of `values` do not exceed, by the nearest rank; none of nothing.
pub(crate) fn percentile(values: &[f64], percent: u8) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let share = sorted.len().saturating_mul(usize::from(percent.min(100)));
    let rank = share.div_ceil(100).max(1);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// What the record comes to, by kind.
pub(crate) fn views(runs: &[RunTimes]) -> Vec<TimesView> {
    KINDS
        .into_iter()
        .filter_map(|kind| view(runs, kind))
        .collect()
}

fn view(runs: &[RunTimes], kind: TransactionKind) -> Option<TimesView> {
    let of_kind: Vec<_> = runs.iter().filter(|run| run.kind == kind).collect();
    let all = [
        Hop::Card,
        Hop::App,
        Hop::Cipher,
        Hop::Network,
        Hop::Bank,
        Hop::Total,
    ];
    let hops: Vec<_> = all
        .into_iter()
        .filter_map(|hop| {
            let values: Vec<_> = of_kind.iter().filter_map(|run| run.hop(hop)).collect();
            Some(HopView {
                hop,
                p50_ms: percentile(&values, 50)?,
                p95_ms: percentile(&values, 95)?,
            })
        })
        .collect();
    let runs = u32::try_from(of_kind.len()).unwrap_or(u32::MAX);
    (runs > 0).then_some(TimesView { kind, runs, hops })
}

/// The newest of each kind at the end.
fn trimmed(runs: &mut Vec<RunTimes>) {
    for kind in KINDS {
        let count = runs.iter().filter(|run| run.kind == kind).count();
        let mut surplus = count.saturating_sub(MOST_RUNS);
        runs.retain(|run| {
            let goes = run.kind == kind && surplus > 0;
            surplus = surplus.saturating_sub(usize::from(goes));
            !goes
        });
    }
}

/// The record with its file. A disk that refuses costs the record, never a transaction.
pub(crate) struct TimesRecord {
    path: PathBuf,
    runs: Vec<RunTimes>,
    unkept: bool,
}

impl TimesRecord {
    pub(crate) fn open(dir: &Path) -> Self {
        let path = dir.join("times.json");
        let kept = fs::read(&path).unwrap_or_default();
        let mut runs: Vec<RunTimes> = serde_json::from_slice(&kept).unwrap_or_default();
        trimmed(&mut runs);
        Self {
            path,
            runs,
            unkept: false,
        }
    }

    /// [`keep`](Self::keep) writes it: no receipt waits for that.
    pub(crate) fn add(&mut self, run: RunTimes) {
        self.runs.push(run);
        trimmed(&mut self.runs);
        self.unkept = true;
    }

    /// Writes what is new.
    pub(crate) fn keep(&mut self) {
        if !std::mem::take(&mut self.unkept) {
            return;
        }
        let text = serde_json::to_string(&self.runs).unwrap_or_default();
        if let Err(error) = written(&self.path, &text) {
            log::debug!("the times are not kept: {error}");
        }
    }

    pub(crate) fn views(&self) -> Vec<TimesView> {
        views(&self.runs)
    }

    pub(crate) fn erase(&mut self) {
        self.runs.clear();
        self.unkept = false;
        if let Err(error) = fs::remove_file(&self.path) {
            log::debug!("there are no times to erase: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(kind: TransactionKind, card_ms: f64) -> RunTimes {
        let times = Times {
            card_ms,
            bank_ms: 100.0,
            cipher_ms: 1.0,
            inside_bank_ms: Some(60.0),
            total_ms: card_ms + 105.0,
            requests: 2,
            requests_before_write: 1,
        };
        RunTimes::of(kind, &times)
    }

    fn hops(view: &TimesView) -> Vec<(Hop, f64, f64)> {
        let hop = |hop: &HopView| (hop.hop, hop.p50_ms, hop.p95_ms);
        view.hops.iter().map(hop).collect()
    }

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[7.0], 50), Some(7.0));
        assert_eq!(percentile(&[7.0], 95), Some(7.0));
        let mixed = [3.0, 1.0, 2.0, 4.0];
        assert_eq!(percentile(&mixed, 50), Some(2.0), "half are no greater");
        assert_eq!(percentile(&mixed, 95), Some(4.0));
        let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 50), Some(50.0));
        assert_eq!(percentile(&hundred, 95), Some(95.0));
        assert_eq!(percentile(&hundred, 0), Some(1.0), "the least");
        assert_eq!(percentile(&hundred, 255), Some(100.0), "no more than all");
    }

    #[test]
    fn the_hops_of_a_run_add_up_to_the_whole() {
        let view = views(&[run(TransactionKind::Topup, 200.0)]).remove(0);
        let expected = [
            (Hop::Card, 200.0),
            (Hop::App, 5.0),
            (Hop::Cipher, 1.0),
            (Hop::Network, 39.0),
            (Hop::Bank, 60.0),
            (Hop::Total, 305.0),
        ];
        let expected: Vec<_> = expected.map(|(hop, ms)| (hop, ms, ms)).to_vec();
        assert_eq!(hops(&view), expected);
        let parts: f64 = expected.iter().take(5).map(|hop| hop.1).sum();
        assert!((parts - 305.0).abs() < 1e-9, "{parts}");
    }

    #[test]
    fn a_run_without_the_bank_has_no_hops_beyond_this_device() {
        let times = Times {
            card_ms: 40.0,
            total_ms: 42.04,
            ..Times::default()
        };
        let view = views(&[RunTimes::of(TransactionKind::Balance, &times)]).remove(0);
        let expected = [
            (Hop::Card, 40.0, 40.0),
            (Hop::App, 2.0, 2.0),
            (Hop::Total, 42.0, 42.0),
        ];
        assert_eq!(hops(&view), expected);
    }

    #[test]
    fn a_bank_that_does_not_tell_its_time_is_in_the_networks() {
        let times = Times {
            bank_ms: 100.0,
            cipher_ms: 1.0,
            total_ms: 100.0,
            requests: 1,
            ..Times::default()
        };
        let view = views(&[RunTimes::of(TransactionKind::Resume, &times)]).remove(0);
        let hop = |name: Hop| view.hops.iter().find(|hop| hop.hop == name);
        assert_eq!(hop(Hop::Network).map(|hop| hop.p50_ms), Some(99.0));
        assert_eq!(hop(Hop::Bank), None);
    }

    #[test]
    fn kinds_stay_apart_and_in_their_order() {
        let runs = [
            run(TransactionKind::Balance, 1.0),
            run(TransactionKind::Topup, 2.0),
            run(TransactionKind::Balance, 3.0),
        ];
        let kinds: Vec<_> = views(&runs).iter().map(|it| (it.kind, it.runs)).collect();
        let expected = [(TransactionKind::Topup, 1), (TransactionKind::Balance, 2)];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn the_newest_fifty_of_each_kind_are_kept_and_survive_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = TimesRecord::open(folder.path());
        record.add(run(TransactionKind::Activate, 9.0));
        for n in 0..60 {
            record.add(run(TransactionKind::Topup, f64::from(n)));
        }
        record.keep();
        let kept = TimesRecord::open(folder.path());
        assert_eq!(kept.runs, record.runs);
        let first = kept
            .runs
            .iter()
            .find(|run| run.kind == TransactionKind::Topup);
        assert_eq!(first.map(|run| run.card_ms), Some(10.0), "the oldest went");
        let counts: Vec<_> = kept.views().iter().map(|view| view.runs).collect();
        assert_eq!(counts, [50, 1], "another kind pushes nothing out");
        let bytes = fs::metadata(folder.path().join("times.json"))
            .unwrap()
            .len();
        assert!(bytes < 10_000, "{bytes}");
        record.erase();
        assert!(TimesRecord::open(folder.path()).views().is_empty());
    }

    #[test]
    fn a_damaged_record_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("times.json"), "[{\"kind\":").unwrap();
        assert!(TimesRecord::open(folder.path()).views().is_empty());
    }
}
