//! What each command of the page does.

use envelope::pin::{PIN_LENGTH, PinDigits};
use ipc::{
    CardColour, CardKey, Code, Command, ErrorView, HistoryState, Language, PendingView, Reply,
    SettingsView, Stage, StepState, TransactionKind,
};
use relay::IndustryCode;

use crate::actor::{Actor, Answer, Ask, Happened};
use crate::card_mark::CardMark;
use crate::command_kinds;
use crate::export;
use crate::failure::Failure;
use crate::opening::{Terms, opening};
use crate::remembered;
use crate::run::{self, lock};
use crate::terminal::random;
use crate::trace::TraceEvent;
use crate::traced;
use crate::transaction::{OnCard, Transaction, home_of};

impl Actor {
    pub(crate) fn command(&mut self, ask: Ask) {
        if self.unlocking && (command_kinds::needs_keys(&ask.command) || !self.early.is_empty()) {
            self.early.push(ask);
            return;
        }
        let Ask { command, answer } = ask;
        let result = match command {
            Command::Enrol => return self.enrol(Some(answer)),
            Command::RenewKey => return self.renew_key(answer),
            Command::SendCode { phone } => return self.send_code(&phone, answer),
            Command::VerifyCode { code } => return self.verify_code(&code, answer),
            Command::RunDiagnostics => return self.diagnose(answer),
            Command::EraseDevice => return self.erase(answer),
            Command::PickList => return self.pick_list(answer),
            Command::CloseQueue => return self.close_queue(answer),
            Command::Submit { .. } if self.queues.screen.is_some() => return self.pay(answer),
            Command::BeginQueue => self.begin_queue(),
            Command::OpenQueue { id } => self.open_queue(&id),
            Command::ChooseIndustry { industry } => self.choose_industry(&industry),
            Command::AcceptList => self.accept_list(),
            Command::ExportQueue { language } => self.export_queue(language),
            Command::SetLock { on } => return self.set_lock(on, answer),
            Command::Unlock => self.unlock_again(),
            Command::Begin { kind } => self.begin(kind, false),
            Command::Refund { load } => self.refund(load.as_deref()),
            Command::PinPress { digit } => self.pin_press(digit),
            Command::PinDelete => self.pin_delete(),
            Command::Submit { amount } => self.submit(amount),
            Command::Update => self.install_update(),
            Command::AcceptRequest => self.accept_request(),
            Command::DropRequest => self.drop_request(),
            Command::Retry => self.retry(),
            Command::Leave => self.leave(),
            Command::ChooseReader { name } => self.choose_reader(name),
            Command::DressCard {
                card,
                label,
                colour,
            } => self.dress_card(&card, &label, colour),
            Command::ForgetCard { card } => self.forget_card(&card),
            Command::SetLanguage { language } => self.set(|view| view.language = language),
            Command::SetTheme { theme } => self.set(|view| view.theme = theme),
            Command::SetTextSize { percent } => self.set_text_size(percent),
            Command::SetSound { on } => self.set(|view| view.sound = on),
            Command::SetTray { on } => self.set(|view| view.tray = on),
            Command::SetNotices { on } => self.set(|view| view.notices = on),
            Command::History => Ok(Reply::History {
                entries: lock(&self.journal).history().collect(),
            }),
            Command::ExportHistory { language, state } => self.export_history(language, state),
            Command::SaveReceipt { reference, png } => {
                self.save_receipt(reference.as_deref(), &png)
            }
            Command::ExportTrace => self.export_trace(),
            Command::Times => Ok(Reply::Times {
                kinds: self.record.views(),
            }),
        };
        if let Err(failure) = &result {
            self.show_failure(failure);
        }
        self.reply(Some(answer), result);
    }

    /// A command that was refused shows on the transaction's screen as well.
    pub(crate) fn show_failure(&mut self, failure: &Failure) {
        if let Some(screen) = &mut self.queues.screen {
            screen.refused(failure);
        }
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let typed = [Stage::Phone, Stage::Code, Stage::Password].contains(&transaction.stage);
        if typed && failure.code != Code::NotNow {
            let view: ErrorView = failure.clone().view(transaction.place);
            transaction.error = Some(view);
        }
    }

