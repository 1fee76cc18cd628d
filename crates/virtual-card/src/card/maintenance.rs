//! Secured commands: UPDATE BINARY, blocking, unblocking, external authentication.

use super::Card;
use crate::command::{Answer, Command, Refusal, refuse};
use purse::command::{FILE_15, FILE_16};
use purse::crypto::{external_authentication, same};
use purse::{File15, Status, secure};

/// Wrong MACs in a row that lock the application for good.
const WRONG_MACS_LIMIT: u8 = 3;

/// "Authentication failed", ISO/IEC 7816-4.
const AUTHENTICATION_FAILED: Status = Status::Other(0x6300);

impl Card {
    pub(super) fn update_binary(
        &mut self,
        command: &Command<'_>,
        challenge: Option<[u8; 8]>,
    ) -> Answer {
        let data = self.secured(command, challenge)?;
        let [_, _, p1, offset] = command.head;
        let mut file = self.file(p1)?;
        let from = usize::from(offset);
        let Some(place) = file.get_mut(from..from + data.len()) else {
            return refuse(Status::OffsetWrong);
        };
        place.copy_from_slice(&data);
        match p1 & 0x1F {
            FILE_15 => match File15::parse_longer(&file) {
                Ok((changed, more)) => self.profile.set_file15(&changed, more),
                Err(_) => return refuse(Status::DataInvalid),
            },
            FILE_16 => self.profile.holder = file,
            _ => return refuse(Status::FileNotFound),
        }
        Ok(Vec::new())
    }

    /// P2 00 can be undone by APPLICATION UNBLOCK, P2 01 can't.
    pub(super) fn application_block(
        &mut self,
        command: &Command<'_>,
        challenge: Option<[u8; 8]>,
    ) -> Answer {
        self.bare(command, challenge)?;
        match command.head {
            [.., 0x00, 0x00] => self.profile.blocked = true,
            [.., 0x00, 0x01] => self.profile.locked = true,
            _ => return refuse(Status::ParametersWrong),
        }
        Ok(Vec::new())
    }

    pub(super) fn application_unblock(
        &mut self,
        command: &Command<'_>,
        challenge: Option<[u8; 8]>,
    ) -> Answer {
        self.bare(command, challenge)?;
        if !self.profile.blocked {
            return refuse(Status::ConditionsNotSatisfied);
        }
        self.profile.blocked = false;
        Ok(Vec::new())
    }

    pub(super) fn card_block(
        &mut self,
        command: &Command<'_>,
        challenge: Option<[u8; 8]>,
    ) -> Answer {
        self.bare(command, challenge)?;
        self.profile.card_blocked = true;
        Ok(Vec::new())
    }

    pub(super) fn external_authenticate(
        &self,
        command: &Command<'_>,
        challenge: Option<[u8; 8]>,
    ) -> Answer {
        let cryptogram = command.exact::<8>()?;
        let Some(challenge) = challenge else {
            return refuse(Status::ConditionsNotSatisfied);
        };
        if *cryptogram != external_authentication(&self.keys.maintenance.0, challenge) {
            return refuse(AUTHENTICATION_FAILED);
        }
        Ok(Vec::new())
    }

    /// Data of a secured command whose MAC, under the challenge just given, is right.
    pub(super) fn secured(
        &mut self,
        command: &Command<'_>,
        challenge: Option<[u8; 8]>,
    ) -> Result<Vec<u8>, Refusal> {
        let Some([c0, c1, c2, c3, ..]) = challenge else {
            return refuse(Status::ConditionsNotSatisfied);
        };
        let Some((data, code)) = command.data.split_last_chunk::<4>() else {
            return refuse(Status::WrongLength);
        };
        let key = &self.keys.maintenance.0;
        match secure::mac(key, [c0, c1, c2, c3], command.head, data) {
            Ok(expected) if same(*code, expected) => {
                self.profile.wrong_macs = 0;
                Ok(data.to_vec())
            }
            Ok(_) => refuse(self.wrong_mac()),
            Err(_) => refuse(Status::WrongLength),
        }
    }

    /// A wrong MAC is 6988 until the third in a row, which locks the application: 9303.
    pub(super) fn wrong_mac(&mut self) -> Status {
        self.profile.wrong_macs = self.profile.wrong_macs.saturating_add(1);
        if self.profile.wrong_macs < WRONG_MACS_LIMIT {
            return Status::SecureMacWrong;
        }
        self.profile.locked = true;
        Status::Locked
    }

    fn bare(&mut self, command: &Command<'_>, challenge: Option<[u8; 8]>) -> Result<(), Refusal> {
        let data = self.secured(command, challenge)?;
        if data.is_empty() {
            Ok(())
        } else {
            refuse(Status::WrongLength)
        }
    }
}
