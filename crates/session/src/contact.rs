//! The contact-quality gate: before money moves, harmless reads tell whether the card lies well.

use std::time::Duration;

use card_link::{CardContact, LinkError};
use industry::{Contact, ProbeRead};
use ipc::{Code, ContactView};
use tokio::time::{Instant, sleep};

use crate::failure::Failure;
use crate::run::{Progress, Run, took_ms};

/// So long a person is asked to move the card.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at a card that is being moved.
const PAUSE: Duration = Duration::from_millis(250);

/// A card that is put back quickly lies there before the reader's service has heard that it was gone: it is lost in the
/// middle of a read. So long it is looked for again.
const LOOKS_AGAIN: Duration = Duration::from_millis(1_500);

/// Where the gate of a run stands.
#[derive(Default)]
pub(crate) struct Gate {
    passed: bool,
    /// The contact was found poor; at this time the run gives up.
    until: Option<Instant>,
}

/// What measuring came to.
pub(crate) enum Measured {
    /// Good; the reply of the last read.
    Good(Vec<u8>),
    /// The card was gone for a moment: everything from the start, in a new contact.
    Lost,
}

impl Run {
    /// Whether `reply` to a harmless read is the moment to measure: once, before the bank is asked.
    pub(crate) fn measures(&self, reply: &[u8]) -> bool {
        self.gate_is_due() && reply.ends_with(&[0x90, 0x00])
    }

    /// The contact is still to be measured.
    pub(crate) fn gate_is_due(&self) -> bool {
        self.changes_card() && !self.gate.passed
    }

    /// Repeats a read that was answered until the contact is good, or the person's time is over. `ahead` comes after it.
    pub(crate) async fn measure(
        &mut self,
        contact: &mut dyn CardContact,
        command: &[u8],
        first: ProbeRead,
        ahead: Vec<Vec<u8>>,
    ) -> Result<Measured, Failure> {
        let mut next = Some(first);
        loop {
            let mut reads = Vec::new();
            let mut wanted = 1;
            while reads.len() < wanted {
                let read = match next.take() {
                    Some(read) => read,
                    None => match self.read(contact, command).await {
                        Ok(read) => read,
                        Err(error) => return self.lost(error).map(|()| Measured::Lost),
                    },
                };
                if reads.is_empty() {
                    let repeats = industry::repeats(read.ms);
                    wanted += repeats;
                    let again = std::iter::repeat_n(command.to_vec(), repeats).skip(1);
                    contact.ahead(again.chain(industry::in_place(&ahead).cloned()).collect());
                }
                reads.push(read);
            }
            if industry::contact(&reads) == Contact::Good {
                self.gate = Gate {
                    passed: true,
                    until: None,
                };
                self.tell_contact(None);
                let last = reads.pop().map(|read| read.reply);
                return Ok(Measured::Good(last.unwrap_or_default()));
            }
            self.poor(Code::ContactPoor)?;
            sleep(PAUSE).await;
        }
    }

    async fn read(
        &mut self,
        contact: &mut dyn CardContact,
        command: &[u8],
    ) -> Result<ProbeRead, LinkError> {
        let started = Instant::now();
        let reply = self.order(contact, command.to_vec()).await?;
        Ok(ProbeRead {
            ms: took_ms(contact, started),
            reply,
        })
    }

    /// A card that was lost while it is measured may come back in a moment; anything else ends the run.
    pub(crate) fn lost(&mut self, error: LinkError) -> Result<(), Failure> {
        match error {
            LinkError::Lost | LinkError::NoCard | LinkError::Timeout | LinkError::Busy => {
                self.poor(Code::CardLost)
            }
            LinkError::ServiceDown
            | LinkError::ServiceHung
            | LinkError::NoReader
            | LinkError::NfcOff
            | LinkError::NfcNone
            | LinkError::Denied => Err(error.into()),
        }
    }

    /// A card that is being moved, and nothing was asked of the bank yet.
    pub(crate) fn is_measuring(&self) -> bool {
        self.gate.until.is_some()
    }

    /// A new contact with the card that was lost.
    pub(crate) async fn open_again(&mut self) -> Result<Box<dyn CardContact>, Failure> {
        loop {
            sleep(PAUSE).await;
            match self.open().await {
                Ok(contact) => return Ok(contact),
                Err(error) if self.is_measuring() => self.lost(error)?,
                Err(_) if self.looks_again() => {}
                Err(_) => return Err(Code::CardLost.into()),
            }
        }
    }

    /// Whether a card that was lost is looked for once more: nothing was asked of the bank yet, and reading changes
    /// nothing.
    pub(crate) fn looks_again(&mut self) -> bool {
        let now = Instant::now();
        let until = *self.looks_until.get_or_insert(now + LOOKS_AGAIN);
        !self.asked && !self.committed && now < until
    }

    /// Asks for the card to be moved; when that went on for long enough, the failure with this code.
    fn poor(&mut self, code: Code) -> Result<(), Failure> {
        let now = Instant::now();
        let until = *self.gate.until.get_or_insert(now + PATIENCE);
        if now >= until {
            return Err(code.into());
        }
        self.tell_contact(Some(ContactView::Poor));
        Ok(())
    }

    fn tell_contact(&self, contact: Option<ContactView>) {
        (self.on_progress)(Progress::Contact(contact));
    }
}
