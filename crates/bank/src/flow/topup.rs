//! Top-up, and the end of a re-top-up, which is the same.

use industry::Facts;
use ledger::{
    AccountId, CardId, Decline, Doubt, Event, Kind, Load, LoadId, Mac1, Order, Phase, Tac,
};
use relay::Message;

use crate::card_hsm::HsmError;
use crate::clock::host_time;
use crate::error::Problem;
use crate::flow::{Next, Password, Step};
use crate::scheme::{self, About, CardIdentity, Credited, Opening};
use crate::store::card::CardRow;
use crate::store::customer::{self, For, Try};
use crate::store::decide::{self, Known};
use crate::store::load::{self, AttemptRow, LoadRow};
use crate::store::{Conn, exchange, sms};

/// What a top-up's first step says, read.
pub(super) struct TopUp {
    pub(super) amount: u32,
    pub(super) opening: Opening,
    pub(super) identity: CardIdentity,
}

/// A refusal: the outcome for the terminal and the reason for the ledger.
pub(super) struct Refused(pub(super) Message, pub(super) Decline);

impl Step<'_> {
    pub(super) async fn top_up(&mut self, conn: &mut Conn) -> Result<Next, Problem> {
        if self.exchange.load.is_some() {
            return self.asked_before(conn).await.map(Next::Say);
        }
        let asked = self.read_top_up();
        let known = match &asked {
            Some(asked) if self.body.pin_block.is_some() => {
                let card = (self.industry.as_str(), &asked.identity.serial[..]);
                decide::find(self.bank, conn, card, &self.exchange.id).await?
            }
            Some(_) | None => None,
        };
        let is_void = match &known {
            Some(known) => known.is_void,
            None => exchange::is_void(conn, &self.exchange.id).await?,
        };
        if is_void {
            return Ok(Next::Say(self.end("voided")));
        }
        if self.body.pin_block.is_none() {
            return self.load_item(conn).await.map(Next::Say);
        }
        self.is_host_there()?;
        let Some(asked) = asked else {
            return Ok(Next::Say(self.end("message-bad")));
        };
        let Some(known) = known else {
            return Ok(Next::Say(self.end("card-unknown")));
        };
        match self.authorised(conn, &asked, &known).await? {
            Err(refused) => Ok(Next::Say(refused)),
            Ok(row) => self.pay(conn, row, &asked, known.available).await,
        }
    }

    /// All checks of a new load; its end when one of them fails.
    async fn authorised(
        &mut self,
        conn: &mut Conn,
        asked: &TopUp,
        known: &Known,
    ) -> Result<Result<LoadRow, Message>, Problem> {
        // A load of 0 fen is no load: the ledger has no row for it.
        if asked.amount == 0 {
            return Ok(Err(
                self.end_limit("amount-low", self.settings()?.min_amount)
            ));
        }
        let card = &known.card;
        let mut row = self.request(card, asked.amount, Kind::TopUp, asked.identity.clone())?;
        self.exchange.load = Some(self.exchange.id);
        let checked = match self.check_card(conn, card, asked, &mut row).await? {
            Ok(mac1) => self.check_person(conn, known, asked).await?.map(|()| mac1),
            Err(refused) => Err(refused),
        };
        let mac1 = match checked {
            Ok(mac1) => mac1,
            Err(Refused(message, why)) => {
                self.apply(conn, &mut row, Event::Decline(why)).await?;
                return Ok(Err(message));
            }
        };
        self.begin(&mut row, Event::Authorise(mac1))?;
        Ok(Ok(row))
    }

    /// The debit and the bank's yes.
    pub(super) async fn debit(
        &mut self,
        conn: &mut Conn,
        row: &mut LoadRow,
        asked: &TopUp,
        available: i64,
    ) -> Result<Message, Problem> {
        self.apply(conn, row, Event::Issue { available }).await?;
        if row.phase() == Phase::Declined {
            return Ok(self.end("funds-short"));
        }
        if row.phase() != Phase::Issued {
            return Err(Problem::internal(
                "a load that was authorised is not issued",
            ));
        }
        sms::spend(conn, &sms::stem(&self.exchange.id), self.now_ms).await?;
        self.issue(conn, row, &asked.opening).await
    }

    pub(super) fn read_top_up(&self) -> Option<TopUp> {
        if self.body.terminal? != self.terminal.bcd() {
            return None;
        }
        if self.password == Password::Unreadable {
            return None;
        }
        let opening = Opening::read(self.settings().ok()?.scheme, self.body)?;
        Some(TopUp {
            amount: self.body.amount?,
            identity: self.identity()?.told(opening.key_version()),
            opening,
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
        let load = Load::request(order, self.now_ms).map_err(Problem::internal)?;
        LoadRow::new(load, self.industry.to_string(), identity)
    }

    pub(super) async fn check_card(
        &self,
        conn: &mut Conn,
        card: &CardRow,
        asked: &TopUp,
        row: &mut LoadRow,
    ) -> Result<Result<Mac1, Refused>, Problem> {
        let refuse = |outcome, why| Ok(Err(Refused(self.end(outcome), why)));
        if card.blocked {
            return refuse("card-blocked", Decline::Card);
        }
        let facts = self.facts();
        let active = facts.active == Some(true);
        if !active {
            return refuse("card-not-active", Decline::Card);
        }
        if self.is_expired(&facts) {
            return refuse("card-expired", Decline::Card);
        }
        let code = self.industry.as_str();
        if !self.bank.hsm.knows(code, &asked.identity) {
            self.bank.metrics.card(code, None);
            return refuse("card-key-unknown", Decline::Card);
        }
        // Money that no proof could ever follow never leaves.
        let provable = self.bank.hsm.could_prove(code, &asked.identity);
        let about = self.about(asked.amount);
        let mac1 = self.mac1(&asked.opening, &asked.identity, about)?;
        let Some(mac1) = mac1.filter(|_| provable) else {
            return refuse("card-mac-bad", Decline::Mac1);
        };
        self.bank.metrics.card(code, asked.identity.key_version);
        if let Some(open) = self.open_load(conn, card, active).await? {
            return Ok(Err(Refused(
                self.end_about("load-open", &open),
                Decline::LoadOpen,
            )));
        }
        let counter = mac1.counter();
        if asked.opening.is_old(counter, card.counter_seen) || card.is_confirmed(counter) {
            return refuse("counter-seen", Decline::CounterSeen);
        }
        row.saw_counter(counter);
        Ok(match self.over_limit(asked.amount, mac1.balance()) {
            Some(refused) => Err(refused),
            None => Ok(mac1),
        })
    }

    /// A card whose package gives an expiry, and which has passed it or has none that is a date.
    fn is_expired(&self, facts: &Facts) -> bool {
        let Some(at) = host_time(self.now_ms) else {
            return true;
        };
        let today = hex::encode(at.date);
        let is_past = |expiry: &String| expiry.replace('-', "") < today;
        facts.expiry.as_ref().is_none_or(is_past)
    }

    /// What a card's opening of this transaction is about.
    pub(super) fn about(&self, amount: u32) -> About {
        let [a, b, c, d, ..] = self.exchange.id;
        About {
            amount,
            terminal: self.terminal.bcd(),
            number: [a, b, c, d],
        }
    }

    /// The proof that the card is genuine and in this state; none when its code does not verify.
    pub(super) fn mac1(
        &self,
        opening: &Opening,
        identity: &CardIdentity,
        about: About,
    ) -> Result<Option<Mac1>, Problem> {
        let card = (self.industry.as_str(), identity);
        let proof = opening.verify(&*self.bank.hsm, card, about);
        proof.map_err(Problem::internal)
    }

    fn over_limit(&self, amount: u32, balance: u32) -> Option<Refused> {
        let limits = self.bank.industry(self.industry.as_str())?;
        let after = balance.checked_add(amount);
        let (outcome, limit, why) = if amount < limits.min_amount {
            ("amount-low", limits.min_amount, Decline::AmountLow)
        } else if amount > limits.max_amount {
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
        known: &Known,
        asked: &TopUp,
    ) -> Result<Result<(), Refused>, Problem> {
        if !self.proof_is_good(known, asked.amount) {
            return Ok(Err(Refused(self.end("sms-proof-bad"), Decline::SmsProof)));
        }
        let customer = known.card.customer;
        let tried = match self.is_password_of(customer) {
            Some(right) => {
                let who = (customer, known.tries);
                customer::try_known(self.bank, conn, who, right, self.now_ms).await?
            }
            None => return Ok(Err(Refused(self.end("message-bad"), Decline::Password))),
        };
        let why = match tried {
            Try::Locked => Decline::PasswordLocked,
            Try::Right | Try::Wrong { .. } => Decline::Password,
        };
        let refused = self.told_of(tried).map(|message| Refused(message, why));
        Ok(refused.map_or(Ok(()), Err))
    }

    fn proof_is_good(&self, known: &Known, amount: u32) -> bool {
        use subtle::ConstantTimeEq;
        let (Some(proof), Some(code)) = (&self.body.sms_proof, &known.code) else {
            return false;
        };
        let valid_ms = self.bank.settings.sms.proof_valid_s.saturating_mul(1_000);
        let in_time = code
            .verified_ms
            .is_some_and(|at| self.now_ms <= at.saturating_add(valid_ms));
        // Two cards of one person may end in the same four digits: the code is good for either.
        let bound = code.terminal == self.terminal
            && known.code_customer == Some(known.card.customer)
            && code.card_tail == known.card.tail
            && code.industry == self.industry.as_str()
            && amount <= code.ceiling;
        let right: bool = code.proof(self.bank).ct_eq(proof).into();
        in_time && bound && !code.spent && right
    }

    /// None when the password is right.
    pub(super) async fn check_password(
        &self,
        conn: &mut Conn,
        card: &CardRow,
        purpose: For,
    ) -> Result<Option<Message>, Problem> {
        let Some(right) = self.is_password_of(card.customer) else {
            return Ok(Some(self.end("message-bad")));
        };
        let who = (card.customer, purpose);
        let tried = customer::try_password(self.bank, conn, who, right, self.now_ms).await?;
        Ok(self.told_of(tried))
    }

    /// None where none was given.
    fn is_password_of(&self, customer: i64) -> Option<bool> {
        match self.password {
            Password::Compared(compared) => Some(compared.customer == customer && compared.right),
            Password::None | Password::Unreadable => None,
        }
    }

    /// None of a password that is right.
    fn told_of(&self, tried: Try) -> Option<Message> {
        match tried {
            Try::Right => None,
            Try::Locked => Some(self.end("password-locked")),
            Try::Wrong { left } => {
                let mut message = self.end("password-wrong");
                message.body.put("tries_left", [left]);
                Some(message)
            }
        }
    }

    /// Makes the bank's yes to the newest attempt (MAC2 or script), in the commit of its debit.
    pub(super) async fn issue(
        &mut self,
        conn: &mut Conn,
        row: &LoadRow,
        opening: &Opening,
    ) -> Result<Message, Problem> {
        let attempt = self.attempt(row, Some(opening))?;
        load::keep_attempt(conn, row, &attempt).await?;
        let max_balance = self.settings()?.max_balance;
        let order = scheme::credit(&*self.bank.hsm, row, &attempt, opening, max_balance);
        let order = order.map_err(Problem::internal)?;
        Ok(self.go_on_with(order, "credit"))
    }

    /// The newest attempt of a load, as it is kept.
    pub(super) fn attempt(
        &self,
        row: &LoadRow,
        opening: Option<&Opening>,
    ) -> Result<AttemptRow, Problem> {
        let attempt = row.load.last_attempt();
        let attempt = attempt.ok_or_else(|| Problem::internal("no attempt"))?;
        let at = host_time(self.now_ms).ok_or_else(|| Problem::internal("no date"))?;
        Ok(AttemptRow {
            attempt: *attempt,
            terminal: self.terminal,
            at,
            session: opening.and_then(Opening::session),
        })
    }

    /// The card's answer to the credit.
    pub(super) async fn credited(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let id = self.load_id()?;
        let found = load::with_attempts(self.bank, conn, &id).await?;
        let (mut row, attempts) = found.ok_or_else(|| Problem::internal("a load went away"))?;
        let proof = Credited::at_once(self.settings()?.scheme, self.body);
        if proof.is_there()
            && let Some(tac) = self.verified_of(&row, &attempts, &proof)?
        {
            let before = row.phase();
            self.apply(conn, &mut row, Event::Tac(tac)).await?;
            return Ok(self.end_as(&row, before == Phase::Confirmed));
        }
        let status = self.field::<2>("status");
        let is_known = self.bank.hsm.knows(&row.industry, &row.identity);
        let (doubt, outcome) = if proof.is_there() && !is_known {
            // Its keys were taken away since: nobody can say what the code is worth.
            (Doubt::Torn, "in-doubt")
        } else if proof.is_there() {
            (Doubt::BadTac, "tac-bad")
        } else if status.is_none_or(|status| status == [0x90, 0x00]) {
            // 9000 without a proof is no refusal: the card may have been credited.
            (Doubt::Torn, "message-bad")
        } else {
            (Doubt::CardRefused, "card-refused")
        };
        self.apply(conn, &mut row, Event::Doubt(doubt)).await?;
        Ok(match row.phase() {
            Phase::InDoubt => self.end_about(outcome, &row),
            Phase::Issued
            | Phase::Requested
            | Phase::Authorised
            | Phase::Manual
            | Phase::Confirmed
            | Phase::Reversed
            | Phase::Declined
            | Phase::Voided
            | Phase::WrittenOff => self.end_as(&row, true),
        })
    }

    /// A proof that is expected here, and verifies.
    pub(super) async fn is_proven(&self, conn: &mut Conn) -> Result<bool, Problem> {
        let proof = Credited::at_once(self.settings()?.scheme, self.body);
        if self.exchange.awaits.as_deref() != Some("credit") || !proof.is_there() {
            return Ok(false);
        }
        let row = self.load_of_exchange(conn).await?;
        Ok(self.verified(conn, &row, &proof).await?.is_some())
    }

    pub(super) async fn load_of_exchange(&self, conn: &mut Conn) -> Result<LoadRow, Problem> {
        let id = self.load_id()?;
        let row = load::find(self.bank, conn, &id).await?;
        row.ok_or_else(|| Problem::internal("a load went away"))
    }

    fn load_id(&self) -> Result<[u8; 16], Problem> {
        let load = self.exchange.load;
        load.ok_or_else(|| Problem::internal("an exchange without load"))
    }

    /// The proof that verifies over an attempt's own data, newest attempt first.
    pub(super) async fn verified(
        &self,
        conn: &mut Conn,
        row: &LoadRow,
        proof: &Credited,
    ) -> Result<Option<Tac>, Problem> {
        let attempts = load::attempts(conn, row.id()).await?;
        self.verified_of(row, &attempts, proof)
    }

    fn verified_of(
        &self,
        row: &LoadRow,
        attempts: &[AttemptRow],
        proof: &Credited,
    ) -> Result<Option<Tac>, Problem> {
        for attempt in attempts.iter().rev() {
            match proof.verify(&*self.bank.hsm, row, attempt) {
                Ok(Some(tac)) => return Ok(Some(tac)),
                Ok(None) => {}
                // A recipe that was changed since, or keys that were taken away: the card's counter has to do.
                Err(HsmError::Factor(_) | HsmError::Version) => return Ok(None),
                Err(error) => return Err(Problem::internal(error)),
            }
        }
        Ok(None)
    }
}
