//! A card that is a table: what was asked of a real kind of card, and what it answered. For cards
//! that are only read.

use crate::any::AnyProfile;
use crate::command::{Answer, Command, refuse, reply};
use crate::profile::{Pin, ProfileError, default_atr, default_uid};
use crate::smart_card::{CardStatus, SmartCard, Technology};
use crate::store;
use purse::{Status, status};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A recorded card as JSON; bytes are hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedProfile {
    /// The number printed on it, for `status`.
    pub serial: String,
    /// Balance in fen, for `status`; the card's own answer is in its table.
    pub balance: u32,
    /// UID that the reader gives; empty: the reader knows none.
    #[serde(with = "hex::serde", default = "default_uid")]
    pub uid: Vec<u8>,
    /// Answer to reset.
    #[serde(with = "hex::serde", default = "default_atr")]
    pub atr: Vec<u8>,
    /// The PIN that opens [`Place::after_pin`].
    #[serde(default)]
    pub pin: Option<Pin>,
    /// What can be selected. The first one is, when the card gets power.
    pub places: Vec<Place>,
    /// Time that each command takes, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
}

/// A file or an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// For people.
    pub name: String,
    /// Commands that select it, from anywhere.
    pub select: Vec<CommandBytes>,
    /// Answer to them.
    pub answer: ReplyBytes,
    /// Answers while it is selected.
    #[serde(default)]
    pub replies: BTreeMap<CommandBytes, ReplyBytes>,
    /// Answers while it is selected and VERIFY was done; before, 6982.
    #[serde(default)]
    pub after_pin: BTreeMap<CommandBytes, ReplyBytes>,
}

/// A whole short command. Its Le is not compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandBytes(Vec<u8>);

/// A whole reply, at least a status word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyBytes(Vec<u8>);

/// A recorded card in the hand.
pub struct RecordedCard {
    profile: RecordedProfile,
    session: Option<Session>,
    file: Option<PathBuf>,
}

/// What the card forgets without power.
#[derive(Default)]
struct Session {
    place: usize,
    pin_verified: bool,
}

impl RecordedProfile {
    /// A demo card by its name: `t-union`, `city-union`, `beijing`, `wuhan`, `shenzhen`, `toll`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let text = match name {
            "t-union" => include_str!("../cards/t-union.json"),
            "city-union" => include_str!("../cards/city-union.json"),
            "beijing" => include_str!("../cards/beijing.json"),
            "wuhan" => include_str!("../cards/wuhan.json"),
            "shenzhen" => include_str!("../cards/shenzhen.json"),
            "toll" => include_str!("../cards/toll.json"),
            _ => return None,
        };
        match AnyProfile::from_json(text) {
            Ok(AnyProfile::Recorded(profile)) => Some(profile),
            Ok(AnyProfile::Purse(_) | AnyProfile::ElectronicCash(_)) | Err(_) => None,
        }
    }
}

impl RecordedCard {
    /// A card without power.
    #[must_use]
    pub fn new(profile: RecordedProfile) -> Self {
        Self {
            profile,
            session: None,
            file: None,
        }
    }

    /// A card whose PIN tries are kept in `file`.
    pub(crate) fn kept_in(file: PathBuf, profile: RecordedProfile) -> Result<Self, ProfileError> {
        let mut card = Self::new(profile);
        store::save(&file, &card.memory())?;
        card.file = Some(file);
        Ok(card)
    }

    fn perform(&mut self, command: &Command<'_>) -> Answer {
        match command.head {
            [0xFF, 0xCA, 0x00, 0x00] if self.profile.uid.is_empty() => {
                refuse(Status::FunctionNotSupported)
            }
            [0xFF, 0xCA, 0x00, 0x00] => Ok(self.profile.uid.clone()),
            [0x00, 0xA4, ..] => self.select(command),
            [0x00, 0x20, ..] => self.verify(command.data),
            _ => self.look_up(command),
        }
    }

    fn select(&mut self, command: &Command<'_>) -> Answer {
        let mut places = self.profile.places.iter().enumerate();
        let found = places.find(|(_, place)| place.select.iter().any(|one| one.is(command)));
        let Some((place, chosen)) = found else {
            return refuse(Status::FileNotFound);
        };
        let answer = chosen.answer.answer(None);
        self.session = Some(Session {
            place,
            pin_verified: false,
        });
        answer
    }

    fn verify(&mut self, value: &[u8]) -> Answer {
        let Some(pin) = self.profile.pin.as_mut() else {
            return refuse(Status::KeyIndexUnknown);
        };
        let Some(left) = pin.tries_left.checked_sub(1) else {
            return refuse(Status::PinBlocked);
        };
        let right = pin.value == value;
        pin.tries_left = if right { pin.tries } else { left };
        if let Some(session) = self.session.as_mut() {
            session.pin_verified = right;
        }
        if right {
            return Ok(Vec::new());
        }
        refuse(Status::PinWrong(left))
    }

