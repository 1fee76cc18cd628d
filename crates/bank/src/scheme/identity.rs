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
            fields: needed.iter().filter_map(field).collect(),
        })
    }

    pub(crate) fn field(&self, name: &str) -> Option<Vec<u8>> {
        hex::decode(self.fields.get(name)?).ok()
    }

    #[cfg(test)]
    pub(crate) fn of(serial: &[u8], fields: &[(&str, &[u8])]) -> Self {
        let field = |(name, bytes): &(&str, &[u8])| ((*name).to_owned(), hex::encode(bytes));
        Self {
            serial: serial.to_vec(),
            fields: fields.iter().map(field).collect(),
        }
    }
}
