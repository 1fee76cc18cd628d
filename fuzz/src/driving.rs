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

pub(crate) fn shipped_text() -> &'static [u8] {
    include_bytes!("../../industries/0001.json")
}

/// The shipped package, read once.
pub(crate) fn shipped() -> &'static Packages {
    static SHIPPED: OnceLock<Packages> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let package = Package::parse(shipped_text()).expect("the shipped package is good");
        let mut packages = Packages::new();
        packages.insert(package, TODAY).expect("it is the first");
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

/// A card and a bank that say whatever the fuzzer likes, mostly in a form that is looked into.
pub(crate) struct Strangers<'p> {
    pub(crate) phases: &'p [&'p str],
    pub(crate) fields: &'p [(&'p str, usize)],
}

impl Others for Strangers<'_> {
    fn card(&mut self, command: &[u8], input: &mut Input<'_>) -> Vec<u8> {
        let expected = command.last().copied().map_or(0, usize::from);
        let mut reply = match input.byte() & 3 {
            0 => input.padded(expected),
            1 => input.short().to_vec(),
            2 => return input.short().to_vec(),
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
        let phase = usize::from(input.byte()) % self.phases.len();
        body.phase = Some(self.phases[phase].to_owned());
        let chosen = input.byte();
        for (place, (name, length)) in self.fields.iter().enumerate() {
            if chosen >> (place % 8) & 1 == 1 {
                body.put(name, input.padded(*length));
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
