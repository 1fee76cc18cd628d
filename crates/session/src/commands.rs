//! What each command of the page does.

use envelope::pin::{PIN_LENGTH, PinDigits};
use ipc::{
    Code, Command, ErrorView, Language, MoneyPlace, NetworkState, PurseView, ReceiptView, Reply,
    ResumeState, SettingsView, SmsView, Stage, StepName, StepState, TransactionKind,
};
use relay::IndustryCode;

use crate::actor::{Actor, Answer, Ask, Happened};
use crate::failure::Failure;
use crate::opening::{Terms, opening};
use crate::packages;
use crate::run::{self, Ended, Job, lock};
use crate::settings::BankLimits;
use crate::terminal::{SmsSent, random};
use crate::transaction::{OnCard, Transaction, card_view, home_of, masked_phone, phone_digits};
use crate::{diagnostics, export};

impl Actor {
    pub(crate) fn command(&mut self, ask: Ask) {
        let Ask { command, answer } = ask;
        let result = match command {
            Command::Enrol => return self.enrol(Some(answer)),
            Command::RenewKey => return self.renew_key(answer),
            Command::SendCode { phone } => return self.send_code(&phone, answer),
            Command::VerifyCode { code } => return self.verify_code(&code, answer),
            Command::RunDiagnostics => return self.diagnose(answer),
            Command::EraseDevice => return self.erase(answer),
            Command::Begin { kind } => self.begin(kind),
            Command::PinPress { digit } => self.pin_press(digit),
            Command::PinDelete => self.pin_delete(),
            Command::Submit { amount } => self.submit(amount),
            Command::Retry => self.retry(),
            Command::Leave => self.leave(),
            Command::ChooseReader { name } => self.choose_reader(name),
            Command::SetLanguage { language } => self.set(|view| view.language = language),
            Command::SetTheme { theme } => self.set(|view| view.theme = theme),
            Command::SetTextSize { percent } => self.set_text_size(percent),
            Command::History => Ok(Reply::History {
                entries: lock(&self.journal).history(),
            }),
            Command::ExportHistory => self.export_history(),
        };
        if let Err(failure) = &result {
            self.show_failure(failure);
        }
        self.reply(Some(answer), result);
    }

    /// A command that was refused shows on the transaction's screen as well.
    fn show_failure(&mut self, failure: &Failure) {
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let typed = [Stage::Phone, Stage::Code, Stage::Password].contains(&transaction.stage);
        if typed && failure.code != Code::NotNow {
            let view: ErrorView = failure.clone().view(transaction.place);
            transaction.error = Some(view);
        }
    }

    fn begin(&mut self, kind: TransactionKind) -> Result<Reply, Failure> {
        if let Some(now) = self.transaction.as_ref().filter(|now| now.is_committed()) {
            return if now.kind == kind {
                Ok(Reply::Done)
            } else {
                Err(Code::NotNow.into())
            };
        }
        let mut id = [0; 16];
        random(&mut id)?;
        let [.., attempt] = &mut id;
        *attempt = 0;
        let mut transaction = Transaction::new(kind, id);
        transaction.wait_for(self.reader.state);
        self.transaction = Some(transaction);
        if kind != TransactionKind::Balance && self.link.facts().is_some() {
            let link = self.link.clone();
            self.beside(async move {
                let checked = link.check_key().await;
                if checked.is_ok() {
                    let _ = link.bank().warm().await;
                }
                Happened::KeyChecked(checked)
            });
        }
        self.card_is_here();
        Ok(Reply::Done)
    }

    /// A card is on the reader: what waits for one starts.
    pub(crate) fn card_is_here(&mut self) {
        let here = self.reader.state == card_link::ReaderState::Card;
        let Some(transaction) = &self.transaction else {
            return;
        };
        if !here || transaction.running {
            return;
        }
        match transaction.on_card {
            OnCard::Nothing => {}
            OnCard::Identify => self.identify(),
            OnCard::Run => self.start_run(),
        }
    }

