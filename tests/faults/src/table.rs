//! Visits of each cell, and what the runs came to.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan::Matrix;
use crate::point::{Cell, When, Who};
use crate::run::Report;
use crate::say;

#[derive(Default)]
pub(crate) struct Table {
    visits: BTreeMap<Cell, u64>,
    runs: u64,
    broken: u64,
    by_card: BTreeMap<&'static str, u64>,
    rare: BTreeMap<&'static str, u64>,
    simulated: Duration,
}

/// Each cell must be visited so often, when the runs are many enough.
const LEAST_VISITS: u64 = 50;

impl Table {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes a run in; broken ones so far.
    pub(crate) fn add(&mut self, report: Report) -> u64 {
        for cell in report.struck {
            *self.visits.entry(cell).or_default() += 1;
        }
        self.runs += 1;
        self.broken += u64::from(report.broken.is_some());
        *self.by_card.entry(report.card).or_default() += 1;
        for rare in report.rare {
            *self.rare.entry(rare).or_default() += 1;
        }
        self.simulated += report.simulated;
        self.broken
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        for (cell, visits) in other.visits {
            *self.visits.entry(cell).or_default() += visits;
        }
        for (card, runs) in other.by_card {
            *self.by_card.entry(card).or_default() += runs;
        }
        for (rare, times) in other.rare {
            *self.rare.entry(rare).or_default() += times;
        }
        self.runs += other.runs;
        self.broken += other.broken;
        self.simulated += other.simulated;
        self
    }

    fn visits(&self, cell: &Cell) -> u64 {
        self.visits.get(cell).copied().unwrap_or_default()
    }

    pub(crate) fn print(&self, matrix: &Matrix, elapsed: Duration) {
        let mut head = format!("{:<42}", "");
        for who in Who::ALL {
            head += &format!(" | {:^20}", who.name());
        }
        say(&head);
        let mut act = None;
        for (point, _) in &matrix.rows {
            if act != Some(point.act) {
                act = Some(point.act);
                let whens = format!("{:>6} {:>6} {:>6}", "before", "during", "after");
                say(&format!(
                    "{:<42}{}",
                    point.act.name(),
                    format!(" | {whens}").repeat(4)
                ));
            }
            say(&self.row(matrix, point));
        }
        let seconds = elapsed.as_secs_f64();
        let hours = self.simulated.as_secs() / 3_600;
        say(&format!(
            "\n{} runs in {seconds:.0} s, {hours} simulated hours",
            self.runs
        ));
        for (card, runs) in &self.by_card {
            say(&format!("  card {card:<22} {runs:>8} runs"));
        }
        for (rare, times) in &self.rare {
            say(&format!("  {rare:<27} {times:>8} times"));
        }
        say(&format!("{} broken", self.broken));
    }

    fn row(&self, matrix: &Matrix, point: &crate::point::Point) -> String {
        let mut row = format!("  {:<40}", format!("{} {}", point.step, point.nth));
        for who in Who::ALL {
            row += " |";
            for when in When::ALL {
                let cell = Cell {
                    point: point.clone(),
                    who,
                    when,
                };
                let known = matrix.cells.contains(&cell);
                let shown = known.then(|| self.visits(&cell).to_string());
                row += &format!(" {:>6}", shown.unwrap_or_else(|| "-".to_owned()));
            }
        }
        row
    }

    /// Whether everything held, and every cell was visited often enough.
    pub(crate) fn verdict(&self, matrix: &Matrix) -> Result<(), String> {
        if self.broken > 0 {
            return Err(format!(
                "{} of {} runs broke an invariant",
                self.broken, self.runs
            ));
        }
        let cells = u64::try_from(matrix.cells.len()).unwrap_or(u64::MAX);
        let least = matrix.cells.iter().map(|cell| self.visits(cell)).min();
        let least = least.unwrap_or_default();
        say(&format!("{cells} cells, the least visited {least} times"));
        let rare = matrix.cells.iter().find(|cell| self.visits(cell) == least);
        match rare {
            Some(cell) if least < LEAST_VISITS && self.runs >= 90 * cells => {
                Err(format!("{cell}: visited {least} times only"))
            }
            Some(_) | None => Ok(()),
        }
    }
}
