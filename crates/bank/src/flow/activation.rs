//! Activation: the load's machine without money.

use ledger::{Decline, Doubt, Event, Kind, Phase};
use purse::File15;
use relay::Message;

use crate::error::Problem;
use crate::flow::{Password, Step};
use crate::scheme::{Activation, CardIdentity, Opening, Order, Scheme};
use crate::store::Conn;
use crate::store::card::{self, CardRow};
use crate::store::customer::For;
use crate::store::load::{self, LoadRow};

/// UPDATE BINARY, secured, file 15 from offset 8.
const UPDATE_HEAD: [u8; 4] = [0x04, 0xD6, 0x95, 0x08];

/// APPLICATION UNBLOCK.
const UNBLOCK_HEAD: [u8; 4] = [0x84, 0x18, 0x00, 0x00];

/// What a card gave for its activation.
enum Asked {
    /// GET CHALLENGE's answer.
    Challenge([u8; 4]),
    Opening(Opening),
}

impl Step<'_> {
    pub(super) async fn activate(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let (Some(identity), Some(asked)) = (self.identity(), self.read_activation()?) else {
            return Ok(self.end("message-bad"));
        };
        let code = self.industry.as_str();
        let card = card::find(self.bank, conn, code, &identity.serial).await?;
        let Some(card) = card else {
            return Ok(self.end("card-unknown"));
        };
        let active = self.is_active();
        if let Some(open) = self.open_load(conn, &card, active).await? {
            return Ok(self.end_about("load-open", &open));
        }
        if active {
            let mut message = self.end("ok");
            message.body.put("already", [1]);
            return Ok(message);
        }
        if self.body.pin_block.is_none() || self.password == Password::Unreadable {
            return Ok(self.end("message-bad"));
        }
        let identity = match &asked {
            Asked::Challenge(_) => identity,
            Asked::Opening(opening) => identity.told(opening.key_version()),
        };
        let mut row = self.request(&card, 0, Kind::Activation, identity)?;
        self.exchange.load = Some(self.exchange.id);
        if let Some((message, why)) = self.may_activate(conn, &card, &asked, &mut row).await? {
            self.apply(conn, &mut row, Event::Decline(why)).await?;
            return Ok(message);
        }
        self.begin(&mut row, Event::AuthoriseActivation)?;
        self.apply(conn, &mut row, Event::Issue { available: 0 })
            .await?;
        let opening = match &asked {
            Asked::Challenge(_) => None,
            Asked::Opening(opening) => Some(opening),
        };
        let attempt = self.attempt(&row, opening)?;
        load::keep_attempt(conn, &row, &attempt).await?;
        let order = self.enabling(&asked, &row.identity, attempt.at.date)?;
        Ok(self.go_on_with(order, "enable"))
    }

    fn read_activation(&self) -> Result<Option<Asked>, Problem> {
        let scheme = self.settings()?.scheme;
        Ok(match scheme {
            Scheme::Purse => self.field::<4>("challenge").map(Asked::Challenge),
            Scheme::Cash => Opening::read(scheme, self.body).map(Asked::Opening),
        })
    }

    /// Why not, if so.
    async fn may_activate(
        &self,
        conn: &mut Conn,
        card: &CardRow,
        asked: &Asked,
        row: &mut LoadRow,
    ) -> Result<Option<(Message, Decline)>, Problem> {
        if card.blocked {
            return Ok(Some((self.end("card-blocked"), Decline::Card)));
        }
        if !self.bank.hsm.knows(&row.industry, &row.identity) {
            return Ok(Some((self.end("card-key-unknown"), Decline::Card)));
        }
        if let Asked::Opening(opening) = asked {
            let Some(mac1) = self.mac1(opening, &row.identity, self.about(0))? else {
                return Ok(Some((self.end("card-mac-bad"), Decline::Mac1)));
            };
            if opening.is_old(mac1.counter(), card.counter_seen) {
                return Ok(Some((self.end("counter-seen"), Decline::CounterSeen)));
            }
            row.saw_counter(mac1.counter());
        }
        let message = self.check_password(conn, card, For::Activation).await?;
        Ok(message.map(|message| (message, Decline::Password)))
    }

    /// What makes this card active.
    fn enabling(
        &self,
        asked: &Asked,
        identity: &CardIdentity,
        today: [u8; 4],
    ) -> Result<Order, Problem> {
        let settings = self.settings()?;
        let code = self.industry.as_str();
        let challenge = match asked {
            Asked::Challenge(challenge) => *challenge,
            Asked::Opening(Opening::Cash(opening)) => {
                let order =
                    opening.activate(&*self.bank.hsm, (code, identity), settings.max_balance);
                return order.map_err(Problem::internal);
            }
            Asked::Opening(Opening::Purse(_)) => return Err(Problem::internal("no challenge")),
        };
        let (phase, name, head, data) = match settings.activation {
            Activation::EnableFlag => {
                let file = self
                    .body
                    .field("file15")
                    .and_then(|it| File15::parse_longer(it).ok());
                let (file, _) =
                    file.ok_or_else(|| Problem::internal("the package has no file 15"))?;
                let data = self.enabled_file(&file, today);
                ("enable", "update", UPDATE_HEAD, data)
            }
            Activation::Unblock => ("unblock", "mac", UNBLOCK_HEAD, Vec::new()),
        };
        let mac = self
            .bank
            .hsm
            .update_mac(code, identity, challenge, head, &data);
        let mac = mac.map_err(Problem::internal)?;
        Ok(Order {
            phase,
            fields: vec![(name, [&data[..], &mac].concat())],
        })
    }

    /// The load of this card that is open. An activation whose end nobody heard is none: the card itself, by the
    /// flag in its file 15, has just told the end.
    pub(super) async fn open_load(
        &self,
        conn: &mut Conn,
        card: &CardRow,
        active: bool,
    ) -> Result<Option<LoadRow>, Problem> {
        let Some(open) = card.open_load else {
            return Ok(None);
        };
        let open = load::find(self.bank, conn, &open).await?;
        let mut open = open.ok_or_else(|| Problem::internal("a card's open load went away"))?;
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
        // The card told its number when it was opened; a message that names one now names the same.
        let same = self
            .identity()
            .is_none_or(|it| it.serial == row.identity.serial);
        if same && self.is_active() {
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
