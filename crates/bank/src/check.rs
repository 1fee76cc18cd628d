//! The reconciler: every invariant as a query that says which load breaks it.

mod issuer;
mod queues;

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::Serialize;

use crate::audit;
use crate::bank::Bank;
use crate::config::Settings;
use crate::corebank;
use crate::error::{Problem, StartError};
use crate::files::{Directory, STORE_KEY};
use crate::running::{store_failed, text};
use crate::store::{Conn, Opening, Place, Store, owner};
use crate::token::Token;
use crate::vault::Vault;

pub use issuer::IssuerKeyUse;

/// A rule of the ledger that does not hold, and where.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// Number of the invariant, e.g. `I5`; `CORE` where a core banking host's row does not fit its load.
    pub rule: &'static str,
    /// Which load (its reference), transfer or account.
    pub place: String,
}

/// Where the money is, fen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Money {
    /// On customers' accounts.
    pub customers: i64,
    /// Paid by institutions for cards that have not come yet.
    pub queues: i64,
    /// Debited, and not yet known to be on a card.
    pub in_transit: i64,
    /// Loaded onto cards since the bank began.
    pub card_float: i64,
    /// Given up by two operators.
    pub written_off: i64,
    /// The other side of all deposits; below 0.
    pub funding: i64,
}

impl Money {
    /// I14, the bank's part: with what cards hold beyond `card_float` and what was spent, this is constant.
    pub fn outside_cards(&self) -> i64 {
        self.customers + self.queues + self.in_transit + self.written_off
    }
}

/// What the reconciler found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Empty when every invariant holds.
    pub findings: Vec<Finding>,
    /// Where the money is.
    pub money: Money,
    /// Loads whose outcome is open.
    pub open_loads: i64,
    /// The versions of issuer keys, where the configuration is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issuer_keys: Vec<IssuerKeyUse>,
}

