//! What must reach somebody else, at least once.

use ledger::Phase;

use crate::error::Problem;
use crate::store::sql::Later;
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
        .send()
        .await
}

/// A step of a load's, and what is told of it.
pub(crate) struct Moved<'a> {
    pub(crate) from: Phase,
    pub(crate) to: Phase,
    pub(crate) told: &'a str,
}

/// One transition and one event for each step (I17): the first half makes the transitions, whose numbers the events
/// need.
#[must_use]
pub(crate) struct Moving<'a> {
    parts: Vec<Part<'a>>,
    now_ms: u64,
}

/// Steps of one statement, and the number and the later phase of each transition that it makes.
type Part<'a> = (&'a [Moved<'a>], Later<(i64, String)>);

/// Steps that are written by one statement.
const STEPS: usize = 2;

impl<'a> Moving<'a> {
    pub(crate) async fn begin(
        conn: &mut Conn,
        load: &[u8; 16],
        moves: &'a [Moved<'a>],
        now_ms: u64,
    ) -> Result<Self, Problem> {
        let mut parts = Vec::new();
        for some in moves.chunks(STEPS) {
            let mut transitions = conn
                .sql(match some.len() {
                    1 => {
                        "INSERT INTO transition (bank, load, at_ms, from_phase, to_phase)
                         VALUES ($1, $2, $3, $4, $5) RETURNING id, to_phase"
                    }
                    _ => {
                        "INSERT INTO transition (bank, load, at_ms, from_phase, to_phase)
                         VALUES ($1, $2, $3, $4, $5), ($1, $2, $3, $6, $7) RETURNING id, to_phase"
                    }
                })
                .bind(load)
                .bind(signed(now_ms));
            for it in some {
                transitions = transitions.bind(it.from.name()).bind(it.to.name());
            }
            parts.push((some, transitions.ask().await?));
        }
        Ok(Self { parts, now_ms })
    }

    pub(crate) async fn end(self, conn: &mut Conn) -> Result<(), Problem> {
        for (some, made) in self.parts {
            // In whatever order an engine tells them: the newer step has the higher number.
            let mut made = made.heard(conn).await?;
            made.sort_unstable();
            let fits = made.len() == some.len()
                && made
                    .iter()
                    .zip(some)
                    .all(|((_, to), it)| *to == it.to.name());
            if !fits {
                return Err(Problem::internal("transitions out of their order"));
            }
            let mut events = conn
                .sql(match some.len() {
                    1 => {
                        "INSERT INTO outbox (bank, kind, created_ms, transition, payload)
                         VALUES ($1, 'load-moved', $2, $3, $4)"
                    }
                    _ => {
                        "INSERT INTO outbox (bank, kind, created_ms, transition, payload)
                         VALUES ($1, 'load-moved', $2, $3, $4), ($1, 'load-moved', $2, $5, $6)"
                    }
                })
                .bind(signed(self.now_ms));
            for ((transition, _), it) in made.iter().zip(some) {
                events = events.bind(*transition).bind(it.told);
            }
            events.send().await?;
        }
        Ok(())
    }
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

/// Events that are marked by one statement.
const AT_ONCE: usize = 16;

/// A delivered secret has no reason to stay.
pub(crate) async fn delivered(
    conn: &mut Conn,
    (ids, outcome): (&[i64], Option<&'static str>),
    now_ms: u64,
) -> Result<(), Problem> {
    for some in ids.chunks(AT_ONCE) {
        let mut sql = conn
            .sql(match some.len() {
                1 => {
                    "UPDATE outbox SET delivered_ms = $2, sealed = NULL, outcome = $3
                     WHERE bank = $1 AND id = $4"
                }
                _ => {
                    "UPDATE outbox SET delivered_ms = $2, sealed = NULL, outcome = $3
                     WHERE bank = $1 AND id IN
                     ($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
                }
            })
            .bind(signed(now_ms))
            .bind(outcome);
        // Of fewer the last one stands for the rest.
        let last = some.iter().cycle().skip(some.len() - 1).step_by(some.len());
        let places = if some.len() == 1 { 1 } else { AT_ONCE };
        for id in some.iter().chain(last).take(places) {
            sql = sql.bind(*id);
        }
        sql.send().await?;
    }
    Ok(())
}
