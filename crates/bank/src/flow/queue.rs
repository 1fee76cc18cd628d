//! A queue's item goes onto its card: a top-up that was paid when the queue was opened.

use ledger::{Account, AccountId, Event, Kind, Phase};
use relay::Message;
use subtle::ConstantTimeEq;

use crate::error::Problem;
use crate::flow::Step;
use crate::flow::topup::{Refused, TopUp};
use crate::queues;
use crate::store::card::{self, CardRow};
use crate::store::load;
use crate::store::queue::{self, ItemRow, ItemState};
use crate::store::{Conn, money, sms};

impl Step<'_> {
    /// A top-up without password: none but a queue's item has that.
    pub(super) async fn load_item(&mut self, conn: &mut Conn) -> Result<Message, Problem> {
        let item = queue::item(conn, &sms::stem(&self.exchange.id)).await?;
        let (Some(asked), Some(item)) = (self.read_top_up(), item) else {
            return Ok(self.end("message-bad"));
        };
        if !self.opened_here(&item) {
            return Ok(self.end("sms-proof-bad"));
        }
        let code = self.industry.as_str();
        let Some(card) = card::find(self.bank, conn, code, &asked.identity.serial).await? else {
            return Ok(self.end("card-unknown"));
        };
        if card.id != item.card {
            return Ok(self.end("queue-card"));
        }
        if let Some(end) = self.is_over(conn, &item).await? {
            return Ok(end);
        }
        if asked.amount != item.amount {
            return Ok(self.end("message-bad"));
        }
        self.load_waiting(conn, card, asked, &item).await
    }

    /// The card is the item's, and its money waits: what any top-up must show is left.
    async fn load_waiting(
        &mut self,
        conn: &mut Conn,
        mut card: CardRow,
        asked: TopUp,
        item: &ItemRow,
    ) -> Result<Message, Problem> {
        // Whose account pays: the institution's, not the holder's.
        AccountId(card.customer) = item.queue.account;
        let mut row = self.request(&card, asked.amount, Kind::TopUp, asked.identity.clone())?;
        row.queue = Some(item.queue.id);
        self.exchange.load = Some(self.exchange.id);
        let mac1 = match self.check_card(conn, &card, &asked, &mut row).await? {
            Ok(mac1) => mac1,
            Err(Refused(message, why)) => {
                self.apply(conn, &mut row, Event::Decline(why)).await?;
                return Ok(message);
            }
        };
        self.begin(&mut row, Event::Authorise(mac1))?;
        let available = money::balance(conn, Account::Queue(item.queue.id)).await?;
        self.apply(conn, &mut row, Event::Issue { available })
            .await?;
        if row.phase() != Phase::Issued {
            // Its money was put there for it: the books are broken, and nothing of this is kept.
            return Err(Problem::internal("an item that waits is not issued"));
        }
        self.issue(conn, &row, &asked.opening).await
    }

    /// Whether this terminal opened the queue, and has its proof.
    fn opened_here(&self, item: &ItemRow) -> bool {
        let Some(proof) = &self.body.sms_proof else {
            return false;
        };
        let right: bool = queues::proof(self.bank, &item.queue).ct_eq(proof).into();
        right
            && item.queue.terminal == self.terminal
            && item.queue.industry == self.industry.as_str()
    }

    /// The end of an item that does not wait: what became of its money.
    async fn is_over(&self, conn: &mut Conn, item: &ItemRow) -> Result<Option<Message>, Problem> {
        if item.state == ItemState::Waiting && item.queue.is_open() {
            return Ok(None);
        }
        let row = match item.load {
            Some(load) => load::find(self.bank, conn, &load).await?,
            None => None,
        };
        let end = match (item.state, row) {
            (ItemState::Loaded | ItemState::WrittenOff, Some(row)) => self.end_as(&row, true),
            (ItemState::Open, Some(row)) => self.end_about("load-open", &row),
            (ItemState::Waiting | ItemState::Returned, _) => self.end("queue-closed"),
            (ItemState::Open | ItemState::Loaded | ItemState::WrittenOff, None) => {
                return Err(Problem::internal("an item's load went away"));
            }
        };
        Ok(Some(end))
    }
}
