//! The demo cards of electronic cash. Their issuer keys are public: for development only.

use super::profile::{CashKeySource, CashKeys, CashLogEntry, CashProfile};
use crate::demo::rising;
use purse::cash::Pan;

/// Numbers under an issuer that no bank has.
const NUMBER: &str = "6200000000000005520";
const NUMBER_INACTIVE: &str = "6200000000000008318";

/// Kinds (9C) in the log.
const PURCHASE: u8 = 0x00;
const LOAD: u8 = 0x63;

/// The demo issuer's three keys for electronic cash.
#[must_use]
pub fn issuer_keys() -> CashKeys {
    CashKeys {
        cryptogram: rising(4),
        mac: rising(5),
        encipherment: rising(6),
    }
}

impl CashProfile {
    /// The demo card: active, 86.50 of at most 1000.00, three records in its log.
    #[must_use]
    pub fn demo() -> Option<Self> {
        let mut card = blank(NUMBER)?;
        card.balance = 8_650;
        card.atc = 23;
        card.last_online_atc = 21;
        card.log = vec![
            entry(23, PURCHASE, 1_250, [0x26, 0x11, 0x20], [0x12, 0x31, 0x08]),
            entry(22, PURCHASE, 600, [0x26, 0x11, 0x19], [0x07, 0x58, 0x40]),
            entry(21, LOAD, 10_000, [0x26, 0x11, 0x18], [0x18, 0x20, 0x15]),
        ];
        Some(card)
    }

    /// The demo card before its activation: no money, no log, limit (9F77) zero.
    #[must_use]
    pub fn demo_inactive() -> Option<Self> {
        Some(Self {
            balance_limit: 0,
            single_limit: 0,
            uid: vec![0x04, 0xA1, 0xB2, 0xD2],
            ..blank(NUMBER_INACTIVE)?
        })
    }

    /// A demo card by its name: `cash`, `cash-inactive`, `cash-blocked`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "cash" => Self::demo(),
            "cash-inactive" => Self::demo_inactive(),
            "cash-blocked" => Some(Self {
                blocked: true,
                ..Self::demo()?
            }),
            _ => None,
        }
    }
}

fn blank(number: &str) -> Option<CashProfile> {
    let pan = Pan::from_text(number).ok()?;
    let mut card = CashProfile::new(pan, CashKeySource::Issuer(issuer_keys()));
    card.uid = vec![0x04, 0xA1, 0xB2, 0xD1];
    Some(card)
}

fn entry(atc: u16, kind: u8, amount: u32, date: [u8; 3], time: [u8; 3]) -> CashLogEntry {
    CashLogEntry {
        date,
        time,
        amount,
        merchant: match kind {
            LOAD => *b"TAPFILL\0\0\0\0\0\0\0\0\0\0\0\0\0",
            _ => *b"CORNER SHOP\0\0\0\0\0\0\0\0\0",
        },
        kind,
        atc,
        country: [0x01, 0x56],
        currency: [0x01, 0x56],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_issuer_has_its_published_keys() {
        let keys = serde_json::to_value(issuer_keys()).unwrap();
        assert_eq!(keys["cryptogram"], "445566778899AABBCCDDEEFF00112233");
        assert_eq!(keys["mac"], "5566778899AABBCCDDEEFF0011223344");
        assert_eq!(keys["encipherment"], "66778899AABBCCDDEEFF001122334455");
    }

    #[test]
    fn every_demo_card_is_there() {
        for name in ["cash", "cash-inactive", "cash-blocked"] {
            assert!(CashProfile::named(name).is_some(), "{name}");
        }
    }
}
