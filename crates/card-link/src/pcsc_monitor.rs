//! Watches readers and cards in a context of its own. All that goes wrong heals when its cause goes.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pcsc::{Context, Error, ReaderState as Raw, Scope, State};
use tokio::sync::watch;

use crate::pcsc_heart::{self, Heart};
use crate::status::{Seen, count_new};
use crate::{ReaderState, ReaderStatus};

/// The longest delay until a new reader, a new choice of one or a service that is back shows. A card shows at once.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What the watching thread tells.
pub(crate) struct Watching {
    pub(crate) status: watch::Receiver<ReaderStatus>,
    /// Until the first look the status says nothing.
    pub(crate) looked: watch::Receiver<bool>,
    pub(crate) heart: Arc<Heart>,
    pub(crate) thread: Watcher,
}

/// The thread. It has ended when this is dropped: a process that ends while a thread is inside libpcsclite, which then
/// tidies up too, may crash. One that is inside a service that hangs is left there: the app must end all the same.
pub(crate) struct Watcher {
    stop: Arc<AtomicBool>,
    heart: Arc<Heart>,
    thread: Option<JoinHandle<()>>,
    looks_after: Option<JoinHandle<()>>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Without the one who looks after it nobody would tell that it never ends.
            while !thread.is_finished() && self.looks_after.is_some() && !self.heart.is_silent() {
                thread::sleep(LOOK_EVERY / 25);
            }
            if self.heart.is_silent() && !thread.is_finished() {
                log::warn!("the reader service does not answer, and is left alone");
            } else if thread.join().is_err() {
                log::error!("the thread for the reader had panicked");
            }
        }
        self.heart.stop();
        if let Some(looks_after) = self.looks_after.take() {
            looks_after.thread().unpark();
            let _ = looks_after.join();
        }
    }
}

pub(crate) fn start(chosen: watch::Receiver<Option<String>>) -> Watching {
    let (tell, status) = watch::channel(ReaderStatus::default());
    let (tell_looked, looked) = watch::channel(false);
    let stop = Arc::new(AtomicBool::new(false));
    let heart = Arc::new(Heart::default());
    let tell = Arc::new(tell);
    let looks_after = pcsc_heart::look_after(heart.clone(), {
        let (tell, looked) = (tell.clone(), tell_looked.clone());
        move || tell_silence(&tell, &looked)
    });
    let mut monitor = Monitor {
        stop: stop.clone(),
        heart: heart.clone(),
        tell,
        tell_looked,
        chosen,
        insertions: 0,
        known: Vec::new(),
    };
    let started = thread::Builder::new()
        .name("pcsc-monitor".to_owned())
        .spawn(move || monitor.run());
    let failed = started.as_ref().err().into_iter();
    for error in failed.chain(looks_after.as_ref().err()) {
        log::error!("no thread for the reader: {error}");
    }
    let thread = Watcher {
        stop,
        heart: heart.clone(),
        thread: started.ok(),
        looks_after: looks_after.ok(),
    };
    Watching {
        status,
        looked,
        heart,
        thread,
    }
}

/// What a service that hangs last said holds no longer. Its next answer is told over this one, within one look.
fn tell_silence(tell: &watch::Sender<ReaderStatus>, looked: &watch::Sender<bool>) {
    log::warn!("the reader service does not answer");
    tell.send_modify(|known| {
        let chosen = known.chosen.take();
        let insertions = known.insertions;
        *known = ReaderStatus::without(ReaderState::ServiceHung, chosen.as_deref(), insertions);
    });
    looked.send_replace(true);
}

struct Monitor {
    stop: Arc<AtomicBool>,
    heart: Arc<Heart>,
    tell: Arc<watch::Sender<ReaderStatus>>,
    tell_looked: watch::Sender<bool>,
    chosen: watch::Receiver<Option<String>>,
    insertions: u64,
    known: Vec<Seen>,
}

impl Monitor {
    fn run(&mut self) {
        while !self.is_over() {
            let established = Context::establish(Scope::User);
            self.heart.beat();
            let error = match established {
                Ok(context) => self.watch(&context),
                Err(error) => error,
            };
            log::debug!("no view of the readers: {error}");
            self.known.clear();
            let denied = matches!(error, Error::NoAccess | Error::SecurityViolation);
            let state = if denied {
                ReaderState::Denied
            } else {
                ReaderState::ServiceDown
            };
            if self.is_over() {
                return;
            }
            self.publish(|chosen, insertions| ReaderStatus::without(state, chosen, insertions));
            thread::sleep(LOOK_EVERY);
        }
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.tell.is_closed()
    }

    /// Looks until the context fails; a context that saw the service go stays dead.
    fn watch(&mut self, context: &Context) -> Error {
        let mut states: Vec<Raw> = Vec::new();
        while !self.is_over() {
            let names = match context.list_readers_owned() {
                Ok(names) => names,
                Err(Error::NoReadersAvailable) => Vec::new(),
                Err(error) => return error,
            };
            self.heart.beat();
            follow(&mut states, names);
            self.tell_of(&states);
            if states.is_empty() {
                thread::sleep(LOOK_EVERY);
                continue;
            }
            match context.get_status_change(LOOK_EVERY, &mut states) {
                Ok(()) => states.iter_mut().for_each(Raw::sync_current_state),
                Err(Error::Timeout) => {}
                // One went between the list and the look. Without a pause this could spin.
                Err(Error::UnknownReader) => thread::sleep(LOOK_EVERY),
                Err(error) => return error,
            }
            self.tell_of(&states);
        }
        Error::Cancelled
    }

    fn tell_of(&mut self, states: &[Raw]) {
        // A reader that came this moment has no state yet.
        if states.iter().any(|state| state.event_state().is_empty()) {
            return;
        }
        let now: Vec<Seen> = states.iter().map(seen).collect();
        self.insertions += count_new(&self.known, &now);
        self.known = now;
        self.publish(|chosen, insertions| ReaderStatus::of(&self.known, chosen, insertions));
    }

    fn publish(&self, status: impl FnOnce(Option<&str>, u64) -> ReaderStatus) {
        let chosen = self.chosen.borrow().clone();
        let status = status(chosen.as_deref(), self.insertions);
        self.tell.send_if_modified(|known| {
            let changed = *known != status;
            *known = status;
            changed
        });
        self.tell_looked.send_replace(true);
    }
}

fn seen(state: &Raw) -> Seen {
    let flags = state.event_state();
    Seen {
        name: state.name().to_string_lossy().into_owned(),
        card: flags.contains(State::PRESENT) && !flags.contains(State::MUTE),
        events: state.event_count(),
    }
}

/// Keeps what is known of readers that stay, adds new ones, forgets those that went.
fn follow(states: &mut Vec<Raw>, names: Vec<CString>) {
    states.retain(|state| names.iter().any(|name| name.as_c_str() == state.name()));
    for name in names {
        if !states.iter().any(|state| state.name() == name.as_c_str()) {
            states.push(Raw::new(name, State::UNAWARE));
        }
    }
}
