//! What a load costs at a bank that has very many of them behind it. Two banks run side by side, one with few loads in
//! its store and one with many, and the same people make loads at both in turn: whatever else the machine does meets
//! both.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::figures::{Figure, Limit, Report, Row, Spread};
use crate::fill::{self, Portion};
use crate::stage::Stage;
use crate::{Effort, Failure, Plan};

/// The figure: the slowest hundredth, with the most loads of with the fewest.
const MOST: f64 = 1.3;
/// Loads in the store, fewest first.
const SIZES: [u64; 3] = [10_000, 1_000_000, 10_000_000];
/// Up to here every load has come to its end with all that belongs to it; those beyond were refused, and have less.
const WHOLE_LOADS: u64 = 1_000_000;
const LOADS_OF_A_TERMINAL: u64 = 100;
const PEOPLE: usize = 8;
/// Between the beginnings of two loads of one person: both banks have time to spare.
const PAUSE: Duration = Duration::from_millis(150);
/// Loads of one person in one round.
const LOADS: usize = 5;
/// The counters of a card at one stay of its bank.
const COUNTERS: u16 = 2_000;
const STORE: &str = "bank.sqlite";

/// What was measured with so many loads in the store.
struct Measured {
    loads: u64,
    /// Of the bank with the fewest, in the same rounds.
    few: Spread,
    many: Spread,
    store_gb: f64,
}

pub(crate) fn measure(plan: Plan) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let (sizes, rounds) = (sizes(plan), rounds(plan));
    let measured = runtime.block_on(grow(&sizes, rounds))?;
    Ok(report(&measured, (sizes[0], rounds * LOADS * PEOPLE)))
}

fn sizes(plan: Plan) -> Vec<u64> {
    let most = match (plan.most_loads, plan.effort) {
        (Some(most), _) => most,
        (None, Effort::Whole) => u64::MAX,
        (None, Effort::Quick) => 1_000_000,
    };
    let sizes: Vec<u64> = SIZES.into_iter().filter(|size| *size <= most).collect();
    if sizes.len() > 1 {
        return sizes;
    }
    // Whole cards.
    let most = (most / 1_000).max(1) * 1_000;
    vec![most / 10, most]
}

fn rounds(plan: Plan) -> usize {
    match (plan.effort, plan.most_loads) {
        (Effort::Whole, _) => 50,
        (Effort::Quick, None) => 8,
        (Effort::Quick, Some(_)) => 2,
    }
}

async fn grow(sizes: &[u64], rounds: usize) -> Result<Vec<Measured>, Failure> {
    let (few_dir, mut many_dir) = first(sizes[0]).await?;
    let mut few = Stage::open(few_dir, None, PEOPLE, COUNTERS).await;
    let mut measured = Vec::new();
    for (step, pair) in sizes.windows(2).enumerate() {
        let [before, size] = *pair else { continue };
        let step = u16::try_from(step)? + 1;
        let file = many_dir.path().join(STORE);
        for portion in portions(u64::from(step), before, size) {
            fill::file(&file, &portion).await?;
        }
        // Otherwise the system would write what was filled in while the loads are measured.
        fs::File::open(&file)?.sync_all()?;
        let store_gb = fs::metadata(&file)?.len() as f64 / 1e9;
        let mut many = Stage::open(many_dir, None, PEOPLE, step * COUNTERS).await;
        let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
        // The first round is for caches.
        for round in 0..=rounds {
            let times = (
                few.loads(LOADS, PAUSE).await,
                many.loads(LOADS, PAUSE).await,
            );
            if round > 0 {
                with_few.extend(times.0);
                with_many.extend(times.1);
            }
        }
        sound(&many).await?;
        many_dir = many.stop().await;
        measured.push(Measured {
            loads: size,
            few: Spread::of(&with_few, 1),
            many: Spread::of(&with_many, 1),
            store_gb,
        });
    }
    sound(&few).await?;
    few.stop().await;
    Ok(measured)
}

/// Two equal folders of a bank with the fewest loads.
async fn first(loads: u64) -> Result<(TempDir, TempDir), Failure> {
    let mut stage = Stage::start(None, PEOPLE).await;
    stage.loads(2, PAUSE).await;
    stage.refused().await;
    let few = stage.stop().await;
    for portion in portions(0, 0, loads) {
        fill::file(&few.path().join(STORE), &portion).await?;
    }
    let many = tempfile::tempdir()?;
    copied(few.path(), many.path())?;
    Ok((few, many))
}

/// What is missing from `before` to `size`.
fn portions(step: u64, before: u64, size: u64) -> Vec<Portion> {
    let whole = size.min(WHOLE_LOADS).saturating_sub(before);
    let refused = (size - before) - whole;
    let portion = |ended: bool, loads| Portion {
        step: 2 * step + u64::from(!ended),
        ended,
        loads,
        terminals: (size - before).div_ceil(LOADS_OF_A_TERMINAL),
    };
    let all = [portion(true, whole), portion(false, refused)];
    all.into_iter().filter(|it| it.loads > 0).collect()
}

async fn sound(stage: &Stage) -> Result<(), Failure> {
    match stage.check().await?.findings.first() {
        None => Ok(()),
        Some(finding) => Err(format!("the books are broken: {finding:?}").into()),
    }
}

fn copied(from: &Path, to: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn report(measured: &[Measured], (fewest, repetitions): (u64, usize)) -> Report {
    let mut report = Report {
        title: "loads in a store that has grown; time of a whole load",
        counted: "terminals",
        columns: vec!["with these", "with the fewest"],
        repetitions,
        ..Report::default()
    };
    for Measured {
        loads,
        few,
        many,
        store_gb,
    } in measured
    {
        report.rows.push(Row {
            name: format!("{loads} loads"),
            count: usize::try_from(loads / LOADS_OF_A_TERMINAL).unwrap_or(usize::MAX),
            spreads: vec![*many, *few],
        });
        let ratio = |what, many, few| {
            Figure::ratio(format!("{what}, {loads} loads of {fewest}"), (many, few))
        };
        let slowest = ratio("p99", many.p99_us, few.p99_us);
        report.limits = vec![Limit::at_most(&slowest, MOST)];
        report.figures.extend([
            ratio("median", many.median_us, few.median_us),
            slowest,
            Figure::new(format!("store with {loads} loads"), *store_gb, "GB"),
        ]);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_come_to_the_size_and_nothing_comes_twice() {
        let sum = |portions: &[Portion]| portions.iter().map(|it| it.loads).sum::<u64>();
        let first = portions(0, 0, 10_000);
        assert_eq!(sum(&first), 10_000);
        let second = portions(1, 10_000, 1_000_000);
        assert_eq!(sum(&second), 990_000);
        assert!(second.iter().all(|it| it.ended));
        let third = portions(2, 1_000_000, 10_000_000);
        assert_eq!(sum(&third), 9_000_000);
        assert!(third.iter().all(|it| !it.ended), "these were refused");
        let mut steps: Vec<u64> = [first, second, third]
            .iter()
            .flatten()
            .map(|it| it.step)
            .collect();
        steps.dedup();
        assert_eq!(steps.len(), 3, "ids come from the step");
    }
}
