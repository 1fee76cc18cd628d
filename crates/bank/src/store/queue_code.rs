//! Codes that open queues: keyed hashes and tries.

use envelope::Terminal;
use ledger::QueueId;
use subtle::ConstantTimeEq;

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::row::row;
use crate::store::{Conn, narrow, signed, unsigned};
use crate::vault::Purpose;

/// One code, for one queue of so many cards and so much money.
pub(crate) struct CodeRow {
    pub(crate) queue: QueueId,
    pub(crate) terminal: Terminal,
    pub(crate) industry: String,
    /// None when the number that was typed is nobody's.
    pub(crate) customer: Option<i64>,
    pub(crate) cards: u32,
    pub(crate) total: u32,
    pub(crate) code_hash: Vec<u8>,
    pub(crate) sent_ms: u64,
    pub(crate) sends: u32,
    pub(crate) tries_left: u32,
    pub(crate) spent: bool,
}

impl CodeRow {
    /// What is stored of a code: bound to queue, terminal, industry, number of cards and total.
    pub(crate) fn hash_of(&self, bank: &Bank, code: &str) -> [u8; 32] {
        let parts = [
            &self.queue.0[..],
            &self.terminal.bcd(),
            self.industry.as_bytes(),
            &self.cards.to_be_bytes(),
            &self.total.to_be_bytes(),
            code.as_bytes(),
        ];
        bank.vault.hash(Purpose::QueueCode, &parts)
    }

    pub(crate) fn is_right(&self, bank: &Bank, code: &str) -> bool {
        let right: bool = self.hash_of(bank, code).ct_eq(&self.code_hash[..]).into();
        right && self.customer.is_some()
    }
}

row! {
    struct Stored {
        terminal: String,
        industry: String,
        customer: Option<i64>,
        cards: i64,
        total: i64,
        code_hash: Vec<u8>,
        sent_ms: i64,
        sends: i64,
        tries_left: i64,
        spent_ms: Option<i64>,
    }
}

pub(crate) async fn find(conn: &mut Conn, queue: QueueId) -> Result<Option<CodeRow>, Problem> {
    let row: Option<Stored> = conn
        .sql(
            "SELECT terminal, industry, customer, cards, total, code_hash, sent_ms, sends,
             tries_left, spent_ms FROM queue_code WHERE bank = $1 AND queue = $2",
        )
        .bind(queue.to_string())
        .optional()
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(CodeRow {
        queue,
        terminal: row.terminal.parse().map_err(Problem::internal)?,
        industry: row.industry,
        customer: row.customer,
        cards: narrow(row.cards)?,
        total: narrow(row.total)?,
        code_hash: row.code_hash,
        sent_ms: unsigned(row.sent_ms)?,
        sends: narrow(row.sends)?,
        tries_left: narrow(row.tries_left)?,
        spent: row.spent_ms.is_some(),
    }))
}

pub(crate) async fn save(conn: &mut Conn, row: &CodeRow) -> Result<(), Problem> {
    let known = "UPDATE queue_code SET industry = $4, customer = $5, cards = $6, total = $7,
         code_hash = $8, sent_ms = $9, sends = $10, tries_left = $11
         WHERE bank = $1 AND queue = $2 AND terminal = $3";
    let new = "INSERT INTO queue_code (bank, queue, terminal, industry, customer, cards, total,
         code_hash, sent_ms, sends, tries_left)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    if write(conn, known, row).await? == 0 {
        write(conn, new, row).await?;
    }
    Ok(())
}

async fn write(conn: &mut Conn, sql: &'static str, row: &CodeRow) -> Result<u64, Problem> {
    conn.sql(sql)
        .bind(row.queue.to_string())
        .bind(row.terminal.to_string())
        .bind(&row.industry)
        .bind(row.customer)
        .bind(row.cards)
        .bind(row.total)
        .bind(&row.code_hash)
        .bind(signed(row.sent_ms))
        .bind(row.sends)
        .bind(row.tries_left)
        .execute()
        .await
}

/// The code is used up (I15).
pub(crate) async fn spend(conn: &mut Conn, queue: QueueId, now_ms: u64) -> Result<(), Problem> {
    conn.sql("UPDATE queue_code SET spent_ms = $2 WHERE bank = $1 AND queue = $3")
        .bind(signed(now_ms))
        .bind(queue.to_string())
        .send()
        .await
}
