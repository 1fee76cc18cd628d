//! People of the bank, and what they propose for loads that wait for them.

use ledger::{Proposal, Resolution};

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::customer::{Try, count_try, rounds};
use crate::store::{Conn, signed};
use crate::vault::random;

/// What an operator's password is compared with.
pub(crate) struct OperatorRow {
    pub(crate) id: i64,
    pub(crate) salt: Vec<u8>,
    pub(crate) hash: Vec<u8>,
    pub(crate) rounds: std::num::NonZeroU32,
}

/// A proposal as it was made.
pub(crate) struct ProposalRow {
    pub(crate) proposal: Proposal,
    pub(crate) at_ms: i64,
}

/// Adds an operator, or gives one a new password; one who had left is back. `name` is in its one spelling.
pub(crate) async fn keep(
    bank: &Bank,
    conn: &mut Conn,
    name: &str,
    password: &[u8],
) -> Result<(), Problem> {
    let salt: [u8; 16] = random()?;
    let rounds = bank.settings.password.rounds;
    let hash = bank.vault.slow_hash(password, &salt, rounds);
    let known = "UPDATE operator SET password_salt = $3, password_hash = $4, password_rounds = $5,
         tries_left = $6, locked_ms = NULL, removed_ms = NULL WHERE bank = $1 AND name = $2";
    let new = "INSERT INTO operator (bank, name, password_salt, password_hash, password_rounds, tries_left)
         VALUES ($1, $2, $3, $4, $5, $6)";
    for sql in [known, new] {
        let written = conn
            .sql(sql)
            .bind(name)
            .bind(&salt)
            .bind(&hash)
            .bind(rounds.get())
            .bind(bank.settings.password.tries);
        if written.execute().await? > 0 {
            break;
        }
    }
    Ok(())
}

/// False when there is no such operator, or not any more.
pub(crate) async fn remove(conn: &mut Conn, name: &str, now_ms: u64) -> Result<bool, Problem> {
    let done = conn
        .sql(
            "UPDATE operator SET removed_ms = $2
             WHERE bank = $1 AND name = $3 AND removed_ms IS NULL",
        )
        .bind(signed(now_ms))
        .bind(name)
        .execute()
        .await?;
    Ok(done > 0)
}

pub(crate) async fn find(conn: &mut Conn, name: &str) -> Result<Option<OperatorRow>, Problem> {
    let row: Option<(i64, Vec<u8>, Vec<u8>, i64)> = conn
        .sql(
            "SELECT id, password_salt, password_hash, password_rounds FROM operator
         WHERE bank = $1 AND name = $2 AND removed_ms IS NULL",
        )
        .bind(name)
        .optional()
        .await?;
    let Some((id, salt, hash, number)) = row else {
        return Ok(None);
    };
    Ok(Some(OperatorRow {
        id,
        salt,
        hash,
        rounds: rounds(number)?,
    }))
}

/// Counts a try, as a customer's are.
pub(crate) async fn try_password(
    bank: &Bank,
    conn: &mut Conn,
    id: i64,
    right: bool,
    now_ms: u64,
) -> Result<Try, Problem> {
    let sql = (
        "SELECT tries_left, locked_ms FROM operator WHERE bank = $1 AND id = $2",
        "UPDATE operator SET tries_left = $2, locked_ms = $3 WHERE bank = $1 AND id = $4",
    );
    count_try(bank, conn, sql, id, right, now_ms).await
}

/// Oldest first.
pub(crate) async fn proposals(
    conn: &mut Conn,
    load: &[u8; 16],
) -> Result<Vec<ProposalRow>, Problem> {
    let rows: Vec<(String, String, String, i64)> = conn
        .sql(
            "SELECT operator, resolution, evidence, at_ms FROM proposal
         WHERE bank = $1 AND load = $2 ORDER BY id",
        )
        .bind(load)
        .all()
        .await?;
    let read = |(operator, resolution, evidence, at_ms): (String, String, String, i64)| {
        let resolution = Resolution::ALL
            .into_iter()
            .find(|known| known.name() == resolution);
        let resolution = resolution.ok_or_else(|| Problem::internal("an unknown resolution"))?;
        let proposal = Proposal {
            operator,
            resolution,
            evidence,
        };
        Ok(ProposalRow { proposal, at_ms })
    };
    rows.into_iter().map(read).collect()
}

pub(crate) async fn keep_proposal(
    conn: &mut Conn,
    load: &[u8; 16],
    proposal: &Proposal,
    now_ms: u64,
) -> Result<(), Problem> {
    conn.sql(
        "INSERT INTO proposal (bank, load, operator, resolution, evidence, at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(load)
    .bind(&proposal.operator)
    .bind(proposal.resolution.name())
    .bind(proposal.evidence.trim())
    .bind(signed(now_ms))
    .execute()
    .await?;
    Ok(())
}
