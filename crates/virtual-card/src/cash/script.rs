//! The issuer's script: PUT DATA, APPLICATION BLOCK and UNBLOCK, each under a MAC.

use super::CashCard;
use super::transaction::{First, Issuer, Transaction};
use crate::command::{Answer, Command, Refusal, refuse};
use purse::Status;
use purse::cash::{amount_from_bcd, script_mac, tag};
use purse::crypto::same;

impl CashCard {
    /// Only after the issuer has proven itself in this transaction, and before its end. What fails
    /// is told in the next card verification results and ends the script.
    pub(super) fn script(&mut self, command: &Command<'_>) -> Answer {
        let (atc, first) = match self.transaction() {
            Some(Transaction {
                first: Some(first),
                issuer: Issuer::Proven,
                finished: false,
                atc,
                owes: _,
            }) => (*atc, *first),
            Some(_) | None => return refuse(Status::ConditionsNotSatisfied),
        };
        match self.checked(command, atc, first) {
            Ok(data) => self.obey(command, &data),
            Err(refusal) => Err(refusal),
        }
        .inspect(|_| self.profile.scripts = self.profile.scripts.saturating_add(1))
        .inspect_err(|_| {
            self.profile.script_failed = true;
            self.transaction_mut(|now| now.issuer = Issuer::ScriptFailed);
        })
    }

    fn checked(&self, command: &Command<'_>, atc: u16, first: First) -> Answer {
        let Some((data, code)) = command.data.split_last_chunk::<4>() else {
            return refuse(Status::WrongLength);
        };
        match script_mac(
            &self.mac_key(atc),
            command.head,
            atc,
            first.cryptogram,
            data,
        ) {
            Ok(expected) if same(*code, expected) => Ok(data.to_vec()),
            Ok(_) => refuse(Status::SecureMacWrong),
            Err(_) => refuse(Status::WrongLength),
        }
    }

    fn obey(&mut self, command: &Command<'_>, data: &[u8]) -> Answer {
        let [_, instruction, p1, p2] = command.head;
        match instruction {
            0x18 | 0x1E if !data.is_empty() => return refuse(Status::WrongLength),
            0x18 | 0x1E if self.profile.blocked == (instruction == 0x1E) => {
                return refuse(Status::ConditionsNotSatisfied);
            }
            0x18 | 0x1E => self.profile.blocked = instruction == 0x1E,
            _ => self.put_data(u16::from_be_bytes([p1, p2]), data)?,
        }
        Ok(Vec::new())
    }

    /// Values are absolute. A balance above the limit is refused: so is every load of a card that
    /// is not activated, whose limit is zero.
    fn put_data(&mut self, wanted: u16, data: &[u8]) -> Result<(), Refusal> {
        if self.profile.blocked {
            return refuse(Status::ConditionsNotSatisfied);
        }
        let value = data.try_into().map_err(|_| Status::WrongLength)?;
        let fen = amount_from_bcd(value).map_err(|_| Status::DataInvalid)?;
        let profile = &mut self.profile;
        let place = match wanted {
            tag::BALANCE if fen > profile.balance_limit => {
                return refuse(Status::ConditionsNotSatisfied);
            }
            tag::BALANCE => &mut profile.balance,
            tag::BALANCE_LIMIT => &mut profile.balance_limit,
            tag::SINGLE_LIMIT => &mut profile.single_limit,
            tag::RESET_THRESHOLD => &mut profile.reset_threshold,
            _ => return refuse(Status::ReferenceNotFound),
        };
        *place = fen;
        Ok(())
    }
}