    /// Reads the card with each industry in turn until one knows it. Needs no bank.
    fn identify(&mut self) {
        let shells = self.shells();
        let industries: Vec<IndustryCode> = shells
            .packages
            .iter()
            .map(industry::Package::industry)
            .collect();
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let Some(first) = industries.first().copied() else {
            if self.network == NetworkState::Offline {
                transaction.fail(Code::Offline.into());
            }
            return;
        };
        let own_screen = transaction.kind == TransactionKind::Balance;
        transaction.running = true;
        transaction.on_card = OnCard::Nothing;
        if own_screen {
            transaction.stage = Stage::Running;
        }
        let id = transaction.id;
        let link = self.link.clone();
        let events = self.events.clone();
        self.beside(async move {
            let mut last = first;
            let mut ended = None;
            for industry in industries {
                last = industry;
                let terms = Terms::default();
                let kind = TransactionKind::Balance;
                let opening = match opening(&link, kind, id, industry, &terms) {
                    Ok(opening) => opening,
                    Err(failure) => {
                        ended = Some(Ended::failed(failure));
                        break;
                    }
                };
                let job = Job {
                    id,
                    kind,
                    industry,
                    opening,
                    amount: None,
                    tail: None,
                    about: None,
                };
                let steps = events.clone();
                let on_step = Box::new(move |name, state, place| {
                    if own_screen {
                        let _ = steps.send(Happened::Step(id, name, state, place));
                    }
                });
                let end = run::run(shells.clone(), job, on_step).await;
                let unknown = end.is(Code::CardNotSupported);
                ended = Some(end);
                if !unknown {
                    break;
                }
            }
            let ended = ended.unwrap_or_else(|| Ended::failed(Code::IndustryUnknown.into()));
            Happened::Identified(id, last, ended)
        });
    }

    pub(crate) fn identified(&mut self, id: [u8; 16], code: IndustryCode, ended: Ended) {
        let package = self.packages.loaded();
        let name = package
            .package(code)
            .map(packages::name)
            .unwrap_or_default();
        let limits = self.limits_of(&code.to_string());
        let now_ms = self.link.bank_now_ms();
        let current = |t: &Transaction| t.id == id;
        let Some(transaction) = self.transaction.as_mut().filter(|t| current(t)) else {
            return;
        };
        transaction.running = false;
        let closing = match ended.result {
            Ok(closing) => closing,
            Err(failure) => {
                self.not_identified(failure);
                return;
            }
        };
        let Some(card) = card_view(&closing, &code.to_string(), name) else {
            transaction.fail(Code::CardReplyBad.into());
            return;
        };
        transaction.industry = Some(code);
        transaction.limits = limits.map(|limits| limits.room(card.balance));
        transaction.error = None;
        let purse = PurseView {
            industry: card.industry.clone(),
            name: card.name.clone(),
            tail: card.tail.clone(),
            balance: card.balance,
            seen_ms: now_ms,
            expiry: card.expiry.clone(),
            active: card.active,
        };
        transaction.card = Some(card);
        match transaction.kind {
            TransactionKind::Balance => {
                transaction.all_steps(StepState::Done);
                transaction.stage = Stage::Done;
            }
            TransactionKind::Resume => self.resume_this_card(),
            TransactionKind::Topup | TransactionKind::Activate => {}
        }
        if let Err(error) = self.settings.saw(purse) {
            log::warn!("a purse was not remembered: {error}");
        }
        // What was submitted meanwhile waits for this.
        self.card_is_here();
    }

