//! Figures of many repetitions, as a table and as JSON.

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

pub(crate) struct Report {
    pub(crate) title: &'static str,
    /// What `count` counts.
    pub(crate) counted: &'static str,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
    pub(crate) repetitions: usize,
    pub(crate) limits: Vec<Limit>,
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
        let mut head = format!("{:<16} {:>9}", "", self.counted);
        for column in &self.columns {
            head.push_str(&format!(" {column:>14} {:>8}", "p99"));
        }
        lines.push(head);
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
        let limits: Vec<Value> = (self.limits.iter())
            .map(|limit| json!({"rule": limit.rule, "kept": limit.kept}))
            .collect();
        json!({
            "title": self.title,
            "counted": self.counted,
            "repetitions": self.repetitions,
            "rows": rows,
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
        };
        assert!(report(vec![row(49.9)]).is_within());
        let broken = report(vec![row(1.0), row(50.0)]);
        assert!(!broken.is_within() && broken.table().contains("BROKEN"));
    }
}
