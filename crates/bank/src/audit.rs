//! The audit log's chain, gone through from its first row.

use std::path::Path;

use serde::Serialize;

use crate::check::opened;
use crate::config::Settings;
use crate::error::{Problem, StartError};
use crate::running::store_failed;
use crate::store::Conn;
use crate::store::audit::AuditRow;
use crate::vault::Vault;

/// A row of the chain that was noted down elsewhere: what ends the chain before it, or makes all of it anew, shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchor {
    /// The row's number.
    pub row: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// What the chain says.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Chain {
    /// Rows that hang together.
    pub rows: i64,
    /// Hash of the last of them, hex digits; empty without rows.
    pub head: String,
    /// Time of the last of them, ms.
    pub last_ms: Option<i64>,
    /// The first row that does not hang together, or the anchor that is not there.
    pub broken: Option<String>,
}

impl std::str::FromStr for Anchor {
    type Err = String;

    /// `ROWS:HEAD`, as `rows` and `head` of an earlier [`Chain`].
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "ROWS:HEAD, as an earlier `audit verify` printed them".to_owned();
        let (row, head) = text.split_once(':').ok_or_else(wrong)?;
        let mut hash = [0; 32];
        hex::decode_to_slice(head, &mut hash).map_err(|_| wrong())?;
        let row = row.parse().ok().filter(|row| *row > 0);
        Ok(Self {
            row: row.ok_or_else(wrong)?,
            hash,
        })
    }
}

/// Verifies the chain of the bank in `dir`, running or not. A bank whose files are sealed needs its configuration.
///
/// # Errors
/// When the directory holds no bank that can be read.
pub async fn verify_audit(
    dir: &Path,
    settings: Option<&Settings>,
    anchor: Option<&Anchor>,
) -> Result<Chain, StartError> {
    let (store, vault) = opened(dir, settings).await?;
    let work = async {
        let mut conn = store.snapshot().await?;
        chain(&mut conn, &vault, anchor).await
    };
    let chain = work.await.map_err(store_failed);
    store.close().await;
    chain
}

/// Goes through the chain until its end or its first fault.
pub(crate) async fn chain(
    conn: &mut Conn,
    vault: &Vault,
    anchor: Option<&Anchor>,
) -> Result<Chain, Problem> {
    let mut chain = Chain::default();
    let mut previous = Vec::new();
    loop {
        let rows = rows_after(conn, chain.rows).await?;
        if rows.is_empty() {
            break;
        }
        for (id, at_ms, kind, subject, detail, hash) in rows {
            let row = AuditRow {
                id,
                at_ms,
                kind: &kind,
                subject: &subject,
                detail: &detail,
            };
            let follows = id == chain.rows + 1 && row.hash(vault, &previous)[..] == hash[..];
            let noted = anchor.is_none_or(|it| it.row != id || it.hash[..] == hash[..]);
            if !follows || !noted {
                chain.broken = Some(format!("audit row {id}"));
                return Ok(chain);
            }
            (chain.rows, chain.last_ms, previous) = (id, Some(at_ms), hash);
            chain.head = hex::encode(&previous);
        }
    }
    if let Some(anchor) = anchor.filter(|anchor| anchor.row > chain.rows) {
        chain.broken = Some(format!("audit row {} is missing", anchor.row));
    }
    Ok(chain)
}

type Row = (i64, i64, String, String, String, Vec<u8>);

async fn rows_after(conn: &mut Conn, last: i64) -> Result<Vec<Row>, Problem> {
    let rows = sqlx::query_as(
        "SELECT id, at_ms, kind, subject, detail, hash FROM audit WHERE id > $1 ORDER BY id LIMIT 1000",
    )
    .bind(last)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_read_as_it_was_printed() {
        let text = format!("7:{}", "ab".repeat(32));
        let anchor = Anchor {
            row: 7,
            hash: [0xAB; 32],
        };
        assert_eq!(text.parse(), Ok(anchor));
        for wrong in ["7", "0:ab", ":", "7:abcd", "x:"] {
            assert!(wrong.parse::<Anchor>().is_err(), "{wrong}");
        }
    }
}
