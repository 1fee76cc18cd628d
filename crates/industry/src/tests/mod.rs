//! The interpreter with the shipped transit purse, driven by scripted cards and banks.

mod ahead;
mod cash;
mod codes;
mod flows;
mod hostile;
mod hostile_cash;
mod lists;
mod money;
mod other_cards;
mod packages;
mod refusals;
mod rules;
mod schema;
mod shipped;
mod values;

use relay::{Body, Letter, Message, Operation};

use crate::{Driver, Package, Packages, Turn};

pub(crate) const TRANSIT: &str = include_str!("../../../../industries/0001.json");
pub(crate) const TODAY: u32 = 20_261_123;
pub(crate) const FILE15: &str =
    "1000000000000001 01 01 00006217000000004471 20240101 20341231 0000";
pub(crate) const SELECT: &str = "00A4040009A0000000038698070100";
pub(crate) const FCI: &str = "6F0B8409A00000000386980701 9000";
pub(crate) const INIT_REPLY: &str = "00003232 0005 01 00 C903814D 03976C22";

pub(crate) fn packages() -> Packages {
    packages_of(TRANSIT)
}

/// One package alone.
pub(crate) fn packages_of(text: &str) -> Packages {
    let mut packages = Packages::new();
    packages
        .insert(Package::parse(text.as_bytes()).unwrap(), TODAY)
        .unwrap();
    packages
}

/// A shipped package's text.
pub(crate) fn shipped_text(code: &str) -> &'static str {
    let found = industries::ALL
        .iter()
        .find(|(file, _)| file.starts_with(code));
    found.unwrap().1
}

/// Why a text with one place changed is refused: its code and its words.
pub(crate) fn refused(text: &str, from: &str, to: &str) -> (&'static str, String) {
    assert!(text.contains(from), "the package has `{from}`");
    match Package::parse(text.replacen(from, to, 1).as_bytes()) {
        Ok(_) => panic!("accepted: `{to}`"),
        Err(error) => (error.code(), error.to_string()),
    }
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

pub(crate) fn opening(operation: Operation) -> Message {
    let mut body = Body {
        operation: Some(operation),
        transaction: Some([0xAB; 16]),
        terminal: Some([0, 0, 0, 0, 0, 0x17]),
        ..Body::default()
    };
    if matches!(operation, Operation::TopUp | Operation::Activation) {
        body.pin_block = Some(vec![0x50; 20]);
    }
    if operation == Operation::TopUp {
        body.amount = Some(5_000);
        body.sms_proof = Some([0x60; 16]);
    }
    Message {
        letter: Letter::A,
        industry: "0001".parse().unwrap(),
        body,
    }
}

pub(crate) fn open(operation: Operation) -> Turn {
    Driver::open(&packages(), &opening(operation).encode().unwrap(), TODAY)
}

/// The bank's `I` to the driver's step `step`.
pub(crate) fn answer(
    operation: Operation,
    step: u8,
    phase: &str,
    fields: &[(&str, &str)],
) -> Message {
    let mut body = Body {
        operation: Some(operation),
        transaction: Some([0xAB; 16]),
        step: Some(step),
        phase: Some(phase.to_owned()),
        ..Body::default()
    };
    for (name, value) in fields {
        body.put(name, hex(value));
    }
    Message {
        letter: Letter::I,
        industry: "0001".parse().unwrap(),
        body,
    }
}

/// Answers each expected command with its reply. What was said to come after it comes.
pub(crate) fn play(mut turn: Turn, script: &[(&str, &str)]) -> Turn {
    for (command, reply) in script {
        let Turn::Command(driver, asked) = turn else {
            panic!("expected {command}, got {turn:?}");
        };
        assert_eq!(asked.apdu, hex(command), "{}", asked.name);
        let ahead = driver.ahead();
        turn = driver.reply(&hex(reply));
        if let (Turn::Command(_, next), Some(said)) = (&turn, ahead.first())
            && reply.ends_with("9000")
        {
            assert_eq!(next, said, "after {}", asked.name);
        }
    }
    turn
}

pub(crate) fn sent(turn: Turn) -> (Driver, Message) {
    let Turn::Send(driver, message) = turn else {
        panic!("expected a message, got {turn:?}")
    };
    (driver, Message::parse(&message).unwrap())
}

pub(crate) fn ended(turn: Turn) -> Message {
    let Turn::End(message) = turn else {
        panic!("expected the end, got {turn:?}")
    };
    let message = Message::parse(&message).unwrap();
    assert_eq!(message.letter, Letter::A);
    message
}

pub(crate) fn outcome(turn: Turn) -> String {
    ended(turn).body.outcome.unwrap()
}

/// The card's replies up to INITIALIZE FOR LOAD, which is still to be answered.
pub(crate) fn topup_until_initialize() -> Turn {
    let file15 = format!("{FILE15}9000");
    play(
        open(Operation::TopUp),
        &[
            (SELECT, FCI),
            ("00B095001E", &file15),
            ("805C000204", "800032329000"),
            ("FFCA000000", "048A21F39000"),
        ],
    )
}
