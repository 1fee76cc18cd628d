//! The electronic cash card: what it does with a command.

mod data;
mod demo;
mod profile;
mod script;
mod transaction;

pub use demo::issuer_keys as demo_issuer_keys;
pub use profile::{CashKeySource, CashKeys, CashLogEntry, CashProfile, CashQuirks};

use crate::any::AnyProfile;
use crate::command::{Answer, Command, Refusal, refuse, reply};
use crate::profile::ProfileError;
use crate::smart_card::{CardStatus, CashStatus, SmartCard, Technology};
use crate::store;
use purse::Status;
use std::path::PathBuf;
use transaction::Transaction;

/// When a purchase by [`SmartCard::spend`] was, BCD.
const SPENT_AT: ([u8; 3], [u8; 3]) = ([0x26, 0x11, 0x23], [0x12, 0x00, 0x00]);

/// Electronic cash in the hand: memory that outlives power, and a session that does not.
pub struct CashCard {
    profile: CashProfile,
    keys: CashKeys,
    session: Option<Session>,
    file: Option<PathBuf>,
}

/// What the card forgets without power.
#[derive(Default)]
struct Session {
    selected: bool,
    /// From GET PROCESSING OPTIONS on.
    transaction: Option<Transaction>,
}

impl CashCard {
    /// A card without power, whose memory is lost when it is dropped.
    #[must_use]
    pub fn new(mut profile: CashProfile) -> Self {
        let keys = profile.card_keys();
        profile.keys = CashKeySource::Card(keys.clone());
        Self {
            profile,
            keys,
            session: None,
            file: None,
        }
    }

    /// A card whose changes are written to `file` before it answers; if that fails, it answers
    /// 6581 and keeps the old.
    pub(crate) fn kept_in(file: PathBuf, profile: CashProfile) -> Result<Self, ProfileError> {
        let mut card = Self::new(profile);
        store::save(&file, &card.memory())?;
        card.file = Some(file);
        Ok(card)
    }

    /// The card's memory now.
    #[must_use]
    pub fn profile(&self) -> &CashProfile {
        &self.profile
    }

    fn perform(&mut self, command: &Command<'_>) -> Answer {
        match command.head {
            [0xFF, 0xCA, 0x00, 0x00] if self.profile.uid.is_empty() => {
                refuse(Status::FunctionNotSupported)
            }
            [0xFF, 0xCA, 0x00, 0x00] => Ok(self.profile.uid.clone()),
            [0x00, 0xA4, 0x04, _] => self.select(command.data),
            [0x00, 0xA4, ..] => refuse(Status::FileNotFound),
            _ if !self.session.as_ref().is_some_and(|now| now.selected) => {
                refuse(Status::ConditionsNotSatisfied)
            }
            _ => self.perform_in_application(command),
        }
    }

    fn perform_in_application(&mut self, command: &Command<'_>) -> Answer {
        match command.head {
            [0x00, 0xB2, number, p2] => {
                let record = self.read_record(number, p2)?;
                if (number, p2) == data::LAST_RECORD {
                    self.pay();
                }
                Ok(record)
            }
            [0x80, 0xCA, p1, p2] => self.get_data(u16::from_be_bytes([p1, p2])),
            [0x80, 0xA8, 0x00, 0x00] => self.get_processing_options(command.data),
            [0x80, 0xAE, kind, 0x00] => self.generate_ac(kind, command.data),
            [0x00, 0x82, 0x00, 0x00] => self.external_authenticate(command),
            [0x04, 0xDA, ..] | [0x84, 0x18 | 0x1E, 0x00, 0x00] => self.script(command),
            [_, 0xA8 | 0xAE | 0x82 | 0x18 | 0x1E, ..] => refuse(Status::ParametersWrong),
            [0x00 | 0x04 | 0x80 | 0x84, ..] => refuse(Status::InstructionUnknown),
            _ => refuse(Status::ClassUnknown),
        }
    }

    fn select(&mut self, name: &[u8]) -> Answer {
        self.session = Some(Session::default());
        if name == purse::command::PPSE {
            return Ok(crate::card::environment_fci(name, &self.profile.aid));
        }
        if name != self.profile.aid {
            return refuse(Status::FileNotFound);
        }
        self.session_mut(|session| session.selected = true);
        let fci = self.fci()?;
        if self.profile.blocked {
            return Err(Refusal::blocked(self.profile.quirks.blocked_select, fci));
        }
        Ok(fci)
    }

    fn session_mut(&mut self, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.session.as_mut() {
            change(session);
        }
    }

    fn save_or_go_back(&mut self, before: CashProfile) -> bool {
        let (Some(file), true) = (&self.file, self.profile != before) else {
            return true;
        };
        match store::save(file, &self.memory()) {
            Ok(()) => true,
            Err(error) => {
                log::error!("the card's memory was not written: {error}");
                self.profile = before;
                false
            }
        }
    }
}

impl SmartCard for CashCard {
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
        let before = self.profile.clone();
        let answer = match Command::parse(command) {
            Ok(command) => self.perform(&command),
            Err(status) => refuse(status),
        };
        if self.save_or_go_back(before) {
            reply(answer)
        } else {
            reply(refuse(Status::MemoryFailure))
        }
    }

    /// Memory is as before, but a transaction counter, counted first, stays counted.
    fn interrupt(&mut self, command: &[u8]) {
        let before = self.profile.clone();
        self.transmit(command);
        let atc = self.profile.atc;
        self.profile = CashProfile { atc, ..before };
        if let Some(file) = &self.file
            && let Err(error) = store::save(file, &self.memory())
        {
            log::error!("the card's memory was not written: {error}");
        }
        self.power_off();
    }

    fn delay_ms(&self) -> u64 {
        self.profile.quirks.delay_ms
    }

    fn spend(&mut self, fen: u32) -> bool {
        let before = self.profile.clone();
        let (date, time) = SPENT_AT;
        self.session_mut(|session| *session = Session::default());
        self.profile.purchase(fen, date, time) && self.save_or_go_back(before)
    }

    fn status(&self) -> CardStatus {
        let profile = &self.profile;
        CardStatus {
            technology: Technology::ElectronicCash,
            serial: profile.pan.tail(),
            balance: profile.balance,
            blocked: profile.blocked,
            purse: None,
            cash: Some(CashStatus {
                expiry: hex::encode(profile.expiry),
                balance_limit: profile.balance_limit,
                atc: profile.atc,
                scripts: profile.scripts,
                script_failed: profile.script_failed,
                unfinished: profile.unfinished,
                log: profile.log.clone(),
            }),
        }
    }

    fn memory(&self) -> AnyProfile {
        AnyProfile::ElectronicCash(self.profile.clone())
    }
}
