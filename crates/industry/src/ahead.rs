//! What comes next as long as the card answers as wished: whoever pays for each way to a card sends it along.

use crate::command::{Command, GOOD};
use crate::driver::CardCommand;
use crate::format::{Action, Step};
use crate::locator::Place;
use crate::package::Package;
use crate::template::Round;
use crate::value::Values;

/// A command of the package with its name there.
type Named<'p> = (&'p str, &'p Command);

/// A place in a phase, and what is known there.
pub(crate) struct Ahead<'p> {
    pub(crate) package: &'p Package,
    pub(crate) steps: &'p [Step],
    pub(crate) position: usize,
    pub(crate) index: u8,
    /// Of a command that follows the card's locator: what is still to be read, the present record first.
    pub(crate) places: &'p [Place],
    pub(crate) values: Values,
    /// The most that may still be sent.
    pub(crate) most: usize,
}

impl<'p> Ahead<'p> {
    /// The commands after `present`, each as it would be sent if every reply before it were 9000 and taken.
    ///
    /// None but those that change nothing on a card: a check that stands between two of them is made when the replies
    /// are there, and what it stops was only read.
    pub(crate) fn commands(mut self, present: Named<'p>) -> Vec<CardCommand> {
        let mut found = Vec::new();
        let mut before = present;
        while found.len() < self.most && matches!(before.1.action(GOOD), Some(Action::Take)) {
            self.forget(before.1);
            let next = self
                .after(before)
                .filter(|(_, next)| next.changes_nothing());
            let Some((name, next)) = next else { break };
            let Some(apdu) = self.fill(next) else { break };
            found.push(CardCommand::new(name, next, apdu));
            before = (name, next);
        }
        found
    }

    /// What a command takes is not known before its reply is there.
    fn forget(&mut self, command: &Command) {
        let unknown = |field: &String| {
            command.take.contains(field) || command.status_as.as_ref() == Some(field)
        };
        self.values.retain(|field, _| !unknown(field));
    }

    /// The command after this one, and the place where it stands.
    fn after(&mut self, before: Named<'p>) -> Option<Named<'p>> {
        let (_, command) = before;
        let again = if command.follow.is_some() {
            self.places = self.places.get(1..).unwrap_or_default();
            !self.places.is_empty()
        } else {
            self.index < command.repeat
        };
        if again {
            self.index = self.index.saturating_add(1);
            return Some(before);
        }
        self.index = 1;
        loop {
            self.position = self.position.saturating_add(1);
            match self.steps.get(self.position)? {
                Step::Run(_) | Step::Try(_) => break,
                Step::Refuse(_) | Step::Require(_) => {}
            }
        }
        // Where its records are is in a reply to come.
        self.current().filter(|(_, next)| next.follow.is_none())
    }

    fn current(&self) -> Option<Named<'p>> {
        let name = match self.steps.get(self.position)? {
            Step::Run(name) => name,
            Step::Try(names) => names.first()?,
            Step::Refuse(_) | Step::Require(_) => return None,
        };
        Some((name, self.package.commands.get(name)?))
    }

    fn fill(&self, command: &Command) -> Option<Vec<u8>> {
        let (record, file) = self.places.first().copied().unwrap_or_default();
        let round = Round {
            index: self.index,
            record,
            file,
        };
        let document = &self.package.document;
        command.template.fill(document, &self.values, round).ok()
    }
}