    /// A card that left too early is asked for again; anything else is told.
    fn not_identified(&mut self, failure: Failure) {
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let typed = [Stage::Phone, Stage::Code, Stage::Password].contains(&transaction.stage);
        let gone = [Code::CardNone, Code::ReaderNone, Code::ServiceDown].contains(&failure.code);
        if !typed && !gone {
            transaction.fail(failure);
            return;
        }
        if transaction.on_card == OnCard::Nothing {
            transaction.on_card = OnCard::Identify;
        }
        if typed {
            transaction.error = (!gone).then(|| failure.view(transaction.place));
        } else {
            transaction.stage = Stage::WaitCard;
            transaction.wait_for(card_link::ReaderState::Empty);
        }
    }

    fn limits_of(&self, industry: &str) -> Option<BankLimits> {
        self.settings
            .now
            .limits
            .iter()
            .find(|(code, _)| code == industry)
            .map(|(_, limits)| *limits)
    }

    /// Re-top-up goes on with what waits for this very card, or asks the bank whether it knows of something.
    fn resume_this_card(&mut self) {
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let tail = transaction
            .card
            .as_ref()
            .map(|card| card.tail.clone())
            .unwrap_or_default();
        let journal = lock(&self.journal);
        let load = journal.unfinished_on(&tail);
        transaction.about = load.map(|record| record.entry.transaction);
        transaction.place = load.map_or(MoneyPlace::None, crate::journal::Record::place);
        transaction.amount = load.map(|record| record.entry.amount);
        drop(journal);
        transaction.stage = Stage::Running;
        transaction.on_card = OnCard::Run;
        self.start_run();
    }

