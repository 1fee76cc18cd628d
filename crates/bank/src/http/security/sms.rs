//! Codes by SMS (`docs/protocol.md`, section 4).

use std::net::IpAddr;

use envelope::Terminal;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::error::Problem;
use crate::sms::Sms;
use crate::store::sms::{self, Asker, CodeRow, stem};
use crate::store::{Conn, card, commit, counted, customer, outbox};
use crate::vault::random;

/// Sends for one transaction: what a person needs, and too few for guessing.
const MOST_SENDS: u32 = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Send {
    #[serde(with = "hex::serde")]
    transaction: [u8; 16],
    industry: String,
    card_tail: String,
    phone: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verify {
    #[serde(with = "hex::serde")]
    transaction: [u8; 16],
    code: String,
}

/// A number that is not on file gets the same answer, the same limits and, in the store, the same rows.
pub(super) async fn send(
    bank: &Bank,
    (terminal, address): (Terminal, IpAddr),
    asked: &Send,
) -> Result<Value, Problem> {
    let ceiling = shape(bank, asked)?;
    let now_ms = bank.now_ms();
    let asker = Asker {
        terminal: &terminal,
        phone: &asked.phone,
        address,
    };
    let asker = asker.counted(bank);
    // Everybody behind one address meets in its count. Of a server that must not be part of the work: one conflict
    // after another would be all that came of it.
    let mut ahead = bank.store.ahead().await?;
    if let Some(conn) = &mut ahead {
        sends_so_far(bank, conn, (&terminal, asked), now_ms).await?;
        counted::take_alone(conn, &asker, now_ms).await?;
    }
    let is_counted = ahead.take().is_some();
    commit!(bank.store, conn => {
        let sends = sends_so_far(bank, conn, (&terminal, asked), now_ms).await?;
        if !is_counted {
            counted::take(conn, &asker, now_ms).await?;
        }
        let sends = sends.saturating_add(1);
        new_code(bank, conn, (terminal, asked), (ceiling, sends), now_ms).await
    })?;
    Ok(on_its_way(bank))
}

/// The answer to whoever asked for a code, whatever the number.
pub(super) fn on_its_way(bank: &Bank) -> Value {
    bank.outbox.notify_one();
    let limits = &bank.settings.sms;
    let resend_ms = limits.resend_s.saturating_mul(1_000);
    let valid_ms = limits.valid_s.saturating_mul(1_000);
    json!({"resend_after_ms": resend_ms, "valid_ms": valid_ms})
}

/// How many codes this transaction has had, when it may have another one.
async fn sends_so_far(
    bank: &Bank,
    conn: &mut Conn,
    (terminal, asked): (&Terminal, &Send),
    now_ms: u64,
) -> Result<u32, Problem> {
    let before = sms::find(conn, &stem(&asked.transaction)).await?;
    if let Some(before) = &before {
        may_come_again(bank, before, terminal, now_ms)?;
    }
    Ok(before.map_or(0, |before| before.sends))
}

/// The highest amount that the code is for.
fn shape(bank: &Bank, asked: &Send) -> Result<u32, Problem> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let phone = (1..=15).contains(&asked.phone.len()) && digits(&asked.phone);
    let tail = asked.card_tail.len() == 4
        && asked
            .card_tail
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric());
    let industry = bank.industry(&asked.industry).filter(|_| phone && tail);
    industry
        .map(|industry| industry.max_amount)
        .ok_or_else(Problem::bad_request)
}

/// A code for a transaction that has had one already.
fn may_come_again(
    bank: &Bank,
    before: &CodeRow,
    terminal: &Terminal,
    now_ms: u64,
) -> Result<(), Problem> {
    if before.terminal != *terminal || before.spent {
        return Err(Problem::refused(403, "code-unknown"));
    }
    rested(bank, (before.sent_ms, before.sends), now_ms)
}

/// Whether another code may follow the last one, and so many, now.
pub(super) fn rested(
    bank: &Bank,
    (sent_ms, sends): (u64, u32),
    now_ms: u64,
) -> Result<(), Problem> {
    let resend_ms = bank.settings.sms.resend_s.saturating_mul(1_000);
    let wait_ms = sent_ms.saturating_add(resend_ms).saturating_sub(now_ms);
    let over = sends >= MOST_SENDS;
    if wait_ms == 0 && !over {
        return Ok(());
    }
    let wait_ms = if over {
        resend_ms.max(wait_ms)
    } else {
        wait_ms
    };
    Err(Problem::refused(429, "too-many").with("retry_after_ms", wait_ms))
}

