//! From a file to a list that is paid, and from there to one that is closed.

use bank_client::queue::{
    QueueClose, QueueItem, QueueItemState, QueueItemTold, QueueOpen, QueueOpened, QueueSend,
    QueueStanding, QueueState, QueueTold, RefusedRow,
};
use envelope::pin::{PIN_LENGTH, PinDigits};
use ipc::{Code, Language, MoneyPlace, QueueStage, Reply, Retry, SmsView};
use relay::{IndustryCode, Operation};
use roster::{Column, FlawKind, Flaws, Limits, List, Standing, Told};
use zeroize::Zeroizing;

use super::{Draft, Paid, Screen, item, report};
use crate::actor::{Actor, Answer, Happened};
use crate::failure::Failure;
use crate::notices::Errand;
use crate::opening::pin_block;
use crate::outside::{Chosen, ListFile};
use crate::run::lock;
use crate::terminal::{SmsSent, random};
use crate::transaction::{Transaction, masked_phone, phone_digits};

/// The most letters of a file's name that are shown.
const NAME_MOST: usize = 60;

impl Actor {
    pub(crate) fn begin_queue(&mut self) -> Result<Reply, Failure> {
        self.free_for_queue()?;
        let mut id = [0; 16];
        random(&mut id)?;
        let mut screen = Screen::new(id, QueueStage::Pick);
        screen.draft = Draft {
            industry: self.industry_of_queues(),
            ..Draft::default()
        };
        self.queues.screen = Some(screen);
        self.check_key();
        Ok(Reply::Done)
    }

    pub(crate) fn open_queue(&mut self, id: &str) -> Result<Reply, Failure> {
        self.free_for_queue()?;
        let paid = self.queues.store.get(id).ok_or(Code::QueueUnknown)?;
        let key = paid.key().ok_or(Code::QueueUnknown)?;
        let stage = if paid.closed {
            QueueStage::Closed
        } else {
            QueueStage::Tap
        };
        let mut screen = Screen::new(key, stage);
        // The answer to the payment never came: the bank tells the proof again, as soon as it can be asked.
        let unheard = paid.proof.is_none() && !paid.closed;
        screen.error = unheard.then(|| unsure(Code::BankSilent.into()));
        self.queues.screen = Some(screen);
        self.check_key();
        self.ask_queue(&hex::encode(key), None);
        self.card_is_here();
        Ok(Reply::Done)
    }

    /// Whatever else is on the screen gives way, unless money moves there.
    fn free_for_queue(&mut self) -> Result<(), Failure> {
        let updates = self.update.as_ref().is_some_and(|update| update.running);
        let committed = (self.transaction.as_ref()).is_some_and(Transaction::is_committed);
        if updates || committed || !self.leave_queue() {
            return Err(Code::NotNow.into());
        }
        if let Some(code) = self.locked() {
            return Err(code.into());
        }
        self.transaction = None;
        self.request = None;
        Ok(())
    }

    /// False: something runs that its screen must be there for.
    pub(crate) fn leave_queue(&mut self) -> bool {
        let Some(screen) = &mut self.queues.screen else {
            return true;
        };
        if screen.is_at_work() || screen.busy {
            return false;
        }
        let picking = screen.picking.take();
        self.queues.screen = None;
        if let Some(answer) = picking {
            self.refuse(Some(answer), Code::Cancelled);
        }
        true
    }

    /// What can be loaded here: of what the bank loads the kind that was seen last, or the first.
    fn industry_of_queues(&self) -> Option<IndustryCode> {
        let packages = self.packages.loaded();
        let able = |package: &&industry::Package| {
            let code = package.industry().to_string();
            let loads = package.operations().any(|it| it == Operation::TopUp);
            loads
                && self
                    .settings
                    .now
                    .limits
                    .iter()
                    .any(|(known, _)| *known == code)
        };
        let able: Vec<IndustryCode> = (packages.iter().filter(able))
            .map(industry::Package::industry)
            .collect();
        let seen = self.settings.now.purses.iter();
        let seen = seen.filter_map(|purse| purse.industry.parse().ok());
        let mut seen = seen.filter(|code| able.contains(code));
        seen.next().or(able.first().copied())
    }

    pub(crate) fn pick_list(&mut self, answer: Answer) {
        let chooses = |screen: &&mut Screen| {
            let stage = matches!(screen.stage, QueueStage::Pick | QueueStage::Check);
            stage && screen.picking.is_none()
        };
        let Some(screen) = self.queues.screen.as_mut().filter(chooses) else {
            return self.refuse(Some(answer), Code::NotNow);
        };
        screen.error = None;
        screen.picking = Some(answer);
        if self.errands.send(Errand::PickList).is_err() {
            // Nobody there who could open a dialog.
            self.list_chosen(Chosen::Unreadable);
        }
    }

    pub(crate) fn list_chosen(&mut self, chosen: Chosen) {
        let asked = self.queues.screen.as_mut();
        let Some(answer) = asked.and_then(|screen| screen.picking.take()) else {
            return;
        };
        let result = match chosen {
            Chosen::Nothing => Ok(Reply::Done),
            Chosen::Unreadable => Err(Code::ListUnreadable.into()),
            Chosen::File(file) => {
                self.take_list(&file);
                Ok(Reply::Done)
            }
        };
        if let (Err(failure), Some(screen)) = (&result, &mut self.queues.screen) {
            screen.refused(failure);
        }
        self.reply(Some(answer), result);
    }

