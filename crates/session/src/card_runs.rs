//! What starts when a card is on the reader.

use ipc::{
    CardColour, CardView, Code, MoneyPlace, NetworkState, PurseView, Stage, StepState,
    TransactionKind,
};
use relay::IndustryCode;

use crate::actor::{Actor, Happened};
use crate::failure::Failure;
use crate::look::Look;
use crate::packages;
use crate::run::{self, Ended, Job, Progress, lock};
use crate::settings::BankLimits;
use crate::transaction::{OnCard, Transaction, card_view};

impl Actor {
    /// A card is on the reader: what waits for one starts.
    pub(crate) fn card_is_here(&mut self) {
        let here = self.reader.state == card_link::ReaderState::Card;
        let Some(transaction) = &self.transaction else {
            return self.queue_card_is_here();
        };
        // A run of a screen that was left holds the reader to its end.
        if !here || transaction.running || self.runs > 0 {
            return;
        }
        self.inserted_before = self.reader.insertions;
        match transaction.on_card {
            OnCard::Nothing => {}
            OnCard::Identify => self.identify(),
            // The person's card waits for the bank's word on the key, not the other way round.
            OnCard::Run if self.key_queries > 0 => {}
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
        let resumes = transaction.kind == TransactionKind::Resume;
        self.runs = self.runs.saturating_add(1);
        transaction.running = true;
        transaction.on_card = OnCard::Nothing;
        if own_screen {
            transaction.stage = Stage::Running;
        }
        let id = transaction.id;
        let steps = own_screen.then(|| self.events.clone());
        let look = Look::new(shells, id, steps);
        self.beside(async move {
            if resumes && let Some((code, ended)) = look.for_what_waits(&industries).await {
                return Happened::Identified(id, code, ended);
            }
            let mut last = first;
            let mut ended = None;
            for industry in industries {
                last = industry;
                let end = look.with(industry).await;
                let unknown = end.is(Code::CardNotSupported);
                ended = Some(end);
                if !unknown {
                    break;
                }
            }
            let ended = ended.unwrap_or_else(|| {
                Ended::failed(TransactionKind::Balance, Code::IndustryUnknown.into())
            });
            Happened::Identified(id, last, ended)
        });
    }

    pub(crate) fn identified(&mut self, id: [u8; 16], code: IndustryCode, ended: Ended) {
        self.take_card(id, code, ended);
        // Whoever types faster than a card is read has asked for a code meanwhile.
        self.send_held();
    }

    fn take_card(&mut self, id: [u8; 16], code: IndustryCode, ended: Ended) {
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
            mark: card.mark,
            balance: card.balance,
            seen_ms: now_ms,
            expiry: card.expiry.clone(),
            active: card.active,
            label: None,
            colour: CardColour::default(),
        };
        // A package that does not tell says nothing against an activation: only what was read makes it needless.
        let told = closing.card.as_ref().and_then(|card| card.active);
        let activates = transaction.kind == TransactionKind::Activate;
        let active = card.active && (told.is_some() || !activates);
        transaction.card = Some(CardView { active, ..card });
        let operation = run::operation(transaction.kind);
        let able = package
            .package(code)
            .is_some_and(|it| it.operations().any(|has| has == operation));
        match transaction.kind {
            _ if !able => transaction.fail(Code::CardReadOnly.into()),
            TransactionKind::Balance => {
                transaction.all_steps(StepState::Done);
                transaction.stage = Stage::Done;
            }
            TransactionKind::Resume => self.resume_this_card(),
            TransactionKind::Topup | TransactionKind::Activate => {}
        }
        self.settings.saw(purse);
        // What was submitted meanwhile waits for this.
        self.card_is_here();
    }

    /// A card that left too early is asked for again; anything else is told.
    fn not_identified(&mut self, failure: Failure) {
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let typed = [Stage::Phone, Stage::Code, Stage::Password].contains(&transaction.stage);
        let gone = [
            Code::CardNone,
            Code::ReaderNone,
            Code::ServiceDown,
            Code::ServiceHung,
            Code::NfcOff,
            Code::NfcNone,
        ]
        .contains(&failure.code);
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
            transaction.wait_for(self.reader.state);
        }
        self.card_came_back();
    }

    /// A card that left and came back while a run was under way is not heard of again.
    pub(crate) fn card_came_back(&mut self) {
        if self.reader.insertions > self.inserted_before {
            self.card_is_here();
        }
    }

    pub(crate) fn limits_of(&self, industry: &str) -> Option<BankLimits> {
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
        let card = transaction.mark().unwrap_or_default();
        let journal = lock(&self.journal);
        let load = journal.unfinished_on(&card);
        let id = load.map(crate::journal::Record::id);
        if let Some(wanted) = transaction
            .wanted
            .clone()
            .filter(|it| Some(it) != id.as_ref())
        {
            let tail = journal.get(&wanted).map(|it| it.entry.tail.clone());
            drop(journal);
            let failure = Failure::from(Code::CardOther);
            return transaction.fail(failure.with("tail", tail.as_deref().unwrap_or_default()));
        }
        transaction.about = load.map(|record| record.entry.transaction);
        transaction.place = load.map_or(MoneyPlace::None, crate::journal::Record::place);
        transaction.amount = load.map(|record| record.entry.amount);
        drop(journal);
        transaction.stage = Stage::Running;
        transaction.on_card = OnCard::Run;
        self.card_is_here();
    }

    pub(crate) fn start_run(&mut self) {
        if self
            .transaction
            .as_ref()
            .is_some_and(|t| t.opening.is_none())
        {
            if let Ok(None) = self.industry_meant() {
                self.identify();
                if let Some(transaction) = &mut self.transaction {
                    transaction.on_card = OnCard::Run;
                }
                return;
            }
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
        let open = match transaction.kind {
            TransactionKind::Topup => transaction
                .mark()
                .and_then(|card| lock(&self.journal).other_load(&card, &transaction.id)),
            TransactionKind::Balance | TransactionKind::Resume | TransactionKind::Activate => None,
        };
        if let Some(open) = open {
            // A new INITIALIZE makes some cards drop the proof of the load that is still open.
            transaction.place = open.place;
            let mut failure = Failure::from(Code::LoadOpen).with("amount", open.amount);
            failure.reference = open.reference;
            return transaction.fail(failure);
        }
        self.runs = self.runs.saturating_add(1);
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
            card: transaction.mark(),
            about: transaction.about,
        };
        let steps = self.events.clone();
        let on_progress = Box::new(move |progress| {
            let _ = steps.send(Happened::Progress(id, progress));
        });
        self.beside(async move { Happened::Ended(id, run::run(shells, job, on_progress).await) });
    }

    pub(crate) fn went_on(&mut self, id: [u8; 16], progress: Progress) {
        let now_ms = self.parts.clock.now_ms();
        let Some(transaction) = self.transaction.as_mut().filter(|t| t.id == id) else {
            return;
        };
        match progress {
            Progress::Step(name, state, place) => {
                transaction.step(name, state, now_ms);
                transaction.place = place;
            }
            Progress::Contact(contact) => transaction.contact = contact,
        }
    }
}
