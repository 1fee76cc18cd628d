//! The durable journal: one file for each transaction, written before any effect that can lose money.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ipc::{
    ErrorView, HistoryEntry, HistoryState, MoneyPlace, PendingView, ReceiptView, TransactionKind,
};
use relay::journal::{Entry, Event, Place, State};
use relay::{IndustryCode, Operation};
use serde::{Deserialize, Serialize};

use crate::card_mark::CardMark;
use crate::disk::DiskError;
use crate::disk::slots::{self, Slots};
use crate::trace::{TraceEvent, Tracer};

/// Of what is written. Members that are new get a default instead, so that older files stay good.
pub(crate) const VERSION: u32 = 1;

/// One transaction in the journal: its state by the rules of the relay, and what its receipt tells so far.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    #[serde(flatten)]
    pub(crate) entry: Entry,
    pub(crate) receipt: ReceiptView,
    #[serde(default)]
    pub(crate) error: Option<ErrorView>,
}

impl Record {
    /// 32 hex digits.
    pub(crate) fn id(&self) -> String {
        hex::encode(self.entry.transaction)
    }

    /// False for what a later version wrote, and for the copy of a file: nobody would keep it up to date.
    fn belongs_in(&self, path: &Path) -> bool {
        let named = path.file_stem().and_then(std::ffi::OsStr::to_str);
        self.version == VERSION && named == Some(self.id().as_str())
    }

    /// What happened. A step that the rules don't allow is a fault of ours and changes nothing.
    pub(crate) fn apply(&mut self, event: Event) {
        match self.entry.clone().apply(event) {
            Ok(entry) => self.entry = entry,
            Err(error) => log::error!("{error}: {:?}", self.entry.state),
        }
        self.receipt.place = self.place();
    }

    pub(crate) fn place(&self) -> MoneyPlace {
        match self.entry.place() {
            Place::Account => MoneyPlace::Account,
            Place::Unsure => MoneyPlace::Unsure,
            Place::InTransit => MoneyPlace::InTransit,
            Place::OnCardUnreported => MoneyPlace::OnCardUnreported,
            Place::OnCard => MoneyPlace::OnCard,
            Place::WrittenOff => MoneyPlace::WrittenOff,
            Place::None => MoneyPlace::None,
        }
    }

    fn is_load(&self) -> bool {
        match self.entry.operation {
            Operation::TopUp => true,
            Operation::ReTopUp => self.entry.about.is_none(),
            Operation::Balance | Operation::Activation => false,
        }
    }

    fn history(&self) -> HistoryEntry {
        let state = match &self.entry.state {
            State::Done => HistoryState::Done,
            State::NotDone { .. } | State::WrittenOff => HistoryState::NotDone,
            State::Asked
            | State::Issued
            | State::Writing
            | State::ToDeliver { .. }
            | State::InDoubt => HistoryState::Unfinished,
        };
        let kind = match self.entry.operation {
            Operation::Balance => TransactionKind::Balance,
            Operation::TopUp => TransactionKind::Topup,
            Operation::ReTopUp => TransactionKind::Resume,
            Operation::Activation => TransactionKind::Activate,
        };
        HistoryEntry {
            id: self.id(),
            kind,
            started_ms: self.entry.started_ms,
            state,
            receipt: self.receipt.clone(),
            error: self.error.clone(),
        }
    }
}

fn state_word(state: &State) -> &'static str {
    match state {
        State::Asked => "asked",
        State::Issued => "issued",
        State::Writing => "writing",
        State::ToDeliver { .. } => "to-deliver",
        State::InDoubt => "in-doubt",
        State::Done => "done",
        State::NotDone { .. } => "not-done",
        State::WrittenOff => "written-off",
    }
}

/// The journal's folder and all of its entries, oldest first.
pub(crate) struct Journal {
    dir: PathBuf,
    records: Vec<Record>,
    /// Where the next state of what is under way goes.
    slots: BTreeMap<[u8; 16], Slots>,
    /// The load whose file is ready.
    expected: Option<[u8; 16]>,
    tracer: Tracer,
    /// Files that can't be read: kept, counted and told, deleted by the person alone.
    pub(crate) damaged: usize,
}

