//! Proof that every field has a value before it is used, whichever way a transaction takes.

use std::collections::{BTreeMap, BTreeSet};

use relay::Operation;

use crate::command::Command;
use crate::condition;
use crate::error::{Flaw, broken, rule};
use crate::format::{Action, Phase, Step, Then};
use crate::package::Package;
use crate::template::Cryptogram;
use crate::value::{self, AMOUNT, AMOUNT_BCD, NONCE, TERMINAL, TODAY};
use crate::{PackageError, phase};

type Names = BTreeSet<String>;

/// Stands among the names while the card has surely been asked for an ARQC in its present transaction. No field is
/// called so.
const ASKED: &str = "{asked}";

/// What surely has a value at the end of each phase that was reached so far.
type Ends = BTreeMap<String, Names>;

pub(crate) fn check(package: &Package) -> Result<(), PackageError> {
    let ends = settle(package);
    for (name, phase) in &package.document.phases.0 {
        let at = format!("phases.{name}");
        let start = start(name, phase, &ends).ok_or_else(|| rule(&at, "can't be reached"))?;
        flow(&at, phase, start, package, true)?;
    }
    Ok(())
}

/// Goes through the phases until nothing changes: sets only shrink, so this ends.
fn settle(package: &Package) -> Ends {
    let mut ends = Ends::new();
    loop {
        let mut next = ends.clone();
        for (name, phase) in &package.document.phases.0 {
            if let Some(start) = start(name, phase, &next)
                && let Ok(end) = flow(name, phase, start, package, false)
            {
                next.insert(name.clone(), end);
            }
        }
        if next == ends {
            return ends;
        }
        ends = next;
    }
}

/// What surely has a value when a phase starts; none when no way to it is known.
fn start(name: &str, phase: &Phase, ends: &Ends) -> Option<Names> {
    if let Some(operation) = phase::opened_by(name) {
        let pays = operation == Operation::TopUp;
        let given = [TERMINAL, TODAY, NONCE].into_iter();
        let given = given.chain([AMOUNT, AMOUNT_BCD].into_iter().filter(|_| pays));
        return Some(given.map(str::to_owned).collect());
    }
    let before = phase
        .after
        .iter()
        .filter_map(|before| ends.get(before))
        .cloned();
    let mut names = before.reduce(|a, b| both(&a, &b))?;
    names.extend(phase.takes.iter().cloned());
    if names.contains(AMOUNT) {
        names.insert(AMOUNT_BCD.to_owned());
    }
    Some(names)
}

/// Follows one phase; with `strict`, a use without a value is an error.
fn flow(
    at: &str,
    phase: &Phase,
    start: Names,
    package: &Package,
    strict: bool,
) -> Result<Names, PackageError> {
    let mut names = start;
    let mut reported: Vec<Names> = Vec::new();
    let need = |reference: &str, names: &Names| {
        let name = value::split(reference).0;
        if strict && !names.contains(name) {
            return Err(rule(
                format!("{at}.steps"),
                format!("`{name}` may have no value here"),
            ));
        }
        Ok(())
    };
    for step in &phase.steps {
        let commands = match step {
            Step::Run(name) => std::slice::from_ref(name),
            Step::Try(names) => names.as_slice(),
            Step::Refuse(refuse) => {
                for reference in condition::references(&refuse.when) {
                    need(reference, &names)?;
                }
                continue;
            }
            Step::Require(require) => {
                names.extend(require.fields.iter().cloned());
                continue;
            }
        };
        let mut after: Option<Names> = None;
        for command in commands
            .iter()
            .filter_map(|name| package.commands.get(name))
        {
            for reference in command.template.references() {
                need(reference, &names)?;
            }
            if let Some(locator) = &command.follow {
                need(locator, &names)?;
            }
            if strict
                && command.template.cryptogram() == Some(Cryptogram::Approval)
                && !names.contains(ASKED)
            {
                let why = "an approval without a question to the issuer before it is a purchase: no package takes \
                           money off a card";
                return Err(broken(Flaw::Command, format!("{at}.steps"), why));
            }
            let (taken, skipped) = results(command, &names);
            if command.actions().any(|action| *action == Action::Report) {
                reported.push(skipped);
            }
            after = Some(after.map_or(taken.clone(), |other| both(&other, &taken)));
            names.retain(|name| !command.take.contains(name));
        }
        names = after.unwrap_or(names);
    }
    let names = reported
        .iter()
        .fold(names, |names, other| both(&names, other));
    let fields = match &phase.then {
        Then::Send(report) => &report.fields,
        Then::End(end) => &end.fields,
    };
    for field in fields {
        need(field, &names)?;
    }
    Ok(names)
}

/// What surely has a value after a command goes on, and after it took nothing.
fn results(command: &Command, names: &Names) -> (Names, Names) {
    let mut skipped = names.clone();
    skipped.retain(|name| !command.take.contains(name));
    skipped.extend(command.status_as.clone());
    skipped.extend(command.sent_as.clone());
    if command.template.begins() {
        skipped.remove(ASKED);
    }
    let may_skip = command.actions().any(|action| match action {
        Action::Skip | Action::Done => true,
        Action::Take | Action::Else | Action::Report | Action::Outcome(_) => false,
    });
    // a locator may name no record at all
    if may_skip || command.follow.is_some() {
        return (skipped.clone(), skipped);
    }
    let mut taken = skipped.clone();
    taken.extend(command.take.sure().map(str::to_owned));
    let asks = command.template.cryptogram() == Some(Cryptogram::Question);
    if asks && !command.takes_refusals() {
        taken.insert(ASKED.to_owned());
    }
    (taken, skipped)
}

fn both(a: &Names, b: &Names) -> Names {
    a.intersection(b).cloned().collect()
}
