//! What people of the bank do with loads that no card settles: list them, take them over, decide them by two.

use ledger::{
    Doubt, Event, Kind, Proposal, ProposalRefusal, Proposed, Resolution, State, Suspense, propose,
};
use serde::Serialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::bank::Bank;
use crate::config::Config;
use crate::console::Role;
use crate::error::{Problem, StartError};
use crate::running;
use crate::store::customer::Try;
use crate::store::load::{self, LoadRow};
use crate::store::operator::{self, ProposalRow};
use crate::store::{Conn, Refusal, audit, commit, console};

/// The fewest characters of an operator's password.
const SHORTEST_PASSWORD: usize = 12;

/// Who acts, and how they show that it is them.
pub struct Signature {
    /// The operator's name.
    pub operator: String,
    /// Their password.
    pub password: Zeroizing<String>,
    /// What they saw; at most 500 characters, without long numbers.
    pub evidence: String,
}

/// What an operator does about a load.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Act {
    /// Proposes an end for a load in MANUAL; a second operator's same proposal carries it out.
    Decide(Resolution),
    /// Takes a load in doubt into MANUAL: its card is lost or broken and will never settle it.
    LostCard,
}

impl Act {
    /// The words of the command line.
    ///
    /// # Errors
    /// The allowed words.
    pub fn parse(word: &str) -> Result<Self, String> {
        let resolution = Resolution::ALL.into_iter().find(|it| it.name() == word);
        resolution
            .map(Self::Decide)
            .ok_or_else(|| "loaded, refund or write-off".to_owned())
    }
}

/// What came of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acted {
    /// Kept; a different operator has to propose the same.
    Proposed,
    /// Kept; another operator proposed something else, nothing moves before two agree.
    Disagreed,
    /// Two operators agreed: carried out.
    Decided,
    /// The load waits for people now.
    TakenOver,
}

/// Why an operator's wish was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The bank's folder or store can't be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A code for programs and what it means; nothing was changed.
    #[error("{code}: {cause}")]
    Refused {
        /// E.g. `operator-refused`.
        code: &'static str,
        /// In words.
        cause: String,
    },
}

/// Adds an operator to the bank in `config.dir`, running or not, or gives one a new password.
///
/// # Errors
/// [`OperatorError`], for a name or a password that is none as well.
pub async fn keep_operator(
    config: Config,
    name: &str,
    password: &Zeroizing<String>,
) -> Result<(), OperatorError> {
    keep_operator_as(config, name, password, None).await
}

/// The same with a role; without one a new operator may decide, and an older one keeps what they may.
///
/// # Errors
/// As [`keep_operator`].
pub async fn keep_operator_as(
    config: Config,
    name: &str,
    password: &Zeroizing<String>,
    role: Option<Role>,
) -> Result<(), OperatorError> {
    let name = spelled(name)?;
    if password.chars().count() < SHORTEST_PASSWORD {
        let cause = format!("a password has {SHORTEST_PASSWORD} characters at least");
        return Err(refused("operator-password-short", cause));
    }
    let work = async |bank: &Bank| {
        commit!(bank.store, conn => {
            operator::keep(bank, conn, &name, password.as_bytes()).await?;
            let mut detail = "{}".to_owned();
            if let Some(role) = role {
                console::set_role(conn, &name, role).await?;
                detail = json!({"role": role.name()}).to_string();
            }
            let what = ("operator-kept", name.as_str(), detail.as_str());
            Ok(audit::note(bank, conn, what, bank.now_ms()).await?)
        })
    };
    with_bank(config, work).await
}

/// Takes an operator's rights away; what they have signed stays.
///
/// # Errors
/// [`OperatorError`]; `operator-unknown` when there is none of this name.
pub async fn remove_operator(config: Config, name: &str) -> Result<(), OperatorError> {
    let name = spelled(name)?;
    let work = async |bank: &Bank| {
        commit!(bank.store, conn => {
            if !operator::remove(conn, &name, bank.now_ms()).await? {
                return Err(refused(
                    "operator-unknown",
                    "there is no such operator".into(),
                ));
            }
            let what = ("operator-removed", name.as_str(), "{}");
            Ok(audit::note(bank, conn, what, bank.now_ms()).await?)
        })
    };
    with_bank(config, work).await
}

/// The loads whose outcome is open (just issued, in doubt, or waiting for people), the oldest first, each with all that the bank
/// knows of it: `reference`, `phase`, `why`, `amount` (fen), `attempts`, `history`, `incidents`, `proposals`.
///
/// # Errors
/// [`OperatorError`] when the store can't be read.
pub async fn open_loads(config: Config) -> Result<Value, OperatorError> {
    let work = async |bank: &Bank| {
        let mut conn = bank.store.snapshot().await?;
        let mut loads = Vec::new();
        for row in load::open(bank, &mut conn).await? {
            loads.push(told(&mut conn, &row).await?);
        }
        Ok(Value::Array(loads))
    };
    with_bank(config, work).await
}

