//! Customers: seeded from the configuration; passwords and their tries.

use std::num::NonZeroU32;

use ledger::{Account, AccountId, Shard, Transfer};
use subtle::ConstantTimeEq;

use crate::bank::Bank;
use crate::config::CustomerSettings;
use crate::error::Problem;
use crate::store::row::row;
use crate::store::{Conn, card, commit, money, narrow, signed};
use crate::vault::{Purpose, random};

/// What a password is compared with.
pub(crate) struct PasswordRow {
    pub(crate) customer: i64,
    pub(crate) salt: Vec<u8>,
    pub(crate) hash: Vec<u8>,
    pub(crate) rounds: NonZeroU32,
}

/// What a try gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Try {
    Right,
    Wrong { left: u8 },
    Locked,
}

/// Customers that are written in one commit.
const AT_ONCE: usize = 64;

/// Brings the store up to the configuration. Balances are deposited once, with a new customer.
///
/// Whoever is as the configuration says is only looked at: their rows are those that loads write, and a process that
/// starts while another one serves would never come to the end of its commit, nor let that one come to the end of its.
pub(crate) async fn seed(bank: &Bank) -> Result<(), Problem> {
    money::open_own(bank).await?;
    let mut conn = bank.store.snapshot().await?;
    let mut others = Vec::new();
    for customer in &bank.settings.customers {
        if !is_as_told(bank, &mut conn, customer).await? {
            others.push(customer);
        }
    }
    drop(conn);
    for some in others.chunks(AT_ONCE) {
        commit!(bank.store, conn => {
            for customer in some {
                let id = seed_customer(bank, conn, customer).await?;
                if let Some(account) = &customer.account {
                    keep_account(bank, conn, id, account).await?;
                }
                for settings in &customer.cards {
                    card::seed(bank, conn, id, settings).await?;
                }
            }
            Ok::<_, Problem>(())
        })?;
    }
    Ok(())
}

row! {
    /// What the store has of a customer of the configuration.
    struct Stored {
        id: i64,
        password_salt: Vec<u8>,
        password_hash: Vec<u8>,
        password_rounds: i64,
        account_sealed: Option<Vec<u8>>,
    }
}

async fn stored(conn: &mut Conn, phone_hash: &[u8; 32]) -> Result<Option<Stored>, Problem> {
    conn.sql(
        "SELECT id, password_salt, password_hash, password_rounds, account_sealed FROM customer
         WHERE bank = $1 AND phone_hash = $2",
    )
    .bind(&phone_hash[..])
    .optional()
    .await
}

impl Stored {
    fn has_password(&self, bank: &Bank, password: &str) -> Result<bool, Problem> {
        let rounds = rounds(self.password_rounds)?;
        let hash = bank
            .vault
            .slow_hash(password.as_bytes(), &self.password_salt, rounds);
        Ok(hash.ct_eq(&self.password_hash[..]).into())
    }

    fn has_account(&self, bank: &Bank, account: Option<&str>) -> Result<bool, Problem> {
        let (Some(account), Some(sealed)) = (account, &self.account_sealed) else {
            return Ok(account.is_none());
        };
        let kept = bank.vault.open("account", sealed)?;
        Ok(kept.ct_eq(account.as_bytes()).into())
    }
}

