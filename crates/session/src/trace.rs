//! What happened lately, without anything private, for whoever has to find out why: a ring of lines in memory and on
//! the disk. A program can run the same again from it.
//!
//! Of a card's command stand its first 5 bytes and the status word, of a request its path and outcome. No data, no
//! amount, no number of a card, terminal, phone or transaction, no key, code or password.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipc::{Code, ContactView, MoneyPlace, Phase, ResumeState, Stage, StepName, TransactionKind};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::disk::DiskError;

/// One line of a trace.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TraceLine {
    /// Since the app's start, ms.
    pub at_ms: u64,
    #[serde(flatten)]
    pub event: TraceEvent,
}

/// What can happen. What takes time is noted at its end.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum TraceEvent {
    /// The app starts. `pending`: unfinished loads.
    Start {
        version: String,
        enrolled: bool,
        pending: usize,
    },
    /// A person begins something; what came before is not needed to run it again when `pending` is 0.
    Mark { pending: usize, reader: Reader },
    /// What the person did, as the page's command is called; for `begin` with the kind of transaction.
    Person {
        does: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<TransactionKind>,
    },
    /// How that was answered; none is yes.
    Answered { code: Option<Code> },
    /// The reader shows something new.
    Reader { reader: Reader },
    /// A contact with a card was opened, or was not.
    Opened { fault: Option<Fault>, ms: u64 },
    /// A command: its first 5 bytes and its length, the reply's status word and length.
    Card {
        head: String,
        sent: usize,
        status: Option<String>,
        got: usize,
        fault: Option<Fault>,
        ms: u64,
    },
    /// A request to the bank and what came of it: `ok`, the bank's code, or why there was no answer.
    Bank {
        path: String,
        sent: usize,
        got: usize,
        outcome: String,
        ms: u64,
    },
    /// A step of the journal; not `kept` when the disk refused it.
    Journal { state: String, kept: bool },
    /// The app as a whole.
    App { phase: Phase, trouble: Option<Code> },
    /// The transaction on the screen; none when there is none.
    Shown { screen: Option<Screen> },
}

/// What the screen of a transaction says.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Screen {
    pub kind: TransactionKind,
    pub stage: Stage,
    /// The step that runs.
    pub step: Option<StepName>,
    pub place: MoneyPlace,
    pub code: Option<Code>,
    pub contact: Option<ContactView>,
    pub resume: Option<ResumeState>,
}

/// The reader, without its name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reader {
    pub state: ReaderIs,
    /// Rises with each card that comes.
    pub insertions: u64,
    /// Rises each time that a phone stops to look for a card though one is wanted; readers on a cable never do.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub closed: u64,
}

const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// `card_link::ReaderState` as a word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are those of card_link::ReaderState")]
pub enum ReaderIs {
    None,
    Empty,
    Card,
    ServiceDown,
    ServiceHung,
    NfcOff,
    NfcNone,
    Denied,
}

/// `card_link::LinkError` as a word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are those of card_link::LinkError")]
pub enum Fault {
    ServiceDown,
    ServiceHung,
    NoReader,
    NfcOff,
    NfcNone,
    NoCard,
    Denied,
    Busy,
    Lost,
    Timeout,
}

/// The first line of an exported trace.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TraceHead {
    /// Version of the format.
    pub tapfill_trace: u8,
    /// Of the app.
    pub version: String,
    /// Of this computer.
    pub system: String,
}

/// The format that this version writes and runs again.
pub const TRACE_FORMAT: u8 = 1;
/// The most that is kept, bytes.
const MOST_BYTES: usize = 96_000;
/// What is left when that was reached, so that the file is not written anew for every line.
const LEFT_BYTES: usize = 72_000;

/// Where everything is noted. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Tracer(Arc<Mutex<Ring>>);

struct Ring {
    began: Instant,
    path: PathBuf,
    file: Option<File>,
    lines: VecDeque<String>,
    bytes: usize,
    shown: Option<TraceEvent>,
    app: Option<TraceEvent>,
}

impl Tracer {
    /// Goes on with what earlier starts left in `dir`. A disk that refuses costs the trace, never the start.
    pub(crate) fn open(dir: &Path) -> Self {
        let path = dir.join("trace.jsonl");
        let kept = fs::read_to_string(&path).unwrap_or_default();
        let whole = |line: &&str| serde_json::from_str::<TraceLine>(line).is_ok();
        let mut ring = Ring {
            began: Instant::now(),
            path,
            file: None,
            lines: VecDeque::new(),
            bytes: 0,
            shown: None,
            app: None,
        };
        kept.lines()
            .filter(whole)
            .for_each(|line| ring.push(line.to_owned()));
        ring.trim(MOST_BYTES);
        ring.rewrite();
        Self(Arc::new(Mutex::new(ring)))
    }

    pub(crate) fn note(&self, event: TraceEvent) {
        self.ring().note(event);
    }

