//! PostgreSQL's own measure of itself: TPC-B, as its `pgbench` has it, with 8 clients.

use private_postgres::PrivatePostgres;

use crate::Failure;
use crate::figures::{Row, Spread};

const CLIENTS: &str = "8";
/// Branches: as many rows of the smallest table, which every transaction updates one of.
const SCALE: &str = "16";

pub(super) struct Pgbench {
    pub(super) per_second: f64,
    latency_us: f64,
}

pub(super) fn run(server: &PrivatePostgres, seconds: u32) -> Result<Pgbench, Failure> {
    let seconds = seconds.to_string();
    told(server, "createdb", &["bench"])?;
    told(server, "pgbench", &["-i", "-q", "-s", SCALE, "bench"])?;
    let said = told(
        server,
        "pgbench",
        &["-c", CLIENTS, "-j", "2", "-T", &seconds, "bench"],
    )?;
    let figure = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        number.ok_or_else(|| format!("pgbench says no `{name}`: {said}"))
    };
    Ok(Pgbench {
        per_second: figure("tps = ")?,
        latency_us: figure("latency average = ")? * 1e3,
    })
}

fn told(server: &PrivatePostgres, program: &str, arguments: &[&str]) -> Result<String, Failure> {
    let done = server.tool(program, arguments)?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&done.stderr)).into())
}

impl Pgbench {
    #[cfg(test)]
    pub(super) fn of(per_second: f64) -> Self {
        Self {
            per_second,
            latency_us: 0.0,
        }
    }

    /// The mean stands for the median: pgbench tells no spread.
    pub(super) fn row(&self) -> Row {
        let spread = Spread {
            median_us: self.latency_us,
            p99_us: f64::NAN,
        };
        Row {
            name: "pgbench".to_owned(),
            count: self.per_second.round() as usize,
            spreads: vec![spread, spread],
        }
    }
}
