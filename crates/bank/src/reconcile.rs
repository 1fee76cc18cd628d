//! A day of the bank as a file: every load that moved in it or was open at its end, sums, and a checksum.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use ledger::Phase;
use sha2::{Digest, Sha256};

use crate::check::opened;
use crate::config::Settings;
use crate::error::{Problem, StartError};
use crate::running::store_failed;
use crate::store::Conn;
use crate::store::day::{self, Load};

/// China has one offset all year: the bank's day is that of its cards.
const OFFSET_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 24 * 3_600_000;

/// A day of the bank, UTC+8.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Day(jiff::civil::Date);

impl std::str::FromStr for Day {
    type Err = String;

    /// `2026-11-23`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a day as 2026-11-23".to_owned();
        if text.len() != 10 {
            return Err(wrong());
        }
        text.parse().map(Self).map_err(|_| wrong())
    }
}

impl Day {
    /// The day of this moment; none far beyond all calendars.
    pub fn of_ms(now_ms: u64) -> Option<Self> {
        let shifted = i64::try_from(now_ms).ok()?.checked_add(OFFSET_MS)?;
        let timestamp = jiff::Timestamp::from_millisecond(shifted).ok()?;
        Some(Self(jiff::tz::Offset::UTC.to_datetime(timestamp).date()))
    }

    /// Its first moment, and that of the next day; ms.
    pub(crate) fn bounds_ms(self) -> (i64, i64) {
        let days = (self.0 - jiff::civil::date(1970, 1, 1)).get_days();
        let start = i64::from(days) * DAY_MS - OFFSET_MS;
        (start, start + DAY_MS)
    }

    pub(crate) fn before(self) -> Option<Self> {
        self.0.yesterday().ok().map(Self)
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, out)
    }
}

/// A day's file and what it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reconciled {
    /// The whole file.
    pub csv: String,
    /// The day is over: the file never changes any more.
    pub complete: bool,
    /// Debits less credits, refunds and write-offs are what in transit grew by, and what is in transit is what open
    /// loads hold.
    pub agrees: bool,
    /// Loads at the day's end by phase, each with their number and amount (fen).
    pub(crate) sums: BTreeMap<Phase, (i64, i64)>,
    /// Fen that moved, by reason: number and amount.
    pub(crate) moves: BTreeMap<String, (i64, i64)>,
    /// Fen in transit as the day began and as it ended.
    pub(crate) in_transit: (i64, i64),
}

/// The file of a day of the bank in `dir`, running or not.
///
/// # Errors
/// When the directory holds no bank that can be read.
pub async fn reconcile(
    dir: &Path,
    settings: Option<&Settings>,
    day: Day,
    now_ms: u64,
) -> Result<Reconciled, StartError> {
    let (store, _) = opened(dir, settings).await?;
    let work = async {
        let mut conn = store.snapshot().await?;
        of_day(&mut conn, day, now_ms).await
    };
    let done = work.await.map_err(store_failed);
    store.close().await;
    done
}

pub(crate) async fn of_day(conn: &mut Conn, day: Day, now_ms: u64) -> Result<Reconciled, Problem> {
    let (start, end) = day.bounds_ms();
    let loads = day::loads(conn, (start, end)).await?;
    let moves = day::moves(conn, (start, end)).await?;
    let in_transit = day::in_transit(conn, (start, end)).await?;
    let mut sums: BTreeMap<Phase, (i64, i64)> = BTreeMap::new();
    for load in &loads {
        let sum = sums.entry(load.phase).or_default();
        *sum = (sum.0 + 1, sum.1 + load.amount);
    }
    let moved = |reason: &str| moves.get(reason).map_or(0, |(_, fen)| *fen);
    let grew = moved("debit") - moved("credit") - moved("refund") - moved("write-off");
    let open = [Phase::Issued, Phase::InDoubt, Phase::Manual];
    let held: i64 = { open }
        .iter()
        .filter_map(|phase| sums.get(phase))
        .map(|(_, fen)| fen)
        .sum();
    let (before, after) = in_transit;
    let mut done = Reconciled {
        csv: String::new(),
        complete: i64::try_from(now_ms).is_ok_and(|now| now >= end),
        agrees: before + grew == after && held == after,
        sums,
        moves,
        in_transit,
    };
    done.csv = csv(day, &loads, &done).map_err(Problem::internal)?;
    Ok(done)
}

fn csv(day: Day, loads: &[Load], done: &Reconciled) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let state = if done.complete { "complete" } else { "so-far" };
    writeln!(out, "tapfill-reconciliation,1,{day},+08:00,{state}")?;
    out.push_str(
        "load,reference,kind,industry,card_tail,amount,phase_before,phase,moved_ms,proof\n",
    );
    for load in loads {
        let before = load.before.map_or("", Phase::name);
        let (phase, proof) = (load.phase.name(), load.proof.as_deref().unwrap_or_default());
        writeln!(
            out,
            "load,{},{},{},{},{},{before},{phase},{},{proof}",
            load.reference, load.kind, load.industry, load.tail, load.amount, load.moved_ms,
        )?;
    }
    for phase in Phase::ALL {
        if let Some((count, fen)) = done.sums.get(&phase) {
            writeln!(out, "sum,{},{count},{fen}", phase.name())?;
        }
    }
    for (reason, (count, fen)) in &done.moves {
        writeln!(out, "moved,{reason},{count},{fen}")?;
    }
    let (before, after) = done.in_transit;
    let agrees = if done.agrees { "agrees" } else { "differs" };
    writeln!(out, "in-transit,{before},{after},{agrees}")?;
    let sum = hex::encode(Sha256::digest(out.as_bytes()));
    writeln!(out, "sha256,{sum}")?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_china() {
        let day: Day = "2026-11-23".parse().unwrap();
        let (start, end) = day.bounds_ms();
        assert_eq!(start, 1_795_363_200_000, "2026-11-22 16:00:00 UTC");
        assert_eq!(end - start, DAY_MS);
        let of = |ms: i64| Day::of_ms(ms.try_into().unwrap());
        assert_eq!(of(start), Some(day));
        assert_eq!(of(end - 1), Some(day));
        assert_eq!(of(start - 1), day.before());
        assert_eq!(day.to_string(), "2026-11-23");
    }

    #[test]
    fn only_a_day_is_read_as_one() {
        for wrong in ["2026-11-31", "23.11.2026", "2026-11-23T00", ""] {
            assert!(wrong.parse::<Day>().is_err(), "{wrong}");
        }
    }
}
