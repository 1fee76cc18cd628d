//! How a load's state is told to a terminal.

use envelope::receipt::Receipt;
use ledger::{Event, Kind, Phase, Refusal};
use relay::Message;

use crate::error::Problem;
use crate::flow::Step;
use crate::store::load::{self, LoadRow};
use crate::store::{Conn, card};

impl Step<'_> {
    /// Lets the machine take an event and stores what follows. Where the machine has no such event now nothing
    /// happens: the load's state then speaks for itself.
    pub(super) async fn apply(
        &self,
        conn: &mut Conn,
        row: &mut LoadRow,
        event: Event,
    ) -> Result<(), Problem> {
        match row.step(event, self.now_ms) {
            Ok(()) => load::keep(self.bank, conn, row, self.now_ms).await,
            Err(Refusal::OutOfPlace(_) | Refusal::Final(_) | Refusal::Undecided) => Ok(()),
            Err(
                error @ (Refusal::Amount
                | Refusal::FundsShort
                | Refusal::Overflow
                | Refusal::UnknownName),
            ) => Err(Problem::internal(error)),
        }
    }

    /// The first step of a load that another one follows at once: stored with that one.
    pub(super) fn begin(&self, row: &mut LoadRow, event: Event) -> Result<(), Problem> {
        row.step(event, self.now_ms).map_err(Problem::internal)
    }

    /// The end that a load's state means; `already` when it was settled before this request.
    pub(super) fn end_as(&self, row: &LoadRow, already: bool) -> Message {
        match row.phase() {
            Phase::Confirmed => self.end_loaded(row, already),
            Phase::Manual => self.end_about("manual", row),
            Phase::WrittenOff => self.end_settled("written-off", row),
            Phase::Reversed if row.load.order().kind == Kind::TopUp => {
                self.end_settled("refunded", row)
            }
            Phase::Reversed | Phase::Declined | Phase::Voided | Phase::Requested => {
                self.end("nothing-pending")
            }
            Phase::Authorised | Phase::Issued | Phase::InDoubt => self.end_about("in-doubt", row),
        }
    }

    /// The end of a load that is over without being on the card.
    fn end_settled(&self, outcome: &str, row: &LoadRow) -> Message {
        let mut message = self.end_about(outcome, row);
        message
            .body
            .put("time", row.load.changed_ms().to_be_bytes());
        message
    }

    fn end_loaded(&self, row: &LoadRow, already: bool) -> Message {
        let mut message = self.end_about("ok", row);
        if let Some(attempt) = row.load.last_attempt() {
            let new_balance = attempt.balance.saturating_add(row.load.order().amount);
            message
                .body
                .put("old_balance", attempt.balance.to_be_bytes());
            message.body.put("new_balance", new_balance.to_be_bytes());
            let receipt = Receipt {
                reference: row.reference.clone(),
                tail: card::tail(&row.identity.serial),
                amount: row.load.order().amount,
                old_balance: attempt.balance,
                new_balance,
                time_ms: row.load.changed_ms(),
            };
            let signed = receipt.signed(&self.bank.receipt_secret);
            message.body.put("receipt", signed);
        }
        message
            .body
            .put("time", row.load.changed_ms().to_be_bytes());
        if already {
            message.body.put("already", [1]);
        }
        message
    }
}
