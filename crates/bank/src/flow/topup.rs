//! Top-up, and the end of a re-top-up, which is the same.

use ledger::{
    AccountId, CardId, Decline, Doubt, Event, Kind, Load, LoadId, Mac1, Order, Phase, Tac,
};
use purse::crypto::LoadTerms;
use purse::{File15, InitForLoad};
use relay::Message;

use crate::clock::host_time;
use crate::error::Problem;
use crate::flow::{Password, Step, identity};
use crate::recipe::CardIdentity;
use crate::store::card::{self, CardRow};
use crate::store::customer::{self, For, Try};
use crate::store::load::{self, AttemptRow, LoadRow};
use crate::store::{Conn, exchange, money, sms};

/// What a top-up's first step says, read.
pub(super) struct TopUp {
    amount: u32,
    file: File15,
    init: InitForLoad,
    identity: CardIdentity,
}

/// A refusal: the outcome for the terminal and the reason for the ledger.
struct Refused(Message, Decline);

impl Step<'_> {
    pub(super) async fn top_up(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        if exchange::is_void(conn, &self.exchange.id).await? {
            return Ok(self.end("voided"));
        }
        let Some(asked) = self.read_top_up() else {
            return Ok(self.end("message-bad"));
        };
        let found = card::find(
            self.bank,
            conn,
            self.industry.as_str(),
            &asked.identity.serial,
        )
        .await?;
        let Some(card) = found else {
            return Ok(self.end("card-unknown"));
        };
        let limits = self.bank.industry(self.industry.as_str());
        let limits = limits.ok_or_else(|| Problem::internal("the industry went away"))?;
        // A load of 0 fen is no load: the ledger has no row for it.
        if asked.amount == 0 {
            return Ok(self.end_limit("amount-low", limits.min_amount));
        }
        let mut row = self.request(&card, asked.amount, Kind::TopUp, asked.identity.clone())?;
        load::keep(self.bank, conn, &row, &[], self.now_ms).await?;
        self.exchange.load = Some(self.exchange.id);
        let checked = match self.check_card(conn, &card, &asked).await? {
            Ok(mac1) => self.check_person(conn, &card, &asked).await?.map(|()| mac1),
            Err(refused) => Err(refused),
        };
        let mac1 = match checked {
            Ok(mac1) => mac1,
            Err(Refused(message, why)) => {
                self.apply(conn, &mut row, Event::Decline(why)).await?;
                return Ok(message);
            }
        };
        self.apply(conn, &mut row, Event::Authorise(mac1)).await?;
        let available = money::available(conn, row.load.order().account).await?;
        self.apply(conn, &mut row, Event::Issue { available })
            .await?;
        if row.phase() == Phase::Declined {
            return Ok(self.end("funds-short"));
        }
        if row.phase() != Phase::Issued {
            return Err(Problem::internal(
                "a load that was authorised is not issued",
            ));
        }
        sms::spend(conn, &sms::stem(&self.exchange.id), self.now_ms).await?;
        self.issue(conn, &row, &asked.init, &asked.identity).await
    }

    fn read_top_up(&self) -> Option<TopUp> {
        if self.body.terminal? != self.terminal.bcd() {
            return None;
        }
        self.body
            .pin_block
            .as_ref()
            .filter(|_| self.password != Password::Unreadable)?;
        Some(TopUp {
            amount: self.body.amount?,
            file: File15::parse(self.body.field("file15")?).ok()?,
            init: InitForLoad::parse(self.body.field("init")?).ok()?,
            identity: identity(self.body)?,
        })
    }

    /// A new load in REQUESTED, with the transaction's id as its key.
    pub(super) fn request(
        &self,
        card: &CardRow,
        amount: u32,
        kind: Kind,
        identity: CardIdentity,
    ) -> Result<LoadRow, Problem> {
        let order = Order {
            id: LoadId(self.exchange.id),
            kind,
            terminal: self.terminal.bcd(),
            card: CardId(card.id),
            account: AccountId(card.customer),
            amount,
        };
        Ok(LoadRow {
            load: Load::request(order, self.now_ms).map_err(Problem::internal)?,
            reference: load::new_reference()?,
            industry: self.industry.to_string(),
            identity,
        })
    }

    async fn check_card(
        &self,
        conn: &mut Conn,
        card: &CardRow,
        asked: &TopUp,
    ) -> Result<Result<Mac1, Refused>, Problem> {
        let refuse = |outcome, why| Ok(Err(Refused(self.end(outcome), why)));
        if card.blocked {
            return refuse("card-blocked", Decline::Card);
        }
        if !asked.file.active() {
            return refuse("card-not-active", Decline::Card);
        }
        if self.is_expired(&asked.file) {
            return refuse("card-expired", Decline::Card);
        }
        let Some(mac1) = self.mac1(&asked.init, &asked.identity, asked.amount)? else {
            return refuse("card-mac-bad", Decline::Mac1);
        };
        let active = asked.file.active();
        if let Some(open) = self.open_load(conn, card.id, active).await? {
            return Ok(Err(Refused(
                self.end_about("load-open", &open),
                Decline::LoadOpen,
            )));
        }
        let counter = mac1.counter();
        let old =
            counter < card.counter_seen || load::counter_confirmed(conn, card.id, counter).await?;
        if old {
            return refuse("counter-seen", Decline::CounterSeen);
        }
        card::saw_counter(conn, card.id, counter).await?;
        Ok(match self.over_limit(asked) {
            Some(refused) => Err(refused),
            None => Ok(mac1),
        })
    }

    pub(super) fn is_expired(&self, file: &File15) -> bool {
        host_time(self.now_ms).is_none_or(|at| file.expiry < at.date)
    }

    /// The proof that the card is genuine and in this state; none when MAC1 does not verify.
    pub(super) fn mac1(
        &self,
        init: &InitForLoad,
        identity: &CardIdentity,
        amount: u32,
    ) -> Result<Option<Mac1>, Problem> {
        self.mac1_of(init, identity, amount, self.terminal.bcd())
    }

    /// [`Self::mac1`] over another number in place of the terminal's, 12 BCD digits.
    pub(super) fn mac1_of(
        &self,
        init: &InitForLoad,
        identity: &CardIdentity,
        amount: u32,
        terminal: [u8; 6],
    ) -> Result<Option<Mac1>, Problem> {
        let terms = LoadTerms::purse(amount, terminal);
        let industry = self.industry.as_str();
        let expected = match self.bank.hsm.mac1(industry, identity, init, &terms) {
            Ok(expected) => expected,
            // A card that lacks what the recipe asks for can't be shown to be genuine.
            Err(crate::card_hsm::HsmError::Factor(_)) => return Ok(None),
            Err(error) => return Err(Problem::internal(error)),
        };
        Ok(Mac1::verify(
            init.online_counter,
            init.old_balance,
            &expected,
            &init.mac1,
        ))
    }

    fn over_limit(&self, asked: &TopUp) -> Option<Refused> {
        let limits = self.bank.industry(self.industry.as_str())?;
        let after = asked.init.old_balance.checked_add(asked.amount);
        let (outcome, limit, why) = if asked.amount < limits.min_amount {
            ("amount-low", limits.min_amount, Decline::AmountLow)
        } else if asked.amount > limits.max_amount {
            ("amount-high", limits.max_amount, Decline::AmountHigh)
        } else if after.is_none_or(|after| after > limits.max_balance) {
            ("balance-limit", limits.max_balance, Decline::BalanceLimit)
        } else {
            return None;
        };
        Some(Refused(self.end_limit(outcome, limit), why))
    }

    async fn check_person(
        &self,
        conn: &mut Conn,
        card: &CardRow,
        asked: &TopUp,
    ) -> Result<Result<(), Refused>, Problem> {
        if !self.proof_is_good(conn, card, asked.amount).await? {
            return Ok(Err(Refused(self.end("sms-proof-bad"), Decline::SmsProof)));
        }
        Ok(match self.check_password(conn, card, For::Money).await? {
            None => Ok(()),
            Some(message) => {
                let locked = message.body.outcome.as_deref() == Some("password-locked");
                let why = if locked {
                    Decline::PasswordLocked
                } else {
                    Decline::Password
                };
                Err(Refused(message, why))
            }
        })
    }

    async fn proof_is_good(
        &self,
        conn: &mut Conn,
        card: &CardRow,
        amount: u32,
    ) -> Result<bool, Problem> {
        use subtle::ConstantTimeEq;
        let Some(proof) = &self.body.sms_proof else {
            return Ok(false);
        };
        let found = sms::find(conn, &sms::stem(&self.exchange.id)).await?;
        let Some(code) = found else { return Ok(false) };
        let valid_ms = self.bank.settings.sms.proof_valid_s.saturating_mul(1_000);
        let in_time = code
            .verified_ms
            .is_some_and(|at| self.now_ms <= at.saturating_add(valid_ms));
        // Two cards of one person may end in the same four digits: the code is good for either.
        let owner = match code.card {
            Some(id) => card::customer_of(conn, id).await?,
            None => None,
        };
        let bound = code.terminal == self.terminal
            && owner == Some(card.customer)
            && code.card_tail == card.tail
            && code.industry == self.industry.as_str()
            && amount <= code.ceiling;
        let right: bool = code.proof(self.bank).ct_eq(proof).into();
        Ok(in_time && bound && !code.spent && right)
    }

    /// None when the password is right.
    pub(super) async fn check_password(
        &self,
        conn: &mut Conn,
        card: &CardRow,
        purpose: For,
    ) -> Result<Option<Message>, Problem> {
        let right = match self.password {
            Password::Compared(compared) => compared.customer == card.customer && compared.right,
            Password::None | Password::Unreadable => return Ok(Some(self.end("message-bad"))),
        };
        let who = (card.customer, purpose);
        let tried = customer::try_password(self.bank, conn, who, right, self.now_ms).await?;
        Ok(match tried {
            Try::Right => None,
            Try::Locked => Some(self.end("password-locked")),
            Try::Wrong { left } => {
                let mut message = self.end("password-wrong");
                message.body.put("tries_left", [left]);
                Some(message)
            }
        })
    }

    /// Makes the MAC2 of the newest attempt, in the commit of its debit.
    pub(super) async fn issue(
        &mut self,
        conn: &mut Conn,
        row: &LoadRow,
        init: &InitForLoad,
        identity: &CardIdentity,
    ) -> Result<Message, Problem> {
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
        load::keep_attempt(conn, row, &attempt).await?;
        let terms = attempt.terms(row.load.order().amount);
        let industry = self.industry.as_str();
        let mac2 = self.bank.hsm.mac2(industry, identity, init, &terms, at);
        let mac2 = mac2.map_err(Problem::internal)?;
        let mut message = self.go_on("credit");
        message
            .body
            .put("credit_data", [&at.date[..], &at.time, &mac2].concat());
        Ok(message)
    }

    /// The card's answer to CREDIT FOR LOAD.
    pub(super) async fn credited(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let mut row = self.load_of_exchange(conn).await?;
        let tac = self.body.field("tac");
        let status = self.field::<2>("status");
        // 9000 without a TAC is no refusal: the card may have been credited.
        if tac.is_none() && status.is_none_or(|status| status == [0x90, 0x00]) {
            self.apply(conn, &mut row, Event::Doubt(Doubt::Torn))
                .await?;
            return Ok(self.end_about("message-bad", &row));
        }
        let Some(tac) = tac else {
            self.apply(conn, &mut row, Event::Doubt(Doubt::CardRefused))
                .await?;
            return Ok(match row.phase() {
                Phase::InDoubt => self.end_about("card-refused", &row),
                Phase::Requested
                | Phase::Authorised
                | Phase::Issued
                | Phase::Manual
                | Phase::Confirmed
                | Phase::Reversed
                | Phase::Declined
                | Phase::Voided
                | Phase::WrittenOff => self.end_as(&row, true),
            });
        };
        match self.verified(conn, &row, &[tac]).await? {
            Some(tac) => {
                let before = row.phase();
                self.apply(conn, &mut row, Event::Tac(tac)).await?;
                Ok(self.end_as(&row, before == Phase::Confirmed))
            }
            None => {
                self.apply(conn, &mut row, Event::Doubt(Doubt::BadTac))
                    .await?;
                Ok(match row.phase() {
                    Phase::InDoubt => self.end_about("tac-bad", &row),
                    Phase::Requested
                    | Phase::Authorised
                    | Phase::Issued
                    | Phase::Manual
                    | Phase::Confirmed
                    | Phase::Reversed
                    | Phase::Declined
                    | Phase::Voided
                    | Phase::WrittenOff => self.end_as(&row, true),
                })
            }
        }
    }

    pub(super) async fn load_of_exchange(&self, conn: &mut Conn) -> Result<LoadRow, Problem> {
        let id = self
            .exchange
            .load
            .ok_or_else(|| Problem::internal("an exchange without load"))?;
        let row = load::find(self.bank, conn, &id).await?;
        row.ok_or_else(|| Problem::internal("a load went away"))
    }

    /// The first of `tacs` that verifies over an attempt's own data, newest attempt first.
    pub(super) async fn verified(
        &self,
        conn: &mut Conn,
        row: &LoadRow,
        tacs: &[&[u8]],
    ) -> Result<Option<Tac>, Problem> {
        let amount = row.load.order().amount;
        for attempt in load::attempts(conn, row.id()).await?.iter().rev() {
            let new_balance = attempt.attempt.balance.checked_add(amount);
            let new_balance = new_balance.ok_or_else(|| Problem::internal("balance overflows"))?;
            let begun = (new_balance, attempt.attempt.counter);
            let expected = self
                .bank
                .hsm
                .tac(
                    &row.industry,
                    &row.identity,
                    begun,
                    &attempt.terms(amount),
                    attempt.at,
                )
                .map_err(Problem::internal)?;
            let found = tacs
                .iter()
                .find_map(|tac| Tac::verify(&attempt.attempt, &expected, tac));
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
