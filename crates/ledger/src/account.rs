//! Accounts and double entry.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{LoadId, Refusal};

/// The bank's own number of a customer's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountId(pub i64);

/// An institution's queue; made by its terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QueueId(pub [u8; 16]);

/// The 32 hex digits of its name.
impl FromStr for QueueId {
    type Err = Refusal;

    fn from_str(digits: &str) -> Result<Self, Refusal> {
        let plain = |it: &u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 32 || !digits.as_bytes().iter().all(plain) {
            return Err(Refusal::UnknownName);
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(digits.as_bytes().as_chunks::<2>().0) {
            let read = std::str::from_utf8(pair).map(|pair| u8::from_str_radix(pair, 16));
            let read = read.map_err(|_| Refusal::UnknownName)?;
            *byte = read.map_err(|_| Refusal::UnknownName)?;
        }
        Ok(Self(id))
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// One of the equal parts of each of the bank's own accounts, so that loads do not wait for one another's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard(u8);

impl Shard {
    /// How many there are; a power of two.
    pub const COUNT: u8 = 64;

    /// The shard that all money of a load passes through.
    pub fn of_load(LoadId(id): LoadId) -> Self {
        Self(id.iter().fold(0, |mixed, byte| mixed ^ byte) % Self::COUNT)
    }

    /// The shard that an account's deposits come from.
    pub fn of_account(AccountId(number): AccountId) -> Self {
        let [.., last] = number.to_be_bytes();
        Self(last % Self::COUNT)
    }

    /// Where it is among all of them, from 0.
    pub fn place(self) -> usize {
        usize::from(self.0)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    fn parse(digits: &str) -> Option<Self> {
        let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| two)?;
        (number < Self::COUNT).then_some(Self(number))
    }
}

/// Where money can be. All balances together are always 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Account {
    /// A customer's account; never below 0.
    Customer(AccountId),
    /// Paid by an institution for cards that have not come yet; never below 0.
    Queue(QueueId),
    /// Debited, and not yet known to be on the card.
    InTransit(Shard),
    /// What the bank owes to the holders of cards.
    CardFloat(Shard),
    /// Loads that two operators gave up.
    WrittenOff(Shard),
    /// The other side of customers' deposits; below 0 by their sum.
    Funding(Shard),
}

/// The account's name in tables: `customer:<n>`, `queue:<32 hex digits>`, or one of the bank's own with two digits of
/// its shard: `in-transit:<00>`, `card-float:<00>`, `written-off:<00>`, `funding:<00>`.
impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(AccountId(number)) => write!(out, "customer:{number}"),
            Self::Queue(id) => write!(out, "queue:{id}"),
            Self::InTransit(Shard(shard)) => write!(out, "in-transit:{shard:02}"),
            Self::CardFloat(Shard(shard)) => write!(out, "card-float:{shard:02}"),
            Self::WrittenOff(Shard(shard)) => write!(out, "written-off:{shard:02}"),
            Self::Funding(Shard(shard)) => write!(out, "funding:{shard:02}"),
        }
    }
}

impl Account {
    /// Whether what it holds is owed to somebody: it never falls below 0.
    pub(crate) fn is_of_others(self) -> bool {
        match self {
            Self::Customer(_) | Self::Queue(_) => true,
            Self::InTransit(_) | Self::CardFloat(_) | Self::WrittenOff(_) | Self::Funding(_) => {
                false
            }
        }
    }
}

impl FromStr for Account {
    type Err = Refusal;

