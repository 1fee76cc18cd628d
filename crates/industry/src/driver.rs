mod bank;
mod card;

use std::fmt;
use std::sync::Arc;

use relay::{Body, Letter, Message, Operation};

use crate::command::Command;
use crate::facts::Facts;
use crate::format::UiStep;
use crate::locator::Place;
use crate::opening::{encode, is_opening, unread};
use crate::package::{Package, Packages};
use crate::phase;
use crate::value::{self, AMOUNT, AMOUNT_BCD, NONCE, TERMINAL, TODAY, Values};

/// What the driver wants next. It is handed over with the driver, which waits for the answer.
#[derive(Debug)]
pub enum Turn {
    /// Send this to the card; the reply goes to [`Driver::reply`].
    Command(Driver, CardCommand),
    /// Send this `I` to the bank; the bank's `I` goes to [`Driver::bank`].
    Send(Driver, Vec<u8>),
    /// Over: the closing `A`.
    End(Vec<u8>),
}

/// A command for the card.
#[derive(Clone, Eq, PartialEq)]
pub struct CardCommand {
    /// A short command, 4 to 261 bytes.
    pub apdu: Vec<u8>,
    /// What the screen shows meanwhile.
    pub step: UiStep,
    /// It may change money or rights on the card: note it in the journal first.
    pub commits: bool,
    /// A harmless read that may be repeated to measure the contact.
    pub probe: bool,
    /// The command's name in the package.
    pub name: String,
}

impl CardCommand {
    pub(crate) fn new(name: &str, command: &Command, apdu: Vec<u8>) -> Self {
        Self {
            apdu,
            step: command.show,
            commits: command.commits,
            probe: command.probe,
            name: name.to_owned(),
        }
    }
}

/// Shows the first 5 and the last 2 bytes, never the data.
impl fmt::Debug for CardCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.apdu.get(..5).unwrap_or(&self.apdu);
        let tail = self.apdu.get(5..).and_then(|rest| rest.last_chunk::<2>());
        let tail = tail.map(hex::encode_upper).unwrap_or_default();
        let (head, length) = (hex::encode_upper(head), self.apdu.len());
        write!(f, "{} {head}..{tail} ({length} bytes)", self.name)
    }
}

/// One transaction of a card with its package. Does nothing by itself, knows no clock.
pub struct Driver(Box<Run>);

struct Run {
    package: Arc<Package>,
    operation: Operation,
    transaction: [u8; 16],
    /// What the first `I` copies; empty afterwards.
    opening: Body,
    values: Values,
    today: u32,
    waiting: Waiting,
    /// Of the last `I`.
    step: u8,
    phase: String,
    position: usize,
    alternative: usize,
    index: u8,
    /// Of a command that follows the card's locator: the records still to be read, the present one first.
    places: Vec<Place>,
    commands: u32,
    bytes: u32,
    written: Option<bool>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Waiting {
    Card,
    Bank,
}

impl Driver {
    /// Starts with the app's opening `A`. `today` is YYYYMMDD by the terminal's clock.
    ///
    /// Whatever is wrong ends the transaction with its outcome.
    pub fn open(packages: &Packages, opening: &[u8], today: u32) -> Turn {
        let Ok(Message {
            letter,
            industry,
            body,
        }) = Message::parse(opening)
        else {
            return Turn::End(unread(opening));
        };
        let (Some(operation), Some(transaction)) = (body.operation, body.transaction) else {
            return Turn::End(unread(opening));
        };
        let end = |outcome| {
            Turn::End(encode(Message::closing(
                industry,
                operation,
                transaction,
                outcome,
            )))
        };
        if letter != Letter::A || !is_opening(operation, &body) {
            return end("message-bad");
        }
        let Some(package) = packages.shared(industry) else {
            return end("industry-unknown");
        };
        let phase = phase::opening(operation).to_owned();
        if !package.document.phases.0.contains_key(&phase) {
            return end("phase-unknown");
        }
        let mut values = Values::new();
        values.extend(body.terminal.map(|it| (TERMINAL.to_owned(), it.to_vec())));
        values.insert(TODAY.to_owned(), value::short_date(today));
        values.insert(
            NONCE.to_owned(),
            transaction.iter().take(4).copied().collect(),
        );
        if let Some(amount) = body.amount {
            put_amount(&mut values, amount);
        }
        let run = Run {
            package,
            operation,
            transaction,
            opening: body,
            values,
            today,
            waiting: Waiting::Card,
            step: 0,
            phase,
            position: 0,
            alternative: 0,
            index: 1,
            places: Vec::new(),
            commands: 0,
            bytes: 0,
            written: None,
        };
        Box::new(run).advance()
    }

    /// Takes the card's reply to the last command: data and status word, 2 to 258 bytes.
    pub fn reply(self, reply: &[u8]) -> Turn {
        self.0.reply(reply)
    }

    /// Takes the bank's `I` to the last message sent.
    pub fn bank(self, message: &[u8]) -> Turn {
        self.0.bank(message)
    }

    /// Commands that change nothing on the card and come after the present one while each is answered with 9000. Who
    /// pays for each way to the card may send them along; replies that [`Driver::reply`] is never asked to take are
    /// thrown away. None after a command that commits: its reply is kept before anything else is sent.
    pub fn ahead(&self) -> Vec<CardCommand> {
        self.0.ahead()
    }

    /// What is known of the card so far.
    pub fn facts(&self) -> Facts {
        Facts::of(&self.0.package.document, |name| {
            self.0.values.get(name).map(Vec::as_slice)
        })
    }

    /// Fen: what the transaction is about, from its opening or from the bank.
    pub fn amount(&self) -> Option<u32> {
        value::big_endian(self.0.values.get(AMOUNT)?)
    }

    /// Whether the last command that commits did so by the card's word; none when there was none
    /// or its reply was not understood.
    pub fn written(&self) -> Option<bool> {
        self.0.written
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Run {
            operation,
            phase,
            position,
            ..
        } = &*self.0;
        write!(f, "Driver({operation:?}, phase {phase}, step {position})")
    }
}

fn put_amount(values: &mut Values, amount: u32) {
    values.insert(AMOUNT.to_owned(), amount.to_be_bytes().to_vec());
    values.insert(AMOUNT_BCD.to_owned(), value::amount_bcd(amount));
}
