//! Activation: the load's machine without money.

use ledger::{Decline, Doubt, Event, Kind, Phase};
use purse::File15;
use relay::Message;

use crate::clock::host_time;
use crate::error::Problem;
use crate::flow::{Password, Step, identity};
use crate::store::Conn;
use crate::store::card;
use crate::store::customer::For;
use crate::store::load::{self, AttemptRow, LoadRow};

/// UPDATE BINARY, secured, file 15 from offset 8.
const UPDATE_HEAD: [u8; 4] = [0x04, 0xD6, 0x95, 0x08];

impl Step<'_> {
    pub(super) async fn activate(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let asked = self
            .body
            .field("file15")
            .and_then(|file| File15::parse(file).ok());
        let (Some(file), Some(identity), Some(challenge)) =
            (asked, identity(self.body), self.field::<4>("challenge"))
        else {
            return Ok(self.end("message-bad"));
        };
        let code = self.industry.as_str();
        let card = card::find(self.bank, conn, code, &identity.serial).await?;
        let Some(card) = card else {
            return Ok(self.end("card-unknown"));
        };
        if let Some(open) = self.open_load(conn, card.id, file.active()).await? {
            return Ok(self.end_about("load-open", &open));
        }
        if file.active() {
            let mut message = self.end("ok");
            message.body.put("already", [1]);
            return Ok(message);
        }
        if self.body.pin_block.is_none() || self.password == Password::Unreadable {
            return Ok(self.end("message-bad"));
        }
        let mut row = self.request(&card, 0, Kind::Activation, identity.clone())?;
        load::keep(self.bank, conn, &row, &[], self.now_ms).await?;
        self.exchange.load = Some(self.exchange.id);
        let refused = if card.blocked {
            Some((self.end("card-blocked"), Decline::Card))
        } else {
            let message = self.check_password(conn, &card, For::Activation).await?;
            message.map(|message| (message, Decline::Password))
        };
        if let Some((message, why)) = refused {
            self.apply(conn, &mut row, Event::Decline(why)).await?;
            return Ok(message);
        }
        self.apply(conn, &mut row, Event::AuthoriseActivation)
            .await?;
        self.apply(conn, &mut row, Event::Issue { available: 0 })
            .await?;
        let attempt = row
            .load
            .last_attempt()
            .ok_or_else(|| Problem::internal("no attempt"))?;
        let at = host_time(self.now_ms).ok_or_else(|| Problem::internal("no date"))?;
        let attempt = AttemptRow {
            attempt: *attempt,
            terminal: self.terminal,
            at,
        };
        load::keep_attempt(conn, &row, &attempt).await?;
        let data = self.enabled_file(&file, at.date);
        let mac = self
            .bank
            .hsm
            .update_mac(code, &identity, challenge, UPDATE_HEAD, &data);
        let mac = match mac {
            Ok(mac) => mac,
            Err(error) => return Err(Problem::internal(error)),
        };
        let mut message = self.go_on("enable");
        message.body.put("update", [&data[..], &mac].concat());
        Ok(message)
    }

    /// The load of this card that is open. An activation whose end nobody heard is none: the card itself, by the
    /// flag in its file 15, has just told the end.
    pub(super) async fn open_load(
        &self,
        conn: &mut Conn,
        card: i64,
        active: bool,
    ) -> Result<Option<LoadRow>, Problem> {
        let Some(mut open) = load::open_of_card(self.bank, conn, card).await? else {
            return Ok(None);
        };
        if open.load.order().kind != Kind::Activation {
            return Ok(Some(open));
        }
        if !active {
            self.apply(conn, &mut open, Event::Doubt(Doubt::Torn))
                .await?;
        }
        self.apply(conn, &mut open, Event::FlagRead { active })
            .await?;
        Ok(None)
    }

    /// 20 bytes of file 15 from offset 8: flag set, valid from today. An expiry that is still to come stays.
    fn enabled_file(&self, file: &File15, today: [u8; 4]) -> Vec<u8> {
        let is_date = file
            .expiry
            .iter()
            .all(|byte| byte >> 4 <= 9 && byte & 0x0F <= 9);
        let expiry = if is_date && file.expiry > today {
            file.expiry
        } else {
            years_after(today, self.bank.settings.limits.activation_years)
        };
        [&[0x01, file.version][..], &file.serial, &today, &expiry].concat()
    }

    pub(super) async fn enabled(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let mut row = self.load_of_exchange(conn).await?;
        let file = self
            .body
            .field("file15")
            .and_then(|file| File15::parse(file).ok());
        let active = file.is_some_and(|file| file.active() && file.serial == row.identity.serial);
        if active {
            self.apply(conn, &mut row, Event::FlagRead { active: true })
                .await?;
        } else {
            self.apply(conn, &mut row, Event::Doubt(Doubt::CardRefused))
                .await?;
        }
        Ok(match row.phase() {
            Phase::Confirmed => {
                let mut message = self.end("ok");
                message.body.reference = Some(row.reference.clone());
                message
            }
            Phase::InDoubt => self.end_about("card-refused", &row),
            Phase::Requested
            | Phase::Authorised
            | Phase::Issued
            | Phase::Manual
            | Phase::Reversed
            | Phase::Declined
            | Phase::Voided
            | Phase::WrittenOff => self.end_as(&row, true),
        })
    }
}

/// The 28th at most, so that every year has that day.
fn years_after([century, year, month, day]: [u8; 4], years: u16) -> [u8; 4] {
    let decimal = |bcd: u8| u16::from(bcd >> 4) * 10 + u16::from(bcd & 0x0F);
    let bcd = |value: u16| u8::try_from(value / 10 % 10 * 16 + value % 10).unwrap_or(0x99);
    let year = (decimal(century) * 100 + decimal(year))
        .saturating_add(years)
        .min(9_999);
    [bcd(year / 100), bcd(year % 100), month, day.min(0x28)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_years_after_a_leap_day_there_is_such_a_day() {
        assert_eq!(
            years_after([0x20, 0x28, 0x02, 0x29], 10),
            [0x20, 0x38, 0x02, 0x28]
        );
    }
}