    fn send_code(&mut self, phone: &str, answer: Answer) {
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
            Happened::CodeSent(id, masked_phone(&phone), sent, answer)
        });
    }

    pub(crate) fn code_sent(
        &mut self,
        id: [u8; 16],
        phone: &str,
        result: Result<SmsSent, Failure>,
        answer: Answer,
    ) {
        self.bank_answered(result.as_ref().err());
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
                    });
                }
                Err(failure) => transaction.error = Some(failure.clone().view(transaction.place)),
            }
        }
        self.reply(Some(answer), result.map(|_| Reply::Done));
    }

    fn verify_code(&mut self, code: &str, answer: Answer) {
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

    fn pin_press(&mut self, digit: u8) -> Result<Reply, Failure> {
        let transaction = self.typing_password()?;
        if transaction.pin.len() < PIN_LENGTH {
            let typed = transaction.pin.push(digit);
            typed.then_some(()).ok_or(Code::CommandBad)?;
        }
        Ok(Reply::Done)
    }

    fn pin_delete(&mut self) -> Result<Reply, Failure> {
        self.typing_password()?.pin.pop();
        Ok(Reply::Done)
    }

    fn typing_password(&mut self) -> Result<&mut Transaction, Failure> {
        let typing = |t: &&mut Transaction| t.stage == Stage::Password && t.opening.is_none();
        self.transaction
            .as_mut()
            .filter(typing)
            .ok_or_else(|| Code::NotNow.into())
    }

    fn submit(&mut self, amount: Option<u32>) -> Result<Reply, Failure> {
        let transaction = self.typing_password()?;
        if transaction.kind == TransactionKind::Topup {
            let amount = amount.filter(|amount| *amount > 0).ok_or(Code::AmountBad)?;
            if let Some(limits) = &transaction.limits {
                if amount < limits.min {
                    return Err(Failure::from(Code::AmountLow).with("limit", limits.min));
                }
                if amount > limits.max {
                    return Err(Failure::from(Code::AmountHigh).with("limit", limits.max));
                }
            }
            transaction.amount = Some(amount);
        }
        if transaction.pin.len() != PIN_LENGTH {
            return Err(Code::PasswordShort.into());
        }
        transaction.error = None;
        self.go()?;
        Ok(Reply::Done)
    }

    /// From everything typed to a card at work.
    fn go(&mut self) -> Result<(), Failure> {
        self.link.terminal()?;
        let seen = self
            .settings
            .now
            .purses
            .first()
            .map(|purse| purse.industry.clone());
        let only = self
            .packages
            .loaded()
            .iter()
            .next()
            .map(industry::Package::industry);
        let link = self.link.clone();
        let Some(transaction) = &mut self.transaction else {
            return Err(Code::NotNow.into());
        };
        let seen = seen.and_then(|code| code.parse().ok());
        let code = transaction
            .industry
            .or(seen)
            .or(only)
            .ok_or(Code::IndustryUnknown)?;
        if transaction.opening.is_none() {
            let terms = Terms {
                amount: transaction
                    .amount
                    .filter(|_| transaction.kind == TransactionKind::Topup),
                pin: (transaction.pin.len() == PIN_LENGTH).then_some(&transaction.pin),
                sms_proof: transaction.proof,
                about: transaction.about,
            };
            let opening = opening(&link, transaction.kind, transaction.id, code, &terms)?;
            transaction.opening = Some(opening);
            transaction.pin = PinDigits::default();
            transaction.industry = Some(code);
        }
        transaction.all_steps(StepState::Waiting);
        transaction.on_card = OnCard::Run;
        transaction.stage = Stage::WaitCard;
        transaction.wait_for(self.reader.state);
        self.card_is_here();
        Ok(())
    }

    fn start_run(&mut self) {
        if self
            .transaction
            .as_ref()
            .is_some_and(|t| t.opening.is_none())
        {
            let made = self.go();
            if let (Err(failure), Some(transaction)) = (made, &mut self.transaction) {
                transaction.fail(failure);
            }
            return;
        }
        let shells = self.shells();
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let (Some(opening), Some(industry)) = (transaction.opening.clone(), transaction.industry)
        else {
            return transaction.fail(Code::Internal.into());
        };
        transaction.on_card = OnCard::Nothing;
        transaction.running = true;
        transaction.stage = Stage::Running;
        transaction.error = None;
        let id = transaction.id;
        let job = Job {
            id,
            kind: transaction.kind,
            industry,
            opening,
            amount: transaction.amount,
            tail: transaction.card.as_ref().map(|card| card.tail.clone()),
            about: transaction.about,
        };
        let steps = self.events.clone();
        let on_step = Box::new(move |name, state, place| {
            let _ = steps.send(Happened::Step(id, name, state, place));
        });
        self.beside(async move { Happened::Ended(id, run::run(shells, job, on_step).await) });
    }

    pub(crate) fn stepped(
        &mut self,
        id: [u8; 16],
        name: StepName,
        state: StepState,
        place: MoneyPlace,
    ) {
        let now_ms = self.parts.clock.now_ms();
        if let Some(transaction) = self.transaction.as_mut().filter(|t| t.id == id) {
            transaction.step(name, state, now_ms);
            transaction.place = place;
        }
    }

    pub(crate) fn ended(&mut self, id: [u8; 16], ended: Ended) {
        let heard = ended.result.as_ref().err();
        if heard.is_none() || heard.is_some_and(|f| f.code == Code::Offline) {
            self.bank_answered(heard);
        }
        let now_ms = self.link.bank_now_ms();
        let Some(transaction) = self.transaction.as_mut().filter(|t| t.id == id) else {
            return;
        };
        transaction.running = false;
        transaction.place = ended.place;
        transaction.times = Some(ended.times);
        match ended.result {
            Ok(closing) => {
                finish(transaction, &closing, now_ms);
                self.remember_balance(&closing);
            }
            Err(failure) => self.ended_badly(failure, ended.times.requests > 0),
        }
    }

    fn ended_badly(&mut self, failure: Failure, bank_asked: bool) {
        let waiting = lock(&self.journal).pending();
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let tail = transaction
            .card
            .as_ref()
            .map(|card| card.tail.clone())
            .unwrap_or_default();
        let code = failure.code;
        if transaction.kind == TransactionKind::Resume && code == Code::NothingPending {
            let other = waiting.iter().find(|load| load.tail != tail);
            if let Some(other) = other {
                transaction.place = other.place;
                transaction.fail(Failure::from(Code::CardOther).with("tail", &other.tail));
            } else {
                transaction.stage = Stage::Done;
                transaction.resume = Some(ResumeState::None);
            }
            return;
        }
        let moved = transaction.place != home_of(transaction.kind);
        if !moved && code == Code::CardNone {
            transaction.on_card = OnCard::Run;
            transaction.stage = Stage::WaitCard;
            transaction.wait_for(card_link::ReaderState::Empty);
            return;
        }
        let mut failure = failure;
        if code == Code::LoadOpen {
            transaction.place = MoneyPlace::InTransit;
        }
        if failure.reference.is_none() {
            let mine = waiting
                .iter()
                .find(|load| load.id == hex::encode(transaction.id));
            failure.reference = mine.and_then(|load| load.reference.clone());
        }
        let retry = failure.clone().view(transaction.place).retry;
        // The bank keeps its answer to this attempt for ever: another try is another attempt, typed anew.
        let answered = bank_asked && !moved && retry == ipc::Retry::Again && !code.is_unread();
        let types = matches!(
            transaction.kind,
            TransactionKind::Topup | TransactionKind::Activate
        );
        if types && (retry == ipc::Retry::Edit || answered) {
            transaction.next_attempt();
            transaction.stage = Stage::Password;
            transaction.error = Some(failure.view(transaction.place));
            if code == Code::SmsProofBad {
                transaction.stage = Stage::Phone;
                transaction.proof = None;
            }
            return;
        }
        transaction.fail(failure);
    }

    fn remember_balance(&mut self, closing: &industry::Closing) {
        let Some(balance) = closing.new_balance else {
            return;
        };
        let now_ms = self.link.bank_now_ms();
        let tail = self
            .transaction
            .as_ref()
            .and_then(|t| t.card.as_ref())
            .map(|c| c.tail.clone());
        let Some(purse) = self
            .settings
            .now
            .purses
            .iter()
            .find(|p| Some(&p.tail) == tail.as_ref())
        else {
            return;
        };
        let purse = PurseView {
            balance,
            seen_ms: now_ms,
            ..purse.clone()
        };
        if let Err(error) = self.settings.saw(purse) {
            log::warn!("a balance was not remembered: {error}");
        }
    }

    /// Runs the same again. What the bank has heard already it answers with the same bytes.
    fn retry(&mut self) -> Result<Reply, Failure> {
        let failed = |t: &&mut Transaction| t.stage == Stage::Failed;
        let transaction = self
            .transaction
            .as_mut()
            .filter(failed)
            .ok_or(Code::NotNow)?;
        let again = transaction.error.as_ref().map(|error| error.retry);
        let (kind, place) = (transaction.kind, transaction.place);
        if again == Some(ipc::Retry::Resume) {
            return self.begin(TransactionKind::Resume);
        }
        let fresh = matches!(kind, TransactionKind::Balance | TransactionKind::Resume);
        if fresh || transaction.opening.is_none() {
            return self.begin(kind);
        }
        debug_assert_eq!(
            place,
            home_of(kind),
            "money under way is settled by a re-top-up"
        );
        transaction.error = None;
        self.go()?;
        Ok(Reply::Done)
    }

    fn leave(&mut self) -> Result<Reply, Failure> {
        if self
            .transaction
            .as_ref()
            .is_some_and(Transaction::is_committed)
        {
            return Err(Code::NotNow.into());
        }
        self.transaction = None;
        Ok(Reply::Done)
    }

    fn renew_key(&mut self, answer: Answer) {
        if self.connecting || self.link.facts().is_none() {
            return self.refuse(Some(answer), Code::NotNow);
        }
        self.connect(Some(answer));
    }

    fn choose_reader(&mut self, name: Option<String>) -> Result<Reply, Failure> {
        self.settings
            .change(|settings| settings.reader.clone_from(&name))?;
        self.parts.reader.choose(name);
        Ok(Reply::Done)
    }

    fn set(&mut self, change: impl FnOnce(&mut SettingsView)) -> Result<Reply, Failure> {
        let mut view = self.settings_view();
        change(&mut view);
        self.settings
            .change(|settings| settings.view = Some(view))?;
        Ok(Reply::Done)
    }

    fn set_text_size(&mut self, percent: u16) -> Result<Reply, Failure> {
        if ![100, 125, 150, 200].contains(&percent) {
            return Err(Code::CommandBad.into());
        }
        self.set(|view| view.text_size = percent)
    }

    fn export_history(&self) -> Result<Reply, Failure> {
        let chinese = self.settings_view().language != Language::En;
        let path = export::write(
            &self.parts.documents,
            &lock(&self.journal).history(),
            chinese,
        )?;
        Ok(Reply::Exported { path })
    }

    fn diagnose(&self, answer: Answer) {
        let probe = diagnostics::Probe {
            link: self.link.clone(),
            vault: self.parts.vault.clone(),
            reader: self.reader.clone(),
            clock: self.parts.clock.clone(),
            version: self.parts.version.clone(),
        };
        tokio::spawn(async move {
            let (parts, report) = probe.run().await;
            let _ = answer.send(Ok(Reply::Diagnostics { parts, report }));
        });
    }

    fn erase(&mut self, answer: Answer) {
        let busy = self.transaction.as_ref().is_some_and(|t| t.running) || self.connecting;
        if busy {
            return self.refuse(Some(answer), Code::NotNow);
        }
        if !lock(&self.journal).pending().is_empty() {
            return self.refuse(Some(answer), Code::LoadOpen);
        }
        self.connecting = true;
        let link = self.link.clone();
        self.beside(async move { Happened::Erased(link.erase().await, answer) });
    }

    pub(crate) fn erased(&mut self, result: Result<(), Failure>, answer: Answer) {
        self.connecting = false;
        let result = result.and_then(|()| {
            lock(&self.journal).erase()?;
            self.settings
                .change(|settings| *settings = crate::settings::Settings::default())?;
            self.transaction = None;
            self.trouble = None;
            self.phase = ipc::Phase::Welcome;
            Ok(Reply::Done)
        });
        self.reply(Some(answer), result);
    }
}

