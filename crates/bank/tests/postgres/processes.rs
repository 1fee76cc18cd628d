//! Two processes of one bank on one database, both at work, one of them killed again and again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bank_client::BankClient;
use relay::{Letter, Operation};
use serde_json::{Value, json};

use crate::person::{AMOUNT, Person, Phones};
use crate::program::{self, Process};
use crate::terminal::outcome;

const PEOPLE: usize = 6;
/// Top-ups of each person.
const TOP_UPS: usize = 6;
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

/// The inboxes of both processes.
#[derive(Clone)]
struct Inboxes([BankClient; 2]);

impl Phones for Inboxes {
    async fn code(&self, phone: &str, since_ms: u64) -> Option<String> {
        for _ in 0..150 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut codes: Vec<(u64, String)> = Vec::new();
            for client in &self.0 {
                let page = client.page("/dev/sms.json").await.unwrap_or_default();
                let all: Vec<Value> = serde_json::from_slice(&page).unwrap_or_default();
                let ours = all.iter().filter(|sms| sms["phone"] == phone);
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
}

async fn person(number: usize, clients: &[BankClient; 2], at: usize) -> Person<Inboxes> {
    let inboxes = Inboxes(clients.clone());
    let own = (phone(number), serial(number));
    Person::new((own.0, &own.1), (clients.clone(), at), inboxes).await
}

fn checked(process: &Process) -> Value {
    process.told(&["check"])
}

/// Two running processes of one bank.
fn pair(folder: &Path, store: &str) -> [Process; 2] {
    let program = Path::new(env!("CARGO_BIN_EXE_bank"));
    let first = Process::new(program, &["--dev"], folder.join("one"));
    program::pair(first, &configuration(store))
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
        people.push(person(number, &clients, number % 2).await);
    }
    let done = Arc::new(AtomicBool::new(false));
    let work = people.into_iter().map(|mut person| {
        tokio::spawn(async move {
            for _ in 0..TOP_UPS {
                person.top_up(None).await;
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
    let mut here = person(0, &clients, 0).await;
    let mut there = person(0, &clients, 1).await;
    for round in 0..5 {
        let (first, one_proof) = here.sms_proof().await;
        let (second, other_proof) = there.sms_proof().await;
        there.card = here.card.clone();
        let one_load = here
            .terminal
            .load_message(first, &mut here.card, (AMOUNT, one_proof));
        let other_load =
            there
                .terminal
                .load_message(second, &mut there.card, (AMOUNT, other_proof));
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
