//! The end of a phase: what the bank is sent, what its answer may be, and how it all closes.

use std::sync::Arc;

use relay::{Body, Letter, Message};

use crate::command;
use crate::format::Then;
use crate::opening::encode;
use crate::value::{self, AMOUNT};

use super::{Driver, Run, Turn, Waiting, put_amount};

impl Run {
    /// The end of a phase: to the bank, or over.
    pub(super) fn finish(mut self: Box<Self>) -> Turn {
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

    pub(super) fn bank(mut self: Box<Self>, message: &[u8]) -> Turn {
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

    pub(super) fn end(&self, outcome: &str) -> Turn {
        Turn::End(encode(self.closing(outcome)))
    }

    pub(super) fn refuse(&self, outcome: &str, limit: Option<u32>) -> Turn {
        let mut message = self.closing(outcome);
        if let Some(limit) = limit {
            message.body.put("limit", limit.to_be_bytes());
        }
        Turn::End(encode(message))
    }

    pub(super) fn unknown_status(&self, status: [u8; 2], command: &str) -> Turn {
        let mut message = self.closing("card-unknown-status");
        message.body.put("status", status);
        message.body.put("command", command);
        Turn::End(encode(message))
    }
}