    pub(crate) fn begin(&mut self, kind: TransactionKind, refund: bool) -> Result<Reply, Failure> {
        self.begin_for(kind, refund, None)
    }

    fn begin_for(
        &mut self,
        kind: TransactionKind,
        refund: bool,
        wanted: Option<&PendingView>,
    ) -> Result<Reply, Failure> {
        if self.update.as_ref().is_some_and(|update| update.running) {
            // The app is about to end.
            return Err(Code::NotNow.into());
        }
        if let Some(now) = self.transaction.as_ref().filter(|now| now.is_committed()) {
            return if (now.kind, now.refund) == (kind, refund) {
                Ok(Reply::Done)
            } else {
                Err(Code::NotNow.into())
            };
        }
        if let Some(code) = self.locked().filter(|_| kind != TransactionKind::Balance) {
            // Told before anything is typed; a card's balance needs no key.
            return Err(code.into());
        }
        if !self.leave_queue() {
            return Err(Code::NotNow.into());
        }
        self.tracer.note(TraceEvent::Mark {
            pending: lock(&self.journal).pending().len(),
            reader: traced::reader(&self.reader),
        });
        let mut id = [0; 16];
        random(&mut id)?;
        let [.., attempt] = &mut id;
        *attempt = 0;
        let mut transaction = Transaction::new(kind, id);
        transaction.refund = refund;
        transaction.asked = self.still_asked(kind);
        transaction.wait_for(self.reader.state);
        let waiting = lock(&self.journal).pending();
        transaction.wanted = wanted.map(|load| load.id.clone());
        let oldest = waiting.first().filter(|_| kind == TransactionKind::Resume);
        if let Some(load) = wanted.or(oldest) {
            // Before the card is known, the oldest load is what the person came for.
            transaction.place = load.place;
            transaction.amount = Some(load.amount);
        }
        self.transaction = Some(transaction);
        // Whatever else was asked for, the person has chosen this.
        self.request = None;
        if kind != TransactionKind::Balance {
            self.check_key();
        }
        self.card_is_here();
        Ok(Reply::Done)
    }

    /// Every entry into something with the bank: is the key good?
    pub(crate) fn check_key(&mut self) {
        if self.link.facts().is_none() {
            return;
        }
        let link = self.link.clone();
        self.key_queries = self.key_queries.saturating_add(1);
        self.beside(async move {
            let checked = link.check_key().await;
            if checked.is_ok() {
                let _ = link.bank().warm().await;
            }
            Happened::KeyChecked(checked)
        });
    }

    /// A top-up begun anew for another phone number is still the one that a link asked for.
    fn still_asked(&self, kind: TransactionKind) -> Option<u32> {
        let typed = |now: &&Transaction| {
            now.kind == kind && [Stage::Phone, Stage::Code, Stage::Password].contains(&now.stage)
        };
        self.transaction.as_ref().filter(typed)?.asked
    }

    fn pin_press(&mut self, digit: u8) -> Result<Reply, Failure> {
        let pin = self.typed_pin()?;
        if pin.len() < PIN_LENGTH {
            let typed = pin.push(digit);
            typed.then_some(()).ok_or(Code::CommandBad)?;
        }
        Ok(Reply::Done)
    }

    fn pin_delete(&mut self) -> Result<Reply, Failure> {
        self.typed_pin()?.pop();
        Ok(Reply::Done)
    }