impl Journal {
    pub(crate) fn open(dir: &Path, tracer: Tracer) -> Result<Self, DiskError> {
        let dir = dir.join("journal");
        fs::create_dir_all(&dir)?;
        let mut journal = Self {
            dir,
            records: Vec::new(),
            slots: BTreeMap::new(),
            expected: None,
            tracer,
            damaged: 0,
        };
        for file in fs::read_dir(&journal.dir)? {
            let path = file?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match slots::read::<Record>(&path) {
                Ok(Some(record)) if record.belongs_in(&path) => journal.records.push(record),
                // A load was expected and never begun.
                Ok(None) => remove(&path),
                // One file that can't be read holds back no other, nor the app.
                Ok(Some(_)) | Err(DiskError::Damaged | DiskError::Broken | DiskError::Full) => {
                    journal.damaged += 1;
                }
            }
        }
        journal
            .records
            .sort_by_key(|record| record.entry.started_ms);
        Ok(journal)
    }

    /// A load may begin soon: its file is made now, not when a card is held. None: no load, after all.
    pub(crate) fn expect(&mut self, load: Option<[u8; 16]>) {
        if self.expected == load {
            return;
        }
        let unused = self.expected.take().filter(|id| !self.knows(id));
        if let Some(id) = unused.filter(|id| self.slots.remove(id).is_some()) {
            remove(&self.path(&id));
        }
        self.expected = load;
        let Some(id) = load.filter(|id| !self.knows(id)) else {
            return;
        };
        match slots::prepare(&self.path(&id)) {
            Ok(slots) => {
                self.slots.insert(id, slots);
            }
            // The first state makes it, or tells what is wrong.
            Err(error) => log::warn!("a file was not made ready: {error}"),
        }
    }

    fn knows(&self, id: &[u8; 16]) -> bool {
        let is = |record: &Record| record.entry.transaction == *id;
        self.records.iter().any(is)
    }

    fn path(&self, id: &[u8; 16]) -> PathBuf {
        self.dir.join(format!("{}.json", hex::encode(id)))
    }

