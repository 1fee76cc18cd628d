//! What a core banking host was asked, and what it owes or is owed: one row for each load.

use ledger::{Account, Phase, Transfer};

use crate::bank::Bank;
use crate::corebank::message::rrn;
use crate::corebank::{Ask, Reversal, Undone};
use crate::error::Problem;
use crate::metrics::Waits;
use crate::store::load::LoadRow;
use crate::store::row::row;
use crate::store::{Conn, array, customer, money, narrow, signed, unsigned};
use crate::vault::random;

/// Numbers that are tried for one load before something else must be wrong.
const TRIES: usize = 16;
/// Rows of one round.
const MOST: i64 = 32;

/// Stores that the host will be asked, under numbers that no other load has; until `until_ms` it is the asker's.
pub(crate) async fn ask(
    bank: &Bank,
    conn: &mut Conn,
    row: &LoadRow,
    stan: u32,
    (now_ms, until_ms): (u64, u64),
) -> Result<Ask, Problem> {
    let order = row.load.order();
    let account = customer::account(bank, conn, order.account.0).await?;
    for _ in 0..TRIES {
        let number = rrn(now_ms, u32::from_be_bytes(random()?));
        let number = number.ok_or_else(|| Problem::internal("no date"))?;
        let made = conn
            .sql(
                "INSERT INTO core (bank, load, state, amount, stan, rrn, asked_ms, since_ms, next_ms)
                 VALUES ($1, $2, 'asked', $3, $4, $5, $6, $6, $7) ON CONFLICT DO NOTHING",
            )
            .bind(row.id())
            .bind(order.amount)
            .bind(stan)
            .bind(&number)
            .bind(signed(now_ms))
            .bind(signed(until_ms))
            .execute()
            .await?;
        if made > 0 {
            return Ok(Ask {
                load: *row.id(),
                stan,
                rrn: number,
                amount: order.amount,
                asked_ms: now_ms,
                account,
            });
        }
    }
    Err(Problem::internal("no free number for the core host"))
}

/// Whether a load still waits for this question's answer.
pub(crate) async fn is_asked(conn: &mut Conn, ask: &Ask) -> Result<bool, Problem> {
    let sql = "SELECT rrn FROM core WHERE bank = $1 AND load = $2 AND state = 'asked'";
    let found: Option<(String,)> = conn.sql(sql).bind(&ask.load).optional().await?;
    Ok(found.is_some_and(|(rrn,)| rrn == ask.rrn))
}

/// Whether the host may have something booked for this load, which is void.
pub(crate) async fn is_unsure(conn: &mut Conn, row: &LoadRow) -> Result<bool, Problem> {
    if row.phase() != Phase::Voided {
        return Ok(false);
    }
    let sql = "SELECT state FROM core WHERE bank = $1 AND load = $2 AND state = 'reverse'";
    let found: Option<(String,)> = conn.sql(sql).bind(row.id()).optional().await?;
    Ok(found.is_some())
}

/// The host's yes: what it took from the customer is the load's to take.
pub(crate) async fn booked(
    conn: &mut Conn,
    row: &LoadRow,
    approval: Option<&str>,
    now_ms: u64,
) -> Result<(), Problem> {
    let sql = "UPDATE core SET state = 'booked', response = '00', approval = $3, since_ms = $4
         WHERE bank = $1 AND load = $2 AND state = 'asked'";
    let sql = conn.sql(sql).bind(row.id()).bind(approval);
    sql.bind(signed(now_ms)).execute().await?;
    let order = row.load.order();
    let deposit = Transfer {
        from: Account::Funding(row.load.shard()),
        to: Account::Customer(order.account),
        amount: order.amount,
    };
    money::post(conn, &deposit, Some(row.id()), now_ms).await
}

/// The host's no.
pub(crate) async fn declined(
    conn: &mut Conn,
    row: &LoadRow,
    response: &str,
    now_ms: u64,
) -> Result<(), Problem> {
    let sql = "UPDATE core SET state = 'declined', response = $3, since_ms = $4
         WHERE bank = $1 AND load = $2 AND state = 'asked'";
    let sql = conn.sql(sql).bind(row.id()).bind(response);
    sql.bind(signed(now_ms)).execute().await?;
    Ok(())
}

/// An answer that was no yes and no no, for whoever looks into it.
pub(crate) async fn doubtful(
    conn: &mut Conn,
    row: &LoadRow,
    response: &str,
) -> Result<(), Problem> {
    let sql = "UPDATE core SET response = $3 WHERE bank = $1 AND load = $2";
    let sql = conn.sql(sql).bind(row.id()).bind(response);
    sql.execute().await?;
    Ok(())
}

