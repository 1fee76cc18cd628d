//! Codes by SMS: keyed hashes, tries, and the proof for one load.

use std::net::IpAddr;

use envelope::Terminal;
use subtle::ConstantTimeEq;

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::counted::{Counted, Kind};
use crate::store::row::row;
use crate::store::{Conn, narrow, signed, unsigned};
use crate::vault::Purpose;

/// One code: for the transaction ids that share 15 bytes.
pub(crate) struct CodeRow {
    pub(crate) stem: [u8; 15],
    pub(crate) terminal: Terminal,
    pub(crate) industry: String,
    pub(crate) card_tail: String,
    /// None when the number that was typed is not the one on file.
    pub(crate) card: Option<i64>,
    pub(crate) ceiling: u32,
    pub(crate) code_hash: Vec<u8>,
    pub(crate) sent_ms: u64,
    pub(crate) sends: u32,
    pub(crate) tries_left: u32,
    pub(crate) verified_ms: Option<u64>,
    pub(crate) spent: bool,
}

impl CodeRow {
    /// What is stored of a code: bound to transaction, terminal, card tail and ceiling.
    pub(crate) fn hash_of(&self, bank: &Bank, code: &str) -> [u8; 32] {
        let parts = [
            &self.stem[..],
            &self.terminal.bcd(),
            self.industry.as_bytes(),
            self.card_tail.as_bytes(),
            &self.ceiling.to_be_bytes(),
            code.as_bytes(),
        ];
        bank.vault.hash(Purpose::SmsCode, &parts)
    }

    pub(crate) fn is_right(&self, bank: &Bank, code: &str) -> bool {
        let right: bool = self.hash_of(bank, code).ct_eq(&self.code_hash[..]).into();
        right && self.card.is_some()
    }

    /// 16 bytes that only this bank makes, the same whenever asked, so that nothing secret is stored.
    pub(crate) fn proof(&self, bank: &Bank) -> [u8; 16] {
        let hash = bank
            .vault
            .hash(Purpose::SmsProof, &[&self.stem, &self.code_hash]);
        let [proof, _] = hash.as_chunks::<16>().0 else {
            unreachable!("32 bytes are two of 16")
        };
        *proof
    }
}

/// The first 15 bytes of a transaction's id: the last one counts the attempts under the same code.
pub(crate) fn stem(transaction: &[u8; 16]) -> [u8; 15] {
    let [stem @ .., _] = *transaction;
    stem
}

row! {
    struct Stored {
        terminal: String,
        industry: String,
        card_tail: String,
        card: Option<i64>,
        ceiling: i64,
        code_hash: Vec<u8>,
        sent_ms: i64,
        sends: i64,
        tries_left: i64,
        verified_ms: Option<i64>,
        spent_ms: Option<i64>,
    }
}

pub(crate) async fn find(conn: &mut Conn, stem: &[u8; 15]) -> Result<Option<CodeRow>, Problem> {
    let row: Option<Stored> = conn.sql(
        "SELECT terminal, industry, card_tail, card, ceiling, code_hash, sent_ms, sends, tries_left,
         verified_ms, spent_ms FROM sms_code WHERE bank = $1 AND stem = $2",
    )
    .bind(&stem[..])
    .optional()
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(CodeRow {
        stem: *stem,
        terminal: row.terminal.parse().map_err(Problem::internal)?,
        industry: row.industry,
        card_tail: row.card_tail,
        card: row.card,
        ceiling: narrow(row.ceiling)?,
        code_hash: row.code_hash,
        sent_ms: unsigned(row.sent_ms)?,
        sends: narrow(row.sends)?,
        tries_left: narrow(row.tries_left)?,
        verified_ms: row.verified_ms.map(unsigned).transpose()?,
        spent: row.spent_ms.is_some(),
    }))
}

pub(crate) async fn save(conn: &mut Conn, row: &CodeRow) -> Result<(), Problem> {
    let known = "UPDATE sms_code SET industry = $4, card_tail = $5, card = $6, ceiling = $7,
         code_hash = $8, sent_ms = $9, sends = $10, tries_left = $11, verified_ms = $12
         WHERE bank = $1 AND stem = $2 AND terminal = $3";
    let new =
        "INSERT INTO sms_code (bank, stem, terminal, industry, card_tail, card, ceiling, code_hash,
         sent_ms, sends, tries_left, verified_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    if write(conn, known, row).await? == 0 {
        write(conn, new, row).await?;
    }
    Ok(())
}

async fn write(conn: &mut Conn, sql: &'static str, row: &CodeRow) -> Result<u64, Problem> {
    conn.sql(sql)
        .bind(&row.stem[..])
        .bind(row.terminal.to_string())
        .bind(&row.industry)
        .bind(&row.card_tail)
        .bind(row.card)
        .bind(row.ceiling)
        .bind(&row.code_hash)
        .bind(signed(row.sent_ms))
        .bind(row.sends)
        .bind(row.tries_left)
        .bind(row.verified_ms.map(signed))
        .execute()
        .await
}

/// The proof is used up (I15).
pub(crate) async fn spend(conn: &mut Conn, stem: &[u8; 15], now_ms: u64) -> Result<(), Problem> {
    conn.sql("UPDATE sms_code SET spent_ms = $2 WHERE bank = $1 AND stem = $3")
        .bind(signed(now_ms))
        .bind(&stem[..])
        .send()
        .await
}

/// Who and what a send counts for.
pub(crate) struct Asker<'a> {
    pub(crate) terminal: &'a Terminal,
    /// As typed, known or not.
    pub(crate) phone: &'a str,
    pub(crate) address: IpAddr,
}

impl Asker<'_> {
    /// Each kind with its subject and its limit for an hour.
    pub(crate) fn counted(&self, bank: &Bank) -> [Counted; 4] {
        let limits = &bank.settings.sms;
        // A block of 10,000 numbers: who walks through numbers meets the limit of their common beginning.
        let prefix_length = self.phone.len().saturating_sub(4);
        let prefix = self.phone.get(..prefix_length).unwrap_or_default();
        let terminal = self.terminal.to_string();
        [
            Counted::new(bank, Kind::Number, self.phone, limits.per_number_per_hour),
            Counted::new(bank, Kind::Prefix, prefix, limits.per_prefix_per_hour),
            Counted::new(
                bank,
                Kind::Terminal,
                &terminal,
                limits.per_terminal_per_hour,
            ),
            Counted::of_address(
                bank,
                Kind::Address,
                self.address,
                limits.per_address_per_hour,
            ),
        ]
    }
}
