//! A list is chosen, looked at and put right, before anything is paid.

use envelope::pin::PinDigits;
use ipc::{Code, QueueStage, Reply};
use relay::{IndustryCode, Operation};
use roster::{Limits, List};
use zeroize::Zeroizing;

use super::paying::unsure;
use super::{Draft, Screen};
use crate::actor::{Actor, Answer};
use crate::failure::Failure;
use crate::notices::Errand;
use crate::outside::{Chosen, ListFile};
use crate::terminal::random;
use crate::transaction::Transaction;

/// The most letters of a file's name that are shown.
const NAME_MOST: usize = 60;

impl Actor {
    pub(crate) fn begin_queue(&mut self) -> Result<Reply, Failure> {
        self.free_for_queue()?;
        let mut id = [0; 16];
        random(&mut id)?;
        let mut screen = Screen::new(id, QueueStage::Pick);
        screen.draft = Draft {
            industry: self.industry_of_queues(),
            ..Draft::default()
        };
        self.queues.screen = Some(screen);
        self.check_key();
        Ok(Reply::Done)
    }

    pub(crate) fn open_queue(&mut self, id: &str) -> Result<Reply, Failure> {
        self.free_for_queue()?;
        let paid = self.queues.store.get(id).ok_or(Code::QueueUnknown)?;
        let key = paid.key().ok_or(Code::QueueUnknown)?;
        let stage = if paid.closed {
            QueueStage::Closed
        } else {
            QueueStage::Tap
        };
        let mut screen = Screen::new(key, stage);
        // The answer to the payment never came: the bank tells the proof again, as soon as it can be asked.
        let unheard = paid.proof.is_none() && !paid.closed;
        screen.error = unheard.then(|| unsure(Code::BankSilent.into()));
        self.queues.screen = Some(screen);
        self.check_key();
        self.ask_queue(&hex::encode(key), None);
        self.card_is_here();
        Ok(Reply::Done)
    }

    /// Whatever else is on the screen gives way, unless money moves there.
    fn free_for_queue(&mut self) -> Result<(), Failure> {
        let updates = self.update.as_ref().is_some_and(|update| update.running);
        let committed = (self.transaction.as_ref()).is_some_and(Transaction::is_committed);
        if updates || committed || !self.leave_queue() {
            return Err(Code::NotNow.into());
        }
        if let Some(code) = self.locked() {
            return Err(code.into());
        }
        self.transaction = None;
        self.request = None;
        Ok(())
    }

    /// False: something runs that its screen must be there for.
    pub(crate) fn leave_queue(&mut self) -> bool {
        let Some(screen) = &mut self.queues.screen else {
            return true;
        };
        if screen.is_at_work() || screen.busy {
            return false;
        }
        let picking = screen.picking.take();
        self.queues.screen = None;
        if let Some(answer) = picking {
            self.refuse(Some(answer), Code::Cancelled);
        }
        true
    }

    /// What can be loaded here: of what the bank loads the kind that was seen last, or the first.
    fn industry_of_queues(&self) -> Option<IndustryCode> {
        let packages = self.packages.loaded();
        let able = |package: &&industry::Package| {
            let code = package.industry().to_string();
            let loads = package.operations().any(|it| it == Operation::TopUp);
            loads
                && self
                    .settings
                    .now
                    .limits
                    .iter()
                    .any(|(known, _)| *known == code)
        };
        let able: Vec<IndustryCode> = (packages.iter().filter(able))
            .map(industry::Package::industry)
            .collect();
        let seen = self.settings.now.purses.iter();
        let seen = seen.filter_map(|purse| purse.industry.parse().ok());
        let mut seen = seen.filter(|code| able.contains(code));
        seen.next().or(able.first().copied())
    }

    pub(crate) fn pick_list(&mut self, answer: Answer) {
        let chooses = |screen: &&mut Screen| {
            let stage = matches!(screen.stage, QueueStage::Pick | QueueStage::Check);
            stage && screen.picking.is_none()
        };
        let Some(screen) = self.queues.screen.as_mut().filter(chooses) else {
            return self.refuse(Some(answer), Code::NotNow);
        };
        screen.error = None;
        screen.picking = Some(answer);
        if self.errands.send(Errand::PickList).is_err() {
            // Nobody there who could open a dialog.
            self.list_chosen(Chosen::Unreadable);
        }
    }

