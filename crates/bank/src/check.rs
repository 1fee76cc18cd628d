//! The reconciler: every invariant as a query that says which load breaks it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::audit;
use crate::bank::Bank;
use crate::config::Settings;
use crate::error::{Problem, StartError};
use crate::files::Directory;
use crate::running::{store_failed, text};
use crate::store::{Conn, Store};
use crate::token::Token;
use crate::vault::Vault;

/// A rule of the ledger that does not hold, and where.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// Number of the invariant, e.g. `I5`.
    pub rule: &'static str,
    /// Which load (its reference), transfer or account.
    pub place: String,
}

/// Where the money is, fen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Money {
    /// On customers' accounts.
    pub customers: i64,
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
        self.customers + self.in_transit + self.written_off
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
}

/// Each query gives one text per breach: the reference of a load wherever a load is at fault.
const RULES: [(&str, &str); 26] = [
    (
        "I1",
        "SELECT coalesce(load.reference, 'no load') || ' transfer ' || transfer.id FROM transfer
         LEFT JOIN entry ON entry.transfer = transfer.id LEFT JOIN load ON load.id = transfer.load
         GROUP BY transfer.id HAVING coalesce(sum(entry.amount), 1) <> 0 OR count(entry.id) <> 2",
    ),
    (
        "I1",
        "SELECT 'trigger ' || wanted.name FROM (SELECT 'entry_stays' AS name UNION SELECT 'entry_kept'
         UNION SELECT 'transfer_stays' UNION SELECT 'transfer_kept' UNION SELECT 'transition_stays'
         UNION SELECT 'transition_kept' UNION SELECT 'attempt_stays' UNION SELECT 'attempt_kept'
         UNION SELECT 'reply_stays' UNION SELECT 'proposal_stays' UNION SELECT 'proposal_kept'
         UNION SELECT 'audit_stays' UNION SELECT 'audit_kept') AS wanted
         WHERE wanted.name NOT IN (SELECT name FROM sqlite_master WHERE type = 'trigger')",
    ),
    ("I2", "SELECT 'all accounts' WHERE (SELECT coalesce(sum(balance), 0) FROM account) <> 0"),
    (
        "I3",
        "SELECT coalesce((SELECT reference FROM load JOIN transfer ON transfer.load = load.id
             JOIN entry ON entry.transfer = transfer.id WHERE entry.account = account.name
             AND entry.amount < 0 ORDER BY entry.id DESC LIMIT 1), 'no load') || ' ' || name
         FROM account WHERE name LIKE 'customer:%' AND balance < 0",
    ),
    (
        "I4",
        "SELECT name FROM account WHERE balance <>
         (SELECT coalesce(sum(amount), 0) FROM entry WHERE entry.account = account.name)",
    ),
    (
        "I5",
        "SELECT group_concat(reference, ' ') FROM load
         WHERE phase IN ('authorised', 'issued', 'in-doubt', 'manual')
         GROUP BY card HAVING count(*) > 1",
    ),
    (
        "I6",
        "SELECT group_concat(reference, ' ') FROM load JOIN attempt ON attempt.load = load.id
         WHERE load.phase = 'confirmed' AND load.kind = 'top-up' AND attempt.number =
             (SELECT max(number) FROM attempt AS last WHERE last.load = load.id)
         GROUP BY load.card, attempt.counter HAVING count(*) > 1",
    ),
    (
        "I7",
        "SELECT reference FROM load LEFT JOIN attempt ON attempt.load = load.id AND attempt.number = 1
         LEFT JOIN transfer ON transfer.load = load.id AND transfer.kind = 'debit'
         WHERE load.kind = 'top-up' AND ((attempt.load IS NULL) <> (transfer.id IS NULL)
             OR attempt.issued_ms <> transfer.at_ms)",
    ),
    (
        "I7",
        "SELECT reference FROM load WHERE
         (phase IN ('issued', 'in-doubt', 'manual', 'confirmed', 'reversed', 'written-off')) <>
         EXISTS (SELECT 1 FROM attempt WHERE attempt.load = load.id)",
    ),
    (
        "I8",
        "SELECT reference FROM load WHERE
         (CASE WHEN phase IN ('issued', 'in-doubt', 'manual') THEN amount ELSE 0 END) <>
         (SELECT coalesce(sum(entry.amount), 0) FROM transfer JOIN entry ON entry.transfer = transfer.id
          WHERE transfer.load = load.id AND entry.account LIKE 'in-transit:%')",
    ),
    (
        "I8",
        "SELECT 'no load ' || entry.account FROM transfer JOIN entry ON entry.transfer = transfer.id
         WHERE transfer.load IS NULL AND entry.account LIKE 'in-transit:%'",
    ),
    (
        "I8",
        "SELECT reference || ' two shards' FROM load JOIN transfer ON transfer.load = load.id
         JOIN entry ON entry.transfer = transfer.id WHERE entry.account NOT LIKE 'customer:%'
         GROUP BY load.id HAVING count(DISTINCT substr(entry.account, -2)) > 1",
    ),
    (
        "I9",
        "SELECT reference || ' attempt ' || attempt.number FROM attempt JOIN load ON load.id = attempt.load
         WHERE attempt.card <> load.card OR attempt.account <> load.account
             OR attempt.amount <> load.amount",
    ),
    (
        "I9",
        "SELECT reference FROM load JOIN transfer ON transfer.load = load.id
         JOIN entry ON entry.transfer = transfer.id WHERE abs(entry.amount) <> load.amount
             OR (entry.account LIKE 'customer:%' AND entry.account <> 'customer:' || load.account)",
    ),
    (
        "I10",
        "SELECT reference FROM load WHERE phase = 'confirmed' AND NOT coalesce(
             (proof = 'tac' AND kind = 'top-up') OR (proof = 'enable-flag' AND kind = 'activation')
             OR (proof = 'operators' AND operators = 2)
             OR (proof = 'counter' AND kind = 'top-up' AND proof_counter = 1 +
                 (SELECT counter FROM attempt WHERE attempt.load = load.id
                  ORDER BY number DESC LIMIT 1)), 0)",
    ),
    (
        "I10",
        "SELECT reference FROM load WHERE phase = 'reversed' AND NOT coalesce(
             (proof = 'no-money' AND kind = 'activation') OR (proof = 'operators' AND operators = 2)
             OR (proof = 'counter' AND kind = 'top-up' AND proof_counter =
                 (SELECT counter FROM attempt WHERE attempt.load = load.id
                  ORDER BY number DESC LIMIT 1)), 0)",
    ),
    (
        "I10",
        "SELECT reference || ' operators' FROM load WHERE operators > 0 AND (
             SELECT count(DISTINCT operator) FROM proposal WHERE proposal.load = load.id
             AND resolution = CASE phase WHEN 'confirmed' THEN 'loaded' WHEN 'reversed' THEN 'refund'
                 ELSE 'write-off' END) < 2",
    ),
    (
        "I11",
        "SELECT reference FROM transition JOIN load ON load.id = transition.load WHERE from_phase IN
         ('confirmed', 'reversed', 'declined', 'voided', 'written-off')",
    ),
    (
        "I11",
        "SELECT reference FROM load WHERE phase <> coalesce((SELECT to_phase FROM transition
         WHERE transition.load = load.id ORDER BY transition.id DESC LIMIT 1), 'requested')",
    ),
    (
        "I12",
        "SELECT reference FROM transfer JOIN load ON load.id = transfer.load
         GROUP BY load.id, transfer.kind HAVING count(*) > 1",
    ),
    (
        "I12",
        "SELECT reference FROM load WHERE EXISTS (SELECT 1 FROM attempt WHERE attempt.load = load.id
         AND attempt.number = 1) AND NOT EXISTS (SELECT 1 FROM reply WHERE reply.exchange = load.id
         AND reply.step = 1 AND reply.at_ms =
             (SELECT issued_ms FROM attempt WHERE attempt.load = load.id AND attempt.number = 1))",
    ),
    (
        "I13",
        "SELECT reference FROM load WHERE kind = 'top-up' AND
         ((phase = 'confirmed') <> ((SELECT count(*) FROM transfer WHERE transfer.load = load.id
             AND transfer.kind = 'credit') = 1)
         OR (phase = 'reversed') <> ((SELECT count(*) FROM transfer WHERE transfer.load = load.id
             AND transfer.kind = 'refund') = 1)
         OR (phase = 'written-off') <> ((SELECT count(*) FROM transfer WHERE transfer.load = load.id
             AND transfer.kind = 'write-off') = 1)
         OR (SELECT count(*) FROM transfer WHERE transfer.load = load.id
             AND transfer.kind IN ('credit', 'refund', 'write-off')) > 1)",
    ),
    (
        "I15",
        "SELECT reference FROM load JOIN attempt ON attempt.load = load.id AND attempt.number = 1
         JOIN sms_code ON sms_code.stem = substr(load.id, 1, 15)
         WHERE load.kind = 'top-up' AND sms_code.spent_ms IS NULL",
    ),
    (
        "I15",
        "SELECT group_concat(reference, ' ') FROM load WHERE kind = 'top-up'
         AND EXISTS (SELECT 1 FROM attempt WHERE attempt.load = load.id)
         GROUP BY substr(id, 1, 15) HAVING count(*) > 1",
    ),
    (
        "I16",
        "SELECT reference FROM load JOIN card ON card.id = load.card
         JOIN attempt ON attempt.load = load.id
         WHERE load.kind = 'top-up' AND attempt.counter > card.counter_seen",
    ),
    (
        "I17",
        "SELECT reference FROM transition JOIN load ON load.id = transition.load
         LEFT JOIN outbox ON outbox.transition = transition.id WHERE outbox.id IS NULL",
    ),
];

