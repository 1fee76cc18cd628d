use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use card_link::{CardReader, LinkError, PcscReader, ReaderState, Timing};
use virtual_card::{Card, CardProfile, Fault, Moment};

use crate::stage::{CHALLENGE, card, received, until, until_status, with_service};

const SELECT: [u8; 14] = [
    0x00, 0xA4, 0x04, 0x00, 0x09, 0xA0, 0, 0, 0, 0x03, 0x86, 0x98, 0x07, 0x01,
];

#[test]
fn a_card_that_is_there_at_the_start_answers() {
    with_service(|stage| async move {
        stage.serve(&card());
        until(&PcscReader::start(), ReaderState::Card).await;
        // `open` itself waits for the first look.
        let reader = PcscReader::start();
        let mut contact = reader.open().await.unwrap();
        let reply = contact.transmit(SELECT.to_vec()).await.unwrap();
        assert_eq!(reply.last_chunk::<2>(), Some(&[0x90, 0x00]));
        assert_eq!(contact.transmit(CHALLENGE.to_vec()).await.unwrap().len(), 6);
        assert!(contact.reader().starts_with("Tapfill Virtual Reader"));
    });
}

const BALANCE: [u8; 5] = [0x80, 0x5C, 0, 2, 4];
/// Of an application that the card does not have.
const OTHER: [u8; 14] = [
    0x00, 0xA4, 0x04, 0x00, 0x09, 0xA0, 0, 0, 0, 0x03, 0x86, 0x98, 0x07, 0x99,
];

#[test]
fn what_comes_next_goes_along_and_another_way_is_taken_all_the_same() {
    with_service(|stage| async move {
        let slot = card();
        stage.serve(&slot);
        let reader = PcscReader::start();
        until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        contact.ahead(vec![BALANCE.to_vec(), CHALLENGE.to_vec()]);
        for (command, length) in [(&SELECT[..], 0), (&BALANCE, 6), (&CHALLENGE, 6)] {
            let reply = contact.transmit(command.to_vec()).await.unwrap();
            assert!(reply.len() >= length, "{reply:02X?}");
            assert!(contact.took().is_some(), "the card's own time");
        }
        assert_eq!(slot.record().len(), 3, "nothing was sent twice");

        contact.ahead(vec![BALANCE.to_vec(); 3]);
        contact.transmit(CHALLENGE.to_vec()).await.unwrap();
        let selected = contact.transmit(SELECT.to_vec()).await.unwrap();
        assert!(selected.len() > 6, "no balance in its place");
        assert_eq!(contact.transmit(BALANCE.to_vec()).await.unwrap().len(), 6);

        slot.clear();
        contact.ahead(vec![OTHER.to_vec(), BALANCE.to_vec()]);
        contact.transmit(CHALLENGE.to_vec()).await.unwrap();
        let other = contact.transmit(OTHER.to_vec()).await;
        assert_eq!(other.unwrap(), [0x6A, 0x82]);
        assert!(contact.transmit(SELECT.to_vec()).await.is_ok());
        let sent: Vec<u8> = slot.record().iter().map(|it| it.command[1]).collect();
        assert_eq!(sent, [0x84, 0xA4, 0xA4], "a refusal ends what goes along");
    });
}

#[test]
fn a_card_lost_in_what_went_along_is_told_when_that_is_asked_for() {
    with_service(|stage| async move {
        let slot = card();
        stage.serve(&slot);
        let reader = PcscReader::start();
        until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        slot.arm(Fault::Tear {
            ins: None,
            moment: Moment::After,
            nth: 3,
        });
        contact.ahead(vec![BALANCE.to_vec(), CHALLENGE.to_vec(), BALANCE.to_vec()]);
        assert!(contact.transmit(SELECT.to_vec()).await.is_ok());
        assert!(contact.transmit(BALANCE.to_vec()).await.is_ok());
        slot.insert();
        for command in [&CHALLENGE[..], &BALANCE] {
            let lost = contact.transmit(command.to_vec()).await;
            assert_eq!(lost, Err(LinkError::Lost));
        }
        assert_eq!(slot.record().len(), 3, "nothing after the loss");
    });
}

