//! One transaction from the opening `A` to the closing one: the relay loop on real shells.
//!
//! It looks at letters alone; what a message says reaches it from the driver, decoded.

mod record;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use card_link::{CardContact, CardReader, LinkError};
use industry::{CardCommand, Closing, Driver, Packages, ProbeRead, Turn, UiStep};
use ipc::{Code, ContactView, MoneyPlace, StepName, StepState, TransactionKind};
use relay::journal::Event;
use relay::{Effect, IndustryCode, Input, Limits, Operation, Relay};
use tokio::time::Instant;

use crate::card_mark::CardMark;
use crate::clock::card_date;
use crate::contact::{Gate, Measured};
use crate::failure::Failure;
use crate::journal::{Journal, Record};
use crate::terminal::{Spent, TerminalLink, Unanswered};

pub(crate) use record::deliver;

/// What runs, and for whom.
pub(crate) struct Job {
    pub(crate) id: [u8; 16],
    pub(crate) kind: TransactionKind,
    pub(crate) industry: IndustryCode,
    pub(crate) opening: Vec<u8>,
    pub(crate) amount: Option<u32>,
    /// The card that the person saw on the screen; another one stops the run before the bank hears of it.
    /// The card on the screen; none before one was read.
    pub(crate) card: Option<CardMark>,
    /// Re-top-up: the unfinished load that it settles.
    pub(crate) about: Option<[u8; 16]>,
}

/// Where the time of a run went, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// In the card and its reader.
    pub card_ms: f64,
    /// Between sending a sealed message and its answer, the bank's own time included.
    pub bank_ms: f64,
    /// Of that, sealing messages and opening answers.
    pub cipher_ms: f64,
    /// Of that, inside the bank, as far as every answer told.
    pub inside_bank_ms: Option<f64>,
    /// All of it.
    pub total_ms: f64,
    /// Requests to the transaction server.
    pub requests: u32,
    /// Requests between the command before the first commit and the commit itself.
    pub requests_before_write: u32,
}

impl Times {
    fn add(&mut self, spent: &Spent) {
        self.cipher_ms += spent.cipher_ms;
        // One answer that does not tell makes the whole unknown.
        let before = if self.requests > 1 {
            self.inside_bank_ms
        } else {
            Some(0.0)
        };
        self.inside_bank_ms = before.zip(spent.bank_ms).map(|(before, now)| before + now);
    }
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) kind: TransactionKind,
    pub(crate) result: Result<Closing, Failure>,
    pub(crate) place: MoneyPlace,
    pub(crate) times: Times,
}

impl Ended {
    pub(crate) fn failed(kind: TransactionKind, failure: Failure) -> Self {
        let times = Times::default();
        Self {
            kind,
            result: Err(failure),
            place: MoneyPlace::None,
            times,
        }
    }

    pub(crate) fn is(&self, code: Code) -> bool {
        self.result
            .as_ref()
            .is_err_and(|failure| failure.code == code)
    }
}

/// What the person sees of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Progress {
    Step(StepName, StepState, MoneyPlace),
    Contact(Option<ContactView>),
}

/// So long a person holds a card to a phone while the bank decides.
const BANK_PATIENCE: Duration = Duration::from_secs(5);

/// Told of each.
pub(crate) type OnProgress = Box<dyn Fn(Progress) + Send + Sync>;

/// The shells that a run needs.
#[derive(Clone)]
pub(crate) struct Shells {
    pub(crate) link: Arc<TerminalLink>,
    pub(crate) reader: Arc<dyn CardReader>,
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) packages: Arc<Packages>,
}

/// Runs a job to its end. The journal is written before every effect that could lose money.
pub(crate) async fn run(shells: Shells, job: Job, on_progress: OnProgress) -> Ended {
    let started = Instant::now();
    let mut run = Run::new(shells, job, on_progress);
    let result = run.go().await;
    run.times.total_ms = started.elapsed().as_secs_f64() * 1e3;
    run.end(result)
}

