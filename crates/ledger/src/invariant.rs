//! The rules I1 to I13 over plain rows, so that property tests and the bank's reconciler ask the same questions.
//!
//! A [`Snapshot`] is read in one transaction. What a bank does not keep (say, [`Snapshot::credits`], which only
//! a test that holds the cards knows) stays empty, and its rule then has nothing to say.

mod loads;
mod money;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Account, AccountId, CardId, Kind, LoadId, Phase, Proof};

pub use money::append_only;

/// A rule of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rule {
    /// The entries of a transfer sum to 0 and are append-only.
    I1,
    /// All balances sum to 0.
    I2,
    /// No customer's balance is below 0, and no queue's.
    I3,
    /// A balance is the sum of its entries.
    I4,
    /// One open load per card at most.
    I5,
    /// A card's counter is confirmed once.
    I6,
    /// A MAC2 exists exactly if its debit is in the same commit.
    I7,
    /// In transit is the sum of ISSUED, IN_DOUBT and MANUAL.
    I8,
    /// Every attempt of a load has the same card, amount and account.
    I9,
    /// CONFIRMED and REVERSED rest on proof.
    I10,
    /// Final states absorb, and every move is one of the table.
    I11,
    /// The same key gives the same bytes; money moves once.
    I12,
    /// A card is credited at most once per load.
    I13,
}

/// A rule that is broken, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// Where: ids and sums, never a secret or a card number.
    pub place: String,
}

/// The bank's tables at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Stored balances.
    pub balances: Vec<BalanceRow>,
    /// All entries, oldest first.
    pub entries: Vec<EntryRow>,
    /// All transfers.
    pub transfers: Vec<TransferRow>,
    /// All loads.
    pub loads: Vec<LoadRow>,
    /// Every MAC2 made, oldest first within a load.
    pub attempts: Vec<AttemptRow>,
    /// Every change of phase, oldest first.
    pub moves: Vec<MoveRow>,
    /// Every stored reply.
    pub replies: Vec<ReplyRow>,
    /// What the cards themselves say; tests only.
    pub credits: Vec<CreditRow>,
}

/// A stored balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceRow {
    /// Whose.
    pub account: Account,
    /// Fen.
    pub balance: i64,
}

/// A line of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// The transfer it belongs to.
    pub transfer: i64,
    /// Whose.
    pub account: Account,
    /// Fen; below 0 when money leaves the account.
    pub amount: i64,
}

/// A transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRow {
    /// Its number.
    pub id: i64,
    /// The load that it belongs to; deposits have none.
    pub load: Option<LoadId>,
    /// A number that all rows of one commit share.
    pub commit: i64,
}

/// A load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadRow {
    /// Its id.
    pub id: LoadId,
    /// Top-up or activation.
    pub kind: Kind,
    /// Its card.
    pub card: CardId,
    /// Who pays.
    pub account: AccountId,
    /// Fen.
    pub amount: u32,
    /// Where it stands.
    pub phase: Phase,
    /// What a CONFIRMED or REVERSED load rests on.
    pub proof: Option<Proof>,
}

/// A MAC2 that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Its load.
    pub load: LoadId,
    /// From 1.
    pub number: u32,
    /// The card that it was made for.
    pub card: CardId,
    /// The account that paid.
    pub account: AccountId,
    /// Fen in the MAC2.
    pub amount: u32,
    /// The card's online counter in it.
    pub counter: u16,
    /// A number that all rows of one commit share.
    pub commit: i64,
}

/// A change of phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRow {
    /// Whose.
    pub load: LoadId,
    /// Before.
    pub from: Phase,
    /// After.
    pub to: Phase,
}

/// A stored reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyRow {
    /// Idempotency key.
    pub load: LoadId,
    /// Step of the relay.
    pub step: u8,
    /// Hash of the reply's bytes, or of each copy that was sent.
    pub reply: [u8; 32],
}

/// A credit as the card has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditRow {
    /// The load that it came from.
    pub load: LoadId,
    /// Which card.
    pub card: CardId,
    /// The card's counter before the credit.
    pub counter: u16,
}

/// Every rule that the snapshot breaks, in the order of the rules.
pub fn check(snapshot: &Snapshot) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    let index = Index::of(snapshot);
    money::check(snapshot, &index, &mut found);
    loads::check(snapshot, &index, &mut found);
    found.0.sort_by_key(|violation| violation.rule);
    found.0
}

/// Rows by what they belong to, each list oldest first.
struct Index<'a> {
    entries: BTreeMap<i64, Vec<&'a EntryRow>>,
    transfers: BTreeMap<LoadId, Vec<&'a TransferRow>>,
    attempts: BTreeMap<LoadId, Vec<&'a AttemptRow>>,
    moves: BTreeMap<LoadId, Vec<&'a MoveRow>>,
}

impl<'a> Index<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        Self {
            entries: group(&snapshot.entries, |row| Some(row.transfer)),
            transfers: group(&snapshot.transfers, |row| row.load),
            attempts: group(&snapshot.attempts, |row| Some(row.load)),
            moves: group(&snapshot.moves, |row| Some(row.load)),
        }
    }

    fn attempts(&self, load: LoadId) -> &[&'a AttemptRow] {
        self.attempts.get(&load).map_or(&[], Vec::as_slice)
    }
}

fn group<K: Ord, R>(rows: &[R], key: impl Fn(&R) -> Option<K>) -> BTreeMap<K, Vec<&R>> {
    let mut groups: BTreeMap<K, Vec<&R>> = BTreeMap::new();
    for row in rows {
        if let Some(key) = key(row) {
            groups.entry(key).or_default().push(row);
        }
    }
    groups
}

struct Found(Vec<Violation>);

impl Found {
    fn unless(&mut self, holds: bool, rule: Rule, place: impl FnOnce() -> String) {
        if !holds {
            self.0.push(Violation {
                rule,
                place: place(),
            });
        }
    }
}

fn short(load: LoadId) -> String {
    load.0.iter().map(|byte| format!("{byte:02x}")).collect()
}