#[test]
fn a_card_torn_around_a_command_is_lost_and_never_asked_again() {
    with_service(|stage| async move {
        let slot = card();
        stage.serve(&slot);
        let reader = PcscReader::start();
        for moment in [Moment::Before, Moment::During, Moment::After] {
            until(&reader, ReaderState::Card).await;
            let mut contact = reader.open().await.unwrap();
            contact.transmit(CHALLENGE.to_vec()).await.unwrap();
            slot.clear();
            slot.arm(Fault::Tear {
                ins: Some(0x84),
                moment,
                nth: 1,
            });
            let lost = contact.transmit(CHALLENGE.to_vec()).await;
            assert_eq!(lost, Err(LinkError::Lost), "{moment:?}");
            until(&reader, ReaderState::Empty).await;
            slot.insert();
            until(&reader, ReaderState::Card).await;
            let again = contact.transmit(CHALLENGE.to_vec()).await;
            assert_eq!(again, Err(LinkError::Lost), "the old contact stays over");
            assert_eq!(received(&slot, 0x84), 1, "nothing was sent again");
        }
    });
}

#[test]
fn a_card_that_left_between_two_commands_is_lost_even_when_it_is_back() {
    with_service(|stage| async move {
        let slot = card();
        stage.serve(&slot);
        let reader = PcscReader::start();
        until(&reader, ReaderState::Card).await;
        let mut gone = reader.open().await.unwrap();
        gone.transmit(CHALLENGE.to_vec()).await.unwrap();
        slot.remove();
        let lost = gone.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(lost, Err(LinkError::Lost), "at once");
        drop(gone);

        until(&reader, ReaderState::Empty).await;
        slot.insert();
        let there = until(&reader, ReaderState::Card).await;
        let mut back = reader.open().await.unwrap();
        slot.replace(Card::new(CardProfile::demo_inactive()));
        until_status(&reader, |now| now.insertions > there.insertions).await;
        slot.clear();
        let other = back.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(other, Err(LinkError::Lost), "another card is there now");
        assert_eq!(
            received(&slot, 0x84),
            0,
            "and got nothing of the old contact"
        );
        drop(back);
        assert!(reader.open().await.is_ok(), "a new contact is fine");
    });
}

#[test]
fn a_reply_cut_to_one_byte_is_lost_and_ends_the_contact() {
    with_service(|stage| async move {
        let slot = card();
        stage.serve(&slot);
        let reader = PcscReader::start();
        until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        slot.arm(Fault::Truncate { ins: None });
        let unknown = vec![0x00, 0xFE, 0x00, 0x00];
        assert_eq!(contact.transmit(unknown).await, Err(LinkError::Lost));
        let again = contact.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(again, Err(LinkError::Lost), "though the card is there");
        assert_eq!(received(&slot, 0x84), 0, "nothing reached it any more");
    });
}

