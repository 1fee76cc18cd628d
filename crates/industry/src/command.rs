//! Commands with what their status words mean.

use crate::error::{Flaw, broken, rule};
use crate::format::{Action, CommandText, Document, Length, UiStep};
use crate::take::{BadReply, Taking};
use crate::template::Template;
use crate::value::{self, Values};
use crate::{PackageError, phase};

/// The most repetitions of one command.
const MAX_REPEAT: u8 = 32;

/// The longest reply of a card to a short command, without its status word.
pub(crate) const LONGEST_REPLY: usize = 256;

pub(crate) const GOOD: u16 = 0x9000;

#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) template: Template,
    pub(crate) show: UiStep,
    pub(crate) commits: bool,
    pub(crate) optional: bool,
    pub(crate) probe: bool,
    pub(crate) repeat: u8,
    pub(crate) status_as: Option<String>,
    pub(crate) take: Taking,
    pub(crate) follow: Option<String>,
    pub(crate) sent_as: Option<String>,
    reply: Length,
    /// Most exact first.
    on: Vec<(Pattern, Action)>,
}

impl Command {
    pub(crate) fn new(
        name: &str,
        text: &CommandText,
        document: &Document,
    ) -> Result<Self, PackageError> {
        let at = |member: &str| format!("commands.{name}.{member}");
        let template =
            Template::parse(&text.send, document).map_err(|refused| refused.at(at("send")))?;
        let command = Self {
            template,
            show: text.show,
            commits: text.commits,
            optional: text.optional,
            probe: text.probe,
            repeat: repeat(&at("repeat"), text.repeat)?,
            status_as: text.status_as.clone(),
            take: Taking::new(&at("take"), &text.take, text.reply, document)?,
            follow: text.follow.clone(),
            sent_as: text.sent_as.clone(),
            reply: text.reply,
            on: actions(name, text)?,
        };
        command.check_repeat(&at("repeat"), text)?;
        if command.commits && (command.optional || text.repeat.is_some()) {
            return Err(rule(
                at("commits"),
                "a command that commits is neither optional nor repeated",
            ));
        }
        if command.probe && (text.repeat.is_some() || !is_read(&text.send)) {
            return Err(rule(
                at("probe"),
                "only READ BINARY, READ RECORD, GET DATA or GET BALANCE, and not repeated",
            ));
        }
        if command.reply.min() > command.reply.max() || command.reply.max() > LONGEST_REPLY {
            return Err(rule(
                at("reply"),
                format!("at most {LONGEST_REPLY} bytes, min not over max"),
            ));
        }
        command.check_follow(&at("follow"), document)?;
        if let Some(field) = &command.sent_as {
            let shape = document.fields.0.get(field);
            if shape.is_none_or(|it| it.times.is_some()) {
                return Err(rule(at("sent_as"), "names a single field"));
            }
        }
        if is_secured(&command.template) && !command.commits {
            let why = "a command with secure messaging may change the card: it commits";
            return Err(broken(Flaw::Command, at("commits"), why));
        }
        if let Some(field) = &command.status_as {
            let shape = document.fields.0.get(field);
            if shape.is_none_or(|it| it.length.exact() != Some(2) || it.times.is_some()) {
                return Err(rule(at("status_as"), "names a field of 2 bytes"));
            }
        }
        Ok(command)
    }

    /// What a status word leads to; none when the package does not know it.
    pub(crate) fn action(&self, status: u16) -> Option<&Action> {
        let listed = self.on.iter().find(|(pattern, _)| pattern.fits(status));
        match listed {
            Some((_, action)) => Some(action),
            None if status == GOOD => Some(&Action::Take),
            None if self.optional => Some(&Action::Skip),
            None => None,
        }
    }

    /// Whether a card is the same after it, however often it comes: SELECT, READ BINARY, READ RECORD, GET DATA,
    /// GET BALANCE and GET TRANSACTION PROVE.
    pub(crate) fn changes_nothing(&self) -> bool {
        let [class, ins, ..] = self.template.head();
        let reads = matches!(
            (class, ins),
            (Some(0x00), Some(0xA4 | 0xB0 | 0xB2 | 0xCA))
                | (Some(0x80), Some(0xCA | 0x5C | 0x5A))
                | (Some(0xFF), Some(0xCA))
        );
        reads && !self.commits
    }

    /// Every action that can happen, without those of unknown status words.
    pub(crate) fn actions(&self) -> impl Iterator<Item = &Action> {
        let optional = self.optional.then_some(&Action::Skip);
        self.on.iter().map(|(_, action)| action).chain(optional)
    }

