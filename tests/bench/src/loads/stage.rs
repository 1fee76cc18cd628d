//! A bank with many customers, each with a terminal and a card.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bank::{Config, ManualClock, Running, Settings};
use relay::Operation;
use serde_json::Value;
use tempfile::TempDir;

use crate::card::Card;
use crate::terminal::{Terminal, new_id, outcome, phase};

const DEMO: &str = include_str!("../../../../crates/bank/src/demo.toml");
pub(crate) const PASSWORD: &str = "246810";
/// Who types it is compared with who is on file; terminals of the flows know one number.
pub(crate) const PHONE: &str = "13800006021";
/// 2026-11-23 10:00:00 UTC. It stands still: nothing grows old in a measurement.
const NOW_MS: u64 = 1_795_428_000_000;
const AMOUNT: u32 = 100;

pub(crate) struct Stage {
    _dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) bank: Profiled,
    people: Vec<Person>,
}

/// The running bank, as the flows' terminal looks for it.
pub(crate) struct Profiled {
    pub(crate) profile_path: PathBuf,
    running: Running,
}

/// What was measured.
pub(crate) struct Run {
    pub(crate) per_second: f64,
    /// Of each request, at full speed.
    pub(crate) full: Vec<Duration>,
    /// The same at half of it.
    pub(crate) half: Vec<Duration>,
}

struct Person {
    terminal: Terminal,
    card: Card,
    phone: String,
    /// The last one that came.
    code: String,
    /// Transactions with the proofs of their codes.
    proofs: Vec<([u8; 16], [u8; 16])>,
}

fn serial(person: usize) -> String {
    format!("0000621700000000{person:04}")
}

fn phone(person: usize) -> String {
    format!("138{person:04}0000")
}

fn configuration(store: Option<String>, people: usize) -> String {
    let demo = DEMO.split("[[customer]]").next().unwrap_or_default();
    let bank = match store {
        Some(url) => format!("[bank]\nstore = \"{url}\"\n"),
        None => "[bank]\n".to_owned(),
    };
    let mut text = demo
        .replacen("[bank]\n", &bank, 1)
        .replace("= 1000\n", "= 1000000\n");
    text = text.replace("max_balance = 100000\n", "max_balance = 100000000\n");
    text.push_str("\n[password]\nrounds = 1\n\n[limits]\nenrolments_per_address_per_hour = 1000\n");
    // Nobody is sent away: what is measured is how long everything takes, on a machine that others use too.
    text.push_str("requests_per_terminal_per_minute = 1000000\nanswer_ms = 60000\n");
    text.push_str("database_wait_ms = 20000\nrequest_timeout_ms = 60000\n");
    for person in 0..people {
        text.push_str(&format!(
            "\n[[customer]]\nphone = \"{}\"\npassword = \"{PASSWORD}\"\nbalance = 100000000\n\
             \n[[customer.card]]\nindustry = \"0001\"\nserial = \"{}\"\n",
            phone(person),
            serial(person)
        ));
    }
    text
}

impl Stage {
    pub(crate) async fn start(store: Option<String>, people: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let settings = Settings::parse(&configuration(store, people)).unwrap();
        let mut config = Config::new(dir.path(), settings)
            .with_inbox()
            .on_free_ports();
        config.clock = clock.clone();
        let running = bank::start(config).await.unwrap();
        let bank = Profiled {
            profile_path: running.profile_path.clone(),
            running,
        };
        let mut stage = Self {
            _dir: dir,
            clock,
            bank,
            people: Vec::new(),
        };
        for number in 0..people {
            let mut terminal = Terminal::enrol(&stage).await;
            terminal.fetch_key().await.unwrap();
            stage.people.push(Person {
                terminal,
                card: Card::new(&serial(number), true, 0),
                phone: phone(number),
                code: String::new(),
                proofs: Vec::new(),
            });
        }
        stage
    }

    /// At full speed, then at half of it.
    pub(crate) async fn measure(&mut self, loads: usize) -> Run {
        let half = loads / 2;
        self.all(|mut person| async move {
            for _ in 0..loads + half {
                person.prepare().await;
            }
            (person, Vec::new())
        })
        .await;
        let began = Instant::now();
        let full = self.all(|person| person.load(loads, Duration::ZERO)).await;
        let elapsed = began.elapsed();
        let made = (self.people.len() * loads) as f64;
        let per_second = made / elapsed.as_secs_f64();
        let pause = Duration::from_secs_f64(2.0 * self.people.len() as f64 / per_second);
        let half = self.all(|person| person.load(half, pause)).await;
        let report = self.bank.running.check().await.unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        Run {
            per_second,
            full,
            half,
        }
    }

    /// Everybody does it at once.
    async fn all<F>(&mut self, work: impl Fn(Person) -> F) -> Vec<Duration>
    where
        F: Future<Output = (Person, Vec<Duration>)> + Send + 'static,
    {
        let people = std::mem::take(&mut self.people);
        let tasks: Vec<_> = people
            .into_iter()
            .map(|person| tokio::spawn(work(person)))
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            let (person, of_one) = task.await.unwrap();
            self.people.push(person);
            times.extend(of_one);
        }
        times
    }

    pub(crate) async fn stop(self) {
        self.bank.running.stop().await;
    }
}

impl Person {
    async fn prepare(&mut self) {
        let id = new_id();
        self.terminal
            .send_code(&id, &self.card.tail(), &self.phone)
            .await;
        for _ in 0..1_000 {
            let page = self.terminal.client.page("/dev/sms.json").await.unwrap();
            let all: Vec<Value> = serde_json::from_slice(&page).unwrap();
            // The newest of this person: one is asked for at a time.
            let mut codes = all.iter().filter(|sms| sms["phone"] == self.phone.as_str());
            let newest = codes.next().and_then(|sms| sms["code"].as_str());
            if let Some(code) = newest.filter(|code| *code != self.code) {
                let proof = self.terminal.verify(&id, code).await.unwrap();
                self.code = code.to_owned();
                self.proofs.push((id, proof));
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no code came");
    }

    /// So many loads; with a pause, each begins so long after the one before began.
    async fn load(mut self, loads: usize, pause: Duration) -> (Self, Vec<Duration>) {
        let mut times = Vec::with_capacity(2 * loads);
        let mut due = Instant::now() + pause.mul_f64(f64::from(self.card.serial[9] % 32) / 32.0);
        for _ in 0..loads {
            tokio::time::sleep_until(due.into()).await;
            due += pause;
            let (id, proof) = self.proofs.pop().unwrap();
            let load = self
                .terminal
                .load_message(id, &mut self.card, (AMOUNT, proof));
            let began = Instant::now();
            let answer = self.terminal.relay(&load).await;
            times.push(began.elapsed());
            assert_eq!(phase(&answer), "credit");
            let tac = self.card.credit(answer.body.field("credit_data").unwrap());
            let credit = self.terminal.credit_message(Operation::TopUp, (id, 2), tac);
            let began = Instant::now();
            let done = self.terminal.relay(&credit).await;
            times.push(began.elapsed());
            assert_eq!(outcome(&done), "ok");
        }
        (self, times)
    }
}
