//! Two processes of one bank on one database, both at work, one of them killed again and again.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bank::{Clock, ManualClock, SystemClock};
use bank_client::{BankClient, ClientError};
use relay::{Letter, Message, Operation};
use serde_json::{Value, json};

use crate::card::Card;
use crate::terminal::{Terminal, new_id, outcome, phase};

const PEOPLE: usize = 6;
/// Top-ups of each person.
const TOP_UPS: usize = 6;
const AMOUNT: u32 = 100;
/// Fen, of each person at the start.
const BALANCE: u32 = 100_000;
const KILLS: usize = 4;

fn serial(person: usize) -> String {
    format!("0000621700000000{:04}", 1_000 + person)
}

fn phone(person: usize) -> String {
    format!("138{:08}", 10_000_000 + person)
}

/// The demo bank's industries, and people with one card each.
fn configuration(store: &str) -> String {
    let demo = crate::stage::DEMO;
    let demo = demo.split("[[customer]]").next().unwrap();
    let bank = format!("[bank]\nstore = \"{store}\"\n");
    let mut text = demo.replacen("[bank]\n", &bank, 1);
    text.push_str("\n[password]\nrounds = 10\n");
    text = text.replacen("[sms]\n", "[sms]\nresend_s = 0\n", 1);
    for person in 0..PEOPLE {
        text.push_str(&format!(
            "\n[[customer]]\nphone = \"{}\"\npassword = \"246810\"\nbalance = {BALANCE}\n\
             \n[[customer.card]]\nindustry = \"0001\"\nserial = \"{}\"\n",
            phone(person),
            serial(person)
        ));
    }
    text
}

/// One process of the bank, on the addresses that it got at first.
struct Process {
    dir: PathBuf,
    config: PathBuf,
    addresses: Option<[String; 2]>,
    child: Option<Child>,
}

impl Process {
    fn start(&mut self) {
        let free = || ["127.0.0.1:0".to_owned(), "127.0.0.1:0".to_owned()];
        let [security, transaction] = self.addresses.clone().unwrap_or_else(free);
        let mut command = Command::new(env!("CARGO_BIN_EXE_bank"));
        command
            .args(["run", "--dev", "--log", "warn", "--dir"])
            .arg(&self.dir);
        command.arg("--config").arg(&self.config);
        command.args(["--security", &security, "--transaction", &transaction]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let address = |name: &str| {
            let found = line
                .split(name)
                .nth(1)
                .and_then(|rest| rest.split(' ').next());
            found
                .unwrap_or_else(|| panic!("not ready: {line}"))
                .to_owned()
        };
        self.addresses = Some([address("security="), address("transaction=")]);
        self.child = Some(child);
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn client(&self) -> BankClient {
        Terminal::client_of(&self.dir.join("profile.json"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

/// Keys and certificates of the bank, for its second process.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        if item.file_name() != "profile.json" {
            std::fs::copy(item.path(), to.join(item.file_name())).unwrap();
        }
    }
}

/// A person with a terminal that knows both processes, and asks the other one when one does not answer.
struct Person {
    number: usize,
    terminal: Terminal,
    clients: [BankClient; 2],
    at: usize,
    card: Card,
}

impl Person {
    async fn new(number: usize, clients: [BankClient; 2]) -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now_ms()));
        let terminal = Terminal::enrol_with(clients[0].clone(), clock).await;
        let card = Card::new(&serial(number), true, 0);
        let at = number % 2;
        let mut person = Self {
            number,
            terminal,
            clients,
            at,
            card,
        };
        person.terminal.fetch_key().await.unwrap();
        person
    }

    /// The same question again, here or there, until somebody answers it.
    async fn next(&mut self, error: ClientError) {
        match error {
            ClientError::Offline | ClientError::Silent => {}
            ClientError::Refused { code, .. } if code == "busy" || code == "late" => {}
            ClientError::Refused { .. } | ClientError::Untrusted(_) | ClientError::BadAnswer => {
                panic!("{error}")
            }
        }
        self.at = 1 - self.at;
        self.terminal.client = self.clients[self.at].clone();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    async fn ask(&mut self, path: &str, body: &Value) -> Value {
        for _ in 0..500 {
            match self.terminal.ask(path, body.clone()).await {
                Ok(answer) => return answer,
                Err(error) => self.next(error).await,
            }
        }
        panic!("nobody answers {path}");
    }

    /// One envelope under one counter, sent until its answer is here.
    async fn relay(&mut self, message: &Message) -> Message {
        let sealed = self.terminal.seal(&message.encode().unwrap());
        for _ in 0..500 {
            match self.terminal.client.relay(sealed.clone()).await {
                Ok(answer) => return Message::parse(&self.terminal.open(&answer)).unwrap(),
                Err(error) => self.next(error).await,
            }
        }
        panic!("nobody answers a message");
    }

    /// The proof of a code, which either process may have delivered, and lost when it was killed.
    async fn sms_proof(&mut self, id: &[u8; 16]) -> [u8; 16] {
        let send = json!({"transaction": hex::encode(id), "industry": "0001",
            "card_tail": self.card.tail(), "phone": phone(self.number)});
        for _ in 0..4 {
            let since_ms = SystemClock.now_ms();
            self.ask("/v1/sms/send", &send).await;
            let Some(code) = self.code(since_ms).await else {
                continue;
            };
            let verify = json!({"transaction": hex::encode(id), "code": code});
            let answer = self.ask("/v1/sms/verify", &verify).await;
            let proof = hex::decode(answer["proof"].as_str().unwrap()).unwrap();
            return proof.try_into().unwrap();
        }
        panic!("no code came");
    }

    /// The newest code that was sent since then.
    async fn code(&self, since_ms: u64) -> Option<String> {
        for _ in 0..150 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut codes: Vec<(u64, String)> = Vec::new();
            for client in &self.clients {
                let page = client.page("/dev/sms.json").await.unwrap_or_default();
                let all: Vec<Value> = serde_json::from_slice(&page).unwrap_or_default();
                let ours = all.iter().filter(|sms| sms["phone"] == phone(self.number));
                let read = |sms: &Value| {
                    let code = sms["code"].as_str().unwrap().to_owned();
                    (sms["sent_ms"].as_u64().unwrap(), code)
                };
                codes.extend(ours.map(read).filter(|(sent_ms, _)| *sent_ms >= since_ms));
            }
            if let Some((_, code)) = codes.into_iter().max() {
                return Some(code);
            }
        }
        None
    }

