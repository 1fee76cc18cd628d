//! The reader against a phone that answers as Kotlin and Swift do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use virtual_card::{Card, CardProfile, Fault, Moment, Slot};

use super::*;
use crate::{CardContact, CardReader, LinkError, ReaderState, ReaderStatus};

const CHALLENGE: [u8; 5] = [0x00, 0x84, 0x00, 0x00, 0x04];
const SYSTEMS: [System; 2] = [System::Android, System::Ios];

fn phone(system: System) -> (Slot, SimulatedPhone, PhoneReader) {
    let slot = Slot::with_card(Card::new(CardProfile::demo()));
    let (phone, reader) = SimulatedPhone::start(slot.clone(), system);
    (slot, phone, reader)
}

async fn until(reader: &PhoneReader, is: impl Fn(&ReaderStatus) -> bool) -> ReaderStatus {
    let mut status = reader.watch();
    let seen = timeout(Duration::from_secs(5), status.wait_for(|now| is(now))).await;
    seen.expect("within 5 s").expect("the reader lives").clone()
}

async fn with_card(reader: &PhoneReader) -> Box<dyn CardContact> {
    reader.expect(true);
    until(reader, |now| now.state == ReaderState::Card).await;
    reader.open().await.expect("a card is there")
}

#[tokio::test]
async fn the_phone_looks_for_a_card_only_while_one_is_wanted() {
    for system in SYSTEMS {
        let (_slot, phone, reader) = phone(system);
        until(&reader, |now| now.state == ReaderState::Empty).await;
        sleep(Duration::from_millis(60)).await;
        assert!(!phone.is_polling(), "what is typed comes first");
        assert_eq!(reader.open().await.err(), Some(LinkError::NoCard));
        let mut contact = with_card(&reader).await;
        assert_eq!(contact.transmit(CHALLENGE.to_vec()).await.unwrap().len(), 6);
        drop(contact);
        reader.expect(false);
        until(&reader, |now| now.state == ReaderState::Empty).await;
        sleep(Duration::from_millis(60)).await;
        assert!(!phone.is_polling(), "the sheet is closed");
    }
}

#[tokio::test]
async fn whoever_wants_a_card_anew_never_gets_the_one_of_a_session_that_is_about_to_end() {
    for system in SYSTEMS {
        let (_slot, phone, reader) = phone(system);
        drop(with_card(&reader).await);
        reader.expect(false);
        assert!(phone.is_polling(), "the phone has not heard of it");
        assert_eq!(reader.watch().borrow().state, ReaderState::Empty);
        reader.expect(true);
        assert_eq!(
            reader.open().await.err(),
            Some(LinkError::NoCard),
            "{system:?}"
        );
        let mut contact = with_card(&reader).await;
        sleep(Duration::from_millis(60)).await;
        let reply = contact.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(reply.map(|it| it.len()), Ok(6), "{system:?}");
    }
}

#[tokio::test]
async fn a_card_torn_at_any_moment_is_lost_and_never_sent_anything_again_on_the_old_contact() {
    for system in SYSTEMS {
        for moment in [Moment::Before, Moment::During, Moment::After] {
            let (slot, _phone, reader) = phone(system);
            let mut contact = with_card(&reader).await;
            let seen = reader.watch().borrow().insertions;
            let nth = 2;
            slot.arm(Fault::Tear {
                ins: None,
                moment,
                nth,
            });
            contact.transmit(CHALLENGE.to_vec()).await.unwrap();
            let torn = contact.transmit(CHALLENGE.to_vec()).await;
            assert_eq!(torn, Err(LinkError::Lost), "{system:?} {moment:?}");
            let sent = slot.record().len();
            assert_eq!(reader.open().await.err(), Some(LinkError::NoCard));
            slot.insert();
            let still = contact.transmit(CHALLENGE.to_vec()).await;
            assert_eq!(still, Err(LinkError::Lost), "never again");
            assert_eq!(slot.record().len(), sent, "and nothing by itself");
            drop(contact);
            until(&reader, |now| now.insertions == seen + 1).await;
            let mut fresh = reader.open().await.unwrap();
            assert!(fresh.transmit(CHALLENGE.to_vec()).await.is_ok());
        }
    }
}

