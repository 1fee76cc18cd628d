//! Whole loads against a whole bank: sealed messages over HTTPS, two commits each, durable before each answer.
//! Codes by SMS are asked for before the clock runs; the password is hashed once, because its rounds are set to cost.

mod pgbench;

use std::time::Duration;

use private_postgres::{Durability, PrivatePostgres};
use tempfile::TempDir;

use crate::figures::{Limit, Report, Row, Spread};
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
    let mut rows = Vec::new();
    let sqlite = runtime.block_on(run(None, &size))?;
    rows.push(row("SQLite", &sqlite));
    let mut limits = vec![slowest("SQLite", &sqlite)];
    if let Some(server) = PrivatePostgres::start(Durability::Whole)? {
        let postgres = runtime.block_on(run(Some(server.schema()?), &size))?;
        let pgbench = pgbench::run(&server, size.pgbench_s)?;
        rows.push(row("PostgreSQL", &postgres));
        rows.push(pgbench.row());
        limits.push(slowest("PostgreSQL", &postgres));
        let share = 2.0 * postgres.per_second / pgbench.per_second;
        limits.push(Limit {
            rule: format!("commits of loads, {share:.2} of pgbench's, {OF_PGBENCH} at least"),
            kept: share >= OF_PGBENCH,
        });
        let (least, times) = SQLITE;
        let ratio = sqlite.per_second / postgres.per_second;
        limits.push(Limit {
            rule: format!(
                "{:.0} loads/s on SQLite, {ratio:.1} times PostgreSQL's: {least} or {times} times",
                sqlite.per_second
            ),
            kept: sqlite.per_second >= least || ratio >= times,
        });
    }
    Ok(Report {
        title: "durable loads; time of each of a load's two requests",
        counted: "a second",
        columns: vec!["at full speed", "at half of it"],
        rows,
        repetitions: size.terminals * size.loads,
        limits,
        ..Report::default()
    })
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