/// Makes a code, keeps what is stored of it, and queues its SMS.
async fn new_code(
    bank: &Bank,
    conn: &mut Conn,
    (terminal, asked): (Terminal, &Send),
    (ceiling, sends): (u32, u32),
    now_ms: u64,
) -> Result<(), Problem> {
    let wanted = (
        asked.industry.as_str(),
        asked.card_tail.as_str(),
        asked.phone.as_str(),
    );
    let found = card::of_phone(bank, conn, wanted).await?;
    if found.is_none() {
        // Nobody outside learns it; whoever runs the bank looks for it here.
        log::info!("a code was asked for a phone number and a card that are not on file together");
    }
    let code = draw()?;
    let mut row = CodeRow {
        stem: stem(&asked.transaction),
        terminal,
        industry: asked.industry.clone(),
        card_tail: asked.card_tail.clone(),
        card: found.map(|(card, _)| card),
        ceiling,
        code_hash: Vec::new(),
        sent_ms: now_ms,
        sends,
        tries_left: bank.settings.sms.tries,
        verified_ms: None,
        spent: false,
    };
    row.code_hash = row.hash_of(bank, &code).to_vec();
    sms::save(conn, &row).await?;
    let customer = found.map(|(_, customer)| customer);
    queue(bank, conn, customer, (&row, &code)).await
}

pub(super) fn draw() -> Result<String, Problem> {
    loop {
        let number = u32::from_be_bytes(random()?);
        // Below the largest multiple of a million in 32 bits every code is equally likely.
        if number < 4_294_000_000 {
            return Ok(format!("{:06}", number % 1_000_000));
        }
    }
}

/// Goes to the number on file, never to the one that was typed.
async fn queue(
    bank: &Bank,
    conn: &mut Conn,
    customer: Option<i64>,
    (row, code): (&CodeRow, &str),
) -> Result<(), Problem> {
    let phone = match customer {
        Some(customer) => customer::phone_on_file(bank, conn, customer)
            .await?
            .to_string(),
        None => String::new(),
    };
    let text = format!(
        "[{}] Code {code} for topping up the card ending in {}. Valid {} min. Tell it to nobody.",
        bank.settings.bank.name,
        row.card_tail,
        bank.settings.sms.valid_s / 60,
    );
    let sms = Sms {
        phone,
        card_tail: row.card_tail.clone(),
        code: code.to_owned(),
        text,
        sent_ms: row.sent_ms,
    };
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&sms).map_err(Problem::internal)?);
    outbox::sms(conn, bank.vault.seal("sms", &plain)?, row.sent_ms).await
}

pub(super) async fn verify(
    bank: &Bank,
    terminal: Terminal,
    asked: &Verify,
) -> Result<Value, Problem> {
    if asked.code.len() != 6 || !asked.code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::bad_request());
    }
    let now_ms = bank.now_ms();
    let (row, right) = commit!(bank.store, conn => {
        let found = sms::find(conn, &stem(&asked.transaction)).await?;
        let known = found.filter(|row| row.terminal == terminal && !row.spent);
        let mut row = known.ok_or_else(|| Problem::refused(403, "code-unknown"))?;
        let valid_ms = bank.settings.sms.valid_s.saturating_mul(1_000);
        if now_ms > row.sent_ms.saturating_add(valid_ms) {
            return Err(Problem::refused(403, "code-expired"));
        }
        if row.tries_left == 0 {
            return Err(Problem::refused(403, "code-locked"));
        }
        // An answer that got lost may be asked for again: the proof is the same, and good for one load.
        let right = row.is_right(bank, &asked.code);
        if right {
            row.verified_ms = row.verified_ms.or(Some(now_ms));
        } else {
            row.tries_left = row.tries_left.saturating_sub(1);
        }
        sms::save(conn, &row).await?;
        Ok((row, right))
    })?;
    if right {
        return Ok(json!({"proof": hex::encode(row.proof(bank))}));
    }
    Err(match row.tries_left {
        0 => Problem::refused(403, "code-locked"),
        left => Problem::refused(403, "code-wrong").with("tries_left", left),
    })
}
