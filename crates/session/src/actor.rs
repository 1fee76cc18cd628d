//! The one task that owns the state of the app. Everything that takes time runs beside it and reports back.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bank_client::{BankClient, ProfileError};
use card_link::{CardReader, ReaderState, ReaderStatus};
use ipc::{
    AboutView, AppView, Code, Command, ErrorView, MoneyPlace, NetworkState, Phase, ReaderKind,
    ReaderView, Reply, SettingsView, StepName, StepState, TerminalView,
};
use key_vault::KeyVault;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::{Clock, card_date};
use crate::disk::DiskError;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::packages::{PackageStore, SignedPackage};
use crate::run::{self, Ended, Shells, lock};
use crate::settings::{BankLimits, SettingsFile};
use crate::terminal::{SmsSent, TerminalLink};
use crate::transaction::Transaction;

/// Everything that a session needs from outside.
pub struct Parts {
    pub reader: Arc<dyn CardReader>,
    pub bank: BankClient,
    pub vault: Arc<dyn KeyVault>,
    pub clock: Arc<dyn Clock>,
    /// Where settings, packages and the journal are kept.
    pub dir: PathBuf,
    /// Where exports go.
    pub documents: PathBuf,
    /// The app's version.
    pub version: String,
    /// A build with the simulator, or a development bank.
    pub development: bool,
}

