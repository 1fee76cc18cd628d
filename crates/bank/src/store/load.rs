//! Loads: the ledger's machine as JSON beside the columns that queries need.

use envelope::Terminal;
use ledger::{Attempt, Effect, Incident, Load, LoadId, LogLine, Phase, Proof, State, Transfer};
use purse::crypto::LoadTerms;
use purse::{HostTime, TransactionType};

use crate::bank::Bank;
use crate::error::Problem;
use crate::scheme::CardIdentity;
use crate::scheme::cash::Session;
use crate::store::{Conn, array, audit, money, narrow, outbox, signed};
use crate::vault::random;

/// A load with what the bank keeps beside the machine.
pub(crate) struct LoadRow {
    pub(crate) load: Load,
    pub(crate) reference: String,
    pub(crate) industry: String,
    pub(crate) identity: CardIdentity,
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
    pub(crate) fn id(&self) -> &[u8; 16] {
        let LoadId(id) = &self.load.order().id;
        id
    }

    pub(crate) fn phase(&self) -> Phase {
        self.load.state().phase()
    }
}

const COLUMNS: &str = "SELECT load.reference, card.industry, load.machine, load.card_sealed
    FROM load JOIN card ON card.id = load.card";

pub(crate) async fn find(
    bank: &Bank,
    conn: &mut Conn,
    id: &[u8; 16],
) -> Result<Option<LoadRow>, Problem> {
    let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE load.id = ?"));
    let row = sqlx::query_as(sql)
        .bind(&id[..])
        .fetch_optional(conn)
        .await?;
    row.map(|row| read(bank, row)).transpose()
}

/// The load that blocks every other load of the card (I5).
pub(crate) async fn open_of_card(
    bank: &Bank,
    conn: &mut Conn,
    card: i64,
) -> Result<Option<LoadRow>, Problem> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE load.card = ? AND load.phase IN ('authorised', 'issued', 'in-doubt', 'manual')"
    ));
    let row = sqlx::query_as(sql).bind(card).fetch_optional(conn).await?;
    row.map(|row| read(bank, row)).transpose()
}

/// Loads that have been in this phase since before `before_ms`.
pub(crate) async fn since(
    bank: &Bank,
    conn: &mut Conn,
    (phase, activations_too): (Phase, bool),
    before_ms: u64,
) -> Result<Vec<LoadRow>, Problem> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE load.phase = ? AND load.changed_ms < ?
         AND (load.kind = 'top-up' OR ?) LIMIT 100"
    ));
    let rows = sqlx::query_as(sql)
        .bind(phase.name())
        .bind(signed(before_ms))
        .bind(activations_too)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(|row| read(bank, row)).collect()
}

/// Top-ups whose outcome is open: just issued, in doubt, or waiting for people. The oldest first.
pub(crate) async fn open(bank: &Bank, conn: &mut Conn) -> Result<Vec<LoadRow>, Problem> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE load.kind = 'top-up' AND load.phase IN ('issued', 'in-doubt', 'manual')
         ORDER BY load.changed_ms LIMIT 1000"
    ));
    let rows = sqlx::query_as(sql).fetch_all(conn).await?;
    rows.into_iter().map(|row| read(bank, row)).collect()
}

/// The load that people call by this reference.
pub(crate) async fn called(
    bank: &Bank,
    conn: &mut Conn,
    reference: &str,
) -> Result<Option<LoadRow>, Problem> {
    let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE load.reference = ?"));
    let row = sqlx::query_as(sql)
        .bind(reference)
        .fetch_optional(conn)
        .await?;
    row.map(|row| read(bank, row)).transpose()
}

fn read(bank: &Bank, row: (String, String, String, Vec<u8>)) -> Result<LoadRow, Problem> {
    let (reference, industry, machine, sealed) = row;
    let identity = bank.vault.open("card", &sealed)?;
    Ok(LoadRow {
        load: serde_json::from_str(&machine).map_err(Problem::internal)?,
        reference,
        industry,
        identity: serde_json::from_slice(&identity).map_err(Problem::internal)?,
    })
}

/// Whether this counter of the card, or one after it, was confirmed: such an INITIALIZE is an old one.
pub(crate) async fn counter_confirmed(
    conn: &mut Conn,
    card: i64,
    counter: u16,
) -> Result<bool, Problem> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM load WHERE card = ? AND confirmed_counter >= ? LIMIT 1")
            .bind(card)
            .bind(counter)
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}

pub(crate) async fn attempts(conn: &mut Conn, load: &[u8; 16]) -> Result<Vec<AttemptRow>, Problem> {
    type Row = (i64, i64, i64, String, Vec<u8>, i64, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT number, counter, balance, terminal, host_time, issued_ms, session
         FROM attempt
         WHERE load = ? ORDER BY number",
    )
    .bind(&load[..])
    .fetch_all(conn)
    .await?;
    let read = |(number, counter, balance, terminal, at, issued_ms, session): Row| {
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
    };
    rows.into_iter().map(read).collect()
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
    sqlx::query(
        "INSERT INTO attempt (load, number, card, account, amount, counter, balance, terminal,
         host_time, issued_ms, session) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&row.id()[..])
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
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the machine after a step and all its effects but the reply, which the flow makes.
pub(crate) async fn keep(
    bank: &Bank,
    conn: &mut Conn,
    row: &LoadRow,
    effects: &[Effect],
    now_ms: u64,
) -> Result<(), Problem> {
    write(bank, conn, row, now_ms).await?;
    for effect in effects {
        match effect {
            Effect::Transfer(transfer) => {
                let transfer: &Transfer = transfer;
                money::post(conn, transfer, Some(row.id()), now_ms).await?;
            }
            Effect::Moved { from, to } => moved(bank, conn, row, (*from, *to), now_ms).await?,
            Effect::Incident(kind) => {
                let name = incident_name(*kind);
                audit::incident(bank, conn, (name, "load"), Some(row.id()), now_ms).await?;
            }
            Effect::IssueMac2 { .. } | Effect::AnswerStored => {}
        }
    }
    Ok(())
}

