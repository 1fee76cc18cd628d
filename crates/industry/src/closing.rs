use relay::{Letter, Message, MessageError, Operation};
use thiserror::Error;

use crate::facts::Facts;
use crate::package::Packages;
use crate::value;

/// A closing `A`, read for the screen. Everything but the outcome is there only when it was sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Closing {
    /// What the transaction was for.
    pub operation: Option<Operation>,
    /// Its id.
    pub transaction: Option<[u8; 16]>,
    /// `ok`, or a code of the protocol's section 7.
    pub outcome: String,
    /// The card; only with fields of a known industry.
    pub card: Option<Facts>,
    /// Fen.
    pub amount: Option<u32>,
    /// Fen.
    pub old_balance: Option<u32>,
    /// Fen.
    pub new_balance: Option<u32>,
    /// The load's reference for people.
    pub reference: Option<String>,
    /// The bank's time, ms since 1970-01-01 UTC.
    pub time_ms: Option<u64>,
    /// What the bank's page makes a receipt of that anybody can check (protocol, section 8).
    pub receipt: Option<String>,
    /// It was on the card, or active, before.
    pub already: bool,
    /// Fen: the limit that was passed.
    pub limit: Option<u32>,
    /// Tries left for the password.
    pub tries_left: Option<u8>,
    /// The card's status word, 4 hex digits.
    pub status: Option<String>,
    /// The name of the command that it answered.
    pub command: Option<String>,
}

/// Why a closing message can't be shown.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum DecodeError {
    /// Not a relay message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// An `I`, or an `A` without outcome.
    #[error("not a closing message")]
    NotClosing,
    /// A field that every industry shares has another length, or a card's field another one than the
    /// package says.
    #[error("field `{0}` has a wrong length")]
    Field(String),
}

/// Reads a closing `A`, of the driver or the bank.
///
/// # Errors
/// See [`DecodeError`]. An industry without a package is no error: there is no card then.
pub fn decode(packages: &Packages, closing: &[u8]) -> Result<Closing, DecodeError> {
    let Message {
        letter,
        industry,
        body,
    } = Message::parse(closing)?;
    let outcome = body.outcome.clone().filter(|_| letter == Letter::A);
    let outcome = outcome.ok_or(DecodeError::NotClosing)?;
    let number = |name| exact::<4>(body.field(name), name).map(|it| it.map(u32::from_be_bytes));
    let byte = |name| exact::<1>(body.field(name), name).map(|it| it.map(|[byte]| byte));
    let card = match packages.package(industry) {
        None => None,
        Some(package) => {
            for field in &body.fields {
                check_length(package, &field.name, &field.value)?;
            }
            let facts = Facts::of(&package.document, |name| body.field(name));
            Some(facts).filter(|facts| *facts != Facts::default())
        }
    };
    Ok(Closing {
        operation: body.operation,
        transaction: body.transaction,
        outcome,
        card,
        amount: body.amount,
        old_balance: number("old_balance")?,
        new_balance: number("new_balance")?,
        reference: body.reference.clone(),
        time_ms: exact::<8>(body.field("time"), "time")?.map(u64::from_be_bytes),
        receipt: body.field("receipt").map(printable),
        already: byte("already")?.is_some_and(|it| it != 0),
        limit: number("limit")?,
        tries_left: byte("tries_left")?,
        status: exact::<2>(body.field("status"), "status")?.map(|it| value::digits(&it)),
        command: body.field("command").map(readable),
    })
}

fn exact<const N: usize>(value: Option<&[u8]>, name: &str) -> Result<Option<[u8; N]>, DecodeError> {
    let array = value.map(|value| value.try_into()).transpose();
    array.map_err(|_| DecodeError::Field(name.to_owned()))
}

fn check_length(package: &crate::Package, name: &str, value: &[u8]) -> Result<(), DecodeError> {
    let Some(shape) = package.document.fields.0.get(name) else {
        return Ok(());
    };
    let fits = match shape.times {
        None => shape.length.fits(value.len()),
        Some(times) => {
            let length = shape.length.max();
            value.len().checked_rem(length) == Some(0)
                && value.len() <= length.saturating_mul(times.into())
        }
    };
    if fits {
        Ok(())
    } else {
        Err(DecodeError::Field(name.to_owned()))
    }
}

fn readable(bytes: &[u8]) -> String {
    printable(bytes).chars().take(32).collect()
}

/// Letters, digits and signs, at most 400.
fn printable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(400)
        .filter(|byte| byte.is_ascii_graphic())
        .map(|&byte| char::from(byte))
        .collect()
}
