//! Conditions that end a transaction before anything is sent.

use crate::format::{Comparison, Condition, Document, LimitName, SumAgainst};
use crate::value::{self, Values};

/// Whether a condition holds, and the limit that it is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Holds { limit: Option<u32> },
    Fails,
}

/// Decides. A field that is absent, or no date, makes the condition fail; `today` is YYYYMMDD.
pub(crate) fn decide(
    condition: &Condition,
    document: &Document,
    values: &Values,
    today: u32,
) -> Verdict {
    let bytes = |reference: &str| value::bytes(&document.fields, values, reference);
    let date = |reference: &str| {
        let kind = value::slot(&document.fields, reference)?.kind;
        value::date_number(kind, bytes(reference)?)
    };
    let plain = |holds: Option<bool>| match holds {
        Some(true) => Verdict::Holds { limit: None },
        Some(false) | None => Verdict::Fails,
    };
    match condition {
        Condition::Equal(Comparison { field, value }) => {
            plain(bytes(field).map(|it| it == value.0))
        }
        Condition::Differ(Comparison { field, value }) => {
            plain(bytes(field).map(|it| it != value.0))
        }
        Condition::Past(field) => plain(date(field).map(|it| it < today)),
        Condition::Future(field) => plain(date(field).map(|it| it > today)),
        Condition::Above(against) => compare(against, document, values, |sum, limit| sum > limit),
        Condition::Below(against) => compare(against, document, values, |sum, limit| sum < limit),
    }
}

/// The references that a condition reads.
pub(crate) fn references(condition: &Condition) -> Vec<&str> {
    match condition {
        Condition::Equal(comparison) | Condition::Differ(comparison) => vec![&comparison.field],
        Condition::Past(field) | Condition::Future(field) => vec![field],
        Condition::Above(against) | Condition::Below(against) => {
            against.sum.iter().map(String::as_str).collect()
        }
    }
}

fn compare(
    against: &SumAgainst,
    document: &Document,
    values: &Values,
    holds: impl Fn(u64, u64) -> bool,
) -> Verdict {
    let limit = match against.limit {
        LimitName::MinAmount => document.limits.min_amount,
        LimitName::MaxAmount => document.limits.max_amount,
        LimitName::MaxBalance => document.limits.max_balance,
    };
    let sum = against.sum.iter().try_fold(0_u64, |sum, reference| {
        let kind = value::slot(&document.fields, reference)?.kind;
        let number = value::number(kind, value::bytes(&document.fields, values, reference)?)?;
        sum.checked_add(number.into())
    });
    match sum {
        Some(sum) if holds(sum, limit.into()) => Verdict::Holds { limit: Some(limit) },
        Some(_) | None => Verdict::Fails,
    }
}