#[tokio::test]
async fn a_card_that_was_taken_away_and_laid_back_between_two_commands_is_a_new_one() {
    for system in SYSTEMS {
        let (slot, _phone, reader) = phone(system);
        let mut contact = with_card(&reader).await;
        slot.replace(Card::new(CardProfile::demo_inactive()));
        let swapped = contact.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(swapped, Err(LinkError::Lost), "{system:?}");
        assert_eq!(slot.record().len(), 0, "the other card heard nothing");
    }
}

#[tokio::test]
async fn a_sheet_that_was_closed_is_told_and_comes_back_when_a_card_is_wanted_anew() {
    for system in SYSTEMS {
        let (slot, phone, reader) = phone(system);
        slot.remove();
        reader.expect(true);
        until_polling(&phone).await;
        phone.dismiss();
        until(&reader, |now| now.closed == 1).await;
        sleep(Duration::from_millis(60)).await;
        assert!(!phone.is_polling(), "the person just closed it");
        reader.expect(false);
        sleep(Duration::from_millis(20)).await;
        reader.expect(true);
        until_polling(&phone).await;

        phone.dismiss();
        until(&reader, |now| now.closed == 2).await;
        // Sooner than the phone hears that nobody wanted one for a moment.
        reader.expect(false);
        reader.expect(true);
        until_polling(&phone).await;
    }
}

