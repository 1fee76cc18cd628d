//! Two processes of one bank that share what goes out of it: SMS to a provider, loads and reversals to a core banking
//! host. Whatever goes out does so once; what a process that was killed had taken goes out by the other one.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use relay::Message;
use serde_json::json;

use crate::core_host::{ACCOUNT, CoreHost, Fault, START};
use crate::hosted_stage::until;
use crate::person::{AMOUNT, Person};
use crate::program::{self, Process};
use crate::provider::Provider;
use crate::terminal::outcome;

const PEOPLE: usize = 6;
/// Of one attempt with an SMS; it is somebody else's 5 s after that.
const SMS_S: u64 = 3;

/// The demo bank's industries, and people whose money is at the host.
fn configuration(store: &str, host: &CoreHost, provider: &Provider) -> String {
    let demo = crate::stage::DEMO.split("[[customer]]").next().unwrap();
    let bank = format!("[bank]\nstore = \"{store}\"\n");
    let sms = format!("[sms]\nresend_s = 0\ntimeout_s = {SMS_S}\n");
    let mut text = demo.replacen("[bank]\n", &bank, 1);
    text = text.replacen("[sms]\n", &sms, 1);
    text.push_str("\n[password]\nrounds = 10\n[limits]\ndatabase_wait_ms = 500\n");
    text.push_str(&format!(
        "[sms.http]\nurl = \"{}\"\nauthority = \"{}\"\n\
         body = {{ to = \"{{phone}}\", text = \"{{text}}\", key = \"{{key}}\" }}\n",
        provider.url,
        provider.authority.display()
    ));
    for person in 0..PEOPLE {
        let (phone, serial) = own(person);
        text.push_str(&format!(
            "\n[[customer]]\nphone = \"{phone}\"\npassword = \"246810\"\nbalance = 0\n\
             account = \"{ACCOUNT}\"\n\
             [[customer.card]]\nindustry = \"0001\"\nserial = \"{serial}\"\n"
        ));
    }
    host.configured(&text)
}

/// Phone and card.
fn own(person: usize) -> (String, String) {
    (
        format!("138{:08}", 10_000_000 + person),
        format!("0000621700000000{:04}", 1_000 + person),
    )
}

struct Scene {
    host: CoreHost,
    provider: Provider,
    pair: [Process; 2],
    people: Vec<Person<Provider>>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// None where there is no PostgreSQL. `at`: whose process each person asks.
    async fn new(at: impl Fn(usize) -> usize) -> Option<Self> {
        let store = crate::engine::store()?;
        let folder = tempfile::tempdir().unwrap();
        let host = CoreHost::start().await;
        let provider = Provider::start(folder.path()).await;
        let program = Path::new(env!("CARGO_BIN_EXE_bank"));
        let first = Process::new(program, &[], folder.path().join("one"));
        std::fs::write(first.dir.join("sms.key"), "hush\n").unwrap();
        let pair = program::pair(first, &configuration(&store, &host, &provider));
        let clients = [pair[0].client(), pair[1].client()];
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            let (phone, serial) = own(number);
            let at = (clients.clone(), at(number));
            people.push(Person::new((phone, &serial), at, provider.clone()).await);
        }
        Some(Self {
            host,
            provider,
            pair,
            people,
            _folder: folder,
        })
    }

    /// Everybody's code and load at once, up to what is sent next.
    async fn asked(&mut self) -> Vec<(Person<Provider>, Message)> {
        let asks = std::mem::take(&mut self.people)
            .into_iter()
            .map(|mut person| {
                tokio::spawn(async move {
                    let (id, proof) = person.sms_proof().await;
                    let load = (AMOUNT, proof);
                    let message = person.terminal.load_message(id, &mut person.card, load);
                    (person, message)
                })
            });
        let mut asked = Vec::new();
        for ask in asks.collect::<Vec<_>>() {
            asked.push(ask.await.unwrap());
        }
        asked
    }

    /// The host has everything back, and either process finds nothing wrong.
    async fn closes(&self) {
        for _ in 0..300 {
            if self.host.books().balance == START {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (balance, problems) = {
            let books = self.host.books();
            (books.balance, books.problems.clone())
        };
        assert_eq!((balance, problems), (START, Vec::new()), "the host's books");
        for process in &self.pair {
            let report = process.told(&["check"]);
            assert_eq!(report["findings"], json!([]), "every invariant holds");
            assert_eq!(report["open_loads"], 0);
            assert_eq!(report["money"]["in_transit"], 0);
        }
    }

    /// How often each load was taken back.
    fn reversals(&self) -> BTreeMap<String, usize> {
        let mut each = BTreeMap::new();
        for (mti, rrn, _) in &self.host.books().came {
            if mti != "0200" {
                *each.entry(rrn.clone()).or_default() += 1;
            }
        }
        each
    }
}

/// What everybody's load came to.
async fn relayed(asked: Vec<(Person<Provider>, Message)>) -> Vec<String> {
    let work = asked.into_iter().map(|(mut person, message)| {
        tokio::spawn(async move { outcome(&person.relay(&message).await).to_owned() })
    });
    let mut outcomes = Vec::new();
    for one in work.collect::<Vec<_>>() {
        outcomes.push(one.await.unwrap());
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_code_each_load_and_each_reversal_of_two_processes_goes_out_once() {
    let Some(mut scene) = Scene::new(|person| person % 2).await else {
        return;
    };
    let asked = scene.asked().await;
    scene.host.fail(&[Fault::AnswerLost; PEOPLE]);
    let outcomes = relayed(asked).await;
    assert_eq!(outcomes, ["in-doubt"; PEOPLE]);
    until(&scene.host, "0420", PEOPLE).await;
    // Rounds of both, with nothing left for either.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let sent = ["0200", "0420", "0421"].map(|mti| scene.host.count(mti));
    assert_eq!(sent, [PEOPLE, PEOPLE, 0]);
    assert_eq!(scene.provider.times(), [1; PEOPLE], "SMS");
    scene.closes().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_had_taken_goes_out_by_the_other_one() {
    let Some(mut scene) = Scene::new(|_| 1).await else {
        return;
    };
    // Codes come, and the provider's answers do not: whoever handed them over is killed meanwhile.
    scene.provider.answer_after(SMS_S * 500);
    let asked = scene.asked().await;
    scene.pair[1].kill();
    scene.provider.answer_after(0);
    tokio::time::sleep(Duration::from_secs(SMS_S + 8)).await;
    let times = scene.provider.times();
    assert_eq!(times.len(), PEOPLE, "nobody's is another SMS");
    let again = times.iter().filter(|times| **times == 2).count();
    assert!(
        again > 0 && times.iter().all(|times| *times <= 2),
        "those alone whose end was not known came again, once: {times:?}"
    );

    scene.pair[1].start();
    scene.host.fail(&[Fault::AnswerLost; PEOPLE]);
    let work = tokio::spawn(relayed(asked));
    until(&scene.host, "0200", PEOPLE).await;
    scene.pair[1].kill();
    for outcome in work.await.unwrap() {
        let void = ["in-doubt", "voided"].contains(&outcome.as_str());
        assert!(void, "{outcome}");
    }
    assert_eq!(scene.host.count("0200"), PEOPLE, "nobody asked again");
    scene.pair[1].start();
    scene.closes().await;
    let reversals = scene.reversals();
    assert_eq!(reversals.len(), PEOPLE);
    assert!(
        reversals.values().all(|times| *times <= 2),
        "one that may not have arrived went once more: {reversals:?}"
    );
}
