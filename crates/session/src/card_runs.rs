//! What starts when a card is on the reader, and what its end means.

use std::time::Duration;

use ipc::{
    CardView, Code, ContactView, MoneyPlace, NetworkState, PurseView, ReceiptView, ResumeState,
    Stage, StepState, TransactionKind,
};
use relay::IndustryCode;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;

use crate::actor::{Actor, Happened};
use crate::card_mark::CardMark;
use crate::failure::{Failure, Verdict, verdict};
use crate::opening::{Terms, opening};
use crate::packages;
use crate::run::{self, Ended, Job, Progress, Shells, lock};
use crate::settings::BankLimits;
use crate::transaction::{OnCard, Transaction, card_view, home_of};

/// A card that is put back quickly lies there before the reader's service has heard that it was gone: it is lost in
/// the first exchange. Reading changes nothing, so it is looked at again.
const LOOKS_AGAIN: u32 = 2;
const LOOK_PAUSE: Duration = Duration::from_millis(300);

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
        let look = Look { shells, id, steps };
        self.beside(async move {
            if resumes && let Some((code, ended)) = look.for_what_waits(&industries).await {
                return Happened::Identified(id, code, ended);
            }
            let mut last = first;
            let mut ended = None;
            for industry in industries {
                last = industry;
                let end = look.well(industry).await;
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
    fn card_came_back(&mut self) {
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

    pub(crate) fn ended(&mut self, id: [u8; 16], ended: Ended) {
        let heard = ended.result.as_ref().err();
        if heard.is_none_or(|failure| failure.code.is_away()) {
            self.bank_answered(heard);
        }
        let now_ms = self.link.bank_now_ms();
        let Some(transaction) = self.transaction.as_mut().filter(|t| t.id == id) else {
            return;
        };
        transaction.running = false;
        let let_go = transaction.contact.take() == Some(ContactView::Free);
        transaction.place = ended.place;
        transaction.times = Some(ended.times);
        match ended.result {
            Ok(closing) => {
                finish(transaction, &closing, now_ms);
                let card = transaction.mark();
                self.remember_balance(card.as_ref(), &closing);
            }
            Err(failure) if let_go && waits_for_card(&failure, ended.place) => {
                self.ask_card_again();
            }
            Err(failure) => self.ended_badly(failure, ended.times.requests > 0),
        }
    }

    /// The bank's yes came when the card was gone: the second contact, by the way of every load that is open.
    fn ask_card_again(&mut self) {
        // Whoever closed the sheet while the bank decided closed that one.
        self.unwanted = false;
        if let Err(failure) = self.begin(TransactionKind::Resume, false) {
            self.ended_badly(failure, true);
        }
    }

    fn ended_badly(&mut self, failure: Failure, bank_asked: bool) {
        let waiting = lock(&self.journal).pending();
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let code = failure.code;
        if transaction.kind == TransactionKind::Resume && code == Code::NothingPending {
            let card = transaction.mark().unwrap_or_default();
            let other = (lock(&self.journal).unfinished_elsewhere(&card))
                .map(|load| (load.place(), load.entry.tail.clone()));
            if let Some((place, tail)) = other {
                transaction.place = place;
                transaction.fail(Failure::from(Code::CardOther).with("tail", &tail));
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
            transaction.wait_for(self.reader.state);
            self.card_came_back();
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

    pub(crate) fn remember_balance(
        &mut self,
        card: Option<&CardMark>,
        closing: &industry::Closing,
    ) {
        let Some(balance) = closing.new_balance.filter(|_| !closing.already) else {
            return;
        };
        let now_ms = self.link.bank_now_ms();
        let Some(purse) = self
            .settings
            .now
            .purses
            .iter()
            .find(|purse| card.is_some_and(|card| card.is(&CardMark::from(*purse))))
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
}

/// The bank's yes found a card that was let go: that one is wanted again. A bank that said anything else, or nothing,
/// left nothing to write, and no card helps with that.
fn waits_for_card(failure: &Failure, place: MoneyPlace) -> bool {
    failure.code == Code::CardLost && place == MoneyPlace::InTransit
}

/// Reads the card on the reader.
pub(crate) struct Look {
    shells: Shells,
    id: [u8; 16],
    /// Hears how it goes on.
    steps: Option<UnboundedSender<Happened>>,
}

impl Look {
    /// Nobody is told how it goes on.
    pub(crate) const fn quiet(shells: Shells, id: [u8; 16]) -> Self {
        let steps = None;
        Self { shells, id, steps }
    }

    /// A card can hold applications of several industries: what waits says which one is meant. None when nothing waits
    /// on this card.
    async fn for_what_waits(&self, known: &[IndustryCode]) -> Option<(IndustryCode, Ended)> {
        let waiting = lock(&self.shells.journal).unfinished_in();
        for industry in waiting.into_iter().filter(|code| known.contains(code)) {
            let ended = self.well(industry).await;
            let is_meant = match &ended.result {
                Ok(closing) => {
                    let card = (closing.card.as_ref()).and_then(|it| CardMark::of(industry, it));
                    let journal = lock(&self.shells.journal);
                    card.is_some_and(|card| journal.unfinished_on(&card).is_some())
                }
                Err(failure) => failure.code != Code::CardNotSupported,
            };
            if is_meant {
                return Some((industry, ended));
            }
        }
        None
    }

    /// With the package of `industry`, and once more when the card was just being put there.
    pub(crate) async fn well(&self, industry: IndustryCode) -> Ended {
        let mut end = self.once(industry).await;
        for _ in 0..LOOKS_AGAIN {
            if !end.is(Code::CardLost) {
                break;
            }
            sleep(LOOK_PAUSE).await;
            let again = self.once(industry).await;
            if again.is(Code::CardNone) {
                break;
            }
            end = again;
        }
        end
    }

    async fn once(&self, industry: IndustryCode) -> Ended {
        let terms = Terms::default();
        let kind = TransactionKind::Balance;
        let opening = match opening(&self.shells.link, kind, self.id, industry, &terms) {
            Ok(opening) => opening,
            Err(failure) => return Ended::failed(kind, failure),
        };
        let job = Job {
            id: self.id,
            kind,
            industry,
            opening,
            amount: None,
            card: None,
            about: None,
        };
        let (id, steps) = (self.id, self.steps.clone());
        let on_progress = Box::new(move |progress| {
            if let Some(steps) = &steps {
                let _ = steps.send(Happened::Progress(id, progress));
            }
        });
        run::run(self.shells.clone(), job, on_progress).await
    }
}

fn finish(transaction: &mut Transaction, closing: &industry::Closing, now_ms: u64) {
    let refunded = verdict(&closing.outcome) == Verdict::Returned;
    transaction.stage = Stage::Done;
    transaction.error = None;
    transaction.all_steps(StepState::Done);
    transaction.resume = (transaction.kind == TransactionKind::Resume).then_some(if refunded {
        ResumeState::Refunded
    } else if closing.already {
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
        proof: closing.receipt.clone(),
        place: match transaction.kind {
            TransactionKind::Topup | TransactionKind::Resume if refunded => MoneyPlace::Account,
            TransactionKind::Topup | TransactionKind::Resume => MoneyPlace::OnCard,
            TransactionKind::Balance | TransactionKind::Activate => MoneyPlace::None,
        },
    });
    if let Some(card) = &mut transaction.card {
        // A load that was on the card already may have been spent since: what was read now stays.
        let loaded_now = closing.new_balance.filter(|_| !closing.already);
        card.balance = loaded_now.unwrap_or(card.balance);
        card.active |= transaction.kind == TransactionKind::Activate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_was_let_go_is_wanted_again_after_the_banks_yes_alone() {
        let wants = |code: Code, place| waits_for_card(&Failure::from(code), place);
        assert!(
            wants(Code::CardLost, MoneyPlace::InTransit),
            "its money waits"
        );
        for unanswered in [Code::Offline, Code::BankSilent, Code::Deadline] {
            for place in [MoneyPlace::InTransit, MoneyPlace::Unsure] {
                assert!(
                    !wants(unanswered, place),
                    "{unanswered:?}: nothing to write"
                );
            }
        }
        assert!(!wants(Code::CardLost, MoneyPlace::Account), "nothing moved");
    }
}
