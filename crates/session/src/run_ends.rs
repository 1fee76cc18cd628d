//! What the end of a run means for the screen that it was for, and for what is known of its card.

use ipc::{
    Code, ContactView, MoneyPlace, PurseView, ReceiptView, ResumeState, Stage, StepState,
    TransactionKind,
};

use crate::actor::Actor;
use crate::card_mark::CardMark;
use crate::failure::{Failure, Verdict, verdict};
use crate::run::{Ended, lock};
use crate::transaction::{OnCard, Transaction, home_of};

impl Actor {
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
        self.settings.saw(purse);
    }
}

/// The bank's yes found a card that was let go: that one is wanted again. A bank that said anything else, or nothing,
/// left nothing to write, and no card helps with that.
fn waits_for_card(failure: &Failure, place: MoneyPlace) -> bool {
    failure.code == Code::CardLost && place == MoneyPlace::InTransit
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