    fn look_up(&self, command: &Command<'_>) -> Answer {
        let (Some(session), [class, instruction, ..]) = (&self.session, command.head) else {
            return refuse(Status::ConditionsNotSatisfied);
        };
        let Some(place) = self.profile.places.get(session.place) else {
            return refuse(Status::ConditionsNotSatisfied);
        };
        let found = |table: &BTreeMap<CommandBytes, ReplyBytes>| {
            let mut rows = table.iter();
            rows.find(|(one, _)| one.is(command))
                .map(|(_, reply)| reply.clone())
        };
        match (found(&place.replies), found(&place.after_pin)) {
            (Some(reply), _) => reply.answer(command.le),
            (None, Some(_)) if !session.pin_verified => refuse(Status::SecurityNotSatisfied),
            (None, Some(reply)) => reply.answer(command.le),
            (None, None) => refuse(match (class, instruction) {
                (0x00, 0xB0) => Status::FileNotFound,
                (0x00, 0xB2) => Status::RecordNotFound,
                (0x80, 0x5C) => Status::ParametersWrong,
                (0x80, 0xCA) => Status::ReferenceNotFound,
                (0x00 | 0x04 | 0x80 | 0x84, _) => Status::InstructionUnknown,
                _ => Status::ClassUnknown,
            }),
        }
    }

    fn save(&self) {
        if let Some(file) = &self.file
            && let Err(error) = store::save(file, &self.memory())
        {
            log::error!("the card's memory was not written: {error}");
        }
    }
}

impl SmartCard for RecordedCard {
    fn atr(&self) -> &[u8] {
        &self.profile.atr
    }

    fn powered(&self) -> bool {
        self.session.is_some()
    }

    fn power_on(&mut self) {
        self.session = Some(Session::default());
    }

    fn power_off(&mut self) {
        self.session = None;
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        if self.session.is_none() {
            return Vec::new();
        }
        let pin = self.profile.pin.clone();
        let answer = match Command::parse(command) {
            Ok(command) => self.perform(&command),
            Err(status) => refuse(status),
        };
        if self.profile.pin != pin {
            self.save();
        }
        reply(answer)
    }

    /// Only PIN tries change, and a try stays used.
    fn interrupt(&mut self, command: &[u8]) {
        let before = self.profile.pin.as_ref().map(|pin| pin.tries_left);
        self.transmit(command);
        if let (Some(pin), Some(before)) = (self.profile.pin.as_mut(), before) {
            pin.tries_left = pin.tries_left.min(before);
        }
        self.save();
        self.power_off();
    }

    fn delay_ms(&self) -> u64 {
        self.profile.delay_ms
    }

    /// A record can't pay.
    fn spend(&mut self, _: u32) -> bool {
        false
    }

    fn status(&self) -> CardStatus {
        CardStatus {
            technology: Technology::Recorded,
            serial: self.profile.serial.clone(),
            balance: self.profile.balance,
            blocked: false,
            purse: None,
            cash: None,
        }
    }

    fn memory(&self) -> AnyProfile {
        AnyProfile::Recorded(self.profile.clone())
    }
}

impl CommandBytes {
    fn is(&self, asked: &Command<'_>) -> bool {
        Command::parse(&self.0).is_ok_and(|own| own.head == asked.head && own.data == asked.data)
    }
}

impl ReplyBytes {
    /// A shorter Le cuts the data.
    fn answer(&self, le: Option<u8>) -> Answer {
        let (data, status) = status::split(&self.0).map_err(|_| Status::DataInvalid)?;
        let wanted = match le {
            None | Some(0) => data.len(),
            Some(length) => data.len().min(usize::from(length)),
        };
        let mut data = data.to_vec();
        data.truncate(wanted);
        if status == Status::Ok {
            return Ok(data);
        }
        Err(crate::command::Refusal { data, status })
    }
}

macro_rules! as_hex {
    ($name:ident, $text:literal, $valid:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&hex::encode_upper(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let bytes: Vec<u8> = hex::serde::deserialize(deserializer)?;
                let valid: fn(&[u8]) -> bool = $valid;
                if valid(&bytes) {
                    return Ok(Self(bytes));
                }
                Err(serde::de::Error::custom($text))
            }
        }
    };
}

as_hex!(CommandBytes, "not a short command", |bytes| {
    Command::parse(bytes).is_ok()
});
as_hex!(ReplyBytes, "a reply without a status word", |bytes| {
    bytes.len() >= 2
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_half_a_command_or_half_a_status_is_refused() {
        let table = |select: &str, answer: &str| {
            AnyProfile::from_json(&format!(
                r#"{{"technology":"recorded","serial":"1","balance":0,
                "places":[{{"name":"mf","select":["{select}"],"answer":"{answer}"}}]}}"#
            ))
        };
        assert!(table("00A40000023F00", "9000").is_ok());
        assert!(table("00A40000023F", "9000").is_err(), "half a command");
        assert!(table("00A40000023F00", "90").is_err(), "half a status");
    }
}
