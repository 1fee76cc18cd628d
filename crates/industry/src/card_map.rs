//! The rules for what the screen shows of a card.

use crate::PackageError;
use crate::error::rule;
use crate::format::{Active, CardMap, FieldShape, Kind, LogMap, Map};
use crate::value;

/// What a member of `card` may be, and how that is said.
type Wanted = (fn(Kind) -> bool, &'static str);

const A_NUMBER_OF_A_CARD: Wanted = (
    |kind| {
        matches!(
            kind,
            Kind::Bcd | Kind::BcdTail | Kind::Number | Kind::LittleNumber
        )
    },
    "needs a single value of type bcd, bcd-tail, number or little-number",
);
const A_NUMBER: Wanted = (value::is_number, "needs a single value of a number's type");
const A_DAY: Wanted = (
    value::is_day,
    "needs a single value of type date or short-date",
);
const A_TIME: Wanted = (
    |kind| kind == Kind::Time,
    "needs a single value of type time",
);
const A_FLAG: Wanted = (
    |kind| kind == Kind::Flag,
    "needs a single value of type flag",
);
const ANYTHING: Wanted = (|_| true, "needs a single value");

pub(crate) fn check(card: &CardMap, fields: &Map<FieldShape>) -> Result<(), PackageError> {
    let (flag, values) = match &card.active {
        None => (None, None),
        Some(Active::Flag(flag)) => (Some(flag), None),
        Some(Active::Known(known)) => (None, Some(known)),
    };
    let members = [
        ("card.number", card.number.as_ref(), A_NUMBER_OF_A_CARD),
        ("card.balance", card.balance.as_ref(), A_NUMBER),
        ("card.overdraft", card.overdraft.as_ref(), A_NUMBER),
        ("card.expiry", card.expiry.as_ref(), A_DAY),
        ("card.active", flag, A_FLAG),
        (
            "card.active.field",
            values.map(|known| &known.field),
            ANYTHING,
        ),
    ];
    for (at, reference, (fits, why)) in members {
        let Some(reference) = reference else { continue };
        let slot = value::slot(fields, reference).ok_or_else(|| rule(at, "is not declared"))?;
        if !fits(slot.kind) || slot.times.is_some() {
            return Err(rule(at, why));
        }
    }
    if values.is_some_and(|known| known.values.is_empty() == known.except.is_empty()) {
        return Err(rule(
            "card.active",
            "has `values` or `except`, and one of them",
        ));
    }
    card.log
        .as_ref()
        .map_or(Ok(()), |log| check_log(log, fields))
}

fn check_log(log: &LogMap, fields: &Map<FieldShape>) -> Result<(), PackageError> {
    let list = fields
        .0
        .get(&log.field)
        .filter(|shape| shape.times.is_some());
    let shape = list.ok_or_else(|| rule("card.log.field", "names a list"))?;
    let members = [
        ("card.log.kind", log.kind.as_ref(), ANYTHING),
        ("card.log.amount", Some(&log.amount), A_NUMBER),
        ("card.log.terminal", log.terminal.as_ref(), ANYTHING),
        ("card.log.date", log.date.as_ref(), A_DAY),
        ("card.log.time", log.time.as_ref(), A_TIME),
    ];
    for (at, part, (fits, why)) in members {
        let Some(part) = part else { continue };
        let part = shape.parts.0.get(part);
        let part = part.ok_or_else(|| rule(at, "is no part of the list"))?;
        if !fits(part.kind) {
            return Err(rule(at, why));
        }
    }
    let bad = |kind: &&String| hex::decode(kind).is_err() || kind.contains(char::is_lowercase);
    match log.kinds.0.keys().find(bad) {
        Some(_) => Err(rule("card.log.kinds", "pairs of hex digits")),
        None => Ok(()),
    }
}
