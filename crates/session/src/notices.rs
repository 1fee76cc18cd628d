//! When the system tells the person of an unfinished load: the window is out of sight, and the load waits for them.

use ipc::{Language, MoneyPlace, PendingView};

use crate::actor::Actor;
use crate::run::lock;

/// What the shell shows. It carries no card number and no name: a lock screen may show it to anybody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Notice {
    /// Fen.
    pub amount: u32,
    /// In which language.
    pub language: Language,
}

/// What the session wants the shell to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Errand {
    /// Tell the person, outside the window.
    Tell(Notice),
    /// Install the update that the shell has offered.
    Update,
    /// Let the person choose the file of a list; the answer is [`Outside::List`](crate::Outside::List).
    PickList,
}

impl Actor {
    /// Each load once, also over a restart.
    pub(crate) fn notice(&mut self) {
        if !self.hidden || self.runs > 0 {
            // In sight the screen tells it; and what runs is not unfinished yet.
            return;
        }
        let settings = self.settings_view();
        let pending = lock(&self.journal).pending();
        let told = &self.settings.now.told_loads;
        let due: Vec<PendingView> = due(&pending, told).cloned().collect();
        if !settings.notices || due.is_empty() {
            return;
        }
        // Only what is still open is remembered, so that this never grows.
        let told: Vec<String> = pending.into_iter().map(|load| load.id).collect();
        if self.settings.change(|now| now.told_loads = told).is_err() {
            // Told again and again would be worse than not at all.
            return;
        }
        for load in due {
            // Without a shell nobody listens, and that is no fault.
            let _ = self.errands.send(Errand::Tell(Notice {
                amount: load.amount,
                language: settings.language,
            }));
        }
    }
}

/// The loads that need their person and were not told of. What is on the card already settles by itself.
fn due<'a>(
    pending: &'a [PendingView],
    told: &'a [String],
) -> impl Iterator<Item = &'a PendingView> {
    pending.iter().filter(|load| {
        let waits = match load.place {
            MoneyPlace::Unsure | MoneyPlace::InTransit => true,
            MoneyPlace::Account
            | MoneyPlace::OnCardUnreported
            | MoneyPlace::OnCard
            | MoneyPlace::WrittenOff
            | MoneyPlace::None => false,
        };
        waits && !told.contains(&load.id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(id: &str, place: MoneyPlace) -> PendingView {
        PendingView {
            id: id.to_owned(),
            amount: 5000,
            tail: "4471".to_owned(),
            reference: None,
            started_ms: 0,
            place,
        }
    }

    #[test]
    fn a_load_is_told_once_and_only_while_it_needs_its_person() {
        let pending = [
            load("a", MoneyPlace::InTransit),
            load("b", MoneyPlace::Unsure),
            load("c", MoneyPlace::OnCardUnreported),
        ];
        let told = ["a".to_owned()];
        let due: Vec<_> = due(&pending, &told).map(|load| load.id.as_str()).collect();
        assert_eq!(due, ["b"], "a was told, c settles by itself");
    }
}
