//! The transaction on the screen: what was typed, what is known, what runs.

use card_link::ReaderState;
use envelope::pin::PinDigits;
use industry::{Closing, LogKind as CardLogKind};
use ipc::{
    CardView, Code, ContactView, ErrorView, LimitsView, LocalName, LogEntryView, LogKind,
    MoneyPlace, ReceiptView, ResumeState, SmsView, Stage, StepName, StepState, StepView,
    TransactionKind, TransactionView,
};

use crate::card_mark::CardMark;
use crate::failure::Failure;
use crate::run::Times;
use crate::trace::Screen;

/// What starts as soon as a card is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OnCard {
    Nothing,
    /// Read the card: number, balance, log. It needs no bank.
    Identify,
    /// Go on with the bank.
    Run,
}

pub(crate) struct Transaction {
    pub(crate) id: [u8; 16],
    pub(crate) kind: TransactionKind,
    pub(crate) stage: Stage,
    pub(crate) on_card: OnCard,
    /// A run holds the card.
    pub(crate) running: bool,
    pub(crate) busy: bool,
    pub(crate) industry: Option<relay::IndustryCode>,
    pub(crate) card: Option<CardView>,
    pub(crate) pin: PinDigits,
    pub(crate) sms: Option<SmsView>,
    pub(crate) proof: Option<[u8; 16]>,
    pub(crate) limits: Option<LimitsView>,
    pub(crate) amount: Option<u32>,
    /// Fen, as a link asked.
    pub(crate) asked: Option<u32>,
    pub(crate) opening: Option<Vec<u8>>,
    pub(crate) about: Option<[u8; 16]>,
    /// The person wants the money back.
    pub(crate) refund: bool,
    /// Of that load, by its id, and of no other.
    pub(crate) wanted: Option<String>,
    pub(crate) place: MoneyPlace,
    pub(crate) steps: Vec<(StepName, StepState, Option<u64>, Option<u64>)>,
    pub(crate) error: Option<ErrorView>,
    pub(crate) receipt: Option<ReceiptView>,
    pub(crate) resume: Option<ResumeState>,
    pub(crate) contact: Option<ContactView>,
    pub(crate) times: Option<Times>,
}

impl Transaction {
    pub(crate) fn new(kind: TransactionKind, id: [u8; 16]) -> Self {
        let (stage, names): (Stage, &[StepName]) = match kind {
            TransactionKind::Balance => (Stage::WaitCard, &[StepName::Read]),
            TransactionKind::Topup => (Stage::Phone, &ALL_STEPS),
            TransactionKind::Resume => (Stage::WaitCard, &ALL_STEPS),
            TransactionKind::Activate => (Stage::Password, &ALL_STEPS),
        };
        Self {
            id,
            kind,
            stage,
            on_card: OnCard::Identify,
            running: false,
            busy: false,
            industry: None,
            card: None,
            pin: PinDigits::default(),
            sms: None,
            proof: None,
            limits: None,
            amount: None,
            asked: None,
            opening: None,
            about: None,
            refund: false,
            wanted: None,
            place: home_of(kind),
            steps: names
                .iter()
                .map(|name| (*name, StepState::Waiting, None, None))
                .collect(),
            error: None,
            receipt: None,
            resume: (kind == TransactionKind::Resume).then_some(ResumeState::Running),
            contact: None,
            times: None,
        }
    }

    pub(crate) fn mark(&self) -> Option<CardMark> {
        self.card.as_ref().map(CardMark::from)
    }

    /// A card is at work or waited for. Before the `first` card was ever seen here, nobody can be asked to type: the
    /// bank wants to know for which card.
    pub(crate) fn wants_card(&self, first: bool) -> bool {
        match self.stage {
            Stage::Running if self.contact == Some(ContactView::Free) => false,
            Stage::WaitCard | Stage::Running => true,
            Stage::Phone => self.running || (first && self.card.is_none()),
            Stage::Code | Stage::Password | Stage::Done | Stage::Failed => self.running,
        }
    }

    /// Money may move, and leaving can't stop it any more.
    pub(crate) fn is_committed(&self) -> bool {
        self.running && self.stage == Stage::Running && self.kind != TransactionKind::Balance
    }

