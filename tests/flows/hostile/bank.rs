//! A bank in wrong hands, with the terminal's real keys: whatever it says, the card gets nothing beyond the package.
//! The judge is the card's own record.

use ipc::{Code, Command, TransactionKind};
use relay::{Body, Letter, Message};
use serde_json::{Value, json};
use virtual_card::AnyProfile;

use super::failure;
use super::packages::{offer, shipped};
use crate::liar::Liar;
use crate::stage::Stage;

/// A card of each industry, its AIDs in SELECT, and a phase of the bank's that belongs to no opening.
const INDUSTRIES: [(&str, &str, &str); 3] = [
    ("demo", "0001", "A00000000386980701"),
    ("campus", "0002", "A00000000386980702"),
    ("cash", "0003", "A0000003330101"),
];

const DEBIT: &str = "805401000F0000000100000000000000000000";
const FOREIGN: &str = "00A4040007A000000003101000";

fn says(asked: &Message, phase: &str, fields: &[(&str, Vec<u8>)]) -> Message {
    let mut body = Body {
        operation: asked.body.operation,
        transaction: asked.body.transaction,
        step: asked.body.step,
        phase: Some(phase.to_owned()),
        ..Body::default()
    };
    for (name, value) in fields {
        body.put(name, value.clone());
    }
    Message {
        letter: Letter::I,
        industry: asked.industry,
        body,
    }
}

fn encoded(asked: &Message, phase: &str, fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    says(asked, phase, fields).encode().unwrap()
}

/// What is answered to the driver's first `I`. None of it is something that the package knows.
type Lie = fn(&Message) -> Vec<u8>;

const LIES: [(&str, Lie); 18] = [
    ("a debit", |it| {
        encoded(it, "debit", &[("apdu", hex::decode(DEBIT).unwrap())])
    }),
    ("a debit as a field", |it| {
        encoded(
            it,
            "credit",
            &[("credit_data", hex::decode(DEBIT).unwrap())],
        )
    }),
    ("a foreign application", |it| {
        encoded(it, "select", &[("aid", hex::decode(FOREIGN).unwrap())])
    }),
    ("a command's name as a phase", |it| {
        encoded(it, "initialize", &[])
    }),
    ("an opening as a phase", |it| encoded(it, "open_topup", &[])),
    ("a constant to be replaced", |it| {
        encoded(
            it,
            "credit",
            &[("credit_data", vec![0; 11]), ("aid", vec![0xA0; 9])],
        )
    }),
    ("the terminal to be replaced", |it| {
        encoded(
            it,
            "load",
            &[("amount", vec![0; 4]), ("terminal", vec![0; 6])],
        )
    }),
    ("fields of wrong lengths", |it| {
        encoded(it, "credit", &[("credit_data", vec![0; 12])])
    }),
    ("fields that are empty", |it| {
        encoded(
            it,
            "credit",
            &[("authority", Vec::new()), ("script", Vec::new())],
        )
    }),
    ("fields of wrong names", |it| {
        encoded(it, "enable", &[("updates", vec![0; 24])])
    }),
    ("no fields", |it| encoded(it, "credit", &[])),
    ("64 fields", |it| {
        let names: Vec<String> = (0..64).map(|n| format!("f{n}")).collect();
        let fields: Vec<_> = names.iter().map(|it| (it.as_str(), vec![0; 8])).collect();
        encoded(it, "credit", &fields)
    }),
    ("8,000 fields", |it| {
        let mut bytes = encoded(it, "credit", &[]);
        for n in 0..7_000_u16 {
            let name = format!("{n:04x}");
            bytes.extend([0xD0, 6, 4]);
            bytes.extend(name.as_bytes());
            bytes.push(0);
        }
        bytes
    }),
    ("another transaction", |it| {
        let mut message = says(it, "credit", &[("credit_data", vec![0; 11])]);
        message.body.transaction = Some([0; 16]);
        message.encode().unwrap()
    }),
    ("another industry", |it| {
        let mut message = says(it, "credit", &[("credit_data", vec![0; 11])]);
        message.industry = "WHTC".parse().unwrap();
        message.encode().unwrap()
    }),
    ("a step that nobody asked", |it| {
        let mut message = says(it, "credit", &[("credit_data", vec![0; 11])]);
        message.body.step = Some(9);
        message.encode().unwrap()
    }),
    ("a command alone", |_| hex::decode(DEBIT).unwrap()),
    ("64 KiB of nothing", |it| {
        let mut bytes = encoded(it, "credit", &[]);
        bytes.resize(65_536, 0);
        bytes
    }),
];

