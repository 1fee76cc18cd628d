//! What the screens show, drawn from everything that the session knows.

use card_link::{ReaderState, ReaderStatus};
use ipc::{
    AboutView, AppView, Code, ErrorView, MoneyPlace, ReaderKind, ReaderView, SettingsView,
    TerminalView,
};

use crate::actor::Actor;
use crate::failure::Failure;
use crate::outside::Request;
use crate::run::lock;
use crate::transaction::Transaction;

/// Of the history, so much is on Home.
const RECENT: usize = 5;

impl Actor {
    pub(crate) fn view(&self) -> AppView {
        let facts = self.link.facts();
        let (pending, recent) = {
            let journal = lock(&self.journal);
            let recent = journal.history().take(RECENT).collect();
            (journal.pending(), recent)
        };
        AppView {
            revision: self.revision,
            phase: self.phase,
            trouble: self.trouble.clone().or_else(|| self.damaged_journal()),
            network: self.network,
            reader: reader_view(&self.reader),
            terminal: facts.map(|facts| TerminalView {
                id: facts.terminal,
                key_check_value: facts.check_value,
                key_expires_ms: facts.expires_ms,
                suite: facts.suite,
            }),
            purses: self.settings.now.purses.clone(),
            pending,
            recent,
            transaction: self.transaction.as_ref().map(Transaction::view),
            queues: self.queues.entries(),
            queue: self.queues.view(),
            request: self.request.as_ref().map(Request::view),
            packages: self.packages.views(),
            refused_packages: self.packages.refused_views(),
            settings: self.settings_view(),
            desk: self.desk,
            update: self.update.clone(),
            about: AboutView {
                version: self.parts.version.clone(),
                bank: self.parts.bank.profile().name.clone(),
                receipt_page: self.parts.bank.profile().receipt_page(),
                development: self.parts.development,
            },
        }
    }

    /// A load may be in a file that can't be read: the bank knows it, and the person must know to ask.
    fn damaged_journal(&self) -> Option<ErrorView> {
        let damaged = lock(&self.journal).damaged;
        (damaged > 0).then(|| Failure::from(Code::JournalBad).view(MoneyPlace::None))
    }

    pub(crate) fn settings_view(&self) -> SettingsView {
        self.settings.now.view.clone().unwrap_or(SettingsView {
            language: ipc::Language::System,
            theme: ipc::Theme::System,
            text_size: 100,
            lock: false,
            sound: true,
            tray: false,
            notices: true,
        })
    }
}

fn reader_view(status: &ReaderStatus) -> ReaderView {
    let state = match status.state {
        ReaderState::None | ReaderState::NfcNone => ReaderKind::None,
        ReaderState::Empty => ReaderKind::Empty,
        ReaderState::Card => ReaderKind::Card,
        ReaderState::ServiceHung => ReaderKind::ServiceHung,
        ReaderState::ServiceDown | ReaderState::NfcOff | ReaderState::Denied => {
            ReaderKind::ServiceDown
        }
    };
    ReaderView {
        state,
        name: status.reader.clone(),
        readers: status.readers.clone(),
        chosen: status.chosen.clone(),
        low_battery: status.low_battery,
    }
}
