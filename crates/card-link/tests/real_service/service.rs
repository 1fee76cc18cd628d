use card_link::{CardReader, LinkError, PcscReader, ReaderState};

use crate::stage::{CHALLENGE, card, until, with_service};

#[test]
fn a_service_that_stops_is_told_and_heals() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = PcscReader::start();
        for _ in 0..2 {
            until(&reader, ReaderState::Card).await;
            let mut contact = reader.open().await.unwrap();
            contact.transmit(CHALLENGE.to_vec()).await.unwrap();
            stage.ask("stop");
            let down = until(&reader, ReaderState::ServiceDown).await;
            assert!(down.readers.is_empty(), "no service is no empty reader");
            let lost = contact.transmit(CHALLENGE.to_vec()).await;
            assert_eq!(lost, Err(LinkError::Lost));
            let down = reader.open().await.err();
            assert_eq!(down, Some(LinkError::ServiceDown));
            stage.ask("restart");
        }
        until(&reader, ReaderState::Card).await;
        assert!(reader.open().await.is_ok());
    });
}

/// What a contact that ended well left for the next one is of no use then.
#[test]
fn a_service_that_starts_anew_between_two_contacts_is_nobodys_loss() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = PcscReader::start();
        for _ in 0..2 {
            until(&reader, ReaderState::Card).await;
            for _ in 0..2 {
                let mut contact = reader.open().await.unwrap();
                contact.transmit(CHALLENGE.to_vec()).await.unwrap();
            }
            stage.ask("stop");
            until(&reader, ReaderState::ServiceDown).await;
            stage.ask("restart");
        }
    });
}

#[test]
fn a_service_that_comes_after_the_program_is_found() {
    with_service(|stage| async move {
        stage.ask("stop");
        let reader = loop {
            let reader = PcscReader::start();
            if reader.open().await.err() == Some(LinkError::ServiceDown) {
                break reader;
            }
        };
        stage.serve(&card());
        stage.ask("restart");
        until(&reader, ReaderState::Card).await;
        assert!(reader.open().await.is_ok());
    });
}
