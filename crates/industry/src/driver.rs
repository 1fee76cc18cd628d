use std::fmt;
use std::sync::Arc;

use relay::{Body, Letter, Message, Operation};

use crate::ahead::Ahead;
use crate::command::{self, Command, LONGEST_REPLY};
use crate::condition::{self, Verdict};
use crate::facts::Facts;
use crate::format::{Action, Phase, Step, Then, UiStep};
use crate::locator::{self, Place};
use crate::opening::{encode, is_opening, unread};
use crate::package::{Package, Packages};
use crate::phase;
use crate::template::{Round, Unfilled};
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

impl Run {
    fn phase<'p>(&self, package: &'p Package) -> Option<&'p Phase> {
        package.document.phases.0.get(&self.phase)
    }

    /// Goes on from the present step until the card or the bank is asked, or it is over.
    fn advance(mut self: Box<Self>) -> Turn {
        let package = Arc::clone(&self.package);
        let steps = self
            .phase(&package)
            .map(|phase| phase.steps.as_slice())
            .unwrap_or_default();
        while let Some(step) = steps.get(self.position) {
            match step {
                Step::Run(_) | Step::Try(_) => return self.ask_card(),
                Step::Refuse(refuse) => {
                    let document = &package.document;
                    match condition::decide(&refuse.when, document, &self.values, self.today) {
                        Verdict::Holds { limit } => return self.refuse(&refuse.outcome, limit),
                        Verdict::Fails => self.next_step(),
                    }
                }
                Step::Require(require) => {
                    if !require.fields.iter().all(|it| self.values.contains_key(it)) {
                        return self.end(&require.outcome);
                    }
                    self.next_step();
                }
            }
        }
        self.finish()
    }

    fn next_step(&mut self) {
        self.position = self.position.saturating_add(1);
        self.alternative = 0;
        self.index = 1;
    }

    /// The command at the present place, with its name.
    fn current<'p>(&self, package: &'p Package) -> Option<(&'p str, &'p Command)> {
        let name = match self.phase(package)?.steps.get(self.position)? {
            Step::Run(name) => (self.alternative == 0).then_some(name)?,
            Step::Try(names) => names.get(self.alternative)?,
            Step::Refuse(_) | Step::Require(_) => return None,
        };
        Some((name, package.commands.get(name)?))
    }

    fn ask_card(mut self: Box<Self>) -> Turn {
        let package = Arc::clone(&self.package);
        let Some((name, command)) = self.current(&package) else {
            return self.end("package-bad");
        };
        if self.index == 1 {
            // what an earlier command took must not pass for this one's
            self.values.retain(|field, _| !command.take.contains(field));
            match self.places_of(command) {
                Some(places) => self.places = places,
                None => return self.end("card-reply-bad"),
            }
            if command.follow.is_some() && self.places.is_empty() {
                self.next_step();
                return self.advance();
            }
        }
        self.commands = self.commands.saturating_add(1);
        if self.commands > package.document.bounds.commands {
            return self.end("message-bad");
        }
        let (record, file) = self.places.first().copied().unwrap_or_default();
        let round = Round {
            index: self.index,
            record,
            file,
        };
        let apdu = match command
            .template
            .fill(&package.document, &self.values, round)
        {
            Ok(apdu) => apdu,
            Err(Unfilled::Missing) => return self.end("package-bad"),
            Err(Unfilled::List) => return self.end("card-reply-bad"),
        };
        if let Some(field) = &command.sent_as {
            self.values.insert(field.clone(), data_of(&apdu));
        }
        self.waiting = Waiting::Card;
        let command = CardCommand::new(name, command, apdu);
        Turn::Command(Driver(self), command)
    }

    fn ahead(&self) -> Vec<CardCommand> {
        let package = &*self.package;
        let present = self
            .current(package)
            .filter(|(_, command)| self.waiting == Waiting::Card && !command.commits);
        let (Some(phase), Some(present)) = (self.phase(package), present) else {
            return Vec::new();
        };
        let left = package
            .document
            .bounds
            .commands
            .saturating_sub(self.commands);
        let ahead = Ahead {
            package,
            steps: &phase.steps,
            position: self.position,
            index: self.index,
            places: &self.places,
            values: self.values.clone(),
            most: usize::try_from(left).unwrap_or(usize::MAX),
        };
        ahead.commands(present)
    }

    fn reply(mut self: Box<Self>, reply: &[u8]) -> Turn {
        let package = Arc::clone(&self.package);
        if self.waiting != Waiting::Card {
            return self.end("message-bad");
        }
        let Some((name, command)) = self.current(&package) else {
            return self.end("package-bad");
        };
        self.written = self.written.filter(|_| !command.commits);
        self.bytes = self
            .bytes
            .saturating_add(u32::try_from(reply.len()).unwrap_or(u32::MAX));
        let Some((data, status)) = reply.split_last_chunk::<2>() else {
            return self.end("card-reply-bad");
        };
        if data.len() > LONGEST_REPLY || self.bytes > package.document.bounds.bytes {
            return self.end("card-reply-bad");
        }
        if let Some(field) = &command.status_as {
            self.values.insert(field.clone(), status.to_vec());
        }
        let Some(action) = command.action(u16::from_be_bytes(*status)) else {
            return self.unknown_status(*status, name);
        };
        self.follow(action, command, name, data, *status)
    }

    fn follow(
        mut self: Box<Self>,
        action: &Action,
        command: &Command,
        name: &str,
        data: &[u8],
        status: [u8; 2],
    ) -> Turn {
        match action {
            Action::Take => {
                let taken = command.take_fields(
                    &Arc::clone(&self.package).document,
                    &mut self.values,
                    data,
                );
                if taken.is_err() && !command.optional {
                    return self.end("card-reply-bad");
                }
                if command.commits {
                    self.written = Some(true);
                }
                if taken.is_ok() && self.has_more(command) {
                    self.index = self.index.saturating_add(1);
                } else {
                    self.next_step();
                }
            }
            Action::Skip | Action::Done => {
                if command.commits {
                    self.written = Some(false);
                }
                self.next_step();
            }
            Action::Else => {
                self.alternative = self.alternative.saturating_add(1);
                self.index = 1;
                if self.current(&Arc::clone(&self.package)).is_none() {
                    return self.unknown_status(status, name);
                }
            }
            Action::Report => {
                if command.commits {
                    self.written = Some(false);
                }
                return self.finish();
            }
            Action::Outcome(outcome) => return self.end(outcome),
        }
        self.advance()
    }

    /// The records that the card's locator names; none when it is no locator.
    fn places_of(&self, command: &Command) -> Option<Vec<Place>> {
        let Some(field) = &command.follow else {
            return Some(Vec::new());
        };
        let locator = self.values.get(field)?;
        locator::places(locator, command.repeat)
    }

    /// Whether the command is to be sent once more.
    fn has_more(&mut self, command: &Command) -> bool {
        if command.follow.is_none() {
            return self.index < command.repeat;
        }
        self.places = self.places.split_off(self.places.len().min(1));
        !self.places.is_empty()
    }

    /// The end of a phase: to the bank, or over.
    fn finish(mut self: Box<Self>) -> Turn {
        let package = Arc::clone(&self.package);
        match self.phase(&package).map(|phase| &phase.then) {
            None => self.end("package-bad"),
            Some(Then::End(end)) => {
                let mut message = self.closing("ok");
                match self.put_fields(&mut message.body, &end.fields, &end.optional) {
                    true => Turn::End(encode(message)),
                    false => self.end("package-bad"),
                }
            }
            Some(Then::Send(report)) => {
                let Some(step) = self.step.checked_add(1) else {
                    return self.end("message-bad");
                };
                self.step = step;
                let mut body = self.first_body();
                body.operation = Some(self.operation);
                body.transaction = Some(self.transaction);
                body.step = Some(step);
                body.phase = Some(report.phase.clone());
                body.package_version = Some(package.version());
                let complete = self.put_fields(&mut body, &report.fields, &report.optional);
                let message = Message {
                    letter: Letter::I,
                    industry: package.industry(),
                    body,
                };
                match message.encode() {
                    Ok(bytes) if complete => {
                        self.waiting = Waiting::Bank;
                        Turn::Send(Driver(self), bytes)
                    }
                    Ok(_) | Err(_) => self.end("package-bad"),
                }
            }
        }
    }

    /// What the first `I` copies from the opening (protocol, 1.1); nothing in later ones.
    fn first_body(&mut self) -> Body {
        let opening = std::mem::take(&mut self.opening);
        Body {
            amount: opening.amount,
            terminal: opening.terminal,
            pin_block: opening.pin_block,
            sms_proof: opening.sms_proof,
            about: opening.about,
            refund: opening.refund,
            ..Body::default()
        }
    }

    /// False when a field that must stand has no value.
    fn put_fields(&self, body: &mut Body, fields: &[String], optional: &[String]) -> bool {
        for name in fields.iter().chain(optional) {
            if let Some(value) = self.values.get(name) {
                body.put(name, value.clone());
            }
        }
        fields.iter().all(|name| self.values.contains_key(name))
    }

    fn bank(mut self: Box<Self>, message: &[u8]) -> Turn {
        let package = Arc::clone(&self.package);
        if self.waiting != Waiting::Bank {
            return self.end("message-bad");
        }
        let Some((name, body)) = self.answer_to_me(message) else {
            return self.end("message-bad");
        };
        let phase = package.document.phases.0.get(&name);
        let Some(phase) = phase.filter(|it| it.bank && it.after.contains(&self.phase)) else {
            return self.end("phase-unknown");
        };
        let listed = phase.takes.len() == body.fields.len()
            && phase.takes.iter().all(|name| {
                let value = body.field(name);
                value.is_some_and(|it| command::fits_exactly(&package.document, name, it))
            });
        if !listed {
            return self.end("message-bad");
        }
        for field in body.fields {
            match value::big_endian(&field.value).filter(|_| field.name == AMOUNT) {
                Some(amount) => put_amount(&mut self.values, amount),
                None => drop(self.values.insert(field.name, field.value)),
            }
        }
        self.phase = name;
        self.position = 0;
        self.alternative = 0;
        self.index = 1;
        self.advance()
    }

    /// The phase and body of the bank's `I`, if it answers the last message of this transaction and
    /// carries nothing beyond phase and fields.
    fn answer_to_me(&self, message: &[u8]) -> Option<(String, Body)> {
        let Message {
            letter,
            industry,
            mut body,
        } = Message::parse(message).ok()?;
        let phase = body.phase.take()?;
        let fields = std::mem::take(&mut body.fields);
        let expected = Body {
            operation: Some(self.operation),
            transaction: Some(self.transaction),
            step: Some(self.step),
            ..Body::default()
        };
        let mine = letter == Letter::I && industry == self.package.industry() && body == expected;
        mine.then_some((phase, Body { fields, ..body }))
    }

    fn closing(&self, outcome: &str) -> Message {
        Message::closing(
            self.package.industry(),
            self.operation,
            self.transaction,
            outcome,
        )
    }

    fn end(&self, outcome: &str) -> Turn {
        Turn::End(encode(self.closing(outcome)))
    }

    fn refuse(&self, outcome: &str, limit: Option<u32>) -> Turn {
        let mut message = self.closing(outcome);
        if let Some(limit) = limit {
            message.body.put("limit", limit.to_be_bytes());
        }
        Turn::End(encode(message))
    }

    fn unknown_status(&self, status: [u8; 2], command: &str) -> Turn {
        let mut message = self.closing("card-unknown-status");
        message.body.put("status", status);
        message.body.put("command", command);
        Turn::End(encode(message))
    }
}

fn put_amount(values: &mut Values, amount: u32) {
    values.insert(AMOUNT.to_owned(), amount.to_be_bytes().to_vec());
    values.insert(AMOUNT_BCD.to_owned(), value::amount_bcd(amount));
}

/// The data of a short command.
fn data_of(apdu: &[u8]) -> Vec<u8> {
    let data = apdu.get(4..).and_then(<[u8]>::split_first);
    let data = data.and_then(|(&length, rest)| rest.get(..usize::from(length)));
    data.unwrap_or_default().to_vec()
}
