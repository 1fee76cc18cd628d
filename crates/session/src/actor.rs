//! The one task that owns the state of the app. Everything that takes time runs beside it and reports back.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bank_client::queue::{QueueOpen, QueueOpened, QueueTold};
use bank_client::{BankClient, ProfileError};
use card_link::{CardReader, ReaderState, ReaderStatus};
use ipc::{AppView, Code, Command, ErrorView, MoneyPlace, NetworkState, Phase, Reply};
use key_vault::KeyVault;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::clock::{Clock, card_date};
use crate::command_kinds;
use crate::diagnostics::Diagnosed;
use crate::disk::DiskError;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::notices::Errand;
use crate::outside::{Outside, Request};
use crate::packages::{Offer, PackageStore};
use crate::queue::{Queues, Tapped};
use crate::run::{self, Ended, Shells, lock};
use crate::settings::{SettingsFile, Unsaved};
use crate::terminal::{Outcome, SmsSent, TerminalLink};
use crate::times::{RunTimes, TimesRecord};
use crate::trace::{TraceEvent, Tracer};
use crate::traced::{self, TracedReader};
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
    tracer: Tracer,
    asks: mpsc::Sender<Ask>,
    view: watch::Receiver<AppView>,
    times: watch::Receiver<Option<run::Times>>,
    outside: mpsc::UnboundedSender<Happened>,
    errands: broadcast::Sender<Errand>,
    #[cfg(feature = "simulator")]
    kin: crate::kin::Kin,
}

