//! Institutions: many cards and one payment (`docs/protocol.md`, section 9).
//!
//! A list is chosen, looked at and paid; from then on the numbers are forgotten, and cards are tapped one after the
//! other, today or later. Each is a top-up like any other, with the list's proof instead of a password.

mod choosing;
mod paying;
mod report;
mod settling;
mod store;
mod tapping;

use envelope::pin::PinDigits;
use industry::CardNumber;
use ipc::{
    ContactView, FlawKind, FlawView, ListColumn, QueueEntry, QueueItemState, QueueItemView,
    QueueStage, QueueTotals, QueueView, SmsView, SumView, TapView,
};
use relay::IndustryCode;
use roster::{Column, Flaw, Flaws, Item, List, Row, Standing, Sum, Totals};
use zeroize::Zeroizing;

use crate::actor::Answer;
use crate::disk::DiskError;
use crate::failure::Failure;

pub(crate) use store::{Paid, Store};
pub(crate) use tapping::Tapped;

/// All lists of this device.
pub(crate) struct Queues {
    pub(crate) store: Store,
    /// The one on the screen.
    pub(crate) screen: Option<Screen>,
}

/// The list on the screen.
pub(crate) struct Screen {
    pub(crate) id: [u8; 16],
    pub(crate) stage: QueueStage,
    /// Until it is paid.
    draft: Draft,
    flaws: Flaws,
    /// Who waits for a file to be chosen.
    picking: Option<Answer>,
    sms: Option<SmsView>,
    code: Zeroizing<String>,
    pub(crate) pin: PinDigits,
    pub(crate) busy: bool,
    error: Option<ipc::ErrorView>,
    tap: Option<TapView>,
    /// Cards so far.
    taps: u32,
    /// The reader's count of insertions at the last of them.
    tapped: Option<u64>,
    /// Items that this card is not, as the bank said.
    passed: Vec<usize>,
    /// Runs for this card.
    tries: u8,
    /// What the card before came to, if it was loaded: whose, and fen on it.
    last: Option<(u32, Option<u32>)>,
}

/// A list that is not paid.
#[derive(Default)]
struct Draft {
    name: Option<String>,
    list: Option<List>,
    industry: Option<IndustryCode>,
}

impl Queues {
    pub(crate) fn open(dir: &std::path::Path) -> Result<Self, DiskError> {
        Ok(Self {
            store: Store::open(dir)?,
            screen: None,
        })
    }

    /// The list of this id, if it is on the screen.
    pub(crate) fn shown(&mut self, id: &[u8; 16]) -> Option<&mut Screen> {
        self.screen.as_mut().filter(|screen| screen.id == *id)
    }

    /// A card is waited for or at work.
    pub(crate) fn wants_card(&self) -> bool {
        self.screen.as_ref().is_some_and(|screen| {
            let paid = self.store.get(&hex::encode(screen.id));
            let open = paid.is_some_and(|paid| !paid.is_over() && paid.proof.is_some());
            // The bank takes its time, and the person was told that the card may go.
            let contact = screen.tap.as_ref().and_then(|tap| tap.contact);
            let free = screen.is_at_work() && contact == Some(ContactView::Free);
            screen.stage == QueueStage::Tap && !free && (open || screen.is_at_work())
        })
    }

    pub(crate) fn entries(&self) -> Vec<QueueEntry> {
        let entry = |paid: &Paid| QueueEntry {
            id: paid.id.clone(),
            name: paid.name.clone(),
            totals: totals(&Totals::of(&paid.items)),
            closes_ms: paid.closes_ms,
            closed: paid.closed,
        };
        self.store.all.iter().map(entry).collect()
    }

    pub(crate) fn view(&self) -> Option<QueueView> {
        let screen = self.screen.as_ref()?;
        let paid = self.store.get(&hex::encode(screen.id));
        let paid = paid.filter(|_| matches!(screen.stage, QueueStage::Tap | QueueStage::Closed));
        let items = match (paid, &screen.draft.list) {
            (Some(paid), _) => paid.items.clone(),
            (None, Some(list)) => list.rows.iter().map(item).collect(),
            (None, None) => Vec::new(),
        };
        let index = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let pin_digits = u8::try_from(screen.pin.len()).unwrap_or_default();
        Some(QueueView {
            id: hex::encode(screen.id),
            stage: screen.stage,
            name: paid.map_or(screen.draft.name.clone(), |paid| Some(paid.name.clone())),
            industry: match paid {
                Some(paid) => Some(paid.industry.clone()),
                None => screen.draft.industry.map(|code| code.to_string()),
            },
            totals: totals(&Totals::of(&items)),
            items: (items.iter().enumerate())
                .map(|(place, item)| item_view(index(place), item))
                .collect(),
            flaws: screen.flaws.told.iter().map(flaw_view).collect(),
            flaw_count: index(screen.flaws.count),
            sms: screen.sms.clone(),
            pin_digits,
            closes_ms: paid.and_then(|paid| paid.closes_ms),
            tap: screen.tap.clone(),
            busy: screen.busy || screen.picking.is_some(),
            error: screen.error.clone(),
        })
    }
}

