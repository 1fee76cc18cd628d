//! How card keys are made from issuer keys.

use crate::profile::{CardKeys, SecretKey};
use purse::{MasterKey, diversify};
use serde::{Deserialize, Serialize};

/// One level of diversification: parts whose bytes, joined, are the 8-byte factor. Longer joins
/// are cut, shorter ones filled with zeros.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Level(pub Vec<Part>);

/// A part of a factor: `[first byte, byte after the last]` of a number of the card, or a literal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Bytes of the 10-byte serial.
    Serial(usize, usize),
    /// Bytes of the 8-byte issuer id.
    Issuer(usize, usize),
    /// Bytes of the UID.
    Uid(usize, usize),
    /// These bytes.
    Hex(#[serde(with = "hex::serde")] Vec<u8>),
}

/// The numbers of a card that a factor can be made of.
pub(crate) struct Numbers<'a> {
    pub(crate) serial: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) uid: &'a [u8],
}

/// The card's keys from the issuer's, level by level.
pub(crate) fn card_keys(issuer: &CardKeys, recipe: &[Level], numbers: &Numbers<'_>) -> CardKeys {
    let make = |key: &SecretKey| {
        let master = recipe
            .iter()
            .fold(MasterKey::from(key.0.clone()), |master, level| {
                MasterKey::from(diversify(&master, level.factor(numbers)))
            });
        SecretKey(master.into_card_key())
    };
    CardKeys {
        load: make(&issuer.load),
        tac: make(&issuer.tac),
        purchase: make(&issuer.purchase),
        maintenance: make(&issuer.maintenance),
    }
}

impl Level {
    fn factor(&self, numbers: &Numbers<'_>) -> [u8; 8] {
        let mut bytes = Vec::new();
        for part in &self.0 {
            bytes.extend_from_slice(match part {
                Part::Serial(from, to) => cut(numbers.serial, *from, *to),
                Part::Issuer(from, to) => cut(numbers.issuer, *from, *to),
                Part::Uid(from, to) => cut(numbers.uid, *from, *to),
                Part::Hex(literal) => literal,
            });
        }
        let mut factor = [0; 8];
        for (place, byte) in factor.iter_mut().zip(bytes) {
            *place = byte;
        }
        factor
    }
}

fn cut(bytes: &[u8], from: usize, to: usize) -> &[u8] {
    bytes.get(from..to.min(bytes.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_is_joined_from_its_parts() {
        let numbers = Numbers {
            serial: &[1, 2, 3],
            issuer: &[9; 8],
            uid: &[7, 8],
        };
        let level = |json: &str| {
            serde_json::from_str::<Level>(json)
                .unwrap()
                .factor(&numbers)
        };
        let joined = level(r#"[{"serial":[1,3]},{"issuer":[0,2]},{"uid":[0,2]},{"hex":"80"}]"#);
        assert_eq!(joined, [2, 3, 9, 9, 7, 8, 0x80, 0]);
        assert_eq!(
            level(r#"[{"serial":[2,99]},{"uid":[5,9]}]"#),
            [3, 0, 0, 0, 0, 0, 0, 0]
        );
    }
}
