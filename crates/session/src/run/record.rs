//! What a run writes into the journal: before any effect that could lose money, and after each that has one.

use ipc::{Code, MoneyPlace, ReceiptView, TransactionKind};
use relay::journal::{About, Entry, Event, State};

use super::{Run, Shells, lock, operation};
use crate::closing::{refused, settle, settle_about};
use crate::failure::{Failure, Verdict, verdict};
use crate::journal::{self, Record};
use crate::terminal::Spent;
use industry::Closing;

impl Run {
    /// The bank went on: from here on the money of a load is in transit.
    ///
    /// Nearly always the card's write comes next: one flush keeps both then, instead of two in a row while a person
    /// holds the card. Until then the disk says `Asked`, which is open and offers the same way out.
    pub(super) fn approved(&mut self) {
        if self.job.kind == TransactionKind::Topup
            && !self.committed
            && let Some(record) = &mut self.record
        {
            record.apply(Event::Issued);
            self.unkept = true;
        }
    }

    /// Before anything else than the card's write comes.
    pub(super) fn keep_issued(&mut self) -> Result<(), Failure> {
        if self.unkept {
            self.write_record()?;
        }
        Ok(())
    }

    /// On the disk before the card can be changed; `amount` for a load that this device never knew of.
    pub(super) fn before_write(&mut self, amount: Option<u32>) -> Result<(), Failure> {
        if self.committed {
            // A card that takes several writes is in the journal since the first.
            return Ok(());
        }
        self.committed = true;
        self.job.amount = self.job.amount.or(amount);
        match self.job.kind {
            TransactionKind::Topup => self.note(Event::Writing),
            TransactionKind::Resume => {
                self.open_record()?;
                if let Some(record) = &mut self.record {
                    record.apply(Event::Issued);
                }
                self.note(Event::Writing)
            }
            TransactionKind::Balance | TransactionKind::Activate => Ok(()),
        }
    }

    pub(super) fn open_record(&mut self) -> Result<(), Failure> {
        let known = lock(&self.shells.journal)
            .get(&hex::encode(self.job.id))
            .cloned();
        let passed =
            |record: &Record| !matches!(record.entry.state, State::Asked | State::NotDone { .. });
        if known.is_some_and(|record| passed(&record)) {
            // This very transaction went further before: it is never begun again.
            return Err(Code::LoadOpen.into());
        }
        let card = self.card.clone().unwrap_or_default();
        let now_ms = self.shells.link.bank_now_ms();
        let operation = operation(self.job.kind);
        let entry = Entry {
            transaction: self.job.id,
            operation,
            industry: self.job.industry,
            tail: card.tail.clone(),
            mark: card.mark,
            amount: self.job.amount.unwrap_or_default(),
            reference: None,
            about: self.job.about.map(About),
            started_ms: now_ms,
            state: State::Asked,
        };
        let receipt = ReceiptView {
            amount: self.job.amount,
            old_balance: None,
            new_balance: None,
            tail: card.tail,
            time_ms: now_ms,
            reference: None,
            proof: None,
            place: MoneyPlace::Unsure,
        };
        self.record = Some(Record {
            version: journal::VERSION,
            entry,
            receipt,
            error: None,
        });
        let written = self.write_record();
        if written.is_err() {
            // Nothing is asked without a record: there is nothing to be unsure of.
            self.record = None;
        }
        written
    }

    /// What could not be written has not happened, as far as anybody is told.
    pub(super) fn note(&mut self, event: Event) -> Result<(), Failure> {
        let before = self.record.clone();
        if let Some(record) = &mut self.record {
            record.apply(event);
        }
        let written = self.write_record();
        if written.is_err() {
            self.record = before;
        }
        written
    }

    pub(super) fn write_record(&mut self) -> Result<(), Failure> {
        if let Some(record) = self.record.clone() {
            lock(&self.shells.journal).keep(record)?;
        }
        self.unkept = false;
        Ok(())
    }

    /// Writes what the closing message says into the journal.
    pub(super) fn close(&mut self, closing: Closing) -> Result<Closing, Failure> {
        let verdict = verdict(&closing.outcome);
        let well = match verdict {
            Verdict::Done => true,
            // What was asked for; a top-up that ends so was taken back by people meanwhile.
            Verdict::Returned => self.job.kind == TransactionKind::Resume,
            Verdict::NotMoved | Verdict::WrittenOff | Verdict::Open => false,
        };
        let failure = (!well).then(|| self.refused(&closing));
        self.bank_goes_on |= matches!(closing.outcome.as_str(), "in-doubt" | "manual");
        let mut journal = lock(&self.shells.journal);
        if let Some(mut record) = self.record.take() {
            settle(&mut record, &closing, verdict);
            record.error = failure.clone().map(|failure| failure.view(record.place()));
            self.record = Some(record.clone());
            journal.keep(record)?;
        }
        if let Some(about) = self.job.about {
            settle_about(&mut journal, about, &closing, verdict)?;
        }
        drop(journal);
        match failure {
            Some(failure) => Err(failure),
            None => Ok(closing),
        }
    }

    fn refused(&self, closing: &Closing) -> Failure {
        let failure = refused(closing);
        match self.last_status {
            Some(status) if failure.code == Code::CardRefused => {
                failure.with("status", hex::encode_upper(status))
            }
            Some(_) | None => failure,
        }
    }
}

/// Sends a proof that waits in the journal. Ends with what the bank says of it.
pub(crate) async fn deliver(shells: &Shells, id: &str, message: &[u8]) -> Result<(), Failure> {
    let answer = shells.link.exchange(message, &mut Spent::default()).await;
    let answer = answer.map_err(|unanswered| unanswered.failure)?;
    let closing =
        industry::decode(&shells.packages, &answer).map_err(|_| Failure::from(Code::MessageBad))?;
    let mut journal = lock(&shells.journal);
    let Some(mut record) = journal.get(id).cloned() else {
        return Ok(());
    };
    let verdict = verdict(&closing.outcome);
    settle(&mut record, &closing, verdict);
    let about = record.entry.about;
    journal.keep(record)?;
    if let Some(about) = about {
        settle_about(&mut journal, about.0, &closing, verdict)?;
    }
    Ok(())
}
