//! What the bank says of a list, and its end: the rest given back, the file that reconciles.

use bank_client::queue::{
    QueueClose, QueueItemState, QueueItemTold, QueueStanding, QueueState, QueueTold,
};
use ipc::{Code, Language, MoneyPlace, QueueStage, Reply};
use roster::{Standing, Told};

use super::{Paid, Screen, report};
use crate::actor::{Actor, Answer, Happened};
use crate::failure::Failure;
use crate::run::lock;

impl Actor {
    /// The bank's word on a list; `answer`: of whoever waits for it.
    pub(crate) fn ask_queue(&mut self, id: &str, answer: Option<Answer>) {
        let key = super::store::sixteen(id);
        let (Some(queue), Some(_)) = (key, self.link.facts()) else {
            return self.refuse(answer, Code::NotNow);
        };
        // The app that sent it has ended: what it sent may still be on its way, and nobody would know of it.
        let void = self.queues.store.get(id).is_some_and(is_unpaid);
        let link = self.link.clone();
        self.beside(async move {
            let told = link.ask(&QueueState { queue, void }).await;
            Happened::QueueTold(queue, told, answer)
        });
    }

    /// With a network: what this device may have missed of each list that is not over.
    pub(crate) fn ask_queues(&mut self) {
        let paying = self.queues.screen.as_ref().filter(|screen| screen.busy);
        let paying = paying.map(|screen| hex::encode(screen.id));
        let open: Vec<Paid> = (self.queues.store.all.iter())
            .filter(|paid| !paid.is_over() && paying.as_ref() != Some(&paid.id))
            .cloned()
            .collect();
        for paid in open {
            match paid.request.clone() {
                Some(request) => self.send_payment(request, None),
                None => self.ask_queue(&paid.id, None),
            }
        }
    }

    pub(crate) fn close_queue(&mut self, answer: Answer) {
        let idle = |screen: &&mut Screen| {
            screen.stage == QueueStage::Tap && !screen.busy && !screen.is_at_work()
        };
        let Some(screen) = self.queues.screen.as_mut().filter(idle) else {
            return self.refuse(Some(answer), Code::NotNow);
        };
        screen.busy = true;
        screen.error = None;
        let queue = screen.id;
        let link = self.link.clone();
        self.beside(async move {
            let told = link.ask(&QueueClose { queue }).await;
            Happened::QueueTold(queue, told, Some(answer))
        });
    }

    pub(crate) fn queue_told(
        &mut self,
        queue: [u8; 16],
        result: Result<QueueTold, Failure>,
        answer: Option<Answer>,
    ) {
        self.bank_answered(result.as_ref().err());
        let id = hex::encode(queue);
        let waited = answer.is_some();
        self.queues_learn();
        let result = match result {
            Ok(told) => self.queue_heard(&id, &told),
            Err(failure) => {
                let unpaid = self.queues.store.get(&id).is_some_and(is_unpaid);
                if unpaid && failure.code == Code::QueueUnknown {
                    self.never_paid(&id);
                }
                Err(failure)
            }
        };
        if let Some(screen) = self.queues.shown(&queue).filter(|_| waited) {
            screen.busy = false;
            if let Err(failure) = &result {
                screen.refused(failure);
            }
        }
        self.reply(answer, result);
    }

    fn never_paid(&mut self, id: &str) {
        self.queues.store.drop(id);
        let is_it = |screen: &Screen| hex::encode(screen.id) == id;
        if self.queues.screen.as_ref().is_some_and(is_it) {
            self.queues.screen = None;
        }
    }

    fn queue_heard(&mut self, id: &str, told: &QueueTold) -> Result<Reply, Failure> {
        let mut paid = (self.queues.store.get(id).cloned()).ok_or(Code::QueueUnknown)?;
        if told.items.len() != paid.items.len() {
            return Err(Code::BankUntrusted.into());
        }
        paid.closed = told.state == QueueStanding::Closed;
        paid.proof = told.proof.map(hex::encode).or(paid.proof);
        if paid.proof.is_some() {
            paid.request = None;
        }
        paid.closes_ms = Some(told.closes_ms);
        let journal = lock(&self.journal);
        for (index, told) in told.items.iter().enumerate() {
            let own = paid.own(&journal, index);
            if let Some(item) = paid.items.get_mut(index) {
                item.hear(&word_of(told), &own);
            }
        }
        drop(journal);
        let (closed, proven) = (paid.closed, paid.proof.is_some());
        let kept = self.queues.store.keep(paid);
        let is_it = |screen: &&mut Screen| hex::encode(screen.id) == id;
        if let Some(screen) = self.queues.screen.as_mut().filter(is_it) {
            let unheard =
                screen.error.as_ref().map(|error| error.money) == Some(MoneyPlace::Unsure);
            if unheard && proven {
                screen.paid();
            }
            if closed && screen.stage == QueueStage::Tap {
                screen.stage = QueueStage::Closed;
                screen.error = None;
            }
        }
        kept?;
        Ok(Reply::Done)
    }

    pub(crate) fn retry_queue(&mut self) -> Result<Reply, Failure> {
        let screen = self.queues.screen.as_mut().ok_or(Code::NotNow)?;
        if screen.busy {
            return Err(Code::NotNow.into());
        }
        let id = hex::encode(screen.id);
        if screen.stage == QueueStage::Tap {
            screen.error = None;
            screen.tap = screen.tap.take().filter(|tap| tap.error.is_none());
            // What was refused for want of a bank is tried again with the card that still lies there.
            screen.tapped = None;
            self.ask_queue(&id, None);
            self.card_is_here();
            return Ok(Reply::Done);
        }
        let request = self.queues.store.get(&id).and_then(|it| it.request.clone());
        self.send_payment(request.ok_or(Code::NotNow)?, None);
        Ok(Reply::Done)
    }

    pub(crate) fn export_queue(&self, language: Language) -> Result<Reply, Failure> {
        let screen = self.queues.screen.as_ref().ok_or(Code::NotNow)?;
        let id = hex::encode(screen.id);
        let paid = self.queues.store.get(&id).ok_or(Code::NotNow)?;
        let path = report::write(&self.parts.documents, &id, &paid.items, language)?;
        Ok(Reply::Exported { path })
    }
}

fn word_of(told: &QueueItemTold) -> Told {
    Told {
        standing: match told.state {
            QueueItemState::Waiting => Standing::Waiting,
            QueueItemState::Open => Standing::Open,
            QueueItemState::Loaded => Standing::Loaded,
            QueueItemState::Returned => Standing::Returned,
            QueueItemState::WrittenOff => Standing::WrittenOff,
        },
        reference: told.reference.clone(),
        time_ms: told.time_ms,
    }
}

/// Written before it was paid, by an app that did not live to hear the answer.
fn is_unpaid(paid: &Paid) -> bool {
    paid.proof.is_none() && paid.request.is_none()
}
