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
    conn.sql("INSERT INTO outbox (bank, kind, sealed, created_ms) VALUES ($1, 'sms', $2, $3)")
        .bind(sealed)
        .bind(signed(now_ms))
        .execute()
        .await?;
    Ok(())
}

pub(crate) async fn load_moved(
    conn: &mut Conn,
    transition: i64,
    payload: &str,
    now_ms: u64,
) -> Result<(), Problem> {
    conn.sql(
        "INSERT INTO outbox (bank, kind, transition, payload, created_ms)
         VALUES ($1, 'load-moved', $2, $3, $4)",
    )
    .bind(transition)
    .bind(payload)
    .bind(signed(now_ms))
    .execute()
    .await?;
    Ok(())
}

/// The oldest of them, SMS only when they are wanted.
pub(crate) async fn waiting(conn: &mut Conn, sms_too: bool) -> Result<Vec<Waiting>, Problem> {
    type Row = (i64, String, Option<String>, Option<Vec<u8>>);
    let rows: Vec<Row> = conn
        .sql(
            "SELECT id, kind, payload, sealed FROM outbox
         WHERE bank = $1 AND delivered_ms IS NULL AND (kind <> 'sms' OR $2 = 1) ORDER BY id LIMIT 100",
        )
        .bind(sms_too)
        .all()
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
pub(crate) async fn delivered(
    conn: &mut Conn,
    (id, outcome): (i64, Option<&'static str>),
    now_ms: u64,
) -> Result<(), Problem> {
    conn.sql(
        "UPDATE outbox SET delivered_ms = $2, sealed = NULL, outcome = $3 WHERE bank = $1 AND id = $4",
    )
    .bind(signed(now_ms))
    .bind(outcome)
    .bind(id)
    .execute()
    .await?;
    Ok(())
}
