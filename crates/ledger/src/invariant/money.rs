//! I1 to I4, I7, I8 and I12: what the books must look like.

use std::collections::BTreeMap;

use super::{
    BalanceRow, EntryRow, Found, Index, LoadRow, Rule, Snapshot, TransferRow, Violation, short,
};
use crate::{Account, Kind, LoadId, Phase, Shard};

/// I1, second half: the entries of an earlier snapshot are the first ones of a later one, unchanged.
///
/// # Errors
/// The [`Violation`] when one was changed or has gone.
pub fn append_only(before: &[EntryRow], after: &[EntryRow]) -> Result<(), Violation> {
    if after.starts_with(before) {
        return Ok(());
    }
    Err(Violation {
        rule: Rule::I1,
        place: "an entry was changed or has gone".to_owned(),
    })
}

pub(super) fn check(snapshot: &Snapshot, index: &Index<'_>, found: &mut Found) {
    transfers_sum_to_zero(snapshot, found);
    balances(snapshot, found);
    in_transit(snapshot, found);
    for load in &snapshot.loads {
        money_of(load, index, found);
    }
}

fn transfers_sum_to_zero(snapshot: &Snapshot, found: &mut Found) {
    let mut sums: BTreeMap<i64, i128> = BTreeMap::new();
    for entry in &snapshot.entries {
        let sum = sums.entry(entry.transfer).or_insert(0);
        *sum = sum.saturating_add(entry.amount.into());
    }
    for (transfer, sum) in &sums {
        found.unless(*sum == 0, Rule::I1, || {
            format!("transfer {transfer} sums to {sum}")
        });
    }
    for TransferRow { id, .. } in &snapshot.transfers {
        found.unless(sums.contains_key(id), Rule::I1, || {
            format!("transfer {id} has no entries")
        });
    }
}

fn balances(snapshot: &Snapshot, found: &mut Found) {
    let mut sums: BTreeMap<Account, i128> = BTreeMap::new();
    for entry in &snapshot.entries {
        let sum = sums.entry(entry.account).or_insert(0);
        *sum = sum.saturating_add(entry.amount.into());
    }
    let mut total: i128 = 0;
    for row in &snapshot.balances {
        total = total.saturating_add(row.balance.into());
        let overdrawn = row.account.is_of_others() && row.balance < 0;
        found.unless(!overdrawn, Rule::I3, || {
            format!("{} has {}", row.account, row.balance)
        });
        let sum = sums.remove(&row.account).unwrap_or(0);
        found.unless(sum == row.balance.into(), Rule::I4, || {
            format!(
                "{} has {}, its entries sum to {sum}",
                row.account, row.balance
            )
        });
    }
    found.unless(total == 0, Rule::I2, || {
        format!("all balances sum to {total}")
    });
    for (account, sum) in sums {
        found.unless(sum == 0, Rule::I4, || {
            format!("{account} has entries and no balance")
        });
    }
}

fn in_transit(snapshot: &Snapshot, found: &mut Found) {
    let mut held: BTreeMap<Account, i128> = BTreeMap::new();
    for load in &snapshot.loads {
        if load.phase.holds_money() {
            let sum = held
                .entry(Account::InTransit(Shard::of_load(load.id)))
                .or_insert(0);
            *sum = sum.saturating_add(load.amount.into());
        }
    }
    let transit = |row: &&BalanceRow| matches!(row.account, Account::InTransit(_));
    for row in snapshot.balances.iter().filter(transit) {
        let open = held.remove(&row.account).unwrap_or(0);
        found.unless(open == row.balance.into(), Rule::I8, || {
            format!("{} has {}, its open loads {open}", row.account, row.balance)
        });
    }
    for (account, open) in held {
        found.unless(open == 0, Rule::I8, || {
            format!("{account} has no balance, its open loads {open}")
        });
    }
}

/// What a load's transfers did: into transit, and out of it.
struct Flow {
    commit: i64,
    to: Account,
    amount: i64,
}

