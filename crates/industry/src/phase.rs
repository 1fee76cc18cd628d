//! The rules for phases that need no look at the values.

use relay::Operation;

use crate::PackageError;
use crate::condition;
use crate::error::{Flaw, broken, rule};
use crate::format::{Action, Condition, Document, Phase, Require, Step, Then};
use crate::package::{Package, check_members, is_name};
use crate::value;

const MAX_STEPS: usize = 32;
const MAX_ALTERNATIVES: usize = 4;

/// The outcomes that a package may name.
const OUTCOMES: [&str; 16] = [
    "already-active",
    "amount-high",
    "amount-low",
    "balance-limit",
    "card-app-blocked",
    "card-blocked",
    "card-counter-exhausted",
    "card-expired",
    "card-full",
    "card-mac-bad",
    "card-not-active",
    "card-not-supported",
    "card-refused",
    "card-reply-bad",
    "card-unknown-status",
    "no-proof",
];

/// The phase that starts an operation.
pub(crate) fn opening(operation: Operation) -> &'static str {
    match operation {
        Operation::Balance => "open_balance",
        Operation::TopUp => "open_topup",
        Operation::ReTopUp => "open_resume",
        Operation::Activation => "open_activate",
    }
}

/// The operation that a phase starts.
pub(crate) fn opened_by(phase: &str) -> Option<Operation> {
    [
        Operation::Balance,
        Operation::TopUp,
        Operation::ReTopUp,
        Operation::Activation,
    ]
    .into_iter()
    .find(|operation| opening(*operation) == phase)
}

pub(crate) fn check_outcome(at: &str, outcome: &str) -> Result<(), PackageError> {
    if OUTCOMES.contains(&outcome) {
        return Ok(());
    }
    Err(rule(
        at,
        format!("`{outcome}` is not an outcome of a package"),
    ))
}

pub(crate) fn check(package: &Package) -> Result<(), PackageError> {
    let phases = &package.document.phases;
    check_members("phases", phases)?;
    if !phases.0.contains_key(opening(Operation::Balance)) {
        return Err(rule(
            "phases.open_balance",
            "every package can read the card",
        ));
    }
    for (name, phase) in &phases.0 {
        let at = format!("phases.{name}");
        check_entry(&at, name, phase, &package.document)?;
        check_steps(&at, phase, package)?;
        check_then(&at, name, phase, package)?;
    }
    Ok(())
}

fn check_entry(
    at: &str,
    name: &str,
    phase: &Phase,
    document: &Document,
) -> Result<(), PackageError> {
    if opened_by(name).is_some() {
        let plain = !phase.bank && phase.after.is_empty() && phase.takes.is_empty();
        return if plain {
            Ok(())
        } else {
            Err(rule(at, "an opening is not the bank's"))
        };
    }
    if !phase.bank || phase.after.is_empty() {
        return Err(rule(at, "is no opening: it needs `bank`: true and `after`"));
    }
    for before in &phase.after {
        let sends = document
            .phases
            .0
            .get(before)
            .map(|it| matches!(it.then, Then::Send(_)));
        if sends != Some(true) {
            return Err(rule(
                format!("{at}.after"),
                format!("`{before}` sends nothing"),
            ));
        }
    }
    for field in &phase.takes {
        let slot = value::slot(&document.fields, field);
        let exact = slot.is_some_and(|it| it.length.exact().is_some() && it.times.is_none());
        let given = value::is_reserved(field) && field != value::AMOUNT;
        if !exact || !is_name(field) || given {
            return Err(rule(
                format!("{at}.takes"),
                format!("`{field}` is no field of one length"),
            ));
        }
    }
    if phase
        .takes
        .iter()
        .enumerate()
        .any(|(n, it)| phase.takes.iter().take(n).any(|p| p == it))
    {
        return Err(rule(format!("{at}.takes"), "a field stands twice"));
    }
    Ok(())
}

