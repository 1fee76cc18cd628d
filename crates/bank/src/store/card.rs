//! Cards that the bank knows.

use crate::bank::Bank;
use crate::config::CardSettings;
use crate::error::Problem;
use crate::store::{Conn, array, narrow};
use crate::vault::Purpose;

pub(crate) struct CardRow {
    pub(crate) id: i64,
    pub(crate) customer: i64,
    pub(crate) blocked: bool,
    pub(crate) tail: String,
    /// The highest online counter that a valid MAC1 showed.
    pub(crate) counter_seen: u16,
    /// The load that blocks every other one of this card (I5).
    pub(crate) open_load: Option<[u8; 16]>,
    /// The highest counter whose load was confirmed; -1 before the first.
    counter_confirmed: i64,
}

impl CardRow {
    pub(super) fn read(
        (id, customer, status, tail): (i64, i64, String, String),
        open_load: Option<&[u8]>,
        (counter_seen, counter_confirmed): (i64, i64),
    ) -> Result<Self, Problem> {
        Ok(Self {
            id,
            customer,
            blocked: status != "normal",
            tail,
            counter_seen: narrow(counter_seen)?,
            open_load: open_load.map(array).transpose()?,
            counter_confirmed,
        })
    }

    /// Whether this counter, or one after it, was confirmed: such an INITIALIZE is an old one.
    pub(crate) fn is_confirmed(&self, counter: u16) -> bool {
        i64::from(counter) <= self.counter_confirmed
    }
}

pub(super) fn number_hash(bank: &Bank, industry: &str, serial: &[u8]) -> [u8; 32] {
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

/// The serial of a card of the configuration.
fn serial(bank: &Bank, card: &CardSettings) -> Result<Vec<u8>, Problem> {
    let scheme = bank
        .industry(&card.industry)
        .map(|industry| industry.scheme);
    card.serial_bytes(scheme.unwrap_or_default())
        .ok_or_else(|| Problem::internal("serial not checked"))
}

/// Whether [`seed`] would change nothing.
pub(crate) async fn is_as_told(
    bank: &Bank,
    conn: &mut Conn,
    customer: i64,
    card: &CardSettings,
) -> Result<bool, Problem> {
    let hash = number_hash(bank, &card.industry, &serial(bank, card)?);
    let sql = "SELECT customer, status FROM card WHERE bank = $1 AND number_hash = $2";
    let found: Option<(i64, String)> = conn.sql(sql).bind(&hash).optional().await?;
    Ok(found.is_some_and(|(of, status)| of == customer && status == card.status.name()))
}

pub(crate) async fn seed(
    bank: &Bank,
    conn: &mut Conn,
    customer: i64,
    card: &CardSettings,
) -> Result<(), Problem> {
    let serial = serial(bank, card)?;
    let hash = number_hash(bank, &card.industry, &serial);
    let known = conn
        .sql("UPDATE card SET customer = $3, status = $4 WHERE bank = $1 AND number_hash = $2")
        .bind(&hash)
        .bind(customer)
        .bind(card.status.name())
        .execute()
        .await?;
    if known > 0 {
        return Ok(());
    }
    conn.sql(
        "INSERT INTO card (bank, industry, number_hash, tail, customer, status)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&card.industry)
    .bind(&hash)
    .bind(tail(&serial))
    .bind(customer)
    .bind(card.status.name())
    .send()
    .await
}

pub(crate) async fn find(
    bank: &Bank,
    conn: &mut Conn,
    industry: &str,
    serial: &[u8],
) -> Result<Option<CardRow>, Problem> {
    type Row = (i64, i64, String, String, i64, Option<Vec<u8>>, i64);
    let row: Option<Row> = conn
        .sql(
            "SELECT id, customer, status, tail, counter_seen, open_load, counter_confirmed FROM card
             WHERE bank = $1 AND number_hash = $2",
        )
        .bind(&number_hash(bank, industry, serial))
        .optional()
        .await?;
    row.map(
        |(id, customer, status, tail, counter, open_load, confirmed)| {
            let of = (id, customer, status, tail);
            CardRow::read(of, open_load.as_deref(), (counter, confirmed))
        },
    )
    .transpose()
}

/// The card of a customer with this phone that ends in `tail`.
pub(crate) async fn of_phone(
    bank: &Bank,
    conn: &mut Conn,
    (industry, tail, phone): (&str, &str, &str),
) -> Result<Option<(i64, i64)>, Problem> {
    let phone_hash = bank.vault.hash(Purpose::Phone, &[phone.as_bytes()]);
    conn.sql(
        "SELECT card.id, card.customer FROM card
         JOIN customer ON customer.bank = card.bank AND customer.id = card.customer
         WHERE card.bank = $1 AND customer.phone_hash = $2 AND card.industry = $3 AND card.tail = $4
         LIMIT 1",
    )
    .bind(&phone_hash)
    .bind(industry)
    .bind(tail)
    .optional()
    .await
}

/// A counter with a valid MAC1 only rises.
pub(crate) async fn saw_counter(conn: &mut Conn, card: i64, counter: u16) -> Result<(), Problem> {
    conn.sql("UPDATE card SET counter_seen = $2 WHERE bank = $1 AND id = $3 AND counter_seen < $2")
        .bind(counter)
        .bind(card)
        .send()
        .await
}

/// From now on the card's open load is this one; `counter` is the one that a valid MAC1 showed for it.
pub(crate) async fn opened(
    conn: &mut Conn,
    card: i64,
    load: &[u8; 16],
    counter: Option<u16>,
) -> Result<(), Problem> {
    conn.sql(
        "UPDATE card SET open_load = $3,
             counter_seen = CASE WHEN counter_seen < $4 THEN $4 ELSE counter_seen END
         WHERE bank = $1 AND id = $2",
    )
    .bind(card)
    .bind(load)
    .bind(counter.map_or(-1, i64::from))
    .send()
    .await
}

/// The card has no open load any more; `confirmed` is the counter of one that reached it.
pub(crate) async fn closed(
    conn: &mut Conn,
    card: i64,
    confirmed: Option<u16>,
) -> Result<(), Problem> {
    conn.sql(
        "UPDATE card SET open_load = NULL, counter_confirmed =
             CASE WHEN counter_confirmed < $3 THEN $3 ELSE counter_confirmed END
         WHERE bank = $1 AND id = $2",
    )
    .bind(card)
    .bind(confirmed.map_or(-1, i64::from))
    .send()
    .await
}

pub(crate) async fn is_blocked(conn: &mut Conn, id: i64) -> Result<bool, Problem> {
    let status: Option<(String,)> = conn
        .sql("SELECT status FROM card WHERE bank = $1 AND id = $2")
        .bind(id)
        .optional()
        .await?;
    Ok(status.is_none_or(|(status,)| status != "normal"))
}