    fn typed_pin(&mut self) -> Result<&mut PinDigits, Failure> {
        if self.queues.screen.is_some() {
            return self.queue_pin().ok_or_else(|| Code::NotNow.into());
        }
        Ok(&mut self.typing_password()?.pin)
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
    pub(crate) fn go(&mut self) -> Result<(), Failure> {
        self.link.terminal()?;
        if self.key_queries > 0 {
            // The opening names terminal and key: both may be new after the query.
            return self.wait_for_card();
        }
        let Some(code) = self.industry_meant()? else {
            // Several could be meant: the card on the reader will say which.
            return self.wait_for_card();
        };
        let link = self.link.clone();
        let Some(transaction) = &mut self.transaction else {
            return Err(Code::NotNow.into());
        };
        if transaction.opening.is_none() {
            let terms = Terms {
                amount: transaction
                    .amount
                    .filter(|_| transaction.kind == TransactionKind::Topup),
                pin: (transaction.pin.len() == PIN_LENGTH).then_some(&transaction.pin),
                sms_proof: transaction.proof,
                about: transaction.about,
                refund: transaction.refund,
            };
            let opening = opening(&link, transaction.kind, transaction.id, code, &terms)?;
            transaction.opening = Some(opening);
            transaction.pin = PinDigits::default();
            transaction.industry = Some(code);
        }
        self.wait_for_card()
    }

    /// The industry of a transaction whose card was not read yet; none when it takes the card to know.
    pub(crate) fn industry_meant(&self) -> Result<Option<IndustryCode>, Failure> {
        let transaction = self.transaction.as_ref().ok_or(Code::NotNow)?;
        if transaction.industry.is_some() {
            return Ok(transaction.industry);
        }
        let operation = run::operation(transaction.kind);
        let packages = self.packages.loaded();
        let able = |package: &&industry::Package| package.operations().any(|it| it == operation);
        let mut codes = packages
            .iter()
            .filter(able)
            .map(industry::Package::industry);
        let first = codes.next().ok_or(Code::IndustryUnknown)?;
        if codes.next().is_none() {
            return Ok(Some(first));
        }
        // The code was sent for the purse that was seen last.
        let seen = self.settings.now.purses.first();
        let seen = seen.filter(|_| transaction.kind == TransactionKind::Topup);
        Ok(seen.and_then(|purse| purse.industry.parse().ok()))
    }

    fn wait_for_card(&mut self) -> Result<(), Failure> {
        let transaction = self.transaction.as_mut().ok_or(Code::NotNow)?;
        transaction.all_steps(StepState::Waiting);
        transaction.on_card = OnCard::Run;
        transaction.stage = Stage::WaitCard;
        transaction.wait_for(self.reader.state);
        self.card_is_here();
        Ok(())
    }

    /// Runs the same again. What the bank has heard already it answers with the same bytes.
    fn retry(&mut self) -> Result<Reply, Failure> {
        if self.queues.screen.is_some() {
            return self.retry_queue();
        }
        let failed = |t: &&mut Transaction| t.stage == Stage::Failed;
        let transaction = self
            .transaction
            .as_mut()
            .filter(failed)
            .ok_or(Code::NotNow)?;
        let again = transaction.error.as_ref().map(|error| error.retry);
        let (kind, place, refund) = (transaction.kind, transaction.place, transaction.refund);
        let wanted = transaction.wanted.clone();
        // What was agreed to for one load is not asked of another.
        let anew = |it: &mut Self, kind| match &wanted {
            Some(load) => it.refund(Some(load)),
            None => it.begin(kind, refund),
        };
        // Money under way is settled by a re-top-up, and by nothing else.
        if again == Some(ipc::Retry::Resume) || place != home_of(kind) {
            return anew(self, TransactionKind::Resume);
        }
        let fresh = matches!(kind, TransactionKind::Balance | TransactionKind::Resume);
        if fresh || transaction.opening.is_none() {
            return anew(self, kind);
        }
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
        if !self.leave_queue() {
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

    fn set_lock(&mut self, on: bool, answer: Answer) {
        if self.link.facts().is_none() {
            // Locked, or nothing there yet to lock.
            return self.refuse(Some(answer), Code::NotNow);
        }
        let link = self.link.clone();
        self.beside(async move { Happened::Confirmed(on, link.confirm().await, answer) });
    }

    pub(crate) fn confirmed(&mut self, on: bool, result: Result<(), Failure>, answer: Answer) {
        let result = result.and_then(|()| self.set(|view| view.lock = on));
        self.reply(Some(answer), result);
    }

    fn unlock_again(&mut self) -> Result<Reply, Failure> {
        if self.connecting || self.link.facts().is_some() {
            return Err(Code::NotNow.into());
        }
        self.unlock();
        Ok(Reply::Done)
    }

    fn choose_reader(&mut self, name: Option<String>) -> Result<Reply, Failure> {
        self.settings
            .change(|settings| settings.reader.clone_from(&name))?;
        self.parts.reader.choose(name);
        Ok(Reply::Done)
    }

    /// The person agreed to one load: none of another card goes back for it.
    fn refund(&mut self, load: Option<&str>) -> Result<Reply, Failure> {
        let waiting = lock(&self.journal).pending();
        let named = |load: &str| waiting.iter().find(|it| it.id == load);
        let wanted = load
            .map(|load| named(load).ok_or(Code::NotNow))
            .transpose()?;
        self.begin_for(TransactionKind::Resume, true, wanted)
    }

    fn dress_card(
        &mut self,
        card: &CardKey,
        label: &str,
        colour: CardColour,
    ) -> Result<Reply, Failure> {
        let label = remembered::label(label).ok_or(Code::CommandBad)?;
        let at = self.remembered(card)?;
        self.settings.change(|settings| {
            if let Some(purse) = settings.purses.get_mut(at) {
                purse.label = label;
                purse.colour = colour;
            }
        })?;
        Ok(Reply::Done)
    }

    fn forget_card(&mut self, card: &CardKey) -> Result<Reply, Failure> {
        let at = self.remembered(card)?;
        self.settings
            .forget(|settings| drop(settings.purses.remove(at)))?;
        Ok(Reply::Done)
    }

    /// Its place among the remembered ones.
    fn remembered(&self, card: &CardKey) -> Result<usize, Failure> {
        let purses = &self.settings.now.purses;
        let at = remembered::place(purses, &CardMark::from(card));
        at.ok_or_else(|| Code::CommandBad.into())
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

    fn export_history(
        &self,
        language: Language,
        state: Option<HistoryState>,
    ) -> Result<Reply, Failure> {
        let mut entries: Vec<_> = lock(&self.journal).history().collect();
        entries.retain(|entry| state.is_none_or(|state| entry.state == state));
        let path = export::write(&self.parts.documents, &entries, language)?;
        Ok(Reply::Exported { path })
    }

    fn save_receipt(&self, reference: Option<&str>, png: &[u8]) -> Result<Reply, Failure> {
        let name = export::picture_name(reference, png).ok_or(Code::CommandBad)?;
        let path = export::picture(&self.parts.documents, &name, png)?;
        Ok(Reply::Exported { path })
    }

    fn export_trace(&self) -> Result<Reply, Failure> {
        let (folder, version) = (&self.parts.documents, &self.parts.version);
        let path = self.tracer.export(folder, version)?;
        Ok(Reply::Exported { path })
    }

    fn erase(&mut self, answer: Answer) {
        let busy = self.transaction.as_ref().is_some_and(|t| t.running) || self.connecting;
        if busy {
            return self.refuse(Some(answer), Code::NotNow);
        }
        if !lock(&self.journal).pending().is_empty() {
            return self.refuse(Some(answer), Code::LoadOpen);
        }
        if self.queues.store.holds_money() {
            return self.refuse(Some(answer), Code::QueueOpen);
        }
        self.connecting = true;
        let link = self.link.clone();
        self.beside(async move { Happened::Erased(link.erase().await, answer) });
    }

    pub(crate) fn erased(&mut self, result: Result<(), Failure>, answer: Answer) {
        self.connecting = false;
        let result = result.and_then(|()| {
            lock(&self.journal).erase()?;
            self.queues.store.erase()?;
            self.queues.screen = None;
            self.tracer.erase();
            self.record.erase();
            self.settings.erase()?;
            self.transaction = None;
            self.trouble = None;
            self.phase = ipc::Phase::Welcome;
            Ok(Reply::Done)
        });
        self.reply(Some(answer), result);
    }
}
