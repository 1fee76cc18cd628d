//! Top-up where the customer's money is at a core banking host: what is before it is asked, and after.

use ledger::{Decline, Event, Phase};
use relay::Message;

use crate::corebank::{Ask, Said};
use crate::error::Problem;
use crate::flow::topup::TopUp;
use crate::flow::{Next, Step};
use crate::store::load::{self, LoadRow};
use crate::store::{Conn, corebank, money, sms};

impl Step<'_> {
    /// Without a line to the host nothing begins.
    pub(super) fn is_host_there(&self) -> Result<(), Problem> {
        match self.bank.core.host() {
            Some(host) if !host.is_up() => Err(Problem::busy()),
            Some(_) | None => Ok(()),
        }
    }

    /// From the ledger here at once; a host is asked first, with the load kept as it is.
    pub(super) async fn pay(
        &mut self,
        conn: &mut Conn,
        mut row: LoadRow,
        asked: &TopUp,
        available: i64,
    ) -> Result<Next, Problem> {
        let Some(host) = self.bank.core.host() else {
            let said = self.debit(conn, &mut row, asked, available).await;
            return said.map(Next::Say);
        };
        // What it is asked for refers to the load.
        load::keep(self.bank, conn, &mut row, self.now_ms).await?;
        let lease_ms = host.lease_ms(self.bank.settings.limits.database_wait_ms);
        let times = (self.now_ms, self.now_ms.saturating_add(lease_ms));
        let ask = corebank::ask(self.bank, conn, &row, host.next_stan(), times).await?;
        self.exchange.awaits = Some("load".to_owned());
        Ok(Next::Ask(ask))
    }

    /// The same request while its host is asked, or after whoever asked it went away.
    pub(super) async fn asked_before(&self, conn: &mut Conn) -> Result<Message, Problem> {
        let row = self.load_of_exchange(conn).await?;
        match row.phase() {
            Phase::Authorised => Err(Problem::late()),
            Phase::Voided if corebank::is_unsure(conn, &row).await? => {
                Ok(self.end_about("in-doubt", &row))
            }
            Phase::Voided => Ok(self.end("voided")),
            other @ (Phase::Requested
            | Phase::Issued
            | Phase::InDoubt
            | Phase::Manual
            | Phase::Confirmed
            | Phase::Reversed
            | Phase::Declined
            | Phase::WrittenOff) => Err(Problem::internal(format!("{other} without a reply"))),
        }
    }

    /// What the host's answer makes of the load that asked.
    pub(super) async fn settle(
        &mut self,
        conn: &mut Conn,
        ask: &Ask,
        said: &Said,
    ) -> Result<Message, Problem> {
        let mut row = self.load_of_exchange(conn).await?;
        if row.phase() != Phase::Authorised || !corebank::is_asked(conn, ask).await? {
            // It took too long and was given up: no late yes issues anything.
            return self.asked_before(conn).await;
        }
        match said {
            Said::Approved { approval } if !self.is_proof_spent(conn).await? => {
                let asked = self.read_top_up();
                let asked = asked.ok_or_else(|| Problem::internal("a message that changed"))?;
                corebank::booked(conn, &row, approval.as_deref(), self.now_ms).await?;
                let available = money::available(conn, row.load.order().account).await?;
                return self.debit(conn, &mut row, &asked, available).await;
            }
            Said::FundsShort { response } => {
                corebank::declined(conn, &row, response, self.now_ms).await?;
                let why = Event::Decline(Decline::FundsShort);
                self.apply(conn, &mut row, why).await?;
                return Ok(self.end("funds-short"));
            }
            Said::Refused { response } => {
                corebank::declined(conn, &row, response, self.now_ms).await?;
            }
            Said::Doubtful {
                response: Some(response),
            } => corebank::doubtful(conn, &row, response).await?,
            Said::Approved { .. } | Said::Doubtful { response: None } => {}
        }
        self.apply(conn, &mut row, Event::TimeOut).await?;
        self.asked_before(conn).await
    }

    /// Another attempt under the same code was faster.
    async fn is_proof_spent(&self, conn: &mut Conn) -> Result<bool, Problem> {
        let found = sms::find(conn, &sms::stem(&self.exchange.id)).await?;
        Ok(found.is_none_or(|code| code.spent))
    }
}
