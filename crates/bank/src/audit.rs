//! The audit log's chains, gone through from their first rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::check::opened;
use crate::config::Settings;
use crate::error::{Problem, StartError};
use crate::running::store_failed;
use crate::store::Conn;
use crate::store::audit::{AuditRow, beginning};
use crate::vault::Vault;

/// The last row of each chain, noted down elsewhere: what ends a chain before it, or makes all of it anew, shows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Anchor(BTreeMap<i64, Noted>);

/// A row's number and its hash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Noted {
    row: i64,
    hash: [u8; 32],
}

/// What the log says.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Audit {
    /// Rows that hang together.
    pub rows: i64,
    /// The last of them, as an [`Anchor`] for later; empty without rows.
    pub anchor: String,
    /// Time of the last of them, ms.
    pub last_ms: Option<i64>,
    /// The first row of each chain that does not hang together, or the one of the anchor that is not there.
    pub broken: Option<String>,
}

impl std::str::FromStr for Anchor {
    type Err = String;

    /// `CHAIN:ROW:HASH`, several with commas between them: `anchor` of an earlier [`Audit`].
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "`anchor`, as an earlier `audit verify` printed it".to_owned();
        let noted = |text: &str| {
            let (chain, rest) = text.split_once(':')?;
            let (row, head) = rest.split_once(':')?;
            let mut hash = [0; 32];
            hex::decode_to_slice(head, &mut hash).ok()?;
            let row = row.parse().ok().filter(|row| *row > 0)?;
            Some((chain.parse().ok()?, Noted { row, hash }))
        };
        let all: Option<BTreeMap<i64, Noted>> = text.split(',').map(noted).collect();
        all.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (chain, noted)) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(
                out,
                "{comma}{chain}:{}:{}",
                noted.row,
                hex::encode(noted.hash)
            )?;
        }
        Ok(())
    }
}

/// Verifies the audit log of the bank in `dir`, running or not. A bank whose files are sealed needs its configuration.
///
/// # Errors
/// When the directory holds no bank that can be read.
pub async fn verify_audit(
    dir: &Path,
    settings: Option<&Settings>,
    anchor: Option<&Anchor>,
) -> Result<Audit, StartError> {
    let (store, vault) = opened(dir, settings).await?;
    let work = async {
        let mut conn = store.snapshot().await?;
        log(&mut conn, &vault, anchor).await
    };
    let audit = work.await.map_err(store_failed);
    store.close().await;
    audit
}

/// Goes through each chain until its end or its first fault.
pub(crate) async fn log(
    conn: &mut Conn,
    vault: &Vault,
    anchor: Option<&Anchor>,
) -> Result<Audit, Problem> {
    let sql = "SELECT chain FROM audit_head WHERE bank = $1
         UNION SELECT DISTINCT chain FROM audit WHERE bank = $1";
    let there: Vec<(i64,)> = conn.sql(sql).all().await?;
    let noted = anchor
        .into_iter()
        .flat_map(|anchor| anchor.0.keys().copied());
    let chains: BTreeSet<i64> = there
        .into_iter()
        .map(|(chain,)| chain)
        .chain(noted)
        .collect();
    let mut audit = Audit::default();
    let mut last = Anchor::default();
    let mut broken = Vec::new();
    for number in chains {
        let noted = anchor.and_then(|anchor| anchor.0.get(&number));
        let chain = chain(conn, vault, number, noted).await?;
        audit.last_ms = audit.last_ms.max(chain.last_ms);
        if let Some(head) = chain.head {
            audit.rows += head.row;
            last.0.insert(number, head);
        }
        broken.extend(chain.broken.map(|place| match number {
            0 => place,
            number => format!("{place} of chain {number}"),
        }));
    }
    audit.anchor = last.to_string();
    audit.broken = (!broken.is_empty()).then(|| broken.join(", "));
    Ok(audit)
}

#[derive(Default)]
struct Chain {
    head: Option<Noted>,
    last_ms: Option<i64>,
    broken: Option<String>,
}

async fn chain(
    conn: &mut Conn,
    vault: &Vault,
    number: i64,
    noted: Option<&Noted>,
) -> Result<Chain, Problem> {
    let mut chain = Chain::default();
    let mut previous = beginning(number);
    let mut last = 0;
    loop {
        let rows = rows_after(conn, number, last).await?;
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
            let made = row.hash(vault, &previous);
            let follows = id == last + 1 && made[..] == hash[..];
            let as_noted = noted.is_none_or(|it| it.row != id || it.hash == made);
            if !follows || !as_noted {
                chain.broken = Some(format!("audit row {id}"));
                return Ok(chain);
            }
            (last, previous, chain.last_ms) = (id, hash, Some(at_ms));
            chain.head = Some(Noted {
                row: id,
                hash: made,
            });
        }
    }
    let kept = kept_head(conn, number).await?;
    let missing = match (kept, noted) {
        (_, Some(noted)) if noted.row > last => Some(noted.row),
        (Some((row, hash)), _) if row != last || hash != previous => Some(row.max(last + 1)),
        (None, _) if last > 0 => Some(last + 1),
        _ => None,
    };
    chain.broken = missing.map(|row| format!("audit row {row} is missing"));
    Ok(chain)
}

/// The last row, as those who add to the chain left it.
async fn kept_head(conn: &mut Conn, chain: i64) -> Result<Option<(i64, Vec<u8>)>, Problem> {
    let sql = "SELECT last, hash FROM audit_head WHERE bank = $1 AND chain = $2";
    conn.sql(sql).bind(chain).optional().await
}

type Row = (i64, i64, String, String, String, Vec<u8>);

async fn rows_after(conn: &mut Conn, chain: i64, last: i64) -> Result<Vec<Row>, Problem> {
    conn.sql(
        "SELECT id, at_ms, kind, subject, detail, hash FROM audit
         WHERE bank = $1 AND chain = $2 AND id > $3 ORDER BY id LIMIT 1000",
    )
    .bind(chain)
    .bind(last)
    .all()
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_read_as_it_was_printed() {
        let text = format!("0:7:{},63:1:{}", "ab".repeat(32), "cd".repeat(32));
        let anchor: Anchor = text.parse().unwrap();
        assert_eq!(anchor.0.get(&0).map(|noted| noted.row), Some(7));
        assert_eq!(anchor.to_string(), text);
        for wrong in ["", "7", "0:0:ab", "::", "0:7:abcd", "x:1:", "0:7:", ","] {
            assert!(wrong.parse::<Anchor>().is_err(), "{wrong}");
        }
    }
}