    pub(crate) fn list_chosen(&mut self, chosen: Chosen) {
        let asked = self.queues.screen.as_mut();
        let Some(answer) = asked.and_then(|screen| screen.picking.take()) else {
            return;
        };
        let result = match chosen {
            Chosen::Nothing => Ok(Reply::Done),
            Chosen::Unreadable => Err(Code::ListUnreadable.into()),
            Chosen::File(file) => {
                self.take_list(&file);
                Ok(Reply::Done)
            }
        };
        if let (Err(failure), Some(screen)) = (&result, &mut self.queues.screen) {
            screen.refused(failure);
        }
        self.reply(Some(answer), result);
    }

    fn take_list(&mut self, file: &ListFile) {
        let Some(screen) = &mut self.queues.screen else {
            return;
        };
        screen.draft.name = Some(shown_name(&file.name));
        match List::parse(&file.bytes) {
            Ok(list) => {
                screen.draft.list = Some(list);
                screen.stage = QueueStage::Check;
                self.judge_list();
            }
            Err(flaws) => {
                screen.draft.list = None;
                screen.flaws = flaws;
                screen.stage = QueueStage::Pick;
            }
        }
    }

    /// By the limits of the bank, as far as they are known.
    fn judge_list(&mut self) {
        let industry = (self.queues.screen.as_ref()).and_then(|screen| screen.draft.industry);
        let limits = industry.and_then(|code| self.limits_of(&code.to_string()));
        let Some(screen) = &mut self.queues.screen else {
            return;
        };
        let limits = limits.map(|limits| Limits {
            min: limits.min_amount,
            max: limits.max_amount,
        });
        let beyond =
            (limits.zip(screen.draft.list.as_ref())).and_then(|(limits, list)| list.beyond(limits));
        screen.flaws = beyond.unwrap_or_default();
    }

    pub(crate) fn choose_industry(&mut self, industry: &str) -> Result<Reply, Failure> {
        let code: IndustryCode = industry.parse().map_err(|_| Code::CommandBad)?;
        let packages = self.packages.loaded();
        let package = packages.package(code).ok_or(Code::IndustryUnknown)?;
        if !package.operations().any(|it| it == Operation::TopUp) {
            return Err(Code::CardReadOnly.into());
        }
        let chooses =
            |screen: &&mut Screen| matches!(screen.stage, QueueStage::Pick | QueueStage::Check);
        let screen = self.queues.screen.as_mut().filter(chooses);
        screen.ok_or(Code::NotNow)?.draft.industry = Some(code);
        self.judge_list();
        Ok(Reply::Done)
    }

    pub(crate) fn accept_list(&mut self) -> Result<Reply, Failure> {
        let typing = |screen: &&mut Screen| {
            let before = match screen.stage {
                QueueStage::Check | QueueStage::Code | QueueStage::Password => true,
                QueueStage::Pick | QueueStage::Phone | QueueStage::Tap | QueueStage::Closed => {
                    false
                }
            };
            before && !screen.busy && screen.flaws.count == 0 && screen.draft.list.is_some()
        };
        let screen = self.queues.screen.as_mut().filter(typing);
        let screen = screen.ok_or(Code::NotNow)?;
        if self.queues.store.get(&hex::encode(screen.id)).is_some() {
            // It may be paid: only the same again may be sent.
            return Err(Code::NotNow.into());
        }
        if screen.draft.industry.is_none() {
            return Err(Code::IndustryUnknown.into());
        }
        if screen.sms.is_some() {
            // A code is for one list and one number. Another of either is another queue, and no code is waited for.
            random(&mut screen.id)?;
        }
        screen.stage = QueueStage::Phone;
        screen.error = None;
        screen.sms = None;
        screen.code = Zeroizing::default();
        screen.pin = PinDigits::default();
        Ok(Reply::Done)
    }
}

/// A file's name in one short line, without its ending.
fn shown_name(name: &str) -> String {
    let name = name.strip_suffix(".csv").unwrap_or(name);
    let plain = name.chars().filter(|letter| !letter.is_control());
    plain.take(NAME_MOST).collect()
}
