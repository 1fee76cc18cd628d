//! What it costs that a package is data: whole transactions through the interpreter, and the very same commands sent
//! to an equal card by hand. Card and bank are in the process; what the bank reckons is not counted.

use std::time::{Duration, Instant};

use industry::{Driver, Package, Packages, Turn};
use relay::{Body, Letter, Message, Operation};
use virtual_card::{AnyProfile, Card, CardProfile, CashProfile, SmartCard};

use crate::figures::{Limit, Report, Row, Spread};
use crate::{Effort, Failure, Plan, issuer};

const TODAY: u32 = 20_261_123;
const TERMINAL: [u8; 6] = [0, 0x11, 0x22, 0x33, 0x44, 0x55];

/// The figure: interpreting costs less per command.
const LIMIT_US: f64 = 50.0;

#[derive(Clone)]
enum Profile {
    Purse(CardProfile),
    Cash(CashProfile),
}

struct Case {
    name: &'static str,
    industry: &'static str,
    card: &'static str,
    operation: Operation,
}

const CASES: [Case; 3] = [
    Case {
        name: "0001 balance",
        industry: "0001",
        card: "demo",
        operation: Operation::Balance,
    },
    Case {
        name: "0001 load",
        industry: "0001",
        card: "demo",
        operation: Operation::TopUp,
    },
    Case {
        name: "0003 load",
        industry: "0003",
        card: "cash",
        operation: Operation::TopUp,
    },
];

/// What one repetition took.
struct Times {
    /// In the interpreter alone.
    interpreting: Duration,
    /// Interpreter and card.
    driven: Duration,
    /// The same commands by hand.
    raw: Duration,
}

pub(crate) fn measure(plan: Plan) -> Result<Report, Failure> {
    let (warm_up, repetitions) = match plan.effort {
        Effort::Whole => (500, 10_000),
        Effort::Quick => (20, 300),
    };
    let mut packages = Packages::new();
    for (_, text) in industries::ALL {
        packages.insert(Package::parse(text.as_bytes())?, TODAY)?;
    }
    let mut rows = Vec::new();
    for case in CASES {
        let profile = profile(case.card)?;
        let opening = opening(&case)?;
        let mut all = Vec::with_capacity(repetitions);
        let mut count = 0;
        for number in 0..warm_up + repetitions {
            let (times, commands) = repetition(&packages, &opening, &profile)?;
            count = commands;
            if number >= warm_up {
                all.push(times);
            }
        }
        let column = |pick: fn(&Times) -> Duration| {
            let times: Vec<_> = all.iter().map(pick).collect();
            Spread::of(&times, count)
        };
        rows.push(Row {
            name: case.name.to_owned(),
            count,
            spreads: vec![
                column(|it| it.interpreting),
                column(|it| it.driven),
                column(|it| it.raw),
            ],
        });
    }
    Ok(Report {
        title: "interpreter, per command",
        counted: "commands",
        columns: vec!["interpreting", "with card", "card alone"],
        limits: vec![Limit::medians(&rows, (0, "interpreting"), LIMIT_US)],
        rows,
        repetitions,
        ..Report::default()
    })
}

fn profile(name: &str) -> Result<Profile, Failure> {
    match AnyProfile::named(name) {
        Some(AnyProfile::Purse(purse)) => Ok(Profile::Purse(purse)),
        Some(AnyProfile::ElectronicCash(cash)) => Ok(Profile::Cash(cash)),
        Some(AnyProfile::Recorded(_)) | None => Err(format!("no card `{name}`").into()),
    }
}

impl Profile {
    /// A card with power. Every one draws the same numbers, so that the same commands get the same replies.
    fn card(&self) -> Box<dyn SmartCard> {
        let mut card: Box<dyn SmartCard> = match self {
            Self::Purse(purse) => Card::new(purse.clone())
                .with_random(|bytes| bytes.fill(0x5A))
                .into(),
            Self::Cash(cash) => AnyProfile::ElectronicCash(cash.clone()).into_card(),
        };
        card.power_on();
        card
    }

    fn bank(&self, asked: &Message) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Purse(purse) => issuer::credit(asked, purse, TERMINAL),
            Self::Cash(cash) => issuer::script(asked, cash),
        }
    }
}

fn opening(case: &Case) -> Result<Vec<u8>, Failure> {
    let pays = case.operation == Operation::TopUp;
    let body = Body {
        operation: Some(case.operation),
        transaction: Some([7; 16]),
        terminal: Some(TERMINAL),
        amount: pays.then_some(5_000),
        sms_proof: pays.then_some([3; 16]),
        pin_block: pays.then(|| vec![5; 20]),
        ..Body::default()
    };
    let message = Message {
        letter: Letter::A,
        industry: case.industry.parse()?,
        body,
    };
    Ok(message.encode()?)
}

/// One transaction through the interpreter, then its commands by hand; and how many there were.
fn repetition(
    packages: &Packages,
    opening: &[u8],
    profile: &Profile,
) -> Result<(Times, usize), Failure> {
    let mut card = profile.card();
    let mut exchanged: Vec<(Vec<u8>, Vec<u8>)> = Vec::with_capacity(64);
    let (mut interpreting, mut talking) = (Duration::ZERO, Duration::ZERO);
    let began = Instant::now();
    let mut turn = Driver::open(packages, opening, TODAY);
    interpreting += began.elapsed();
    loop {
        turn = match turn {
            Turn::Command(driver, command) => {
                let began = Instant::now();
                let reply = card.transmit(&command.apdu);
                talking += began.elapsed();
                let began = Instant::now();
                let turn = driver.reply(&reply);
                interpreting += began.elapsed();
                exchanged.push((command.apdu, reply));
                turn
            }
            Turn::Send(driver, message) => {
                let asked = Message::parse(&message)?;
                if asked.body.phase.as_deref() == Some("credit") {
                    credited(&asked)?;
                    break;
                }
                let answer = profile.bank(&asked)?;
                let began = Instant::now();
                let turn = driver.bank(&answer);
                interpreting += began.elapsed();
                turn
            }
            Turn::End(message) => {
                let closing = industry::decode(packages, &message)?;
                match closing.outcome.as_str() {
                    "ok" => break,
                    other => return Err(format!("the transaction ended with `{other}`").into()),
                }
            }
        };
    }
    let raw = by_hand(profile, &exchanged)?;
    let driven = interpreting + talking;
    let times = Times {
        interpreting,
        driven,
        raw,
    };
    Ok((times, exchanged.len()))
}

fn by_hand(profile: &Profile, exchanged: &[(Vec<u8>, Vec<u8>)]) -> Result<Duration, Failure> {
    let mut card = profile.card();
    let mut time = Duration::ZERO;
    for (command, reply) in exchanged {
        let began = Instant::now();
        let got = card.transmit(command);
        time += began.elapsed();
        if got != *reply {
            return Err(format!(
                "an equal card said something else to {}",
                hex::encode(command)
            )
            .into());
        }
    }
    Ok(time)
}

/// A load that the card refused would be another way through the package.
fn credited(asked: &Message) -> Result<(), Failure> {
    match asked.body.field("status") {
        Some([0x90, 0x00]) => Ok(()),
        other => Err(format!("the card did not take the load: {other:02X?}").into()),
    }
}
