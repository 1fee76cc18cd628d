//! Visits of each cell, and what the runs came to.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cards::KINDS;
use crate::plan::{Matrix, Tear};
use crate::point::{Act, Cell, When, Who};
use crate::run::Report;
use crate::say;

#[derive(Default)]
pub(crate) struct Table {
    visits: BTreeMap<Cell, u64>,
    tears: BTreeMap<Tear, u64>,
    runs: u64,
    broken: u64,
    by_card: BTreeMap<&'static str, u64>,
    rare: BTreeMap<&'static str, u64>,
    simulated: Duration,
}

/// Each cell and each tear by kind of card must be visited so often, in so many runs.
const LEAST_VISITS: u64 = 50;
const ENOUGH: u64 = 100_000;

impl Table {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes a run in; broken ones so far.
    pub(crate) fn add(&mut self, report: Report) -> u64 {
        for cell in report.struck {
            if cell.who == Who::Card {
                let tear = Tear {
                    act: cell.point.act,
                    step: cell.point.step.clone(),
                    when: cell.when,
                    card: report.card,
                };
                *self.tears.entry(tear).or_default() += 1;
            }
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
        for (tear, visits) in other.tears {
            *self.tears.entry(tear).or_default() += visits;
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
        if matrix.by_card {
            self.print_tears(matrix);
        } else {
            self.print_cells(matrix);
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

    fn print_cells(&self, matrix: &Matrix) {
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
    }

    /// Rows as above, a column for each kind of card: torn before, during, after.
    fn print_tears(&self, matrix: &Matrix) {
        say("\ntorn before/during/after, by kind of card");
        let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        for (at, kind) in kinds.iter().enumerate() {
            say(&format!("  {:>2} {kind}", at + 1));
        }
        let heads = (1..=kinds.len()).map(|at| format!(" {at:>14}"));
        say(&format!("{:<32}{}", "", heads.collect::<String>()));
        let mut rows: Vec<(Act, &str)> = Vec::new();
        for (point, _) in &matrix.rows {
            let row = (point.act, point.step.as_str());
            if !rows.contains(&row) && point.is_torn() {
                rows.push(row);
            }
        }
        let mut act = None;
        for (of, step) in rows {
            if act.replace(of) != Some(of) {
                say(of.name());
            }
            let cells = kinds.iter().map(|card| {
                let visits = When::ALL.map(|when| {
                    let tear = Tear {
                        act: of,
                        step: step.to_owned(),
                        when,
                        card,
                    };
                    let known = matrix.tears.contains(&tear);
                    known.then(|| self.torn(&tear).to_string())
                });
                let shown = visits.map(|visits| visits.unwrap_or_else(|| "-".to_owned()));
                format!(" {:>14}", shown.join("/"))
            });
            say(&format!("  {step:<30}{}", cells.collect::<String>()));
        }
    }

    fn torn(&self, tear: &Tear) -> u64 {
        self.tears.get(tear).copied().unwrap_or_default()
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
        let (of, least, rare) = if matrix.by_card {
            let visits = |tear: &&Tear| self.torn(tear);
            let rare = matrix.tears.iter().min_by_key(visits);
            let least = rare.map(|tear| self.torn(tear));
            (matrix.tears.len(), least, format!("{rare:?}"))
        } else {
            let rare = matrix.cells.iter().min_by_key(|cell| self.visits(cell));
            let least = rare.map(|cell| self.visits(cell));
            let rare = rare.map(ToString::to_string);
            (matrix.cells.len(), least, rare.unwrap_or_default())
        };
        let least = least.unwrap_or_default();
        say(&format!("{of} cells, the least visited {least} times"));
        if self.runs >= ENOUGH && least < LEAST_VISITS {
            return Err(format!("{rare}: visited {least} times only"));
        }
        Ok(())
    }
}
