//! The driver with the shipped package, against a card and a bank of the fuzzer's.

use industry::{Driver, Turn};
use relay::{Message, Operation};
use virtual_card::{Card, CardProfile};

use crate::driving::{Others, Strangers, TODAY, TRANSACTION, drive, opening, operation, shipped};
use crate::input::Input;

const PHASES: &[&str] = &["credit", "prove", "load", "enable", "open_balance", "none"];
const FIELDS: &[(&str, usize)] = &[
    ("credit_data", 11),
    ("after", 2),
    ("before", 2),
    ("amount", 4),
    ("update", 24),
    ("init", 16),
];
/// `bounds.commands` of the shipped package.
const MOST_COMMANDS: usize = 64;
/// Every command that the shipped package can give, without its data.
const KNOWN: &[[u8; 2]] = &[
    [0x00, 0xA4],
    [0x00, 0xB0],
    [0x80, 0x5C],
    [0xFF, 0xCA],
    [0x00, 0xB2],
    [0x80, 0x50],
    [0x80, 0x52],
    [0x80, 0x5A],
    [0x00, 0x84],
    [0x04, 0xD6],
];

/// First byte: the operation (bits 0, 1), a card that begins honestly (bit 2), an opening of the fuzzer's (bit 3).
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mode = input.byte();
    let operation = operation(mode);
    let amount = u32::from(u16::from_be_bytes(input.array())) << (mode >> 6);
    let industry = "0001".parse().expect("four digits");
    let good = opening(industry, operation, amount);
    let bytes = if mode & 8 == 0 {
        good.clone()
    } else {
        let edits = input.short();
        Input::new(edits).edited(&good)
    };
    let turn = Driver::open(shipped(), &bytes, TODAY);
    let parsed = Message::parse(&bytes);
    if !parsed.is_ok_and(|it| it.body.transaction == Some(TRANSACTION)) {
        assert!(matches!(turn, Turn::End(_)) || bytes != good);
        return;
    }
    let mut card = Card::new(match operation {
        Operation::Activation => CardProfile::demo_inactive(),
        Operation::Balance | Operation::TopUp | Operation::ReTopUp => CardProfile::demo(),
    })
    .with_random(|bytes| bytes.fill(0x11));
    card.power_on();
    let mut others = Mixed {
        card: (mode & 4 != 0).then_some(card),
        strangers: Strangers {
            phases: PHASES,
            fields: FIELDS,
        },
        commands: 0,
        last: None,
    };
    let closing = drive(shipped(), turn, &mut others, &mut input);
    assert!(!closing.outcome.is_empty());
}

struct Mixed {
    /// Answers until the fuzzer wants otherwise.
    card: Option<Card>,
    strangers: Strangers<'static>,
    commands: usize,
    /// The last phase that the bank chose.
    last: Option<String>,
}

impl Others for Mixed {
    fn card(&mut self, command: &[u8], input: &mut Input<'_>) -> Vec<u8> {
        self.commands += 1;
        assert!(self.commands <= MOST_COMMANDS);
        let head = [command[0], command[1]];
        assert!(KNOWN.contains(&head), "no other command: {head:02X?}");
        let phase = self.last.as_deref();
        assert!(head != [0x80, 0x52] || phase == Some("credit"));
        assert!(head != [0x04, 0xD6] || phase == Some("enable"));
        if input.byte() & 0x80 != 0 {
            self.card = None;
        }
        match &mut self.card {
            Some(card) => card.transmit(command),
            None => self.strangers.card(command, input),
        }
    }

    fn bank(&mut self, message: &Message, input: &mut Input<'_>) -> Vec<u8> {
        let answer = self.strangers.bank(message, input);
        let phase = Message::parse(&answer).ok().and_then(|it| it.body.phase);
        self.last = phase;
        answer
    }
}
