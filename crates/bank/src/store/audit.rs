//! The audit log, a chain of keyed hashes, and incidents.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bank::Bank;
use crate::error::{Problem, incident_number};
use crate::store::sql::Later;
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
    add(bank, conn, vec![Note::new(kind, subject, detail)], now_ms).await
}

/// The last row of a chain: its number and its hash.
type Head = (i64, Vec<u8>);

/// Heads of chains as this process left them. Whether one still is the head is found out when it is replaced: another
/// process, or work that was undone, may have made it an old one.
#[derive(Default)]
pub(crate) struct Heads(Mutex<BTreeMap<i64, Head>>);

impl Heads {
    fn all(&self) -> MutexGuard<'_, BTreeMap<i64, Head>> {
        // Nothing panics while it is held, and an old head does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same with several, in their order: the chain's head is written once.
pub(crate) async fn add(
    bank: &Bank,
    conn: &mut Conn,
    notes: Vec<Note>,
    now_ms: u64,
) -> Result<(), Problem> {
    let adding = Adding::begin(bank, conn, notes, now_ms).await?;
    adding.end(bank, conn).await
}

/// Rows between the two halves of adding them: the first one replaces the chain's head as it was left here, and the
/// second one hears whether that was the head.
#[must_use]
pub(crate) struct Adding {
    notes: Vec<Note>,
    now_ms: u64,
    guessed: Option<Guess>,
}

struct Guess {
    before: Head,
    hashes: Vec<[u8; 32]>,
    /// A row where it was right.
    replaced: Later<(i64,)>,
}

impl Adding {
    pub(crate) async fn begin(
        bank: &Bank,
        conn: &mut Conn,
        notes: Vec<Note>,
        now_ms: u64,
    ) -> Result<Self, Problem> {
        let left = match notes.is_empty() {
            true => None,
            false => bank.audit_heads.all().remove(&conn.chain()),
        };
        let guessed = match left {
            Some(before) => {
                let hashes = hashes(&bank.vault, &before, &notes, now_ms);
                let replaced = replace(conn, &before, &head(&before, &hashes)).await?;
                Some(Guess {
                    before,
                    hashes,
                    replaced,
                })
            }
            None => None,
        };
        Ok(Self {
            notes,
            now_ms,
            guessed,
        })
    }

    pub(crate) async fn end(self, bank: &Bank, conn: &mut Conn) -> Result<(), Problem> {
        let Self {
            notes,
            now_ms,
            guessed,
        } = self;
        if notes.is_empty() {
            return Ok(());
        }
        let known = match guessed {
            Some(guess) => {
                let is_right = !guess.replaced.heard(conn).await?.is_empty();
                is_right.then_some((guess.before, guess.hashes))
            }
            None => None,
        };
        let (before, hashes) = match known {
            Some(known) => known,
            None => looked_up(bank, conn, &notes, now_ms).await?,
        };
        let after = head(&before, &hashes);
        insert(conn, (before.0, &notes), &hashes, now_ms).await?;
        bank.audit_heads.all().insert(conn.chain(), after);
        Ok(())
    }
}

/// The head that is read, once it is replaced, and the hashes of the rows behind it.
async fn looked_up(
    bank: &Bank,
    conn: &mut Conn,
    notes: &[Note],
    now_ms: u64,
) -> Result<(Head, Vec<[u8; 32]>), Problem> {
    let chain = conn.chain();
    let found: Option<Head> = conn
        .sql("SELECT last, hash FROM audit_head WHERE bank = $1 AND chain = $2")
        .bind(chain)
        .optional()
        .await?;
    let is_new = found.is_none();
    let before = found.unwrap_or_else(|| (0, beginning(chain)));
    let hashes = hashes(&bank.vault, &before, notes, now_ms);
    let after = head(&before, &hashes);
    if is_new {
        begin(conn, &after).await?;
    } else if replace(conn, &before, &after)
        .await?
        .heard(conn)
        .await?
        .is_empty()
    {
        return Err(Problem::overtaken("the chain went on while it was read"));
    }
    Ok((before, hashes))
}

fn hashes(vault: &Vault, before: &Head, notes: &[Note], now_ms: u64) -> Vec<[u8; 32]> {
    let (last, hash) = before;
    let mut previous = hash.clone();
    let hash = |(id, note): (i64, &Note)| {
        let row = AuditRow {
            id,
            at_ms: signed(now_ms),
            kind: note.kind,
            subject: &note.subject,
            detail: &note.detail,
        };
        let hash = row.hash(vault, &previous);
        previous = hash.to_vec();
        hash
    };
    (last + 1..).zip(notes).map(hash).collect()
}

/// Of as many rows more.
fn head(before: &Head, hashes: &[[u8; 32]]) -> Head {
    let last = hashes.last().map_or_else(Vec::new, |hash| hash.to_vec());
    (before.0 + i64::try_from(hashes.len()).unwrap_or(0), last)
}

async fn begin(conn: &mut Conn, (last, hash): &Head) -> Result<(), Problem> {
    let chain = conn.chain();
    let sql = "INSERT INTO audit_head (bank, chain, last, hash) VALUES ($1, $2, $3, $4)";
    let sql = conn.sql(sql).bind(chain).bind(*last).bind(hash);
    sql.send().await
}

/// A row unless the head is another one.
async fn replace(conn: &mut Conn, before: &Head, after: &Head) -> Result<Later<(i64,)>, Problem> {
    let chain = conn.chain();
    conn.sql(
        "UPDATE audit_head SET last = $3, hash = $4
         WHERE bank = $1 AND chain = $2 AND last = $5 AND hash = $6 RETURNING last",
    )
    .bind(chain)
    .bind(after.0)
    .bind(&after.1)
    .bind(before.0)
    .bind(&before.1)
    .ask()
    .await
}

async fn insert(
    conn: &mut Conn,
    (mut last, notes): (i64, &[Note]),
    hashes: &[[u8; 32]],
    now_ms: u64,
) -> Result<(), Problem> {
    let chain = conn.chain();
    for (some, hashes) in notes.chunks(2).zip(hashes.chunks(2)) {
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
        for (note, hash) in some.iter().zip(hashes) {
            last += 1;
            sql = sql.bind(last).bind(note.kind).bind(&note.subject);
            sql = sql.bind(&note.detail).bind(hash);
        }
        sql.send().await?;
    }
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
    add(bank, conn, vec![note], now_ms).await
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
    .send()
    .await?;
    log::warn!("incident {id}: {kind} at {place}");
    let detail = serde_json::json!({"kind": kind, "place": place}).to_string();
    Ok(Note::new("incident", &id, &detail))
}