impl Session {
    /// Starts the actor on the current tokio runtime.
    pub fn start(mut parts: Parts) -> Result<Self, StartError> {
        std::fs::create_dir_all(&parts.dir).map_err(DiskError::from)?;
        let settings = SettingsFile::open(&parts.dir)?;
        let tracer = Tracer::open(&parts.dir);
        let journal = Journal::open(&parts.dir, tracer.clone())?;
        tracer.note(TraceEvent::Start {
            version: parts.version.clone(),
            enrolled: settings.now.terminal.is_some(),
            pending: journal.pending().len(),
        });
        parts.reader = Arc::new(TracedReader {
            inner: parts.reader,
            tracer: tracer.clone(),
        });
        parts.bank = traced::bank(parts.bank, &tracer);
        let mut queues = Queues::open(&parts.dir)?;
        // A power cut can come between the two.
        queues.store.learn(&journal);
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
        let (errands, _) = broadcast::channel(16);
        let outside = events.clone();
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
            queues,
            request: None,
            desk: None,
            update: None,
            hidden: false,
            connecting: false,
            unlocking: false,
            early: Vec::new(),
            key_queries: 0,
            runs: 0,
            inserted_before: 0,
            unwanted: false,
            delivering: 0,
            asking: 0,
            asked_outcomes: None,
            held: Vec::new(),
            revision: 0,
            tracer: tracer.clone(),
            record: TimesRecord::open(&parts.dir),
            events,
            times: times_tx,
            errands: errands.clone(),
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
            tracer,
            asks,
            view,
            times,
            outside,
            errands,
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

    /// What the system around the app has to tell.
    pub fn tell(&self, outside: Outside) {
        // Nobody is left to hear it when the session has ended.
        let _ = self.outside.send(Happened::Outside(outside));
    }

    /// What the shell should do, from now on.
    pub fn errands(&self) -> broadcast::Receiver<Errand> {
        self.errands.subscribe()
    }

    /// Gives a command and waits for its answer. Progress shows in the view.
    pub async fn run(&self, command: Command) -> Result<Reply, ErrorView> {
        let does = command_kinds::traced(&command);
        if let Some(does) = &does {
            self.tracer.note(does.clone());
        }
        let (answer, answered) = oneshot::channel();
        let gone = || Failure::from(Code::Internal).view(MoneyPlace::None);
        self.asks
            .send(Ask { command, answer })
            .await
            .map_err(|_| gone())?;
        let result = answered.await.unwrap_or_else(|_| Err(gone()));
        if does.is_some() {
            let code = result.as_ref().err().map(|error| error.code);
            self.tracer.note(TraceEvent::Answered { code });
        }
        result
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
    Connected(Result<Offer, Failure>, Option<Answer>),
    KeyChecked(Result<(), Failure>),
    CodeSent([u8; 16], String, Result<SmsSent, Failure>, Answer),
    CodeVerified([u8; 16], Result<[u8; 16], Failure>, Answer),
    Progress([u8; 16], run::Progress),
    Identified([u8; 16], relay::IndustryCode, Ended),
    Ended([u8; 16], Ended),
    Delivered(Result<(), Failure>),
    Learnt([u8; 16], Result<Outcome, Failure>),
    Erased(Result<(), Failure>, Answer),
    QueuePaid(Box<QueueOpen>, Result<QueueOpened, Failure>, Option<Answer>),
    QueueTold([u8; 16], Result<QueueTold, Failure>, Option<Answer>),
    QueueSaw([u8; 16], Ended),
    QueueStep([u8; 16], run::Progress),
    QueueEnded(Tapped, Ended),
    Diagnosed(Diagnosed, Answer),
    Confirmed(bool, Result<(), Failure>, Answer),
    Outside(Outside),
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
    pub(crate) told: Option<Code>,
    pub(crate) network: NetworkState,
    pub(crate) reader: ReaderStatus,
    pub(crate) transaction: Option<Transaction>,
    /// Many cards, one payment.
    pub(crate) queues: Queues,
    /// What a link asks for.
    pub(crate) request: Option<Request>,
    pub(crate) desk: Option<ipc::DeskView>,
    pub(crate) update: Option<ipc::UpdateView>,
    /// The window is out of sight.
    pub(crate) hidden: bool,
    /// A start or reconnect is under way.
    pub(crate) connecting: bool,
    /// The keystore has not answered yet.
    pub(crate) unlocking: bool,
    /// What was asked meanwhile and needs its answer, and what was asked after that.
    pub(crate) early: Vec<Ask>,
    /// Runs that hold the reader.
    pub(crate) runs: u32,
    /// The reader's count of insertions when the newest run began.
    pub(crate) inserted_before: u64,
    /// The person closed the sheet that asks for a card; the next command, or a second contact, takes that back.
    pub(crate) unwanted: bool,
    /// Proofs on their way to the bank.
    pub(crate) delivering: usize,
    /// Loads whose outcome the bank is being asked for.
    pub(crate) asking: usize,
    /// When it was asked last.
    pub(crate) asked_outcomes: Option<tokio::time::Instant>,
    /// Key queries under way: no relay message before their answers.
    pub(crate) key_queries: u32,
    /// Codes to ask for when the key queries are answered.
    pub(crate) held: Vec<(String, Answer)>,
    pub(crate) tracer: Tracer,
    /// How long the last runs took.
    pub(crate) record: TimesRecord,
    pub(crate) events: mpsc::UnboundedSender<Happened>,
    times: watch::Sender<Option<run::Times>>,
    pub(crate) errands: broadcast::Sender<Errand>,
    answers: Vec<(Answer, Result<Reply, ErrorView>)>,
    pub(crate) revision: u64,
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
        // A phone's system freezes an app in the background: what was missed is not made up for.
        retry.set_missed_tick_behavior(MissedTickBehavior::Skip);
        retry.reset();
        self.reader = readers.borrow_and_update().clone();
        self.trace_reader();
        self.unlock();
        loop {
            self.revision += 1;
            self.expect_card();
            self.notice();
            self.trace_view();
            self.save_seen(false);
            tell.send_replace(self.view());
            // Whoever gets an answer finds its effect in the view.
            for (answer, result) in self.answers.drain(..) {
                let _ = answer.send(result);
            }
            self.expect_load();
            tokio::select! {
                // Not by lot: the same events at the same time give the same life.
                biased;
                ask = asked.recv() => match ask {
                    Some(ask) => {
                        self.unwanted = false;
                        self.command(ask);
                    }
                    None => return self.settings.save(),
                },
                Some(event) = happened.recv() => self.happened(event),
                Ok(()) = readers.changed() => {
                    let status = readers.borrow_and_update().clone();
                    self.reader_changed(status);
                }
                _ = retry.tick() => {
                    self.save_seen(true);
                    self.retry_start();
                }
            }
        }
    }

    /// How a card stands changes twice in a top-up: it is saved when that is over, or after a while without a card at
    /// work. Whoever sees the receipt finds it after any restart.
    fn save_seen(&mut self, after_a_while: bool) {
        let open = self.transaction.as_ref().is_some_and(Transaction::is_open);
        let due = match self.settings.unsaved {
            Unsaved::Nothing => false,
            Unsaved::Balance => self.runs == 0 && (after_a_while || !open),
            Unsaved::Card => self.runs == 0,
        };
        // A phone's system ends apps that are out of sight.
        if due || self.hidden {
            self.settings.save();
        }
    }

    /// While the person waits for an SMS, the journal makes the file for their load.
    fn expect_load(&self) {
        let Some(transaction) = &self.transaction else {
            return lock(&self.journal).expect(None);
        };
        if self.runs == 0 {
            let typed = transaction.sms.is_some() && transaction.is_open();
            lock(&self.journal).expect(typed.then_some(transaction.id));
        }
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
            Happened::Progress(id, progress) => self.went_on(id, progress),
            Happened::Identified(id, industry, ended) => {
                self.run_ended(&id);
                let own_screen = |it: &Transaction| it.id == id && it.kind == ended.kind;
                if self.transaction.as_ref().is_some_and(own_screen) {
                    self.record_times(&ended);
                }
                self.identified(id, industry, ended);
            }
            Happened::Ended(id, ended) => {
                self.run_ended(&id);
                self.count_times(&ended);
                self.ended(id, ended);
            }
            Happened::Delivered(result) => self.delivered(result),
            Happened::Learnt(id, result) => self.learnt(id, result),
            Happened::Erased(result, answer) => self.erased(result, answer),
            Happened::QueuePaid(request, opened, answer) => {
                self.queue_paid(*request, opened, answer);
            }
            Happened::QueueTold(id, told, answer) => self.queue_told(id, told, answer),
            Happened::QueueSaw(id, ended) => self.queue_saw(id, ended),
            Happened::QueueStep(id, progress) => self.queue_went_on(id, progress),
            Happened::QueueEnded(tapped, ended) => {
                self.count_times(&ended);
                self.queue_ended(&tapped, ended);
            }
            Happened::Diagnosed(found, answer) => self.diagnosed(found, answer),
            Happened::Confirmed(on, result, answer) => self.confirmed(on, result, answer),
            Happened::Outside(outside) => self.outside(outside),
        }
    }