async fn until_polling(phone: &SimulatedPhone) {
    let waits = async {
        while !phone.is_polling() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    // iOS is busy for half a second after its last sheet.
    let polls = timeout(Duration::from_secs(3), waits).await;
    polls.expect("the phone looks for a card");
}

#[tokio::test]
async fn a_session_that_ends_in_mid_command_loses_the_card() {
    for system in SYSTEMS {
        let (slot, phone, reader) = phone(system);
        let mut contact = with_card(&reader).await;
        slot.arm(Fault::Slow { ms: 200 });
        let closing = async {
            sleep(Duration::from_millis(50)).await;
            phone.dismiss();
        };
        let (reply, ()) = tokio::join!(contact.transmit(CHALLENGE.to_vec()), closing);
        assert_eq!(reply, Err(LinkError::Lost), "{system:?}");
        assert_eq!(slot.record().len(), 0, "it never reached the card");
    }
}

#[tokio::test(start_paused = true)]
async fn a_card_that_answers_too_late_is_a_time_out_whatever_it_did() {
    for system in SYSTEMS {
        let (slot, _phone, reader) = phone(system);
        let mut contact = with_card(&reader).await;
        slot.arm(Fault::Slow { ms: 6_000 });
        let late = contact.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(late, Err(LinkError::Timeout), "{system:?}");
        assert_eq!(slot.record().len(), 1, "once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sheet_lives_for_a_minute_and_its_end_is_told() {
    let (slot, _phone, reader) = phone(System::Ios);
    slot.remove();
    reader.expect(true);
    let mut status = reader.watch();
    let closed = status.wait_for(|now| now.closed == 1);
    timeout(Duration::from_secs(70), closed)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn nfc_that_is_switched_off_is_a_state_of_its_own_and_heals() {
    let (_slot, phone, reader) = phone(System::Android);
    reader.expect(true);
    until(&reader, |now| now.state == ReaderState::Card).await;
    phone.switch(false);
    until(&reader, |now| now.state == ReaderState::NfcOff).await;
    assert_eq!(reader.open().await.err(), Some(LinkError::NfcOff));
    phone.switch(true);
    until(&reader, |now| now.state == ReaderState::Card).await;
}

#[tokio::test]
async fn one_contact_at_a_time_and_a_command_nobody_waits_for_holds_the_card() {
    let (slot, _phone, reader) = phone(System::Android);
    let mut contact = with_card(&reader).await;
    assert_eq!(reader.open().await.err(), Some(LinkError::Busy));
    slot.arm(Fault::Slow { ms: 150 });
    let given_up = contact.transmit(CHALLENGE.to_vec());
    assert!(timeout(Duration::from_millis(30), given_up).await.is_err());
    drop(contact);
    assert_eq!(
        reader.open().await.err(),
        Some(LinkError::Busy),
        "the card is at work still"
    );
    sleep(Duration::from_millis(300)).await;
    assert!(reader.open().await.is_ok());
}

#[tokio::test]
async fn a_card_that_is_given_up_here_is_found_anew_though_it_never_left() {
    for system in SYSTEMS {
        let (slot, _phone, reader) = phone(system);
        let mut contact = with_card(&reader).await;
        let before = reader.watch().borrow().insertions;
        slot.arm(Fault::Truncate { ins: None });
        let select = hex::decode("00A4040009A00000000386980701").unwrap();
        let cut = contact.transmit(select.clone()).await;
        assert_eq!(cut, Err(LinkError::Lost), "a cut reply has no status word");
        drop(contact);
        let at_once = reader.open().await.err();
        assert_eq!(at_once, Some(LinkError::NoCard), "never the old tag again");
        until(&reader, |now| now.insertions > before).await;
        let mut fresh = reader.open().await.unwrap();
        assert!(fresh.transmit(select).await.is_ok(), "{system:?}");
    }
}

const SELECT: &str = "00A4040009A00000000386980701";
const FILE15: &str = "00B095001E";
const BALANCE: &str = "805C000204";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hexadecimal digits")
}

#[tokio::test]
async fn what_comes_next_goes_along_and_each_reply_is_given_when_it_is_asked_for() {
    for system in SYSTEMS {
        let (slot, phone, reader) = phone(system);
        let mut contact = with_card(&reader).await;
        contact.ahead(vec![bytes(FILE15), bytes(BALANCE)]);
        assert!(contact.transmit(bytes(SELECT)).await.unwrap().len() > 2);
        assert_eq!(contact.transmit(bytes(FILE15)).await.unwrap().len(), 32);
        assert!(contact.took().is_some(), "the phone's own time");
        assert_eq!(contact.transmit(bytes(BALANCE)).await.unwrap().len(), 6);
        assert_eq!(
            phone.batches(),
            [3],
            "{system:?}: the bridge was crossed once"
        );
        assert_eq!(slot.record().len(), 3, "nothing was sent twice");
    }
}

#[tokio::test]
async fn a_reply_that_was_not_asked_for_is_thrown_away() {
    let (slot, phone, reader) = phone(System::Android);
    let mut contact = with_card(&reader).await;
    contact.ahead(vec![bytes(FILE15), bytes(BALANCE)]);
    contact.transmit(bytes(SELECT)).await.unwrap();
    assert_eq!(contact.transmit(bytes(BALANCE)).await.unwrap().len(), 6);
    assert_eq!(contact.transmit(bytes(FILE15)).await.unwrap().len(), 32);
    assert_eq!(
        phone.batches(),
        [3, 1, 1],
        "asked in another order: asked anew"
    );
    assert_eq!(slot.record().len(), 5);
}

#[tokio::test]
async fn a_status_word_that_is_not_9000_ends_what_goes_along() {
    let (slot, phone, reader) = phone(System::Ios);
    let mut contact = with_card(&reader).await;
    contact.ahead(vec![bytes("00A4040009A00000000386980799"), bytes(FILE15)]);
    contact.transmit(bytes(SELECT)).await.unwrap();
    let other = contact
        .transmit(bytes("00A4040009A00000000386980799"))
        .await;
    assert_eq!(other.unwrap(), [0x6A, 0x82]);
    assert_eq!(slot.record().len(), 2, "what comes then is not known here");
    assert_eq!(phone.batches(), [3]);
}

#[tokio::test]
async fn a_card_lost_in_what_went_along_is_told_when_that_is_asked_for() {
    for system in SYSTEMS {
        let (slot, phone, reader) = phone(system);
        let mut contact = with_card(&reader).await;
        slot.arm(Fault::Tear {
            ins: None,
            moment: Moment::After,
            nth: 3,
        });
        contact.ahead(vec![bytes(FILE15), bytes(BALANCE), CHALLENGE.to_vec()]);
        assert!(
            contact.transmit(bytes(SELECT)).await.is_ok(),
            "it was answered"
        );
        assert!(contact.transmit(bytes(FILE15)).await.is_ok(), "so was this");
        slot.insert();
        let lost = contact.transmit(bytes(BALANCE)).await;
        assert_eq!(lost, Err(LinkError::Lost), "{system:?}");
        let never = contact.transmit(bytes(BALANCE)).await;
        assert_eq!(never, Err(LinkError::Lost), "nothing more on this contact");
        assert_eq!(slot.record().len(), 3, "and nothing after the loss");
        assert_eq!(phone.batches(), [4]);
    }
}

#[tokio::test]
async fn a_reply_in_parts_is_fetched_before_anything_else_is_sent() {
    let mut profile = CardProfile::demo();
    profile.quirks.contact_61xx = true;
    let slot = Slot::with_card(Card::new(profile));
    let (phone, reader) = SimulatedPhone::start(slot.clone(), System::Android);
    let mut contact = with_card(&reader).await;
    contact.ahead(vec![bytes(FILE15), bytes(BALANCE)]);
    assert!(contact.transmit(bytes(SELECT)).await.unwrap().len() > 2);
    assert_eq!(contact.transmit(bytes(FILE15)).await.unwrap().len(), 32);
    let sent: Vec<u8> = slot.record().iter().map(|it| it.command[1]).collect();
    assert_eq!(sent, [0xA4, 0xC0, 0xB0], "GET RESPONSE comes at once");
    assert_eq!(phone.batches(), [3, 1, 1]);
}

/// A phone whose sheet takes its time; it tells what it was asked for.
struct SlowPhone {
    begins_after: Duration,
    /// Its window takes its time once.
    screen_after: Mutex<Duration>,
    calls: Mutex<Vec<(&'static str, Value)>>,
    /// A phone that tells no more is gone.
    _events: mpsc::UnboundedSender<Value>,
}

impl SlowPhone {
    fn start(begins_after: Duration) -> (Arc<Self>, PhoneReader) {
        let (events, told) = mpsc::unbounded_channel();
        events
            .send(json!({ "kind": "state", "nfc": "on" }))
            .expect("nobody closed it");
        let phone = Arc::new(Self {
            begins_after,
            screen_after: Mutex::default(),
            calls: Mutex::default(),
            _events: events,
        });
        let reader = PhoneReader::new(phone.clone(), told);
        (phone, reader)
    }

    fn calls_of(&self, command: &str) -> Vec<Value> {
        let calls = self.calls.lock().expect("nobody panics with it");
        let mine = calls.iter().filter(|call| call.0 == command);
        mine.map(|call| call.1.clone()).collect()
    }
}

impl PhoneBridge for SlowPhone {
    fn call(&self, command: &'static str, arguments: Value) -> Future<'_, Result<Value, Refused>> {
        Box::pin(async move {
            let calls = || self.calls.lock().expect("nobody panics with it");
            if command == "screen" {
                let takes = std::mem::take(&mut *self.screen_after.lock().expect("nobody panics"));
                sleep(takes).await;
            }
            calls().push((command, arguments));
            if command == "begin" {
                sleep(self.begins_after).await;
                return Ok(json!({ "session": 1 }));
            }
            Ok(json!({ "percent": 80, "charging": false }))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_sheet_that_comes_when_nobody_waits_for_it_any_more_is_closed() {
    let (phone, reader) = SlowPhone::start(Duration::from_secs(20));
    reader.expect(true);
    let mut status = reader.watch();
    let gave_up = status.wait_for(|now| now.closed == 1);
    timeout(Duration::from_secs(15), gave_up)
        .await
        .expect("8 s are enough")
        .expect("the reader lives");
    sleep(Duration::from_secs(20)).await;
    assert_eq!(
        phone.calls_of("end"),
        [json!({ "session": 1 })],
        "iOS would refuse every other sheet until this one has lived for a minute"
    );
}

#[tokio::test(start_paused = true)]
async fn an_app_that_was_frozen_looks_at_the_battery_once_and_not_for_every_minute() {
    let (phone, _reader) = SlowPhone::start(Duration::ZERO);
    sleep(Duration::from_secs(1)).await;
    let before = phone.calls_of("power").len();
    tokio::time::advance(Duration::from_secs(8 * 3_600)).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(phone.calls_of("power").len(), before + 1, "not 480 times");
}

#[tokio::test(start_paused = true)]
async fn a_screen_that_was_secret_and_open_and_secret_again_ends_secret() {
    let (phone, _reader) = SlowPhone::start(Duration::ZERO);
    *phone.screen_after.lock().expect("nobody panics") = Duration::from_millis(300);
    let screen = Newest::new(phone.clone(), "screen");
    for secret in [true, false, true, false, true] {
        screen.want(json!({ "secret": secret }));
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(
        phone.calls_of("screen"),
        [json!({ "secret": true }), json!({ "secret": true })],
        "one after the other, and the last one last"
    );
}

#[test]
fn a_session_that_ends_for_a_reason_that_nobody_knows_has_ended() {
    let told = json!({ "kind": "closed", "session": 3, "why": "radio-disabled" });
    let event: messages::PhoneEvent = serde_json::from_value(told).expect("it is understood");
    let session = 3;
    let why = messages::Why::System;
    assert_eq!(event, messages::PhoneEvent::Closed { session, why });
}