    async fn top_up(&mut self) {
        let id = new_id();
        let proof = self.sms_proof(&id).await;
        let load = self
            .terminal
            .load_message(id, &mut self.card, (AMOUNT, proof));
        let answer = self.relay(&load).await;
        assert_eq!(phase(&answer), "credit");
        let tac = self.card.credit(answer.body.field("credit_data").unwrap());
        let credit = self.terminal.credit_message(Operation::TopUp, (id, 2), tac);
        let done = self.relay(&credit).await;
        assert_eq!((done.letter, outcome(&done)), (Letter::A, "ok"));
    }
}

fn checked(process: &Process) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bank"));
    command.args(["check", "--dir"]).arg(&process.dir);
    let said = command
        .arg("--config")
        .arg(&process.config)
        .output()
        .unwrap();
    serde_json::from_slice(&said.stdout).unwrap()
}

/// Two running processes of one bank.
fn pair(folder: &Path, store: &str) -> [Process; 2] {
    let config = folder.join("bank.toml");
    std::fs::write(&config, configuration(store)).unwrap();
    let process = |name: &str| Process {
        dir: folder.join(name),
        config: config.clone(),
        addresses: None,
        child: None,
    };
    let (mut one, mut two) = (process("one"), process("two"));
    one.start();
    copy_folder(&one.dir, &two.dir);
    two.start();
    [one, two]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_database_lose_and_make_no_fen_while_one_is_killed() {
    let Some(store) = crate::engine::store() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let [one, mut two] = pair(folder.path(), &store);
    let clients = [one.client(), two.client()];
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(Person::new(number, clients.clone()).await);
    }
    let done = Arc::new(AtomicBool::new(false));
    let work = people.into_iter().map(|mut person| {
        tokio::spawn(async move {
            for _ in 0..TOP_UPS {
                person.top_up().await;
            }
            person.card.balance
        })
    });
    let work: Vec<_> = work.collect();
    let watch = done.clone();
    let killer = tokio::task::spawn_blocking(move || {
        let mut kills = 0;
        while kills < KILLS && !watch.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(400));
            two.kill();
            kills += 1;
            std::thread::sleep(Duration::from_millis(200));
            two.start();
        }
        (two, kills)
    });
    let mut on_cards = 0;
    for person in work {
        on_cards += person.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let (two, kills) = killer.await.unwrap();
    assert!(kills > 0, "nothing was killed");
    let people = u32::try_from(PEOPLE).unwrap();
    let loaded = people * u32::try_from(TOP_UPS).unwrap() * AMOUNT;
    assert_eq!(on_cards, loaded, "what the cards hold");
    for process in [&one, &two] {
        let report = checked(process);
        assert_eq!(report["findings"], json!([]), "every invariant holds");
        assert_eq!(report["open_loads"], 0);
        let money = &report["money"];
        assert_eq!(money["customers"], people * BALANCE - loaded);
        assert_eq!(
            (&money["card_float"], &money["in_transit"]),
            (&json!(loaded), &json!(0))
        );
    }
}

#[tokio::test]
async fn two_processes_debit_once_for_two_terminals_at_once_with_one_card() {
    let Some(store) = crate::engine::store() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = pair(folder.path(), &store);
    let clients = [one.client(), two.client()];
    let mut here = Person::new(0, clients.clone()).await;
    let mut there = Person::new(0, clients).await;
    there.at = 1;
    there.terminal.client = there.clients[1].clone();
    for round in 0..5 {
        let (first, second) = (new_id(), new_id());
        let proofs = (here.sms_proof(&first).await, there.sms_proof(&second).await);
        there.card = here.card.clone();
        let one_load = here
            .terminal
            .load_message(first, &mut here.card, (AMOUNT, proofs.0));
        let other_load = there
            .terminal
            .load_message(second, &mut there.card, (AMOUNT, proofs.1));
        let (mine, theirs) = tokio::join!(here.relay(&one_load), there.relay(&other_load));
        let issued = [&mine, &theirs]
            .iter()
            .filter(|it| it.letter == Letter::I)
            .count();
        assert_eq!(issued, 1, "round {round}: {mine:?} {theirs:?}");
        let (winner, id, answer) = match mine.letter {
            Letter::I => (&mut here, first, mine),
            Letter::A => (&mut there, second, theirs),
        };
        let tac = winner
            .card
            .credit(answer.body.field("credit_data").unwrap());
        let credit = winner
            .terminal
            .credit_message(Operation::TopUp, (id, 2), tac);
        assert_eq!(outcome(&winner.relay(&credit).await), "ok");
        let card = winner.card.clone();
        here.card = card;
    }
    let report = checked(&one);
    assert_eq!(report["findings"], json!([]));
    assert_eq!(report["money"]["card_float"], 5 * AMOUNT);
}
