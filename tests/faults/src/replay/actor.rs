//! The app under the trace: each deed of the person and each word of the reader comes when as much has happened as in
//! the trace before it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bank_client::BankClient;
use card_link::{ReaderStatus, SimulatedReader};
use ipc::{Code, Command, Phase, TransactionKind};
use key_vault::MemoryVault;
use session::{DiskError, Parts, Reader, Session, TraceEvent, TraceLine, Written};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::compare::{Counts, count};
use super::script::Script;
use super::shells::{Played, PlayedNetwork, PlayedReader, status};
use super::{Guess, ReplayError};
use crate::cards::PLAIN;
use crate::network::BankProcess;
use crate::person::{PASSWORD, PHONE};
use crate::plan::Plan;
use crate::point::Act;
use crate::run::simulated_time;
use crate::template::{Template, Templates};
use crate::wallet::Wallet;
use crate::world::{AppClock, World};

/// So long something of the trace is waited for, simulated.
const PATIENCE: Duration = Duration::from_secs(400);

/// Runs the script with one guess; what the app noted.
pub(crate) fn run(
    templates: &Templates,
    script: &Arc<Script>,
    guess: Guess,
) -> Result<Vec<TraceLine>, ReplayError> {
    let failed = |error: std::io::Error| ReplayError::Stage(error.to_string());
    simulated_time().map_err(failed)?.block_on(async {
        let template = templates.of(guess.card);
        let dir = template.copy().map_err(failed)?;
        let stage = Stage::new(template, dir, script, guess).map_err(failed)?;
        let ended = stage.play().await;
        session::watch_trace(None);
        session::watch_disk(None);
        stage.world.kill_app();
        stage.bank.stop().await;
        ended?;
        let lines = stage.noted.lines.borrow().clone();
        Ok(lines)
    })
}

#[derive(Default)]
struct Noted {
    lines: RefCell<Vec<TraceLine>>,
    counts: RefCell<Counts>,
    more: Notify,
}

struct Stage<'a> {
    template: &'a Template,
    dir: TempDir,
    vault: Arc<MemoryVault>,
    world: Arc<World>,
    bank: Arc<BankProcess>,
    reader: watch::Sender<ReaderStatus>,
    played: Arc<Played>,
    noted: Rc<Noted>,
}

impl<'a> Stage<'a> {
    fn new(
        template: &'a Template,
        dir: TempDir,
        script: &Arc<Script>,
        guess: Guess,
    ) -> std::io::Result<Self> {
        let (card, other) = if guess.active {
            (guess.card.active(), guess.card.inactive())
        } else {
            (guess.card.inactive(), guess.card.active())
        };
        let plan = Plan::plain(PLAIN, Act::Healing);
        let world = Arc::new(World::new(&plan, Wallet::new(card, other), false));
        let bank = dir.path().join("bank");
        let bank = Arc::new(BankProcess::new(&world, bank, template.config.clone()));
        let mut vault = template.vault.copy();
        if let Some(TraceEvent::Start {
            enrolled: false, ..
        }) = script.lines.first().map(|line| &line.event)
        {
            vault = MemoryVault::default();
            std::fs::remove_dir_all(dir.path().join("app"))?;
        }
        let played = Arc::new(Played::new(script, guess));
        let stage = Self {
            template,
            dir,
            vault: Arc::new(vault),
            world,
            bank,
            reader: watch::Sender::default(),
            played,
            noted: Rc::default(),
        };
        stage.watch();
        Ok(stage)
    }

