use std::time::{Duration, Instant};

use card_link::{CardReader, LinkError, PcscReader, ReaderState, Timing};

use crate::stage::{CHALLENGE, card, until, with_service};

#[test]
fn a_service_that_hangs_is_told_and_heals() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = PcscReader::start();
        let before = until(&reader, ReaderState::Card).await;
        for _ in 0..2 {
            stage.done("freeze").await;
            let hung = until(&reader, ReaderState::ServiceHung).await;
            assert!(hung.readers.is_empty(), "what it said holds no longer");
            let asked = Instant::now();
            assert_eq!(reader.open().await.err(), Some(LinkError::ServiceHung));
            assert!(
                asked.elapsed() < Duration::from_millis(200),
                "it is known already: nobody waits for it again"
            );
            stage.ask("thaw");
            let after = until(&reader, ReaderState::Card).await;
            assert_eq!(
                after.insertions, before.insertions,
                "the card lay there all the time"
            );
            let mut contact = reader.open().await.unwrap();
            assert!(contact.transmit(CHALLENGE.to_vec()).await.is_ok());
        }
    });
}

#[test]
fn a_service_that_hangs_this_moment_is_not_taken_for_another_program() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = PcscReader::with_timing(Timing {
            connect: Duration::from_millis(300),
            ..Timing::default()
        });
        until(&reader, ReaderState::Card).await;
        stage.done("freeze").await;
        assert_eq!(reader.open().await.err(), Some(LinkError::ServiceHung));
        stage.ask("thaw");
        until(&reader, ReaderState::Card).await;
        assert!(reader.open().await.is_ok(), "the thread left behind let go");
    });
}

#[test]
fn a_command_into_a_service_that_hangs_is_not_taken_for_a_slow_card() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = PcscReader::with_timing(Timing {
            command: Duration::from_millis(500),
            ..Timing::default()
        });
        until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        stage.done("freeze").await;
        let outcome = contact.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(outcome, Err(LinkError::ServiceHung));
        stage.ask("thaw");
        until(&reader, ReaderState::Card).await;
        let again = contact.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(
            again,
            Err(LinkError::ServiceHung),
            "what the command did is unknown: this contact is over"
        );
    });
}

#[test]
fn a_service_that_hangs_from_the_start_is_told_and_does_not_keep_the_program() {
    with_service(|stage| async move {
        stage.done("freeze").await;
        let reader = PcscReader::start();
        until(&reader, ReaderState::ServiceHung).await;
        let ended = Instant::now();
        drop(reader);
        let took = ended.elapsed();
        assert!(took < Duration::from_secs(1), "{took:?}: it is left alone");
        stage.done("thaw").await;
    });
}

/// What a contact left for the next one is given back to a service that takes nothing.
#[test]
fn a_service_that_hangs_after_a_contact_does_not_keep_the_program() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = PcscReader::start();
        until(&reader, ReaderState::Card).await;
        for _ in 0..2 {
            let mut contact = reader.open().await.unwrap();
            contact.transmit(CHALLENGE.to_vec()).await.unwrap();
        }
        stage.done("freeze").await;
        let ended = Instant::now();
        tokio::task::spawn_blocking(move || drop(reader))
            .await
            .unwrap();
        let took = ended.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}: it is left alone");
        stage.done("thaw").await;
    });
}
