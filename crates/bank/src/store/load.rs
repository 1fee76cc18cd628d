//! Loads: the ledger's machine as JSON beside the columns that queries need.

mod keep;

use envelope::Terminal;
use ledger::{Attempt, Effect, Event, Load, LoadId, LogLine, Phase, QueueId, Refusal};
use purse::crypto::LoadTerms;
use purse::{HostTime, TransactionType};

use crate::bank::Bank;
use crate::error::Problem;
use crate::scheme::CardIdentity;
use crate::scheme::cash::Session;
use crate::store::row::row;
use crate::store::{Conn, array, narrow, signed};
use crate::vault::random;

pub(crate) use keep::keep;

/// A load with what the bank keeps beside the machine.
pub(crate) struct LoadRow {
    pub(crate) load: Load,
    pub(crate) reference: String,
    pub(crate) industry: String,
    pub(crate) identity: CardIdentity,
    /// What pays for it instead of its account.
    pub(crate) queue: Option<QueueId>,
    unstored: Unstored,
}

/// What the store does not have yet: it takes the steps of one commit together, the row once.
#[derive(Default)]
struct Unstored {
    /// There is no row.
    is_new: bool,
    has_other_identity: bool,
    /// The counter that a valid MAC1 of its card showed.
    counter: Option<u16>,
    effects: Vec<Effect>,
    /// Of each [`Effect::Moved`], what is told of it.
    told: Vec<String>,
}

/// One attempt with what its codes are about.
pub(crate) struct AttemptRow {
    pub(crate) attempt: Attempt,
    pub(crate) terminal: Terminal,
    pub(crate) at: HostTime,
    /// Of electronic cash.
    pub(crate) session: Option<Session>,
}

impl AttemptRow {
    pub(crate) fn terms(&self, amount: u32) -> LoadTerms {
        LoadTerms::purse(amount, self.terminal.bcd())
    }

    /// The record that the card's log has of this attempt.
    pub(crate) fn log_line(&self, amount: u32) -> LogLine {
        let [a, b, c, d] = self.at.date;
        let [e, f, g] = self.at.time;
        let when = [a, b, c, d, e, f, g];
        let kind = TransactionType::Load.byte();
        LogLine {
            amount,
            kind,
            terminal: self.terminal.bcd(),
            when,
        }
    }
}

impl LoadRow {
    /// A load that was asked for just now.
    pub(crate) fn new(
        load: Load,
        industry: String,
        identity: CardIdentity,
    ) -> Result<Self, Problem> {
        Ok(Self {
            load,
            reference: new_reference()?,
            industry,
            identity,
            queue: None,
            unstored: Unstored {
                is_new: true,
                ..Unstored::default()
            },
        })
    }

    /// Lets the machine take an event; [`keep()`] stores what follows.
    pub(crate) fn step(&mut self, event: Event, now_ms: u64) -> Result<(), Refusal> {
        let (load, effects) = self.load.clone().step(event, now_ms)?;
        self.load = load;
        for effect in &effects {
            if let Effect::Moved { from, to } = effect {
                self.unstored.told.push(self.told(*from, *to));
            }
        }
        self.unstored.effects.extend(effects);
        Ok(())
    }

    fn told(&self, from: Phase, to: Phase) -> String {
        serde_json::json!({
            "reference": self.reference, "from": from, "to": to,
            "amount": self.load.order().amount, "state": self.load.state(),
        })
        .to_string()
    }

    /// The card's counter, by a valid MAC1, rises with the next [`keep()`].
    pub(crate) fn saw_counter(&mut self, counter: u16) {
        self.unstored.counter = Some(counter);
    }

    pub(crate) fn identify(&mut self, identity: CardIdentity) {
        self.identity = identity;
        self.unstored.has_other_identity = true;
    }

    pub(crate) fn id(&self) -> &[u8; 16] {
        let LoadId(id) = &self.load.order().id;
        id
    }

    pub(crate) fn phase(&self) -> Phase {
        self.load.state().phase()
    }
}

type Row = (String, String, String, Vec<u8>, Option<String>);

