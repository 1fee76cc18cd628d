//! The app: one run at a time (`session::run`), and the proofs that wait for the bank (`session::actor`).

use relay::journal::Event;

use crate::bug::Bug;
use crate::card::Card;
use crate::journal::{Entry, State, not_done, wrote};
use crate::settings::Settings;
use crate::symbols::{Body, Id, Init, Mac2, Outcome, Reply, Request, Verdict};

/// Where a run stands: what it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Next {
    /// INITIALIZE FOR LOAD.
    Initialize,
    /// GET TRANSACTION PROVE with both counters.
    Prove { before: u8 },
    /// CREDIT FOR LOAD.
    Credit(Mac2),
    /// The journal: the first request is asked.
    Record(Init),
    /// The request goes out.
    Send(Body),
    /// The bank's answer.
    Wait,
    /// The journal: a re-top-up is about to write.
    Open(Mac2),
    /// The journal: the bank went on.
    Issued(Mac2),
    /// The journal: the card may be changed.
    Writing(Mac2),
    /// The journal: the card's answer.
    Wrote(Body),
    /// The journal: the bank's last word.
    Close(Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) id: Id,
    pub(crate) resume: bool,
    pub(crate) about: Option<Id>,
    /// The card that the person sees on the screen.
    pub(crate) card: u8,
    /// The card that its reader's handle reaches.
    pub(crate) contact: u8,
    pub(crate) step: u8,
    /// The run's own copy of its journal entry.
    pub(crate) record: Option<Entry>,
    pub(crate) next: Next,
    /// Its INITIALIZE came first: a planted bug.
    early: Option<Init>,
}

impl Run {
    /// Commands to the card; everything else is the app's own or the bank's.
    pub(crate) fn is_at_card(&self) -> bool {
        matches!(
            self.next,
            Next::Initialize | Next::Prove { .. } | Next::Credit(_)
        )
    }

    pub(crate) fn top_up(id: Id, card: u8) -> Self {
        Self {
            id,
            resume: false,
            about: None,
            card,
            contact: card,
            step: 0,
            record: None,
            next: Next::Initialize,
            early: None,
        }
    }

    pub(crate) fn resume(settings: &Settings, id: Id, about: Option<Id>, card: u8) -> Self {
        let next = match settings.has(Bug::ProveAfterInitialize) {
            true => Next::Initialize,
            false => Next::Send(Body::Resume { card, about }),
        };
        Self {
            resume: true,
            about,
            next,
            ..Self::top_up(id, card)
        }
    }

    /// The card carries a command out.
    pub(crate) fn command(&mut self, card: &mut Card) {
        let body = match self.next {
            Next::Initialize => {
                let init = card.initialize();
                if !self.resume {
                    self.next = Next::Record(init);
                    return;
                }
                if self.step == 0 {
                    self.early = Some(init);
                    Body::Resume {
                        card: self.card,
                        about: self.about,
                    }
                } else {
                    Body::LoadAgain { init }
                }
            }
            Next::Prove { before } => Body::Proven {
                tacs: [card.prove(before + 1), card.prove(before)],
            },
            Next::Credit(mac2) => {
                let tac = card.credit(mac2);
                self.next = Next::Wrote(Body::Credited { tac });
                return;
            }
            Next::Record(_)
            | Next::Send(_)
            | Next::Wait
            | Next::Open(_)
            | Next::Issued(_)
            | Next::Writing(_)
            | Next::Wrote(_)
            | Next::Close(_) => return,
        };
        self.next = Next::Send(body);
    }

