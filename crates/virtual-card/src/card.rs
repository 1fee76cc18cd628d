//! The card: what it does with a command.

mod files;
mod load;
mod maintenance;
mod pin;
mod purchase;
mod technology;

pub(crate) use files::environment_fci;

use crate::command::{Answer, Command, Refusal, refuse, reply};
use crate::profile::{CardKeys, CardProfile, KeySource, ProfileError};
use crate::store;
use purse::Status;
use std::path::PathBuf;

/// Fills a buffer with random bytes.
type Random = Box<dyn FnMut(&mut [u8]) + Send>;

/// A purse in the hand: memory that outlives power, and a session that does not.
pub struct Card {
    profile: CardProfile,
    keys: CardKeys,
    session: Option<Session>,
    random: Random,
    file: Option<PathBuf>,
}

/// What the card forgets without power.
#[derive(Default)]
struct Session {
    selected: bool,
    pin_verified: bool,
    /// Given out by GET CHALLENGE, valid for the next command only.
    challenge: Option<[u8; 8]>,
    pending: Pending,
    /// Rest of a reply that waits for GET RESPONSE.
    waiting: Vec<u8>,
}

/// The transaction between its two commands.
#[derive(Default)]
enum Pending {
    #[default]
    None,
    Load(load::Pending),
    Purchase(purchase::Pending),
}

impl Card {
    /// A card without power, whose memory is lost when it is dropped.
    #[must_use]
    pub fn new(mut profile: CardProfile) -> Self {
        let keys = profile.card_keys();
        profile.keys = KeySource::Card(keys.clone());
        Self {
            profile,
            keys,
            session: None,
            random: Box::new(system_random),
            file: None,
        }
    }

    /// A card that lives in `file`: read from it if it exists, else made from `profile`. Each
    /// change is written before the card answers; if that fails, it answers 6581 and keeps the old.
    ///
    /// # Errors
    /// `ProfileError` when the file can't be read, is no profile, or can't be written.
    pub fn stored(file: PathBuf, profile: CardProfile) -> Result<Self, ProfileError> {
        let profile = if file.exists() {
            CardProfile::from_file(&file)?
        } else {
            profile
        };
        Self::kept_in(file, profile)
    }

    pub(crate) fn kept_in(file: PathBuf, profile: CardProfile) -> Result<Self, ProfileError> {
        let mut card = Self::new(profile);
        store::save(&file, &card.profile)?;
        card.file = Some(file);
        Ok(card)
    }

    /// Takes the card's randoms from `random` instead of the system.
    #[must_use]
    pub fn with_random(mut self, random: impl FnMut(&mut [u8]) + Send + 'static) -> Self {
        self.random = Box::new(random);
        self
    }

    /// The card's memory now.
    #[must_use]
    pub fn profile(&self) -> &CardProfile {
        &self.profile
    }

    /// Answer to reset.
    #[must_use]
    pub fn atr(&self) -> &[u8] {
        &self.profile.atr
    }

    /// Whether the card has power.
    #[must_use]
    pub fn powered(&self) -> bool {
        self.session.is_some()
    }

    /// Gives power: a new session.
    pub fn power_on(&mut self) {
        self.session = Some(Session::default());
    }

    /// Takes power away: the session, its keys and randoms are gone.
    pub fn power_off(&mut self) {
        self.session = None;
    }

    /// Power off and on.
    pub fn reset(&mut self) {
        self.power_on();
    }

