//! Whole loads against a whole bank: sealed messages over HTTPS, two commits each, durable before each answer.
//! Codes by SMS are asked for before the clock runs; the password is hashed once, because its rounds are set to cost.

mod pgbench;

use std::time::Duration;

use private_postgres::{Durability, PrivatePostgres};
use tempfile::TempDir;

use self::pgbench::Pgbench;
use crate::figures::{Figure, Limit, Report, Row, Spread};
use crate::fill::{self, Portion};
use crate::stage::{Run, Stage};
use crate::{Effort, Failure, Plan};

/// Of pgbench's transactions, how many commits of loads there must be on the same server.
const OF_PGBENCH: f64 = 0.9;
/// Loads in a second on SQLite, or so many times those on PostgreSQL.
const SQLITE: (f64, f64) = (2_000.0, 3.0);
const SLOWEST_MS: f64 = 100.0;
const LOADS_OF_A_TERMINAL: u64 = 100;
/// Of every card when it is measured: it was loaded before.
const COUNTER: u16 = 1_000;

/// How much is measured.
struct Size {
    terminals: usize,
    /// Of each terminal, at full speed.
    loads: usize,
    /// In the store before anything is measured: pages of an index are what a server tells transactions apart by.
    before: u64,
    pgbench_s: u32,
}

impl Size {
    fn of(effort: Effort) -> Self {
        match effort {
            Effort::Whole => Self {
                terminals: 32,
                loads: 150,
                before: 100_000,
                pgbench_s: 20,
            },
            Effort::Quick => Self {
                terminals: 4,
                loads: 4,
                before: 1_000,
                pgbench_s: 2,
            },
        }
    }
}

pub(crate) fn measure(plan: Plan) -> Result<Report, Failure> {
    let size = Size::of(plan.effort);
    let runtime = tokio::runtime::Runtime::new()?;
    let sqlite = runtime.block_on(run(None, &size))?;
    let compared = match PrivatePostgres::start(Durability::Whole)? {
        Some(server) => Some(Compared {
            postgres: runtime.block_on(run(Some(server.schema()?), &size))?,
            pgbench: pgbench::run(&server, size.pgbench_s)?,
        }),
        None => None,
    };
    Ok(report(
        &sqlite,
        compared.as_ref(),
        size.terminals * size.loads,
    ))
}

/// What SQLite is compared with, all on one server.
struct Compared {
    postgres: Run,
    pgbench: Pgbench,
}

fn report(sqlite: &Run, compared: Option<&Compared>, repetitions: usize) -> Report {
    let mut report = Report {
        title: "durable loads; time of each of a load's two requests",
        counted: "a second",
        columns: vec!["at full speed", "at half of it"],
        rows: vec![row("SQLite", sqlite)],
        repetitions,
        limits: vec![slowest("SQLite", sqlite)],
        ..Report::default()
    };
    let Some(Compared { postgres, pgbench }) = compared else {
        report.limits.push(Limit::unmeasured(
            "PostgreSQL and pgbench",
            "not installed here",
        ));
        return report;
    };
    report
        .rows
        .extend([row("PostgreSQL", postgres), pgbench.row()]);
    report.limits.push(slowest("PostgreSQL", postgres));
    let commits = (2.0 * postgres.per_second, pgbench.per_second);
    let of_pgbench = Figure::ratio("commits of loads, PostgreSQL of pgbench", commits);
    report.limits.push(Limit::at_least(&of_pgbench, OF_PGBENCH));
    let (least, times) = SQLITE;
    let loads = (sqlite.per_second, postgres.per_second);
    let ratio = Figure::ratio("loads, SQLite of PostgreSQL", loads);
    report.limits.push(Limit {
        rule: format!(
            "{:.0} loads/s on SQLite, {:.1} times PostgreSQL's: {least} or {times} times",
            sqlite.per_second, ratio.value
        ),
        kept: sqlite.per_second >= least || ratio.value >= times,
    });
    report.figures.extend([of_pgbench, ratio]);
    report
}

async fn run(store: Option<String>, size: &Size) -> Result<Run, Failure> {
    let dir = filled(store.clone(), size).await?;
    let mut stage = Stage::open(dir, store, size.terminals, COUNTER).await;
    let run = stage.measure(size.loads).await;
    stage.stop().await;
    Ok(run)
}

/// The folder of a bank with loads behind it.
async fn filled(store: Option<String>, size: &Size) -> Result<TempDir, Failure> {
    let mut stage = Stage::start(store.clone(), size.terminals).await;
    stage.loads(1, Duration::ZERO).await;
    let dir = stage.stop().await;
    let portion = Portion {
        step: 0,
        ended: true,
        loads: size.before,
        terminals: size.before.div_ceil(LOADS_OF_A_TERMINAL),
    };
    match store {
        Some(url) => fill::server(&url, &portion).await?,
        None => fill::file(&dir.path().join("bank.sqlite"), &portion).await?,
    }
    Ok(dir)
}

fn row(name: &str, run: &Run) -> Row {
    Row {
        name: name.to_owned(),
        count: run.per_second.round() as usize,
        spreads: vec![Spread::of(&run.full, 1), Spread::of(&run.half, 1)],
    }
}

fn slowest(name: &str, run: &Run) -> Limit {
    let p99 = Spread::of(&run.half, 1).p99_us / 1e3;
    Limit {
        rule: format!("{name} at half load: p99 {p99:.1} ms, below {SLOWEST_MS} ms"),
        kept: Duration::from_secs_f64(p99 / 1e3) < Duration::from_secs_f64(SLOWEST_MS / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(per_second: f64) -> Run {
        Run {
            per_second,
            full: vec![Duration::from_millis(5)],
            half: vec![Duration::from_millis(2)],
        }
    }

    fn compared(postgres: f64, pgbench: f64) -> Compared {
        Compared {
            postgres: made(postgres),
            pgbench: Pgbench::of(pgbench),
        }
    }

    #[test]
    fn both_ratios_are_figures_and_held_to_their_limits() {
        let told = |sqlite, postgres, pgbench| {
            let compared = compared(postgres, pgbench);
            report(&made(sqlite), Some(&compared), 1)
        };
        let good = told(1_500.0, 450.0, 1_000.0);
        assert!(good.is_within(), "{}", good.table());
        let values: Vec<f64> = good.figures.iter().map(|it| it.value).collect();
        assert_eq!(values, [0.9, 1_500.0 / 450.0]);
        assert!(
            told(2_000.0, 1_000.0, 2_000.0).is_within(),
            "2,000 are enough"
        );
        assert!(!told(1_500.0, 440.0, 1_000.0).is_within());
        assert!(!told(1_500.0, 600.0, 1_000.0).is_within());
    }

    #[test]
    fn what_could_not_be_compared_keeps_no_limit() {
        let alone = report(&made(5_000.0), None, 1);
        assert!(!alone.is_within() && alone.table().contains("PostgreSQL"));
    }
}