/// An operator's act on the load that people call `reference`.
///
/// # Errors
/// [`OperatorError`], with the code of what was wrong; nothing is changed then but the count of tries.
pub async fn act(
    config: Config,
    reference: &str,
    act: Act,
    signature: &Signature,
) -> Result<Acted, OperatorError> {
    with_bank(config, async |bank: &Bank| {
        act_on(bank, reference, act, signature).await
    })
    .await
}

/// [`act`] inside a bank.
pub(crate) async fn act_on(
    bank: &Bank,
    reference: &str,
    act: Act,
    signature: &Signature,
) -> Result<Acted, OperatorError> {
    let name = spelled(&signature.operator)?;
    signed_by(bank, &name, &signature.password).await?;
    let proposal = |resolution| Proposal {
        operator: name.clone(),
        resolution,
        evidence: signature.evidence.clone(),
    };
    let acted = commit!(bank.store, conn => {
        if console::role(conn, &name).await? != Some(Role::Operator) {
            let cause = "this operator may look, and decide nothing".to_owned();
            return Err(refused("operator-viewer", cause));
        }
        let row = load::called(bank, conn, reference.trim()).await?;
        let mut row = row.ok_or_else(|| {
            refused(
                "load-unknown",
                "there is no load with this reference".into(),
            )
        })?;
        match act {
            Act::LostCard => take_over(bank, conn, &mut row, &name, &signature.evidence).await,
            Act::Decide(resolution) => decide(bank, conn, &mut row, proposal(resolution)).await,
        }
    })?;
    bank.outbox.notify_one();
    Ok(acted)
}

/// Whoever has this name and password, in the one spelling of the name; it is written down that they came.
pub(crate) async fn sign_in(
    bank: &Bank,
    name: &str,
    password: &Zeroizing<String>,
) -> Result<String, OperatorError> {
    let name = spelled(name)?;
    signed_by(bank, &name, password).await?;
    commit!(bank.store, conn => {
        let what = ("console-sign-in", name.as_str(), "{}");
        audit::note(bank, conn, what, bank.now_ms()).await
    })?;
    Ok(name)
}

async fn decide(
    bank: &Bank,
    conn: &mut Conn,
    row: &mut LoadRow,
    proposal: Proposal,
) -> Result<Acted, OperatorError> {
    if !matches!(row.load.state(), State::Manual { .. }) {
        return Err(not_manual(row));
    }
    let rows = operator::proposals(conn, row.id()).await?;
    let earlier: Vec<Proposal> = rows.into_iter().map(|row| row.proposal).collect();
    let proposed = propose(&earlier, &proposal)?;
    let now_ms = bank.now_ms();
    operator::keep_proposal(conn, row.id(), &proposal, now_ms).await?;
    let detail = json!({"operator": proposal.operator, "resolution": proposal.resolution.name()});
    let what = (
        "load-proposed",
        row.reference.as_str(),
        &*detail.to_string(),
    );
    audit::note(bank, conn, what, now_ms).await?;
    match proposed {
        Proposed::Waits => Ok(Acted::Proposed),
        Proposed::Disagrees => Ok(Acted::Disagreed),
        Proposed::Decided(operators) => {
            let resolution = proposal.resolution;
            let event = Event::Resolve {
                resolution,
                operators,
            };
            step(bank, conn, row, event).await?;
            Ok(Acted::Decided)
        }
    }
}

async fn take_over(
    bank: &Bank,
    conn: &mut Conn,
    row: &mut LoadRow,
    name: &str,
    evidence: &str,
) -> Result<Acted, OperatorError> {
    may_be_written(name, evidence)?;
    if row.load.order().kind != Kind::TopUp {
        return Err(not_manual(row));
    }
    if matches!(row.load.state(), State::Issued { .. }) {
        step(bank, conn, row, Event::Doubt(Doubt::Silence)).await?;
    }
    if !matches!(row.load.state(), State::InDoubt { .. }) {
        return Err(not_manual(row));
    }
    let detail = json!({"operator": name, "evidence": evidence.trim()});
    let what = ("card-lost", row.reference.as_str(), &*detail.to_string());
    audit::note(bank, conn, what, bank.now_ms()).await?;
    step(bank, conn, row, Event::Suspend(Suspense::LostCard)).await?;
    Ok(Acted::TakenOver)
}

/// The same rules for all that is written down of what somebody saw; nobody proposes an end here.
pub(crate) fn may_be_written(name: &str, evidence: &str) -> Result<(), OperatorError> {
    let asked = Proposal {
        operator: name.to_owned(),
        resolution: Resolution::Refund,
        evidence: evidence.to_owned(),
    };
    propose(&[], &asked)?;
    Ok(())
}

async fn step(
    bank: &Bank,
    conn: &mut Conn,
    row: &mut LoadRow,
    event: Event,
) -> Result<(), OperatorError> {
    let now_ms = bank.now_ms();
    row.step(event, now_ms).map_err(Problem::internal)?;
    load::keep(bank, conn, row, now_ms).await?;
    Ok(())
}