async fn write(bank: &Bank, conn: &mut Conn, row: &LoadRow, now_ms: u64) -> Result<(), Problem> {
    let order = row.load.order();
    let proof = proof(row.load.state());
    let confirmed = (row.phase() == Phase::Confirmed)
        .then(|| row.load.last_attempt().map(|attempt| attempt.counter))
        .flatten()
        .filter(|_| order.kind == ledger::Kind::TopUp);
    let kind = match order.kind {
        ledger::Kind::TopUp => "top-up",
        ledger::Kind::Activation => "activation",
    };
    let terminal = Terminal::from_bcd(order.terminal).map_err(Problem::internal)?;
    let identity = serde_json::to_vec(&row.identity).map_err(Problem::internal)?;
    sqlx::query(
        "INSERT INTO load (id, reference, kind, terminal, card, account, amount, phase, proof,
         proof_counter, operators, confirmed_counter, machine, card_sealed, requested_ms, changed_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET phase = excluded.phase, proof = excluded.proof,
             proof_counter = excluded.proof_counter, operators = excluded.operators,
             confirmed_counter = excluded.confirmed_counter, machine = excluded.machine,
             card_sealed = excluded.card_sealed, changed_ms = excluded.changed_ms",
    )
    .bind(&row.id()[..])
    .bind(&row.reference)
    .bind(kind)
    .bind(terminal.to_string())
    .bind(order.card.0)
    .bind(order.account.0)
    .bind(order.amount)
    .bind(row.phase().name())
    .bind(proof.name)
    .bind(proof.counter)
    .bind(proof.operators)
    .bind(confirmed)
    .bind(serde_json::to_string(&row.load).map_err(Problem::internal)?)
    .bind(bank.vault.seal("card", &identity)?)
    .bind(signed(now_ms))
    .bind(signed(row.load.changed_ms()))
    .execute(conn)
    .await?;
    Ok(())
}

/// One transition, one outbox event, one audit row (I17).
async fn moved(
    bank: &Bank,
    conn: &mut Conn,
    row: &LoadRow,
    (from, to): (Phase, Phase),
    now_ms: u64,
) -> Result<(), Problem> {
    let id = sqlx::query(
        "INSERT INTO transition (load, from_phase, to_phase, at_ms) VALUES (?, ?, ?, ?)",
    )
    .bind(&row.id()[..])
    .bind(from.name())
    .bind(to.name())
    .bind(signed(now_ms))
    .execute(&mut *conn)
    .await?
    .last_insert_rowid();
    let state = serde_json::to_value(row.load.state()).map_err(Problem::internal)?;
    let detail = serde_json::json!({
        "reference": row.reference, "from": from, "to": to,
        "amount": row.load.order().amount, "state": state,
    })
    .to_string();
    outbox::load_moved(conn, id, &detail, now_ms).await?;
    audit::note(bank, conn, ("load-moved", &row.reference, &detail), now_ms).await
}

#[derive(Default)]
struct ProofColumns {
    name: Option<&'static str>,
    counter: Option<u16>,
    operators: u8,
}

fn proof(state: &State) -> ProofColumns {
    let by = match state {
        State::Confirmed { by } | State::Reversed { by } => by,
        State::WrittenOff { .. } => {
            return ProofColumns {
                name: Some("operators"),
                counter: None,
                operators: 2,
            };
        }
        State::Requested
        | State::Authorised { .. }
        | State::Issued { .. }
        | State::InDoubt { .. }
        | State::Manual { .. }
        | State::Declined { .. }
        | State::Voided => return ProofColumns::default(),
    };
    let (counter, operators) = match by {
        Proof::Counter { counter } => (Some(*counter), 0),
        Proof::Operators(_) => (None, 2),
        Proof::Tac { .. } | Proof::EnableFlag | Proof::NoMoney => (None, 0),
    };
    ProofColumns {
        name: Some(by.name()),
        counter,
        operators,
    }
}

fn incident_name(kind: Incident) -> &'static str {
    match kind {
        Incident::LateTac => "late-tac",
        Incident::DeadAttemptTac => "dead-attempt-tac",
        Incident::TacForOperators => "tac-for-operators",
        Incident::BadTac => "bad-tac",
        Incident::CounterBelow => "counter-below",
        Incident::CounterAbove => "counter-above",
        Incident::Contradiction => "contradiction",
        Incident::OtherCard => "other-card",
    }
}

/// `TF-XXXX-XXXX` without 0, O, 1, I, L and U, so that it can be read out.
pub(crate) fn new_reference() -> Result<String, Problem> {
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
