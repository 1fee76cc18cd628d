//! What must reach somebody else, at least once.

use crate::error::Problem;
use crate::store::{Conn, signed};

pub(crate) struct Waiting {
    pub(crate) id: i64,
    pub(crate) kind: String,
    pub(crate) payload: Option<String>,
    pub(crate) sealed: Option<Vec<u8>>,
}

pub(crate) async fn sms(conn: &mut Conn, sealed: Vec<u8>, now_ms: u64) -> Result<(), Problem> {
    sqlx::query("INSERT INTO outbox (kind, sealed, created_ms) VALUES ('sms', ?, ?)")
        .bind(sealed)
        .bind(signed(now_ms))
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn load_moved(
    conn: &mut Conn,
    transition: i64,
    payload: &str,
    now_ms: u64,
) -> Result<(), Problem> {
    sqlx::query(
        "INSERT INTO outbox (kind, transition, payload, created_ms) VALUES ('load-moved', ?, ?, ?)",
    )
    .bind(transition)
    .bind(payload)
    .bind(signed(now_ms))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn waiting(conn: &mut Conn) -> Result<Vec<Waiting>, Problem> {
    type Row = (i64, String, Option<String>, Option<Vec<u8>>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, kind, payload, sealed FROM outbox WHERE delivered_ms IS NULL ORDER BY id LIMIT 100",
    )
    .fetch_all(conn)
    .await?;
    let waiting = |(id, kind, payload, sealed)| Waiting {
        id,
        kind,
        payload,
        sealed,
    };
    Ok(rows.into_iter().map(waiting).collect())
}

/// A delivered secret has no reason to stay.
pub(crate) async fn delivered(conn: &mut Conn, id: i64, now_ms: u64) -> Result<(), Problem> {
    sqlx::query("UPDATE outbox SET delivered_ms = ?, sealed = NULL WHERE id = ?")
        .bind(signed(now_ms))
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}
