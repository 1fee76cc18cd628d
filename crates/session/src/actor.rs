//! The one task that owns the state of the app. Everything that takes time runs beside it and reports back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bank_client::queue::{QueueOpen, QueueOpened, QueueTold};
use card_link::{ReaderState, ReaderStatus};
use ipc::{AppView, Code, Command, ErrorView, MoneyPlace, NetworkState, Phase, Reply};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::diagnostics::Diagnosed;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::notices::Errand;
use crate::outside::{Outside, Request};
use crate::packages::{Offer, PackageStore};
use crate::queue::{Queues, Tapped};
use crate::remembered::Unsaved;
use crate::run::{self, Ended, Shells, lock};
use crate::session::Parts;
use crate::settings::SettingsFile;
use crate::terminal::{Outcome, SmsSent, TerminalLink};
use crate::times::{RunTimes, TimesRecord};
use crate::trace::{TraceEvent, Tracer};
use crate::traced;
use crate::transaction::Transaction;

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
    /// To whom, and for which card.
    CodeSent(
        [u8; 16],
        (String, Option<String>),
        Result<SmsSent, Failure>,
        Answer,
    ),
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
    pub(crate) times: watch::Sender<Option<run::Times>>,
    pub(crate) errands: broadcast::Sender<Errand>,
    pub(crate) answers: Vec<(Answer, Result<Reply, ErrorView>)>,
    pub(crate) revision: u64,
    #[cfg(feature = "simulator")]
    pub(crate) kin: crate::kin::Kin,
}

/// Between tries to reach a bank that was away, or a keystore that was locked.
const RETRY_EVERY: Duration = Duration::from_secs(3);

impl Actor {
    pub(crate) async fn live(
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
            tell.send_replace(self.view());
            // Whoever sees a receipt did not wait for this.
            self.save_seen(false);
            self.record.keep();
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
    /// work. A power cut before that loses nothing of a load: the journal tells its balance at the next start.
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
            Happened::CodeSent(id, (phone, tail), result, answer) => {
                self.code_sent(id, (&phone, tail), result, answer);
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