fn flows(load: LoadId, index: &Index<'_>) -> (Vec<Flow>, Vec<Flow>, bool) {
    let (mut into, mut out, mut strange) = (Vec::new(), Vec::new(), false);
    for transfer in index.transfers.get(&load).into_iter().flatten() {
        let entries = index
            .entries
            .get(&transfer.id)
            .map_or(&[][..], Vec::as_slice);
        let credit = entries.iter().max_by_key(|row| row.amount);
        let debit = entries.iter().min_by_key(|row| row.amount);
        let (Some(credit), Some(debit), 2) = (credit, debit, entries.len()) else {
            strange = true;
            continue;
        };
        let (commit, amount) = (transfer.commit, credit.amount);
        let transit = Account::InTransit(Shard::of_load(load));
        if credit.account == transit {
            into.push(Flow {
                commit,
                to: debit.account,
                amount,
            });
        } else if debit.account == transit {
            out.push(Flow {
                commit,
                to: credit.account,
                amount,
            });
        } else {
            strange = true;
        }
    }
    (into, out, strange)
}

fn money_of(load: &LoadRow, index: &Index<'_>, found: &mut Found) {
    let (into, out, strange) = flows(load.id, index);
    let name = || format!("load {} ({})", short(load.id), load.phase);
    found.unless(!strange, Rule::I12, || {
        format!("{}: a transfer beside transit", name())
    });
    found.unless(into.len() <= 1, Rule::I12, || {
        format!("{}: debited twice", name())
    });
    found.unless(out.len() <= 1, Rule::I12, || {
        format!("{}: settled twice", name())
    });
    let amount = i64::from(load.amount);
    let right = into.iter().chain(&out).all(|flow| flow.amount == amount);
    found.unless(right, Rule::I12, || {
        format!("{}: another amount moved", name())
    });
    let customer = Account::Customer(load.account);
    let may_pay = |account| account == customer || matches!(account, Account::Queue(_));
    let paid = into.iter().all(|flow| may_pay(flow.to));
    found.unless(paid, Rule::I9, || {
        format!("{}: another account paid", name())
    });

    let attempts = index.attempts(load.id);
    if load.kind == Kind::TopUp {
        let together = match (attempts.first(), into.first()) {
            (Some(attempt), Some(debit)) => attempt.commit == debit.commit,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        found.unless(together, Rule::I7, || {
            format!("{}: MAC2 and debit differ", name())
        });
    }
    let moved = load.kind == Kind::TopUp;
    let (debits, goal) = match load.phase {
        Phase::Requested | Phase::Authorised | Phase::Declined | Phase::Voided => (0, None),
        Phase::Issued | Phase::InDoubt | Phase::Manual => (usize::from(moved), None),
        Phase::Confirmed => (
            usize::from(moved),
            moved.then_some(Account::CardFloat(Shard::of_load(load.id))),
        ),
        Phase::Reversed => (usize::from(moved), moved.then_some(customer)),
        Phase::WrittenOff => (
            usize::from(moved),
            moved.then_some(Account::WrittenOff(Shard::of_load(load.id))),
        ),
    };
    let payer = into.first().map(|flow| flow.to);
    // What a queue paid goes back to it, or past it to the customer.
    let settled = out.first().map(|flow| flow.to);
    let settled = settled.map(|to| if Some(to) == payer { customer } else { to });
    let fits = into.len() == debits && settled == goal;
    found.unless(fits, Rule::I12, || {
        format!("{}: money is elsewhere", name())
    });
    let exists = match load.phase {
        Phase::Requested | Phase::Authorised | Phase::Declined | Phase::Voided => {
            attempts.is_empty()
        }
        Phase::Issued
        | Phase::InDoubt
        | Phase::Manual
        | Phase::Confirmed
        | Phase::Reversed
        | Phase::WrittenOff => !attempts.is_empty(),
    };
    found.unless(exists, Rule::I7, || {
        format!("{}: {} MAC2", name(), attempts.len())
    });
}