/// Why a session can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder of the app can't be used.
    #[error("the app's folder can't be used: {0}")]
    Disk(#[from] DiskError),
    /// The bank's profile is bad.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// A running session. Clones talk to the same one; it ends when the last is gone.
#[derive(Clone)]
pub struct Session {
    asks: mpsc::Sender<Ask>,
    view: watch::Receiver<AppView>,
    times: watch::Receiver<Option<run::Times>>,
    #[cfg(feature = "simulator")]
    kin: crate::kin::Kin,
}

impl Session {
    /// Starts the actor on the current tokio runtime.
    pub fn start(parts: Parts) -> Result<Self, StartError> {
        std::fs::create_dir_all(&parts.dir).map_err(DiskError::from)?;
        let settings = SettingsFile::open(&parts.dir)?;
        let journal = Journal::open(&parts.dir)?;
        let signer = parts.bank.profile().package_signer_key()?;
        let packages = PackageStore::open(&parts.dir, signer, card_date(parts.clock.now_ms()))?;
        let link = TerminalLink::new(
            parts.bank.clone(),
            parts.vault.clone(),
            parts.clock.clone(),
            settings.now.clock_offset_ms,
        );
        parts.reader.choose(settings.now.reader.clone());
        let (asks, asked) = mpsc::channel(64);
        let (events, happened) = mpsc::unbounded_channel();
        let (times_tx, times) = watch::channel(None);
        #[cfg(feature = "simulator")]
        let kin = crate::kin::Kin::default();
        let mut actor = Actor {
            link: Arc::new(link),
            settings,
            journal: Arc::new(Mutex::new(journal)),
            packages,
            phase: Phase::Starting,
            trouble: None,
            told: None,
            network: NetworkState::Unknown,
            reader: ReaderStatus::default(),
            transaction: None,
            connecting: false,
            key_queries: 0,
            runs: 0,
            inserted_before: 0,
            delivering: 0,
            held: Vec::new(),
            revision: 0,
            events,
            times: times_tx,
            answers: Vec::new(),
            #[cfg(feature = "simulator")]
            kin: kin.clone(),
            parts,
        };
        let (tell, view) = watch::channel(actor.view());
        let _life = tokio::spawn(async move { actor.live(asked, happened, tell).await });
        #[cfg(feature = "simulator")]
        kin.add(_life.abort_handle());
        Ok(Self {
            asks,
            view,
            times,
            #[cfg(feature = "simulator")]
            kin,
        })
    }

    /// Ends everything that this session does, wherever it is, as the end of its process would.
    #[cfg(feature = "simulator")]
    pub fn kill(&self) {
        self.kin.kill();
    }

    /// What the screens show, newest always.
    pub fn view(&self) -> watch::Receiver<AppView> {
        self.view.clone()
    }

    /// Where the time of the last run with a bank went.
    pub fn times(&self) -> Option<run::Times> {
        *self.times.borrow()
    }

    /// Gives a command and waits for its answer. Progress shows in the view.
    pub async fn run(&self, command: Command) -> Result<Reply, ErrorView> {
        let (answer, answered) = oneshot::channel();
        let gone = || Failure::from(Code::Internal).view(MoneyPlace::None);
        self.asks
            .send(Ask { command, answer })
            .await
            .map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Who waits for a command's answer.
pub(crate) type Answer = oneshot::Sender<Result<Reply, ErrorView>>;

pub(crate) struct Ask {
    pub(crate) command: Command,
    pub(crate) answer: Answer,
}

/// What the tasks beside the actor report.
pub(crate) enum Happened {
    Unlocked(Result<bool, Failure>),
    Enrolled(Result<(), Failure>, Option<Answer>),
    Connected(Result<Online, Failure>, Option<Answer>),
    KeyChecked(Result<(), Failure>),
    CodeSent([u8; 16], String, Result<SmsSent, Failure>, Answer),
    CodeVerified([u8; 16], Result<[u8; 16], Failure>, Answer),
    Step([u8; 16], StepName, StepState, MoneyPlace),
    Identified([u8; 16], relay::IndustryCode, Ended),
    Ended([u8; 16], Ended),
    Delivered(Result<(), Failure>),
    Erased(Result<(), Failure>, Answer),
    Confirmed(bool, Result<(), Failure>, Answer),
}

/// What a start with a network brings.
pub(crate) struct Online {
    pub(crate) packages: Vec<SignedPackage>,
    pub(crate) limits: Vec<(String, BankLimits)>,
}

pub(crate) struct Actor {
    pub(crate) parts: Parts,
    pub(crate) link: Arc<TerminalLink>,
    pub(crate) settings: SettingsFile,
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) packages: PackageStore,
    pub(crate) phase: Phase,
    pub(crate) trouble: Option<ErrorView>,
    /// The last failure in the log.
    told: Option<Code>,
    pub(crate) network: NetworkState,
    pub(crate) reader: ReaderStatus,
    pub(crate) transaction: Option<Transaction>,
    /// A start or reconnect is under way.
    pub(crate) connecting: bool,
    /// Runs that hold the reader.
    pub(crate) runs: u32,
    /// The reader's count of insertions when the newest run began.
    pub(crate) inserted_before: u64,
    /// Proofs on their way to the bank.
    delivering: usize,
    /// Key queries under way: no relay message before their answers.
    pub(crate) key_queries: u32,
    /// Codes to ask for when the key queries are answered.
    pub(crate) held: Vec<(String, Answer)>,
    pub(crate) events: mpsc::UnboundedSender<Happened>,
    times: watch::Sender<Option<run::Times>>,
    answers: Vec<(Answer, Result<Reply, ErrorView>)>,
    revision: u64,
    #[cfg(feature = "simulator")]
    kin: crate::kin::Kin,
}

/// Between tries to reach a bank that was away, or a keystore that was locked.
const RETRY_EVERY: Duration = Duration::from_secs(3);

impl Actor {
    async fn live(
        &mut self,
        mut asked: mpsc::Receiver<Ask>,
        mut happened: mpsc::UnboundedReceiver<Happened>,
        tell: watch::Sender<AppView>,
    ) {
        let mut readers = self.parts.reader.watch();
        let mut retry = tokio::time::interval(RETRY_EVERY);
        retry.reset();
        self.reader = readers.borrow_and_update().clone();
        self.unlock();
        loop {
            self.revision += 1;
            tell.send_replace(self.view());
            // Whoever gets an answer finds its effect in the view.
            for (answer, result) in self.answers.drain(..) {
                let _ = answer.send(result);
            }
            tokio::select! {
                // Not by lot: the same events at the same time give the same life.
                biased;
                ask = asked.recv() => match ask {
                    Some(ask) => self.command(ask),
                    None => return,
                },
                Some(event) = happened.recv() => self.happened(event),
                Ok(()) = readers.changed() => {
                    let status = readers.borrow_and_update().clone();
                    self.reader_changed(status);
                }
                _ = retry.tick() => self.retry_start(),
            }
        }
    }

    pub(crate) fn view(&self) -> AppView {
        let facts = self.link.facts();
        AppView {
            revision: self.revision,
            phase: self.phase,
            trouble: self.trouble.clone().or_else(|| self.damaged_journal()),
            network: self.network,
            reader: reader_view(&self.reader),
            terminal: facts.map(|facts| TerminalView {
                id: facts.terminal,
                key_check_value: facts.check_value,
                key_expires_ms: facts.expires_ms,
                suite: facts.suite,
            }),
            purses: self.settings.now.purses.clone(),
            pending: lock(&self.journal).pending(),
            transaction: self.transaction.as_ref().map(Transaction::view),
            packages: self.packages.views(),
            settings: self.settings_view(),
            about: AboutView {
                version: self.parts.version.clone(),
                bank: self.parts.bank.profile().name.clone(),
                development: self.parts.development,
            },
        }
    }

    /// A load may be in a file that can't be read: the bank knows it, and the person must know to ask.
    fn damaged_journal(&self) -> Option<ErrorView> {
        let damaged = lock(&self.journal).damaged;
        (damaged > 0).then(|| Failure::from(Code::JournalBad).view(MoneyPlace::None))
    }

    pub(crate) fn settings_view(&self) -> SettingsView {
        self.settings.now.view.clone().unwrap_or(SettingsView {
            language: ipc::Language::System,
            theme: ipc::Theme::System,
            text_size: 100,
            lock: false,
        })
    }

    fn happened(&mut self, event: Happened) {
        match event {
            Happened::Unlocked(result) => self.unlocked(result),
            Happened::Enrolled(result, answer) => self.enrolled(result, answer),
            Happened::Connected(result, answer) => self.connected(result, answer),
            Happened::KeyChecked(result) => self.key_checked(result),
            Happened::CodeSent(id, phone, result, answer) => {
                self.code_sent(id, &phone, result, answer);
            }
            Happened::CodeVerified(id, result, answer) => self.code_verified(id, result, answer),
            Happened::Step(id, name, state, place) => self.stepped(id, name, state, place),
            Happened::Identified(id, industry, ended) => {
                self.run_ended(&id);
                self.identified(id, industry, ended);
            }
            Happened::Ended(id, ended) => {
                self.run_ended(&id);
                if ended.times.requests > 0 {
                    self.times.send_replace(Some(ended.times));
                }
                self.ended(id, ended);
            }
            Happened::Delivered(result) => self.delivered(result),
            Happened::Erased(result, answer) => self.erased(result, answer),
            Happened::Confirmed(on, result, answer) => self.confirmed(on, result, answer),
        }
    }

    /// The reader is free again: what a newer screen wants of the card can start.
    fn run_ended(&mut self, id: &[u8; 16]) {
        self.runs = self.runs.saturating_sub(1);
        let current = |transaction: &Transaction| transaction.id == *id;
        if !self.transaction.as_ref().is_some_and(current) {
            self.card_is_here();
        }
    }

    /// Answers a command, if somebody waits, as soon as the view shows what it did.
    pub(crate) fn reply(&mut self, answer: Option<Answer>, result: Result<Reply, Failure>) {
        if let Some(answer) = answer {
            let result = result.map_err(|failure| failure.view(MoneyPlace::None));
            self.answers.push((answer, result));
        }
    }

    pub(crate) fn refuse(&mut self, answer: Option<Answer>, code: Code) {
        self.reply(answer, Err(code.into()));
    }

    /// Runs `work` beside the actor and hands its result back as an event.
    pub(crate) fn beside<F>(&self, work: F)
    where
        F: Future<Output = Happened> + Send + 'static,
    {
        let events = self.events.clone();
        let _task = tokio::spawn(async move {
            let _ = events.send(work.await);
        });
        #[cfg(feature = "simulator")]
        self.kin.add(_task.abort_handle());
    }

    pub(crate) fn shells(&self) -> Shells {
        Shells {
            link: self.link.clone(),
            reader: self.parts.reader.clone(),
            journal: self.journal.clone(),
            packages: self.packages.loaded(),
        }
    }

    pub(crate) fn bank_answered(&mut self, failure: Option<&Failure>) {
        self.network = match failure {
            Some(failure) if failure.code.is_away() || failure.code.is_distrust() => {
                NetworkState::Offline
            }
            Some(_) | None => NetworkState::Online,
        };
    }

    pub(crate) fn unlock(&mut self) {
        self.connecting = true;
        let link = self.link.clone();
        let ask = self.settings_view().lock;
        self.beside(async move { Happened::Unlocked(link.unlock(ask).await) });
    }

    fn unlocked(&mut self, result: Result<bool, Failure>) {
        self.connecting = false;
        match result {
            Ok(true) => {
                self.trouble = None;
                self.phase = Phase::Ready;
                self.connect(None);
            }
            Ok(false) if self.settings.now.terminal.is_some() => {
                // A keystore can look empty while it is only not there: the person decides.
                self.phase = Phase::Ready;
                self.trouble = Some(Failure::from(Code::KeystoreEmptied).view(MoneyPlace::None));
            }
            Ok(false) => {
                self.phase = Phase::Welcome;
                self.enrol(None);
            }
            Err(failure) => {
                self.phase = match self.settings.now.terminal {
                    Some(_) => Phase::Ready,
                    None => Phase::Welcome,
                };
                self.trouble = Some(failure.view(MoneyPlace::None));
            }
        }
    }

    pub(crate) fn enrol(&mut self, answer: Option<Answer>) {
        if self.connecting {
            self.refuse(answer, Code::NotNow);
            return;
        }
        let locked = [Code::UnlockRefused, Code::UnlockUnable];
        if let Some(trouble) = self.trouble.as_ref().filter(|t| locked.contains(&t.code)) {
            // A new key must not be the way around the lock.
            let code = trouble.code;
            return self.refuse(answer, code);
        }
        self.connecting = true;
        if self.phase == Phase::Welcome {
            self.phase = Phase::Enrolling;
        }
        let link = self.link.clone();
        let previous = self.settings.now.terminal.clone();
        self.beside(async move { Happened::Enrolled(link.enrol(previous).await, answer) });
    }

    fn enrolled(&mut self, result: Result<(), Failure>, answer: Option<Answer>) {
        self.connecting = false;
        self.bank_answered(result.as_ref().err());
        match result.and_then(|()| self.remember_terminal()) {
            Ok(()) => {
                self.trouble = None;
                self.connect(answer);
            }
            Err(failure) => {
                if self.phase == Phase::Enrolling {
                    self.phase = Phase::Welcome;
                }
                self.trouble = Some(failure.clone().view(MoneyPlace::None));
                self.reply(answer, Err(failure));
            }
        }
    }

    /// Every start with a network: a working key, the packages, the limits.
    pub(crate) fn connect(&mut self, answer: Option<Answer>) {
        self.connecting = true;
        let link = self.link.clone();
        self.beside(async move {
            let online = async {
                link.fetch_working_key().await?;
                let _ = link.bank().warm().await;
                let packages = link.packages().await?;
                let mut limits = Vec::new();
                for package in &packages {
                    limits.push((
                        package.industry.clone(),
                        link.limits(&package.industry).await?,
                    ));
                }
                Ok(Online { packages, limits })
            };
            Happened::Connected(online.await, answer)
        });
    }

    fn connected(&mut self, result: Result<Online, Failure>, answer: Option<Answer>) {
        self.connecting = false;
        self.bank_answered(result.as_ref().err());
        if self.phase == Phase::Enrolling {
            self.phase = Phase::Ready;
        }
        let result = result.and_then(|online| {
            let offset_ms = self.link.clock_offset_ms();
            let today = card_date(self.link.bank_now_ms());
            self.packages.update(online.packages, today)?;
            self.settings.change(|settings| {
                settings.limits = online.limits;
                settings.clock_offset_ms = offset_ms;
            })?;
            Ok(())
        });
        match &result {
            Ok(()) => {
                self.trouble = None;
                self.told = None;
                self.deliver_waiting();
                self.card_is_here();
            }
            Err(failure) => self.note_trouble(failure),
        }
        self.reply(answer, result.map(|()| Reply::Done));
    }

    /// What concerns the device as a whole stays on the screen until it heals; a bank that is away is no trouble.
    pub(crate) fn note_trouble(&mut self, failure: &Failure) {
        if self.told != Some(failure.code) {
            // Tried again every few seconds: once is enough in a log.
            log::warn!("{}: {:?}", failure.code.as_str(), failure.params);
            self.told = Some(failure.code);
        }
        if self.network == NetworkState::Online || failure.code.is_distrust() {
            self.trouble = Some(failure.clone().view(MoneyPlace::None));
        }
    }

    fn key_checked(&mut self, result: Result<(), Failure>) {
        self.key_queries = self.key_queries.saturating_sub(1);
        self.bank_answered(result.as_ref().err());
        // The query may have ended in a new enrolment.
        if let Err(failure) = result.and_then(|()| self.remember_terminal()) {
            self.note_trouble(&failure);
        }
        if self.key_queries == 0 {
            for (phone, answer) in std::mem::take(&mut self.held) {
                self.send_code(&phone, answer);
            }
        }
        self.card_is_here();
    }

    fn remember_terminal(&mut self) -> Result<(), Failure> {
        let facts = self.link.facts().ok_or(Code::Internal)?;
        if self.settings.now.terminal.as_ref() != Some(&facts.terminal) {
            self.settings
                .change(|settings| settings.terminal = Some(facts.terminal))?;
        }
        Ok(())
    }

    /// Heals by itself what time can heal.
    fn retry_start(&mut self) {
        if self.connecting {
            return;
        }
        if self.network != NetworkState::Offline && self.runs == 0 {
            self.deliver_waiting();
        }
        let waits_for_keystore = self.trouble.as_ref().is_some_and(|trouble| {
            [
                Code::KeystoreLocked,
                Code::KeystoreMissing,
                Code::KeystoreDenied,
                Code::KeystoreBroken,
            ]
            .contains(&trouble.code)
        });
        if waits_for_keystore {
            self.unlock();
        } else if self.phase == Phase::Welcome {
            self.enrol(None);
        } else if (self.network == NetworkState::Offline || self.start_was_hindered())
            && self.link.facts().is_some()
        {
            self.connect(None);
        }
    }

    /// The last start with a network failed for something that ends without the person.
    fn start_was_hindered(&self) -> bool {
        let passing = [Code::BankError, Code::BankBusy, Code::DiskFull];
        self.trouble
            .as_ref()
            .is_some_and(|trouble| passing.contains(&trouble.code))
    }

    /// The deliver-later queue: proofs that the bank has not acknowledged.
    fn deliver_waiting(&mut self) {
        if self.delivering > 0 || self.link.facts().is_none() {
            return;
        }
        let waiting = lock(&self.journal).to_deliver();
        self.delivering = waiting.len();
        for (id, message) in waiting {
            let shells = self.shells();
            self.beside(
                async move { Happened::Delivered(run::deliver(&shells, &id, &message).await) },
            );
        }
    }

    fn delivered(&mut self, result: Result<(), Failure>) {
        self.delivering = self.delivering.saturating_sub(1);
        self.bank_answered(result.as_ref().err());
        if let Err(failure) = result {
            log::warn!("a proof waits on: {}", failure.code.as_str());
        }
    }

    fn reader_changed(&mut self, status: ReaderStatus) {
        let new_card = status.insertions != self.reader.insertions;
        self.reader = status;
        if let Some(transaction) = &mut self.transaction {
            transaction.wait_for(self.reader.state);
        }
        if new_card || self.reader.state == ReaderState::Card {
            self.card_is_here();
        }
    }
}

fn reader_view(status: &ReaderStatus) -> ReaderView {
    let state = match status.state {
        ReaderState::None => ReaderKind::None,
        ReaderState::Empty => ReaderKind::Empty,
        ReaderState::Card => ReaderKind::Card,
        ReaderState::ServiceDown | ReaderState::Denied => ReaderKind::ServiceDown,
    };
    ReaderView {
        state,
        name: status.reader.clone(),
        readers: status.readers.clone(),
        chosen: status.chosen.clone(),
    }
}
