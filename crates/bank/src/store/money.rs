//! Accounts, transfers and entries.

use ledger::{Account, AccountId, Transfer};

use crate::error::Problem;
use crate::store::{Conn, signed};

/// Why money moves; one of each for a load at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reason {
    Deposit,
    Debit,
    Credit,
    Refund,
    WriteOff,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Debit => "debit",
            Self::Credit => "credit",
            Self::Refund => "refund",
            Self::WriteOff => "write-off",
        }
    }

    pub(crate) fn of(transfer: &Transfer) -> Self {
        match (transfer.from, transfer.to) {
            (Account::Funding(_), _) => Self::Deposit,
            (Account::Customer(_), _) => Self::Debit,
            (_, Account::Customer(_)) => Self::Refund,
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
    let id = sqlx::query("INSERT INTO transfer (kind, load, at_ms) VALUES (?, ?, ?)")
        .bind(reason.name())
        .bind(load.map(<[u8; 16]>::as_slice))
        .bind(signed(now_ms))
        .execute(&mut *conn)
        .await?
        .last_insert_rowid();
    for entry in transfer.entries() {
        let name = entry.account.to_string();
        open(conn, entry.account).await?;
        sqlx::query("INSERT INTO entry (transfer, account, amount) VALUES (?, ?, ?)")
            .bind(id)
            .bind(&name)
            .bind(entry.amount)
            .execute(&mut *conn)
            .await?;
        sqlx::query("UPDATE account SET balance = balance + ? WHERE name = ?")
            .bind(entry.amount)
            .bind(&name)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Makes an account at 0 unless it is there.
pub(crate) async fn open(conn: &mut Conn, account: Account) -> Result<(), Problem> {
    sqlx::query("INSERT INTO account (name) VALUES (?) ON CONFLICT DO NOTHING")
        .bind(account.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

/// What a customer's account holds, fen.
pub(crate) async fn available(conn: &mut Conn, account: AccountId) -> Result<i64, Problem> {
    let balance: Option<i64> = sqlx::query_scalar("SELECT balance FROM account WHERE name = ?")
        .bind(Account::Customer(account).to_string())
        .fetch_optional(conn)
        .await?;
    Ok(balance.unwrap_or(0))
}