/// Each query gives one text per breach: the reference of a load wherever a load is at fault.
const RULES: [(&str, &str); 27] = [
    (
        "I1",
        "SELECT coalesce(load.reference, 'no load') || ' transfer ' || CAST(transfer.id AS TEXT)
         FROM transfer
         LEFT JOIN entry ON entry.bank = transfer.bank AND entry.transfer = transfer.id
         LEFT JOIN load ON load.bank = transfer.bank AND load.id = transfer.load
         WHERE transfer.bank = $1 GROUP BY transfer.id, load.reference
         HAVING coalesce(sum(entry.amount), 1) <> 0 OR count(entry.id) <> 2",
    ),
    (
        "I2",
        "SELECT 'all accounts' WHERE (SELECT coalesce(sum(balance), 0) FROM account WHERE bank = $1) <> 0",
    ),
    (
        "I3",
        "SELECT coalesce((SELECT reference FROM load
             JOIN transfer ON transfer.bank = load.bank AND transfer.load = load.id
             JOIN entry ON entry.bank = transfer.bank AND entry.transfer = transfer.id
             WHERE load.bank = account.bank AND entry.account = account.name AND entry.amount < 0
             ORDER BY entry.id DESC LIMIT 1), 'no load') || ' ' || name
         FROM account WHERE bank = $1 AND balance < 0
         AND (name LIKE 'customer:%' OR name LIKE 'queue:%')",
    ),
    (
        "I4",
        "SELECT name FROM account WHERE bank = $1 AND balance <>
         (SELECT coalesce(sum(amount), 0) FROM entry
          WHERE entry.bank = account.bank AND entry.account = account.name)",
    ),
    (
        "I5",
        "SELECT string_agg(reference, ' ') FROM load
         WHERE bank = $1 AND phase IN ('authorised', 'issued', 'in-doubt', 'manual')
         GROUP BY card HAVING count(*) > 1",
    ),
    (
        "I5",
        "SELECT reference FROM load JOIN card ON card.bank = load.bank AND card.id = load.card
         WHERE load.bank = $1 AND (phase IN ('authorised', 'issued', 'in-doubt', 'manual')) <>
             coalesce(card.open_load = load.id, FALSE)",
    ),
    (
        "I6",
        "SELECT string_agg(reference, ' ') FROM load
         JOIN attempt ON attempt.bank = load.bank AND attempt.load = load.id
         WHERE load.bank = $1 AND load.phase = 'confirmed' AND load.kind = 'top-up' AND attempt.number =
             (SELECT max(number) FROM attempt AS last
              WHERE last.bank = load.bank AND last.load = load.id)
         GROUP BY load.card, attempt.counter HAVING count(*) > 1",
    ),
    (
        "I7",
        "SELECT reference FROM load
         LEFT JOIN attempt ON attempt.bank = load.bank AND attempt.load = load.id AND attempt.number = 1
         LEFT JOIN transfer ON transfer.bank = load.bank AND transfer.load = load.id
             AND transfer.kind = 'debit'
         WHERE load.bank = $1 AND load.kind = 'top-up'
             AND ((attempt.load IS NULL) <> (transfer.id IS NULL) OR attempt.issued_ms <> transfer.at_ms)",
    ),
    (
        "I7",
        "SELECT reference FROM load WHERE bank = $1 AND
         (phase IN ('issued', 'in-doubt', 'manual', 'confirmed', 'reversed', 'written-off')) <>
         EXISTS (SELECT 1 FROM attempt WHERE attempt.bank = load.bank AND attempt.load = load.id)",
    ),
    (
        "I8",
        "SELECT reference FROM load WHERE bank = $1 AND
         (CASE WHEN phase IN ('issued', 'in-doubt', 'manual') THEN amount ELSE 0 END) <>
         (SELECT coalesce(sum(entry.amount), 0) FROM transfer
          JOIN entry ON entry.bank = transfer.bank AND entry.transfer = transfer.id
          WHERE transfer.bank = load.bank AND transfer.load = load.id
          AND entry.account LIKE 'in-transit:%')",
    ),
    (
        "I8",
        "SELECT 'no load ' || entry.account FROM transfer
         JOIN entry ON entry.bank = transfer.bank AND entry.transfer = transfer.id
         WHERE transfer.bank = $1 AND transfer.load IS NULL AND entry.account LIKE 'in-transit:%'",
    ),
    (
        "I8",
        "SELECT reference || ' two shards' FROM load
         JOIN transfer ON transfer.bank = load.bank AND transfer.load = load.id
         JOIN entry ON entry.bank = transfer.bank AND entry.transfer = transfer.id
         WHERE load.bank = $1 AND entry.account NOT LIKE 'customer:%' AND entry.account NOT LIKE 'queue:%'
         GROUP BY load.id, reference
         HAVING count(DISTINCT substr(entry.account, length(entry.account) - 1)) > 1",
    ),
    (
        "I9",
        "SELECT reference || ' attempt ' || CAST(attempt.number AS TEXT) FROM attempt
         JOIN load ON load.bank = attempt.bank AND load.id = attempt.load
         WHERE attempt.bank = $1 AND (attempt.card <> load.card OR attempt.account <> load.account
             OR attempt.amount <> load.amount)",
    ),
    (
        "I9",
        "SELECT reference FROM load
         JOIN transfer ON transfer.bank = load.bank AND transfer.load = load.id
         JOIN entry ON entry.bank = transfer.bank AND entry.transfer = transfer.id
         WHERE load.bank = $1 AND (abs(entry.amount) <> load.amount OR (entry.account LIKE 'customer:%'
             AND entry.account <> 'customer:' || CAST(load.account AS TEXT))
             OR (entry.account LIKE 'queue:%' AND entry.account <> 'queue:' || coalesce(load.queue, '')))",
    ),
    // A server does not refuse it by itself.
    (
        "I9",
        "SELECT 'no load attempt of card ' || CAST(attempt.card AS TEXT) FROM attempt
         LEFT JOIN load ON load.bank = attempt.bank AND load.id = attempt.load
         WHERE attempt.bank = $1 AND load.id IS NULL
         UNION ALL SELECT 'no load transition ' || CAST(transition.id AS TEXT) FROM transition
         LEFT JOIN load ON load.bank = transition.bank AND load.id = transition.load
         WHERE transition.bank = $1 AND load.id IS NULL
         UNION ALL SELECT 'no load transfer ' || CAST(transfer.id AS TEXT) FROM transfer
         LEFT JOIN load ON load.bank = transfer.bank AND load.id = transfer.load
         WHERE transfer.bank = $1 AND transfer.load IS NOT NULL AND load.id IS NULL
         UNION ALL SELECT 'no load exchange of ' || exchange.terminal FROM exchange
         LEFT JOIN load ON load.bank = exchange.bank AND load.id = exchange.load
         WHERE exchange.bank = $1 AND exchange.load IS NOT NULL AND load.id IS NULL
         UNION ALL SELECT 'no load ' || core.rrn FROM core
         LEFT JOIN load ON load.bank = core.bank AND load.id = core.load
         WHERE core.bank = $1 AND load.id IS NULL
         UNION ALL SELECT 'no load of queue ' || queue_item.queue FROM queue_item
         LEFT JOIN load ON load.bank = queue_item.bank AND load.id = queue_item.load
         WHERE queue_item.bank = $1 AND queue_item.load IS NOT NULL AND load.id IS NULL",
    ),
    (
        "I10",
        "SELECT reference FROM load WHERE bank = $1 AND phase = 'confirmed' AND NOT coalesce(
             (proof = 'tac' AND kind = 'top-up') OR (proof = 'enable-flag' AND kind = 'activation')
             OR (proof = 'operators' AND operators = 2)
             OR (proof = 'counter' AND kind = 'top-up' AND proof_counter = 1 +
                 (SELECT counter FROM attempt WHERE attempt.bank = load.bank AND attempt.load = load.id
                  ORDER BY number DESC LIMIT 1)), FALSE)",
    ),
    (
        "I10",
        "SELECT reference FROM load WHERE bank = $1 AND phase = 'reversed' AND NOT coalesce(
             (proof = 'no-money' AND kind = 'activation') OR (proof = 'operators' AND operators = 2)
             OR (proof = 'counter' AND kind = 'top-up' AND proof_counter =
                 (SELECT counter FROM attempt WHERE attempt.bank = load.bank AND attempt.load = load.id
                  ORDER BY number DESC LIMIT 1)), FALSE)",
    ),
    (
        "I10",
        "SELECT reference || ' operators' FROM load WHERE bank = $1 AND operators > 0 AND (
             SELECT count(DISTINCT operator) FROM proposal
             WHERE proposal.bank = load.bank AND proposal.load = load.id
             AND resolution = CASE phase WHEN 'confirmed' THEN 'loaded' WHEN 'reversed' THEN 'refund'
                 ELSE 'write-off' END) < 2",
    ),
    (
        "I11",
        "SELECT reference FROM transition
         JOIN load ON load.bank = transition.bank AND load.id = transition.load
         WHERE transition.bank = $1
         AND from_phase IN ('confirmed', 'reversed', 'declined', 'voided', 'written-off')",
    ),
    (
        "I11",
        "SELECT reference FROM load WHERE bank = $1 AND phase <> coalesce((SELECT to_phase FROM transition
         WHERE transition.bank = load.bank AND transition.load = load.id
         ORDER BY transition.id DESC LIMIT 1), 'requested')",
    ),
    (
        "I12",
        "SELECT reference FROM transfer
         JOIN load ON load.bank = transfer.bank AND load.id = transfer.load
         WHERE transfer.bank = $1 GROUP BY reference, transfer.kind HAVING count(*) > 1",
    ),
    (
        "I12",
        "SELECT reference FROM load
         JOIN attempt ON attempt.bank = load.bank AND attempt.load = load.id AND attempt.number = 1
         LEFT JOIN reply ON reply.bank = load.bank AND reply.exchange = load.id AND reply.step = 1
             AND reply.at_ms = attempt.issued_ms
         WHERE load.bank = $1 AND reply.step IS NULL",
    ),
    (
        "I13",
        "SELECT reference FROM load LEFT JOIN (SELECT load AS of_load,
             sum(CASE WHEN kind = 'credit' THEN 1 ELSE 0 END) AS credits,
             sum(CASE WHEN kind = 'refund' THEN 1 ELSE 0 END) AS refunds,
             sum(CASE WHEN kind = 'write-off' THEN 1 ELSE 0 END) AS write_offs
             FROM transfer WHERE bank = $1 AND load IS NOT NULL GROUP BY load) AS ends ON of_load = id
         WHERE bank = $1 AND kind = 'top-up' AND ((phase = 'confirmed') <> (coalesce(credits, 0) = 1)
             OR (phase = 'reversed') <> (coalesce(refunds, 0) = 1)
             OR (phase = 'written-off') <> (coalesce(write_offs, 0) = 1)
             OR coalesce(credits + refunds + write_offs, 0) > 1)",
    ),
    (
        "I15",
        "SELECT reference FROM load
         JOIN attempt ON attempt.bank = load.bank AND attempt.load = load.id AND attempt.number = 1
         JOIN sms_code ON sms_code.bank = load.bank AND sms_code.stem = substr(load.id, 1, 15)
         WHERE load.bank = $1 AND load.kind = 'top-up' AND load.queue IS NULL
             AND sms_code.spent_ms IS NULL",
    ),
    (
        "I15",
        "SELECT string_agg(reference, ' ') FROM load WHERE bank = $1 AND kind = 'top-up' AND queue IS NULL
         AND EXISTS (SELECT 1 FROM attempt WHERE attempt.bank = load.bank AND attempt.load = load.id)
         GROUP BY substr(id, 1, 15) HAVING count(*) > 1",
    ),
    (
        "I16",
        "SELECT reference FROM load JOIN card ON card.bank = load.bank AND card.id = load.card
         JOIN attempt ON attempt.bank = load.bank AND attempt.load = load.id
         WHERE load.bank = $1 AND load.kind = 'top-up' AND attempt.counter > card.counter_seen",
    ),
    (
        "I17",
        "SELECT reference FROM transition
         JOIN load ON load.bank = transition.bank AND load.id = transition.load
         LEFT JOIN outbox ON outbox.bank = transition.bank AND outbox.transition = transition.id
         WHERE transition.bank = $1 AND outbox.id IS NULL",
    ),
];

