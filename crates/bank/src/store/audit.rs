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

/// Adds a row. `detail` is JSON without secrets, numbers of cards or of people.
pub(crate) async fn note(
    bank: &Bank,
    conn: &mut Conn,
    (kind, subject, detail): (&str, &str, &str),
    now_ms: u64,
) -> Result<(), Problem> {
    let last: Option<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")
            .fetch_optional(&mut *conn)
            .await?;
    let (last_id, previous) = last.unwrap_or_default();
    let row = AuditRow {
        id: last_id + 1,
        at_ms: signed(now_ms),
        kind,
        subject,
        detail,
    };
    sqlx::query(
        "INSERT INTO audit (id, at_ms, kind, subject, detail, hash) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(row.id)
    .bind(row.at_ms)
    .bind(kind)
    .bind(subject)
    .bind(detail)
    .bind(&row.hash(&bank.vault, &previous)[..])
    .execute(conn)
    .await?;
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
    sqlx::query("INSERT INTO incident (id, kind, place, load, at_ms) VALUES (?, ?, ?, ?, ?)")
        .bind(&id)
        .bind(kind)
        .bind(place)
        .bind(load.map(<[u8; 16]>::as_slice))
        .bind(signed(now_ms))
        .execute(&mut *conn)
        .await?;
    log::warn!("incident {id}: {kind} at {place}");
    let detail = serde_json::json!({"kind": kind, "place": place}).to_string();
    note(bank, conn, ("incident", &id, &detail), now_ms).await
}
