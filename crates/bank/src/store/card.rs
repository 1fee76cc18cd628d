//! Cards that the bank knows.

use crate::bank::Bank;
use crate::config::CardSettings;
use crate::error::Problem;
use crate::store::{Conn, narrow};
use crate::vault::Purpose;

pub(crate) struct CardRow {
    pub(crate) id: i64,
    pub(crate) customer: i64,
    pub(crate) blocked: bool,
    pub(crate) tail: String,
    /// The highest online counter that a valid MAC1 showed.
    pub(crate) counter_seen: u16,
}

fn number_hash(bank: &Bank, industry: &str, serial: &[u8]) -> [u8; 32] {
    bank.vault
        .hash(Purpose::Card, &[industry.as_bytes(), serial])
}

/// The last four digits of a serial; F at its end only fills it up.
pub(crate) fn tail(serial: &[u8]) -> String {
    let digits = hex::encode_upper(serial);
    let digits = digits.trim_end_matches('F');
    let start = digits.len().saturating_sub(4);
    digits.get(start..).unwrap_or_default().to_owned()
}

pub(crate) async fn seed(
    bank: &Bank,
    conn: &mut Conn,
    customer: i64,
    card: &CardSettings,
) -> Result<(), Problem> {
    let scheme = bank
        .industry(&card.industry)
        .map(|industry| industry.scheme);
    let serial = card
        .serial_bytes(scheme.unwrap_or_default())
        .ok_or_else(|| Problem::internal("serial not checked"))?;
    sqlx::query(
        "INSERT INTO card (industry, number_hash, tail, customer, status) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (number_hash) DO UPDATE SET customer = excluded.customer, status = excluded.status",
    )
    .bind(&card.industry)
    .bind(&number_hash(bank, &card.industry, &serial)[..])
    .bind(tail(&serial))
    .bind(customer)
    .bind(card.status.name())
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(
    bank: &Bank,
    conn: &mut Conn,
    industry: &str,
    serial: &[u8],
) -> Result<Option<CardRow>, Problem> {
    let row: Option<(i64, i64, String, String, i64)> = sqlx::query_as(
        "SELECT id, customer, status, tail, counter_seen FROM card WHERE number_hash = ?",
    )
    .bind(&number_hash(bank, industry, serial)[..])
    .fetch_optional(conn)
    .await?;
    let Some((id, customer, status, tail, counter)) = row else {
        return Ok(None);
    };
    let blocked = status != "normal";
    Ok(Some(CardRow {
        id,
        customer,
        blocked,
        tail,
        counter_seen: narrow(counter)?,
    }))
}

/// The card of a customer with this phone that ends in `tail`.
pub(crate) async fn of_phone(
    bank: &Bank,
    conn: &mut Conn,
    (industry, tail, phone): (&str, &str, &str),
) -> Result<Option<(i64, i64)>, Problem> {
    let phone_hash = bank.vault.hash(Purpose::Phone, &[phone.as_bytes()]);
    Ok(sqlx::query_as(
        "SELECT card.id, card.customer FROM card JOIN customer ON customer.id = card.customer
         WHERE customer.phone_hash = ? AND card.industry = ? AND card.tail = ? LIMIT 1",
    )
    .bind(&phone_hash[..])
    .bind(industry)
    .bind(tail)
    .fetch_optional(conn)
    .await?)
}

/// A counter with a valid MAC1 only rises.
pub(crate) async fn saw_counter(conn: &mut Conn, card: i64, counter: u16) -> Result<(), Problem> {
    sqlx::query("UPDATE card SET counter_seen = max(counter_seen, ?) WHERE id = ?")
        .bind(counter)
        .bind(card)
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn is_blocked(conn: &mut Conn, id: i64) -> Result<bool, Problem> {
    let status: Option<String> = sqlx::query_scalar("SELECT status FROM card WHERE id = ?")
        .bind(id)
        .fetch_optional(conn)
        .await?;
    Ok(status.is_none_or(|status| status != "normal"))
}

pub(crate) async fn customer_of(conn: &mut Conn, id: i64) -> Result<Option<i64>, Problem> {
    Ok(sqlx::query_scalar("SELECT customer FROM card WHERE id = ?")
        .bind(id)
        .fetch_optional(conn)
        .await?)
}
