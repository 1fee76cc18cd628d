//! What the bank says of itself, by its own program, beside what people's cards hold.

use std::collections::{BTreeMap, BTreeSet};

use bank::{Clock, Day, SystemClock};
use serde_json::{Value, json};

use crate::Failure;
use crate::figures::Limit;
use crate::person::Person;
use crate::program::Process;
use crate::soak::provider::Provider;
use crate::stage::BALANCE;

type People = [Person<Provider>];

/// Everything that must hold once nobody loads any more. The audit log must still have the rows of `anchor`.
pub(crate) fn compare(
    pair: &[Process; 2],
    people: &People,
    (began_ms, anchor): (u64, &str),
) -> Result<Vec<Limit>, Failure> {
    let mut limits = Vec::new();
    for process in pair {
        limits.push(checked(&process.told(&["check"]), people));
        let log = process.log();
        let errors = log.lines().filter(|line| line.contains("ERROR")).count();
        limits.push(Limit {
            rule: format!("{errors} errors in a process's log"),
            kept: errors == 0,
        });
    }
    let one = &pair[0];
    let open = one.told(&["open-loads"]);
    limits.push(Limit {
        rule: format!("no load stays open: {open}"),
        kept: open == json!([]),
    });
    let mut words = vec!["audit", "verify"];
    if !anchor.is_empty() {
        words.extend(["--anchor", anchor]);
    }
    let audit = one.told(&words);
    limits.push(Limit {
        rule: format!(
            "the audit log's chains hang together, {} rows: {}",
            audit["rows"], audit["broken"]
        ),
        kept: audit["broken"].is_null() && audit["rows"].as_u64() > Some(0),
    });
    limits.push(booked(one, people, began_ms)?);
    Ok(limits)
}

/// Every invariant as `bank check` asks it, and no fen more or less than there was.
fn checked(report: &Value, people: &People) -> Limit {
    let on_cards: u64 = people
        .iter()
        .map(|person| u64::from(person.card.balance))
        .sum();
    let all = u64::try_from(people.len()).unwrap_or_default() * u64::from(BALANCE);
    let money = &report["money"];
    let is = |name: &str, fen: u64| money[name].as_u64() == Some(fen);
    Limit {
        rule: format!(
            "every invariant and every fen, {on_cards} on cards: {} {money}",
            report["findings"]
        ),
        kept: report["findings"] == json!([])
            && report["open_loads"] == 0
            && is("card_float", on_cards)
            && is("customers", all - on_cards)
            && is("in_transit", 0)
            && is("written_off", 0),
    }
}

/// The files of the days say of each card what it holds.
fn booked(process: &Process, people: &People, began_ms: u64) -> Result<Limit, Failure> {
    let mut days = Vec::new();
    for ms in [began_ms, SystemClock.now_ms()] {
        let day = Day::of_ms(ms).ok_or("a moment without a day")?;
        if !days.contains(&day) {
            days.push(day);
        }
    }
    let mut agree = true;
    // A load that moved on both days is in both files.
    let mut ends = BTreeMap::new();
    for day in days {
        let done = process.ask(&["reconcile", "--day", &day.to_string()]);
        agree &= done.status.success();
        for line in String::from_utf8(done.stdout)?.lines() {
            let fields: Vec<&str> = line.split(',').collect();
            if let ["load", reference, "top-up", _, tail, amount, _, phase, ..] = fields[..] {
                let end = (tail.to_owned(), amount.parse::<u64>()?, phase.to_owned());
                ends.insert(reference.to_owned(), end);
            }
        }
    }
    let mut booked: BTreeMap<String, u64> = BTreeMap::new();
    for (tail, amount, phase) in ends.values() {
        let fen = if phase == "confirmed" { *amount } else { 0 };
        *booked.entry(tail.clone()).or_default() += fen;
    }
    let phases: BTreeSet<_> = ends.values().map(|(_, _, phase)| phase.as_str()).collect();
    let differ = people.iter().filter(|person| {
        let fen = booked.get(&person.card.tail()).copied();
        fen.unwrap_or_default() != u64::from(person.card.balance)
    });
    let differ = differ.count();
    Ok(Limit {
        rule: format!(
            "{differ} of {} cards hold something else than the days' {} loads say ({phases:?})",
            people.len(),
            ends.len()
        ),
        kept: agree && differ == 0,
    })
}
