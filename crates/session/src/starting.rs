//! Every start: the keystore, enrolment, keys, what the bank tells; and what heals by itself afterwards.

use std::time::Duration;

use tokio::time::Instant;

use ipc::{Code, MoneyPlace, NetworkState, Phase, Reply};

use crate::actor::{Actor, Answer, Happened};
use crate::clock::card_date;
use crate::closing;
use crate::failure::Failure;
use crate::packages::Offer;
use crate::run::{self, lock};
use crate::terminal::Outcome;

/// Between two questions about what became of the same loads.
const ASK_AGAIN: Duration = Duration::from_secs(15 * 60);

impl Actor {
    pub(crate) fn unlock(&mut self) {
        self.connecting = true;
        // Later, what is asked is told at once what keeps the keys away.
        self.unlocking = self.phase == Phase::Starting;
        let link = self.link.clone();
        let ask = self.settings_view().lock;
        if self.settings.now.terminal.is_some() && !ask {
            // Whatever the keystore says, this device is no new one: its people see their cards at once.
            self.phase = Phase::Ready;
        }
        self.beside(async move { Happened::Unlocked(link.unlock(ask).await) });
    }

    /// Why the keys stay in the keystore, while they do.
    pub(crate) fn locked(&self) -> Option<Code> {
        let code = self.trouble.as_ref()?.code;
        [Code::UnlockRefused, Code::UnlockUnable]
            .contains(&code)
            .then_some(code)
    }

    pub(crate) fn unlocked(&mut self, result: Result<bool, Failure>) {
        self.connecting = false;
        self.unlocking = false;
        match result {
            Ok(true) => {
                self.trouble = None;
                self.phase = Phase::Ready;
                self.connect(None);
            }
            Ok(false) if self.settings.now.terminal.is_some() => {
                // A keystore can look empty while it is only not there: the person decides.
                self.phase = Phase::Ready;
                self.trouble = Some(Failure::from(Code::KeystoreEmptied).view(MoneyPlace::None));
            }
            Ok(false) => {
                self.phase = Phase::Welcome;
                self.enrol(None);
            }
            Err(failure) => {
                self.phase = match self.settings.now.terminal {
                    Some(_) => Phase::Ready,
                    None => Phase::Welcome,
                };
                self.trouble = Some(failure.view(MoneyPlace::None));
            }
        }
        for ask in std::mem::take(&mut self.early) {
            self.command(ask);
        }
    }

    pub(crate) fn enrol(&mut self, answer: Option<Answer>) {
        if self.connecting {
            self.refuse(answer, Code::NotNow);
            return;
        }
        if let Some(code) = self.locked() {
            // A new key must not be the way around the lock.
            return self.refuse(answer, code);
        }
        self.connecting = true;
        if self.phase == Phase::Welcome {
            self.phase = Phase::Enrolling;
        }
        let link = self.link.clone();
        let previous = self.settings.now.terminal.clone();
        self.beside(async move { Happened::Enrolled(link.enrol(previous).await, answer) });
    }

    pub(crate) fn enrolled(&mut self, result: Result<(), Failure>, answer: Option<Answer>) {
        self.connecting = false;
        self.bank_answered(result.as_ref().err());
        match result.and_then(|()| self.remember_terminal()) {
            Ok(()) => {
                self.trouble = None;
                self.connect(answer);
            }
            Err(failure) => {
                if self.phase == Phase::Enrolling {
                    self.phase = Phase::Welcome;
                }
                self.trouble = Some(failure.clone().view(MoneyPlace::None));
                self.reply(answer, Err(failure));
            }
        }
    }

    /// Every start with a network: a working key; the packages with their limits.
    pub(crate) fn connect(&mut self, answer: Option<Answer>) {
        self.connecting = true;
        let link = self.link.clone();
        let complete = self.packages.is_complete();
        let etag = self.settings.now.packages_etag.clone();
        let etag = etag.filter(|_| complete);
        self.beside(async move {
            let online = async {
                link.fetch_working_key().await?;
                let _ = link.bank().warm().await;
                link.packages(etag.as_deref()).await
            };
            Happened::Connected(online.await, answer)
        });
    }

    pub(crate) fn connected(&mut self, result: Result<Offer, Failure>, answer: Option<Answer>) {
        self.connecting = false;
        self.bank_answered(result.as_ref().err());
        if self.phase == Phase::Enrolling {
            self.phase = Phase::Ready;
        }
        let result = result.and_then(|offer| {
            let offset_ms = self.link.clock_offset_ms();
            let today = card_date(self.link.bank_now_ms());
            if let Some(packages) = offer.packages {
                self.packages.update(packages, today)?;
            }
            self.settings.change(|settings| {
                settings.packages_etag = Some(offer.etag).filter(|etag| !etag.is_empty());
                settings.limits = offer.limits.into_iter().collect();
                settings.clock_offset_ms = offset_ms;
            })?;
            Ok(())
        });
        match &result {
            Ok(()) => {
                self.trouble = None;
                self.told = None;
                self.deliver_waiting();
                self.asked_outcomes = None;
                self.ask_outcomes();
                self.ask_queues();
                self.card_is_here();
            }
            Err(failure) => self.note_trouble(failure),
        }
        self.reply(answer, result.map(|()| Reply::Done));
    }