    fn take_list(&mut self, file: &ListFile) {
        let Some(screen) = &mut self.queues.screen else {
            return;
        };
        screen.draft.name = Some(shown_name(&file.name));
        match List::parse(&file.bytes) {
            Ok(list) => {
                screen.draft.list = Some(list);
                screen.stage = QueueStage::Check;
                self.judge_list();
            }
            Err(flaws) => {
                screen.draft.list = None;
                screen.flaws = flaws;
                screen.stage = QueueStage::Pick;
            }
        }
    }

    /// By the limits of the bank, as far as they are known.
    fn judge_list(&mut self) {
        let industry = (self.queues.screen.as_ref()).and_then(|screen| screen.draft.industry);
        let limits = industry.and_then(|code| self.limits_of(&code.to_string()));
        let Some(screen) = &mut self.queues.screen else {
            return;
        };
        let limits = limits.map(|limits| Limits {
            min: limits.min_amount,
            max: limits.max_amount,
        });
        let beyond =
            (limits.zip(screen.draft.list.as_ref())).and_then(|(limits, list)| list.beyond(limits));
        screen.flaws = beyond.unwrap_or_default();
    }

    pub(crate) fn choose_industry(&mut self, industry: &str) -> Result<Reply, Failure> {
        let code: IndustryCode = industry.parse().map_err(|_| Code::CommandBad)?;
        let packages = self.packages.loaded();
        let package = packages.package(code).ok_or(Code::IndustryUnknown)?;
        if !package.operations().any(|it| it == Operation::TopUp) {
            return Err(Code::CardReadOnly.into());
        }
        let chooses =
            |screen: &&mut Screen| matches!(screen.stage, QueueStage::Pick | QueueStage::Check);
        let screen = self.queues.screen.as_mut().filter(chooses);
        screen.ok_or(Code::NotNow)?.draft.industry = Some(code);
        self.judge_list();
        Ok(Reply::Done)
    }

    pub(crate) fn accept_list(&mut self) -> Result<Reply, Failure> {
        let typing = |screen: &&mut Screen| {
            let before = match screen.stage {
                QueueStage::Check | QueueStage::Code | QueueStage::Password => true,
                QueueStage::Pick | QueueStage::Phone | QueueStage::Tap | QueueStage::Closed => {
                    false
                }
            };
            before && !screen.busy && screen.flaws.count == 0 && screen.draft.list.is_some()
        };
        let screen = self.queues.screen.as_mut().filter(typing);
        let screen = screen.ok_or(Code::NotNow)?;
        if self.queues.store.get(&hex::encode(screen.id)).is_some() {
            // It may be paid: only the same again may be sent.
            return Err(Code::NotNow.into());
        }
        if screen.draft.industry.is_none() {
            return Err(Code::IndustryUnknown.into());
        }
        if screen.sms.is_some() {
            // A code is for one list and one number. Another of either is another queue, and no code is waited for.
            random(&mut screen.id)?;
        }
        screen.stage = QueueStage::Phone;
        screen.error = None;
        screen.sms = None;
        screen.code = Zeroizing::default();
        screen.pin = PinDigits::default();
        Ok(Reply::Done)
    }

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
            Happened::CodeSent(id, masked_phone(&request.phone), sent, answer)
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

    fn payment(&mut self) -> Result<QueueOpen, Failure> {
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

    fn send_payment(&mut self, request: QueueOpen, answer: Option<Answer>) {
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

    /// The bank's word on a list; `answer`: of whoever waits for it.
    pub(crate) fn ask_queue(&mut self, id: &str, answer: Option<Answer>) {
        let key = super::store::sixteen(id);
        let (Some(queue), Some(_)) = (key, self.link.facts()) else {
            return self.refuse(answer, Code::NotNow);
        };
        let link = self.link.clone();
        self.beside(async move {
            let told = link.ask(&QueueState { queue }).await;
            Happened::QueueTold(queue, told, answer)
        });
    }

    /// With a network: what this device may have missed of each list that is not over.
    pub(crate) fn ask_queues(&mut self) {
        let open: Vec<Paid> = (self.queues.store.all.iter())
            .filter(|paid| !paid.is_over())
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
                let unpaid = |paid: &Paid| paid.proof.is_none() && paid.request.is_none();
                let unpaid = self.queues.store.get(&id).is_some_and(unpaid);
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

impl Screen {
    /// From here on nobody needs the numbers, the code or the password.
    fn paid(&mut self) {
        self.stage = QueueStage::Tap;
        self.error = None;
        self.draft = Draft::default();
        self.code = Zeroizing::default();
        self.pin = PinDigits::default();
    }
}

/// The answer is missing: the bank may have acted on what was sent.
fn is_unsure(code: Code) -> bool {
    let unsure = [
        Code::BankSilent,
        Code::BankTimeout,
        Code::BankError,
        Code::BankUntrusted,
    ];
    unsure.contains(&code)
}

/// The same again finds it out, and moves nothing twice.
fn unsure(failure: Failure) -> ipc::ErrorView {
    ipc::ErrorView {
        retry: Retry::Again,
        ..failure.view(MoneyPlace::Unsure)
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

/// A file's name in one short line, without its ending.
fn shown_name(name: &str) -> String {
    let name = name.strip_suffix(".csv").unwrap_or(name);
    let plain = name.chars().filter(|letter| !letter.is_control());
    plain.take(NAME_MOST).collect()
}