    fn watch(&self) {
        let noted = self.noted.clone();
        session::watch_trace(Some(Rc::new(move |line| {
            count(&mut noted.counts.borrow_mut(), &line.event);
            noted.lines.borrow_mut().push(line.clone());
            noted.more.notify_one();
        })));
        let played = self.played.clone();
        session::watch_disk(Some(Rc::new(move |moment, write| {
            let journal = write
                .path
                .components()
                .any(|part| part.as_os_str() == "journal");
            // The trace tells of states; a file that is made ready has none.
            let says = !write.bytes.trim_ascii().is_empty();
            if moment != Written::Before || !journal || !says || !played.is_on() {
                return Ok(());
            }
            let nth = played.kept.fetch_add(1, Ordering::SeqCst);
            let kept = played.script.kept.get(nth).copied().unwrap_or(true);
            if kept { Ok(()) } else { Err(DiskError::Full) }
        })));
    }

    fn start(&self) -> Result<Session, ReplayError> {
        let app = self.dir.path().join("app");
        let slot = self.world.wallet.slot.clone();
        let network = PlayedNetwork {
            bank: self.bank.clone(),
            played: self.played.clone(),
        };
        let reader = PlayedReader {
            inner: SimulatedReader::new(slot.clone()),
            slot,
            status: self.reader.subscribe(),
            played: self.played.clone(),
        };
        self.world.app_starts();
        let session = Session::start(Parts {
            reader: Arc::new(reader),
            bank: BankClient::over(self.template.profile.clone(), Arc::new(network)),
            vault: self.vault.clone(),
            clock: Arc::new(AppClock(self.world.clone())),
            documents: app.join("documents"),
            dir: app,
            version: "replayed".to_owned(),
            development: true,
        });
        let session = session.map_err(|error| ReplayError::Stage(error.to_string()))?;
        self.world.app_started(session.clone());
        Ok(session)
    }

    async fn play(&self) -> Result<(), ReplayError> {
        let script = self.played.script.clone();
        let mut wanted = Counts::new();
        let mut session = None;
        let mut kind = TransactionKind::Balance;
        let mut before_ms = 0;
        for (at, line) in script.lines.iter().enumerate() {
            let gap = Duration::from_millis(line.at_ms.saturating_sub(before_ms));
            before_ms = line.at_ms;
            match &line.event {
                TraceEvent::Start { .. } => {
                    if at > 0 && !self.reached(&wanted).await {
                        return Ok(());
                    }
                    self.world.kill_app();
                    self.show(first_reader(script.lines.get(at..).unwrap_or_default()));
                    self.played.on.store(true, Ordering::SeqCst);
                    session = Some(self.start()?);
                }
                TraceEvent::Mark { reader, .. } if session.is_none() => {
                    self.show(Some(*reader));
                    session = Some(self.ready().await?);
                }
                TraceEvent::Reader { reader } => {
                    if self.reader.borrow().insertions == reader.insertions
                        && *self.reader.borrow() == status(*reader)
                    {
                        continue;
                    }
                    if !self.reached(&wanted).await {
                        return Ok(());
                    }
                    sleep(gap).await;
                    self.show(Some(*reader));
                }
                TraceEvent::Person { does, kind: begun } => {
                    if !self.reached(&wanted).await {
                        return Ok(());
                    }
                    sleep(gap).await;
                    kind = begun.unwrap_or(kind);
                    let commands = self.commands(does, kind, at).await;
                    if let Some(session) = session.clone() {
                        tokio::spawn(async move {
                            for command in commands {
                                drop(session.run(command).await);
                            }
                        });
                    }
                }
                TraceEvent::Mark { .. }
                | TraceEvent::Answered { .. }
                | TraceEvent::Opened { .. }
                | TraceEvent::Card { .. }
                | TraceEvent::Bank { .. }
                | TraceEvent::Journal { .. }
                | TraceEvent::App { .. }
                | TraceEvent::Shown { .. } => count(&mut wanted, &line.event),
            }
        }
        self.reached(&wanted).await;
        Ok(())
    }

    fn show(&self, reader: Option<Reader>) {
        if let Some(reader) = reader {
            self.reader.send_replace(status(reader));
        }
    }

