//! What the tools know of a package beyond what the app asks of it: the text's own members.

use std::collections::BTreeSet;

use industry::{Package, PackageError};
use serde_json::Value;

/// A good package with its text.
pub(crate) struct Anatomy {
    pub(crate) package: Package,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Anatomy {
    pub(crate) fn parse(text: &str) -> Result<Self, PackageError> {
        Ok(Self {
            package: Package::parse(text.as_bytes())?,
            text: text.to_owned(),
            // a package is JSON
            json: serde_json::from_str(text).unwrap_or_default(),
        })
    }

    /// The members of a group, with their names.
    pub(crate) fn members(&self, group: &str) -> impl Iterator<Item = (&str, &Value)> {
        let members = self.json.get(group).and_then(Value::as_object);
        let members = members.into_iter().flatten();
        members.map(|(name, member)| (name.as_str(), member))
    }

    pub(crate) fn member(&self, group: &str, name: &str) -> Option<&Value> {
        self.json.get(group)?.get(name)
    }

    pub(crate) fn has_phase(&self, name: &str) -> bool {
        self.member("phases", name).is_some()
    }

    /// Class and instruction of every command.
    pub(crate) fn kinds(&self) -> BTreeSet<Vec<u8>> {
        let commands = self.members("commands");
        commands.filter_map(|(_, it)| head(it, 2)).collect()
    }

    /// The name of the command that a card received; of several that begin alike, the first.
    pub(crate) fn command_of(&self, command: &[u8]) -> Option<&str> {
        let digits = hex::encode_upper(command);
        let mut found: Option<(&str, usize)> = None;
        for (name, command) in self.members("commands") {
            let send = command["send"].as_str().unwrap_or_default();
            let send = send.replace(' ', "").to_ascii_uppercase();
            let fixed = send.split(['{', '[']).next().unwrap_or_default();
            let better = found.is_none_or(|(_, length)| length < fixed.len());
            if better && digits.starts_with(fixed) {
                found = Some((name, fixed.len()));
            }
        }
        found.map(|(name, _)| name)
    }

    /// Class, instruction, P1 and P2 of the commands that commit.
    pub(crate) fn writes(&self) -> BTreeSet<Vec<u8>> {
        let commands = self.members("commands");
        let commits = commands.filter(|(_, it)| it["commits"] == true);
        commits.filter_map(|(_, it)| head(it, 4)).collect()
    }
}

/// The first bytes of what a command sends, where they are digits.
fn head(command: &Value, bytes: usize) -> Option<Vec<u8>> {
    let send = command["send"].as_str()?.replace(' ', "");
    hex::decode(send.get(..bytes.checked_mul(2)?)?).ok()
}
