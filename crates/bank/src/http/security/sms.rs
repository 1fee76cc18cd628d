//! Codes by SMS (`docs/protocol.md`, section 4).

use std::net::IpAddr;

use envelope::Terminal;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::error::Problem;
use crate::http::security::codes::{self, Letter, Wanted, rested};
use crate::store::sms::{self, Asker, CodeRow, stem};
use crate::store::{Conn, card, commit};

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

pub(super) async fn send(
    bank: &Bank,
    (terminal, address): (Terminal, IpAddr),
    asked: &Send,
) -> Result<Value, Problem> {
    let ceiling = shape(bank, asked)?;
    let asker = Asker {
        terminal: &terminal,
        phone: &asked.phone,
        address,
    };
    let wanted = OfTransaction {
        terminal,
        asked,
        ceiling,
    };
    codes::send(bank, &asker, &wanted).await
}

/// A code for one transaction.
struct OfTransaction<'a> {
    terminal: Terminal,
    asked: &'a Send,
    ceiling: u32,
}

impl Wanted for OfTransaction<'_> {
    async fn sends_so_far(
        &self,
        bank: &Bank,
        conn: &mut Conn,
        now_ms: u64,
    ) -> Result<u32, Problem> {
        let Some(before) = sms::find(conn, &stem(&self.asked.transaction)).await? else {
            return Ok(0);
        };
        if before.terminal != self.terminal || before.spent {
            return Err(Problem::refused(403, "code-unknown"));
        }
        rested(bank, (before.sent_ms, before.sends), now_ms)?;
        Ok(before.sends)
    }

    async fn keep(
        &self,
        bank: &Bank,
        conn: &mut Conn,
        (code, sends): (&str, u32),
        now_ms: u64,
    ) -> Result<Letter, Problem> {
        let asked = self.asked;
        let wanted = (
            asked.industry.as_str(),
            asked.card_tail.as_str(),
            asked.phone.as_str(),
        );
        let found = card::of_phone(bank, conn, wanted).await?;
        if found.is_none() {
            // Nobody outside learns it; whoever runs the bank looks for it here.
            log::info!(
                "a code was asked for a phone number and a card that are not on file together"
            );
        }
        let mut row = CodeRow {
            stem: stem(&asked.transaction),
            terminal: self.terminal,
            industry: asked.industry.clone(),
            card_tail: asked.card_tail.clone(),
            card: found.map(|(card, _)| card),
            ceiling: self.ceiling,
            code_hash: Vec::new(),
            sent_ms: now_ms,
            sends,
            tries_left: bank.settings.sms.tries,
            verified_ms: None,
            spent: false,
        };
        row.code_hash = row.hash_of(bank, code).to_vec();
        sms::save(conn, &row).await?;
        let text = format!(
            "[{}] Code {code} for topping up the card ending in {}. Valid {} min. Tell it to nobody.",
            bank.settings.bank.name,
            row.card_tail,
            bank.settings.sms.valid_s / 60,
        );
        Ok(Letter {
            customer: found.map(|(_, customer)| customer),
            card_tail: row.card_tail,
            text,
        })
    }
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
