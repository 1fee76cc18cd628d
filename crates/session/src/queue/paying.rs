//! The code, the password and the payment of a list.

use bank_client::queue::{QueueItem, QueueOpen, QueueOpened, QueueSend, RefusedRow};
use envelope::pin::{PIN_LENGTH, PinDigits};
use ipc::{Code, MoneyPlace, QueueStage, Reply, Retry, SmsView};
use roster::{Column, FlawKind, Flaws};
use zeroize::Zeroizing;

use super::{Draft, Paid, Screen, item};
use crate::actor::{Actor, Answer, Happened};
use crate::failure::Failure;
use crate::opening::pin_block;
use crate::terminal::SmsSent;
use crate::transaction::{masked_phone, phone_digits};

impl Actor {
    pub(crate) fn queue_send_code(&mut self, phone: &str, answer: Answer) {
        let typing = |screen: &&mut Screen| {
            matches!(screen.stage, QueueStage::Phone | QueueStage::Code) && !screen.busy
        };
        let link = self.link.clone();
        let Some(screen) = self.queues.screen.as_mut().filter(typing) else {
            return self.refuse(Some(answer), Code::NotNow);
        };
        let Some(phone) = phone_digits(phone) else {
            screen.refused(&Code::PhoneBad.into());
            return self.refuse(Some(answer), Code::PhoneBad);
        };
        let (Some(list), Some(industry)) = (&screen.draft.list, screen.draft.industry) else {
            return self.refuse(Some(answer), Code::NotNow);
        };
        let request = QueueSend {
            queue: screen.id,
            industry: industry.to_string(),
            phone,
            cards: u32::try_from(list.rows.len()).unwrap_or(u32::MAX),
            total: list.total(),
        };
        screen.busy = true;
        screen.error = None;
        let id = screen.id;
        self.beside(async move {
            let sent = link.ask(&request).await.map(|sent| SmsSent {
                resend_after_ms: sent.resend_after_ms,
                valid_ms: sent.valid_ms,
            });
            let phone = masked_phone(&request.phone);
            Happened::CodeSent(id, (phone, None), sent, answer)
        });
    }

    /// What the screen shows of a code that was sent.
    pub(crate) fn queue_code_sent(
        &mut self,
        id: &[u8; 16],
        phone: &str,
        result: &Result<SmsSent, Failure>,
    ) {
        let now_ms = self.parts.clock.now_ms();
        let Some(screen) = self.queues.shown(id) else {
            return;
        };
        screen.busy = false;
        match result {
            Ok(sent) => {
                screen.stage = QueueStage::Code;
                screen.sms = Some(SmsView {
                    phone_masked: phone.to_owned(),
                    resend_at_ms: now_ms.saturating_add(sent.resend_after_ms),
                    expires_at_ms: now_ms.saturating_add(sent.valid_ms),
                    tail: None,
                });
            }
            Err(failure) => screen.refused(failure),
        }
    }

