use std::collections::BTreeMap;

use industry::Package;
use relay::Body;
use serde::{Deserialize, Serialize};

/// What names a card, and what its keys are made from.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CardIdentity {
    /// The card's number, as the card has it.
    #[serde(with = "hex::serde")]
    pub(crate) serial: Vec<u8>,
    /// The version of its keys, as it told with its opening; none before that, and of a purse's activation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_version: Option<u8>,
    /// Fields of the package (`uid`, `file15.issuer`) that a recipe names, as hex digits.
    #[serde(flatten)]
    fields: BTreeMap<String, String>,
}

impl CardIdentity {
    /// None without a number. A field that is not there is missed when a key is made from it.
    pub(crate) fn read(package: &Package, body: &Body, needed: &[&str]) -> Option<Self> {
        let field = |name: &&str| {
            let bytes = package.value(body, name)?;
            Some(((*name).to_owned(), hex::encode(bytes)))
        };
        Some(Self {
            serial: package.number(body)?.to_vec(),
            key_version: None,
            fields: needed.iter().filter_map(field).collect(),
        })
    }

    /// The same under the keys of this version.
    pub(crate) fn told(self, version: u8) -> Self {
        let key_version = Some(version);
        Self {
            key_version,
            ..self
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<Vec<u8>> {
        hex::decode(self.fields.get(name)?).ok()
    }

    #[cfg(test)]
    pub(crate) fn of(serial: &[u8], fields: &[(&str, &[u8])]) -> Self {
        let field = |(name, bytes): &(&str, &[u8])| ((*name).to_owned(), hex::encode(bytes));
        Self {
            serial: serial.to_vec(),
            key_version: None,
            fields: fields.iter().map(field).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_before_versions_were_is_read_as_a_card_that_told_none() {
        let kept = r#"{"serial":"00006217000000004471","uid":"01020304"}"#;
        let card: CardIdentity = serde_json::from_str(kept).unwrap();
        assert_eq!((card.key_version, card.serial.len()), (None, 10));
        assert_eq!(serde_json::to_string(&card).unwrap(), kept);
        let told = serde_json::to_string(&card.told(2)).unwrap();
        let card: CardIdentity = serde_json::from_str(&told).unwrap();
        assert_eq!(card.key_version, Some(2));
        assert_eq!(card.field("uid"), Some(vec![1, 2, 3, 4]));
    }
}
