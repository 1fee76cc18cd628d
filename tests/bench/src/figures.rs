//! Figures of many repetitions, as a table and as JSON.

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Value, json};

/// The middle and the slow end of many times, microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median_us: f64,
    pub(crate) p99_us: f64,
}

impl Spread {
    /// Of these times, each divided by `parts`.
    pub(crate) fn of(times: &[Duration], parts: usize) -> Self {
        let mut us: Vec<f64> = times
            .iter()
            .map(|time| time.as_secs_f64() * 1e6 / parts.max(1) as f64)
            .collect();
        us.sort_by(f64::total_cmp);
        let at = |share: usize| {
            let place = us.len().saturating_sub(1) * share / 100;
            us.get(place).copied().unwrap_or_default()
        };
        Self {
            median_us: at(50),
            p99_us: at(99),
        }
    }
}

/// A line of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    /// How many of what was measured: commands, messages, starts.
    pub(crate) count: usize,
    /// One for each column.
    pub(crate) spreads: Vec<Spread>,
}

#[derive(Default)]
pub(crate) struct Report {
    pub(crate) title: &'static str,
    /// What `count` counts.
    pub(crate) counted: &'static str,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
    /// Whatever is one number.
    pub(crate) figures: Vec<Figure>,
    pub(crate) repetitions: usize,
    pub(crate) limits: Vec<Limit>,
}

/// One number with its name. A ratio's unit is `times`.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
        }
    }

    /// One by the other; what is 0 makes it infinite, and breaks every limit.
    pub(crate) fn ratio(name: impl Into<String>, (of, to): (f64, f64)) -> Self {
        let value = if to > 0.0 { of / to } else { f64::INFINITY };
        Self::new(name, value, "times")
    }
}

/// What must hold, and whether it does.
pub(crate) struct Limit {
    pub(crate) rule: String,
    pub(crate) kept: bool,
}

impl Limit {
    /// A column whose median must stay below so many microseconds in each row.
    pub(crate) fn medians(rows: &[Row], (column, name): (usize, &str), limit_us: f64) -> Self {
        let within = |row: &Row| {
            let spread = row.spreads.get(column);
            spread.is_some_and(|it| it.median_us < limit_us)
        };
        Self {
            rule: format!("{name} below {limit_us} us"),
            kept: rows.iter().all(within),
        }
    }

    /// A figure that must not be greater.
    pub(crate) fn at_most(figure: &Figure, most: f64) -> Self {
        let Figure { name, value, unit } = figure;
        Self {
            rule: format!("{name}: {value:.3} {unit}, {most:.3} at most"),
            kept: *value <= most,
        }
    }

    /// A figure that must not be smaller.
    pub(crate) fn at_least(figure: &Figure, least: f64) -> Self {
        let Figure { name, value, unit } = figure;
        Self {
            rule: format!("{name}: {value:.3} {unit}, {least:.3} at least"),
            kept: *value >= least,
        }
    }

    /// Whoever was to be compared with and is not there: nobody may take silence for a limit that was kept.
    pub(crate) fn unmeasured(name: &str, why: impl Display) -> Self {
        Self {
            rule: format!("a comparison with {name} ({why})"),
            kept: false,
        }
    }
}

impl Report {
    pub(crate) fn is_within(&self) -> bool {
        self.limits.iter().all(|limit| limit.kept)
    }

    pub(crate) fn table(&self) -> String {
        let mut lines = vec![format!(
            "{}; {} repetitions, us",
            self.title, self.repetitions
        )];
        if !self.rows.is_empty() {
            let mut head = format!("{:<16} {:>9}", "", self.counted);
            for column in &self.columns {
                head.push_str(&format!(" {column:>14} {:>8}", "p99"));
            }
            lines.push(head);
        }
        for row in &self.rows {
            let mut line = format!("{:<16} {:>9}", row.name, row.count);
            for spread in &row.spreads {
                line.push_str(&format!(
                    " {:>14.2} {:>8.2}",
                    spread.median_us, spread.p99_us
                ));
            }
            lines.push(line);
        }
        for Figure { name, value, unit } in &self.figures {
            lines.push(format!("{name:<48} {value:>12.3} {unit}"));
        }
        for limit in &self.limits {
            let verdict = if limit.kept { "kept" } else { "BROKEN" };
            lines.push(format!("limit: {}: {verdict}", limit.rule));
        }
        lines.join("\n")
    }

    pub(crate) fn json(&self) -> String {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let mut value = json!({"name": row.name, "count": row.count});
                for (column, spread) in self.columns.iter().zip(&row.spreads) {
                    let key = column.replace(' ', "_");
                    value[key] = json!({"median_us": spread.median_us, "p99_us": spread.p99_us});
                }
                value
            })
            .collect();
        let figures: Vec<Value> = (self.figures.iter())
            .map(|it| json!({"name": it.name, "value": it.value, "unit": it.unit}))
            .collect();
        let limits: Vec<Value> = (self.limits.iter())
            .map(|limit| json!({"rule": limit.rule, "kept": limit.kept}))
            .collect();
        json!({
            "title": self.title,
            "counted": self.counted,
            "repetitions": self.repetitions,
            "rows": rows,
            "figures": figures,
            "limits": limits,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_slow_end_are_those_of_all() {
        let times: Vec<_> = (1..=101).rev().map(Duration::from_micros).collect();
        let spread = Spread::of(&times, 1);
        assert_eq!((spread.median_us, spread.p99_us), (51.0, 100.0));
        assert_eq!(Spread::of(&times, 2).median_us, 25.5);
        assert_eq!(Spread::of(&[], 1).median_us, 0.0);
    }

    #[test]
    fn a_limit_is_broken_by_one_row() {
        let row = |median_us| Row {
            name: "x".to_owned(),
            count: 1,
            spreads: vec![Spread {
                median_us,
                p99_us: 99.0,
            }],
        };
        let report = |rows: Vec<Row>| Report {
            title: "t",
            counted: "commands",
            columns: vec!["cost"],
            limits: vec![Limit::medians(&rows, (0, "cost"), 50.0)],
            rows,
            repetitions: 1,
            ..Report::default()
        };
        assert!(report(vec![row(49.9)]).is_within());
        let broken = report(vec![row(1.0), row(50.0)]);
        assert!(!broken.is_within() && broken.table().contains("BROKEN"));
    }

    #[test]
    fn a_ratio_is_held_to_its_limit_whatever_it_is_of() {
        let kept = |of, to| Limit::at_most(&Figure::ratio("x of y", (of, to)), 1.1).kept;
        assert!(kept(11.0, 10.0) && kept(0.0, 1.0));
        assert!(!kept(12.0, 10.0));
        assert!(!kept(1.0, 0.0), "a floor of nothing was not measured");
        assert!(!kept(f64::NAN, 1.0), "what is no number keeps no limit");
        let reached = |of, to| Limit::at_least(&Figure::ratio("x of y", (of, to)), 0.9).kept;
        assert!(reached(9.0, 10.0) && !reached(8.9, 10.0) && !reached(f64::NAN, 1.0));
    }
}