    /// What concerns the device as a whole stays on the screen until it heals; a bank that is away is no trouble.
    pub(crate) fn note_trouble(&mut self, failure: &Failure) {
        if self.told != Some(failure.code) {
            // Tried again every few seconds: once is enough in a log.
            log::warn!("{}: {:?}", failure.code.as_str(), failure.params);
            self.told = Some(failure.code);
        }
        if self.network == NetworkState::Online || failure.code.is_distrust() {
            self.trouble = Some(failure.clone().view(MoneyPlace::None));
        }
    }

    pub(crate) fn key_checked(&mut self, result: Result<(), Failure>) {
        self.key_queries = self.key_queries.saturating_sub(1);
        self.bank_answered(result.as_ref().err());
        // The query may have ended in a new enrolment.
        if let Err(failure) = result.and_then(|()| self.remember_terminal()) {
            self.note_trouble(&failure);
        }
        if self.key_queries == 0 {
            self.send_held();
        }
        self.card_is_here();
    }

    fn remember_terminal(&mut self) -> Result<(), Failure> {
        let facts = self.link.facts().ok_or(Code::Internal)?;
        if self.settings.now.terminal.as_ref() != Some(&facts.terminal) {
            self.settings
                .change(|settings| settings.terminal = Some(facts.terminal))?;
        }
        Ok(())
    }

    /// Heals by itself what time can heal.
    pub(crate) fn retry_start(&mut self) {
        if self.connecting {
            return;
        }
        if self.network != NetworkState::Offline && self.runs == 0 {
            self.deliver_waiting();
            self.ask_outcomes();
        }
        let waits_for_keystore = self.trouble.as_ref().is_some_and(|trouble| {
            [
                Code::KeystoreLocked,
                Code::KeystoreMissing,
                Code::KeystoreDenied,
                Code::KeystoreBroken,
            ]
            .contains(&trouble.code)
        });
        if waits_for_keystore {
            self.unlock();
        } else if self.phase == Phase::Welcome {
            self.enrol(None);
        } else if (self.network == NetworkState::Offline || self.start_was_hindered())
            && self.link.facts().is_some()
        {
            self.connect(None);
        }
    }

    /// The last start with a network failed for something that ends without the person.
    fn start_was_hindered(&self) -> bool {
        let passing = [Code::BankError, Code::BankBusy, Code::DiskFull];
        self.trouble
            .as_ref()
            .is_some_and(|trouble| passing.contains(&trouble.code))
    }

    /// The deliver-later queue: proofs that the bank has not acknowledged.
    fn deliver_waiting(&mut self) {
        if self.delivering > 0 || self.link.facts().is_none() {
            return;
        }
        let waiting = lock(&self.journal).to_deliver();
        self.delivering = waiting.len();
        for (id, message) in waiting {
            let shells = self.shells();
            self.beside(
                async move { Happened::Delivered(run::deliver(&shells, &id, &message).await) },
            );
        }
    }

    /// A load whose card never comes back is settled by people of the bank, and only the bank can say so.
    fn ask_outcomes(&mut self) {
        let asked_lately = |at: Instant| at.elapsed() < ASK_AGAIN;
        // What runs now is asked about by nobody: its first message may be on its way, and would be made void.
        if self.asking > 0
            || self.runs > 0
            || self.link.facts().is_none()
            || self.asked_outcomes.is_some_and(asked_lately)
        {
            return;
        }
        let open = lock(&self.journal).unanswered();
        self.asking = open.len();
        if !open.is_empty() {
            self.asked_outcomes = Some(Instant::now());
        }
        for load in open {
            let link = self.link.clone();
            self.beside(async move { Happened::Learnt(load.0, link.outcome(load).await) });
        }
    }

    pub(crate) fn learnt(&mut self, id: [u8; 16], result: Result<Outcome, Failure>) {
        self.asking = self.asking.saturating_sub(1);
        self.bank_answered(result.as_ref().err());
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(failure) => {
                log::warn!("an outcome stays open: {}", failure.code.as_str());
                return;
            }
        };
        if self.runs > 0 {
            // A card is at work, maybe for this very load: what it ends with is newer.
            return;
        }
        if let Err(error) = closing::learn(&mut lock(&self.journal), id, &outcome) {
            log::warn!(
                "an outcome was not kept: {}",
                Failure::from(error).code.as_str()
            );
        }
        self.queues_learn();
    }

    pub(crate) fn delivered(&mut self, result: Result<(), Failure>) {
        self.delivering = self.delivering.saturating_sub(1);
        self.bank_answered(result.as_ref().err());
        if let Err(failure) = result {
            log::warn!("a proof waits on: {}", failure.code.as_str());
        }
        self.queues_learn();
    }
}
