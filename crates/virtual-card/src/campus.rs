//! The demo cards of the campus purse: another application, a longer file 15, a purse PIN, keys by
//! city and serial, activation by APPLICATION UNBLOCK. Their issuer keys are public.

use crate::demo::rising;
use crate::profile::{CardKeys, CardProfile, KeySource, LogEntry, Pin};
use crate::quirks::BlockedSelect;
use crate::recipe::{Level, Part};
use purse::TransactionType;

/// A name of our own next to the transit purse's.
const AID: [u8; 9] = [0xA0, 0x00, 0x00, 0x00, 0x03, 0x86, 0x98, 0x07, 0x02];
const SERIAL: [u8; 10] = [0, 0, 0x86, 0x02, 0, 0, 0, 0, 0x53, 0x17];
const SERIAL_BLOCKED: [u8; 10] = [0, 0, 0x86, 0x02, 0, 0, 0, 0, 0x90, 0x64];
/// Bytes 2 and 3 are the city.
const ISSUER: [u8; 8] = [0x20, 0x00, 0x29, 0x01, 0x00, 0x02, 0x00, 0x00];
/// Issuer's bytes of file 15: kind of person, from when, department, room for more.
const MORE: [u8; 13] = [0x01, 0x20, 0x26, 0x09, 0x01, 0x00, 0x42, 0, 0, 0, 0, 0, 0];
const CANTEEN: [u8; 6] = [0x86, 0x02, 0, 0, 0x03, 0x11];

/// The demo issuer's four keys for campus cards.
#[must_use]
pub fn issuer_keys() -> CardKeys {
    CardKeys {
        load: rising(7),
        tac: rising(8),
        purchase: rising(9),
        maintenance: rising(10),
    }
}

impl CardProfile {
    /// The campus card: active, 42.30, two meals in its log, purse PIN 123456 (ASCII).
    #[must_use]
    pub fn campus() -> Self {
        let meal = |counter, amount, date, time| LogEntry {
            counter,
            amount,
            kind: TransactionType::Purchase.byte(),
            terminal: CANTEEN,
            date,
            time,
        };
        Self {
            balance: 4_230,
            online_counter: 2,
            offline_counter: 19,
            log: vec![
                meal(18, 1_150, [0x20, 0x26, 0x11, 0x20], [0x12, 0x04, 0x31]),
                meal(17, 980, [0x20, 0x26, 0x11, 0x19], [0x17, 0x48, 0x02]),
            ],
            ..blank(SERIAL)
        }
    }

    /// The campus card as it is shipped: its application blocked, no money, no log.
    #[must_use]
    pub fn campus_blocked() -> Self {
        Self {
            blocked: true,
            uid: vec![0x04, 0xA1, 0xB2, 0xE2],
            ..blank(SERIAL_BLOCKED)
        }
    }
}

fn blank(serial: [u8; 10]) -> CardProfile {
    let city = Level(vec![Part::Issuer(2, 4), Part::Hex(vec![0; 6])]);
    let own = Level(vec![Part::Serial(2, 10)]);
    let keys = KeySource::Issuer {
        keys: issuer_keys(),
        recipe: vec![city, own],
    };
    let mut card = CardProfile::new(serial, keys);
    card.aid = AID.to_vec();
    card.issuer = ISSUER;
    card.file15_more = MORE.to_vec();
    card.uid = vec![0x04, 0xA1, 0xB2, 0xE1];
    card.pin = Some(Pin {
        value: b"123456".to_vec(),
        tries: 3,
        tries_left: 3,
    });
    card.quirks.blocked_select = BlockedSelect::WithFci;
    card
}
