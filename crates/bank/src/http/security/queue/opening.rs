//! A queue opens: code, password, cards and money, in that order, in one commit.

use std::collections::BTreeSet;

use envelope::Terminal;
use ledger::{AccountId, QueueId};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::MOST_ITEMS;
use crate::bank::Bank;
use crate::config::IndustrySettings;
use crate::error::Problem;
use crate::flow::LATE_PASSWORD_MS;
use crate::password::{self, Compared};
use crate::queues;
use crate::scheme::Scheme;
use crate::store::customer::{self, For, Try};
use crate::store::queue::QueueRow;
use crate::store::queue_code::{self, CodeRow};
use crate::store::{Conn, card, commit, money, queue, terminal};
use crate::vault::Purpose;

/// As long as hashes of passwords take for who is nobody.
const NOBODYS_SALT: [u8; 16] = [0; 16];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Open {
    #[serde(with = "hex::serde")]
    queue: [u8; 16],
    industry: String,
    #[serde(deserialize_with = "secret")]
    code: Zeroizing<String>,
    #[serde(with = "hex::serde")]
    pin_block: Vec<u8>,
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    #[serde(deserialize_with = "secret")]
    card: Zeroizing<String>,
    amount: u32,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

/// What was asked, with all that is better done before the store is locked.
struct Asked<'a> {
    open: &'a Open,
    terminal: Terminal,
    hash: [u8; 32],
    total: u32,
    rows: Result<Vec<(i64, u32)>, Vec<Value>>,
    password: Compared,
    now_ms: u64,
}

pub(crate) async fn open(
    bank: &Bank,
    terminal: Terminal,
    (body, open): (&[u8], &Open),
) -> Result<Value, Problem> {
    let (industry, total) = shape(bank, open)?;
    super::paid_here(bank)?;
    bank.rates.cards(&terminal)?;
    let now_ms = bank.now_ms();
    let hash = bank.vault.hash(Purpose::Request, &[body]);
    let mut conn = bank.store.read().await?;
    if let Some(row) = queue::find(&mut conn, QueueId(open.queue)).await? {
        return repeated(bank, &row, terminal, &hash);
    }
    let code = good(bank, &mut conn, (open, terminal, total), now_ms).await?;
    let rows = rows(bank, &mut conn, industry, &open.items).await?;
    let password = compared(bank, conn, (terminal, open, code.customer), now_ms).await?;
    let asked = Asked {
        open,
        terminal,
        hash,
        total,
        rows,
        password,
        now_ms,
    };
    let done = commit!(bank.store, conn => { decide(bank, conn, &asked).await })?;
    if let Err(Problem::Refused { code, .. }) = &done
        && *code == "queue-rows"
    {
        // Whoever goes through numbers of cards is slow here, too.
        bank.rates.card_unknown(&terminal);
    }
    done
}

/// The industry and the sum of all items.
fn shape<'a>(bank: &'a Bank, open: &Open) -> Result<(&'a IndustrySettings, u32), Problem> {
    let code = open.code.len() == 6 && open.code.bytes().all(|byte| byte.is_ascii_digit());
    let some = (1..=MOST_ITEMS).contains(&open.items.len());
    let mut amounts = open.items.iter().map(|item| item.amount);
    let total = amounts.try_fold(0_u32, |sum, amount| sum.checked_add(amount));
    let industry = bank.industry(&open.industry).filter(|_| code && some);
    let total = total.filter(|total| *total > 0);
    industry.zip(total).ok_or_else(Problem::bad_request)
}

/// The same request again is the same opening.
fn repeated(
    bank: &Bank,
    row: &QueueRow,
    terminal: Terminal,
    hash: &[u8; 32],
) -> Result<Value, Problem> {
    if row.terminal != terminal {
        return Err(Problem::refused(403, "queue-unknown"));
    }
    let same: bool = row.request_hash.ct_eq(&hash[..]).into();
    if same {
        Ok(opened(bank, row))
    } else {
        Err(Problem::bad_request())
    }
}

fn opened(bank: &Bank, row: &QueueRow) -> Value {
    let proof = hex::encode(queues::proof(bank, row));
    json!({"proof": proof, "closes_ms": row.closes_ms, "total": row.total})
}

/// The code that was asked for this queue, by this terminal, for so many cards and so much money, if it is still good.
async fn good(
    bank: &Bank,
    conn: &mut Conn,
    (open, terminal, total): (&Open, Terminal, u32),
    now_ms: u64,
) -> Result<CodeRow, Problem> {
    let found = queue_code::find(conn, QueueId(open.queue)).await?;
    let bound = |row: &CodeRow| {
        row.terminal == terminal
            && !row.spent
            && row.industry == open.industry
            && usize::try_from(row.cards) == Ok(open.items.len())
            && row.total == total
    };
    let row = found.filter(bound);
    let row = row.ok_or_else(|| Problem::refused(403, "code-unknown"))?;
    let valid_ms = bank.settings.sms.valid_s.saturating_mul(1_000);
    if now_ms > row.sent_ms.saturating_add(valid_ms) {
        return Err(Problem::refused(403, "code-expired"));
    }
    if row.tries_left == 0 {
        return Err(Problem::refused(403, "code-locked"));
    }
    Ok(row)
}