    /// An app that started before the trace begins, with everything whole.
    async fn ready(&self) -> Result<Session, ReplayError> {
        let session = self.start()?;
        let mut view = session.view();
        let ready = view.wait_for(|view| {
            let key = view.terminal.as_ref().and_then(|it| it.key_expires_ms);
            view.phase == Phase::Ready && key.is_some() && !view.packages.is_empty()
        });
        let ready = timeout(PATIENCE, ready).await;
        ready
            .map_err(|_| ReplayError::Stage("the app does not start".to_owned()))?
            .map_err(|_| ReplayError::Stage("the app ended".to_owned()))?;
        sleep(Duration::from_secs(1)).await;
        self.noted.lines.borrow_mut().clear();
        self.noted.counts.borrow_mut().clear();
        self.played.on.store(true, Ordering::SeqCst);
        Ok(session)
    }

    /// Waits until as much has happened as in the trace. False: it never does.
    async fn reached(&self, wanted: &Counts) -> bool {
        let there = || {
            let counts = self.noted.counts.borrow();
            let seen = |strand| counts.get(strand).copied().unwrap_or_default();
            wanted.iter().all(|(strand, count)| seen(strand) >= *count)
        };
        let waiting = async {
            while !there() {
                self.noted.more.notified().await;
            }
        };
        timeout(PATIENCE, waiting).await.is_ok()
    }

    /// What a person gives the app, typed so that the answer can be that of the trace.
    async fn commands(&self, does: &str, kind: TransactionKind, at: usize) -> Vec<Command> {
        let script = &self.played.script;
        let answer = script.answer_to(at);
        match does {
            "begin" => vec![Command::Begin { kind }],
            "enrol" => vec![Command::Enrol],
            "send-code" => {
                let phone = if answer == Some(Code::PhoneBad) {
                    "1"
                } else {
                    PHONE
                };
                let phone = phone.to_owned();
                vec![Command::SendCode { phone }]
            }
            "verify-code" => {
                let code = match answer {
                    Some(Code::CodeBad) => "1".to_owned(),
                    Some(Code::CodeWrong | Code::CodeLocked) => WRONG.to_owned(),
                    _other => {
                        let codes = self.bank.with(false, async |bank| bank.codes()).await;
                        let newest = codes.unwrap_or_default().into_iter().next();
                        newest.unwrap_or_else(|| WRONG.to_owned())
                    }
                };
                vec![Command::VerifyCode { code }]
            }
            "submit" => {
                let password = match answer {
                    Some(Code::PasswordShort) => "",
                    _other if script.password_was_wrong(at) => WRONG,
                    _other => PASSWORD,
                };
                let digits = password.bytes().map(|digit| digit.wrapping_sub(b'0'));
                let mut commands: Vec<Command> =
                    digits.map(|digit| Command::PinPress { digit }).collect();
                let amount = match answer {
                    Some(Code::AmountBad) => None,
                    Some(Code::AmountHigh) => Some(u32::MAX),
                    _other => (kind == TransactionKind::Topup).then_some(AMOUNT),
                };
                commands.push(Command::Submit { amount });
                commands
            }
            "retry" => vec![Command::Retry],
            "refund" => vec![Command::Refund { load: None }],
            "leave" => vec![Command::Leave],
            "renew-key" => vec![Command::RenewKey],
            "run-diagnostics" => vec![Command::RunDiagnostics],
            "unlock" => vec![Command::Unlock],
            _unknown => Vec::new(),
        }
    }
}

/// The trace has no amounts: any that every limit allows.
const AMOUNT: u32 = 100;
/// Neither the password nor, but for one time in a million, the code.
const WRONG: &str = "000000";

/// What the reader showed at this start.
fn first_reader(lines: &[TraceLine]) -> Option<Reader> {
    lines.iter().find_map(|line| {
        let TraceEvent::Reader { reader } = &line.event else {
            return None;
        };
        Some(*reader)
    })
}