/// A wrong name and a wrong password look the same, and take the same time.
pub(crate) async fn signed_by(
    bank: &Bank,
    name: &str,
    password: &Zeroizing<String>,
) -> Result<(), OperatorError> {
    let mut conn = bank.store.read().await?;
    let row = operator::find(&mut conn, name).await?;
    drop(conn);
    let refused_ = || {
        refused(
            "operator-refused",
            "this is no operator, or not their password".into(),
        )
    };
    let Some(row) = row else {
        let rounds = bank.settings.password.rounds;
        let _slow = bank.vault.slow_hash(password.as_bytes(), &[0; 16], rounds);
        return Err(refused_());
    };
    let hash = bank
        .vault
        .slow_hash(password.as_bytes(), &row.salt, row.rounds);
    let right: bool = hash.ct_eq(&row.hash[..]).into();
    let tried = commit!(bank.store, conn => {
        operator::try_password(bank, conn, row.id, right, bank.now_ms()).await
    })?;
    match tried {
        Try::Right => Ok(()),
        Try::Wrong { .. } => Err(refused_()),
        Try::Locked => {
            let cause = "too many wrong passwords: a new one unlocks it".to_owned();
            Err(refused("operator-locked", cause))
        }
    }
}

async fn told(conn: &mut Conn, row: &LoadRow) -> Result<Value, Problem> {
    let id = row.id();
    let moves: Vec<(String, String, i64)> = conn
        .sql(
            "SELECT from_phase, to_phase, at_ms FROM transition
             WHERE bank = $1 AND load = $2 ORDER BY id",
        )
        .bind(id)
        .all()
        .await?;
    let incidents: Vec<(String, i64)> = conn
        .sql("SELECT kind, at_ms FROM incident WHERE bank = $1 AND load = $2 ORDER BY at_ms")
        .bind(id)
        .all()
        .await?;
    let tail: String = conn
        .sql("SELECT tail FROM card WHERE bank = $1 AND id = $2")
        .bind(row.load.order().card.0)
        .value()
        .await?;
    let proposals = operator::proposals(conn, row.id()).await?;
    let proposals: Vec<Value> = proposals.iter().map(proposed).collect();
    let attempts: Vec<Value> = (row.load.attempts().iter())
        .map(|it| {
            json!({"number": it.number, "counter": it.counter, "balance": it.balance,
                "issued_ms": it.issued_ms})
        })
        .collect();
    let moves: Vec<Value> = (moves.iter())
        .map(|(from, to, at_ms)| json!({"from": from, "to": to, "at_ms": at_ms}))
        .collect();
    let incidents: Vec<Value> = (incidents.iter())
        .map(|(kind, at_ms)| json!({"kind": kind, "at_ms": at_ms}))
        .collect();
    Ok(json!({
        "reference": row.reference,
        "industry": row.industry,
        "card_tail": tail,
        "amount": row.load.order().amount,
        "phase": row.phase(),
        "why": row.load.state().why(),
        "since_ms": row.load.changed_ms(),
        "attempts": attempts,
        "history": moves,
        "incidents": incidents,
        "proposals": proposals,
    }))
}

fn proposed(row: &ProposalRow) -> Value {
    let ProposalRow { proposal, at_ms } = row;
    json!({"operator": proposal.operator, "resolution": proposal.resolution.name(),
        "evidence": proposal.evidence, "at_ms": at_ms})
}

pub(crate) async fn with_bank<T>(
    mut config: Config,
    work: impl AsyncFnOnce(&Bank) -> Result<T, OperatorError>,
) -> Result<T, OperatorError> {
    config.patient = true;
    let dir = running::directory(&config)?;
    let bank = running::bank(&config, &dir).await?;
    let done = work(&bank).await;
    bank.store.close().await;
    done
}

/// A name's one spelling: two people can't have names that look the same.
pub(crate) fn spelled(name: &str) -> Result<String, OperatorError> {
    let name = name.trim().to_ascii_lowercase();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (2..=32).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(name);
    }
    let cause = "a name has 2 to 32 of a-z 0-9 . - _".to_owned();
    Err(refused("operator-name-bad", cause))
}

fn not_manual(row: &LoadRow) -> OperatorError {
    let cause = format!(
        "the load is {}: nothing is decided by people here",
        row.phase()
    );
    refused("load-not-manual", cause)
}

pub(crate) fn refused(code: &'static str, cause: String) -> OperatorError {
    OperatorError::Refused { code, cause }
}

impl From<ProposalRefusal> for OperatorError {
    fn from(error: ProposalRefusal) -> Self {
        let code = match error {
            ProposalRefusal::NoEvidence => "evidence-missing",
            ProposalRefusal::EvidenceLong => "evidence-long",
            ProposalRefusal::NumberInEvidence => "evidence-number",
            ProposalRefusal::SameOperator => "operator-again",
        };
        refused(code, error.to_string())
    }
}

impl From<Problem> for OperatorError {
    fn from(problem: Problem) -> Self {
        Self::Start(running::store_failed(problem))
    }
}

impl Refusal for OperatorError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Start(StartError::Busy))
    }
}