    /// Keeps a record, new or changed. After an error the former state is what counts.
    pub(crate) fn keep(&mut self, record: Record) -> Result<(), DiskError> {
        let id = record.entry.transaction;
        let written = slots::write(self.slots.remove(&id), &self.path(&id), &record);
        self.tracer.note(TraceEvent::Journal {
            state: state_word(&record.entry.state).to_owned(),
            kept: written.is_ok(),
        });
        let slots = written?;
        if record.entry.is_open() {
            self.slots.insert(id, slots);
        }
        match self
            .records
            .iter_mut()
            .find(|known| known.id() == record.id())
        {
            Some(known) => *known = record,
            None => self.records.push(record),
        }
        Ok(())
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.id() == id)
    }

    /// What loads made of their cards: the card, its balance in fen, when the load began. Oldest first.
    pub(crate) fn balances(&self) -> impl Iterator<Item = (CardMark, u32, u64)> {
        let done = |record: &&Record| record.entry.state == State::Done;
        self.records.iter().filter(done).filter_map(|record| {
            let balance = record.receipt.new_balance?;
            let entry = &record.entry;
            Some((CardMark::from(entry), balance, entry.started_ms))
        })
    }

    /// Newest first.
    pub(crate) fn history(&self) -> impl Iterator<Item = HistoryEntry> {
        let told = |record: &&Record| record.entry.about.is_none();
        self.records.iter().rev().filter(told).map(Record::history)
    }

    /// Unfinished loads, oldest first.
    pub(crate) fn pending(&self) -> Vec<PendingView> {
        self.open_loads()
            .map(|record| PendingView {
                id: record.id(),
                amount: record.entry.amount,
                tail: record.entry.tail.clone(),
                reference: record.receipt.reference.clone(),
                started_ms: record.entry.started_ms,
                place: self.proven(record).map_or(record.place(), Record::place),
            })
            .collect()
    }

    /// What waits on that card beside this transaction.
    pub(crate) fn other_load(&self, card: &CardMark, own: &[u8; 16]) -> Option<PendingView> {
        let on_card = |load: &PendingView| {
            let record = self.get(&load.id);
            record.is_some_and(|record| card.is(&CardMark::from(&record.entry)))
        };
        let own = hex::encode(own);
        (self.pending().into_iter()).find(|load| load.id != own && on_card(load))
    }

    fn open_loads(&self) -> impl Iterator<Item = &Record> {
        self.records
            .iter()
            .filter(|record| record.is_load() && record.entry.is_open())
    }

    /// The re-top-up of this load whose proof waits for the bank.
    fn proven(&self, load: &Record) -> Option<&Record> {
        self.resumes_of(load.entry.transaction)
            .find(|record| matches!(record.entry.state, State::ToDeliver { written: true, .. }))
    }

    fn resumes_of(&self, load: [u8; 16]) -> impl Iterator<Item = &Record> {
        let is_about = move |record: &&Record| {
            record.entry.about.is_some_and(|about| about.0 == load) && record.entry.is_open()
        };
        self.records.iter().filter(is_about)
    }

    /// Loads of which only the bank can say more: no proof waits to be told. True: the first message may never have
    /// reached it.
    pub(crate) fn unanswered(&self) -> Vec<([u8; 16], bool)> {
        self.open_loads()
            .filter(|record| {
                let to_tell = |it: &Record| matches!(it.entry.state, State::ToDeliver { .. });
                !to_tell(record) && self.proven(record).is_none()
            })
            .map(|record| {
                let unsure = record.entry.place() == Place::Unsure;
                (record.entry.transaction, unsure)
            })
            .collect()
    }

    /// Messages that the bank has not acknowledged: id and bytes.
    pub(crate) fn to_deliver(&self) -> Vec<(String, Vec<u8>)> {
        let message = |record: &Record| match &record.entry.state {
            State::ToDeliver { message, .. } => Some((record.id(), message.clone())),
            State::Asked
            | State::Issued
            | State::Writing
            | State::InDoubt
            | State::Done
            | State::NotDone { .. }
            | State::WrittenOff => None,
        };
        self.records.iter().filter_map(message).collect()
    }

    /// The oldest load on that card that a re-top-up has to settle.
    pub(crate) fn unfinished_on(&self, card: &CardMark) -> Option<&Record> {
        self.open_loads()
            .find(|record| card.is(&CardMark::from(&record.entry)))
    }

    /// Where a load waits.
    pub(crate) fn unfinished_in(&self) -> Vec<IndustryCode> {
        let mut codes: Vec<IndustryCode> = Vec::new();
        for record in self.open_loads() {
            if !codes.contains(&record.entry.industry) {
                codes.push(record.entry.industry);
            }
        }
        codes
    }

    /// The oldest unfinished load on another card.
    pub(crate) fn unfinished_elsewhere(&self, card: &CardMark) -> Option<&Record> {
        self.open_loads()
            .find(|record| !card.is(&CardMark::from(&record.entry)))
    }

    /// A re-top-up came to its end: the load that it was about ends with it, and every try before.
    pub(crate) fn settle_about(
        &mut self,
        about: [u8; 16],
        event: &Event,
        receipt: &ReceiptView,
    ) -> Result<(), DiskError> {
        let mut settled: Vec<Record> = self.resumes_of(about).cloned().collect();
        if let Some(load) = self.get(&hex::encode(about)).cloned() {
            let mut load = load;
            load.receipt = ReceiptView {
                amount: load.receipt.amount.or(receipt.amount),
                ..receipt.clone()
            };
            settled.push(load);
        }
        for mut record in settled {
            record.apply(event.clone());
            self.keep(record)?;
        }
        Ok(())
    }

    /// Forgets everything, what could not be read too. The caller has made sure that no load is known to be open.
    pub(crate) fn erase(&mut self) -> Result<(), DiskError> {
        self.records.clear();
        self.slots.clear();
        self.expected = None;
        for file in fs::read_dir(&self.dir)? {
            let file = file?;
            if file.file_type()?.is_dir() {
                fs::remove_dir_all(file.path())?;
            } else {
                fs::remove_file(file.path())?;
            }
        }
        self.damaged = 0;
        Ok(())
    }
}

/// A file that says nothing.
fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            log::warn!("an empty file stays: {error}");
        }
        Ok(()) | Err(_) => {}
    }
}

#[cfg(test)]
mod tests;
