//! App and bank are killed (SIGKILL) and the PC/SC service is stopped at moments that a seed chooses, on the real
//! programs: bank on SQLite, pcscd, virtual reader and card, keystore. After each kill what died is started again, and
//! what waits is finished or given back; then no fen may be missing and no load in doubt.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::build::{self, binary};
use crate::install::{self, Extent};
use crate::process::output;
use crate::rig::RigProcess;
use crate::{Options, Outcome};

/// An errand that takes longer than this hangs.
const LONGEST: Duration = Duration::from_secs(90);
/// Tries of the re-top-up until nothing waits any more.
const HEALS: u32 = 5;
/// Lines that an errand tells; the moment of a kill is one of them, and up to so many ms after it.
const LINES: u64 = 10;
const AFTER_MS: u64 = 15;

/// `cargo xtask kills`.
pub(crate) fn asked(options: &Options) -> Outcome<()> {
    let count = options.number("--count", 500)?;
    let seed = options.number("--seed", 1)?;
    install::system_packages(Extent::Headless)?;
    run(count, seed)
}

/// So many kills, at the moments of this seed.
pub(crate) fn run(count: u64, seed: u64) -> Outcome<()> {
    build::headless()?;
    let dir = build::target().join("kills");
    if dir.exists() {
        fs::remove_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    }
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let rig = RigProcess::start(&["--dir".to_owned(), dir.display().to_string()])?;
    let mut stage = Stage {
        rig,
        random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
        whole: 0,
        dir,
    };
    stage.errand("balance", None)?;
    stage.whole = stage.money()?.whole();
    let began = Instant::now();
    let mut seen = Seen::default();
    while seen.kills() < count {
        let (before, round) = (seen.kills(), seen.kills() + u64::from(seen.too_late) + 1);
        stage
            .round(&mut seen)
            .map_err(|why| format!("round {round} of seed {seed}: {why}"))?;
        if seen.kills() > before && seen.kills() % 50 == 0 {
            println!("{:>5} kills: {seen}", seen.kills());
        }
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    println!(
        "{count} kills (seed {seed}) in {minutes:.1} min, {:.0} a minute: {seen}; every fen is there, no load in doubt",
        f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / minutes
    );
    Ok(())
}

/// What the kills met.
#[derive(Default)]
struct Seen {
    apps: u32,
    banks: u32,
    readers: u32,
    open: u32,
    too_late: u32,
}

impl Seen {
    fn kills(&self) -> u64 {
        u64::from(self.apps) + u64::from(self.banks) + u64::from(self.readers)
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "app {}, bank {}, PC/SC service {}, {} left a load open, {} more errands were over before",
            self.apps, self.banks, self.readers, self.open, self.too_late
        )
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Victim {
    App,
    Bank,
    /// The PC/SC service, stopped and started again.
    Reader,
}

struct Stage {
    rig: RigProcess,
    random: Random,
    /// Fen in the world.
    whole: i64,
    dir: PathBuf,
}

impl Stage {
    /// One errand with one kill, and what heals it.
    fn round(&mut self, seen: &mut Seen) -> Outcome<()> {
        let errand = match self.random.below(10) {
            0 => "activate",
            1 => "balance",
            2 => "resume",
            3 => "refund",
            _most => "top-up",
        };
        let victim = match self.random.below(5) {
            0 | 1 => Victim::App,
            2 | 3 => Victim::Bank,
            _rest => Victim::Reader,
        };
        // Money moves in the second half of an errand: most kills fall there.
        let first = match self.random.below(4) {
            0 => 0,
            _most => LINES / 2,
        };
        let moment = Moment {
            victim,
            line: first + self.random.below(LINES - first),
            after: Duration::from_millis(self.random.below(AFTER_MS)),
        };
        let told = self.errand(errand, Some(moment))?;
        match victim {
            _none if !told.killed_in_time => seen.too_late += 1,
            Victim::App => seen.apps += 1,
            Victim::Bank => seen.banks += 1,
            Victim::Reader => seen.readers += 1,
        }
        seen.open += u32::from(self.money()?.open > 0);
        self.heal()
    }

    fn heal(&mut self) -> Outcome<()> {
        let mut last = String::new();
        for _ in 0..HEALS {
            // What waits is finished or given back: each is as final as the other.
            let how = match self.random.below(3) {
                0 => "refund",
                _most => "resume",
            };
            let told = self.errand(how, None)?;
            let money = self.money()?;
            let quiet = told.lines.iter().any(|line| line == "pending 0");
            if quiet && money.open == 0 {
                return self.compare(&money);
            }
            last = format!("{} open, {:?}", money.open, told.lines);
        }
        Err(format!("not healed after {HEALS} re-top-ups: {last}"))
    }

    fn compare(&self, money: &Money) -> Outcome<()> {
        if money.whole() != self.whole {
            return Err(format!(
                "{} fen were {}: {money:?}",
                money.whole(),
                self.whole
            ));
        }
        if money.in_transit != 0 {
            return Err(format!("money is in transit without a load: {money:?}"));
        }
        Ok(())
    }

    /// The books as the bank's own check sees them, and the card's memory.
    fn money(&self) -> Outcome<Money> {
        let mut check = Command::new(binary("bank"));
        let text = output(check.args(["check", "--dir"]).arg(self.dir.join("bank")))?;
        let plain: String = text.split_whitespace().collect();
        if !plain.contains("\"findings\":[]") {
            return Err(format!("the bank's check found: {text}"));
        }
        let card = self.dir.join("card.json");
        let card = fs::read_to_string(&card).map_err(|e| format!("{}: {e}", card.display()))?;
        Ok(Money {
            customers: field(&text, "customers")?,
            in_transit: field(&text, "in_transit")?,
            open: field(&text, "open_loads")?,
            on_card: field(&card, "balance")?,
        })
    }

    /// Runs an errand; kills whom the moment names when its line has come, or never.
    fn errand(&mut self, what: &str, moment: Option<Moment>) -> Outcome<Told> {
        let mut app = App::start(&self.rig, what, &self.dir)?;
        let began = Instant::now();
        let mut told = Told::default();
        let mut due = None;
        loop {
            let line = u64::try_from(told.lines.len()).unwrap_or(u64::MAX);
            if let Some(moment) = moment.filter(|moment| moment.line == line && due.is_none()) {
                due = Some(Instant::now() + moment.after);
            }
            let wait = match due.filter(|_| !told.killed_in_time) {
                Some(due) => due.saturating_duration_since(Instant::now()),
                None => LONGEST.saturating_sub(began.elapsed()),
            };
            match app.lines.recv_timeout(wait) {
                Ok(line) => told.lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if due.is_some() && !told.killed_in_time => {
                    told.killed_in_time = true;
                    match moment.map(|moment| moment.victim) {
                        Some(Victim::App) => app.kill(),
                        Some(Victim::Bank) => {
                            self.rig.order("bank kill")?;
                            self.rig.order("bank start")?;
                        }
                        Some(Victim::Reader) => {
                            self.rig.order("reader stop")?;
                            self.rig.order("reader start")?;
                        }
                        None => {}
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("{what} hangs: {:?}", told.lines));
                }
            }
        }
        if moment.is_none() && !app.ended_well() {
            return Err(format!("{what}: {:?}", told.lines));
        }
        Ok(told)
    }
}

#[derive(Clone, Copy)]
struct Moment {
    victim: Victim,
    /// After so many lines of the errand.
    line: u64,
    after: Duration,
}

#[derive(Default)]
struct Told {
    lines: Vec<String>,
    killed_in_time: bool,
}

/// Fen.
#[derive(Debug)]
struct Money {
    customers: i64,
    in_transit: i64,
    on_card: i64,
    open: i64,
}

impl Money {
    fn whole(&self) -> i64 {
        self.customers + self.in_transit + self.on_card
    }
}

/// The number after `"name":`, wherever it stands first.
fn field(text: &str, name: &str) -> Outcome<i64> {
    let rest = text.split_once(&format!("\"{name}\":"));
    let rest = rest.map_or("", |(_, rest)| rest.trim_start());
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-');
    let digits = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
    digits.parse().map_err(|_| format!("no {name} in {text}"))
}

/// The errand's process. Killed by its own id when dropped.
struct App {
    child: Child,
    lines: Receiver<String>,
}

impl App {
    fn start(rig: &RigProcess, what: &str, dir: &Path) -> Outcome<Self> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(dir.join("errand.log"))
            .map_err(|e| format!("errand.log: {e}"))?;
        let mut child = Command::new(binary("errand"))
            .arg(what)
            .envs(rig.environment())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|e| format!("errand: {e}"))?;
        let out = child.stdout.take().ok_or("the errand has no output")?;
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, lines })
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
    }

    fn ended_well(&mut self) -> bool {
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// xorshift64*: the same seed, the same kills.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        mixed.checked_rem(bound).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_with_its_sign_and_only_if_it_is_a_number() {
        let text = r#"{"money": {"customers": 990000, "funding": -1000000}}"#;
        assert_eq!(field(text, "customers"), Ok(990_000));
        assert_eq!(field(text, "funding"), Ok(-1_000_000));
        assert!(field(text, "money").is_err());
        assert!(field(text, "open_loads").is_err());
    }

    #[test]
    fn a_seed_gives_the_same_moments_again() {
        let moments = |seed| {
            let mut random = Random(seed);
            (0..20).map(|_| random.below(10)).collect::<Vec<_>>()
        };
        assert_eq!(moments(7), moments(7));
        assert_ne!(moments(7), moments(8));
    }
}