    /// Does a command and returns data and status word. Without power there is no answer: empty.
    pub fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let before = self.file.as_ref().map(|_| self.profile.clone());
        let Some(session) = self.session.as_mut() else {
            return Vec::new();
        };
        let challenge = session.challenge.take();
        let waiting = std::mem::take(&mut session.waiting);
        let answer = match Command::parse(command) {
            Ok(command) => {
                let answer = self.perform(&command, challenge, waiting);
                self.as_contact_card(&command, answer)
            }
            Err(status) => refuse(status),
        };
        match before.map(|before| self.save_or_go_back(before)) {
            None | Some(true) => reply(answer),
            Some(false) => reply(refuse(Status::MemoryFailure)),
        }
    }

    /// Starts a command and loses power in the middle: memory is as before, but a PIN try or a
    /// wrong MAC, counted first, stays counted.
    pub fn interrupt(&mut self, command: &[u8]) {
        let before = self.profile.clone();
        self.transmit(command);
        let after = std::mem::replace(&mut self.profile, before);
        if let (Some(pin), Some(used)) = (self.profile.pin.as_mut(), after.pin) {
            pin.tries_left = pin.tries_left.min(used.tries_left);
        }
        self.profile.wrong_macs = self.profile.wrong_macs.max(after.wrong_macs);
        self.profile.locked |= after.locked;
        if let Some(file) = &self.file
            && let Err(error) = store::save(file, &self.profile)
        {
            log::error!("the card's memory was not written: {error}");
        }
        self.power_off();
    }

    fn save_or_go_back(&mut self, before: CardProfile) -> bool {
        let (Some(file), true) = (&self.file, self.profile != before) else {
            return true;
        };
        match store::save(file, &self.profile) {
            Ok(()) => true,
            Err(error) => {
                log::error!("the card's memory was not written: {error}");
                self.profile = before;
                false
            }
        }
    }

    fn perform(
        &mut self,
        command: &Command<'_>,
        challenge: Option<[u8; 8]>,
        waiting: Vec<u8>,
    ) -> Answer {
        match command.head {
            [0xFF, 0xCA, 0x00, 0x00] => self.uid(),
            [0x00, 0xC0, ..] if waiting.is_empty() => refuse(Status::ConditionsNotSatisfied),
            [0x00, 0xC0, ..] => Ok(waiting),
            [0x00, 0x84, ..] => self.give_challenge(command),
            [0x00, 0xA4, ..] => self.select(command),
            _ => {
                self.usable(command)?;
                self.perform_in_application(command, challenge)
            }
        }
    }

    fn perform_in_application(
        &mut self,
        command: &Command<'_>,
        challenge: Option<[u8; 8]>,
    ) -> Answer {
        let [class, instruction, p1, p2] = command.head;
        match (class, instruction) {
            (0x80, 0x5C) => self.balance(command),
            (0x00, 0xB0) => self.read_binary(command),
            (0x00, 0xB2) => self.read_record(command),
            (0x00, 0x20) => self.verify(command),
            (0x80, 0x50) => match (p1, p2) {
                (0x00, 0x02) => self.initialize_for_load(command),
                (0x01, 0x02) => self.initialize_for_purchase(command),
                _ => refuse(Status::ParametersWrong),
            },
            (0x80, 0x52) => self.credit_for_load(command),
            (0x80, 0x54) => self.debit_for_purchase(command),
            (0x80, 0x5A) => self.prove(command),
            (0x80, 0x5E) => self.reload_pin(command),
            (0x00, 0x82) => self.external_authenticate(command, challenge),
            (0x04, 0xD6) => self.update_binary(command, challenge),
            (0x84, 0x16) => self.card_block(command, challenge),
            (0x84, 0x18) => self.application_unblock(command, challenge),
            (0x84, 0x1E) => self.application_block(command, challenge),
            (0x84, 0x24) => self.pin_unblock(command, challenge),
            (0x00, 0xD6) => refuse(Status::SecurityNotSatisfied),
            (0x00 | 0x04 | 0x80 | 0x84, _) => refuse(Status::InstructionUnknown),
            _ => refuse(Status::ClassUnknown),
        }
    }

    /// A blocked application does nothing but GET CHALLENGE, UNBLOCK and CARD BLOCK.
    fn usable(&self, command: &Command<'_>) -> Result<(), Refusal> {
        let selected = self
            .session
            .as_ref()
            .is_some_and(|session| session.selected);
        let allowed_when_blocked = matches!(command.head, [0x84, 0x16 | 0x18, ..]);
        let profile = &self.profile;
        let blocked = profile.card_blocked || (profile.blocked && !allowed_when_blocked);
        if profile.locked && matches!(command.head, [0x04 | 0x84, ..]) {
            return refuse(Status::Locked);
        }
        if !selected || blocked || profile.locked {
            return refuse(Status::ConditionsNotSatisfied);
        }
        Ok(())
    }

    fn uid(&self) -> Answer {
        if self.profile.uid.is_empty() {
            return refuse(Status::FunctionNotSupported);
        }
        Ok(self.profile.uid.clone())
    }

    fn give_challenge(&mut self, command: &Command<'_>) -> Answer {
        let length = match command.le {
            Some(4) => 4,
            Some(8) => 8,
            Some(_) | None => return refuse(Status::WrongLength),
        };
        let mut bytes = [0; 8];
        (self.random)(&mut bytes[..length]);
        self.session_mut(|session| session.challenge = Some(bytes));
        Ok(bytes[..length].to_vec())
    }

    fn select(&mut self, command: &Command<'_>) -> Answer {
        self.session_mut(|session| *session = Session::default());
        if self.profile.card_blocked {
            return refuse(Status::FunctionNotSupported);
        }
        let [_, _, by, _] = command.head;
        match (by, command.data) {
            (0x00, [] | [0x3F, 0x00]) | (0x04, []) => Ok(files::master_fci()),
            (0x04, name) if name == purse::command::PSE || name == purse::command::PPSE => {
                Ok(files::environment_fci(name, &self.profile.aid))
            }
            (0x04, name) if name == self.profile.aid => self.select_application(),
            (0x00 | 0x04, _) => refuse(Status::FileNotFound),
            _ => refuse(Status::ParametersWrong),
        }
    }

    fn select_application(&mut self) -> Answer {
        self.session_mut(|session| session.selected = true);
        let fci = files::application_fci(&self.profile.aid, &self.profile.file15_bytes());
        if !self.profile.blocked && !self.profile.locked {
            return Ok(fci);
        }
        Err(Refusal::blocked(self.profile.quirks.blocked_select, fci))
    }

    /// 61xx and 6Cxx, for cards that speak like contact cards.
    fn as_contact_card(&mut self, command: &Command<'_>, answer: Answer) -> Answer {
        let data = answer?;
        let length = u8::try_from(data.len()).unwrap_or(0);
        if data.is_empty() {
            return Ok(data);
        }
        if self.profile.quirks.contact_61xx && !command.data.is_empty() {
            self.session_mut(|session| session.waiting = data);
            return refuse(Status::MoreData(length));
        }
        let repeatable =
            command.data.is_empty() && !matches!(command.head, [0xFF | 0x00, 0x84 | 0xCA, ..]);
        if self.profile.quirks.contact_6cxx && repeatable && command.le != Some(length) {
            if matches!(command.head, [0x00, 0xC0, ..]) {
                self.session_mut(|session| session.waiting = data);
            }
            return refuse(Status::WrongLe(length));
        }
        Ok(data)
    }

    fn key_known(&self, index: u8) -> Result<(), Refusal> {
        if index == self.profile.key_index {
            return Ok(());
        }
        refuse(Status::from_word(self.profile.quirks.unknown_key_status))
    }

    fn session_mut(&mut self, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.session.as_mut() {
            change(session);
        }
    }

    fn pin_missing(&self) -> bool {
        let verified = self
            .session
            .as_ref()
            .is_some_and(|session| session.pin_verified);
        self.profile.pin.is_some() && !verified
    }

    fn fresh_random(&mut self) -> [u8; 4] {
        let mut random = [0; 4];
        (self.random)(&mut random);
        random
    }

    fn take_pending(&mut self) -> Pending {
        self.session
            .as_mut()
            .map(|session| std::mem::take(&mut session.pending))
            .unwrap_or_default()
    }
}

fn system_random(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        log::error!("no random from the system: {error}");
    }
}