/// The triggers without which what happened could be changed (I1).
const TRIGGERS: [&str; 13] = [
    "attempt_kept",
    "attempt_stays",
    "audit_kept",
    "audit_stays",
    "entry_kept",
    "entry_stays",
    "proposal_kept",
    "proposal_stays",
    "reply_stays",
    "transfer_kept",
    "transfer_stays",
    "transition_kept",
    "transition_stays",
];

/// Checks the bank in `dir`, running or not. A bank whose files are sealed needs its configuration.
///
/// # Errors
/// When the directory holds no bank that can be read.
pub async fn check(dir: &Path, settings: Option<&Settings>) -> Result<Report, StartError> {
    let (store, vault) = opened(dir, settings).await?;
    let whole = async {
        let mut report = report(&store, &vault).await?;
        if let Some(settings) = settings {
            report.issuer_keys = issuer::in_use(&store, &vault, settings).await?;
        }
        Ok(report)
    };
    let report = whole.await.map_err(store_failed);
    store.close().await;
    report
}

/// The store of the bank in `dir` with the keys of its columns, beside whatever runs.
pub(crate) async fn opened(
    dir: &Path,
    settings: Option<&Settings>,
) -> Result<(Store, Vault), StartError> {
    let hsm = settings.and_then(|settings| settings.hsm.as_ref());
    let place = settings.map(Settings::place).transpose()?;
    let place = match place.unwrap_or_default() {
        Place::File(file) => Place::File(existing(&dir.join(file))?),
        server @ Place::Server(..) => server,
    };
    let token = hsm.map(Token::open).transpose()?.map(Arc::new);
    existing(&dir.join(STORE_KEY))?;
    let vault = Vault::new(Directory::open(dir, token)?.secret(STORE_KEY)?);
    let store = Opening::after(Duration::from_secs(5)).open(&place).await?;
    let ours = async { owner::is_free_or_ours(&mut store.read().await?, &vault).await };
    match ours.await {
        Ok(true) => Ok((store, vault)),
        other => {
            store.close().await;
            other.map_err(store_failed)?;
            Err(StartError::another_store_key())
        }
    }
}

