//! Reading: balance, files, log, and what SELECT tells.

use super::Card;
use crate::command::{Answer, Command, refuse};
use purse::Status;
use purse::command::{FILE_15, FILE_16, FILE_18, TRANSIT_UNION_AID};

/// FCI of an application: name and file 15.
pub(super) fn application_fci(name: &[u8], file15: &[u8]) -> Vec<u8> {
    let proprietary = [object(0x9F08, &[0x02]), object(0x9F0C, file15)].concat();
    object(
        0x6F,
        &[object(0x84, name), object(0xA5, &proprietary)].concat(),
    )
}

/// FCI of a payment system environment that lists one application.
pub(crate) fn environment_fci(name: &[u8], aid: &[u8]) -> Vec<u8> {
    let entry = object(0x61, &[object(0x4F, aid), object(0x87, &[0x01])].concat());
    let proprietary = object(0xA5, &object(0xBF0C, &entry));
    object(0x6F, &[object(0x84, name), proprietary].concat())
}

/// FCI of the master file.
pub(super) fn master_fci() -> Vec<u8> {
    let name = object(0x84, purse::command::PSE);
    object(0x6F, &[name, object(0xA5, &object(0x88, &[0x01]))].concat())
}

/// Values are names of at most 16 bytes and file 15; one that fits into no object is left empty.
fn object(tag: u16, value: &[u8]) -> Vec<u8> {
    purse::tlv::object(tag, value).unwrap_or_default()
}

impl Card {
    pub(super) fn balance(&self, command: &Command<'_>) -> Answer {
        let transit_union = self.profile.aid == TRANSIT_UNION_AID;
        let amount = match command.head {
            [_, _, 0x00, 0x02] => self.profile.balance,
            [_, _, 0x03, 0x02] if transit_union => self.profile.balance,
            [_, _, 0x01 | 0x02, 0x02] if transit_union => 0,
            _ => return refuse(Status::ParametersWrong),
        };
        let garbage = if self.profile.quirks.balance_top_bit {
            0x8000_0000
        } else {
            0
        };
        Ok((amount | garbage).to_be_bytes().to_vec())
    }

    pub(super) fn read_binary(&self, command: &Command<'_>) -> Answer {
        let [_, _, p1, offset] = command.head;
        let file = self.file(p1)?;
        let Some(rest) = file
            .get(usize::from(offset)..)
            .filter(|rest| !rest.is_empty())
        else {
            return refuse(Status::OffsetWrong);
        };
        match command.le.map(usize::from) {
            None | Some(0) => Ok(rest.to_vec()),
            Some(length) => match rest.get(..length) {
                Some(part) => Ok(part.to_vec()),
                None if self.profile.quirks.contact_6cxx => Ok(rest.to_vec()),
                None => refuse(Status::WrongLength),
            },
        }
    }

    /// P1 C4 reads one record by number, 1 the newest; P1 C5 all from there, if the card can.
    pub(super) fn read_record(&self, command: &Command<'_>) -> Answer {
        let [_, _, number, p2] = command.head;
        let (file, mode) = (p2 >> 3, p2 & 0x07);
        if file != FILE_18 {
            return refuse(Status::FileNotFound);
        }
        let from = usize::from(number).checked_sub(1);
        let records = from
            .and_then(|from| self.profile.log.get(from..))
            .unwrap_or_default();
        let [newest, ..] = records else {
            return refuse(Status::RecordNotFound);
        };
        match mode {
            0x04 => Ok(newest.record().encode()),
            0x05 if self.profile.quirks.log_at_once => {
                let fit = records.iter().take(11);
                Ok(fit.flat_map(|entry| entry.record().encode()).collect())
            }
            _ => refuse(Status::ParametersWrong),
        }
    }

    /// The file that P1 names: 80 and a short file id.
    pub(super) fn file(&self, p1: u8) -> Result<Vec<u8>, Status> {
        match (p1 & 0xE0, p1 & 0x1F) {
            (0x80, FILE_15) => Ok(self.profile.file15_bytes()),
            (0x80, FILE_16) => Ok(self.profile.holder.clone()),
            _ => Err(Status::FileNotFound),
        }
    }
}
