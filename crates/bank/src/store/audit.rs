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

/// Adds a row to the chain of this transaction. `detail` is JSON without secrets, numbers of cards or of people.
pub(crate) async fn note(
    bank: &Bank,
    conn: &mut Conn,
    (kind, subject, detail): (&str, &str, &str),
    now_ms: u64,
) -> Result<(), Problem> {
    let chain = conn.chain();
    let head: Option<(i64, Vec<u8>)> = conn
        .sql("SELECT last, hash FROM audit_head WHERE bank = $1 AND chain = $2")
        .bind(chain)
        .optional()
        .await?;
    let is_new = head.is_none();
    let (last_id, previous) = head.unwrap_or_else(|| (0, beginning(chain)));
    let row = AuditRow {
        id: last_id + 1,
        at_ms: signed(now_ms),
        kind,
        subject,
        detail,
    };
    let hash = row.hash(&bank.vault, &previous);
    conn.sql(
        "INSERT INTO audit (bank, chain, id, at_ms, kind, subject, detail, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(chain)
    .bind(row.id)
    .bind(row.at_ms)
    .bind(kind)
    .bind(subject)
    .bind(detail)
    .bind(&hash)
    .execute()
    .await?;
    let head = match is_new {
        true => "INSERT INTO audit_head (bank, chain, last, hash) VALUES ($1, $2, $3, $4)",
        false => "UPDATE audit_head SET last = $3, hash = $4 WHERE bank = $1 AND chain = $2",
    };
    let head = conn.sql(head).bind(chain).bind(row.id).bind(&hash);
    head.execute().await?;
    Ok(())
}

/// Something that must never happen did: stored, chained and logged.
pub(crate) async fn incident(
    bank: &Bank,
    conn: &mut Conn,
    (kind, place): (&str, &str),
    load: Option<&[u8; 16]>,
    now_ms: u64,
) -> Result<(), Problem> {
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
    note(bank, conn, ("incident", &id, &detail), now_ms).await
}
