//! The driver with the shipped packages, against a card and a bank of the fuzzer's.

use industry::{Driver, Turn};
use relay::{Message, Operation};
use virtual_card::{AnyProfile, SmartCard};

use crate::driving::{Others, Strangers, TODAY, TRANSACTION, drive, opening, operation, shipped};
use crate::input::Input;

/// What is known of a shipped package without reading it.
struct Known {
    industry: &'static str,
    /// A card that works, and one that wants to be activated.
    cards: [&'static str; 2],
    /// `bounds.commands`.
    most_commands: usize,
    /// Every command that it can give: class and instruction.
    heads: &'static [[u8; 2]],
    /// Those that change a card, each with the phases of the bank's that allow it.
    writes: &'static [([u8; 2], &'static [&'static str])],
}

const PURSE: [[u8; 2]; 10] = [
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

const KNOWN: [Known; 4] = [
    Known {
        industry: "0001",
        cards: ["demo", "demo-inactive"],
        most_commands: 64,
        heads: &PURSE,
        writes: &[([0x80, 0x52], &["credit"]), ([0x04, 0xD6], &["enable"])],
    },
    Known {
        industry: "0003",
        cards: ["cash", "cash-inactive"],
        most_commands: 96,
        heads: &[
            [0x00, 0xA4],
            [0x80, 0xA8],
            [0x00, 0xB2],
            [0x80, 0xCA],
            [0x80, 0xAE],
            [0x00, 0x82],
            [0x04, 0xDA],
        ],
        writes: &[([0x04, 0xDA], &["credit", "credit_twice", "set_limit"])],
    },
    Known {
        industry: "0002",
        cards: ["campus", "campus-blocked"],
        most_commands: 64,
        heads: &[
            [0x00, 0xA4],
            [0x00, 0xB0],
            [0x00, 0x20],
            [0x80, 0x5C],
            [0xFF, 0xCA],
            [0x00, 0xB2],
            [0x80, 0x50],
            [0x80, 0x52],
            [0x80, 0x5A],
            [0x00, 0x84],
            [0x84, 0x18],
        ],
        writes: &[([0x80, 0x52], &["credit"]), ([0x84, 0x18], &["unblock"])],
    },
    Known {
        industry: "TUNI",
        cards: ["t-union", "t-union"],
        most_commands: 32,
        heads: &[[0x00, 0xA4], [0x00, 0xB0], [0x80, 0x5C], [0x00, 0xB2]],
        writes: &[],
    },
];

/// First byte: the operation (bits 0, 1), a card that begins honestly (bit 2), an opening of the fuzzer's (bit 3),
/// the package (bits 4, 5).
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mode = input.byte();
    let operation = operation(mode);
    let known = &KNOWN[usize::from(mode >> 4 & 3)];
    let amount = u32::from(u16::from_be_bytes(input.array())) << (mode >> 6);
    let industry = known.industry.parse().expect("four characters");
    let good = opening(industry, operation, amount);
    let bytes = if mode & 8 == 0 {
        good.clone()
    } else {
        let edits = input.short();
        Input::new(edits).edited(&good)
    };
    let turn = Driver::open(shipped(), &bytes, TODAY);
    let parsed = Message::parse(&bytes);
    let same = |it: &Message| it.body.transaction == Some(TRANSACTION) && it.industry == industry;
    if !parsed.as_ref().is_ok_and(same) {
        assert!(matches!(turn, Turn::End(_)) || bytes != good);
        return;
    }
    let name = known.cards[usize::from(operation == Operation::Activation)];
    let mut card = AnyProfile::named(name).expect("it is known").into_card();
    card.power_on();
    let mut others = Mixed {
        known,
        card: (mode & 4 != 0).then_some(card),
        commands: 0,
        last: None,
    };
    let closing = drive(shipped(), turn, &mut others, &mut input);
    assert!(!closing.outcome.is_empty());
}

struct Mixed {
    known: &'static Known,
    /// Answers until the fuzzer wants otherwise.
    card: Option<Box<dyn SmartCard>>,
    commands: usize,
    /// The last phase that the bank chose.
    last: Option<String>,
}

impl Others for Mixed {
    fn card(&mut self, command: &[u8], input: &mut Input<'_>) -> Vec<u8> {
        self.commands += 1;
        assert!(self.commands <= self.known.most_commands);
        let head = [command[0], command[1]];
        let heads = self.known.heads;
        assert!(heads.contains(&head), "no other command: {head:02X?}");
        let phase = self.last.as_deref().unwrap_or("none");
        for (write, phases) in self.known.writes {
            assert!(head != *write || phases.contains(&phase), "{head:02X?}");
        }
        if input.byte() & 0x80 != 0 {
            self.card = None;
        }
        match &mut self.card {
            Some(card) => card.transmit(command),
            None => Strangers.card(command, input),
        }
    }

    fn bank(&mut self, message: &Message, input: &mut Input<'_>) -> Vec<u8> {
        let answer = Strangers.bank(message, input);
        let phase = Message::parse(&answer).ok().and_then(|it| it.body.phase);
        self.last = phase;
        answer
    }
}
