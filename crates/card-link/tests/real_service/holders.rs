use std::ffi::CString;
use std::time::{Duration, Instant};

use card_link::{CardReader, LinkError, PcscReader, ReaderState, Timing};
use pcsc::{Card, Context, Disposition, Protocols, Scope, ShareMode};

use crate::stage::{CHALLENGE, card, until, with_service};

/// Another program's hold on the card.
fn other_program(reader: &str, mode: ShareMode) -> Card {
    let name = CString::new(reader).unwrap();
    let context = Context::establish(Scope::User).unwrap();
    context.connect(&name, mode, Protocols::ANY).unwrap()
}

fn short() -> PcscReader {
    PcscReader::with_timing(Timing {
        connect: Duration::from_millis(900),
        ..Timing::default()
    })
}

async fn opens_soon(reader: &PcscReader) {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        if let Ok(mut contact) = reader.open().await {
            assert!(contact.transmit(CHALLENGE.to_vec()).await.is_ok());
            return;
        }
        assert!(Instant::now() < deadline, "free again, usable again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn a_card_held_alone_by_another_program_is_busy_after_three_more_tries() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = short();
        let status = until(&reader, ReaderState::Card).await;
        let held = other_program(&status.reader.unwrap(), ShareMode::Exclusive);
        let started = Instant::now();
        assert_eq!(reader.open().await.err(), Some(LinkError::Busy));
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(600), "{took:?}: three waits");
        drop(held);
        opens_soon(&reader).await;
    });
}

#[test]
fn a_short_hold_by_another_program_is_waited_out() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = short();
        let status = until(&reader, ReaderState::Card).await;
        let held = other_program(&status.reader.unwrap(), ShareMode::Exclusive);
        let letting_go = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(150));
            held.disconnect(Disposition::LeaveCard).is_ok()
        });
        assert!(reader.open().await.is_ok());
        assert!(letting_go.join().unwrap());
    });
}

#[test]
fn a_transaction_of_another_program_is_busy_and_nothing_stays_behind() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = short();
        let status = until(&reader, ReaderState::Card).await;
        let mut other = other_program(&status.reader.unwrap(), ShareMode::Shared);
        let transaction = other.transaction().unwrap();
        assert_eq!(reader.open().await.err(), Some(LinkError::Busy));
        transaction.end(Disposition::LeaveCard).ok().unwrap();
        opens_soon(&reader).await;
        // The thread that waited in vain let go of the card, too: the other program gets it again.
        let again = tokio::task::spawn_blocking(move || other.transaction().is_ok());
        let again = tokio::time::timeout(Duration::from_secs(5), again).await;
        assert!(again.unwrap().unwrap());
    });
}

#[test]
fn no_other_program_comes_between_two_commands() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = short();
        let status = until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        contact.transmit(CHALLENGE.to_vec()).await.unwrap();
        let name = status.reader.unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            let mut other = other_program(&name, ShareMode::Shared);
            let transaction = other.transaction().unwrap();
            tell.send(()).unwrap();
            transaction.end(Disposition::LeaveCard).ok().unwrap();
        });
        let early = told.recv_timeout(Duration::from_millis(600));
        assert!(early.is_err(), "the contact holds the card");
        assert!(contact.transmit(CHALLENGE.to_vec()).await.is_ok());
        drop(contact);
        told.recv_timeout(Duration::from_secs(5)).unwrap();
        other.join().unwrap();
    });
}
