//! The audit log, a chain of keyed hashes, and incidents.

use crate::bank::Bank;
use crate::error::{Problem, incident_number};
use crate::store::{Conn, signed};
use crate::vault::{Purpose, Vault};

/// One row of the chain, as it is hashed.
pub(crate) struct AuditRow<'a> {
    pub(crate) id: i64,
    pub(crate) at_ms: i64,
    pub(crate) kind: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) detail: &'a str,
}

impl AuditRow<'_> {
    pub(crate) fn hash(&self, vault: &Vault, previous: &[u8]) -> [u8; 32] {
        let parts = [
            previous,
            &self.id.to_be_bytes(),
            &self.at_ms.to_be_bytes(),
            self.kind.as_bytes(),
            self.subject.as_bytes(),
            self.detail.as_bytes(),
        ];
        vault.hash(Purpose::Audit, &parts)
    }
}

/// What a chain begins with: one chain can't stand in for another.
pub(crate) fn beginning(chain: i64) -> Vec<u8> {
    match chain {
        0 => Vec::new(),
        chain => chain.to_be_bytes().to_vec(),
    }
}

/// What is to be a row. `detail` is JSON without secrets, numbers of cards or of people.
pub(crate) struct Note {
    kind: &'static str,
    subject: String,
    detail: String,
}

impl Note {
    pub(crate) fn new(kind: &'static str, subject: &str, detail: &str) -> Self {
        Self {
            kind,
            subject: subject.to_owned(),
            detail: detail.to_owned(),
        }
    }
}

/// Adds a row to the chain of this transaction.
pub(crate) async fn note(
    bank: &Bank,
    conn: &mut Conn,
    (kind, subject, detail): (&'static str, &str, &str),
    now_ms: u64,
) -> Result<(), Problem> {
    add(bank, conn, &[Note::new(kind, subject, detail)], now_ms).await
}

/// The same with several, in their order: the chain's head is read and written once.
pub(crate) async fn add(
    bank: &Bank,
    conn: &mut Conn,
    notes: &[Note],
    now_ms: u64,
) -> Result<(), Problem> {
    if notes.is_empty() {
        return Ok(());
    }
    let chain = conn.chain();
    let head: Option<(i64, Vec<u8>)> = conn
        .sql("SELECT last, hash FROM audit_head WHERE bank = $1 AND chain = $2")
        .bind(chain)
        .optional()
        .await?;
    let is_new = head.is_none();
    let (mut last, mut hash) = head.unwrap_or_else(|| (0, beginning(chain)));
    for some in notes.chunks(2) {
        let mut sql = conn
            .sql(match some.len() {
                1 => {
                    "INSERT INTO audit (bank, chain, at_ms, id, kind, subject, detail, hash)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
                }
                _ => {
                    "INSERT INTO audit (bank, chain, at_ms, id, kind, subject, detail, hash)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8), ($1, $2, $3, $9, $10, $11, $12, $13)"
                }
            })
            .bind(chain)
            .bind(signed(now_ms));
        for note in some {
            last += 1;
            let row = AuditRow {
                id: last,
                at_ms: signed(now_ms),
                kind: note.kind,
                subject: &note.subject,
                detail: &note.detail,
            };
            hash = row.hash(&bank.vault, &hash).to_vec();
            sql = sql.bind(last).bind(note.kind).bind(&note.subject);
            sql = sql.bind(&note.detail).bind(&hash);
        }
        sql.execute().await?;
    }
    let head = match is_new {
        true => "INSERT INTO audit_head (bank, chain, last, hash) VALUES ($1, $2, $3, $4)",
        false => "UPDATE audit_head SET last = $3, hash = $4 WHERE bank = $1 AND chain = $2",
    };
    let head = conn.sql(head).bind(chain).bind(last).bind(hash);
    head.execute().await?;
    Ok(())
}

/// Something that must never happen did: stored, chained and logged.
pub(crate) async fn incident(
    bank: &Bank,
    conn: &mut Conn,
    what: (&'static str, &str),
    load: Option<&[u8; 16]>,
    now_ms: u64,
) -> Result<(), Problem> {
    let note = seen(conn, what, load, now_ms).await?;
    add(bank, conn, &[note], now_ms).await
}

/// The same where its row of the chain is added with others.
pub(crate) async fn seen(
    conn: &mut Conn,
    (kind, place): (&'static str, &str),
    load: Option<&[u8; 16]>,
    now_ms: u64,
) -> Result<Note, Problem> {
    let id = incident_number();
    conn.sql(
        "INSERT INTO incident (bank, id, kind, place, load, at_ms) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&id)
    .bind(kind)
    .bind(place)
    .bind(load.map(<[u8; 16]>::as_slice))
    .bind(signed(now_ms))
    .execute()
    .await?;
    log::warn!("incident {id}: {kind} at {place}");
    let detail = serde_json::json!({"kind": kind, "place": place}).to_string();
    Ok(Note::new("incident", &id, &detail))
}
