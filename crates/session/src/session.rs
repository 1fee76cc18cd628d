//! The handle to a session, which its shells hold, and its start.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bank_client::{BankClient, ProfileError};
use card_link::{CardReader, ReaderStatus};
use ipc::{AppView, Code, Command, ErrorView, MoneyPlace, NetworkState, Phase, Reply};
use key_vault::KeyVault;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::actor::{Actor, Ask, Happened};
use crate::clock::{Clock, card_date};
use crate::command_kinds;
use crate::disk::DiskError;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::notices::Errand;
use crate::outside::Outside;
use crate::packages::PackageStore;
use crate::queue::Queues;
use crate::run;
use crate::settings::SettingsFile;
use crate::terminal::TerminalLink;
use crate::times::TimesRecord;
use crate::trace::{TraceEvent, Tracer};
use crate::traced::{self, TracedReader};

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
        let mut settings = SettingsFile::open(&parts.dir)?;
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
        // A power cut can come between the journal and these.
        queues.store.learn(&journal);
        settings.learn(&journal);
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