/// The bank's own number of each card with its amount, or what is wrong with which rows.
async fn rows(
    bank: &Bank,
    conn: &mut Conn,
    industry: &IndustrySettings,
    items: &[Item],
) -> Result<Result<Vec<(i64, u32)>, Vec<Value>>, Problem> {
    let (mut cards, mut wrong, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (row, item) in items.iter().enumerate() {
        let found = match serial(industry.scheme, &item.card) {
            Some(serial) => card::find(bank, conn, &industry.code, &serial).await?,
            None => None,
        };
        let code = match &found {
            None => Some("card-unknown"),
            Some(card) if card.blocked => Some("card-blocked"),
            Some(card) if !seen.insert(card.id) => Some("card-twice"),
            Some(_) if item.amount < industry.min_amount => Some("amount-low"),
            Some(_) if item.amount > industry.max_amount => Some("amount-high"),
            Some(_) => None,
        };
        wrong.extend(code.map(|code| json!({"row": row, "code": code})));
        cards.extend(found.map(|card| (card.id, item.amount)));
    }
    Ok(if wrong.is_empty() {
        Ok(cards)
    } else {
        Err(wrong)
    })
}

/// A card's number as people write it: a purse's may lack the zeros that it begins with.
fn serial(scheme: Scheme, text: &str) -> Option<Vec<u8>> {
    match scheme {
        Scheme::Purse => scheme.serial(&Zeroizing::new(format!("{text:0>20}"))),
        Scheme::Cash => scheme.serial(text),
    }
}

/// Whether the password is the customer's; for nobody it takes as long, and is wrong.
async fn compared(
    bank: &Bank,
    mut conn: Conn,
    (terminal, open, customer): (Terminal, &Open, Option<i64>),
    now_ms: u64,
) -> Result<Compared, Problem> {
    let (key_id, block) = password::key_of(&open.pin_block).ok_or_else(Problem::bad_request)?;
    let key = terminal::key(bank, &mut conn, &terminal, key_id).await?;
    let key = key.filter(|key| now_ms < key.facts().expires_ms.saturating_add(LATE_PASSWORD_MS));
    let digits = key.and_then(|key| password::open(block, &key, &terminal));
    // It costs no try, as in a message of the relay.
    let digits = digits.ok_or_else(Problem::bad_request)?;
    let row = match customer {
        Some(customer) => customer::password(&mut conn, customer).await?,
        None => customer::PasswordRow {
            customer: 0,
            salt: NOBODYS_SALT.to_vec(),
            hash: Vec::new(),
            rounds: bank.settings.password.rounds,
        },
    };
    drop(conn);
    password::compare(bank, row, digits).await
}

/// What is refused inside is kept as well: each try of a code or a password counts.
async fn decide(
    bank: &Bank,
    conn: &mut Conn,
    asked: &Asked<'_>,
) -> Result<Result<Value, Problem>, Problem> {
    let Asked {
        open,
        terminal,
        total,
        now_ms,
        ..
    } = *asked;
    if let Some(row) = queue::find(conn, QueueId(open.queue)).await? {
        return Ok(repeated(bank, &row, terminal, &asked.hash));
    }
    let mut code = good(bank, conn, (open, terminal, total), now_ms).await?;
    let customer = match code.customer {
        Some(customer) if code.is_right(bank, &open.code) => customer,
        Some(_) | None => {
            code.tries_left = code.tries_left.saturating_sub(1);
            queue_code::save(conn, &code).await?;
            return Ok(Err(match code.tries_left {
                0 => Problem::refused(403, "code-locked"),
                left => Problem::refused(403, "code-wrong").with("tries_left", left),
            }));
        }
    };
    if let Some(refused) = tried(bank, conn, (asked, customer)).await? {
        return Ok(Err(refused));
    }
    let items = match &asked.rows {
        Ok(items) => items,
        Err(rows) => {
            let refused = Problem::refused(403, "queue-rows");
            return Ok(Err(refused.with("rows", rows.clone())));
        }
    };
    if money::available(conn, AccountId(customer)).await? < i64::from(total) {
        return Ok(Err(Problem::refused(403, "funds-short")));
    }
    let life_ms = bank.settings.limits.queue_s.saturating_mul(1_000);
    let row = QueueRow {
        id: QueueId(open.queue),
        terminal,
        industry: open.industry.clone(),
        account: AccountId(customer),
        cards: code.cards,
        total,
        request_hash: asked.hash.to_vec(),
        opened_ms: now_ms,
        closes_ms: now_ms.saturating_add(life_ms),
        closed_ms: None,
    };
    queue::open(bank, conn, &row, items).await?;
    queue_code::spend(conn, row.id, now_ms).await?;
    Ok(Ok(opened(bank, &row)))
}

/// Counts the try of the password; none when it was right.
async fn tried(
    bank: &Bank,
    conn: &mut Conn,
    (asked, customer): (&Asked<'_>, i64),
) -> Result<Option<Problem>, Problem> {
    let right = asked.password.right && asked.password.customer == customer;
    let who = (customer, For::Money);
    let tried = customer::try_password(bank, conn, who, right, asked.now_ms).await?;
    Ok(match tried {
        Try::Right => None,
        Try::Locked => Some(Problem::refused(403, "password-locked")),
        Try::Wrong { left } => {
            Some(Problem::refused(403, "password-wrong").with("tries_left", left))
        }
    })
}