/// Checks the bank in `dir`, running or not. A bank whose files are sealed needs its configuration.
///
/// # Errors
/// When the directory holds no bank that can be read.
pub async fn check(dir: &Path, settings: Option<&Settings>) -> Result<Report, StartError> {
    let (store, vault) = opened(dir, settings).await?;
    let report = report(&store, &vault).await.map_err(store_failed);
    store.close().await;
    report
}

/// The store of the bank in `dir` with the keys of its columns, beside whatever runs.
pub(crate) async fn opened(
    dir: &Path,
    settings: Option<&Settings>,
) -> Result<(Store, Vault), StartError> {
    let database = dir.join("bank.sqlite");
    if !database.is_file() {
        return Err(StartError::File {
            path: database.display().to_string(),
            cause: "there is no bank here".to_owned(),
        });
    }
    let hsm = settings.and_then(|settings| settings.hsm.as_ref());
    let token = hsm.map(Token::open).transpose()?.map(Arc::new);
    let vault = Vault::new(Directory::open(dir, token)?.secret("store.key")?);
    let store = Store::open(&database, Duration::from_secs(5)).await?;
    Ok((store, vault))
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
    let mut findings = Vec::new();
    for (rule, sql) in RULES {
        let places: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *conn).await?;
        findings.extend(places.into_iter().map(|place| Finding { rule, place }));
    }
    if let Some(place) = audit::chain(&mut conn, vault, None).await?.broken {
        findings.push(Finding { rule: "I18", place });
    }
    let sql =
        "SELECT count(*) FROM load WHERE phase IN ('authorised', 'issued', 'in-doubt', 'manual')";
    let open_loads = sqlx::query_scalar(sql).fetch_one(&mut *conn).await?;
    Ok(Report {
        findings,
        money: balances(&mut conn).await?,
        open_loads,
    })
}

pub(crate) async fn money(store: &Store) -> Result<Money, Problem> {
    let mut conn = store.snapshot().await?;
    balances(&mut conn).await
}

async fn balances(conn: &mut Conn) -> Result<Money, Problem> {
    let rows: Vec<(String, i64)> = sqlx::query_as("SELECT name, balance FROM account")
        .fetch_all(conn)
        .await?;
    let mut money = Money::default();
    for (name, balance) in rows {
        match name.parse().map_err(Problem::internal)? {
            ledger::Account::Customer(_) => money.customers += balance,
            ledger::Account::InTransit(_) => money.in_transit += balance,
            ledger::Account::CardFloat(_) => money.card_float += balance,
            ledger::Account::WrittenOff(_) => money.written_off += balance,
            ledger::Account::Funding(_) => money.funding += balance,
        }
    }
    Ok(money)
}
