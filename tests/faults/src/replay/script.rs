//! What a trace asks for.

use std::collections::BTreeMap;

use ipc::{Code, TransactionKind};
use session::{Fault, TRACE_FORMAT, TraceEvent, TraceHead, TraceLine};

use super::ReplayError;

/// The part of a trace that can be run again.
pub(crate) struct Script {
    pub(crate) version: String,
    pub(crate) system: String,
    pub(crate) left_out: usize,
    pub(crate) lines: Vec<TraceLine>,
    /// Commands and requests that change something and got no answer.
    pub(crate) unanswered: u32,
    pub(crate) activates: bool,
    /// Contacts and commands of the card, in order.
    pub(crate) opened: Vec<(Option<Fault>, u64)>,
    pub(crate) commands: Vec<CardTurn>,
    /// Requests by path, in order.
    pub(crate) requests: BTreeMap<String, Vec<BankTurn>>,
    /// Whether the disk took each step of the journal.
    pub(crate) kept: Vec<bool>,
}

pub(crate) struct CardTurn {
    pub(crate) fault: Option<Fault>,
    pub(crate) ms: u64,
    /// Which of the unanswered ones it is.
    pub(crate) unknown: Option<u32>,
}

pub(crate) struct BankTurn {
    pub(crate) outcome: String,
    pub(crate) ms: u64,
    pub(crate) unknown: Option<u32>,
}

impl Script {
    pub(crate) fn parse(text: &str) -> Result<Self, ReplayError> {
        let bad = |error: serde_json::Error| ReplayError::Format(error.to_string());
        let mut rows = text.lines().filter(|row| !row.trim().is_empty());
        let first = rows
            .next()
            .ok_or_else(|| ReplayError::Format("empty".to_owned()))?;
        let head: TraceHead = serde_json::from_str(first).map_err(bad)?;
        if head.tapfill_trace != TRACE_FORMAT {
            return Err(ReplayError::Version(head.tapfill_trace));
        }
        let lines: Result<Vec<TraceLine>, _> = rows.map(serde_json::from_str).collect();
        let mut lines = lines.map_err(bad)?;
        let left_out = lines
            .iter()
            .position(|line| begins(&line.event))
            .ok_or(ReplayError::NoBeginning)?;
        lines.drain(..left_out);
        Ok(Self::of(head, left_out, lines))
    }

    fn of(head: TraceHead, left_out: usize, lines: Vec<TraceLine>) -> Self {
        let mut script = Self {
            version: head.version,
            system: head.system,
            left_out,
            unanswered: 0,
            activates: false,
            opened: Vec::new(),
            commands: Vec::new(),
            requests: BTreeMap::new(),
            kept: Vec::new(),
            lines: Vec::new(),
        };
        for line in &lines {
            match &line.event {
                TraceEvent::Opened { fault, ms } => script.opened.push((*fault, *ms)),
                TraceEvent::Card {
                    head, fault, ms, ..
                } => {
                    let unknown = (fault.is_some() && changes(head)).then(|| script.one_more());
                    script.commands.push(CardTurn {
                        fault: *fault,
                        ms: *ms,
                        unknown,
                    });
                }
                TraceEvent::Bank {
                    path, outcome, ms, ..
                } => {
                    let unread = path == "/v1/health" || path == "/v1/packages";
                    let lost = outcome == "silent" && !unread;
                    let unknown = lost.then(|| script.one_more());
                    script
                        .requests
                        .entry(path.clone())
                        .or_default()
                        .push(BankTurn {
                            outcome: outcome.clone(),
                            ms: *ms,
                            unknown,
                        });
                }
                TraceEvent::Journal { kept, .. } => script.kept.push(*kept),
                TraceEvent::Person { kind, .. } => {
                    script.activates |= *kind == Some(TransactionKind::Activate);
                }
                TraceEvent::Start { .. }
                | TraceEvent::Mark { .. }
                | TraceEvent::Answered { .. }
                | TraceEvent::Reader { .. }
                | TraceEvent::App { .. }
                | TraceEvent::Shown { .. } => {}
            }
        }
        script.lines = lines;
        script
    }

    fn one_more(&mut self) -> u32 {
        let nth = self.unanswered;
        self.unanswered += 1;
        nth
    }

    /// What the app said to the person's deed at `at`.
    pub(crate) fn answer_to(&self, at: usize) -> Option<Code> {
        let later = self.lines.iter().skip(at + 1);
        later
            .filter_map(|line| {
                let TraceEvent::Answered { code } = &line.event else {
                    return None;
                };
                Some(*code)
            })
            .next()?
    }

    /// Whether the bank found the password wrong that was submitted at `at`.
    pub(crate) fn password_was_wrong(&self, at: usize) -> bool {
        let later = self.lines.iter().skip(at + 1);
        later
            .take_while(|line| !matches!(line.event, TraceEvent::Person { .. }))
            .any(|line| {
                let TraceEvent::Shown {
                    screen: Some(screen),
                } = &line.event
                else {
                    return false;
                };
                screen.code == Some(Code::PasswordWrong)
            })
    }
}

/// Nothing that came before is needed.
fn begins(event: &TraceEvent) -> bool {
    matches!(
        event,
        TraceEvent::Start { pending: 0, .. } | TraceEvent::Mark { pending: 0, .. }
    )
}

/// INITIALIZE and CREDIT FOR LOAD, UPDATE BINARY.
fn changes(head: &str) -> bool {
    ["8050", "8052", "04D6"]
        .iter()
        .any(|ins| head.starts_with(ins))
}