fn check_steps(at: &str, phase: &Phase, package: &Package) -> Result<(), PackageError> {
    let at = format!("{at}.steps");
    if phase.steps.len() > MAX_STEPS {
        return Err(broken(Flaw::Endless, at, format!("at most {MAX_STEPS}")));
    }
    let mut most = 0_u32;
    for step in &phase.steps {
        let names: &[String] = match step {
            Step::Run(name) => std::slice::from_ref(name),
            Step::Try(names) if (2..=MAX_ALTERNATIVES).contains(&names.len()) => names,
            Step::Try(_) => return Err(rule(at, "`try` names 2 to 4 commands")),
            Step::Refuse(refuse) => {
                check_outcome(&at, &refuse.outcome)?;
                check_condition(&at, &refuse.when, &package.document)?;
                &[]
            }
            Step::Require(require) => {
                check_outcome(&at, &require.outcome)?;
                check_require(&at, require, &package.document)?;
                &[]
            }
        };
        for name in names {
            let repeat = check_command(&at, name, names.len() == 1, phase, package)?;
            most = most.saturating_add(repeat.into());
        }
    }
    if most > package.document.bounds.commands {
        return Err(broken(
            Flaw::Endless,
            at,
            format!("can run {most} commands, more than `bounds`"),
        ));
    }
    Ok(())
}

/// Checks one use of a command; gives the number of times it can run.
fn check_command(
    at: &str,
    name: &str,
    alone: bool,
    phase: &Phase,
    package: &Package,
) -> Result<u8, PackageError> {
    let command = package.commands.get(name);
    let command =
        command.ok_or_else(|| broken(Flaw::Command, at, format!("no command `{name}`")))?;
    let sends = matches!(phase.then, Then::Send(_));
    if command.commits && !(alone && phase.bank && sends) {
        let why = "commits: it runs alone, in a phase of the bank's that sends";
        return Err(rule(at, format!("`{name}` {why}")));
    }
    if command.actions().any(|action| *action == Action::Report) && !sends {
        return Err(rule(
            at,
            format!("`{name}` reports, but the phase sends nothing"),
        ));
    }
    Ok(command.repeat)
}

fn check_require(at: &str, require: &Require, document: &Document) -> Result<(), PackageError> {
    let known = |field: &String| document.fields.0.contains_key(field);
    match require.fields.iter().find(|field| !known(field)) {
        Some(field) => Err(rule(at, format!("`{field}` is no field"))),
        None if require.fields.is_empty() => Err(rule(at, "`require` names a field")),
        None => Ok(()),
    }
}

fn check_condition(
    at: &str,
    condition: &Condition,
    document: &Document,
) -> Result<(), PackageError> {
    for reference in condition::references(condition) {
        let slot = value::slot(&document.fields, reference);
        let slot = slot.ok_or_else(|| rule(at, format!("`{reference}` is not declared")))?;
        let fits = slot.times.is_none()
            && match condition {
                Condition::Equal(it) | Condition::Differ(it) => slot.length.fits(it.value.0.len()),
                Condition::Past(_) | Condition::Future(_) => value::is_day(slot.kind),
                Condition::Above(_) | Condition::Below(_) => value::is_number(slot.kind),
            };
        if !fits {
            return Err(rule(
                at,
                format!("`{reference}` does not fit the condition"),
            ));
        }
    }
    match condition {
        Condition::Above(it) | Condition::Below(it) if !(1..=8).contains(&it.sum.len()) => {
            Err(rule(at, "a sum has 1 to 8 terms"))
        }
        Condition::Equal(_)
        | Condition::Differ(_)
        | Condition::Past(_)
        | Condition::Future(_)
        | Condition::Above(_)
        | Condition::Below(_) => Ok(()),
    }
}

fn check_then(at: &str, name: &str, phase: &Phase, package: &Package) -> Result<(), PackageError> {
    let at = format!("{at}.then");
    let (fields, optional) = match &phase.then {
        Then::Send(report) => {
            if !is_name(&report.phase) {
                return Err(rule(at, "`phase` is 1 to 32 of a-z, 0-9 and _"));
            }
            (&report.fields, &report.optional)
        }
        Then::End(_) if opened_by(name) != Some(Operation::Balance) => {
            let why = "only `open_balance` ends by itself: what became of money, the bank says";
            return Err(rule(at, why));
        }
        Then::End(end) => (&end.fields, &end.optional),
    };
    let mut seen: Vec<&String> = Vec::new();
    for field in fields.iter().chain(optional) {
        if !package.document.fields.0.contains_key(field) || seen.contains(&field) {
            return Err(rule(at, format!("`{field}` is no field, or stands twice")));
        }
        seen.push(field);
    }
    Ok(())
}
