//! Loads: the ledger's machine as JSON beside the columns that queries need.

use envelope::Terminal;
use ledger::{
    Attempt, Effect, Event, Incident, Load, LoadId, LogLine, Phase, Proof, QueueId, Refusal, State,
};
use purse::crypto::LoadTerms;
use purse::{HostTime, TransactionType};

use crate::bank::Bank;
use crate::error::Problem;
use crate::scheme::CardIdentity;
use crate::scheme::cash::Session;
use crate::store::audit::Note;
use crate::store::outbox::Moved;
use crate::store::{Conn, array, audit, card, corebank, money, narrow, outbox, queue, signed};
use crate::vault::random;

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

    /// Lets the machine take an event; [`keep`] stores what follows.
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

    /// The card's counter, by a valid MAC1, rises with the next [`keep`].
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

pub(crate) async fn attempts(conn: &mut Conn, load: &[u8; 16]) -> Result<Vec<AttemptRow>, Problem> {
    type Row = (i64, i64, i64, String, Vec<u8>, i64, Option<String>);
    let rows: Vec<Row> = conn
        .sql(
            "SELECT number, counter, balance, terminal, host_time, issued_ms, session FROM attempt
             WHERE bank = $1 AND load = $2 ORDER BY number",
        )
        .bind(load)
        .all()
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
    .execute()
    .await?;
    Ok(())
}

/// Stores what the machine's steps since the last time caused: all but the reply, which the flow makes.
pub(crate) async fn keep(
    bank: &Bank,
    conn: &mut Conn,
    row: &mut LoadRow,
    now_ms: u64,
) -> Result<(), Problem> {
    let unstored = std::mem::take(&mut row.unstored);
    match unstored.is_new {
        true => insert(bank, conn, row, now_ms).await?,
        false => write(bank, conn, row, unstored.has_other_identity).await?,
    }
    keep_card(conn, row, &unstored).await?;
    let mut told = unstored.told.iter();
    let mut moves = Vec::new();
    let mut notes = Vec::new();
    for effect in unstored.effects {
        match effect {
            Effect::Transfer(transfer) => {
                let transfer = match row.queue {
                    Some(id) => queue::through(conn, (id, row.id()), transfer, now_ms).await?,
                    None => transfer,
                };
                money::post(conn, &transfer, Some(row.id()), now_ms).await?;
            }
            Effect::Moved { from, to } => {
                let told = told.next().map_or("", String::as_str);
                moves.push(Moved { from, to, told });
                notes.push(Note::new("load-moved", &row.reference, told));
                corebank::moved(conn, row, to, now_ms).await?;
            }
            Effect::Incident(kind) => {
                let what = (incident_name(kind), "load");
                notes.push(audit::seen(conn, what, Some(row.id()), now_ms).await?);
            }
            Effect::IssueMac2 { .. } | Effect::AnswerStored => {}
        }
    }
    outbox::moved(conn, row.id(), &moves, now_ms).await?;
    audit::add(bank, conn, &notes, now_ms).await
}

async fn insert(bank: &Bank, conn: &mut Conn, row: &LoadRow, now_ms: u64) -> Result<(), Problem> {
    let order = row.load.order();
    let kind = match order.kind {
        ledger::Kind::TopUp => "top-up",
        ledger::Kind::Activation => "activation",
    };
    let terminal = Terminal::from_bcd(order.terminal).map_err(Problem::internal)?;
    let identity = serde_json::to_vec(&row.identity).map_err(Problem::internal)?;
    let made = conn
        .sql(
            "INSERT INTO load (bank, id, reference, kind, terminal, card, account, amount, phase, machine,
         card_sealed, requested_ms, changed_ms, queue)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING",
        )
        .bind(row.id())
        .bind(&row.reference)
        .bind(kind)
        .bind(terminal.to_string())
        .bind(order.card.0)
        .bind(order.account.0)
        .bind(order.amount)
        .bind(row.phase().name())
        .bind(serde_json::to_string(&row.load).map_err(Problem::internal)?)
        .bind(bank.vault.seal("card", &identity)?)
        .bind(signed(now_ms))
        .bind(signed(row.load.changed_ms()))
        .bind(row.queue.map(|id| id.to_string()))
        .execute()
        .await?;
    match made {
        0 => Err(Problem::overtaken("a load of this number came first")),
        _ => Ok(()),
    }
}

/// The card's own row: its counter, its open load, and the counter of one that reached it.
async fn keep_card(conn: &mut Conn, row: &LoadRow, unstored: &Unstored) -> Result<(), Problem> {
    let card = row.load.order().card.0;
    let mut is_open = None;
    for effect in &unstored.effects {
        if let Effect::Moved { from, to } = effect {
            let (before, _) = is_open.unwrap_or((blocks(*from), false));
            is_open = Some((before, blocks(*to)));
        }
    }
    match (is_open, unstored.counter) {
        (Some((false, true)), counter) => card::opened(conn, card, row.id(), counter).await,
        (Some((true, false)), _) => card::closed(conn, card, confirmed_counter(row)).await,
        (Some((true, true) | (false, false)) | None, Some(counter)) => {
            card::saw_counter(conn, card, counter).await
        }
        (Some((true, true) | (false, false)) | None, None) => Ok(()),
    }
}

/// The counter of the attempt that reached the card, when one did.
fn confirmed_counter(row: &LoadRow) -> Option<u16> {
    let is_top_up = row.load.order().kind == ledger::Kind::TopUp;
    let attempt = row.load.last_attempt()?;
    (is_top_up && row.phase() == Phase::Confirmed).then_some(attempt.counter)
}

async fn write(
    bank: &Bank,
    conn: &mut Conn,
    row: &LoadRow,
    has_other_identity: bool,
) -> Result<(), Problem> {
    let proof = proof(row.load.state());
    let confirmed = confirmed_counter(row);
    let written = conn
        .sql(
            "UPDATE load SET phase = $3, proof = $4, proof_counter = $5, operators = $6,
         confirmed_counter = $7, machine = $8, changed_ms = $9 WHERE bank = $1 AND id = $2",
        )
        .bind(row.id())
        .bind(row.phase().name())
        .bind(proof.name)
        .bind(proof.counter)
        .bind(proof.operators)
        .bind(confirmed)
        .bind(serde_json::to_string(&row.load).map_err(Problem::internal)?)
        .bind(signed(row.load.changed_ms()))
        .execute()
        .await?;
    if written == 0 {
        return Err(Problem::internal("a load went away"));
    }
    if has_other_identity {
        let identity = serde_json::to_vec(&row.identity).map_err(Problem::internal)?;
        let sealed = bank.vault.seal("card", &identity)?;
        let sql = "UPDATE load SET card_sealed = $3 WHERE bank = $1 AND id = $2";
        conn.sql(sql).bind(row.id()).bind(sealed).execute().await?;
    }
    Ok(())
}

/// Whether a load in this phase keeps its card from another one (I5).
fn blocks(phase: Phase) -> bool {
    match phase {
        Phase::Authorised | Phase::Issued | Phase::InDoubt | Phase::Manual => true,
        Phase::Requested
        | Phase::Declined
        | Phase::Voided
        | Phase::Confirmed
        | Phase::Reversed
        | Phase::WrittenOff => false,
    }
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