/// The top-up of somebody whose SMS codes are good whatever they are.
async fn lied_top_up(stage: &Stage) -> ipc::ErrorView {
    let person = &stage.person;
    person.begin(TransactionKind::Topup).await.unwrap();
    let known = |view: &ipc::AppView| {
        view.transaction
            .as_ref()
            .is_some_and(|it| it.card.is_some())
    };
    person.until("the card", known).await.unwrap();
    let phone = person.phone.clone();
    person.give(Command::SendCode { phone }).await.unwrap();
    let code = "123456".to_owned();
    person.give(Command::VerifyCode { code }).await.unwrap();
    person.submit("246810", Some(500)).await.unwrap();
    failure(person.end().await)
}

/// After a lie: the bank is the bank again, and nothing is lost.
async fn heals(stage: &Stage, liar: &Liar, balance: i64) {
    liar.honest();
    if !stage.person.look().pending.is_empty() {
        stage.person.resume().await.unwrap();
    }
    assert_eq!(stage.card_balance(), balance);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_package_does_not_know_reaches_a_card() {
    for (card, industry, _) in INDUSTRIES {
        let mut stage = Stage::with_any(AnyProfile::named(card).unwrap(), "").await;
        let liar = stage.lied_to();
        stage.person.ready().await.unwrap();
        let balance = stage.card_balance();
        for (number, (what, lie)) in LIES.into_iter().enumerate() {
            let told = |kind: &str| {
                assert_eq!(liar.told(), 1, "{industry} {what} {kind}");
                let sent = liar.sent_since();
                assert!(sent.is_empty(), "{industry} {what} {kind}: {sent:02X?}");
            };
            liar.tell(Box::new(lie));
            let error = failure(stage.person.resume().await);
            assert!(
                [Code::MessageBad, Code::BankError].contains(&error.code),
                "{what}: {:?}",
                error.code
            );
            told("re-top-up");
            liar.tell(Box::new(lie));
            failure(stage.person.activate().await);
            told("activation");
            // One of three, in turn: each needs a re-top-up that clears it.
            if number % 3 == 0 {
                liar.tell(Box::new(lie));
                lied_top_up(&stage).await;
                told("top-up");
                heals(&stage, &liar, balance).await;
            }
        }
        heals(&stage, &liar, balance).await;
        stage.person.top_up(700).await.unwrap();
        heals(&stage, &liar, balance + 700).await;
    }
}

/// Phases that are the package's, at a moment that is not theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_phase_out_of_its_order_reaches_no_card() {
    let credit = |bytes: &'static [(&'static str, usize)]| bytes;
    for (card, industry, phases) in [
        (
            "demo",
            "0001",
            vec![
                ("credit", credit(&[("credit_data", 11)])),
                ("load", &[("amount", 4)]),
                ("refund", &[("amount", 4), ("witness", 6)]),
                ("enable", &[("update", 24)]),
            ],
        ),
        (
            "campus",
            "0002",
            vec![
                ("credit", credit(&[("credit_data", 11)])),
                ("load", &[("amount", 4)]),
                ("refund", &[("amount", 4), ("witness", 6)]),
                ("unblock", &[("mac", 4)]),
            ],
        ),
        (
            "cash",
            "0003",
            vec![
                ("credit", credit(&[("authority", 10), ("script", 10)])),
                (
                    "credit_twice",
                    &[("authority", 10), ("same", 10), ("script", 10)],
                ),
                ("set_limit", &[("authority", 10), ("script", 10)]),
            ],
        ),
    ] {
        let mut stage = Stage::with_any(AnyProfile::named(card).unwrap(), "").await;
        let liar = stage.lied_to();
        stage.person.ready().await.unwrap();
        let balance = stage.card_balance();
        // Right after a re-top-up's opening none of them may come.
        for (phase, fields) in phases {
            liar.tell(Box::new(move |asked| {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, n)| (*name, vec![0; *n]))
                    .collect();
                encoded(asked, phase, &fields)
            }));
            let error = failure(stage.person.resume().await);
            assert_eq!(error.code, Code::BankError, "{industry} {phase}");
            let sent = liar.sent_since();
            assert!(sent.is_empty(), "{industry} {phase}: {sent:02X?}");
        }
        heals(&stage, &liar, balance).await;
    }
}