/// Whether nothing of a customer would be written anew.
async fn is_as_told(
    bank: &Bank,
    conn: &mut Conn,
    customer: &CustomerSettings,
) -> Result<bool, Problem> {
    let Some(stored) = stored(conn, &phone_hash(bank, customer)).await? else {
        return Ok(false);
    };
    if !stored.has_password(bank, &customer.password)?
        || !stored.has_account(bank, customer.account.as_deref())?
    {
        return Ok(false);
    }
    for settings in &customer.cards {
        if !card::is_as_told(bank, conn, stored.id, settings).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn phone_hash(bank: &Bank, customer: &CustomerSettings) -> [u8; 32] {
    bank.vault
        .hash(Purpose::Phone, &[customer.phone.as_bytes()])
}

async fn seed_customer(
    bank: &Bank,
    conn: &mut Conn,
    customer: &CustomerSettings,
) -> Result<i64, Problem> {
    let phone_hash = phone_hash(bank, customer);
    let Some(stored) = stored(conn, &phone_hash).await? else {
        return new_customer(bank, conn, customer, &phone_hash).await;
    };
    if !stored.has_password(bank, &customer.password)? {
        let salt: [u8; 16] = random()?;
        let rounds = bank.settings.password.rounds;
        let hash = bank
            .vault
            .slow_hash(customer.password.as_bytes(), &salt, rounds);
        conn.sql(
            "UPDATE customer SET password_salt = $2, password_hash = $3, password_rounds = $4,
             tries_left = $5, locked_ms = NULL, activation_tries_left = $6, activation_locked_ms = NULL
             WHERE bank = $1 AND id = $7",
        )
        .bind(&salt[..])
        .bind(&hash[..])
        .bind(rounds.get())
        .bind(bank.settings.password.tries)
        .bind(bank.settings.password.tries)
        .bind(stored.id)
        .execute()
        .await?;
    }
    Ok(stored.id)
}

async fn new_customer(
    bank: &Bank,
    conn: &mut Conn,
    customer: &CustomerSettings,
    phone_hash: &[u8; 32],
) -> Result<i64, Problem> {
    let salt: [u8; 16] = random()?;
    let rounds = bank.settings.password.rounds;
    let hash = bank
        .vault
        .slow_hash(customer.password.as_bytes(), &salt, rounds);
    let id: i64 = conn
        .sql(
            "INSERT INTO customer (bank, phone_hash, phone_sealed, password_salt, password_hash,
         password_rounds, tries_left, activation_tries_left) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         RETURNING id",
        )
        .bind(&phone_hash[..])
        .bind(bank.vault.seal("phone", customer.phone.as_bytes())?)
        .bind(&salt[..])
        .bind(&hash[..])
        .bind(rounds.get())
        .bind(bank.settings.password.tries)
        .bind(bank.settings.password.tries)
        .value()
        .await?;
    let account = Account::Customer(AccountId(id));
    money::open(conn, account).await?;
    if customer.balance > 0 {
        let deposit = Transfer {
            from: Account::Funding(Shard::of_account(AccountId(id))),
            to: account,
            amount: customer.balance,
        };
        money::post(conn, &deposit, None, bank.now_ms()).await?;
    }
    Ok(id)
}

/// The customer's account at the core banking host, sealed.
async fn keep_account(
    bank: &Bank,
    conn: &mut Conn,
    customer: i64,
    account: &str,
) -> Result<(), Problem> {
    let sql = "UPDATE customer SET account_sealed = $2 WHERE bank = $1 AND id = $3";
    let sealed = bank.vault.seal("account", account.as_bytes())?;
    conn.sql(sql).bind(sealed).bind(customer).execute().await?;
    Ok(())
}

/// The account that a core banking host knows this customer by.
pub(crate) async fn account(
    bank: &Bank,
    conn: &mut Conn,
    customer: i64,
) -> Result<zeroize::Zeroizing<String>, Problem> {
    let sql = "SELECT account_sealed FROM customer WHERE bank = $1 AND id = $2";
    let found: Option<(Option<Vec<u8>>,)> = conn.sql(sql).bind(customer).optional().await?;
    let sealed = found.and_then(|(sealed,)| sealed);
    let sealed = sealed.ok_or_else(|| {
        Problem::internal("who pays for this load has no account at the core host")
    })?;
    let plain = bank.vault.open("account", &sealed)?;
    let text = String::from_utf8(plain.to_vec()).map_err(Problem::internal)?;
    Ok(zeroize::Zeroizing::new(text))
}

pub(crate) async fn password(conn: &mut Conn, customer: i64) -> Result<PasswordRow, Problem> {
    let (salt, hash, rounds): (Vec<u8>, Vec<u8>, i64) = conn
        .sql(
            "SELECT password_salt, password_hash, password_rounds FROM customer
         WHERE bank = $1 AND id = $2",
        )
        .bind(customer)
        .one()
        .await?;
    Ok(PasswordRow {
        customer,
        salt,
        hash,
        rounds: self::rounds(rounds)?,
    })
}

/// What the password of a card's holder is compared with, and whether a transaction has begun and this step of it has
/// its reply; none when the bank does not know the card.
pub(crate) async fn holder(
    bank: &Bank,
    conn: &mut Conn,
    (industry, serial): (&str, &[u8]),
    (transaction, step): (&[u8; 16], u8),
) -> Result<Option<(PasswordRow, (bool, bool))>, Problem> {
    type Row = (i64, Vec<u8>, Vec<u8>, i64, i64, i64);
    let row: Option<Row> = conn
        .sql(
            "SELECT customer.id, password_salt, password_hash, password_rounds,
             (SELECT count(*) FROM exchange WHERE exchange.bank = $1 AND exchange.id = $3),
             (SELECT count(*) FROM reply WHERE reply.bank = $1 AND reply.exchange = $3 AND reply.step = $4)
         FROM card JOIN customer ON customer.bank = card.bank AND customer.id = card.customer
         WHERE card.bank = $1 AND card.number_hash = $2",
        )
        .bind(&card::number_hash(bank, industry, serial))
        .bind(transaction)
        .bind(step)
        .optional()
        .await?;
    let Some((customer, salt, hash, rounds, begun, replied)) = row else {
        return Ok(None);
    };
    let row = PasswordRow {
        customer,
        salt,
        hash,
        rounds: self::rounds(rounds)?,
    };
    Ok(Some((row, (begun > 0, replied > 0))))
}

/// What the password is for: each has tries of its own.
#[derive(Clone, Copy)]
pub(crate) enum For {
    Money,
    /// Whoever knows a card's number can ask for one: it must not lock the card's owner out of top-ups.
    Activation,
}

/// The tries of a password that are left.
#[derive(Clone, Copy)]
pub(crate) struct Tries {
    pub(crate) left: i64,
    pub(crate) locked_ms: Option<i64>,
}

const WRITE_TRIES: &str =
    "UPDATE customer SET tries_left = $2, locked_ms = $3 WHERE bank = $1 AND id = $4";

/// Counts a try where money moves, of somebody whose tries were read in this commit.
pub(crate) async fn try_known(
    bank: &Bank,
    conn: &mut Conn,
    (customer, tries): (i64, Tries),
    right: bool,
    now_ms: u64,
) -> Result<Try, Problem> {
    count_known(bank, conn, (WRITE_TRIES, tries), customer, right, now_ms).await
}

/// Counts a try. A lock ends by itself after the configured time, as banks do over night.
pub(crate) async fn try_password(
    bank: &Bank,
    conn: &mut Conn,
    (customer, purpose): (i64, For),
    right: bool,
    now_ms: u64,
) -> Result<Try, Problem> {
    let (read, write) = match purpose {
        For::Money => (
            "SELECT tries_left, locked_ms FROM customer WHERE bank = $1 AND id = $2",
            WRITE_TRIES,
        ),
        For::Activation => (
            "SELECT activation_tries_left, activation_locked_ms FROM customer
             WHERE bank = $1 AND id = $2",
            "UPDATE customer SET activation_tries_left = $2, activation_locked_ms = $3
             WHERE bank = $1 AND id = $4",
        ),
    };
    count_try(bank, conn, (read, write), customer, right, now_ms).await
}

/// Counts a try of whoever `id` is: `read` gives the tries left and the time of the lock, `write` takes them.
pub(crate) async fn count_try(
    bank: &Bank,
    conn: &mut Conn,
    (read, write): (&'static str, &'static str),
    id: i64,
    right: bool,
    now_ms: u64,
) -> Result<Try, Problem> {
    let (left, locked_ms): (i64, Option<i64>) = conn.sql(read).bind(id).one().await?;
    let tries = Tries { left, locked_ms };
    count_known(bank, conn, (write, tries), id, right, now_ms).await
}

async fn count_known(
    bank: &Bank,
    conn: &mut Conn,
    (write, tries): (&'static str, Tries),
    id: i64,
    right: bool,
    now_ms: u64,
) -> Result<Try, Problem> {
    let Tries {
        mut left,
        locked_ms,
    } = tries;
    let lock_ms = signed(bank.settings.password.lock_s.saturating_mul(1_000));
    if left <= 0 && locked_ms.is_some_and(|since| since > signed(now_ms)) {
        // It began while the clock was ahead: nobody waits longer than a lock lasts.
        conn.sql(write)
            .bind(left)
            .bind(signed(now_ms))
            .bind(id)
            .send()
            .await?;
        return Ok(Try::Locked);
    }
    if locked_ms.is_some_and(|since| signed(now_ms) >= since.saturating_add(lock_ms)) {
        left = bank.settings.password.tries.into();
    }
    if left <= 0 {
        return Ok(Try::Locked);
    }
    let whole = i64::from(bank.settings.password.tries);
    if right && left == whole && locked_ms.is_none() {
        return Ok(Try::Right);
    }
    let left = if right { whole } else { left - 1 };
    conn.sql(write)
        .bind(left)
        .bind((left == 0).then_some(signed(now_ms)))
        .bind(id)
        .send()
        .await?;
    if right {
        return Ok(Try::Right);
    }
    Ok(if left == 0 {
        Try::Locked
    } else {
        Try::Wrong {
            left: narrow(left)?,
        }
    })
}

/// Who has this number.
pub(crate) async fn of_phone(
    bank: &Bank,
    conn: &mut Conn,
    phone: &str,
) -> Result<Option<i64>, Problem> {
    let phone_hash = bank.vault.hash(Purpose::Phone, &[phone.as_bytes()]);
    let found: Option<(i64,)> = conn
        .sql("SELECT id FROM customer WHERE bank = $1 AND phone_hash = $2")
        .bind(&phone_hash)
        .optional()
        .await?;
    Ok(found.map(|(id,)| id))
}

/// The number on file of a customer whose number was typed.
pub(crate) async fn phone_on_file(
    bank: &Bank,
    conn: &mut Conn,
    customer: i64,
) -> Result<zeroize::Zeroizing<String>, Problem> {
    let sealed: Vec<u8> = conn
        .sql("SELECT phone_sealed FROM customer WHERE bank = $1 AND id = $2")
        .bind(customer)
        .value()
        .await?;
    let plain = bank.vault.open("phone", &sealed)?;
    let text = String::from_utf8(plain.to_vec()).map_err(Problem::internal)?;
    Ok(zeroize::Zeroizing::new(text))
}

pub(crate) fn rounds(number: i64) -> Result<NonZeroU32, Problem> {
    NonZeroU32::new(narrow(number)?).ok_or_else(|| Problem::internal("a password of 0 rounds"))
}
