//! Re-top-up: settles a load by the card's own proof, and finishes it where the card was not credited.

use ledger::{Doubt, Event, Evidence, FreshInit, Kind, LogLine, Mac1, Phase, Verdict, spent_since};
use purse::{File15, InitForLoad, LogRecord, Proof};
use relay::Message;

use crate::error::Problem;
use crate::flow::{Step, identity};
use crate::recipe::CardIdentity;
use crate::store::exchange::Witness;
use crate::store::load::{self, LoadRow};
use crate::store::{Conn, audit, card, exchange};
use crate::vault::random;

/// Fen. No MAC2 is ever made for it; a card that is nearly full must not refuse it.
const WITNESS_AMOUNT: u32 = 1;

impl Step<'_> {
    pub(super) async fn resume(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let ours = self.body.terminal == Some(self.terminal.bcd());
        let Some(identity) = identity(self.body).filter(|_| ours) else {
            return Ok(self.end("message-bad"));
        };
        let code = self.industry.as_str();
        let card = card::find(self.bank, conn, code, &identity.serial).await?;
        let Some(card) = card else {
            return Ok(self.end("card-unknown"));
        };
        let found = match self.body.about {
            Some(about) => self.about(conn, &about).await?,
            None => {
                let file = self.body.field("file15");
                let file = file.and_then(|file| File15::parse(file).ok());
                let active = file.is_some_and(|file| file.active());
                self.open_load(conn, card.id, active).await?
            }
        };
        let Some(mut row) = found else {
            return Ok(self.end("nothing-pending"));
        };
        if row.load.order().kind != Kind::TopUp {
            return Ok(self.end("nothing-pending"));
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
        // The card is on a reader again: whatever session the MAC2 was for is over.
        self.apply(conn, &mut row, Event::Doubt(Doubt::Torn))
            .await?;
        self.exchange.load = Some(*row.id());
        self.exchange.refund = self.body.refund;
        let before = row.load.last_attempt().map(|attempt| attempt.counter);
        let before = before.ok_or_else(|| Problem::internal("a load in doubt without attempt"))?;
        let mut message = self.go_on("prove");
        message
            .body
            .put("after", before.wrapping_add(1).to_be_bytes());
        message.body.put("before", before.to_be_bytes());
        Ok(message)
    }

    /// The load that the terminal means. One that never came here never will: it is void from now on.
    async fn about(&self, conn: &mut Conn, about: &[u8; 16]) -> Result<Option<LoadRow>, Problem> {
        if let Some(row) = load::find(self.bank, conn, about).await? {
            return Ok(Some(row));
        }
        let seen = exchange::find(conn, about).await?;
        // A re-top-up that a terminal takes for a load of its own: the load is the one that it was about.
        if let Some(load) = seen.as_ref().and_then(|seen| seen.load) {
            return load::find(self.bank, conn, &load).await;
        }
        if seen.is_none() {
            exchange::void(conn, about, &self.terminal, self.now_ms).await?;
            let detail = r#"{"why":"asked about, never seen"}"#;
            let subject = hex::encode(about);
            let what = ("load-voided", subject.as_str(), detail);
            audit::note(self.bank, conn, what, self.now_ms).await?;
        }
        Ok(None)
    }

    /// What GET TRANSACTION PROVE gave. A 9000 alone proves nothing: the TAC must be the pending load's own.
    pub(super) async fn proven(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let mut row = self.load_of_exchange(conn).await?;
        if row.phase() != Phase::InDoubt {
            return Ok(self.end_as(&row, true));
        }
        let proofs: Vec<[u8; 4]> = ["proof", "proof_before"]
            .into_iter()
            .filter_map(|name| Proof::parse(self.body.field(name)?).ok())
            .map(|proof| proof.tac)
            .collect();
        let tacs: Vec<&[u8]> = proofs.iter().map(<[u8; 4]>::as_slice).collect();
        if let Some(tac) = self.verified(conn, &row, &tacs).await? {
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
        self.exchange.spent = self.spent(conn, &row).await?;
        if self.exchange.refund {
            return self.ask_witness(&row);
        }
        let mut message = self.go_on("load");
        message
            .body
            .put("amount", row.load.order().amount.to_be_bytes());
        Ok(message)
    }

    /// Money goes back on nothing that could be old: the card signs a number that was made just now. INITIALIZE FOR
    /// LOAD has a place for one, the terminal's number, which no card compares with anything.
    fn ask_witness(&mut self, row: &LoadRow) -> Result<Message, Problem> {
        let attempt = row.load.last_attempt().map(|attempt| attempt.number);
        let attempt =
            attempt.ok_or_else(|| Problem::internal("a load in doubt without attempt"))?;
        let number = random::<6>()?.map(|byte| {
            let below_100 = byte % 100;
            below_100 / 10 * 16 + below_100 % 10
        });
        self.exchange.witness = Some(Witness { number, attempt });
        let mut message = self.go_on("refund");
        message.body.put("amount", WITNESS_AMOUNT.to_be_bytes());
        message.body.put("witness", number);
        Ok(message)
    }

    /// Fen spent since the newest attempt, if the card's log says.
    async fn spent(&self, conn: &mut Conn, row: &LoadRow) -> Result<Option<u32>, Problem> {
        let records = self
            .body
            .field("log")
            .and_then(|log| LogRecord::parse_all(log).ok());
        let attempts = load::attempts(conn, row.id()).await?;
        let (Some(records), Some(newest)) = (records, attempts.last()) else {
            return Ok(None);
        };
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
        Ok(spent_since(&log, &newest.log_line(row.load.order().amount)))
    }

    /// A fresh INITIALIZE FOR LOAD: its counter decides, and kills the old MAC2.
    pub(super) async fn load_again(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let mut row = self.load_of_exchange(conn).await?;
        if row.phase() != Phase::InDoubt {
            return Ok(self.end_as(&row, true));
        }
        let Some(init) = self.init() else {
            return Ok(self.end_about("message-bad", &row));
        };
        let identity = row.identity.clone();
        let Some(mac1) = self.mac1(&init, &identity, row.load.order().amount)? else {
            return Ok(self.end_about("card-mac-bad", &row));
        };
        card::saw_counter(conn, row.load.order().card.0, mac1.counter()).await?;
        self.resumed(conn, &mut row, mac1, Verdict::LoadAgain)
            .await?;
        if row.phase() == Phase::Issued {
            return self.issue(conn, &row, &init, &identity).await;
        }
        Ok(self.end_as(&row, true))
    }

    /// A MAC1 over the number that was made for this: its counter decides, and the money goes back where the card
    /// was not credited.
    pub(super) async fn refund(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let mut row = self.load_of_exchange(conn).await?;
        if row.phase() != Phase::InDoubt {
            return Ok(self.end_as(&row, true));
        }
        let (Some(init), Some(witness)) = (self.init(), self.exchange.witness) else {
            return Ok(self.end_about("message-bad", &row));
        };
        let newest = row.load.last_attempt().map(|attempt| attempt.number);
        if newest != Some(witness.attempt) {
            // Another terminal was given a MAC2 since: what this card said is older than that.
            return Ok(self.end_about("in-doubt", &row));
        }
        let identity: CardIdentity = row.identity.clone();
        let mac1 = self.mac1_of(&init, &identity, WITNESS_AMOUNT, witness.number)?;
        let Some(mac1) = mac1 else {
            return Ok(self.end_about("card-mac-bad", &row));
        };
        card::saw_counter(conn, row.load.order().card.0, mac1.counter()).await?;
        self.resumed(conn, &mut row, mac1, Verdict::Refund).await?;
        Ok(self.end_as(&row, true))
    }

    fn init(&self) -> Option<InitForLoad> {
        InitForLoad::parse(self.body.field("init")?).ok()
    }

    async fn resumed(
        &self,
        conn: &mut Conn,
        row: &mut LoadRow,
        mac1: Mac1,
        not_loaded: Verdict,
    ) -> Result<(), Problem> {
        let init = Some(FreshInit {
            mac1,
            spent: self.exchange.spent,
        });
        let evidence = Evidence {
            same_card: true,
            tac: None,
            init,
        };
        let event = Event::Resume {
            evidence,
            not_loaded,
        };
        self.apply(conn, row, event).await
    }
}