    fn count_times(&mut self, ended: &Ended) {
        if ended.times.requests > 0 {
            self.times.send_replace(Some(ended.times));
        }
        self.record_times(ended);
    }

    /// Runs that broke off say more of the fault than of the hops.
    fn record_times(&mut self, ended: &Ended) {
        if ended.result.is_ok() {
            self.record.add(RunTimes::of(ended.kind, &ended.times));
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

    fn trace_reader(&self) {
        let reader = traced::reader(&self.reader);
        self.tracer.note(TraceEvent::Reader { reader });
    }

    fn trace_view(&self) {
        self.tracer.note_app(TraceEvent::App {
            phase: self.phase,
            trouble: self.trouble.as_ref().map(|trouble| trouble.code),
        });
        let screen = self.transaction.as_ref().map(Transaction::screen);
        self.tracer.note_shown(screen);
    }

    fn reader_changed(&mut self, status: ReaderStatus) {
        let new_card = status.insertions != self.reader.insertions;
        let closed = status.closed != self.reader.closed;
        self.reader = status;
        self.trace_reader();
        if let Some(transaction) = &mut self.transaction {
            transaction.wait_for(self.reader.state);
        }
        if new_card || self.reader.state == ReaderState::Card {
            self.card_is_here();
        }
        if closed {
            self.card_unwanted();
        }
    }

    /// A phone polls only while a card is wanted, and iOS shows its sheet over the page then: what is typed comes first.
    fn expect_card(&self) {
        let first = self.settings.now.purses.is_empty();
        let wants = |transaction: &Transaction| transaction.wants_card(first);
        let wanted = self.transaction.as_ref().is_some_and(wants) || self.queues.wants_card();
        self.parts.reader.expect(wanted && !self.unwanted);
    }

    /// The person closed the sheet, or its time was over: the screen says so, and what was typed is kept.
    fn card_unwanted(&mut self) {
        self.unwanted = true;
        if let Some(screen) = &mut self.queues.screen {
            screen.card_unwanted();
        }
        let waits = |transaction: &&mut Transaction| transaction.stage == ipc::Stage::WaitCard;
        if let Some(transaction) = self.transaction.as_mut().filter(waits) {
            transaction.fail(Code::CardNone.into());
        }
    }
}
