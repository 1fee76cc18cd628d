//! A load's row with all that its machine's steps cause, written once for each commit.

use envelope::Terminal;
use ledger::{Effect, Incident, Phase, Proof, State};

use super::{LoadRow, Unstored};
use crate::bank::Bank;
use crate::error::Problem;
use crate::store::audit::{Adding, Note};
use crate::store::money::Posting;
use crate::store::outbox::{Moved, Moving};
use crate::store::{Conn, audit, card, corebank, queue, signed};

/// Stores what the machine's steps since the last time caused: all but the reply, which the flow makes. First whatever
/// makes a number, then what needs one: each half is one way to a server.
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
    let mut postings = Vec::new();
    for effect in unstored.effects {
        match effect {
            Effect::Transfer(transfer) => {
                let transfer = match row.queue {
                    Some(id) => queue::through(conn, (id, row.id()), transfer, now_ms).await?,
                    None => transfer,
                };
                let posting = Posting::begin(conn, &transfer, Some(row.id()), now_ms).await?;
                postings.push(posting);
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
    let moving = Moving::begin(conn, row.id(), &moves, now_ms).await?;
    let adding = Adding::begin(bank, conn, notes, now_ms).await?;
    for posting in postings {
        posting.end(conn).await?;
    }
    moving.end(conn).await?;
    adding.end(bank, conn).await
}

async fn insert(bank: &Bank, conn: &mut Conn, row: &LoadRow, now_ms: u64) -> Result<(), Problem> {
    let order = row.load.order();
    let kind = match order.kind {
        ledger::Kind::TopUp => "top-up",
        ledger::Kind::Activation => "activation",
    };
    let terminal = Terminal::from_bcd(order.terminal).map_err(Problem::internal)?;
    let identity = serde_json::to_vec(&row.identity).map_err(Problem::internal)?;
    conn.sql(
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
        .send_one(|| Problem::overtaken("a load of this number came first"))
        .await
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
    conn.sql(
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
    .send_one(|| Problem::internal("a load went away"))
    .await?;
    if has_other_identity {
        let identity = serde_json::to_vec(&row.identity).map_err(Problem::internal)?;
        let sealed = bank.vault.seal("card", &identity)?;
        let sql = "UPDATE load SET card_sealed = $3 WHERE bank = $1 AND id = $2";
        conn.sql(sql).bind(row.id()).bind(sealed).send().await?;
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