#[test]
fn a_slow_card_is_waited_for_and_a_hung_one_left_behind() {
    with_service(|stage| async move {
        let slot = card();
        stage.serve(&slot);
        let timing = Timing {
            command: Duration::from_millis(700),
            connect: Duration::from_millis(500),
            ..Timing::default()
        };
        let reader = PcscReader::with_timing(timing);
        until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        slot.arm(Fault::Slow { ms: 200 });
        assert!(contact.transmit(CHALLENGE.to_vec()).await.is_ok(), "slow");

        slot.arm(Fault::Slow { ms: 600_000 });
        let started = Instant::now();
        let hung = contact.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(hung, Err(LinkError::Timeout));
        let again = contact.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(again, Err(LinkError::Timeout), "nothing more is sent");
        drop(contact);
        for _ in 0..6 {
            assert_eq!(reader.open().await.err(), Some(LinkError::Busy));
        }
        assert!(
            started.elapsed() < Duration::from_secs(6),
            "the caller goes on"
        );

        slot.remove();
        slot.clear();
        until(&reader, ReaderState::Empty).await;
        slot.insert();
        until(&reader, ReaderState::Card).await;
        let deadline = Instant::now() + Duration::from_secs(5);
        while reader.open().await.is_err() {
            assert!(Instant::now() < deadline, "taken away and back: it heals");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

/// What went along takes the card's time; whoever asked for something else is told that it was over, and it is.
#[test]
fn what_waited_behind_a_slow_command_is_never_sent_after_its_time() {
    with_service(|stage| async move {
        let slot = card();
        stage.serve(&slot);
        let timing = Timing {
            command: Duration::from_millis(1_000),
            ..Timing::default()
        };
        let reader = PcscReader::with_timing(timing);
        until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        slot.arm(Fault::Slow { ms: 500 });
        let later = slot.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(250)).await;
            later.arm(Fault::Slow { ms: 1_500 });
        });
        contact.ahead(vec![BALANCE.to_vec()]);
        assert!(contact.transmit(SELECT.to_vec()).await.is_ok());
        let late = contact.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(late, Err(LinkError::Timeout));
        drop(contact);
        slot.clear();
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(received(&slot, 0x84), 0, "its time was over");
    });
}

#[test]
fn leaving_a_card_neither_resets_it_nor_takes_its_power() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = PcscReader::start();
        until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        contact.transmit(SELECT.to_vec()).await.unwrap();
        drop(contact);
        let mut next = reader.open().await.unwrap();
        let balance = next.transmit(BALANCE.to_vec()).await.unwrap();
        assert_eq!(
            balance.last_chunk::<2>(),
            Some(&[0x90, 0]),
            "still selected"
        );
    });
}

#[test]
fn a_contact_after_another_waits_for_nothing() {
    with_service(|stage| async move {
        stage.serve(&card());
        let reader = PcscReader::start();
        until(&reader, ReaderState::Card).await;
        drop(reader.open().await.unwrap());
        let started = Instant::now();
        for _ in 0..10 {
            let mut contact = reader.open().await.unwrap();
            contact.transmit(CHALLENGE.to_vec()).await.unwrap();
        }
        let each = started.elapsed() / 10;
        eprintln!("open, one command, drop: {each:?}");
        // Who waits for somebody else's hold waits in steps of more than that.
        assert!(
            each < Duration::from_millis(500),
            "{each:?}: held by itself"
        );
    });
}

static SIGNS: AtomicU32 = AtomicU32::new(0);

struct CountSigns;

impl log::Log for CountSigns {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        if record.args().to_string() == "keep-alive" {
            SIGNS.fetch_add(1, Ordering::SeqCst);
        }
    }
    fn flush(&self) {}
}

#[test]
fn an_idle_contact_gives_signs_of_life_and_notices_when_the_card_goes() {
    with_service(|stage| async move {
        log::set_logger(&CountSigns).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        let slot = card();
        stage.serve(&slot);
        let timing = Timing {
            keep_alive: Duration::from_millis(100),
            ..Timing::default()
        };
        let reader = PcscReader::with_timing(timing);
        until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        contact.transmit(SELECT.to_vec()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let signs = SIGNS.load(Ordering::SeqCst);
        assert!((8..=15).contains(&signs), "{signs} while the bank thinks");
        let balance = contact.transmit(BALANCE.to_vec()).await.unwrap();
        assert_eq!(
            balance.last_chunk::<2>(),
            Some(&[0x90, 0]),
            "still selected"
        );

        slot.remove();
        until(&reader, ReaderState::Empty).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let signs = SIGNS.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(SIGNS.load(Ordering::SeqCst), signs, "no card, no signs");
        assert_eq!(
            contact.transmit(CHALLENGE.to_vec()).await,
            Err(LinkError::Lost)
        );
    });
}