    /// Only when it says something new.
    pub(crate) fn note_app(&self, event: TraceEvent) {
        let mut ring = self.ring();
        if ring.app.as_ref() != Some(&event) {
            ring.app = Some(event.clone());
            ring.note(event);
        }
    }

    /// Only when it says something new.
    pub(crate) fn note_shown(&self, screen: Option<Screen>) {
        let event = TraceEvent::Shown { screen };
        let mut ring = self.ring();
        if ring.shown.as_ref() != Some(&event) {
            ring.shown = Some(event.clone());
            ring.note(event);
        }
    }

    /// Writes `tapfill-trace.jsonl` into `folder` and returns its path.
    pub(crate) fn export(&self, folder: &Path, version: &str) -> Result<String, DiskError> {
        let head = TraceHead {
            tapfill_trace: TRACE_FORMAT,
            version: version.to_owned(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        };
        let mut text = serde_json::to_string(&head).map_err(|_| DiskError::Broken)?;
        text.push('\n');
        text.push_str(&self.ring().text());
        fs::create_dir_all(folder)?;
        let path = folder.join("tapfill-trace.jsonl");
        fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// Forgets everything, on the disk too.
    pub(crate) fn erase(&self) {
        let mut ring = self.ring();
        ring.lines.clear();
        ring.bytes = 0;
        ring.rewrite();
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn note(&mut self, event: TraceEvent) {
        let at_ms = millis(self.began.elapsed());
        let line = TraceLine { at_ms, event };
        #[cfg(feature = "simulator")]
        watched::tell(&line);
        let Ok(text) = serde_json::to_string(&line) else {
            return;
        };
        self.push(text.clone());
        if self.bytes > MOST_BYTES {
            self.trim(LEFT_BYTES);
            self.rewrite();
        } else if let Some(file) = &mut self.file {
            // Not flushed: it is worth less than a person's time at the reader.
            if writeln!(file, "{text}").is_err() {
                self.file = None;
            }
        }
    }

    fn push(&mut self, text: String) {
        self.bytes += text.len() + 1;
        self.lines.push_back(text);
    }

    /// The oldest go.
    fn trim(&mut self, most: usize) {
        while self.bytes > most
            && let Some(line) = self.lines.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(line.len() + 1);
        }
    }

    fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line, "\n"]).collect()
    }

    fn rewrite(&mut self) {
        self.file = written(&self.path, &self.text())
            .inspect_err(|error| log::debug!("the trace is not kept: {error}"))
            .ok();
    }
}

/// Whole or as it was before, and open for more.
pub(crate) fn written(path: &Path, text: &str) -> io::Result<File> {
    let part = path.with_extension("part");
    let mut options = File::options();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&part)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&part, path)?;
    Ok(file)
}

pub(crate) fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Told of each line.
#[cfg(feature = "simulator")]
pub type TraceWatch = std::rc::Rc<dyn Fn(&TraceLine)>;

/// From now on every line that sessions of this thread note is told to `watch`. `None` ends that.
#[cfg(feature = "simulator")]
pub fn watch_trace(watch: Option<TraceWatch>) {
    watched::set(watch);
}

#[cfg(feature = "simulator")]
mod watched {
    use std::cell::RefCell;

    use super::{TraceLine, TraceWatch};

    thread_local! {
        static WATCH: RefCell<Option<TraceWatch>> = const { RefCell::new(None) };
    }

    pub(super) fn set(watch: Option<TraceWatch>) {
        WATCH.with(|now| *now.borrow_mut() = watch);
    }

    pub(super) fn tell(line: &TraceLine) {
        let watch = WATCH.with(|now| now.borrow().clone());
        if let Some(watch) = watch {
            watch(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(state: &str) -> TraceEvent {
        TraceEvent::Journal {
            state: state.to_owned(),
            kept: true,
        }
    }

    #[tokio::test]
    async fn the_newest_lines_stay_within_the_bound_and_survive_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let tracer = Tracer::open(folder.path());
        for n in 0..4_000 {
            tracer.note(journal(&format!("step-{n}")));
        }
        let path = folder.path().join("trace.jsonl");
        let kept = fs::read_to_string(&path).unwrap();
        assert!(
            (LEFT_BYTES..=MOST_BYTES).contains(&kept.len()),
            "{}",
            kept.len()
        );
        assert!(kept.contains("step-3999") && !kept.contains("step-10\""));
        drop(tracer);
        fs::write(&path, format!("{kept}{{\"at_ms\":1,\"ev")).unwrap();
        let again = Tracer::open(folder.path());
        again.note(journal("after"));
        let text = again.ring().text();
        assert!(text.contains("step-3999") && text.ends_with("\"after\",\"kept\":true}\n"));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            text,
            "without the half line"
        );
        again.erase();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[tokio::test]
    async fn a_folder_that_can_not_be_written_costs_the_trace_alone() {
        let tracer = Tracer::open(Path::new("/proc/no-such-folder"));
        tracer.note(journal("asked"));
        assert!(tracer.ring().text().contains("asked"), "in memory");
    }
}
