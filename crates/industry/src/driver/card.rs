//! The steps of a phase: commands to the card and what its replies lead to.

use std::sync::Arc;

use crate::ahead::Ahead;
use crate::command::{Command, LONGEST_REPLY};
use crate::condition::{self, Verdict};
use crate::format::{Action, Phase, Step};
use crate::locator::{self, Place};
use crate::package::Package;
use crate::template::{Round, Unfilled};

use super::{CardCommand, Driver, Run, Turn, Waiting};

impl Run {
    pub(super) fn phase<'p>(&self, package: &'p Package) -> Option<&'p Phase> {
        package.document.phases.0.get(&self.phase)
    }

    /// Goes on from the present step until the card or the bank is asked, or it is over.
    pub(super) fn advance(mut self: Box<Self>) -> Turn {
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

    pub(super) fn ahead(&self) -> Vec<CardCommand> {
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

    pub(super) fn reply(mut self: Box<Self>, reply: &[u8]) -> Turn {
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
}

/// The data of a short command.
fn data_of(apdu: &[u8]) -> Vec<u8> {
    let data = apdu.get(4..).and_then(<[u8]>::split_first);
    let data = data.and_then(|(&length, rest)| rest.get(..usize::from(length)));
    data.unwrap_or_default().to_vec()
}
