//! I5, I6, I9 to I13: what the loads must look like.

use std::collections::{BTreeMap, BTreeSet};

use super::{AttemptRow, Found, Index, LoadRow, Rule, Snapshot, short};
use crate::{CardId, Kind, LoadId, Phase, Proof};

pub(super) fn check(snapshot: &Snapshot, index: &Index<'_>, found: &mut Found) {
    one_open_load(snapshot, found);
    confirmed_once(snapshot, index, found);
    for load in &snapshot.loads {
        attempts_agree(load, index, found);
        proof(load, index, found);
        moves(load, index, found);
    }
    replies(snapshot, found);
    credits(snapshot, found);
}

fn one_open_load(snapshot: &Snapshot, found: &mut Found) {
    let mut open: BTreeSet<CardId> = BTreeSet::new();
    for load in snapshot.loads.iter().filter(|load| load.phase.is_open()) {
        found.unless(open.insert(load.card), Rule::I5, || {
            format!("card {}", load.card.0)
        });
    }
}

fn confirmed_once(snapshot: &Snapshot, index: &Index<'_>, found: &mut Found) {
    let mut confirmed: BTreeSet<(CardId, u16)> = BTreeSet::new();
    for load in &snapshot.loads {
        if load.phase != Phase::Confirmed || load.kind != Kind::TopUp {
            continue;
        }
        if let Some(attempt) = index.attempts(load.id).last() {
            let fresh = confirmed.insert((load.card, attempt.counter));
            let place = || format!("card {}, counter {}", load.card.0, attempt.counter);
            found.unless(fresh, Rule::I6, place);
        }
    }
}

fn attempts_agree(load: &LoadRow, index: &Index<'_>, found: &mut Found) {
    for (attempt, number) in index.attempts(load.id).iter().zip(1u32..) {
        let same = attempt.card == load.card
            && attempt.account == load.account
            && attempt.amount == load.amount
            && attempt.number == number;
        found.unless(same, Rule::I9, || {
            format!("load {}, attempt {}", short(load.id), attempt.number)
        });
    }
}

fn proof(load: &LoadRow, index: &Index<'_>, found: &mut Found) {
    let last = index.attempts(load.id).last();
    let counter = last.map(|attempt| attempt.counter);
    let good = match (load.phase, &load.proof) {
        (Phase::Confirmed, Some(Proof::Tac { attempt: proven })) => {
            // Attempts at one counter are one to the card: it does the first that reaches it.
            let same = |it: &&&AttemptRow| it.number == *proven && Some(it.counter) == counter;
            index.attempts(load.id).iter().any(|it| same(&it)) && load.kind == Kind::TopUp
        }
        (Phase::Confirmed, Some(Proof::Counter { counter: proven })) => {
            let after = counter.and_then(|counter| counter.checked_add(1));
            after == Some(*proven) && load.kind == Kind::TopUp
        }
        (Phase::Confirmed, Some(Proof::EnableFlag)) | (Phase::Reversed, Some(Proof::NoMoney)) => {
            load.kind == Kind::Activation
        }
        (Phase::Reversed, Some(Proof::Counter { counter: proven })) => {
            counter == Some(*proven) && load.kind == Kind::TopUp
        }
        (Phase::Confirmed | Phase::Reversed, Some(Proof::Operators(by))) => {
            let [first, second] = by.names();
            first != second && !by.evidence().is_empty()
        }
        (Phase::Confirmed | Phase::Reversed, _) => false,
        _any_other_phase => true,
    };
    found.unless(good, Rule::I10, || {
        format!("load {} ({})", short(load.id), load.phase)
    });
}

fn moves(load: &LoadRow, index: &Index<'_>, found: &mut Found) {
    let mut phase = Phase::Requested;
    for step in index.moves.get(&load.id).into_iter().flatten() {
        let fits = step.from == phase && step.from.may_become(step.to);
        found.unless(fits, Rule::I11, || {
            format!(
                "load {}: {phase}, then {} to {}",
                short(load.id),
                step.from,
                step.to
            )
        });
        phase = step.to;
    }
    found.unless(phase == load.phase, Rule::I11, || {
        format!(
            "load {} is {}, its moves end in {phase}",
            short(load.id),
            load.phase
        )
    });
}

fn replies(snapshot: &Snapshot, found: &mut Found) {
    let mut first: BTreeMap<(LoadId, u8), [u8; 32]> = BTreeMap::new();
    for row in &snapshot.replies {
        let stored = first.entry((row.load, row.step)).or_insert(row.reply);
        let same = *stored == row.reply;
        found.unless(same, Rule::I12, || {
            format!("load {}, step {}", short(row.load), row.step)
        });
    }
}

fn credits(snapshot: &Snapshot, found: &mut Found) {
    let mut credited: BTreeSet<LoadId> = BTreeSet::new();
    let loads: BTreeMap<LoadId, &LoadRow> =
        snapshot.loads.iter().map(|load| (load.id, load)).collect();
    for row in &snapshot.credits {
        let name = || format!("load {}, card {}", short(row.load), row.card.0);
        found.unless(credited.insert(row.load), Rule::I13, name);
        let load = loads.get(&row.load);
        let paid = load.is_some_and(|load| {
            load.card == row.card && (load.phase.holds_money() || by_people_or_confirmed(load))
        });
        found.unless(paid, Rule::I13, name);
    }
}

/// A credited load is confirmed, unless two operators decided otherwise.
fn by_people_or_confirmed(load: &LoadRow) -> bool {
    let people = matches!(load.proof, Some(Proof::Operators(_)));
    matches!(load.phase, Phase::Confirmed | Phase::WrittenOff)
        || (load.phase == Phase::Reversed && people)
}
