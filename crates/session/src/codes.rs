//! Codes by SMS: asked for, and checked.

use ipc::{Code, Reply, SmsView, Stage, TransactionKind};

use crate::actor::{Actor, Answer, Happened};
use crate::failure::Failure;
use crate::terminal::SmsSent;
use crate::transaction::{Transaction, masked_phone, phone_digits};

impl Actor {
    pub(crate) fn send_code(&mut self, phone: &str, answer: Answer) {
        if self.key_queries > 0 {
            // A code belongs to a terminal, and the query may end in another one.
            self.held.push((phone.to_owned(), answer));
            return;
        }
        if self.queues.screen.is_some() {
            return self.queue_send_code(phone, answer);
        }
        let Some(transaction) = self.transaction.as_mut().filter(|t| can_send_code(t)) else {
            return self.refuse(Some(answer), Code::NotNow);
        };
        let Some(phone) = phone_digits(phone) else {
            self.show_failure(&Code::PhoneBad.into());
            return self.refuse(Some(answer), Code::PhoneBad);
        };
        let known = transaction
            .card
            .as_ref()
            .map(|c| (c.industry.clone(), c.tail.clone()));
        let seen = self
            .settings
            .now
            .purses
            .first()
            .map(|p| (p.industry.clone(), p.tail.clone()));
        let Some((industry, tail)) = known.or(seen) else {
            if transaction.running {
                // The card is being read: it is known in a moment.
                self.held.push((phone, answer));
                return;
            }
            self.show_failure(&Code::CardNone.into());
            return self.refuse(Some(answer), Code::CardNone);
        };
        transaction.busy = true;
        transaction.error = None;
        let (id, link) = (transaction.id, self.link.clone());
        self.beside(async move {
            let sent = link
                .send_code(&hex::encode(id), &industry, &tail, &phone)
                .await;
            Happened::CodeSent(id, (masked_phone(&phone), Some(tail)), sent, answer)
        });
    }

    /// What waited for a key or a card.
    pub(crate) fn send_held(&mut self) {
        for (phone, answer) in std::mem::take(&mut self.held) {
            self.send_code(&phone, answer);
        }
    }

    pub(crate) fn code_sent(
        &mut self,
        id: [u8; 16],
        (phone, tail): (&str, Option<String>),
        result: Result<SmsSent, Failure>,
        answer: Answer,
    ) {
        self.bank_answered(result.as_ref().err());
        self.queue_code_sent(&id, phone, &result);
        let now_ms = self.parts.clock.now_ms();
        if let Some(transaction) = self.transaction.as_mut().filter(|t| t.id == id) {
            transaction.busy = false;
            match &result {
                Ok(sent) => {
                    transaction.stage = Stage::Code;
                    transaction.sms = Some(SmsView {
                        phone_masked: phone.to_owned(),
                        resend_at_ms: now_ms.saturating_add(sent.resend_after_ms),
                        expires_at_ms: now_ms.saturating_add(sent.valid_ms),
                        tail,
                    });
                }
                Err(failure) => transaction.error = Some(failure.clone().view(transaction.place)),
            }
        }
        self.reply(Some(answer), result.map(|_| Reply::Done));
    }

    pub(crate) fn verify_code(&mut self, code: &str, answer: Answer) {
        if self.queues.screen.is_some() {
            let taken = self.queue_take_code(code);
            if let Err(failure) = &taken {
                self.show_failure(failure);
            }
            return self.reply(Some(answer), taken);
        }
        let at_code = |t: &&mut Transaction| t.stage == Stage::Code && !t.busy;
        let Some(transaction) = self.transaction.as_mut().filter(at_code) else {
            return self.refuse(Some(answer), Code::NotNow);
        };
        let code = code.trim().to_owned();
        if code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit()) {
            self.show_failure(&Code::CodeBad.into());
            return self.refuse(Some(answer), Code::CodeBad);
        }
        transaction.busy = true;
        transaction.error = None;
        let (id, link) = (transaction.id, self.link.clone());
        self.beside(async move {
            let verified = link.verify_code(&hex::encode(id), &code).await;
            Happened::CodeVerified(id, verified, answer)
        });
    }

    pub(crate) fn code_verified(
        &mut self,
        id: [u8; 16],
        result: Result<[u8; 16], Failure>,
        answer: Answer,
    ) {
        self.bank_answered(result.as_ref().err());
        if let Some(transaction) = self.transaction.as_mut().filter(|t| t.id == id) {
            transaction.busy = false;
            match &result {
                Ok(proof) => {
                    transaction.proof = Some(*proof);
                    transaction.stage = Stage::Password;
                }
                Err(failure) => transaction.error = Some(failure.clone().view(transaction.place)),
            }
        }
        self.reply(Some(answer), result.map(|_| Reply::Done));
    }
}

fn can_send_code(transaction: &Transaction) -> bool {
    let typing = [Stage::Phone, Stage::Code].contains(&transaction.stage);
    transaction.kind == TransactionKind::Topup && typing && !transaction.busy
}
