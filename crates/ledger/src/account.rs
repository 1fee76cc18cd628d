//! Accounts and double entry.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// The bank's own number of a customer's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountId(pub i64);

/// Where money can be. All balances together are always 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Account {
    /// A customer's account; never below 0.
    Customer(AccountId),
    /// Debited, and not yet known to be on the card.
    InTransit,
    /// What the bank owes to the holders of cards.
    CardFloat,
    /// Loads that two operators gave up.
    WrittenOff,
    /// The other side of customers' deposits; below 0 by their sum.
    Funding,
}

/// The account's name in tables: `customer:<n>`, `in-transit`, `card-float`, `written-off`, `funding`.
impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(AccountId(number)) => write!(out, "customer:{number}"),
            Self::InTransit => out.write_str("in-transit"),
            Self::CardFloat => out.write_str("card-float"),
            Self::WrittenOff => out.write_str("written-off"),
            Self::Funding => out.write_str("funding"),
        }
    }
}

impl FromStr for Account {
    type Err = Refusal;

    fn from_str(name: &str) -> Result<Self, Refusal> {
        match name {
            "in-transit" => Ok(Self::InTransit),
            "card-float" => Ok(Self::CardFloat),
            "written-off" => Ok(Self::WrittenOff),
            "funding" => Ok(Self::Funding),
            other => other
                .strip_prefix("customer:")
                .and_then(|number| number.parse().ok())
                .map(|number| Self::Customer(AccountId(number)))
                .ok_or(Refusal::UnknownName),
        }
    }
}

/// Money that moves from one account to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The account that is debited.
    pub from: Account,
    /// The account that is credited.
    pub to: Account,
    /// Fen, above 0.
    pub amount: u32,
}

impl Transfer {
    /// The two entries to write, debit first; they sum to 0 (I1).
    pub fn entries(&self) -> [Entry; 2] {
        let amount = i64::from(self.amount);
        [
            Entry {
                account: self.from,
                amount: amount.saturating_neg(),
            },
            Entry {
                account: self.to,
                amount,
            },
        ]
    }
}

/// One line of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose line it is.
    pub account: Account,
    /// Fen; below 0 when money leaves the account.
    pub amount: i64,
}

/// Balances in memory, kept by the same rule as the bank's tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    balances: BTreeMap<Account, i64>,
}

impl Books {
    /// The balance in fen; 0 for an account without entries.
    pub fn balance(&self, account: Account) -> i64 {
        self.balances.get(&account).copied().unwrap_or(0)
    }

    /// Every account that ever had an entry, with its balance in fen.
    pub fn accounts(&self) -> impl Iterator<Item = (Account, i64)> {
        self.balances
            .iter()
            .map(|(account, balance)| (*account, *balance))
    }

    /// Writes both entries of a transfer, or none.
    ///
    /// # Errors
    /// [`Refusal::FundsShort`] when a customer would fall below 0, [`Refusal::Overflow`] beyond 64 bits.
    pub fn post(&mut self, transfer: &Transfer) -> Result<(), Refusal> {
        let mut next = self.balances.clone();
        for entry in transfer.entries() {
            let balance = next.entry(entry.account).or_insert(0);
            *balance = balance.checked_add(entry.amount).ok_or(Refusal::Overflow)?;
            if matches!(entry.account, Account::Customer(_)) && *balance < 0 {
                return Err(Refusal::FundsShort);
            }
        }
        self.balances = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_survives_its_name() {
        for account in [
            Account::Customer(AccountId(7)),
            Account::InTransit,
            Account::CardFloat,
            Account::WrittenOff,
            Account::Funding,
        ] {
            assert_eq!(account.to_string().parse(), Ok(account));
        }
        assert_eq!("customer:".parse::<Account>(), Err(Refusal::UnknownName));
        assert_eq!("till".parse::<Account>(), Err(Refusal::UnknownName));
    }

    #[test]
    fn a_customer_never_falls_below_zero_and_a_refused_transfer_leaves_no_entry() {
        let customer = Account::Customer(AccountId(1));
        let mut books = Books::default();
        let deposit = Transfer {
            from: Account::Funding,
            to: customer,
            amount: 100,
        };
        books.post(&deposit).unwrap();
        let before = books.clone();
        let debit = Transfer {
            from: customer,
            to: Account::InTransit,
            amount: 101,
        };
        assert_eq!(books.post(&debit), Err(Refusal::FundsShort));
        assert_eq!(books, before);
        assert_eq!(books.accounts().map(|(_, balance)| balance).sum::<i64>(), 0);
    }
}
