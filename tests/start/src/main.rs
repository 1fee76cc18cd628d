//! Starts programs in turn on one display and tells when each could be used and what memory it holds.
//!
//! `start [--starts N] [--seconds N] [--json] [--pictures DIR] [--changes] NAME=PROGRAM...`: the first one is ours, and the ratios are of
//! it to each of the others. All see the same environment. A start is over when the display looks as it does in the end;
//! `--changes` tells of each start when it looked otherwise than just before.

#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod screen;
mod table;

use std::io::Write;
use std::process::ExitCode;

/// What ends a measurement without figures.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match measure(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "start: {why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn measure(_: &[String]) -> Result<bool, Failure> {
    Err("starts are measured on an X display, on Linux".into())
}

#[cfg(target_os = "linux")]
use linux::measure;

#[cfg(target_os = "linux")]
mod linux {
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use crate::Failure;
    use crate::processes::Running;
    use crate::screen::{Screen, Seen};
    use crate::table::{Figures, Table};

    /// From the start to the last look at the display.
    const WHOLE: Duration = Duration::from_secs(6);
    /// The first start of each is not counted: it enrols, fills caches, greets.
    const FIRST: Duration = Duration::from_secs(12);
    const STARTS: usize = 12;

    struct Plan {
        programs: Vec<(String, PathBuf)>,
        starts: usize,
        whole: Duration,
        json: bool,
        pictures: Option<PathBuf>,
        changes: bool,
    }

    impl Plan {
        fn read(words: &[String]) -> Result<Self, Failure> {
            let mut plan = Self {
                programs: Vec::new(),
                starts: STARTS,
                whole: WHOLE,
                json: false,
                pictures: None,
                changes: false,
            };
            let mut words = words.iter();
            while let Some(word) = words.next() {
                let mut value = || words.next().ok_or(format!("{word} needs a value"));
                match word.as_str() {
                    "--json" => plan.json = true,
                    "--changes" => plan.changes = true,
                    "--starts" => plan.starts = value()?.parse()?,
                    "--seconds" => plan.whole = Duration::from_secs(value()?.parse()?),
                    "--pictures" => plan.pictures = Some(value()?.into()),
                    program => {
                        let split = program.split_once('=');
                        let (name, path) = split.ok_or(format!("{program}: NAME=PROGRAM"))?;
                        plan.programs.push((name.to_owned(), path.into()));
                    }
                }
            }
            if plan.programs.is_empty() || plan.starts == 0 {
                return Err("name a program and at least one start".into());
            }
            Ok(plan)
        }
    }

    /// Whether every limit was kept.
    pub(super) fn measure(words: &[String]) -> Result<bool, Failure> {
        let plan = Plan::read(words)?;
        let screen = Screen::open()?;
        for (name, program) in &plan.programs {
            start(&screen, name, program, FIRST, plan.pictures.as_deref())?;
        }
        let mut figures: Vec<Figures> = (plan.programs.iter())
            .map(|(name, _)| Figures::of(name))
            .collect();
        // In turn, so that whatever else the machine does meets all of them.
        for _ in 0..plan.starts {
            for ((name, program), figures) in plan.programs.iter().zip(&mut figures) {
                let (seen, kib) = start(&screen, name, program, plan.whole, None)?;
                figures.add(seen.usable, kib);
                if plan.changes {
                    let at: Vec<_> = seen.changes.iter().map(Duration::as_millis).collect();
                    writeln!(std::io::stderr(), "{name}: ms of each change: {at:?}")?;
                }
            }
        }
        let table = Table(figures);
        let text = if plan.json {
            table.json()
        } else {
            table.text()
        };
        writeln!(std::io::stdout().lock(), "{text}")?;
        Ok(table.is_within())
    }

    fn start(
        screen: &Screen,
        name: &str,
        program: &Path,
        whole: Duration,
        pictures: Option<&Path>,
    ) -> Result<(Seen, u64), Failure> {
        let began = Instant::now();
        let running = Running::start(program)?;
        let seen = screen.watch(began, whole);
        let kib = running.memory_kib();
        running.end();
        let seen = seen?.ok_or_else(|| format!("{name} drew nothing"))?;
        if let Some(dir) = pictures {
            screen.save(&seen, &dir.join(format!("{name}.png")))?;
        }
        Ok((seen, kib))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_plan_that_makes_no_sense_is_refused() {
            for words in [
                "",
                "--starts 3",
                "--starts x a=b",
                "--starts 0 a=b",
                "app",
                "--json --pictures",
            ] {
                let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
                assert!(Plan::read(&words).is_err(), "{words:?}");
            }
        }
    }
}
