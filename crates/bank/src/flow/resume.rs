//! Re-top-up: settles a load by the card's own proof, and finishes it where the card was not credited.

use ledger::{
    Decision, Doubt, Event, Evidence, FreshInit, Kind, LogLine, Phase, Since, Verdict,
    decide_resume,
};
use purse::LogRecord;
use relay::Message;

use crate::error::Problem;
use crate::flow::Step;
use crate::scheme::{About, Credited, Opening, Scheme};
use crate::store::load::{self, LoadRow};
use crate::store::{Conn, audit, card, corebank, exchange};
use crate::vault::random;

/// Fen. No MAC2 is ever made for it; a card that is nearly full must not refuse it.
const WITNESS_AMOUNT: u32 = 1;

impl Step<'_> {
    pub(super) async fn resume(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let ours = self.body.terminal == Some(self.terminal.bcd());
        let Some(mut identity) = self.identity().filter(|_| ours) else {
            return Ok(self.end("message-bad"));
        };
        let code = self.industry.as_str();
        let card = card::find(self.bank, conn, code, &identity.serial).await?;
        let Some(card) = card else {
            return Ok(self.end("card-unknown"));
        };
        let found = match self.body.about {
            Some(about) => self.meant(conn, &about).await?,
            None => {
                let active = self.is_active();
                self.open_load(conn, &card, active).await?
            }
        };
        let Some(mut row) = found else {
            return Ok(self.end("nothing-pending"));
        };
        if row.load.order().kind != Kind::TopUp {
            return Ok(self.end("nothing-pending"));
        }
        if row.phase() == Phase::Authorised {
            // Its host has not answered yet; it does, or the load is void.
            return Err(Problem::late());
        }
        if corebank::is_unsure(conn, &row).await? {
            return Ok(self.end_about("in-doubt", &row));
        }
        if !matches!(row.phase(), Phase::Issued | Phase::InDoubt) {
            return Ok(self.end_as(&row, true));
        }
        if row.load.order().card.0 != card.id {
            let id = *row.id();
            let what = ("other-card", "resume");
            audit::incident(self.bank, conn, what, Some(&id), self.now_ms).await?;
            return Ok(self.end_about("in-doubt", &row));
        }
        if !self.bank.hsm.could_prove(code, &row.identity) {
            // A recipe that was written anew since asks for more than this card was asked for then.
            identity.key_version = row.identity.key_version;
            row.identify(identity);
        }
        // The card is on a reader again: whatever session the MAC2 was for is over.
        self.apply(conn, &mut row, Event::Doubt(Doubt::Torn))
            .await?;
        self.exchange.load = Some(*row.id());
        self.exchange.refund = self.body.refund;
        match self.settings()?.scheme {
            Scheme::Purse => self.ask_proof(&row),
            // Its next cryptogram tells all: there is no other proof to be asked for before it.
            Scheme::Cash => self.ask_state(&row),
        }
    }

    /// GET TRANSACTION PROVE, before a new INITIALIZE makes the card forget.
    fn ask_proof(&mut self, row: &LoadRow) -> Result<Message, Problem> {
        let before = row.load.last_attempt().map(|attempt| attempt.counter);
        let before = before.ok_or_else(|| Problem::internal("a load in doubt without attempt"))?;
        let mut message = self.go_on("prove");
        message
            .body
            .put("after", before.wrapping_add(1).to_be_bytes());
        message.body.put("before", before.to_be_bytes());
        Ok(message)
    }

    /// A new opening: to load again, or to give the money back.
    fn ask_state(&mut self, row: &LoadRow) -> Result<Message, Problem> {
        self.exchange.attempt = row.load.last_attempt().map(|attempt| attempt.number);
        if self.exchange.refund {
            return self.ask_witness();
        }
        let mut message = self.go_on("load");
        message
            .body
            .put("amount", row.load.order().amount.to_be_bytes());
        Ok(message)
    }

    /// The load that the terminal means. One that never came here never will: it is void from now on.
    async fn meant(&self, conn: &mut Conn, about: &[u8; 16]) -> Result<Option<LoadRow>, Problem> {
        if let Some(row) = load::find(self.bank, conn, about).await? {
            return Ok(Some(row));
        }
        let seen = exchange::find(conn, about).await?;
        // A re-top-up that a terminal takes for a load of its own: the load is the one that it was about.
        if let Some(load) = seen.as_ref().and_then(|seen| seen.load) {
            return load::find(self.bank, conn, &load).await;
        }
        if seen.is_none() {
            let who = (&self.terminal, self.now_ms);
            exchange::void(self.bank, conn, about, who).await?;
        }
        Ok(None)
    }

    /// What GET TRANSACTION PROVE gave. A 9000 alone proves nothing: the TAC must be the pending load's own.
    pub(super) async fn proven(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let mut row = self.load_of_exchange(conn).await?;
        if row.phase() != Phase::InDoubt {
            return Ok(self.end_as(&row, true));
        }
        let proof = Credited::proved(self.body);
        if let Some(tac) = self.verified(conn, &row, &proof).await? {
            let evidence = Evidence {
                same_card: true,
                tac: Some(tac),
                init: None,
            };
            let event = Event::Resume {
                evidence,
                not_loaded: Verdict::LoadAgain,
            };
            self.apply(conn, &mut row, event).await?;
            return Ok(self.end_as(&row, true));
        }
        self.exchange.since = self.since(conn, &row).await?;
        self.ask_state(&row)
    }

    /// Money goes back on nothing that could be old: the card signs a number that was made just now. INITIALIZE FOR
    /// LOAD has a place for one, the terminal's number, which no card compares with anything.
    fn ask_witness(&mut self) -> Result<Message, Problem> {
        let number = random::<6>()?.map(|byte| {
            let below_100 = byte % 100;
            below_100 / 10 * 16 + below_100 % 10
        });
        self.exchange.witness = Some(number);
        let mut message = self.go_on("refund");
        message.body.put("amount", WITNESS_AMOUNT.to_be_bytes());
        match self.settings()?.scheme {
            Scheme::Purse => message.body.put("witness", number),
            Scheme::Cash => message
                .body
                .put("witness", About::witnessed(WITNESS_AMOUNT, number).number),
        }
        Ok(message)
    }

    /// What the card's log says of the time since the load.
    async fn since(&self, conn: &mut Conn, row: &LoadRow) -> Result<Since, Problem> {
        let records = self
            .body
            .field("log")
            .and_then(|log| LogRecord::parse_all(log).ok());
        let Some(records) = records else {
            return Ok(Since::Unknown);
        };
        let attempts = load::attempts(conn, row.id()).await?;
        let line = |record: &LogRecord| {
            let [a, b, c, d] = record.at.date;
            let [e, f, g] = record.at.time;
            let (kind, when) = (record.kind.byte(), [a, b, c, d, e, f, g]);
            LogLine {
                amount: record.amount,
                kind,
                terminal: record.terminal,
                when,
            }
        };
        let log: Vec<LogLine> = records.iter().map(line).collect();
        let amount = row.load.order().amount;
        let ours: Vec<LogLine> = attempts.iter().map(|it| it.log_line(amount)).collect();
        Ok(Since::of(&log, &ours))
    }

    /// A fresh opening: its counter decides, and kills what the bank said to the last one.
    pub(super) async fn load_again(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let mut row = self.load_of_exchange(conn).await?;
        if row.phase() != Phase::InDoubt {
            return Ok(self.end_as(&row, true));
        }
        let Some(opening) = self.opening()? else {
            return Ok(self.end_about("message-bad", &row));
        };
        if self.is_overtaken(&row) {
            return Ok(self.end_about("in-doubt", &row));
        }
        if let Some(refusal) = self.refused_keys(&mut row, &opening) {
            return Ok(self.end_about(refusal, &row));
        }
        let about = self.about(row.load.order().amount);
        let Some(fresh) = self.fresh(conn, &row, &opening, about).await? else {
            return Ok(self.end_about("card-mac-bad", &row));
        };
        let card = row.load.order().card.0;
        if card::is_blocked(conn, card).await? && is_not_loaded(&row, fresh) {
            // Whoever holds it now is not the one who paid; the money can still go back.
            return Ok(self.end_about("card-blocked", &row));
        }
        self.resumed(conn, &mut row, fresh, Verdict::LoadAgain)
            .await?;
        if row.phase() == Phase::Issued {
            return self.issue(conn, &row, &opening).await;
        }
        Ok(self.end_as(&row, true))
    }

    /// An opening over the number that was made for this: its counter decides, and the money goes back where the card
    /// was not credited.
    pub(super) async fn refund(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let mut row = self.load_of_exchange(conn).await?;
        if row.phase() != Phase::InDoubt {
            return Ok(self.end_as(&row, true));
        }
        let (Some(opening), Some(witness)) = (self.opening()?, self.exchange.witness) else {
            return Ok(self.end_about("message-bad", &row));
        };
        if self.is_overtaken(&row) {
            return Ok(self.end_about("in-doubt", &row));
        }
        if let Some(refusal) = self.refused_keys(&mut row, &opening) {
            return Ok(self.end_about(refusal, &row));
        }
        let about = About::witnessed(WITNESS_AMOUNT, witness);
        let Some(fresh) = self.fresh(conn, &row, &opening, about).await? else {
            return Ok(self.end_about("card-mac-bad", &row));
        };
        self.resumed(conn, &mut row, fresh, Verdict::Refund).await?;
        Ok(self.end_as(&row, true))
    }

    /// Another terminal was given a yes since this card was asked: what it said may be older than that, and a balance
    /// from before would contradict the card of today.
    fn is_overtaken(&self, row: &LoadRow) -> bool {
        let newest = row.load.last_attempt().map(|attempt| attempt.number);
        newest != self.exchange.attempt
    }

    /// Why an opening says nothing of this load, if so: a card is made with the keys of one version.
    fn refused_keys(&self, row: &mut LoadRow, opening: &Opening) -> Option<&'static str> {
        let told = opening.key_version();
        match row.identity.key_version {
            Some(before) if before != told => return Some("card-mac-bad"),
            Some(_) => {}
            // From before versions were kept.
            None => row.identify(row.identity.clone().told(told)),
        }
        let is_known = self.bank.hsm.knows(&row.industry, &row.identity);
        (!is_known).then_some("card-key-unknown")
    }

    fn opening(&self) -> Result<Option<Opening>, Problem> {
        Ok(Opening::read(self.settings()?.scheme, self.body))
    }

    /// What a card says now of the load in doubt; none when it does not prove it.
    async fn fresh(
        &self,
        conn: &mut Conn,
        row: &LoadRow,
        opening: &Opening,
        about: About,
    ) -> Result<Option<FreshInit>, Problem> {
        let Some(mac1) = self.mac1(opening, &row.identity, about)? else {
            return Ok(None);
        };
        card::saw_counter(conn, row.load.order().card.0, mac1.counter()).await?;
        let opening = match opening {
            Opening::Purse(_) => {
                let since = self.exchange.since;
                return Ok(Some(FreshInit { mac1, since }));
            }
            Opening::Cash(opening) => opening,
        };
        let attempts = load::attempts(conn, row.id()).await?;
        let newest = attempts.last();
        let session = newest.and_then(|newest| Some((newest.attempt, newest.session?)));
        let (attempt, session) =
            session.ok_or_else(|| Problem::internal("an attempt without session"))?;
        let amount = row.load.order().amount;
        Ok(opening.as_counter(&mac1, &attempt, &session, amount))
    }

    async fn resumed(
        &self,
        conn: &mut Conn,
        row: &mut LoadRow,
        fresh: FreshInit,
        not_loaded: Verdict,
    ) -> Result<(), Problem> {
        let event = Event::Resume {
            evidence: evidence(fresh),
            not_loaded,
        };
        self.apply(conn, row, event).await
    }
}

fn evidence(fresh: FreshInit) -> Evidence {
    Evidence {
        same_card: true,
        tac: None,
        init: Some(fresh),
    }
}

fn is_not_loaded(row: &LoadRow, fresh: FreshInit) -> bool {
    let amount = row.load.order().amount;
    let decided = |attempt| decide_resume(attempt, amount, &evidence(fresh));
    let attempt = row.load.last_attempt();
    attempt.is_some_and(|attempt| decided(attempt) == Decision::NotLoaded)
}