pub(crate) struct Run {
    shells: Shells,
    job: Job,
    pub(crate) on_progress: OnProgress,
    pub(crate) gate: Gate,
    /// Until then a card that was lost is looked for again.
    pub(crate) looks_until: Option<Instant>,
    step: Option<StepName>,
    record: Option<Record>,
    /// The record knows of the bank's yes and the disk does not.
    unkept: bool,
    pub(crate) committed: bool,
    /// The bank has an open load for this card, or has issued one.
    bank_goes_on: bool,
    /// The last two bytes of the last reply, that of the command that commits at most: for whoever looks into a
    /// refusal.
    last_status: Option<[u8; 2]>,
    pub(crate) asked: bool,
    /// The person was told to take the card away.
    let_go: bool,
    card: Option<CardMark>,
    times: Times,
}

impl Run {
    fn new(shells: Shells, job: Job, on_progress: OnProgress) -> Self {
        Self {
            shells,
            job,
            on_progress,
            gate: Gate::default(),
            looks_until: None,
            step: None,
            record: None,
            unkept: false,
            committed: false,
            bank_goes_on: false,
            last_status: None,
            asked: false,
            let_go: false,
            card: None,
            times: Times::default(),
        }
    }

    async fn go(&mut self) -> Result<Closing, Failure> {
        self.show(StepName::Read);
        let mut contact = self.open().await?;
        loop {
            if let Some(closing) = self.converse(contact.as_mut()).await? {
                return Ok(closing);
            }
            // The old contact holds the card.
            drop(contact);
            contact = self.open_again().await?;
        }
    }

    pub(crate) async fn open(&mut self) -> Result<Box<dyn CardContact>, LinkError> {
        let started = Instant::now();
        let opened = self.shells.reader.open().await;
        self.times.card_ms += started.elapsed().as_secs_f64() * 1e3;
        opened
    }

    /// The whole conversation of card and bank; none when the card was lost and is looked for again.
    async fn converse(
        &mut self,
        contact: &mut dyn CardContact,
    ) -> Result<Option<Closing>, Failure> {
        // The relay's limits are spans: a clock that is set while a card is at work must not end a load.
        let began = Instant::now();
        let since_ms = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (mut relay, _) =
            Relay::open(self.job.opening.clone(), 0, Limits::default()).map_err(relay_failure)?;
        let today = card_date(self.shells.link.bank_now_ms());
        let mut turn = Driver::open(&self.shells.packages, &self.job.opening, today);
        loop {
            turn = match turn {
                Turn::Command(driver, command) => {
                    self.show(step_name(command.step));
                    if command.commits {
                        self.before_write(driver.amount())?;
                    } else {
                        self.keep_issued()?;
                    }
                    let ahead = driver.ahead();
                    let Some(reply) = self.transmit(contact, &command, ahead).await? else {
                        return Ok(None);
                    };
                    if command.commits || !self.committed {
                        self.last_status = reply.last_chunk::<2>().copied();
                    }
                    self.same_card(&driver)?;
                    driver.reply(&reply)
                }
                Turn::Send(driver, message) => {
                    self.keep_issued()?;
                    let (next, effect) = relay
                        .step(Input::Driver(message), since_ms())
                        .map_err(relay_failure)?;
                    let Effect::ToBank(message) = effect else {
                        return Err(Code::Internal.into());
                    };
                    let answer = self.ask(&message, driver.written() == Some(true)).await?;
                    let (next, effect) = next
                        .step(Input::Bank(answer), since_ms())
                        .map_err(relay_failure)?;
                    relay = next;
                    match effect {
                        Effect::ToDriver(message) => {
                            self.bank_goes_on = true;
                            self.approved();
                            if self.let_go {
                                // What the bank says now is for a card that is gone.
                                return Err(Code::CardLost.into());
                            }
                            driver.bank(&message)
                        }
                        Effect::End(message) => Turn::End(message),
                        Effect::ToBank(_) => return Err(Code::Internal.into()),
                    }
                }
                Turn::End(message) => {
                    return industry::decode(&self.shells.packages, &message)
                        .map(Some)
                        .map_err(|_| Code::MessageBad.into());
                }
            };
        }
    }

