//! `cargo xtask soak`: two processes of one bank at full load on PostgreSQL, one of them killed again and again; then
//! everybody's books are compared.

mod books;
mod plan;
mod provider;

use std::path::Path;
use std::time::{Duration, Instant};

use bank::{Clock, SystemClock};
use private_postgres::{Durability, PrivatePostgres};

use crate::Failure;
use crate::figures::Spread;
use crate::person::{Met, Person};
use crate::program::{self, Process};
use crate::served;
use crate::soak::plan::{Kill, Random};
use crate::soak::provider::Provider;
use crate::stage;

/// More than both processes can serve on this machine.
const PEOPLE: usize = 16;

/// How long, and which moments.
struct Asked {
    time: Duration,
    seed: u64,
}

impl Asked {
    fn of(words: &[String]) -> Result<Self, Failure> {
        let mut asked = Self {
            time: Duration::from_secs(600),
            seed: 1,
        };
        for word in words {
            match word.split_once('=') {
                Some(("--seconds", number)) => asked.time = Duration::from_secs(number.parse()?),
                Some(("--seed", number)) => asked.seed = number.parse()?,
                Some(_) | None => return Err(format!("{word} is not known").into()),
            }
        }
        Ok(asked)
    }
}

/// Whether everything held.
pub(crate) fn run(words: &[String]) -> Result<bool, Failure> {
    let asked = Asked::of(words)?;
    let server = PrivatePostgres::start(Durability::Whole)?;
    let server = server.ok_or("PostgreSQL is not installed")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let provider = runtime.block_on(Provider::start(folder.path()));
    let pair = started(folder.path(), &server.schema()?, &provider)?;
    let people = runtime.block_on(enrolled(&pair, &provider));
    let (began, began_ms) = (Instant::now(), SystemClock.now_ms());
    let kills = plan::kills(asked.seed, asked.time);
    let count = kills.len();
    let killer = std::thread::spawn(move || killed(pair, kills, began));
    let people = runtime.block_on(loaded(people, &asked, began + asked.time));
    let (pair, anchor) = killer.join().map_err(|_| "a process did not start again")?;
    let people = people?;
    let told = Told::of(&people, began);
    let books = books::compare(&pair, &people, (began_ms, &anchor))?;
    let whole = books.iter().all(|limit| limit.kept);
    say(&format!(
        "soak: {count} kills (seed {}), {told}",
        asked.seed
    ))?;
    let times = provider.times();
    let again = times.iter().filter(|times| **times > 1).count();
    say(&format!(
        "soak: {} SMS, of which {again} came again",
        times.len()
    ))?;
    for limit in &books {
        let word = if limit.kept { "kept" } else { "BROKEN" };
        say(&format!("soak: {}: {word}", limit.rule))?;
    }
    Ok(whole)
}

fn say(line: &str) -> std::io::Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout().lock(), "{line}")
}

/// Both processes, as they are operated: no inbox, the limits of the default but for what everybody behind one address
/// shares.
fn started(folder: &Path, store: &str, provider: &Provider) -> Result<[Process; 2], Failure> {
    let first = Process::new(&served::program("bank")?, &[], folder.join("one"));
    std::fs::write(first.dir.join("sms.key"), "soak\n")?;
    let mut settings = "\n[password]\nrounds = 10\n".to_owned();
    settings.push_str("\n[limits]\nenrolments_per_address_per_hour = 1000\n");
    settings.push_str(&format!(
        "\n[sms.http]\nurl = \"{}\"\nauthority = \"{}\"\nbody = {{ to = \"{{phone}}\", text = \"{{text}}\", key = \"{{key}}\" }}\n",
        provider.url,
        provider.authority.display()
    ));
    let bank = stage::configuration(Some(store.to_owned()), &settings, PEOPLE);
    let bank = bank.replacen("[sms]\n", "[sms]\nresend_s = 0\n", 1);
    Ok(program::pair(first, &bank))
}

/// Everybody with their terminal, half of them at each process.
async fn enrolled(pair: &[Process; 2], provider: &Provider) -> Vec<Person<Provider>> {
    let clients = [pair[0].client(), pair[1].client()];
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let own = (stage::phone(number), stage::serial(number));
        let at = (clients.clone(), number % 2);
        people.push(Person::new((own.0, &own.1), at, provider.clone()).await);
    }
    people
}

