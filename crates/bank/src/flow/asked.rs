//! A message as it comes, with what is found out before anything is locked.

use std::sync::atomic::AtomicBool;

use envelope::Terminal;
use envelope::keys::WorkingKey;
use relay::{IndustryCode, Message, Operation};

use crate::bank::Bank;
use crate::error::Problem;
use crate::password::{self, Compared};
use crate::store::customer::PasswordRow;
use crate::store::exchange::{self, Exchange};
use crate::store::{Conn, customer, terminal};
use crate::vault::Purpose;

/// A password whose key expired while its message was on the way is still taken for this long.
pub(crate) const LATE_PASSWORD_MS: u64 = 10 * 60 * 1_000;

/// A relay message from a terminal, with what is better done before the store is locked.
pub(crate) struct Asked {
    pub(super) terminal: Terminal,
    pub(super) hash: [u8; 32],
    pub(super) message: Option<Message>,
    pub(super) industry: IndustryCode,
    pub(super) password: Password,
    /// Its transaction is looked for before it begins: there may be one.
    pub(super) looks_first: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Password {
    None,
    Unreadable,
    Compared(Compared),
}

impl Asked {
    pub(crate) fn transaction(&self) -> Option<[u8; 16]> {
        self.message.as_ref()?.body.transaction
    }

    /// A transaction that begins with this message.
    pub(super) fn exchange(&self, operation: Operation, id: [u8; 16]) -> Exchange {
        Exchange {
            id,
            terminal: self.terminal,
            operation: operation.code(),
            industry: self.industry.to_string(),
            next_step: 1,
            awaits: super::first_phase(operation).map(str::to_owned),
            load: None,
            since: ledger::Since::Unknown,
            attempt: None,
            witness: None,
            refund: false,
        }
    }
}

/// Parses, and compares the password outside of any lock.
pub(crate) async fn prepare(
    bank: &Bank,
    (terminal, key): (Terminal, &WorkingKey),
    bytes: &[u8],
    now_ms: u64,
) -> Result<Asked, Problem> {
    let hash = bank.vault.hash(Purpose::Request, &[bytes]);
    let message = Message::parse(bytes).ok();
    let industry = match &message {
        Some(message) => message.industry,
        None => industry_of(bytes)?,
    };
    let (is_known, password) = match &message {
        Some(message) => before(bank, (terminal, key), message, now_ms).await?,
        None => (false, Password::None),
    };
    Ok(Asked {
        terminal,
        hash,
        message,
        industry,
        password,
        looks_first: AtomicBool::new(is_known),
    })
}

/// The industry that a broken message names, so that the answer is one of its own.
fn industry_of(bytes: &[u8]) -> Result<IndustryCode, Problem> {
    let named = bytes
        .get(1..5)
        .and_then(|code| <[u8; 4]>::try_from(code).ok());
    let named = named.and_then(|code| IndustryCode::new(code).ok());
    named.map_or_else(|| "0000".parse().map_err(Problem::internal), Ok)
}

/// Whether the transaction has begun, and what its password is worth.
async fn before(
    bank: &Bank,
    opener: (Terminal, &WorkingKey),
    message: &Message,
    now_ms: u64,
) -> Result<(bool, Password), Problem> {
    let (Some(id), Some(step)) = (&message.body.transaction, message.body.step) else {
        return Ok((false, Password::None));
    };
    if step != 1 && message.body.pin_block.is_none() {
        return Ok((true, Password::None));
    }
    let mut conn = bank.store.read().await?;
    let industry = message.industry.as_str();
    let has_password = message.body.pin_block.is_some();
    let identity = bank.identity(industry, &message.body);
    let holder = match identity.filter(|_| has_password) {
        Some(it) => {
            let card = (industry, &it.serial[..]);
            customer::holder(bank, &mut conn, card, (id, step)).await?
        }
        None => None,
    };
    let ((is_begun, is_replied), row) = match holder {
        Some((row, known)) => (known, Some(row)),
        None => (exchange::is_known(&mut conn, id, step).await?, None),
    };
    if is_replied {
        return Ok((is_begun, Password::None));
    }
    let password = password(bank, (conn, row), opener, message, now_ms).await?;
    Ok((is_begun, password))
}

async fn password(
    bank: &Bank,
    (mut conn, row): (Conn, Option<PasswordRow>),
    (terminal, opener): (Terminal, &WorkingKey),
    message: &Message,
    now_ms: u64,
) -> Result<Password, Problem> {
    let Some(c5) = &message.body.pin_block else {
        return Ok(Password::None);
    };
    let Some((key_id, block)) = password::key_of(c5) else {
        return Ok(Password::Unreadable);
    };
    let Some(row) = row else {
        return Ok(Password::None);
    };
    // Mostly the key of the message itself.
    let key = match opener.facts().id == key_id {
        true => Some(opener.clone()),
        false => terminal::key(bank, &mut conn, &terminal, key_id).await?,
    };
    let key = key.filter(|key| now_ms < key.facts().expires_ms.saturating_add(LATE_PASSWORD_MS));
    let Some(digits) = key.and_then(|key| password::open(block, &key, &terminal)) else {
        return Ok(Password::Unreadable);
    };
    drop(conn);
    password::compare(bank, row, digits)
        .await
        .map(Password::Compared)
}