/// What a load's move means for the host: nothing of a load that is void or given back may stay booked there.
pub(crate) async fn moved(
    conn: &mut Conn,
    row: &LoadRow,
    to: Phase,
    now_ms: u64,
) -> Result<(), Problem> {
    let from = match to {
        Phase::Voided => "asked",
        Phase::Reversed => "booked",
        Phase::Requested
        | Phase::Authorised
        | Phase::Issued
        | Phase::InDoubt
        | Phase::Manual
        | Phase::Confirmed
        | Phase::Declined
        | Phase::WrittenOff => return Ok(()),
    };
    let owed = conn
        .sql(
            "UPDATE core SET state = 'reverse', since_ms = $3, next_ms = $3
             WHERE bank = $1 AND load = $2 AND state = $4",
        )
        .bind(row.id())
        .bind(signed(now_ms))
        .bind(from)
        .execute()
        .await?;
    if owed == 0 || to == Phase::Voided {
        return Ok(());
    }
    let order = row.load.order();
    let withdrawal = Transfer {
        from: Account::Customer(order.account),
        to: Account::Funding(row.load.shard()),
        amount: order.amount,
    };
    money::post(conn, &withdrawal, Some(row.id()), now_ms).await
}

/// Loads whose asker has gone: it would have come back by now.
pub(crate) async fn orphans(conn: &mut Conn, now_ms: u64) -> Result<Vec<[u8; 16]>, Problem> {
    due(conn, "asked", now_ms).await
}

/// Whether this is one of them.
pub(crate) async fn is_orphan(
    conn: &mut Conn,
    load: &[u8; 16],
    now_ms: u64,
) -> Result<bool, Problem> {
    let sql = "SELECT next_ms FROM core WHERE bank = $1 AND load = $2 AND state = 'asked'";
    let found: Option<(i64,)> = conn.sql(sql).bind(load).optional().await?;
    Ok(found.is_some_and(|(next_ms,)| next_ms <= signed(now_ms)))
}

/// Loads that are to be taken back, and are nobody's now.
pub(crate) async fn owed(conn: &mut Conn, now_ms: u64) -> Result<Vec<[u8; 16]>, Problem> {
    due(conn, "reverse", now_ms).await
}

async fn due(conn: &mut Conn, state: &str, now_ms: u64) -> Result<Vec<[u8; 16]>, Problem> {
    let sql = "SELECT load FROM core WHERE bank = $1 AND state = $2 AND next_ms <= $3
         AND state IN ('asked', 'reverse') ORDER BY next_ms LIMIT $4";
    let sql = conn.sql(sql).bind(state).bind(signed(now_ms)).bind(MOST);
    let rows: Vec<(Vec<u8>,)> = sql.all().await?;
    rows.iter().map(|(load,)| array(load)).collect()
}

row! {
    struct Owed {
        account: i64,
        amount: i64,
        stan: i64,
        rrn: String,
        asked_ms: i64,
        approval: Option<String>,
        reversal_stan: i64,
        reversals: i64,
    }
}

/// Takes a reversal for oneself until `until_ms`; none when it is somebody else's, or done.
pub(crate) async fn take(
    bank: &Bank,
    conn: &mut Conn,
    load: &[u8; 16],
    stan: u32,
    (now_ms, until_ms): (u64, u64),
) -> Result<Option<Reversal>, Problem> {
    let taken = conn
        .sql(
            "UPDATE core SET next_ms = $3, reversals = reversals + 1,
             reversal_stan = coalesce(reversal_stan, $4)
             WHERE bank = $1 AND load = $2 AND state = 'reverse' AND next_ms <= $5",
        )
        .bind(load)
        .bind(signed(until_ms))
        .bind(stan)
        .bind(signed(now_ms))
        .execute()
        .await?;
    if taken == 0 {
        return Ok(None);
    }
    let row: Owed = conn
        .sql(
            "SELECT load.account, core.amount, core.stan, core.rrn, core.asked_ms, core.approval,
             core.reversal_stan, core.reversals FROM core
             JOIN load ON load.bank = core.bank AND load.id = core.load
             WHERE core.bank = $1 AND core.load = $2",
        )
        .bind(load)
        .one()
        .await?;
    let original = Ask {
        load: *load,
        stan: narrow(row.stan)?,
        rrn: row.rrn,
        amount: narrow(row.amount)?,
        asked_ms: unsigned(row.asked_ms)?,
        account: customer::account(bank, conn, row.account).await?,
    };
    Ok(Some(Reversal {
        original,
        approval: row.approval,
        stan: narrow(row.reversal_stan)?,
        again: row.reversals > 1,
    }))
}