/// Whether a bank was ever started in `dir`, whose folder and keys a command must not make.
///
/// # Errors
/// When there is none.
pub fn existing_bank(dir: &Path) -> Result<(), StartError> {
    existing(&dir.join(STORE_KEY)).map(drop)
}

fn existing(file: &Path) -> Result<PathBuf, StartError> {
    if file.is_file() {
        return Ok(file.to_owned());
    }
    Err(StartError::File {
        path: file.display().to_string(),
        cause: "there is no bank here".to_owned(),
    })
}

/// [`report`] in words for who runs a bank.
pub(crate) async fn told_report(bank: &Bank) -> Result<Report, String> {
    let report = report(&bank.store, &bank.vault).await;
    report.map_err(|error| text(&error))
}

/// [`money`] in words for who runs a bank.
pub(crate) async fn told_money(bank: &Bank) -> Result<Money, String> {
    money(&bank.store).await.map_err(|error| text(&error))
}

pub(crate) async fn report(store: &Store, vault: &Vault) -> Result<Report, Problem> {
    let mut conn = store.snapshot().await?;
    let mut findings = broken(&mut conn).await?;
    findings.extend(missing_triggers(&mut conn).await?);
    if let Some(place) = audit::log(&mut conn, vault, None).await?.broken {
        findings.push(Finding { rule: "I18", place });
    }
    let sql = "SELECT count(*) FROM load
         WHERE bank = $1 AND phase IN ('authorised', 'issued', 'in-doubt', 'manual')";
    let open_loads = conn.sql(sql).value().await?;
    Ok(Report {
        findings,
        money: balances(&mut conn).await?,
        open_loads,
        issuer_keys: Vec::new(),
    })
}

