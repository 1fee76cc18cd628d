use relay::journal::About;

use super::*;

fn record(id: u8, operation: Operation, state: State) -> Record {
    let entry = Entry {
        transaction: [id; 16],
        operation,
        industry: IndustryCode::new(*b"0001").unwrap(),
        tail: "4471".to_owned(),
        mark: Some(7),
        amount: 5000,
        reference: None,
        about: None,
        started_ms: u64::from(id),
        state,
    };
    let receipt = ReceiptView {
        amount: Some(5000),
        old_balance: None,
        new_balance: None,
        tail: "4471".to_owned(),
        time_ms: 1,
        reference: None,
        proof: None,
        place: MoneyPlace::Unsure,
    };
    Record {
        version: 1,
        entry,
        receipt,
        error: None,
    }
}

fn card(tail: &str, mark: u16) -> CardMark {
    CardMark {
        industry: "0001".to_owned(),
        tail: tail.to_owned(),
        mark: Some(mark),
    }
}

#[test]
fn an_open_load_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
    journal
        .keep(record(1, Operation::TopUp, State::Writing))
        .unwrap();
    let journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
    assert_eq!(journal.pending().len(), 1);
    assert!(
        journal.unfinished_on(&card("4471", 7)).is_some(),
        "the same card can settle it"
    );
    for other in [card("8826", 7), card("4471", 8)] {
        assert!(journal.unfinished_on(&other).is_none(), "another can't");
        assert!(journal.unfinished_elsewhere(&other).is_some());
    }
}

fn files(dir: &Path) -> usize {
    fs::read_dir(dir.join("journal")).unwrap().count()
}

#[test]
fn a_load_that_was_expected_and_never_begun_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
    journal.expect(Some([1; 16]));
    assert_eq!((files(dir.path()), journal.pending().len()), (1, 0));
    journal.expect(Some([2; 16]));
    assert_eq!(files(dir.path()), 1, "the other one");
    journal.expect(None);
    assert_eq!(files(dir.path()), 0, "none");
    journal.expect(Some([3; 16]));
    let journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
    assert_eq!((files(dir.path()), journal.damaged), (0, 0), "a restart");
}

#[test]
fn a_load_that_was_expected_is_kept_when_the_next_one_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
    journal.expect(Some([1; 16]));
    for state in [State::Asked, State::Writing] {
        journal.keep(record(1, Operation::TopUp, state)).unwrap();
    }
    for next in [Some([2; 16]), Some([1; 16]), None] {
        journal.expect(next);
    }
    let journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
    assert_eq!(
        journal.get(&"01".repeat(16)).unwrap().entry.state,
        State::Writing
    );
    assert_eq!((files(dir.path()), journal.damaged), (1, 0));
}

#[test]
fn a_proof_waits_for_the_bank() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
    let state = State::ToDeliver {
        message: vec![0x49, 0x30],
        written: true,
    };
    journal.keep(record(1, Operation::TopUp, state)).unwrap();
    let journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
    assert_eq!(
        journal.to_deliver(),
        vec![("01".repeat(16), vec![0x49, 0x30])]
    );
    assert_eq!(journal.pending()[0].place, MoneyPlace::OnCardUnreported);
}

#[test]
fn the_end_of_a_re_top_up_ends_its_load() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
    let load = record(1, Operation::TopUp, State::Writing);
    let mut again = record(2, Operation::ReTopUp, State::Writing);
    again.entry.about = Some(About([1; 16]));
    journal.keep(load.clone()).unwrap();
    journal.keep(again).unwrap();
    assert_eq!(
        journal.pending().len(),
        1,
        "a re-top-up of a load that waits is not another one"
    );
    journal
        .settle_about([1; 16], &Event::Done, &load.receipt)
        .unwrap();
    assert_eq!(journal.pending().len(), 0);
    assert_eq!(journal.history().count(), 1);
}

#[test]
fn a_damaged_file_is_counted_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
    journal
        .keep(record(1, Operation::TopUp, State::Asked))
        .unwrap();
    let path = dir
        .path()
        .join("journal")
        .join(format!("{}.json", "01".repeat(16)));
    fs::write(&path, "{").unwrap();
    let journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
    assert_eq!((journal.damaged, journal.history().count()), (1, 0));
    assert!(path.exists());
}

#[test]
fn the_banks_word_without_a_card_ends_what_is_over_and_names_what_is_not() {
    let told = |outcome: &str| crate::terminal::Outcome {
        outcome: outcome.to_owned(),
        reference: Some("TF-7K2M-9VQX".to_owned()),
        ..Default::default()
    };
    for (outcome, open, place, named) in [
        ("ok", false, MoneyPlace::OnCard, true),
        ("refunded", false, MoneyPlace::Account, true),
        ("written-off", false, MoneyPlace::WrittenOff, true),
        // A reference would make the page say that money came back which never left.
        ("declined", false, MoneyPlace::Account, false),
        ("voided", false, MoneyPlace::Account, false),
        ("manual", true, MoneyPlace::InTransit, true),
        ("in-doubt", true, MoneyPlace::InTransit, true),
        ("unknown", true, MoneyPlace::InTransit, true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), Tracer::open(dir.path())).unwrap();
        let load = record(1, Operation::TopUp, State::InDoubt);
        journal.keep(load).unwrap();
        crate::closing::learn(&mut journal, [1; 16], &told(outcome)).unwrap();
        let entry = journal.history().next().unwrap();
        assert_eq!(journal.pending().len() == 1, open, "{outcome}");
        assert_eq!(entry.receipt.reference.is_some(), named, "{outcome}");
        if !open {
            assert_eq!(entry.receipt.place, place, "{outcome}");
        }
    }
}