    fn from_str(name: &str) -> Result<Self, Refusal> {
        let (kind, number) = name.split_once(':').ok_or(Refusal::UnknownName)?;
        let account = match kind {
            "customer" => number.parse().ok().map(|id| Self::Customer(AccountId(id))),
            "queue" => number.parse().ok().map(Self::Queue),
            "in-transit" => Shard::parse(number).map(Self::InTransit),
            "card-float" => Shard::parse(number).map(Self::CardFloat),
            "written-off" => Shard::parse(number).map(Self::WrittenOff),
            "funding" => Shard::parse(number).map(Self::Funding),
            _other => None,
        };
        account.ok_or(Refusal::UnknownName)
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

    /// The same of a load that a queue pays: the queue stands where the customer would. What comes back once the
    /// queue is closed goes to the customer: nobody would look for it there.
    #[must_use]
    pub fn through(self, queue: QueueId, is_open: bool) -> Self {
        let of_customer = |account| matches!(account, Account::Customer(_));
        let queue = Account::Queue(queue);
        let Self { from, to, amount } = self;
        Self {
            from: if of_customer(from) { queue } else { from },
            to: if of_customer(to) && is_open {
                queue
            } else {
                to
            },
            amount,
        }
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
    /// [`Refusal::FundsShort`] when a customer or a queue would fall below 0, [`Refusal::Overflow`] beyond 64 bits.
    pub fn post(&mut self, transfer: &Transfer) -> Result<(), Refusal> {
        let mut next = self.balances.clone();
        for entry in transfer.entries() {
            let balance = next.entry(entry.account).or_insert(0);
            *balance = balance.checked_add(entry.amount).ok_or(Refusal::Overflow)?;
            if entry.account.is_of_others() && *balance < 0 {
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
        let shards = Shard::all().flat_map(|shard| {
            [
                Account::InTransit(shard),
                Account::CardFloat(shard),
                Account::WrittenOff(shard),
                Account::Funding(shard),
            ]
        });
        let queue = Account::Queue(QueueId([0xA7; 16]));
        for account in shards.chain([Account::Customer(AccountId(7)), queue]) {
            assert_eq!(account.to_string().parse(), Ok(account));
        }
        for name in [
            "customer:",
            "till:00",
            "in-transit",
            "in-transit:64",
            "funding:7",
            "funding:+7",
            "queue:a7",
            "queue:A7A7A7A7A7A7A7A7A7A7A7A7A7A7A7A7",
        ] {
            assert_eq!(name.parse::<Account>(), Err(Refusal::UnknownName), "{name}");
        }
    }

    #[test]
    fn loads_spread_over_all_shards_whatever_part_of_their_id_varies() {
        for place in 0..16 {
            let of = |byte: u8| {
                let mut id = [0xA5; 16];
                id[place] = byte;
                Shard::of_load(LoadId(id))
            };
            let shards: std::collections::BTreeSet<Shard> = (0..=255).map(of).collect();
            assert_eq!(shards.len(), 64, "byte {place}");
        }
        let accounts: std::collections::BTreeSet<Shard> = (1..65)
            .map(|number| Shard::of_account(AccountId(number)))
            .collect();
        assert_eq!(accounts, Shard::all().collect());
    }

    #[test]
    fn a_customer_never_falls_below_zero_and_a_refused_transfer_leaves_no_entry() {
        let customer = Account::Customer(AccountId(1));
        let mut books = Books::default();
        let deposit = Transfer {
            from: Account::Funding(Shard(1)),
            to: customer,
            amount: 100,
        };
        books.post(&deposit).unwrap();
        let before = books.clone();
        let debit = Transfer {
            from: customer,
            to: Account::InTransit(Shard(1)),
            amount: 101,
        };
        assert_eq!(books.post(&debit), Err(Refusal::FundsShort));
        assert_eq!(books, before);
        assert_eq!(books.accounts().map(|(_, balance)| balance).sum::<i64>(), 0);
    }

    #[test]
    fn a_queue_pays_for_its_loads_and_gets_back_what_they_did_not_need_while_it_is_open() {
        let (id, customer) = (QueueId([1; 16]), Account::Customer(AccountId(1)));
        let (queue, transit) = (Account::Queue(id), Account::InTransit(Shard(1)));
        let moved = |from, to| Transfer {
            from,
            to,
            amount: 5,
        };
        let (debit, back) = (moved(customer, transit), moved(transit, customer));
        assert_eq!(debit.through(id, true), moved(queue, transit));
        assert_eq!(back.through(id, true), moved(transit, queue));
        assert_eq!(
            back.through(id, false),
            back,
            "nobody looks into a closed one"
        );
        let loaded = moved(transit, Account::CardFloat(Shard(1)));
        assert_eq!(loaded.through(id, true), loaded);
        let mut books = Books::default();
        assert_eq!(
            books.post(&debit.through(id, true)),
            Err(Refusal::FundsShort)
        );
    }

    #[test]
    fn a_customer_may_spend_the_last_fen() {
        let customer = Account::Customer(AccountId(1));
        let mut books = Books::default();
        let move_all = |from, to| Transfer {
            from,
            to,
            amount: 100,
        };
        let funding = Account::Funding(Shard::of_account(AccountId(1)));
        books.post(&move_all(funding, customer)).unwrap();
        books
            .post(&move_all(customer, Account::InTransit(Shard(1))))
            .unwrap();
        assert_eq!(books.balance(customer), 0);
    }
}