/// What came of sending a reversal; one that is not settled is due again at `next_ms`. True: it is settled just now.
pub(crate) async fn sent(
    conn: &mut Conn,
    load: &[u8; 16],
    undone: Option<&Undone>,
    (now_ms, next_ms): (u64, u64),
) -> Result<bool, Problem> {
    let response = undone.map(|it| it.response.as_str());
    if undone.is_some_and(|it| it.settled) {
        let sql = "UPDATE core SET state = 'reversed', reversal_response = $3, since_ms = $4
             WHERE bank = $1 AND load = $2 AND state = 'reverse'";
        let sql = conn.sql(sql).bind(load).bind(response);
        return Ok(sql.bind(signed(now_ms)).execute().await? > 0);
    }
    let sql = "UPDATE core SET reversal_response = coalesce($3, reversal_response), next_ms = $4
         WHERE bank = $1 AND load = $2 AND state = 'reverse'";
    let sql = conn.sql(sql).bind(load).bind(response);
    sql.bind(signed(next_ms)).execute().await?;
    Ok(false)
}

/// How often a reversal was sent.
pub(crate) async fn times_sent(conn: &mut Conn, load: &[u8; 16]) -> Result<u32, Problem> {
    let sql = "SELECT reversals FROM core WHERE bank = $1 AND load = $2";
    narrow(conn.sql(sql).bind(load).value().await?)
}

/// What is in this state: `asked` waits for its 0210, `reverse` for its 0430.
pub(crate) async fn waits(conn: &mut Conn, state: &str) -> Result<Waits, Problem> {
    // The rows that wait have an index of their own.
    let sql = "SELECT count(*), CAST(coalesce(sum(amount), 0) AS BIGINT), min(since_ms) FROM core
         WHERE bank = $1 AND state = $2 AND state IN ('asked', 'reverse')";
    let (count, amount, since_ms) = conn.sql(sql).bind(state).one().await?;
    Ok(Waits {
        count,
        amount,
        since_ms,
    })
}

row! {
    /// What waits for the host, for people.
    #[derive(Clone, Debug)]
    pub(crate) struct Pending {
        pub(crate) reference: String,
        pub(crate) state: String,
        pub(crate) amount: i64,
        pub(crate) since_ms: i64,
        pub(crate) response: Option<String>,
        pub(crate) reversals: i64,
        pub(crate) reversal_response: Option<String>,
    }
}

/// The oldest of all that wait.
pub(crate) async fn pending(conn: &mut Conn, most: i64) -> Result<Vec<Pending>, Problem> {
    let sql = "SELECT load.reference, core.state, core.amount, core.since_ms, core.response,
             core.reversals, core.reversal_response
         FROM core JOIN load ON load.bank = core.bank AND load.id = core.load
         WHERE core.bank = $1 AND core.state IN ('asked', 'reverse')
         ORDER BY core.since_ms, load.reference LIMIT $2";
    conn.sql(sql).bind(most).all().await
}

row! {
    /// All that is known of one load at the host.
    #[derive(Clone, Debug)]
    pub(crate) struct AtHost {
        pub(crate) state: String,
        pub(crate) rrn: String,
        pub(crate) asked_ms: i64,
        pub(crate) response: Option<String>,
        pub(crate) approval: Option<String>,
        pub(crate) reversals: i64,
        pub(crate) reversal_response: Option<String>,
        pub(crate) since_ms: i64,
        pub(crate) next_ms: i64,
    }
}

/// None when the host was never asked for it.
pub(crate) async fn at_host(conn: &mut Conn, load: &[u8]) -> Result<Option<AtHost>, Problem> {
    let sql = "SELECT state, rrn, asked_ms, response, approval, reversals, reversal_response,
             since_ms, next_ms
         FROM core WHERE bank = $1 AND load = $2";
    conn.sql(sql).bind(load).optional().await
}

/// Loads that can't come to their end without the host.
pub(crate) async fn of_a_host(conn: &mut Conn) -> Result<i64, Problem> {
    let sql = "SELECT count(*) FROM core
         JOIN load ON load.bank = core.bank AND load.id = core.load
         WHERE core.bank = $1 AND (core.state IN ('asked', 'reverse')
             OR load.phase IN ('issued', 'in-doubt', 'manual'))";
    conn.sql(sql).value().await
}

/// Customers with money in this bank's own ledger.
pub(crate) async fn kept_here(conn: &mut Conn) -> Result<i64, Problem> {
    let sql =
        "SELECT count(*) FROM account WHERE bank = $1 AND name LIKE 'customer:%' AND balance <> 0";
    conn.sql(sql).value().await
}
