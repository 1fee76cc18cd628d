//! The journal: files that a crash or another version left, and any order of events.

use ipc::{ErrorView, ReceiptView};
use relay::journal::{About, Entry, Event, Place, State};
use relay::{IndustryCode, Operation};
use serde::{Deserialize, Serialize};

use crate::driving::operation;
use crate::input::Input;

/// A file of the session's journal.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    #[serde(flatten)]
    pub(crate) entry: Entry,
    pub(crate) receipt: ReceiptView,
    #[serde(default)]
    pub(crate) error: Option<ErrorView>,
}

/// `{`: a file. Anything else: an entry and events.
pub fn run(bytes: &[u8]) {
    if bytes.first() == Some(&b'{') {
        file(bytes);
        return;
    }
    let mut input = Input::new(bytes);
    let mut entry = entry(&mut input);
    same_again(&entry);
    while !input.is_empty() {
        let event = event(&mut input);
        entry = step(entry, event);
    }
}

fn file(bytes: &[u8]) {
    if let Ok(record) = serde_json::from_slice::<Record>(bytes) {
        let text = serde_json::to_vec_pretty(&record).expect("what was read can be written");
        let again: Record = serde_json::from_slice(&text).expect("and read again");
        assert_eq!(again, record);
        same_again(&record.entry);
    }
    if let Ok(entry) = serde_json::from_slice::<Entry>(bytes) {
        same_again(&entry);
        for event in [Event::Issued, Event::Writing, Event::InDoubt, Event::Done] {
            step(entry.clone(), event);
        }
    }
}

fn same_again(entry: &Entry) {
    let text = serde_json::to_vec(entry).expect("an entry can be written");
    let again: Entry = serde_json::from_slice(&text).expect("and read again");
    assert_eq!(again, *entry);
}

fn step(entry: Entry, event: Event) -> Entry {
    let Ok(next) = entry.clone().apply(event.clone()) else {
        return entry;
    };
    if !entry.is_open() {
        assert_eq!(next, entry, "finished stays finished");
    }
    let moved = matches!(entry.operation, Operation::TopUp | Operation::ReTopUp);
    assert_eq!(next.place() == Place::None, !moved);
    assert_eq!(next.is_pending_money(), moved && next.is_open());
    if matches!(next.state, State::Writing) && next != entry {
        assert_eq!(
            entry.state,
            State::Issued,
            "money is out before it is written"
        );
    }
    assert_eq!(
        next.clone().apply(event).as_ref(),
        Ok(&next),
        "the same event again changes nothing"
    );
    let state = next.state.clone();
    assert_eq!(
        next,
        Entry { state, ..entry },
        "an event changes the state alone"
    );
    same_again(&next);
    next
}

fn entry(input: &mut Input<'_>) -> Entry {
    let mode = input.byte();
    Entry {
        transaction: input.array(),
        operation: operation(mode),
        industry: IndustryCode::new(input.array()).unwrap_or("0001".parse().expect("digits")),
        tail: text(input),
        amount: input.number(),
        reference: (mode & 4 != 0).then(|| text(input)),
        about: (mode & 8 != 0).then(|| About(input.array())),
        mark: None,
        started_ms: u64::from_be_bytes(input.array()),
        state: match mode >> 4 {
            0 => State::Issued,
            1 => State::Writing,
            2 => State::InDoubt,
            3 => State::Done,
            4 => State::NotDone {
                outcome: text(input),
            },
            5 | 6 => State::ToDeliver {
                message: input.short().to_vec(),
                written: mode >> 4 == 5,
            },
            _ => State::Asked,
        },
    }
}

fn event(input: &mut Input<'_>) -> Event {
    match input.byte() % 7 {
        0 => Event::Issued,
        1 => Event::Writing,
        2 => Event::InDoubt,
        3 => Event::Done,
        4 => Event::NotDone {
            outcome: text(input),
        },
        choice => Event::Wrote {
            message: input.short().to_vec(),
            written: choice == 5,
        },
    }
}

fn text(input: &mut Input<'_>) -> String {
    String::from_utf8_lossy(input.short()).into_owned()
}