    /// The code goes to the bank with the payment: it is good for this list, this total and no other.
    pub(crate) fn queue_take_code(&mut self, code: &str) -> Result<Reply, Failure> {
        let at_code = |screen: &&mut Screen| screen.stage == QueueStage::Code && !screen.busy;
        let screen = self.queues.screen.as_mut().filter(at_code);
        let screen = screen.ok_or(Code::NotNow)?;
        let code = code.trim();
        if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Code::CodeBad.into());
        }
        screen.code = Zeroizing::new(code.to_owned());
        screen.stage = QueueStage::Password;
        screen.error = None;
        Ok(Reply::Done)
    }

    /// The password as far as it is typed.
    pub(crate) fn queue_pin(&mut self) -> Option<&mut PinDigits> {
        let typing = |screen: &&mut Screen| screen.stage == QueueStage::Password && !screen.busy;
        let screen = self.queues.screen.as_mut().filter(typing)?;
        Some(&mut screen.pin)
    }

    /// Pays: on the disk first, so that whatever becomes of the answer is found out.
    pub(crate) fn pay(&mut self, answer: Answer) {
        let request = match self.payment() {
            Ok(request) => request,
            Err(failure) => {
                if let Some(screen) = &mut self.queues.screen {
                    screen.refused(&failure);
                }
                return self.reply(Some(answer), Err(failure));
            }
        };
        self.send_payment(request, Some(answer));
    }

    pub(super) fn payment(&mut self) -> Result<QueueOpen, Failure> {
        if self.key_queries > 0 {
            // The password is sealed under a key that may be another one after the query.
            return Err(Code::NotNow.into());
        }
        let now_ms = self.link.bank_now_ms();
        let ready = |screen: &&mut Screen| screen.stage == QueueStage::Password && !screen.busy;
        let screen = self.queues.screen.as_mut().filter(ready);
        let screen = screen.ok_or(Code::NotNow)?;
        let id = hex::encode(screen.id);
        if let Some(request) = self.queues.store.get(&id).and_then(|it| it.request.clone()) {
            // Not answered: the very same again, whatever was typed since.
            return Ok(request);
        }
        if screen.pin.len() != PIN_LENGTH {
            return Err(Code::PasswordShort.into());
        }
        let (Some(list), Some(industry)) = (&screen.draft.list, screen.draft.industry) else {
            return Err(Code::NotNow.into());
        };
        let part = |row: &roster::Row| QueueItem {
            card: row.card.clone(),
            amount: row.amount,
        };
        let request = QueueOpen {
            queue: screen.id,
            industry: industry.to_string(),
            code: screen.code.clone(),
            pin_block: pin_block(&self.link, &screen.pin)?,
            items: list.rows.iter().map(part).collect(),
        };
        let name = screen.draft.name.clone().unwrap_or_default();
        let items = list.rows.iter().map(item).collect();
        let paid = Paid::new(screen.id, name, industry.to_string(), now_ms, items);
        self.queues.store.keep(paid)?;
        Ok(request)
    }

    pub(super) fn send_payment(&mut self, request: QueueOpen, answer: Option<Answer>) {
        let id = request.queue;
        if let Some(screen) = self.queues.shown(&id) {
            screen.busy = true;
            screen.error = None;
        }
        let link = self.link.clone();
        self.beside(async move {
            let opened = link.ask(&request).await;
            Happened::QueuePaid(Box::new(request), opened, answer)
        });
    }

    pub(crate) fn queue_paid(
        &mut self,
        request: QueueOpen,
        result: Result<QueueOpened, Failure>,
        answer: Option<Answer>,
    ) {
        self.bank_answered(result.as_ref().err());
        let id = hex::encode(request.queue);
        let result = match result {
            Ok(opened) => self.queue_opened(&id, opened),
            Err(failure) => {
                self.queue_not_opened(request, &failure);
                Err(failure)
            }
        };
        if let Some(screen) = self
            .queues
            .screen
            .as_mut()
            .filter(|it| hex::encode(it.id) == id)
        {
            screen.busy = false;
        }
        self.reply(answer, result);
        self.card_is_here();
    }

    fn queue_opened(&mut self, id: &str, opened: QueueOpened) -> Result<Reply, Failure> {
        let mut paid = (self.queues.store.get(id).cloned()).ok_or(Code::Internal)?;
        paid.proof = Some(hex::encode(opened.proof));
        paid.closes_ms = Some(opened.closes_ms);
        paid.request = None;
        if let Some(screen) = self
            .queues
            .screen
            .as_mut()
            .filter(|it| hex::encode(it.id) == id)
        {
            screen.paid();
        }
        self.queues.store.keep(paid)?;
        Ok(Reply::Done)
    }

    fn queue_not_opened(&mut self, request: QueueOpen, failure: &Failure) {
        let id = hex::encode(request.queue);
        let was_unsure = (self.queues.store.get(&id)).is_some_and(|paid| paid.request.is_some());
        let may_be_paid = is_unsure(failure.code) || (was_unsure && failure.code.is_unread());
        if !may_be_paid {
            self.queues.store.drop(&id);
        } else if let Some(paid) = self.queues.store.all.iter_mut().find(|it| it.id == id) {
            paid.request = Some(request.clone());
        }
        let Some(screen) = self.queues.shown(&request.queue) else {
            return;
        };
        screen.error = Some(if may_be_paid {
            unsure(failure.clone())
        } else {
            failure.clone().view(MoneyPlace::Account)
        });
        let of_code = [
            Code::CodeWrong,
            Code::CodeExpired,
            Code::CodeLocked,
            Code::CodeUnknown,
        ];
        if of_code.contains(&failure.code) {
            screen.stage = QueueStage::Code;
            screen.code = Zeroizing::default();
        } else if failure.code == Code::QueueRows {
            screen.stage = QueueStage::Check;
            screen.flaws = bank_flaws(&screen.draft, failure);
        } else if !may_be_paid && !failure.code.is_unread() {
            screen.pin = PinDigits::default();
        }
    }
}

impl Screen {
    /// From here on nobody needs the numbers, the code or the password.
    pub(super) fn paid(&mut self) {
        self.stage = QueueStage::Tap;
        self.error = None;
        self.draft = Draft::default();
        self.code = Zeroizing::default();
        self.pin = PinDigits::default();
    }
}

/// The answer is missing: the bank may have acted on what was sent.
pub(super) fn is_unsure(code: Code) -> bool {
    let unsure = [
        Code::BankSilent,
        Code::BankTimeout,
        Code::BankError,
        Code::BankUntrusted,
    ];
    unsure.contains(&code)
}

/// The same again finds it out, and moves nothing twice.
pub(super) fn unsure(failure: Failure) -> ipc::ErrorView {
    ipc::ErrorView {
        retry: Retry::Again,
        ..failure.view(MoneyPlace::Unsure)
    }
}

/// The rows that the bank refuses, as rows of the file.
fn bank_flaws(draft: &Draft, failure: &Failure) -> Flaws {
    let mut flaws = Flaws::default();
    for RefusedRow { row, code } in RefusedRow::of(&failure.params) {
        let rows = draft.list.as_ref().map(|list| list.rows.as_slice());
        let row = rows.and_then(|rows| rows.get(row)).map_or(0, |row| row.row);
        let (column, kind) = match code.as_str() {
            "card-blocked" => (Column::Card, FlawKind::CardBlocked),
            "card-twice" => (Column::Card, FlawKind::CardTwice),
            "amount-low" => (Column::Amount, FlawKind::AmountLow),
            "amount-high" => (Column::Amount, FlawKind::AmountHigh),
            _unknown => (Column::Card, FlawKind::CardUnknown),
        };
        flaws.push(row, Some(column), kind, None);
    }
    flaws
}