    pub(crate) fn step(&mut self, name: StepName, state: StepState, now_ms: u64) {
        for (known, at, started_ms, elapsed_ms) in &mut self.steps {
            if *known != name {
                continue;
            }
            if state == StepState::Running {
                *started_ms = Some(now_ms);
            }
            *elapsed_ms = started_ms.map(|started| now_ms.saturating_sub(started));
            *at = state;
        }
    }

    pub(crate) fn all_steps(&mut self, state: StepState) {
        for (_, at, started_ms, elapsed_ms) in &mut self.steps {
            *at = state;
            if state == StepState::Waiting {
                (*started_ms, *elapsed_ms) = (None, None);
            }
        }
    }

    /// A new try under the same SMS code: the last byte of the id counts them.
    pub(crate) fn next_attempt(&mut self) {
        let [.., attempt] = &mut self.id;
        *attempt = attempt.wrapping_add(1);
        self.opening = None;
        self.pin = PinDigits::default();
        self.all_steps(StepState::Waiting);
    }

    pub(crate) fn fail(&mut self, failure: Failure) {
        self.running = false;
        self.busy = false;
        self.stage = Stage::Failed;
        self.error = Some(failure.view(self.place));
        if self.kind == TransactionKind::Resume {
            self.resume = Some(ResumeState::Failed);
        }
    }

    /// Why it does not go on by itself right now, from the reader's state.
    pub(crate) fn wait_for(&mut self, reader: ReaderState) {
        let code = match reader {
            ReaderState::None => Some(Code::ReaderNone),
            ReaderState::Empty => Some(Code::CardNone),
            ReaderState::ServiceDown => Some(Code::ServiceDown),
            ReaderState::ServiceHung => Some(Code::ServiceHung),
            ReaderState::NfcOff => Some(Code::NfcOff),
            ReaderState::NfcNone => Some(Code::NfcNone),
            ReaderState::Denied => Some(Code::ReaderDenied),
            ReaderState::Card => None,
        };
        let about_reader = self.error.as_ref().is_none_or(|error| {
            [
                Code::ReaderNone,
                Code::CardNone,
                Code::ServiceDown,
                Code::ServiceHung,
                Code::NfcOff,
                Code::NfcNone,
                Code::ReaderDenied,
            ]
            .contains(&error.code)
        });
        if about_reader {
            let waits = self.stage == Stage::WaitCard;
            self.error = code
                .filter(|_| waits)
                .map(|code| Failure::from(code).view(self.place));
            // Nothing that the person does brings NFC into a phone.
            if let Some(error) = self.error.as_mut().filter(|it| it.code != Code::NfcNone) {
                error.retry = ipc::Retry::Wait;
            }
        }
    }

    /// Something is typed, waited for or at work: a request from outside would be in the way.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Done | Stage::Failed)
    }

    /// What the trace tells of it.
    pub(crate) fn screen(&self) -> Screen {
        let running = self.steps.iter().find(|step| step.1 == StepState::Running);
        Screen {
            kind: self.kind,
            stage: self.stage,
            step: running.map(|step| step.0),
            place: self.place,
            code: self.error.as_ref().map(|error| error.code),
            contact: self.contact,
            resume: self.resume,
        }
    }

    pub(crate) fn view(&self) -> TransactionView {
        TransactionView {
            id: hex::encode(self.id),
            kind: self.kind,
            stage: self.stage,
            card: self.card.clone(),
            sms: self.sms.clone(),
            pin_digits: u8::try_from(self.pin.len()).unwrap_or_default(),
            limits: self.limits.clone(),
            refund: self.refund,
            amount: self.amount,
            asked: self.asked,
            steps: self
                .steps
                .iter()
                .map(|(name, state, _, elapsed_ms)| StepView {
                    name: *name,
                    state: *state,
                    elapsed_ms: *elapsed_ms,
                })
                .collect(),
            place: self.place,
            can_cancel: !self.is_committed(),
            error: self.error.clone(),
            receipt: self.receipt.clone(),
            resume: self.resume,
            busy: self.busy,
            contact: self.contact,
        }
    }
}

const ALL_STEPS: [StepName; 4] = [
    StepName::Read,
    StepName::Approve,
    StepName::Write,
    StepName::Confirm,
];