/// The one statement that all reading of loads begins with.
macro_rules! loads {
    ($which:literal) => {
        concat!(
            "SELECT load.reference, card.industry, load.machine, load.card_sealed, load.queue FROM load
             JOIN card ON card.bank = load.bank AND card.id = load.card WHERE load.bank = $1 AND ",
            $which
        )
    };
}

pub(crate) async fn find(
    bank: &Bank,
    conn: &mut Conn,
    id: &[u8; 16],
) -> Result<Option<LoadRow>, Problem> {
    let row = conn.sql(loads!("load.id = $2")).bind(id).optional().await?;
    row.map(|row| read(bank, row)).transpose()
}

/// Loads that have been in this phase since before `before_ms`.
pub(crate) async fn since(
    bank: &Bank,
    conn: &mut Conn,
    (phase, activations_too): (Phase, bool),
    before_ms: u64,
) -> Result<Vec<LoadRow>, Problem> {
    let sql = loads!(
        "load.phase = $2 AND load.changed_ms < $3 AND (load.kind = 'top-up' OR $4 = 1) LIMIT 100"
    );
    let rows: Vec<Row> = conn
        .sql(sql)
        .bind(phase.name())
        .bind(signed(before_ms))
        .bind(activations_too)
        .all()
        .await?;
    rows.into_iter().map(|row| read(bank, row)).collect()
}

/// Top-ups whose outcome is open: just issued, in doubt, or waiting for people. The oldest first.
pub(crate) async fn open(bank: &Bank, conn: &mut Conn) -> Result<Vec<LoadRow>, Problem> {
    let sql = loads!(
        "load.kind = 'top-up' AND load.phase IN ('issued', 'in-doubt', 'manual')
         ORDER BY load.changed_ms LIMIT 1000"
    );
    let rows: Vec<Row> = conn.sql(sql).all().await?;
    rows.into_iter().map(|row| read(bank, row)).collect()
}

/// The load that people call by this reference.
pub(crate) async fn called(
    bank: &Bank,
    conn: &mut Conn,
    reference: &str,
) -> Result<Option<LoadRow>, Problem> {
    let sql = loads!("load.reference = $2");
    let row = conn.sql(sql).bind(reference).optional().await?;
    row.map(|row| read(bank, row)).transpose()
}

fn read(bank: &Bank, row: Row) -> Result<LoadRow, Problem> {
    let (reference, industry, machine, sealed, queue) = row;
    let identity = bank.vault.open("card", &sealed)?;
    Ok(LoadRow {
        load: serde_json::from_str(&machine).map_err(Problem::internal)?,
        reference,
        industry,
        identity: serde_json::from_slice(&identity).map_err(Problem::internal)?,
        queue: queue
            .map(|id| id.parse().map_err(Problem::internal))
            .transpose()?,
        unstored: Unstored::default(),
    })
}

/// The same with its attempts, the oldest first.
pub(crate) async fn with_attempts(
    bank: &Bank,
    conn: &mut Conn,
    id: &[u8; 16],
) -> Result<Option<(LoadRow, Vec<AttemptRow>)>, Problem> {
    let rows: Vec<WholeRow> = conn
        .sql(
            "SELECT load.reference, card.industry, load.machine, load.card_sealed, load.queue, number, counter,
             balance, attempt.terminal, host_time, issued_ms, session FROM load
         JOIN card ON card.bank = load.bank AND card.id = load.card
         LEFT JOIN attempt ON attempt.bank = load.bank AND attempt.load = load.id
         WHERE load.bank = $1 AND load.id = $2 ORDER BY number",
        )
        .bind(id)
        .all()
        .await?;
    let mut found = None;
    let mut attempts = Vec::with_capacity(rows.len());
    for row in rows {
        let attempt = row
            .number
            .zip(row.counter)
            .zip(row.balance.zip(row.issued_ms));
        if let (Some(((number, counter), (balance, issued_ms))), Some(terminal), Some(at)) =
            (attempt, row.terminal, row.host_time)
        {
            let it = (
                number,
                counter,
                balance,
                terminal,
                at,
                issued_ms,
                row.session,
            );
            attempts.push(read_attempt(it)?);
        }
        let of = (
            row.reference,
            row.industry,
            row.machine,
            row.card_sealed,
            row.queue,
        );
        found.get_or_insert(of);
    }
    let found = found.map(|of| read(bank, of)).transpose()?;
    Ok(found.map(|row| (row, attempts)))
}

