//! The purse's PIN: VERIFY, RELOAD, UNBLOCK.

use super::Card;
use crate::command::{Answer, Command, refuse};
use crate::quirks::WrongPin;
use purse::crypto::{reload_pin_mac, same};
use purse::{Status, secure};

impl Card {
    pub(super) fn verify(&mut self, command: &Command<'_>) -> Answer {
        let no_pin = Status::from_word(self.profile.quirks.no_pin_status);
        let Some(pin) = self.profile.pin.as_mut() else {
            return refuse(no_pin);
        };
        if pin.tries_left == 0 {
            return refuse(Status::PinBlocked);
        }
        if command.data.is_empty() {
            return refuse(Status::WrongLength);
        }
        // Counted before comparing, so that pulling the card out gains no try.
        pin.tries_left -= 1;
        let left = pin.tries_left;
        if pin.value != command.data {
            self.session_mut(|session| session.pin_verified = false);
            return refuse(match self.profile.quirks.wrong_pin {
                WrongPin::Standard => Status::PinWrong(left),
                WrongPin::SixC => Status::WrongLe(left),
            });
        }
        pin.tries_left = pin.tries;
        self.session_mut(|session| session.pin_verified = true);
        Ok(Vec::new())
    }

    pub(super) fn reload_pin(&mut self, command: &Command<'_>) -> Answer {
        let Some((value, code)) = command.data.split_last_chunk::<4>() else {
            return refuse(Status::WrongLength);
        };
        if !same(*code, reload_pin_mac(&self.keys.maintenance.0, value)) {
            return refuse(self.wrong_mac());
        }
        self.profile.wrong_macs = 0;
        let no_pin = Status::from_word(self.profile.quirks.no_pin_status);
        let Some(pin) = self.profile.pin.as_mut() else {
            return refuse(no_pin);
        };
        pin.value = value.to_vec();
        pin.tries_left = pin.tries;
        Ok(Vec::new())
    }

    /// Carries the PIN itself, enciphered: it must be the right one.
    pub(super) fn pin_unblock(
        &mut self,
        command: &Command<'_>,
        challenge: Option<[u8; 8]>,
    ) -> Answer {
        let sealed = self.secured(command, challenge)?;
        let Ok(value) = secure::decipher(&self.keys.maintenance.0, &sealed) else {
            return refuse(Status::DataInvalid);
        };
        let no_pin = Status::from_word(self.profile.quirks.no_pin_status);
        let Some(pin) = self.profile.pin.as_mut() else {
            return refuse(no_pin);
        };
        if pin.value != *value {
            return refuse(Status::DataInvalid);
        }
        pin.tries_left = pin.tries;
        Ok(Vec::new())
    }
}
