//! Runs a transaction of the driver to its end, with a card and a bank of the fuzzer's.

use std::sync::OnceLock;

use industry::{Closing, Driver, Package, Packages, Turn, decode};
use relay::{Body, IndustryCode, Letter, Message, Operation};

use crate::input::Input;

pub(crate) const TODAY: u32 = 20_261_121;
pub(crate) const TRANSACTION: [u8; 16] = [7; 16];
const OPERATIONS: [Operation; 4] = [
    Operation::Balance,
    Operation::TopUp,
    Operation::ReTopUp,
    Operation::Activation,
];
/// No package may ask for more in one transaction.
const MOST_COMMANDS: usize = 128;

/// The text of a shipped package; any number names one.
pub(crate) fn shipped_text(choice: u8) -> &'static str {
    let (_, text) = industries::ALL[usize::from(choice) % industries::ALL.len()];
    text
}

/// The shipped packages, read once.
pub(crate) fn shipped() -> &'static Packages {
    static SHIPPED: OnceLock<Packages> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let mut packages = Packages::new();
        for (_, text) in industries::ALL {
            let package = Package::parse(text.as_bytes()).expect("the shipped packages are good");
            packages.insert(package, TODAY).expect("each is the first");
        }
        packages
    })
}

pub(crate) fn operation(byte: u8) -> Operation {
    OPERATIONS[usize::from(byte & 3)]
}

/// The app's opening.
pub(crate) fn opening(industry: IndustryCode, operation: Operation, amount: u32) -> Vec<u8> {
    let (pays, proves) = match operation {
        Operation::TopUp => (true, true),
        Operation::Activation => (false, true),
        Operation::Balance | Operation::ReTopUp => (false, false),
    };
    let body = Body {
        operation: Some(operation),
        transaction: Some(TRANSACTION),
        terminal: Some([0x00, 0x11, 0x22, 0x33, 0x44, 0x55]),
        amount: pays.then_some(amount),
        sms_proof: pays.then_some([3; 16]),
        pin_block: proves.then(|| vec![5; 20]),
        about: (operation == Operation::ReTopUp).then_some([9; 16]),
        ..Body::default()
    };
    Message {
        letter: Letter::A,
        industry,
        body,
    }
    .encode()
    .expect("a good opening")
}