/// The bank signs what it likes: a phase that may follow itself for ever.
fn spinning(industry: &str, steps: usize) -> (String, usize) {
    let mut package: Value = serde_json::from_str(shipped(industry)).unwrap();
    package["version"] = json!(9);
    package["phases"]["spin"] = json!({
        "bank": true,
        "after": ["open_resume", "spin"],
        "takes": [],
        "steps": vec![json!({"run": "read_balance"}); steps],
        "then": {"send": {"phase": "spin", "fields": []}},
    });
    let bound = package["bounds"]["commands"].as_u64().unwrap();
    (package.to_string(), usize::try_from(bound).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_wants_ten_thousand_commands_gets_the_packages_bound() {
    for (card, industry, _) in INDUSTRIES {
        for steps in [30, 1] {
            let mut stage = Stage::with_any(AnyProfile::named(card).unwrap(), "").await;
            let liar = stage.lied_to();
            stage.person.ready().await.unwrap();
            let balance = stage.card_balance();
            let (package, bound) = spinning(industry, steps);
            liar.serve(&[offer(&stage, industry, 9, &package)]);
            stage.person.give(Command::RenewKey).await.unwrap();
            assert_eq!(
                stage.person.look().refused_packages,
                vec![],
                "the bank signed it"
            );
            liar.tell(Box::new(|asked| encoded(asked, "spin", &[])));
            let error = failure(stage.person.resume().await);
            let sent = liar.sent_since();
            let last = sent.last().unwrap().clone();
            assert!(
                sent.iter().all(|it| *it == last),
                "{industry}: one read, again and again"
            );
            assert!(sent.len() <= bound, "{industry}: {} of {bound}", sent.len());
            assert!(sent.len() >= steps, "{industry}: it ran");
            assert!(liar.told() <= 32, "{industry}: {} rounds", liar.told());
            let expected = match steps {
                1 => Code::RelayTooLong,
                _ => Code::MessageBad,
            };
            assert_eq!(error.code, expected, "{industry}");
            heals(&stage, &liar, balance).await;
        }
    }
}

/// Whole honest transactions, for comparison: what a card of each industry is ever sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_day_of_a_card_knows_no_debit_and_no_foreign_application() {
    for (card, industry, aid) in INDUSTRIES {
        let stage = Stage::with_any(AnyProfile::named(card).unwrap(), "").await;
        stage.person.top_up(400).await.unwrap();
        stage.person.resume().await.unwrap();
        stage.person.activate().await.unwrap();
        stage.person.balance().await.unwrap();
        for sent in stage.slot.record() {
            let hex = hex::encode_upper(&sent.command);
            assert!(!hex.starts_with("8054"), "{industry}: DEBIT {hex}");
            assert!(
                !hex.starts_with("8050") || hex.starts_with("805000"),
                "{hex}"
            );
            let selects = hex.starts_with("00A404") && sent.reply.ends_with(&[0x90, 0]);
            assert!(!selects || hex.contains(aid), "{industry}: SELECT {hex}");
        }
        stage.healed().await;
    }
}
