//! Times and memory of several programs, and their ratios.

use std::time::Duration;

use serde_json::{Value, json};

/// Ours to the empty window: time to a window that can be used, and memory. Ours to any other program: time.
const TIME_TO_EMPTY: f64 = 1.15;
const MEMORY_TO_EMPTY: f64 = 1.10;
const TIME_TO_OTHER: f64 = 1.0;
/// The name that the empty window goes by.
const EMPTY: &str = "empty-window";

/// What was measured of one program.
pub(crate) struct Figures {
    name: String,
    usable_ms: Vec<f64>,
    memory_mib: Vec<f64>,
}

pub(crate) struct Table(pub(crate) Vec<Figures>);

struct Ratio {
    what: String,
    ratio: f64,
    at_most: f64,
}

impl Figures {
    pub(crate) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            usable_ms: Vec::new(),
            memory_mib: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, usable: Duration, memory_kib: u64) {
        self.usable_ms.push(usable.as_secs_f64() * 1e3);
        self.memory_mib.push(memory_kib as f64 / 1024.0);
    }
}

/// The value below which `share` percent of all lie.
fn percentile(values: &[f64], share: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let at = values.len().saturating_sub(1) * share / 100;
    values.get(at).copied().unwrap_or_default()
}

impl Table {
    fn ratios(&self) -> Vec<Ratio> {
        let Some((ours, others)) = self.0.split_first() else {
            return Vec::new();
        };
        let mut ratios = Vec::new();
        for other in others {
            let mut add = |what: &str, at_most: f64, values: fn(&Figures) -> &[f64]| {
                ratios.push(Ratio {
                    what: format!("{what}, {} to {}", ours.name, other.name),
                    ratio: percentile(values(ours), 50) / percentile(values(other), 50),
                    at_most,
                });
            };
            if other.name == EMPTY {
                add("time", TIME_TO_EMPTY, |it| &it.usable_ms);
                add("memory", MEMORY_TO_EMPTY, |it| &it.memory_mib);
            } else {
                add("time", TIME_TO_OTHER, |it| &it.usable_ms);
            }
        }
        ratios
    }

    pub(crate) fn is_within(&self) -> bool {
        self.ratios().iter().all(Ratio::is_kept)
    }

    pub(crate) fn text(&self) -> String {
        let head = format!(
            "{:<14} {:>6}   {:>9} {:>7} {:>7}   {:>11}",
            "", "starts", "usable ms", "p5", "p95", "memory MiB"
        );
        let row = |it: &Figures| {
            format!(
                "{:<14} {:>6}   {:>9.0} {:>7.0} {:>7.0}   {:>11.1}",
                it.name,
                it.usable_ms.len(),
                percentile(&it.usable_ms, 50),
                percentile(&it.usable_ms, 5),
                percentile(&it.usable_ms, 95),
                percentile(&it.memory_mib, 50),
            )
        };
        let ratio = |it: &Ratio| {
            let kept = if it.is_kept() { "kept" } else { "BROKEN" };
            let (what, at_most) = (&it.what, it.at_most);
            format!("{what}: {:.3} (at most {at_most}): {kept}", it.ratio)
        };
        let mut lines = vec![head];
        lines.extend(self.0.iter().map(row));
        lines.extend(self.ratios().iter().map(ratio));
        lines.join("\n")
    }

    pub(crate) fn json(&self) -> String {
        let programs: Vec<Value> = (self.0.iter())
            .map(|it| {
                json!({
                    "name": it.name,
                    "usable_ms": it.usable_ms,
                    "memory_mib": it.memory_mib,
                })
            })
            .collect();
        let ratios: Vec<Value> = (self.ratios().iter())
            .map(|it| {
                let kept = it.is_kept();
                json!({"what": it.what, "ratio": it.ratio, "at_most": it.at_most, "kept": kept})
            })
            .collect();
        json!({"programs": programs, "ratios": ratios}).to_string()
    }
}

impl Ratio {
    fn is_kept(&self) -> bool {
        self.ratio <= self.at_most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(name: &str, usable_ms: u64, mib: u64) -> Figures {
        let mut figures = Figures::of(name);
        for more in [0, 40, 9] {
            figures.add(Duration::from_millis(usable_ms + more), mib * 1024);
        }
        figures
    }

    #[test]
    fn ours_is_held_against_each_other_one() {
        let table = Table(vec![
            figures("tapfill", 591, 210),
            figures(EMPTY, 551, 200),
            figures("other", 700, 90),
        ]);
        assert!(table.is_within(), "{}", table.text());
        assert!(
            table
                .text()
                .contains("time, tapfill to empty-window: 1.071")
        );
        assert_eq!(
            table.ratios().len(),
            3,
            "memory is compared with the empty window alone"
        );
    }

    #[test]
    fn one_ratio_over_its_limit_is_enough() {
        for slow in [
            figures("other", 500, 90),
            figures(EMPTY, 591, 100),
            figures(EMPTY, 400, 210),
        ] {
            let table = Table(vec![figures("tapfill", 591, 210), slow]);
            assert!(!table.is_within() && table.text().contains("BROKEN"));
        }
    }
}