    /// The card's reply; none when the card was lost and is looked for again.
    async fn transmit(
        &mut self,
        contact: &mut dyn CardContact,
        command: &CardCommand,
        ahead: Vec<CardCommand>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let started = Instant::now();
        contact.ahead(self.along(command, &ahead));
        let reply = match self.order(contact, command.apdu.clone()).await {
            Ok(reply) => reply,
            Err(error) if self.is_measuring() => return self.lost(error).map(|()| None),
            Err(LinkError::Lost) if self.looks_again() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !command.probe || !self.measures(&reply) {
            return Ok(Some(reply));
        }
        let first = ProbeRead {
            ms: took_ms(contact, started),
            reply,
        };
        let ahead = ahead.into_iter().map(|it| it.apdu).collect();
        match self.measure(contact, &command.apdu, first, ahead).await? {
            Measured::Good(reply) => Ok(Some(reply)),
            Measured::Lost => Ok(None),
        }
    }

    /// What goes along with a command. A read that is repeated to measure the contact is the last: what follows comes
    /// with its repetitions.
    fn along(&self, command: &CardCommand, ahead: &[CardCommand]) -> Vec<Vec<u8>> {
        let measures = |it: &CardCommand| it.probe && self.gate_is_due();
        if measures(command) {
            return Vec::new();
        }
        let last = ahead.iter().position(measures);
        let count = last.map_or(ahead.len(), |last| last.saturating_add(1));
        let along = ahead.iter().take(count);
        along.map(|it| it.apdu.clone()).collect()
    }

    pub(crate) async fn order(
        &mut self,
        contact: &mut dyn CardContact,
        apdu: Vec<u8>,
    ) -> Result<Vec<u8>, LinkError> {
        let started = Instant::now();
        let reply = contact.transmit(apdu).await;
        self.times.card_ms += started.elapsed().as_secs_f64() * 1e3;
        reply
    }

    /// A transaction for which the contact must be good, while the bank knows nothing of it.
    pub(crate) fn changes_card(&self) -> bool {
        self.job.kind != TransactionKind::Balance && !self.asked && !self.committed
    }

    /// A driver's `I` to the bank, the bank's answer back.
    async fn ask(&mut self, message: &[u8], written: bool) -> Result<Vec<u8>, Failure> {
        if self.committed {
            let kept = self.note(Event::Wrote {
                message: message.to_vec(),
                written,
            });
            if let Err(failure) = kept {
                // The proof goes to the bank all the same: told now, it need not be kept.
                log::warn!("a proof was not kept: {}", failure.code.as_str());
            }
            self.show(StepName::Confirm);
        } else {
            if self.job.kind == TransactionKind::Topup && !self.asked {
                self.open_record()?;
            }
            self.show(StepName::Approve);
            self.times.requests_before_write += 1;
        }
        self.times.requests += 1;
        let started = Instant::now();
        let mut spent = Spent::default();
        let answer = self.exchange(message, &mut spent).await;
        self.times.bank_ms += started.elapsed().as_secs_f64() * 1e3;
        self.times.add(&spent);
        let first = !self.asked && !self.committed;
        self.asked = true;
        answer.map_err(|unanswered| self.unanswered(unanswered, first))
    }

    /// A card that is held by hand is let go when the bank takes its time over a load: the answer is waited for without
    /// it, and a second contact takes the load, as after a card that was lost here.
    async fn exchange(&mut self, message: &[u8], spent: &mut Spent) -> Result<Vec<u8>, Unanswered> {
        let link = self.shells.link.clone();
        let mut answer = std::pin::pin!(link.exchange(message, spent));
        let tires = self.shells.reader.is_by_hand() && self.job.kind == TransactionKind::Topup;
        if tires && !self.committed {
            match tokio::time::timeout(BANK_PATIENCE, &mut answer).await {
                Ok(answer) => return answer,
                Err(_) => {
                    self.let_go = true;
                    (self.on_progress)(Progress::Contact(Some(ContactView::Free)));
                }
            }
        }
        answer.await
    }

    /// A first request that the bank surely did not act on moved nothing: the same may be tried again.
    fn unanswered(&mut self, unanswered: Unanswered, first: bool) -> Failure {
        let failure = unanswered.failure;
        if !first || !unanswered.unread {
            return failure;
        }
        let noted = self.note(Event::NotDone {
            outcome: failure.code.as_str().to_owned(),
        });
        noted.err().unwrap_or(failure)
    }

    /// Another card than the one on the screen must never be charged.
    fn same_card(&mut self, driver: &Driver) -> Result<(), Failure> {
        let Some(card) = CardMark::of(self.job.industry, &driver.facts()) else {
            return Ok(());
        };
        let expected = self.job.card.as_ref().or(self.card.as_ref());
        if let Some(expected) = expected.filter(|expected| !expected.is(&card)) {
            return Err(Failure::from(Code::CardOther).with("tail", &expected.tail));
        }
        self.card = Some(card);
        Ok(())
    }

    fn show(&mut self, step: StepName) {
        if self.step == Some(step) {
            return;
        }
        let place = self.place();
        if let Some(done) = self.step.replace(step) {
            (self.on_progress)(Progress::Step(done, StepState::Done, place));
        }
        (self.on_progress)(Progress::Step(step, StepState::Running, place));
    }

    fn place(&self) -> MoneyPlace {
        if let Some(record) = &self.record {
            return record.place();
        }
        let about = self.job.about.and_then(|id| {
            lock(&self.shells.journal)
                .get(&hex::encode(id))
                .map(Record::place)
        });
        match self.job.kind {
            TransactionKind::Topup => MoneyPlace::Account,
            TransactionKind::Resume => about.unwrap_or(match self.bank_goes_on {
                true => MoneyPlace::InTransit,
                false => MoneyPlace::None,
            }),
            TransactionKind::Balance | TransactionKind::Activate => MoneyPlace::None,
        }
    }

    fn end(mut self, result: Result<Closing, Failure>) -> Ended {
        let result = result.and_then(|closing| self.close(closing));
        if let Err(failure) = self.keep_issued() {
            log::warn!("the bank's yes was not kept: {}", failure.code.as_str());
        }
        let place = self.place();
        if let Some(step) = self.step {
            let state = if result.is_ok() {
                StepState::Done
            } else {
                StepState::Failed
            };
            (self.on_progress)(Progress::Step(step, state, place));
        }
        Ended {
            kind: self.job.kind,
            result,
            place,
            times: self.times,
        }
    }
}

/// How long the card took, as its reader knows it or else as it was waited for.
pub(crate) fn took_ms(contact: &dyn CardContact, started: Instant) -> u64 {
    let took = contact.took().unwrap_or_else(|| started.elapsed());
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn operation(kind: TransactionKind) -> Operation {
    match kind {
        TransactionKind::Balance => Operation::Balance,
        TransactionKind::Topup => Operation::TopUp,
        TransactionKind::Resume => Operation::ReTopUp,
        TransactionKind::Activate => Operation::Activation,
    }
}

pub(crate) fn lock(journal: &Mutex<Journal>) -> std::sync::MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

fn relay_failure(error: relay::RelayError) -> Failure {
    log::warn!("relay: {error}");
    Failure::from(match error {
        relay::RelayError::TooManyRounds => Code::RelayTooLong,
        relay::RelayError::Deadline => Code::Deadline,
        relay::RelayError::Message(_)
        | relay::RelayError::NotAnOpening
        | relay::RelayError::OutOfTurn => Code::MessageBad,
    })
}

fn step_name(step: UiStep) -> StepName {
    match step {
        UiStep::Read => StepName::Read,
        UiStep::Approve => StepName::Approve,
        UiStep::Write => StepName::Write,
        UiStep::Confirm => StepName::Confirm,
    }
}