impl Screen {
    fn new(id: [u8; 16], stage: QueueStage) -> Self {
        Self {
            id,
            stage,
            draft: Draft::default(),
            flaws: Flaws::default(),
            picking: None,
            sms: None,
            code: Zeroizing::default(),
            pin: PinDigits::default(),
            busy: false,
            error: None,
            tap: None,
            taps: 0,
            tapped: None,
            passed: Vec::new(),
            tries: 0,
            last: None,
        }
    }

    /// A card is at work.
    pub(crate) fn is_at_work(&self) -> bool {
        use ipc::TapState::{Loaded, Reading, Running, Stopped, Ticked};
        self.tap.as_ref().is_some_and(|tap| match tap.state {
            Reading | Running => true,
            Loaded | Ticked | Stopped => false,
        })
    }

    /// A list on the way to its payment must not be lost by a link or an update; between two cards it waits anyway.
    pub(crate) fn is_open(&self) -> bool {
        self.stage != QueueStage::Closed
    }

    /// A command was refused: shown where it was given.
    pub(crate) fn refused(&mut self, failure: &Failure) {
        if failure.code != ipc::Code::NotNow {
            self.error = Some(failure.clone().view(ipc::MoneyPlace::Account));
        }
    }
}

/// Digits of the longest card number there is: that of a purse, which begins with zeros.
const LONGEST: usize = 20;

/// What is kept of a row: no number.
fn item(row: &Row) -> Item {
    let number = CardNumber::new(row.card.to_string());
    let padded = CardNumber::new(format!("{:0>LONGEST$}", row.card.as_str()));
    let mut marks = vec![number.mark(), padded.mark()];
    marks.dedup();
    Item {
        name: row.name.clone(),
        tail: number.tail().to_owned(),
        marks,
        amount: row.amount,
        attempt: None,
        standing: Standing::Waiting,
        reference: None,
        time_ms: None,
    }
}

fn item_view(index: u32, item: &Item) -> QueueItemView {
    QueueItemView {
        index,
        name: item.name.clone(),
        tail: item.tail.clone(),
        amount: item.amount,
        state: match item.standing {
            Standing::Waiting => QueueItemState::Waiting,
            Standing::Open => QueueItemState::Open,
            Standing::Loaded => QueueItemState::Loaded,
            Standing::Returned => QueueItemState::Returned,
            Standing::WrittenOff => QueueItemState::WrittenOff,
        },
        reference: item.reference.clone(),
        time_ms: item.time_ms,
    }
}

fn totals(totals: &Totals) -> QueueTotals {
    let sum = |Sum { cards, fen }| SumView { cards, fen };
    QueueTotals {
        all: sum(totals.paid),
        loaded: sum(totals.loaded),
        returned: sum(totals.returned),
        waiting: sum(totals.waiting),
        unsettled: sum(totals.unsettled),
        written_off: sum(totals.written_off),
    }
}

fn flaw_view(flaw: &Flaw) -> FlawView {
    use roster::FlawKind as Kind;
    FlawView {
        row: flaw.row,
        column: flaw.column.map(|column| match column {
            Column::Name => ListColumn::Name,
            Column::Card => ListColumn::Card,
            Column::Amount => ListColumn::Amount,
        }),
        kind: match flaw.kind {
            Kind::Encoding => FlawKind::Encoding,
            Kind::TooLarge => FlawKind::TooLarge,
            Kind::Empty => FlawKind::Empty,
            Kind::RowsMany => FlawKind::RowsMany,
            Kind::HeadingMissing => FlawKind::HeadingMissing,
            Kind::HeadingTwice => FlawKind::HeadingTwice,
            Kind::Quote => FlawKind::Quote,
            Kind::FieldsMany => FlawKind::FieldsMany,
            Kind::NameMissing => FlawKind::NameMissing,
            Kind::NameLong => FlawKind::NameLong,
            Kind::CardMissing => FlawKind::CardMissing,
            Kind::CardDigits => FlawKind::CardDigits,
            Kind::CardRounded => FlawKind::CardRounded,
            Kind::CardTwice => FlawKind::CardTwice,
            Kind::AmountMissing => FlawKind::AmountMissing,
            Kind::AmountBad => FlawKind::AmountBad,
            Kind::AmountLow => FlawKind::AmountLow,
            Kind::AmountHigh => FlawKind::AmountHigh,
            Kind::CardUnknown => FlawKind::CardUnknown,
            Kind::CardBlocked => FlawKind::CardBlocked,
        },
        detail: flaw.detail,
    }
}
