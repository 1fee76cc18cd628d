//! Watches readers and cards in a context of its own. All that goes wrong heals when its cause goes.

use std::ffi::CString;
use std::thread;
use std::time::Duration;

use pcsc::{Context, Error, PNP_NOTIFICATION, ReaderState as Raw, Scope, State};
use tokio::sync::watch;

use crate::status::Seen;
use crate::{ReaderState, ReaderStatus};

/// Also the longest delay until a new choice of reader shows.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) fn start(chosen: watch::Receiver<Option<String>>) -> watch::Receiver<ReaderStatus> {
    let (tell, status) = watch::channel(ReaderStatus::default());
    let mut monitor = Monitor {
        tell,
        chosen,
        insertions: 0,
        known: Vec::new(),
    };
    let started = thread::Builder::new()
        .name("pcsc-monitor".to_owned())
        .spawn(move || monitor.run());
    if let Err(error) = started {
        log::error!("no thread for the reader: {error}");
    }
    status
}

struct Monitor {
    tell: watch::Sender<ReaderStatus>,
    chosen: watch::Receiver<Option<String>>,
    insertions: u64,
    /// Readers at the last look, with the count of card events where the driver keeps one.
    known: Vec<(Seen, u32)>,
}

impl Monitor {
    fn run(&mut self) {
        while !self.tell.is_closed() {
            let error = match Context::establish(Scope::User) {
                Ok(context) => self.watch(&context),
                Err(error) => error,
            };
            self.known.clear();
            let denied = matches!(error, Error::NoAccess | Error::SecurityViolation);
            let state = if denied {
                ReaderState::Denied
            } else {
                ReaderState::ServiceDown
            };
            self.publish(|chosen, insertions| ReaderStatus::without(state, chosen, insertions));
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Looks until the context fails; a context that saw the service go stays dead.
    fn watch(&mut self, context: &Context) -> Error {
        let mut states: Vec<Raw> = Vec::new();
        while !self.tell.is_closed() {
            let names = match context.list_readers_owned() {
                Ok(names) => names,
                Err(Error::NoReadersAvailable) => Vec::new(),
                Err(error) => return error,
            };
            follow(&mut states, names);
            match context.get_status_change(LOOK_EVERY, &mut states) {
                Ok(()) | Err(Error::Timeout | Error::UnknownReader) => {}
                Err(error) => return error,
            }
            self.look(&states);
            states.iter_mut().for_each(Raw::sync_current_state);
        }
        Error::Cancelled
    }

    fn look(&mut self, states: &[Raw]) {
        let now: Vec<(Seen, u32)> = states
            .iter()
            .filter(|state| state.name() != PNP_NOTIFICATION())
            .map(|state| {
                let name = state.name().to_string_lossy().into_owned();
                let card = state.event_state().contains(State::PRESENT)
                    && !state.event_state().contains(State::MUTE);
                (Seen { name, card }, state.event_count())
            })
            .collect();
        for (reader, count) in now.iter().filter(|(reader, _)| reader.card) {
            let before = self
                .known
                .iter()
                .find(|(known, _)| known.name == reader.name);
            // A card that was swapped between two looks shows in the count of events alone.
            let same =
                before.is_some_and(|(known, known_count)| known.card && known_count == count);
            if !same {
                self.insertions += 1;
            }
        }
        self.known = now;
        let seen: Vec<Seen> = self.known.iter().map(|(seen, _)| seen.clone()).collect();
        self.publish(|chosen, insertions| ReaderStatus::of(&seen, chosen, insertions));
    }

    fn publish(&self, status: impl FnOnce(Option<&str>, u64) -> ReaderStatus) {
        let chosen = self.chosen.borrow().clone();
        let status = status(chosen.as_deref(), self.insertions);
        self.tell.send_if_modified(|known| {
            let changed = *known != status;
            *known = status;
            changed
        });
    }
}

/// Keeps what is known of readers that stay, adds new ones, forgets those that went.
fn follow(states: &mut Vec<Raw>, names: Vec<CString>) {
    states.retain(|state| {
        state.name() == PNP_NOTIFICATION()
            || names.iter().any(|name| name.as_c_str() == state.name())
    });
    if states.is_empty() {
        states.push(Raw::new(PNP_NOTIFICATION(), State::UNAWARE));
    }
    for name in names {
        if !states.iter().any(|state| state.name() == name.as_c_str()) {
            states.push(Raw::new(name, State::UNAWARE));
        }
    }
}