/// Every rule with its query.
fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    let more = corebank::rules::RULES.into_iter().chain(queues::RULES);
    RULES.into_iter().chain(more)
}

/// All of them as one statement, which says of each text which rule it is of: asking takes longer than a small store's
/// answer.
static QUESTION: LazyLock<String> = LazyLock::new(|| {
    let one = |(number, (_, sql))| {
        format!("SELECT CAST({number} AS BIGINT), rule{number}.* FROM ({sql}) AS rule{number}")
    };
    let all: Vec<String> = rules().enumerate().map(one).collect();
    all.join(" UNION ALL ")
});

async fn broken(conn: &mut Conn) -> Result<Vec<Finding>, Problem> {
    let mut places: Vec<(i64, String)> = conn.sql(QUESTION.as_str()).all().await?;
    places.sort_by_key(|(number, _)| *number);
    let finding = |(number, place)| {
        let rule = usize::try_from(number).ok().and_then(|at| rules().nth(at));
        let (rule, _) = rule.ok_or_else(|| Problem::internal("no row of a rule"))?;
        Ok(Finding { rule, place })
    };
    places.into_iter().map(finding).collect()
}

async fn missing_triggers(conn: &mut Conn) -> Result<Vec<Finding>, Problem> {
    let there: Vec<(String,)> = conn.triggers().await?;
    let is_missing = |name: &&str| !there.iter().any(|(there,)| there == name);
    let finding = |name| Finding {
        rule: "I1",
        place: format!("trigger {name}"),
    };
    Ok(TRIGGERS
        .into_iter()
        .filter(|it| is_missing(it))
        .map(finding)
        .collect())
}

pub(crate) async fn money(store: &Store) -> Result<Money, Problem> {
    let mut conn = store.snapshot().await?;
    balances(&mut conn).await
}

async fn balances(conn: &mut Conn) -> Result<Money, Problem> {
    let sql = "SELECT name, balance FROM account WHERE bank = $1";
    let rows: Vec<(String, i64)> = conn.sql(sql).all().await?;
    let mut money = Money::default();
    for (name, balance) in rows {
        match name.parse().map_err(Problem::internal)? {
            ledger::Account::Customer(_) => money.customers += balance,
            ledger::Account::Queue(_) => money.queues += balance,
            ledger::Account::InTransit(_) => money.in_transit += balance,
            ledger::Account::CardFloat(_) => money.card_float += balance,
            ledger::Account::WrittenOff(_) => money.written_off += balance,
            ledger::Account::Funding(_) => money.funding += balance,
        }
    }
    Ok(money)
}
