//! Reading: FCI, records, log, data objects.

use super::CashCard;
use super::profile::CashLogEntry;
use crate::command::{Answer, refuse};
use purse::Status;
use purse::cash::{amount_to_bcd, tag};
use purse::tlv::{TlvError, object};

/// Short file id of the log.
const LOG_FILE: u8 = 0x0B;

/// Where the records are: file 01 record 1, file 02 records 1 and 2; none is signed.
pub(super) const FILE_LOCATOR: [u8; 8] = [0x08, 1, 1, 0, 0x10, 1, 2, 0];

/// The last of them, as P1 and P2 of READ RECORD.
pub(super) const LAST_RECORD: (u8, u8) = (2, 0x14);

/// Application label.
const LABEL: &[u8] = b"PBOC DEBIT";

impl From<TlvError> for crate::command::Refusal {
    /// What a profile has does not fit into a data object.
    fn from(_: TlvError) -> Self {
        Status::DataInvalid.into()
    }
}

impl CashCard {
    pub(super) fn fci(&self) -> Answer {
        let capacity = u8::try_from(self.profile.log_capacity).unwrap_or(u8::MAX);
        let log = object(0x9F4D, &[LOG_FILE, capacity])?;
        let proprietary = [
            object(0x50, LABEL)?,
            object(0x87, &[0x01])?,
            object(0x9F38, &self.profile.pdol)?,
            object(0xBF0C, &log)?,
        ];
        let inside = [
            object(0x84, &self.profile.aid)?,
            object(0xA5, &proprietary.concat())?,
        ];
        Ok(object(0x6F, &inside.concat())?)
    }

    pub(super) fn read_record(&self, number: u8, p2: u8) -> Answer {
        let (file, mode) = (p2 >> 3, p2 & 0x07);
        if mode != 0x04 {
            return refuse(Status::ParametersWrong);
        }
        let profile = &self.profile;
        let record = match (file, number) {
            (LOG_FILE, _) => return self.log_record(number),
            (0x01, 1) => [
                object(0x5F25, &profile.start)?,
                object(0x5F24, &profile.expiry)?,
                object(0x5A, &profile.pan.to_bcd(0))?,
                object(0x5F34, &[profile.sequence_number])?,
            ]
            .concat(),
            (0x02, 1) => object(0x8C, &profile.cdol1)?,
            (0x02, 2) => object(0x8D, &profile.cdol2)?,
            (0x01 | 0x02, _) => return refuse(Status::RecordNotFound),
            _ => return refuse(Status::FileNotFound),
        };
        Ok(object(0x70, &record)?)
    }

    fn log_record(&self, number: u8) -> Answer {
        let place = usize::from(number).checked_sub(1);
        match place.and_then(|place| self.profile.log.get(place)) {
            Some(entry) => Ok(entry.encode()),
            None => refuse(Status::RecordNotFound),
        }
    }

    pub(super) fn get_data(&self, wanted: u16) -> Answer {
        let profile = &self.profile;
        let value = match wanted {
            tag::BALANCE => amount_to_bcd(profile.balance).to_vec(),
            tag::BALANCE_LIMIT => amount_to_bcd(profile.balance_limit).to_vec(),
            tag::SINGLE_LIMIT => amount_to_bcd(profile.single_limit).to_vec(),
            tag::RESET_THRESHOLD => amount_to_bcd(profile.reset_threshold).to_vec(),
            tag::ATC => profile.atc.to_be_bytes().to_vec(),
            tag::LAST_ONLINE_ATC => profile.last_online_atc.to_be_bytes().to_vec(),
            tag::LOG_FORMAT => CashLogEntry::FORMAT.to_vec(),
            _ => return refuse(Status::ReferenceNotFound),
        };
        Ok(object(wanted, &value)?)
    }
}