fn can_send_code(transaction: &Transaction) -> bool {
    let typing = [Stage::Phone, Stage::Code].contains(&transaction.stage);
    transaction.kind == TransactionKind::Topup && typing && !transaction.busy
}

fn finish(transaction: &mut Transaction, closing: &industry::Closing, now_ms: u64) {
    transaction.stage = Stage::Done;
    transaction.error = None;
    transaction.all_steps(StepState::Done);
    transaction.resume =
        (transaction.kind == TransactionKind::Resume).then_some(if closing.already {
            ResumeState::AlreadyOnCard
        } else {
            ResumeState::Loaded
        });
    let tail = transaction
        .card
        .as_ref()
        .map(|card| card.tail.clone())
        .unwrap_or_default();
    transaction.receipt = Some(ReceiptView {
        amount: closing.amount.or(transaction.amount),
        old_balance: closing.old_balance,
        new_balance: closing.new_balance,
        tail,
        time_ms: closing.time_ms.unwrap_or(now_ms),
        reference: closing.reference.clone(),
        place: match transaction.kind {
            TransactionKind::Topup | TransactionKind::Resume => MoneyPlace::OnCard,
            TransactionKind::Balance | TransactionKind::Activate => MoneyPlace::None,
        },
    });
    if let Some(card) = &mut transaction.card {
        card.balance = closing.new_balance.unwrap_or(card.balance);
        card.active |= transaction.kind == TransactionKind::Activate;
    }
}
