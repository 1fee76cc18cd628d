//! Two traces beside each other: each of their strands by itself, since what is not one after the other in the program
//! may come in any order.

use std::collections::BTreeMap;
use std::fmt::Write;

use session::{TraceEvent, TraceLine};

pub(crate) struct Compared {
    /// What happened in the second run, as far as the first goes.
    pub(crate) told: String,
    /// Lines that are the same.
    pub(crate) same: usize,
    pub(crate) differs: Option<String>,
}

/// How much of each strand there is.
pub(crate) type Counts = BTreeMap<String, usize>;

/// The strand that a line belongs to, and its words without times and sizes. None: the reader and the person act, the
/// app does not.
pub(crate) fn strand(event: &TraceEvent) -> Option<(String, String)> {
    let word = |value: &dyn std::fmt::Debug| format!("{value:?}");
    let of = |name: &str, text: String| Some((name.to_owned(), text));
    match event {
        TraceEvent::Opened { fault, .. } => {
            let fault = fault.map_or("opened".to_owned(), |fault| word(&fault));
            of("card", format!("contact -> {fault}"))
        }
        TraceEvent::Card {
            head,
            status,
            fault,
            ..
        } => {
            let lost = fault.map(|fault| word(&fault)).unwrap_or_default();
            let reply = status.clone().unwrap_or(lost);
            of("card", format!("{head} -> {reply}"))
        }
        TraceEvent::Bank { path, outcome, .. } => {
            of(&format!("bank {path}"), format!("-> {outcome}"))
        }
        TraceEvent::Journal { state, kept } => {
            let refused = if *kept { "" } else { ", refused by the disk" };
            of("journal", format!("{state}{refused}"))
        }
        TraceEvent::App { phase, trouble } => {
            let trouble = trouble.map_or("no trouble", ipc::Code::as_str);
            of("app", format!("{phase:?}, {trouble}"))
        }
        TraceEvent::Answered { code } => {
            of("answer", code.map_or("yes", ipc::Code::as_str).to_owned())
        }
        TraceEvent::Shown { screen: None } => of("screen", "none".to_owned()),
        TraceEvent::Shown {
            screen: Some(screen),
        } => {
            let mut text = format!("{:?}, {:?}", screen.kind, screen.stage);
            let mut add = |what: Option<String>| {
                if let Some(what) = what {
                    let _ = write!(text, ", {what}");
                }
            };
            add(screen.step.map(|step| format!("step {step:?}")));
            add(Some(format!("money {:?}", screen.place)));
            add(screen.code.map(|code| code.as_str().to_owned()));
            add(screen.contact.map(|contact| format!("contact {contact:?}")));
            add(screen.resume.map(|resume| format!("re-top-up {resume:?}")));
            of("screen", text)
        }
        TraceEvent::Start { .. }
        | TraceEvent::Mark { .. }
        | TraceEvent::Person { .. }
        | TraceEvent::Reader { .. } => None,
    }
}

/// Adds a line to the counts.
pub(crate) fn count(counts: &mut Counts, event: &TraceEvent) {
    if let Some((strand, _)) = strand(event) {
        *counts.entry(strand).or_default() += 1;
    }
}

/// `first` against as much of `second`: what comes after the end of a trace was not recorded.
pub(crate) fn compare(first: &[TraceLine], second: &[TraceLine]) -> Compared {
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (strand, text) in first.iter().filter_map(|line| strand(&line.event)) {
        wanted.entry(strand).or_default().push(text);
    }
    let mut seen = Counts::new();
    let mut told = String::new();
    let mut same = 0;
    let mut differs = None;
    for (strand, text) in second.iter().filter_map(|line| strand(&line.event)) {
        let nth = seen.entry(strand.clone()).or_default();
        let want = wanted.get(&strand).and_then(|strand| strand.get(*nth));
        *nth += 1;
        let Some(want) = want else { continue };
        let _ = writeln!(told, "{strand}: {text}");
        if *want == text {
            same += 1;
        } else if differs.is_none() {
            differs = Some(format!("{strand} {nth}: the trace has `{want}`"));
        }
    }
    let missing = wanted.iter().find_map(|(strand, texts)| {
        let seen = seen.get(strand).copied().unwrap_or_default();
        let next = texts.get(seen)?;
        Some(format!("{strand} {}: `{next}` never came", seen + 1))
    });
    Compared {
        told,
        same,
        differs: differs.or(missing),
    }
}
