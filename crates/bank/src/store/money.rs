//! Accounts, transfers and entries.

use ledger::{Account, AccountId, Entry, Shard, Transfer};

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::sql::{Later, Made};
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
    let posting = Posting::begin(conn, transfer, load, now_ms).await?;
    posting.end(conn).await
}

/// A transfer between its two halves: the first one makes its number, which the second one needs.
#[must_use]
pub(crate) struct Posting {
    entries: [Entry; 2],
    number: Later<(i64,)>,
    /// Names of the accounts that were there.
    changed: Later<(String,)>,
}

impl Posting {
    /// Writes both balances.
    pub(crate) async fn begin(
        conn: &mut Conn,
        transfer: &Transfer,
        load: Option<&[u8; 16]>,
        now_ms: u64,
    ) -> Result<Self, Problem> {
        let reason = Reason::of(transfer);
        let number = conn
            .sql("INSERT INTO transfer (bank, kind, load, at_ms) VALUES ($1, $2, $3, $4) RETURNING id")
            .bind(reason.name())
            .bind(load)
            .bind(signed(now_ms))
            .ask()
            .await?;
        let entries = transfer.entries();
        let [debit, credit] = &entries;
        let changed = conn
            .sql(
                "UPDATE account SET balance = balance + CASE WHEN name = $2 THEN $3 ELSE $4 END
                 WHERE bank = $1 AND name IN ($2, $5) RETURNING name",
            )
            .bind(debit.account.to_string())
            .bind(debit.amount)
            .bind(credit.amount)
            .bind(credit.account.to_string())
            .ask()
            .await?;
        Ok(Self {
            entries,
            number,
            changed,
        })
    }

    /// Writes both entries, and the balances of accounts that were not there.
    pub(crate) async fn end(self, conn: &mut Conn) -> Result<(), Problem> {
        let number = self.number.heard(conn).await?;
        let Some((number,)) = number.first() else {
            return Err(Problem::internal("a transfer without a number"));
        };
        let changed = self.changed.heard(conn).await?;
        for entry in &self.entries {
            let name = entry.account.to_string();
            if changed.iter().any(|(there,)| *there == name) {
                continue;
            }
            open(conn, entry.account).await?;
            conn.sql("UPDATE account SET balance = balance + $2 WHERE bank = $1 AND name = $3")
                .bind(entry.amount)
                .bind(name)
                .send_one(|| Problem::internal("an account went away"))
                .await?;
        }
        let [debit, credit] = self.entries;
        conn.sql(
            "INSERT INTO entry (bank, transfer, account, amount)
             VALUES ($1, $2, $3, $4), ($1, $2, $5, $6)",
        )
        .bind(*number)
        .bind(debit.account.to_string())
        .bind(debit.amount)
        .bind(credit.account.to_string())
        .bind(credit.amount)
        .send()
        .await
    }
}

/// Makes an account at 0 unless it is there.
pub(crate) async fn open(conn: &mut Conn, account: Account) -> Result<(), Problem> {
    conn.sql("INSERT INTO account (bank, name) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(account.to_string())
        .send()
        .await
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
    let mut sql = conn.sql(Made(sql));
    for name in names {
        sql = sql.bind(name);
    }
    sql.send().await
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
