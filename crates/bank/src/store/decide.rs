//! What decides about a top-up, of all tables at once: each statement is a way to the server and back.

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::card::{self, CardRow};
use crate::store::customer::Tries;
use crate::store::row::row;
use crate::store::sms::{self, CodeRow};
use crate::store::{Conn, narrow, unsigned};

/// All that is known of a card and of the transaction that would load it.
pub(crate) struct Known {
    pub(crate) card: CardRow,
    /// Of its holder's password, where money moves.
    pub(crate) tries: Tries,
    /// On its holder's account, fen.
    pub(crate) available: i64,
    /// The transaction was asked about before it came.
    pub(crate) is_void: bool,
    pub(crate) code: Option<CodeRow>,
    /// Who has the card that the code was asked for.
    pub(crate) code_customer: Option<i64>,
}

row! {
    struct Row {
        id: i64,
        customer: i64,
        status: String,
        tail: String,
        counter_seen: i64,
        open_load: Option<Vec<u8>>,
        counter_confirmed: i64,
        tries_left: i64,
        locked_ms: Option<i64>,
        balance: Option<i64>,
        void_ms: Option<i64>,
        code_terminal: Option<String>,
        code_industry: Option<String>,
        code_tail: Option<String>,
        code_card: Option<i64>,
        ceiling: Option<i64>,
        code_hash: Option<Vec<u8>>,
        sent_ms: Option<i64>,
        sends: Option<i64>,
        code_tries_left: Option<i64>,
        verified_ms: Option<i64>,
        spent_ms: Option<i64>,
        code_customer: Option<i64>,
    }
}

/// None when the bank does not know the card.
pub(crate) async fn find(
    bank: &Bank,
    conn: &mut Conn,
    (industry, serial): (&str, &[u8]),
    transaction: &[u8; 16],
) -> Result<Option<Known>, Problem> {
    let stem = sms::stem(transaction);
    let row: Option<Row> = conn
        .sql(
            "SELECT card.id, card.customer, card.status, card.tail, card.counter_seen, card.open_load,
             card.counter_confirmed, customer.tries_left, customer.locked_ms, account.balance,
             void.at_ms AS void_ms, code.terminal AS code_terminal, code.industry AS code_industry,
             code.card_tail AS code_tail, code.card AS code_card, code.ceiling, code.code_hash,
             code.sent_ms, code.sends, code.tries_left AS code_tries_left, code.verified_ms, code.spent_ms,
             code_owner.customer AS code_customer
         FROM card JOIN customer ON customer.bank = card.bank AND customer.id = card.customer
         LEFT JOIN account ON account.bank = card.bank
             AND account.name = 'customer:' || CAST(card.customer AS TEXT)
         LEFT JOIN void ON void.bank = card.bank AND void.id = $3
         LEFT JOIN sms_code AS code ON code.bank = card.bank AND code.stem = $4
         LEFT JOIN card AS code_owner ON code_owner.bank = code.bank AND code_owner.id = code.card
         WHERE card.bank = $1 AND card.number_hash = $2",
        )
        .bind(&card::number_hash(bank, industry, serial))
        .bind(transaction)
        .bind(&stem)
        .optional()
        .await?;
    row.map(|row| read(row, stem)).transpose()
}

fn read(mut row: Row, stem: [u8; 15]) -> Result<Known, Problem> {
    let code = code(&mut row, stem)?;
    let of = (row.id, row.customer, row.status, row.tail);
    let counters = (row.counter_seen, row.counter_confirmed);
    Ok(Known {
        card: CardRow::read(of, row.open_load.as_deref(), counters)?,
        tries: Tries {
            left: row.tries_left,
            locked_ms: row.locked_ms,
        },
        available: row.balance.unwrap_or(0),
        is_void: row.void_ms.is_some(),
        code,
        code_customer: row.code_customer,
    })
}

fn code(row: &mut Row, stem: [u8; 15]) -> Result<Option<CodeRow>, Problem> {
    let bound = row.code_terminal.take().zip(row.code_industry.take());
    let about = row.code_tail.take().zip(row.ceiling);
    let sent = row.sent_ms.zip(row.sends).zip(row.code_tries_left);
    let (Some((terminal, industry)), Some((card_tail, ceiling)), Some(hash), Some(sent)) =
        (bound, about, row.code_hash.take(), sent)
    else {
        return Ok(None);
    };
    let ((sent_ms, sends), tries_left) = sent;
    Ok(Some(CodeRow {
        stem,
        terminal: terminal.parse().map_err(Problem::internal)?,
        industry,
        card_tail,
        card: row.code_card,
        ceiling: narrow(ceiling)?,
        code_hash: hash,
        sent_ms: unsigned(sent_ms)?,
        sends: narrow(sends)?,
        tries_left: narrow(tries_left)?,
        verified_ms: row.verified_ms.map(unsigned).transpose()?,
        spent: row.spent_ms.is_some(),
    }))
}