row! {
    /// A load beside one of its attempts.
    struct WholeRow {
        reference: String,
        industry: String,
        machine: String,
        card_sealed: Vec<u8>,
        queue: Option<String>,
        number: Option<i64>,
        counter: Option<i64>,
        balance: Option<i64>,
        terminal: Option<String>,
        host_time: Option<Vec<u8>>,
        issued_ms: Option<i64>,
        session: Option<String>,
    }
}

type StoredAttempt = (i64, i64, i64, String, Vec<u8>, i64, Option<String>);

pub(crate) async fn attempts(conn: &mut Conn, load: &[u8; 16]) -> Result<Vec<AttemptRow>, Problem> {
    let rows: Vec<StoredAttempt> = conn
        .sql(
            "SELECT number, counter, balance, terminal, host_time, issued_ms, session FROM attempt
             WHERE bank = $1 AND load = $2 ORDER BY number",
        )
        .bind(load)
        .all()
        .await?;
    rows.into_iter().map(read_attempt).collect()
}

fn read_attempt(
    (number, counter, balance, terminal, at, issued_ms, session): StoredAttempt,
) -> Result<AttemptRow, Problem> {
    let session = session.as_deref().map(serde_json::from_str).transpose();
    let [a, b, c, d, e, f, g] = array::<7>(&at)?;
    Ok(AttemptRow {
        attempt: Attempt {
            number: narrow(number)?,
            counter: narrow(counter)?,
            balance: narrow(balance)?,
            issued_ms: narrow(issued_ms)?,
        },
        terminal: terminal.parse().map_err(Problem::internal)?,
        at: HostTime {
            date: [a, b, c, d],
            time: [e, f, g],
        },
        session: session.map_err(Problem::internal)?,
    })
}

pub(crate) async fn keep_attempt(
    conn: &mut Conn,
    row: &LoadRow,
    attempt: &AttemptRow,
) -> Result<(), Problem> {
    let order = row.load.order();
    let AttemptRow {
        attempt,
        terminal,
        at,
        session,
    } = attempt;
    let session = session.as_ref().map(serde_json::to_string).transpose();
    conn.sql(
        "INSERT INTO attempt (bank, load, number, card, account, amount, counter, balance, terminal,
         host_time, issued_ms, session) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(row.id())
    .bind(attempt.number)
    .bind(order.card.0)
    .bind(order.account.0)
    .bind(order.amount)
    .bind(attempt.counter)
    .bind(attempt.balance)
    .bind(terminal.to_string())
    .bind([&at.date[..], &at.time].concat())
    .bind(signed(attempt.issued_ms))
    .bind(session.map_err(Problem::internal)?)
    .send()
    .await
}

/// `TF-XXXX-XXXX` without 0, O, 1, I, L and U, so that it can be read out.
fn new_reference() -> Result<String, Problem> {
    const LETTERS: &[u8; 30] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut out = String::from("TF");
    let mut taken = 0;
    while taken < 8 {
        let [byte]: [u8; 1] = random()?;
        // 240 is the largest multiple of 30 in a byte: above it letters would not be equally likely.
        let Some(letter) = LETTERS.get(usize::from(byte % 30)).filter(|_| byte < 240) else {
            continue;
        };
        if taken % 4 == 0 {
            out.push('-');
        }
        out.push(char::from(*letter));
        taken += 1;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_can_be_read_out() {
        let reference = new_reference().unwrap();
        assert_eq!(reference.len(), 12);
        assert!(reference.starts_with("TF-") && reference.as_bytes()[7] == b'-');
        assert!(!reference[3..].contains(['0', 'O', '1', 'I', 'L', 'U']));
    }
}
