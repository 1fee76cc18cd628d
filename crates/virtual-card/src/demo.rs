//! The demo cards. Their issuer keys are public: for development only.

use crate::profile::{CardKeys, CardProfile, KeySource, LogEntry, Pin, ProofEntry, SecretKey};
use crate::recipe::{Level, Part};
use purse::crypto::{LoadTerms, tac};
use purse::{CardKey, HostTime, TransactionType};

const SERIAL: [u8; 10] = [0, 0, 0x62, 0x17, 0, 0, 0, 0, 0x44, 0x71];
const SERIAL_INACTIVE: [u8; 10] = [0, 0, 0x62, 0x17, 0, 0, 0, 0, 0x88, 0x26];
const GATE: [u8; 6] = [0x31, 0, 0, 0, 0x10, 0x24];
const KIOSK: [u8; 6] = [0x12, 0, 0, 0, 0, 0x07];

/// The demo issuer's four keys.
#[must_use]
pub fn issuer_keys() -> CardKeys {
    CardKeys {
        load: rising(0),
        tac: rising(1),
        purchase: rising(2),
        maintenance: rising(3),
    }
}

/// A key of rising digits from `first` on, each twice.
pub(crate) fn rising(first: u8) -> SecretKey {
    let places: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    SecretKey(CardKey::from(
        places.map(|place| (first + place) % 16 * 0x11),
    ))
}

impl CardProfile {
    /// The demo card: active, 128.50, six records in its log.
    #[must_use]
    pub fn demo() -> Self {
        let mut card = blank(SERIAL);
        card.balance = 12_850;
        card.online_counter = 7;
        card.offline_counter = 42;
        card.log = vec![
            purchase(41, 200, [0x20, 0x26, 0x11, 0x20], [0x08, 0x12, 0x05]),
            purchase(40, 400, [0x20, 0x26, 0x11, 0x19], [0x18, 0x33, 0x44]),
            load(6, 5_000, [0x20, 0x26, 0x11, 0x18], [0x12, 0x15, 0x00]),
            purchase(39, 200, [0x20, 0x26, 0x11, 0x17], [0x08, 0x11, 0x31]),
            purchase(38, 300, [0x20, 0x26, 0x11, 0x14], [0x19, 0x02, 0x56]),
            load(5, 10_000, [0x20, 0x26, 0x10, 0x28], [0x17, 0x40, 0x12]),
        ];
        card.load_proof = Some(proof_of_last_load(&card));
        card
    }

    /// The demo card before its activation: no money, no log, enable flag 00.
    #[must_use]
    pub fn demo_inactive() -> Self {
        Self {
            enable_flag: 0x00,
            uid: vec![0x04, 0xA1, 0xB2, 0xC4],
            ..blank(SERIAL_INACTIVE)
        }
    }

    /// The demo card, expired on 2025-12-31.
    #[must_use]
    pub fn demo_expired() -> Self {
        Self {
            expiry: [0x20, 0x25, 0x12, 0x31],
            ..Self::demo()
        }
    }

    /// The demo card with its application blocked.
    #[must_use]
    pub fn demo_blocked() -> Self {
        Self {
            blocked: true,
            ..Self::demo()
        }
    }

    /// The demo card with the PIN 1234 56 (BCD) and three tries.
    #[must_use]
    pub fn demo_pin() -> Self {
        let pin = Pin {
            value: vec![0x12, 0x34, 0x56],
            tries: 3,
            tries_left: 3,
        };
        Self {
            pin: Some(pin),
            ..Self::demo()
        }
    }

    /// A demo card by its name: `demo`, `demo-inactive`, `demo-expired`, `demo-blocked`,
    /// `demo-pin`, `campus`, `campus-blocked`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "demo" => Some(Self::demo()),
            "demo-inactive" => Some(Self::demo_inactive()),
            "demo-expired" => Some(Self::demo_expired()),
            "demo-blocked" => Some(Self::demo_blocked()),
            "demo-pin" => Some(Self::demo_pin()),
            "campus" => Some(Self::campus()),
            "campus-blocked" => Some(Self::campus_blocked()),
            _ => None,
        }
    }
}

fn blank(serial: [u8; 10]) -> CardProfile {
    let recipe = vec![Level(vec![Part::Serial(2, 10)])];
    CardProfile::new(
        serial,
        KeySource::Issuer {
            keys: issuer_keys(),
            recipe,
        },
    )
}

fn purchase(counter: u16, amount: u32, date: [u8; 4], time: [u8; 3]) -> LogEntry {
    let kind = TransactionType::Purchase.byte();
    LogEntry {
        counter,
        amount,
        kind,
        terminal: GATE,
        date,
        time,
    }
}

fn load(counter: u16, amount: u32, date: [u8; 4], time: [u8; 3]) -> LogEntry {
    let kind = TransactionType::Load.byte();
    LogEntry {
        counter,
        amount,
        kind,
        terminal: KIOSK,
        date,
        time,
    }
}

/// The card still proves the load of its log: money that an earlier terminal loaded.
fn proof_of_last_load(card: &CardProfile) -> ProofEntry {
    let terms = LoadTerms::purse(5_000, KIOSK);
    let at = HostTime {
        date: [0x20, 0x26, 0x11, 0x18],
        time: [0x12, 0x15, 0x00],
    };
    let key = card.card_keys().tac;
    ProofEntry {
        counter_before: 6,
        mac: [0; 4],
        tac: tac(&key.0, 13_450, 6, &terms, at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_issuer_has_its_published_keys() {
        let keys = serde_json::to_value(issuer_keys()).unwrap();
        assert_eq!(keys["load"], "00112233445566778899AABBCCDDEEFF");
        assert_eq!(keys["tac"], "112233445566778899AABBCCDDEEFF00");
        assert_eq!(keys["purchase"], "2233445566778899AABBCCDDEEFF0011");
        assert_eq!(keys["maintenance"], "33445566778899AABBCCDDEEFF001122");
    }

    #[test]
    fn the_demo_log_adds_up_to_the_balance() {
        let demo = CardProfile::demo();
        let recent: u32 = demo.log[..2].iter().map(|entry| entry.amount).sum();
        assert_eq!(
            demo.balance + recent,
            13_450,
            "the balance that the last load's TAC covers"
        );
        assert_eq!(demo.log.len(), 6);
    }
}
