use card_link::{CardReader, LinkError, PcscReader, ReaderState};
use virtual_card::{Card, CardProfile, Slot};

use crate::stage::{CHALLENGE, card, received, until, until_status, with_service};

#[test]
fn cards_come_and_go() {
    with_service(|stage| async move {
        let slot = Slot::empty();
        stage.serve(&slot);
        let reader = PcscReader::start();
        let empty = until(&reader, ReaderState::Empty).await;
        assert_eq!(reader.open().await.err(), Some(LinkError::NoCard));
        slot.replace(Card::new(CardProfile::demo()));
        let there = until(&reader, ReaderState::Card).await;
        assert_eq!(there.insertions, empty.insertions + 1);
        slot.remove();
        until(&reader, ReaderState::Empty).await;
        slot.insert();
        let back = until(&reader, ReaderState::Card).await;
        assert_eq!(back.insertions, there.insertions + 1, "each coming counts");
        assert!(reader.open().await.is_ok());
    });
}

#[test]
fn a_contact_does_not_count_as_a_new_card() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = PcscReader::start();
        let there = until(&reader, ReaderState::Card).await;
        for _ in 0..3 {
            let mut contact = reader.open().await.unwrap();
            contact.transmit(CHALLENGE.to_vec()).await.unwrap();
        }
        // The service takes the power from an unused card after 0.8 s at most.
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        let now = reader.watch().borrow().clone();
        assert_eq!(now, there);
    });
}

#[test]
fn of_two_readers_the_one_with_a_card_is_used_unless_a_person_chose() {
    with_service(|stage| async move {
        let (first, second) = (Slot::empty(), card());
        stage.serve_on(0, &first);
        stage.serve_on(1, &second);
        let reader = PcscReader::start();
        let status = until(&reader, ReaderState::Card).await;
        assert_eq!(status.readers.len(), 2, "{:?}", status.readers);
        assert_eq!(status.reader.as_ref(), Some(&status.readers[1]));

        reader.choose(Some(status.readers[0].clone()));
        let chosen = until(&reader, ReaderState::Empty).await;
        assert_eq!(chosen.chosen.as_ref(), Some(&status.readers[0]));
        assert_eq!(reader.open().await.err(), Some(LinkError::NoCard));

        first.replace(Card::new(CardProfile::demo_inactive()));
        until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        assert_eq!(contact.reader(), status.readers[0]);
        contact.transmit(CHALLENGE.to_vec()).await.unwrap();
        assert_eq!((received(&first, 0x84), received(&second, 0x84)), (1, 0));
        drop(contact);

        reader.choose(Some(status.readers[1].clone()));
        until_status(&reader, |now| now.reader.as_ref() == status.readers.get(1)).await;
        let mut contact = reader.open().await.unwrap();
        contact.transmit(CHALLENGE.to_vec()).await.unwrap();
        assert_eq!((received(&first, 0x84), received(&second, 0x84)), (1, 1));
    });
}