/// Where the money of such a transaction is before anything happened.
pub(crate) fn home_of(kind: TransactionKind) -> MoneyPlace {
    match kind {
        TransactionKind::Topup => MoneyPlace::Account,
        TransactionKind::Balance | TransactionKind::Resume | TransactionKind::Activate => {
            MoneyPlace::None
        }
    }
}

/// The card as the screens show it: the last four digits and what the package decodes. None without a balance: nothing
/// is not 0, but on a card that waits for its activation and tells none.
pub(crate) fn card_view(closing: &Closing, industry: &str, name: LocalName) -> Option<CardView> {
    let card = closing.card.as_ref()?;
    let waits = card.active == Some(false);
    let balance = card.balance.or(waits.then_some(0))?;
    let mut after = card.balance;
    let log = card
        .log
        .iter()
        .map(|entry| {
            let kind = match entry.kind {
                CardLogKind::Load => LogKind::Load,
                CardLogKind::Purchase => LogKind::Purchase,
                CardLogKind::Other => LogKind::Other,
            };
            let balance_after = after;
            after = match entry.kind {
                CardLogKind::Load => after.and_then(|b| b.checked_sub(entry.amount)),
                CardLogKind::Purchase => after.and_then(|b| b.checked_add(entry.amount)),
                CardLogKind::Other => None,
            };
            LogEntryView {
                kind,
                amount: entry.amount,
                time: match (&entry.date, &entry.time) {
                    (Some(date), Some(time)) => Some(format!("{date}T{time}")),
                    (Some(date), None) => Some(date.clone()),
                    (None, _) => None,
                },
                terminal: entry.terminal.clone(),
                balance_after,
            }
        })
        .collect();
    Some(CardView {
        industry: industry.to_owned(),
        name,
        tail: card.tail().unwrap_or_default().to_owned(),
        mark: card.mark(),
        balance,
        expiry: card.expiry.clone(),
        active: card.active.unwrap_or(true),
        log,
    })
}

/// `138 •••• 6021`.
pub(crate) fn masked_phone(phone: &str) -> String {
    match (
        phone.get(..3),
        phone.len().checked_sub(4).and_then(|at| phone.get(at..)),
    ) {
        (Some(head), Some(tail)) => format!("{head} •••• {tail}"),
        _ => "••••".to_owned(),
    }
}

/// Digits alone, without spaces, dashes or the country's prefix; 8 to 15 of them.
pub(crate) fn phone_digits(typed: &str) -> Option<String> {
    let typed = typed.trim();
    let typed = typed
        .strip_prefix("+86")
        .or(typed.strip_prefix("0086"))
        .unwrap_or(typed);
    let kept: String = typed
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '(' | ')'))
        .collect();
    let good = (8..=15).contains(&kept.len()) && kept.bytes().all(|b| b.is_ascii_digit());
    good.then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_a_time_shows_its_day_and_none_made_up() {
        let entry = |date: Option<&str>, time: Option<&str>| industry::LogEntry {
            kind: CardLogKind::Purchase,
            amount: 200,
            date: date.map(str::to_owned),
            time: time.map(str::to_owned),
            terminal: "310000000411".to_owned(),
        };
        let facts = industry::Facts {
            balance: Some(1_000),
            log: vec![
                entry(Some("2026-11-23"), Some("18:06:00")),
                entry(Some("2026-11-22"), None),
                entry(None, Some("18:06:00")),
            ],
            ..industry::Facts::default()
        };
        let closing = Closing {
            operation: None,
            transaction: None,
            outcome: "ok".to_owned(),
            card: Some(facts),
            amount: None,
            old_balance: None,
            new_balance: None,
            reference: None,
            time_ms: None,
            receipt: None,
            already: false,
            limit: None,
            tries_left: None,
            status: None,
            command: None,
        };
        let card = card_view(&closing, "0001", LocalName::default()).unwrap();
        let times: Vec<_> = card.log.iter().map(|it| it.time.as_deref()).collect();
        assert_eq!(
            times,
            [Some("2026-11-23T18:06:00"), Some("2026-11-22"), None]
        );
    }

    #[test]
    fn a_phone_number_is_read_as_people_write_it() {
        assert_eq!(
            phone_digits("+86 138-0000 6021").as_deref(),
            Some("13800006021")
        );
        assert_eq!(phone_digits("138x"), None);
        assert_eq!(masked_phone("13800006021"), "138 •••• 6021");
    }
}
