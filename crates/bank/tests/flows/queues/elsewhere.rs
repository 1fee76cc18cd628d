//! A queue outlives its terminal's enrolment and its bank's store.

use bank_client::queue::QueueItemState::{Loaded, Waiting};
use envelope::enrol::{Exchange, Previous};
use envelope::keys;

use super::{AMOUNT, Class, with_pupils};
use crate::stage::Stage;
use crate::terminal::{Terminal, code, identify, outcome, random};

/// The terminal that comes after this one, and proves it.
async fn successor(class: &Class) -> Terminal {
    let before = &class.terminal.enrolled;
    let client = Terminal::client(&class.stage);
    let profile = client.profile();
    let (bank_key, signer) = (
        profile.enrolment_hpke_key().unwrap(),
        profile.enrolment_signer_key().unwrap(),
    );
    let key = keys::auth_key(&before.master_key, &before.terminal);
    let previous = Previous {
        terminal: before.terminal,
        key: Some(&key),
    };
    let started = Exchange::start(&bank_key, &random(), Some(previous), "test");
    let (exchange, request) = started.unwrap();
    let answer = client.enrol(request).await.unwrap();
    let enrolled = exchange.finish(&answer, &signer).unwrap();
    identify(&client, &enrolled);
    let mut terminal = Terminal {
        client,
        enrolled,
        clock: class.stage.clock.clone(),
        key: None,
        counter: 0,
    };
    terminal.fetch_key().await.unwrap();
    terminal
}

#[tokio::test]
async fn a_terminal_that_enrols_again_goes_on_with_its_queue_and_a_stranger_does_not() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    class.load(0, 0, opened.proof).await;
    let stranger = class.stage.terminal().await;
    let refused = code(class.state_at(&stranger).await.unwrap_err());
    assert_eq!(refused, "queue-unknown");
    class.terminal = successor(&class).await;
    let told = class.state().await;
    assert_eq!(told.proof, Some(opened.proof), "the same proof");
    assert_eq!(outcome(&class.load(1, 0, opened.proof).await), "ok");
    assert_eq!(class.states().await, [Loaded, Loaded, Waiting]);
    class.stage.close(i64::from(2 * AMOUNT)).await;
}

#[tokio::test]
async fn a_backup_has_queues_in_it() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    class.load(0, 0, opened.proof).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("backup.jsonl");
    bank::backup(class.stage.config(), &backup).await.unwrap();
    crate::backup::copy_keys(class.stage.dir.path(), elsewhere.path());
    let Stage {
        bank, clock, money, ..
    } = class.stage;
    bank.stop().await;
    let empty = Stage::empty(elsewhere, clock, money);
    let report = bank::restore(empty.config(), &backup).await.unwrap();
    assert_eq!(report.findings, []);
    class.stage = empty.started().await;
    class.stage = class.stage.restarted_with(with_pupils).await;
    class.terminal.reach(&class.stage);
    assert_eq!(class.states().await, [Loaded, Waiting, Waiting]);
    assert_eq!(outcome(&class.load(2, 0, opened.proof).await), "ok");
    assert_eq!(class.close().await.returned, u64::from(AMOUNT));
    class.stage.close(i64::from(2 * AMOUNT)).await;
}
