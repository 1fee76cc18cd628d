//! Against the real pcscd with the virtual reader. The service's address is an environment variable, which only a new
//! process can be given safely: the test starts itself again with it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use card_link::{CardReader, LinkError, PcscReader, ReaderState, ReaderStatus, Timing};
use virtual_card::{Card, CardProfile, Fault, Moment, Slot, vpcd};
use virtual_reader::VirtualReader;

const CHALLENGE: [u8; 5] = [0x00, 0x84, 0x00, 0x00, 0x04];
const SELECT: [u8; 15] = [
    0x00, 0xA4, 0x04, 0x00, 0x09, 0xA0, 0, 0, 0, 0x03, 0x86, 0x98, 0x07, 0x01, 0x00,
];

/// Runs the test `name` of this file again, with a service of its own; its body is `inside`.
fn with_service<F>(name: &str, inside: impl FnOnce(Stage) -> F)
where
    F: Future<Output = ()>,
{
    if let Ok(port) = std::env::var("TAPFILL_TEST_PORT") {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let stage = Stage {
            port: port.parse().unwrap(),
        };
        runtime.block_on(inside(stage));
        runtime.shutdown_background();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut reader = VirtualReader::start(dir.path()).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env("PCSCLITE_CSOCK_NAME", reader.socket())
        .env("TAPFILL_TEST_PORT", reader.port().to_string())
        .env("TAPFILL_TEST_DIR", dir.path())
        .spawn()
        .unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if dir.path().join("stop").exists() {
            std::fs::remove_file(dir.path().join("stop")).unwrap();
            reader.stop();
        }
        if dir.path().join("restart").exists() {
            std::fs::remove_file(dir.path().join("restart")).unwrap();
            reader.restart().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "the inner run of {name} failed");
}

struct Stage {
    port: u16,
}

impl Stage {
    fn slot(&self, slot: &Slot) {
        let address = ([127, 0, 0, 1], self.port).into();
        tokio::spawn(vpcd::serve(address, slot.clone()));
    }

    /// Asks the outer run for something, e.g. to stop the service.
    fn ask(&self, what: &str) {
        let dir = std::env::var("TAPFILL_TEST_DIR").unwrap();
        std::fs::write(std::path::Path::new(&dir).join(what), "").unwrap();
    }
}

fn card() -> Slot {
    Slot::with_card(Card::new(CardProfile::demo()))
}

async fn until(reader: &PcscReader, what: ReaderState) -> ReaderStatus {
    let mut status = reader.watch();
    let wait = status.wait_for(|status| status.state == what);
    let found = tokio::time::timeout(Duration::from_secs(10), wait).await;
    found
        .unwrap_or_else(|_| panic!("never {what:?}"))
        .unwrap()
        .clone()
}

#[test]
fn a_card_that_is_there_at_the_start_answers() {
    with_service(
        "a_card_that_is_there_at_the_start_answers",
        |stage| async move {
            let slot = card();
            stage.slot(&slot);
            let reader = PcscReader::start();
            until(&reader, ReaderState::Card).await;
            let mut contact = reader.open().await.unwrap();
            let reply = contact.transmit(SELECT.to_vec()).await.unwrap();
            assert_eq!(reply.last_chunk::<2>(), Some(&[0x90, 0x00]));
            assert_eq!(contact.transmit(CHALLENGE.to_vec()).await.unwrap().len(), 6);
        },
    );
}

#[test]
fn cards_come_and_go() {
    with_service("cards_come_and_go", |stage| async move {
        let slot = Slot::empty();
        stage.slot(&slot);
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
fn a_card_torn_around_a_command_is_lost_and_never_asked_again() {
    with_service(
        "a_card_torn_around_a_command_is_lost_and_never_asked_again",
        |stage| async move {
            let slot = card();
            stage.slot(&slot);
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
                let sent = slot
                    .record()
                    .iter()
                    .filter(|r| r.command.get(1) == Some(&0x84))
                    .count();
                assert!(sent <= 1, "nothing was sent again: {sent}");
            }
        },
    );
}

#[test]
fn a_card_that_hangs_is_left_behind() {
    with_service("a_card_that_hangs_is_left_behind", |stage| async move {
        let slot = card();
        stage.slot(&slot);
        let timing = Timing {
            command: Duration::from_millis(400),
            ..Timing::default()
        };
        let reader = PcscReader::with_timing(timing);
        until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        slot.arm(Fault::Slow { ms: 3_000 });
        let started = Instant::now();
        assert_eq!(
            contact.transmit(CHALLENGE.to_vec()).await,
            Err(LinkError::Timeout)
        );
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "the caller goes on"
        );
    });
}

#[test]
fn another_program_that_holds_the_card_is_told_as_busy() {
    with_service(
        "another_program_that_holds_the_card_is_told_as_busy",
        |stage| async move {
            let slot = card();
            stage.slot(&slot);
            let timing = Timing {
                connect: Duration::from_millis(800),
                ..Timing::default()
            };
            let reader = PcscReader::with_timing(timing);
            let status = until(&reader, ReaderState::Card).await;
            let name = std::ffi::CString::new(status.reader.unwrap()).unwrap();
            let other = pcsc::Context::establish(pcsc::Scope::User).unwrap();
            let held = other
                .connect(&name, pcsc::ShareMode::Exclusive, pcsc::Protocols::ANY)
                .unwrap();
            assert_eq!(reader.open().await.err(), Some(LinkError::Busy));
            drop(held);
            let deadline = Instant::now() + Duration::from_secs(5);
            while reader.open().await.is_err() {
                assert!(Instant::now() < deadline, "free again, usable again");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        },
    );
}

#[test]
fn an_idle_contact_gives_signs_of_life() {
    static SIGNS: AtomicU32 = AtomicU32::new(0);
    struct Count;
    impl log::Log for Count {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            if record.args().to_string().starts_with("keep-alive: Ok") {
                SIGNS.fetch_add(1, Ordering::SeqCst);
            }
        }
        fn flush(&self) {}
    }
    with_service("an_idle_contact_gives_signs_of_life", |stage| async move {
        log::set_logger(&Count).unwrap();
        log::set_max_level(log::LevelFilter::Debug);
        let slot = card();
        stage.slot(&slot);
        let timing = Timing {
            keep_alive: Duration::from_millis(100),
            ..Timing::default()
        };
        let reader = PcscReader::with_timing(timing);
        until(&reader, ReaderState::Card).await;
        let mut contact = reader.open().await.unwrap();
        tokio::time::sleep(Duration::from_millis(650)).await;
        assert!(
            SIGNS.load(Ordering::SeqCst) >= 4,
            "SCardStatus while the bank thinks"
        );
        assert!(
            contact.transmit(CHALLENGE.to_vec()).await.is_ok(),
            "and the session lives"
        );
    });
}

#[test]
fn a_service_that_stops_is_told_and_heals() {
    with_service(
        "a_service_that_stops_is_told_and_heals",
        |stage| async move {
            let slot = card();
            stage.slot(&slot);
            let reader = PcscReader::start();
            until(&reader, ReaderState::Card).await;
            let mut contact = reader.open().await.unwrap();
            stage.ask("stop");
            until(&reader, ReaderState::ServiceDown).await;
            assert_eq!(
                contact.transmit(CHALLENGE.to_vec()).await,
                Err(LinkError::Lost)
            );
            assert_eq!(reader.open().await.err(), Some(LinkError::ServiceDown));
            stage.ask("restart");
            until(&reader, ReaderState::Card).await;
            assert!(reader.open().await.is_ok());
        },
    );
}