    /// The bank's answer reaches the run.
    pub(crate) fn answered(&mut self, reply: Reply) {
        self.next = match reply {
            Reply::Prove { before } => Next::Prove { before },
            Reply::LoadAgain => match self.early.take() {
                Some(init) => Next::Send(Body::LoadAgain { init }),
                None => Next::Initialize,
            },
            Reply::Credit(mac2) if self.resume => Next::Open(mac2),
            Reply::Credit(mac2) => Next::Issued(mac2),
            Reply::End(outcome) => Next::Close(outcome),
        };
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct App {
    pub(crate) run: Option<Run>,
    pub(crate) journal: Vec<Entry>,
}

impl App {
    pub(crate) fn new() -> Self {
        Self {
            run: None,
            journal: Vec::new(),
        }
    }

    /// As `Journal::unfinished_on`.
    pub(crate) fn unfinished_on(&self, card: u8) -> Option<&Entry> {
        self.journal
            .iter()
            .find(|entry| entry.is_load() && entry.is_open() && entry.card == card)
    }

    pub(crate) fn entry(&self, id: Id) -> Option<&Entry> {
        self.journal.iter().find(|entry| entry.id == id)
    }

    /// One step of the run that needs neither card nor answer. A request that goes out is given back.
    pub(crate) fn step(&mut self, settings: &Settings) -> Option<Request> {
        let mut run = self.run.take()?;
        let mut sent = None;
        let next = match run.next {
            Next::Record(init) => {
                let body = Body::TopUp {
                    card: run.card,
                    init,
                };
                if settings.has(Bug::JournalAfterEffect) && run.step == 0 {
                    run.step = 1;
                    sent = Some(request(&run, body));
                    run.next = Next::Record(init);
                    self.run = Some(run);
                    return sent;
                }
                self.open(&mut run).then_some(match run.step {
                    0 => Next::Send(body),
                    _sent_already => Next::Wait,
                })
            }
            Next::Send(body) => {
                run.step += 1;
                sent = Some(request(&run, body));
                Some(Next::Wait)
            }
            Next::Open(mac2) => self.open(&mut run).then_some(Next::Issued(mac2)),
            Next::Issued(mac2) => {
                self.note(&mut run, Event::Issued);
                Some(Next::Writing(mac2))
            }
            Next::Writing(mac2) => {
                self.note(&mut run, Event::Writing);
                Some(Next::Credit(mac2))
            }
            Next::Wrote(body) => {
                if let Body::Credited { tac } = body {
                    if let Some(record) = &mut run.record {
                        record.step = run.step + 1;
                    }
                    self.note(&mut run, wrote(tac));
                }
                Some(Next::Send(body))
            }
            Next::Close(outcome) => {
                self.close(run.record, run.about, outcome);
                None
            }
            waiting @ (Next::Initialize | Next::Prove { .. } | Next::Credit(_) | Next::Wait) => {
                Some(waiting)
            }
        };
        self.run = next.map(|next| Run { next, ..run });
        sent
    }

    /// As `Run::open_record`: false for a transaction that went further before.
    fn open(&mut self, run: &mut Run) -> bool {
        let passed = |entry: &Entry| !matches!(entry.state, State::Asked | State::NotDone);
        if self.entry(run.id).is_some_and(passed) {
            return false;
        }
        let entry = Entry {
            id: run.id,
            resume: run.resume,
            about: run.about,
            card: run.card,
            step: 0,
            state: State::Asked,
        };
        run.record = Some(entry);
        self.keep(entry);
        true
    }

    fn note(&mut self, run: &mut Run, event: Event) {
        if let Some(record) = &mut run.record {
            record.apply(event);
            let record = *record;
            self.keep(record);
        }
    }

    fn keep(&mut self, entry: Entry) {
        self.journal.retain(|known| known.id != entry.id);
        self.journal.push(entry);
        self.journal.sort_by_key(|known| known.id);
    }

    /// As `Run::close` and `settle_about`.
    fn close(&mut self, record: Option<Entry>, about: Option<Id>, outcome: Outcome) {
        if let Some(mut record) = record {
            record.settle(outcome);
            self.keep(record);
        }
        let event = match outcome.verdict() {
            Verdict::Done => Event::Done,
            Verdict::Returned => not_done(),
            Verdict::WrittenOff => Event::WrittenOff,
            Verdict::NotMoved if outcome == Outcome::NothingPending => not_done(),
            Verdict::NotMoved | Verdict::Open => return,
        };
        let Some(about) = about.filter(|about| self.entry(*about).is_some()) else {
            return;
        };
        for entry in &mut self.journal {
            let resumes = entry.about == Some(about) && entry.is_open();
            if resumes || entry.id == about {
                entry.apply(event.clone());
            }
        }
    }

    /// As `closing::learn`.
    pub(crate) fn learns(&mut self, load: Id, outcome: Outcome) {
        self.close(None, Some(load), outcome);
    }

    /// Loads of which only the bank can say more. True: the first message may never have reached it.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (Id, bool)> {
        let told = |entry: &Entry| !matches!(entry.state, State::ToDeliver(_));
        self.journal
            .iter()
            .filter(move |entry| entry.is_load() && entry.is_open() && told(entry))
            .map(|entry| (entry.id, entry.state == State::Asked))
    }

    /// Nothing came in time: the run is over, and the journal says what is known.
    pub(crate) fn give_up(&mut self, settings: &Settings) {
        let run = self.run.take();
        let first = run.filter(|run| !run.resume && run.step == 1);
        if let Some(run) = first.filter(|_| settings.has(Bug::SilenceIsNo)) {
            self.refused(run);
        }
    }

    /// The bank surely did not act on the first request (`Unanswered::unread`).
    pub(crate) fn unread(&mut self) {
        if let Some(run) = self.run.take() {
            self.refused(run);
        }
    }

    fn refused(&mut self, mut run: Run) {
        self.note(&mut run, not_done());
    }

    /// Messages that the bank has not acknowledged.
    pub(crate) fn to_deliver(&self) -> impl Iterator<Item = Request> {
        self.journal.iter().filter_map(|entry| match entry.state {
            State::ToDeliver(tac) => Some(Request {
                id: entry.id,
                step: entry.step,
                body: Body::Credited { tac },
            }),
            State::Asked
            | State::Issued
            | State::Writing
            | State::InDoubt
            | State::Done
            | State::NotDone
            | State::WrittenOff => None,
        })
    }

    /// As `session::run::deliver`.
    pub(crate) fn delivered(&mut self, id: Id, reply: Reply) {
        let (Some(entry), Reply::End(outcome)) = (self.entry(id).copied(), reply) else {
            return;
        };
        self.close(Some(entry), entry.about, outcome);
    }
}

fn request(run: &Run, body: Body) -> Request {
    Request {
        id: run.id,
        step: run.step,
        body,
    }
}