/// Loads of everybody, as fast as they come, until then; each begun one is brought to its end.
async fn loaded(
    people: Vec<Person<Provider>>,
    asked: &Asked,
    end: Instant,
) -> Result<Vec<Person<Provider>>, Failure> {
    let work = |(mut person, seed): (Person<Provider>, u64)| {
        tokio::spawn(async move {
            let mut random = Random::new(seed);
            while Instant::now() < end {
                person.top_up(random.torn()).await;
            }
            person
        })
    };
    let seeds = (1..).map(|number| asked.seed.wrapping_mul(1_000) + number);
    let work: Vec<_> = people.into_iter().zip(seeds).map(work).collect();
    let mut people = Vec::new();
    for person in work {
        people.push(person.await?);
    }
    Ok(people)
}

/// Kills and starts again as planned; with what the audit log's chains ended with after the first kill.
fn killed(mut pair: [Process; 2], kills: Vec<Kill>, began: Instant) -> ([Process; 2], String) {
    let mut anchor = String::new();
    for Kill { at, victim, rest } in kills {
        std::thread::sleep((began + at).saturating_duration_since(Instant::now()));
        pair[victim].kill();
        std::thread::sleep(rest);
        pair[victim].start();
        if anchor.is_empty() {
            let audit = pair[victim].told(&["audit", "verify"]);
            anchor.push_str(audit["anchor"].as_str().unwrap_or_default());
        }
    }
    (pair, anchor)
}

/// What everybody met.
struct Told {
    loads: usize,
    torn: u32,
    busy: u32,
    too_many: u32,
    unanswered: u32,
    accepted: usize,
    took: Spread,
    /// Without a load that came to its end.
    gap: Duration,
    longest: Duration,
    time: Duration,
}

impl Told {
    fn of(people: &[Person<Provider>], began: Instant) -> Self {
        let met: Vec<&Met> = people.iter().map(|person| &person.met).collect();
        let sum = |count: fn(&Met) -> u32| met.iter().map(|it| count(it)).sum();
        let mut over: Vec<Instant> = met.iter().flat_map(|it| it.over.iter().copied()).collect();
        over.sort();
        let mut last = began;
        let mut gap = Duration::ZERO;
        for moment in &over {
            gap = gap.max(*moment - last);
            last = *moment;
        }
        let accepted: Vec<_> = (met.iter().flat_map(|it| it.accepted.iter().copied())).collect();
        Self {
            loads: over.len(),
            torn: sum(|it| it.torn),
            busy: sum(|it| it.busy),
            too_many: sum(|it| it.too_many),
            unanswered: sum(|it| it.unanswered),
            accepted: accepted.len(),
            took: Spread::of(&accepted, 1),
            gap,
            longest: met.iter().map(|it| it.longest).max().unwrap_or_default(),
            time: last - began,
        }
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let s = self.time.as_secs_f64();
        write!(
            out,
            "{} loads in {s:.0} s ({:.0} a second; {} broke off and were healed); refused {} times with 503 or 504 and \
             {} with 429, {} without an answer; {} accepted requests, p50 {:.1} ms, p99 {:.1} ms; the longest time \
             without a finished load {:.1} s, of one request with its repetitions {:.1} s",
            self.loads,
            self.loads as f64 / s.max(1.0),
            self.torn,
            self.busy,
            self.too_many,
            self.unanswered,
            self.accepted,
            self.took.median_us / 1e3,
            self.took.p99_us / 1e3,
            self.gap.as_secs_f64(),
            self.longest.as_secs_f64(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_is_refused() {
        let of = |word: &str| Asked::of(&[word.to_owned()]);
        assert!(of("--seconds=40").is_ok_and(|it| it.time == Duration::from_secs(40)));
        assert!(of("--seed=7").is_ok_and(|it| it.seed == 7));
        for word in ["--seconds", "--seconds=long", "--minutes=1", "40"] {
            assert!(of(word).is_err(), "{word}");
        }
    }
}