    /// Whether it goes on as after a good reply where the card's status word may be another one.
    pub(crate) fn takes_refusals(&self) -> bool {
        self.on.iter().any(|(_, action)| *action == Action::Take)
    }

    /// Takes the fields out of a reply's data.
    pub(crate) fn take_fields(
        &self,
        document: &Document,
        values: &mut Values,
        data: &[u8],
    ) -> Result<(), BadReply> {
        if !self.reply.fits(data.len()) {
            return Err(BadReply);
        }
        self.take.apply(document, values, data)
    }

    fn check_follow(&self, at: &str, document: &Document) -> Result<(), PackageError> {
        if self.template.follows_half() || self.template.follows() != self.follow.is_some() {
            return Err(rule(at, "`follow`, {record} and {file} stand together"));
        }
        let Some(field) = &self.follow else {
            return Ok(());
        };
        let single = document
            .fields
            .0
            .get(field)
            .is_some_and(|it| it.times.is_none());
        match single && self.repeat > 1 && !self.template.has_index() {
            true => Ok(()),
            false => Err(rule(
                at,
                "names a single field, with `repeat` and without {index}",
            )),
        }
    }

    fn check_repeat(&self, at: &str, text: &CommandText) -> Result<(), PackageError> {
        match text.repeat {
            Some(_) if !self.template.has_index() && !self.template.follows() => {
                Err(rule(at, "needs {index}, or {record} and {file}, in `send`"))
            }
            None if self.template.has_index() => Err(rule(at, "is needed for {index}")),
            None if self.on.iter().any(|(_, action)| *action == Action::Done) => {
                Err(rule(at, "is needed for the action `done`"))
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn repeat(at: &str, text: Option<u32>) -> Result<u8, PackageError> {
    let times = text.map_or(Some(1), |times| {
        u8::try_from(times)
            .ok()
            .filter(|it| (2..=MAX_REPEAT).contains(it))
    });
    times.ok_or_else(|| broken(Flaw::Endless, at, format!("2 to {MAX_REPEAT} times")))
}

/// CLA with a secure-messaging bit (ISO/IEC 7816-4, 5.4.1): 04 and 84, and their channels. GET CHALLENGE of class 84
/// is none.
fn is_secured(template: &Template) -> bool {
    match template.head() {
        [Some(class), Some(ins), ..] => class & 0x0C != 0 && class != 0xFF && ins != 0x84,
        _ => false,
    }
}

/// Commands that change nothing on a card, however often they come. Those that fail count tries: VERIFY is none.
fn is_read(send: &str) -> bool {
    let digits: String = send.chars().filter(|it| *it != ' ').take(4).collect();
    let digits = digits.to_ascii_uppercase();
    ["00B0", "00B2", "00CA", "80CA", "FFCA", "805C"].contains(&digits.as_str())
}

fn actions(name: &str, text: &CommandText) -> Result<Vec<(Pattern, Action)>, PackageError> {
    let mut on = Vec::new();
    for (status, action) in &text.on.0 {
        let at = format!("commands.{name}.on.{status}");
        let pattern = Pattern::parse(status)
            .ok_or_else(|| rule(&at, "is not four hex digits or X, and not `*`"))?;
        if let Action::Outcome(outcome) = action {
            phase::check_outcome(&at, outcome)?;
        }
        on.push((pattern, action.clone()));
    }
    on.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.mask.count_ones()));
    Ok(on)
}

/// Status words: four hex digits, `X` for any digit; `*` is any status word but 9000.
#[derive(Clone, Copy, Debug)]
struct Pattern {
    value: u16,
    mask: u16,
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self { value: 0, mask: 0 });
        }
        if text.len() != 4 || text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        let value = u16::from_str_radix(&text.replace('X', "0"), 16).ok()?;
        let mask: String = text
            .chars()
            .map(|it| if it == 'X' { '0' } else { 'F' })
            .collect();
        Some(Self {
            value,
            mask: u16::from_str_radix(&mask, 16).ok()?,
        })
    }

    fn fits(self, status: u16) -> bool {
        if self.mask == 0 {
            status != GOOD
        } else {
            status & self.mask == self.value
        }
    }
}

/// The bytes of a field as long as its declaration says, e.g. from the bank.
pub(crate) fn fits_exactly(document: &Document, name: &str, bytes: &[u8]) -> bool {
    value::slot(&document.fields, name)
        .is_some_and(|slot| slot.times.is_none() && slot.length.exact() == Some(bytes.len()))
}
