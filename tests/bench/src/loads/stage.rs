//! A bank with many customers, each with a terminal and a card.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bank::{Config, ManualClock, Running, Settings};
use bank_client::BankClient;
use relay::Operation;
use serde_json::Value;
use tempfile::TempDir;

use crate::card::Card;
use crate::terminal::{Terminal, new_id, outcome, phase};

const DEMO: &str = include_str!("../../../../crates/bank/src/demo.toml");
pub(crate) const PASSWORD: &str = "246810";
/// Who types it is compared with who is on file; terminals of the flows know one number.
pub(crate) const PHONE: &str = "13800006021";
/// Of the first customer's card.
pub(crate) const DEMO_SERIAL: [u8; 10] = [0, 0, 0x62, 0x17, 0, 0, 0, 0, 0, 0];
/// 2026-11-23 10:00:00 UTC. It stands still: nothing grows old in a measurement.
pub(crate) const NOW_MS: u64 = 1_795_428_000_000;
const AMOUNT: u32 = 100;
/// Fen, of each customer.
pub(crate) const BALANCE: u32 = 100_000_000;

pub(crate) struct Stage {
    dir: TempDir,
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
    code: Option<String>,
    /// Transactions with the proofs of their codes.
    proofs: Vec<([u8; 16], [u8; 16])>,
}

/// Somebody of the bank's, for another measurement to act for.
pub(crate) struct Customer {
    pub(crate) terminal: Terminal,
    pub(crate) phone: String,
    /// Of the card.
    pub(crate) serial: [u8; 10],
}

pub(crate) fn serial(person: usize) -> String {
    format!("0000621700000000{person:04}")
}

pub(crate) fn phone(person: usize) -> String {
    format!("138{person:04}0000")
}

/// Of whoever measures: nobody is sent away, since it is told how long everything takes, on a machine that others use too.
const PATIENT: &str = "\n[password]\nrounds = 1\n\n[limits]\nenrolments_per_address_per_hour = 1000\n\
    requests_per_terminal_per_minute = 1000000\nanswer_ms = 60000\n\
    database_wait_ms = 20000\nrequest_timeout_ms = 60000\n";

/// The demo's industries with these settings, and so many people with a card each.
pub(crate) fn configuration(store: Option<String>, settings: &str, people: usize) -> String {
    let demo = DEMO.split("[[customer]]").next().unwrap_or_default();
    let bank = match store {
        Some(url) => format!("[bank]\nstore = \"{url}\"\n"),
        None => "[bank]\n".to_owned(),
    };
    let mut text = demo
        .replacen("[bank]\n", &bank, 1)
        .replace("= 1000\n", "= 1000000\n");
    text = text.replace("max_balance = 100000\n", "max_balance = 100000000\n");
    text.push_str(settings);
    for person in 0..people {
        text.push_str(&format!(
            "\n[[customer]]\nphone = \"{}\"\npassword = \"{PASSWORD}\"\nbalance = {BALANCE}\n\
             \n[[customer.card]]\nindustry = \"0001\"\nserial = \"{}\"\n",
            phone(person),
            serial(person)
        ));
    }
    text
}

impl Stage {
    pub(crate) async fn start(store: Option<String>, people: usize) -> Self {
        Self::open(tempfile::tempdir().unwrap(), store, people, 7).await
    }

    /// On the folder of a bank that was stopped, maybe. `counter` is the next one of every card.
    pub(crate) async fn open(
        dir: TempDir,
        store: Option<String>,
        people: usize,
        counter: u16,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let settings = Settings::parse(&configuration(store, PATIENT, people)).unwrap();
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
            dir,
            clock,
            bank,
            people: Vec::new(),
        };
        for number in 0..people {
            let mut terminal = Terminal::enrol(&stage).await;
            terminal.fetch_key().await.unwrap();
            let mut card = Card::new(&serial(number), true, 0);
            card.counter = counter;
            stage.people.push(Person {
                terminal,
                card,
                phone: phone(number),
                code: None,
                proofs: Vec::new(),
            });
        }
        stage
    }

    /// At full speed, then at half of it.
    pub(crate) async fn measure(&mut self, loads: usize) -> Run {
        let half = loads / 2;
        self.prepare(loads + half).await;
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

    /// Everybody makes so many loads, each begun so long after the one before; the time of each, both requests.
    pub(crate) async fn loads(&mut self, loads: usize, pause: Duration) -> Vec<Duration> {
        self.prepare(loads).await;
        let requests = self.all(|person| person.load(loads, pause)).await;
        requests.chunks(2).map(|pair| pair.iter().sum()).collect()
    }

    /// One load of too small an amount, which the bank refuses.
    pub(crate) async fn refused(&mut self) {
        let person = self.people.first_mut().unwrap();
        let asked = (AMOUNT / 2, [0; 16]);
        let load = person
            .terminal
            .load_message(new_id(), &mut person.card, asked);
        let answer = person.terminal.relay(&load).await;
        assert_eq!(outcome(&answer), "amount-low");
        person.card.counter += 1;
    }

    async fn prepare(&mut self, loads: usize) {
        self.all(|mut person| async move {
            for _ in 0..loads {
                person.prepare().await;
            }
            (person, Vec::new())
        })
        .await;
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

    /// The first of those who are left.
    pub(crate) fn take(&mut self) -> Customer {
        let Person {
            terminal,
            card,
            phone,
            ..
        } = self.people.remove(0);
        Customer {
            terminal,
            phone,
            serial: card.serial,
        }
    }

    /// Every invariant of the books.
    pub(crate) async fn check(&self) -> Result<bank::Report, String> {
        self.bank.running.check().await
    }

    /// With the bank's folder.
    pub(crate) async fn stop(self) -> TempDir {
        self.bank.running.stop().await;
        self.dir
    }
}

impl Person {
    async fn prepare(&mut self) {
        let id = new_id();
        self.terminal
            .send_code(&id, &self.card.tail(), &self.phone)
            .await;
        let code = next_code(&self.terminal.client, &self.phone, self.code.as_deref()).await;
        let proof = self.terminal.verify(&id, &code).await.unwrap();
        self.code = Some(code);
        self.proofs.push((id, proof));
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

/// The newest code of a number.
pub(crate) async fn newest_code(client: &BankClient, phone: &str) -> Option<String> {
    let page = client.page("/dev/sms.json").await.unwrap();
    let all: Vec<Value> = serde_json::from_slice(&page).unwrap();
    let newest = all.iter().find(|sms| sms["phone"] == phone)?;
    newest["code"].as_str().map(str::to_owned)
}

/// The same once it is another one than `before`; one is asked for at a time.
pub(crate) async fn next_code(client: &BankClient, phone: &str, before: Option<&str>) -> String {
    for _ in 0..1_000 {
        let newest = newest_code(client, phone).await;
        if let Some(code) = newest.filter(|code| Some(code.as_str()) != before) {
            return code;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no code came");
}
