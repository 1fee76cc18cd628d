//! Accounts, transfers and entries.

use ledger::{Account, AccountId, Shard, Transfer};

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::{Conn, signed};

/// Why money moves; one of each for a load at most. A debit or refund without load is a queue's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reason {
    Deposit,
    Debit,
    Credit,
    Refund,
    WriteOff,
    /// Back to the core banking host.
    Withdrawal,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Debit => "debit",
            Self::Credit => "credit",
            Self::Refund => "refund",
            Self::WriteOff => "write-off",
            Self::Withdrawal => "withdrawal",
        }
    }

    pub(crate) fn of(transfer: &Transfer) -> Self {
        match (transfer.from, transfer.to) {
            (Account::Funding(_), _) => Self::Deposit,
            (Account::Customer(_), Account::Funding(_)) => Self::Withdrawal,
            (Account::Queue(_), Account::Customer(_)) => Self::Refund,
            (Account::Customer(_) | Account::Queue(_), _) => Self::Debit,
            (_, Account::Customer(_) | Account::Queue(_)) => Self::Refund,
            (_, Account::WrittenOff(_)) => Self::WriteOff,
            (_, Account::InTransit(_) | Account::CardFloat(_) | Account::Funding(_)) => {
                Self::Credit
            }
        }
    }
}

/// Writes both entries and both balances.
pub(crate) async fn post(
    conn: &mut Conn,
    transfer: &Transfer,
    load: Option<&[u8; 16]>,
    now_ms: u64,
) -> Result<(), Problem> {
    let reason = Reason::of(transfer);
    let id: i64 = conn
        .sql("INSERT INTO transfer (bank, kind, load, at_ms) VALUES ($1, $2, $3, $4) RETURNING id")
        .bind(reason.name())
        .bind(load)
        .bind(signed(now_ms))
        .value()
        .await?;
    let [debit, credit] = transfer.entries();
    let (from, to) = (debit.account.to_string(), credit.account.to_string());
    // Both at once: each statement is a way to the server and back.
    let changed: Vec<(String,)> = conn
        .sql(
            "UPDATE account SET balance = balance + CASE WHEN name = $2 THEN $3 ELSE $4 END
             WHERE bank = $1 AND name IN ($2, $5) RETURNING name",
        )
        .bind(&from)
        .bind(debit.amount)
        .bind(credit.amount)
        .bind(&to)
        .all()
        .await?;
    for (entry, name) in [(debit, &from), (credit, &to)] {
        if changed.iter().any(|(there,)| there == name) {
            continue;
        }
        open(conn, entry.account).await?;
        conn.sql("UPDATE account SET balance = balance + $2 WHERE bank = $1 AND name = $3")
            .bind(entry.amount)
            .bind(name)
            .execute()
            .await?;
    }
    conn.sql(
        "INSERT INTO entry (bank, transfer, account, amount)
         VALUES ($1, $2, $3, $4), ($1, $2, $5, $6)",
    )
    .bind(id)
    .bind(from)
    .bind(debit.amount)
    .bind(to)
    .bind(credit.amount)
    .execute()
    .await?;
    Ok(())
}

/// Makes an account at 0 unless it is there.
pub(crate) async fn open(conn: &mut Conn, account: Account) -> Result<(), Problem> {
    conn.sql("INSERT INTO account (bank, name) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(account.to_string())
        .execute()
        .await?;
    Ok(())
}

/// Makes the bank's own accounts of all loads, where several write at once: the first loads would each make one beside
/// those that others read.
pub(crate) async fn open_own(bank: &Bank) -> Result<(), Problem> {
    let Some(mut conn) = bank.store.ahead().await? else {
        return Ok(());
    };
    let own = Shard::all().flat_map(|shard| [Account::InTransit(shard), Account::CardFloat(shard)]);
    let names: Vec<String> = own.map(|account| account.to_string()).collect();
    let rows: Vec<String> = (2..names.len() + 2)
        .map(|at| format!("($1, ${at})"))
        .collect();
    let sql = format!(
        "INSERT INTO account (bank, name) VALUES {} ON CONFLICT DO NOTHING",
        rows.join(", ")
    );
    let mut sql = conn.sql(sqlx::AssertSqlSafe(sql));
    for name in names {
        sql = sql.bind(name);
    }
    sql.execute().await?;
    Ok(())
}

/// What a customer's account holds, fen.
pub(crate) async fn available(conn: &mut Conn, account: AccountId) -> Result<i64, Problem> {
    balance(conn, Account::Customer(account)).await
}

/// What an account holds, fen; 0 before its first entry.
pub(crate) async fn balance(conn: &mut Conn, account: Account) -> Result<i64, Problem> {
    let balance: Option<(i64,)> = conn
        .sql("SELECT balance FROM account WHERE bank = $1 AND name = $2")
        .bind(account.to_string())
        .optional()
        .await?;
    Ok(balance.map_or(0, |(balance,)| balance))
}