/// What the other sides do.
pub(crate) trait Others {
    fn card(&mut self, command: &[u8], input: &mut Input<'_>) -> Vec<u8>;
    fn bank(&mut self, message: &Message, input: &mut Input<'_>) -> Vec<u8>;
}

/// Must end, with a closing message that the screen can show.
pub(crate) fn drive(
    packages: &Packages,
    first: Turn,
    others: &mut impl Others,
    input: &mut Input<'_>,
) -> Closing {
    let (mut turn, mut commands, mut rounds) = (first, 0, 0);
    loop {
        turn = match turn {
            Turn::Command(driver, command) => {
                commands += 1;
                assert!(commands <= MOST_COMMANDS, "commands have an end");
                assert!((4..=261).contains(&command.apdu.len()), "a short command");
                assert!(
                    !command.commits || rounds > 0,
                    "nothing is written before the bank has spoken"
                );
                assert_harmless(&command.apdu);
                let shown = format!("{command:?} {driver:?} {:?}", driver.facts());
                assert!(!shown.is_empty());
                let reply = others.card(&command.apdu, input);
                driver.reply(&reply)
            }
            Turn::Send(driver, bytes) => {
                rounds += 1;
                let message = Message::parse(&bytes).expect("the driver's message is good");
                assert_eq!(message.letter, Letter::I);
                assert_eq!(message.body.transaction, Some(TRANSACTION));
                assert_eq!(message.body.step.map(usize::from), Some(rounds));
                let first = message.body.terminal.is_some();
                assert_eq!(first, rounds == 1, "the first carries what the opening did");
                bank(driver, &others.bank(&message, input))
            }
            Turn::End(bytes) => {
                let message = Message::parse(&bytes).expect("the closing is good");
                assert_eq!(message.letter, Letter::A);
                return decode(packages, &bytes).expect("the closing can be shown");
            }
        }
    }
}

/// No package, however it passed the check, takes money off a purse or speaks to the reader.
fn assert_harmless(apdu: &[u8]) {
    let [class, ins, p1, ..] = *apdu else {
        panic!("shorter than a header")
    };
    let purse = class & 0xF0 == 0x80;
    assert!(!(purse && ins == 0x54), "DEBIT");
    assert!(
        !(purse && ins == 0x50 && p1 != 0),
        "INITIALIZE, and not for a load"
    );
    assert!(class != 0xFF || apdu == [0xFF, 0xCA, 0, 0, 0], "a reader");
}

/// A message that is refused ends the transaction; it never becomes a command.
fn bank(driver: Driver, message: &[u8]) -> Turn {
    let good = Message::parse(message)
        .is_ok_and(|it| it.letter == Letter::I && it.body.transaction == Some(TRANSACTION));
    let turn = driver.bank(message);
    assert!(
        good || matches!(turn, Turn::End(_)),
        "what is no answer to this transaction does nothing"
    );
    turn
}

/// A phase of the bank's, and the fields that it gives with it.
pub(crate) type Phase = (&'static str, &'static [(&'static str, usize)]);

/// Those of all shipped packages, and two that no bank may choose.
const PHASES: &[Phase] = &[
    ("credit", &[("credit_data", 11)]),
    ("prove", &[("after", 2), ("before", 2)]),
    ("load", &[("amount", 4)]),
    ("refund", &[("amount", 4), ("witness", 6)]),
    ("enable", &[("update", 24)]),
    ("unblock", &[("mac", 4)]),
    ("credit", &[("authority", 10), ("script", 10)]),
    (
        "credit_twice",
        &[("authority", 10), ("same", 10), ("script", 10)],
    ),
    ("set_limit", &[("authority", 10), ("script", 10)]),
    ("refund", &[("amount", 4), ("witness", 4)]),
    ("open_topup", &[("init", 16)]),
    ("none", &[]),
];

/// A card and a bank that say whatever the fuzzer likes, mostly in a form that is looked into.
pub(crate) struct Strangers;

impl Others for Strangers {
    fn card(&mut self, command: &[u8], input: &mut Input<'_>) -> Vec<u8> {
        let expected = command.last().copied().map_or(0, usize::from);
        let choice = input.byte();
        let mut reply = match choice & 3 {
            0 => input.padded(expected),
            1 => input.short().to_vec(),
            2 => return input.short().to_vec(),
            _ if choice & 4 != 0 => nested(input),
            _ => Vec::new(),
        };
        let status = match input.byte() {
            0..=0xBF => [0x90, 0x00],
            choice @ 0xC0..=0xF0 => STATUS[usize::from(choice - 0xC0) % STATUS.len()],
            0xF1.. => input.array(),
        };
        reply.extend(status);
        reply
    }

    fn bank(&mut self, message: &Message, input: &mut Input<'_>) -> Vec<u8> {
        if input.byte() == 0xFF {
            return input.short().to_vec();
        }
        let mut body = Body {
            operation: message.body.operation,
            transaction: message.body.transaction,
            step: message.body.step,
            ..Body::default()
        };
        let (phase, own) = PHASES[usize::from(input.byte()) % PHASES.len()];
        body.phase = Some(phase.to_owned());
        // bit 0: one of its fields is missing; bit 1: one of another phase; bit 2: one of another length
        let lie = input.byte();
        for (name, length) in own.iter().skip(usize::from(lie & 1)) {
            body.put(name, input.padded(length + usize::from(lie >> 2 & 1)));
        }
        if lie & 2 != 0 {
            let (_, others) = PHASES[usize::from(input.byte()) % PHASES.len()];
            for (name, length) in others {
                if body.field(name).is_none() {
                    body.put(name, input.padded(*length));
                }
            }
        }
        let message = Message {
            letter: Letter::I,
            industry: message.industry,
            body,
        };
        message.encode().expect("a good answer")
    }
}

/// Objects in a template, as a card of the EMV kind answers: template (6F, 70, 77, 80), then tag, length and value.
fn nested(input: &mut Input<'_>) -> Vec<u8> {
    const TAGS: [&[u8]; 16] = [
        &[0x82],
        &[0x94],
        &[0xA5],
        &[0x9F, 0x38],
        &[0x5A],
        &[0x5F, 0x34],
        &[0x5F, 0x24],
        &[0x8C],
        &[0x8D],
        &[0x9F, 0x36],
        &[0x9F, 0x26],
        &[0x9F, 0x10],
        &[0x9F, 0x79],
        &[0x9F, 0x77],
        &[0x84],
        &[0x9F, 0x0C],
    ];
    let mut inside = Vec::new();
    let choice = input.byte();
    for _ in 0..usize::from(choice >> 4) {
        let tag = TAGS[usize::from(input.byte()) % TAGS.len()];
        let value = input.short();
        inside.extend(
            [
                tag,
                &[u8::try_from(value.len()).expect("it is short")],
                value,
            ]
            .concat(),
        );
    }
    let whole = u8::try_from(inside.len()).unwrap_or(u8::MAX);
    match choice & 7 {
        0 => inside,
        1 => [&[0x6F, whole.wrapping_add(2), 0xA5, whole], &inside[..]].concat(),
        2 => [&[0x6F, whole], &inside[..]].concat(),
        3 => [&[0x77, whole], &inside[..]].concat(),
        4 => [&[0x80, whole], &inside[..]].concat(),
        5 => [&[0x77, 0x81, whole], &inside[..]].concat(),
        _ => [&[0x70, whole], &inside[..]].concat(),
    }
}

const STATUS: [[u8; 2]; 12] = [
    [0x6A, 0x81],
    [0x62, 0x83],
    [0x69, 0x85],
    [0x6A, 0x83],
    [0x67, 0x00],
    [0x6A, 0x86],
    [0x94, 0x03],
    [0x65, 0x81],
    [0x94, 0x02],
    [0x93, 0x02],
    [0x94, 0x06],
    [0x6A, 0x82],
];
