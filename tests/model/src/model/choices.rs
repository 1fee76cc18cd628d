//! What can happen next: by itself, as people and clocks wish, and what goes wrong.

use ledger::{Phase, Resolution};

use crate::app::{App, Next};
use crate::card::Card;
use crate::journal::State;
use crate::settings::Settings;
use crate::symbols::{Body, Id};

use super::{Action, Cut, World};

impl World {
    /// What happens by itself when nothing is in the way: where all of these have come to an end, all must be well.
    pub(crate) fn duties(&self, actions: &mut Vec<Action>) {
        for (app, it) in self.each_app() {
            match &it.run {
                Some(run) if run.is_at_card() => {
                    actions.push(Action::Command { app, cut: Cut::Not })
                }
                Some(run) if run.next == Next::Wait => {
                    if self.bank.reply(run.id, run.step).is_some() {
                        actions.push(Action::Answer { app });
                    }
                }
                Some(_) => actions.push(Action::Step { app }),
                None => {
                    let waits = |card: &&Card| self.is_free(card) && self.waits_for(it, card);
                    let cards = self.cards.iter().filter(waits);
                    actions.extend(cards.map(|card| Action::BeginResume {
                        app,
                        card: card.number,
                    }));
                }
            }
            if it.run.is_none() {
                let settled = it
                    .unanswered()
                    .filter(|(id, unsure)| self.bank.outcome(*id, *unsure).is_some());
                actions.extend(settled.map(|(id, unsure)| Action::Learns { app, id, unsure }));
            }
            for request in it.to_deliver() {
                let id = request.id;
                if it.run.is_some_and(|run| run.id == id) {
                    continue;
                }
                if self.bank.reply(id, request.step).is_some() {
                    actions.push(Action::ProofAnswered { app, id });
                } else if it.run.is_none() && !self.network.contains(&request) {
                    actions.push(Action::SendProof { app, id });
                }
            }
        }
        for (at, request) in (0..).zip(&self.network) {
            if self.bank.would_take(request) {
                actions.push(Action::BankTakes {
                    request: at,
                    refund: false,
                });
            }
        }
        if self.bank.is_busy() {
            actions.push(Action::BankFinishes);
        } else {
            actions.extend(self.stuck().map(|load| Action::TimeOut { load }));
        }
    }

    /// A load on this card is unfinished in the journal, and neither with people nor still to be given up by the
    /// bank: the person who asks is told so, and asks again later.
    fn waits_for(&self, app: &App, card: &Card) -> bool {
        app.unfinished_on(card.number).is_some_and(|entry| {
            let load = self
                .bank
                .load(self.bank.load_of(entry.id).unwrap_or(entry.id));
            let later = [Phase::Manual, Phase::Authorised];
            !load.is_some_and(|load| later.contains(&load.phase()))
        })
    }

    /// Loads that were authorised and left there.
    fn stuck(&self) -> impl Iterator<Item = Id> {
        self.loads_in(Phase::Authorised)
    }

    /// What people and clocks may do or leave.
    pub(super) fn wishes(&self, settings: &Settings, actions: &mut Vec<Action>) {
        for (app, it) in self.each_app() {
            if it.run.is_some() {
                continue;
            }
            let ids = (0..settings.top_ups).filter(|id| self.may_begin(it, *id));
            actions.extend(ids.map(|id| Action::BeginTopUp { app, id }));
            // Somebody who was told of a load on another device may ask for it here.
            let asks = |card: &&Card| {
                let open = self.bank.open_of_card(card.number);
                let phase = open
                    .and_then(|id| self.bank.load(id))
                    .map(|load| load.phase());
                self.apps.len() > 1
                    && self.is_free(card)
                    && it.unfinished_on(card.number).is_none()
                    && matches!(phase, Some(Phase::Issued | Phase::InDoubt))
            };
            let cards = self.cards.iter().filter(asks);
            actions.extend(cards.map(|card| Action::BeginResume {
                app,
                card: card.number,
            }));
        }
        actions.extend(
            self.loads_in(Phase::Issued)
                .map(|load| Action::Silence { load }),
        );
        if settings.refunds {
            for (at, request) in (0..).zip(&self.network) {
                let decides = matches!(request.body, Body::LoadAgain { .. });
                if decides && self.bank.would_take(request) {
                    actions.push(Action::BankTakes {
                        request: at,
                        refund: true,
                    });
                }
            }
        }
        if settings.two_commits && !self.bank.is_busy() {
            actions.extend(self.stuck().map(|load| Action::Cancel { load }));
        }
        for load in self.loads_in(Phase::Manual) {
            let both = [Resolution::Loaded, Resolution::Refund, Resolution::WriteOff];
            let seen = both.into_iter().filter(|as_| self.may_decide(load, *as_));
            actions.extend(seen.map(|as_| Action::Decide { load, as_ }));
        }
        let shops = |card: &&Card| {
            card.spent < settings.purchases && card.balance > 0 && self.is_free(card)
        };
        let cards = self.cards.iter().filter(shops);
        actions.extend(cards.map(|card| Action::Purchase { card: card.number }));
    }

    /// A number is a device's own: never used on another one, and again only where it surely moved nothing.
    fn may_begin(&self, app: &App, id: Id) -> bool {
        let card = self.top_up_card(id);
        let known = |app: &App| app.entry(id).is_some();
        if app.entry(id).is_none() && self.apps.iter().any(known) {
            return false;
        }
        let again = app
            .entry(id)
            .is_none_or(|entry| entry.state == State::NotDone);
        again
            && self.card(card).is_some_and(|card| self.is_free(card))
            && app.unfinished_on(card).is_none()
            && self.bank.reply(id, 1).is_none()
            && self.bank.load(id).is_none()
            && !self.network.iter().any(|request| request.id == id)
            && !self
                .apps
                .iter()
                .any(|app| app.run.is_some_and(|run| run.id == id))
    }

    /// Two people who have seen the card: they say what is true, or that neither can be shown.
    fn may_decide(&self, load: Id, as_: Resolution) -> bool {
        let credited = self.credits_of(load) > 0;
        !self.is_mac2_alive(load)
            && match as_ {
                Resolution::Loaded => credited,
                Resolution::Refund => !credited,
                Resolution::WriteOff => true,
            }
    }

    pub(super) fn faults(&self, settings: &Settings, actions: &mut Vec<Action>) {
        for (app, it) in self.each_app() {
            let Some(run) = &it.run else { continue };
            actions.push(Action::AppDies { app });
            if run.is_at_card() {
                let cuts = [Cut::Before, Cut::After];
                actions.extend(cuts.map(|cut| Action::Command { app, cut }));
            }
            if self.cards.len() > 1 {
                actions.push(Action::Swap { app });
            }
            if run.next == Next::Wait {
                actions.push(Action::GiveUp { app });
                if settings.apps > 1 {
                    actions.push(Action::Pull { app });
                }
                let taken = self.bank.reply(run.id, run.step).is_some() || self.bank.is_busy();
                if !run.resume && run.step == 1 && !taken {
                    actions.push(Action::Unread { app });
                }
            }
        }
        if self.bank.is_busy() {
            actions.push(Action::BankDies);
        }
        if settings.operators {
            let doubtful = self.loads_in(Phase::InDoubt);
            actions.extend(doubtful.map(|load| Action::LoseCard { load }));
        }
    }
}
