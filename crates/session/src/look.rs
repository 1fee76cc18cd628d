//! Reads the card on the reader. It needs no bank.

use ipc::{Code, TransactionKind};
use relay::IndustryCode;
use tokio::sync::mpsc::UnboundedSender;

use crate::actor::Happened;
use crate::card_mark::CardMark;
use crate::opening::{Terms, opening};
use crate::run::{self, Ended, Job, Shells, lock};

/// Reads the card on the reader.
pub(crate) struct Look {
    shells: Shells,
    id: [u8; 16],
    /// Hears how it goes on.
    steps: Option<UnboundedSender<Happened>>,
}

impl Look {
    pub(crate) const fn new(
        shells: Shells,
        id: [u8; 16],
        steps: Option<UnboundedSender<Happened>>,
    ) -> Self {
        Self { shells, id, steps }
    }

    /// Nobody is told how it goes on.
    pub(crate) const fn quiet(shells: Shells, id: [u8; 16]) -> Self {
        Self::new(shells, id, None)
    }

    /// A card can hold applications of several industries: what waits says which one is meant. None when nothing waits
    /// on this card.
    pub(crate) async fn for_what_waits(
        &self,
        known: &[IndustryCode],
    ) -> Option<(IndustryCode, Ended)> {
        let waiting = lock(&self.shells.journal).unfinished_in();
        for industry in waiting.into_iter().filter(|code| known.contains(code)) {
            let ended = self.with(industry).await;
            let is_meant = match &ended.result {
                Ok(closing) => {
                    let card = (closing.card.as_ref()).and_then(|it| CardMark::of(industry, it));
                    let journal = lock(&self.shells.journal);
                    card.is_some_and(|card| journal.unfinished_on(&card).is_some())
                }
                Err(failure) => failure.code != Code::CardNotSupported,
            };
            if is_meant {
                return Some((industry, ended));
            }
        }
        None
    }

    /// With the package of `industry`.
    pub(crate) async fn with(&self, industry: IndustryCode) -> Ended {
        let terms = Terms::default();
        let kind = TransactionKind::Balance;
        let opening = match opening(&self.shells.link, kind, self.id, industry, &terms) {
            Ok(opening) => opening,
            Err(failure) => return Ended::failed(kind, failure),
        };
        let job = Job {
            id: self.id,
            kind,
            industry,
            opening,
            amount: None,
            card: None,
            about: None,
        };
        let (id, steps) = (self.id, self.steps.clone());
        let on_progress = Box::new(move |progress| {
            if let Some(steps) = &steps {
                let _ = steps.send(Happened::Progress(id, progress));
            }
        });
        run::run(self.shells.clone(), job, on_progress).await
    }
}
