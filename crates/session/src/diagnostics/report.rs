//! The report that a person copies for whoever helps: names of parts, codes, versions and times alone. No IO.

use std::fmt::Write;

use ipc::{DiagnosticView, TimesView};
use jiff::Timestamp;

use crate::packages::PackageHere;

/// What the report tells of.
pub(crate) struct Facts<'a> {
    pub(crate) version: &'a str,
    pub(crate) system: &'a str,
    pub(crate) now_ms: u64,
    pub(crate) readers: &'a [String],
    pub(crate) packages: &'a [PackageHere],
    pub(crate) parts: &'a [DiagnosticView],
    pub(crate) times: &'a [TimesView],
}

/// In English, whatever the screen speaks: it is read by people who help.
pub(crate) fn text(facts: &Facts<'_>) -> String {
    let at = i64::try_from(facts.now_ms).unwrap_or(i64::MAX);
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    let at = at.strftime("%Y-%m-%d %H:%M UTC");
    let mut text = format!("Tapfill {} on {}, {at}\n", facts.version, facts.system);
    for part in facts.parts {
        let _ = writeln!(text, "{}", line(part));
    }
    let readers: Vec<_> = facts.readers.iter().map(|name| nameless(name)).collect();
    let _ = writeln!(text, "readers: {}", or_none(&readers.join("; ")));
    let packages: Vec<_> = facts.packages.iter().map(package).collect();
    let _ = writeln!(text, "packages: {}", or_none(&packages.join("; ")));
    for times in facts.times {
        let _ = writeln!(text, "{}", hops(times));
    }
    redacted(&text)
}

fn line(part: &DiagnosticView) -> String {
    let name = word(&part.part);
    let state = match (part.code, part.after) {
        (Some(code), _) => code.as_str().to_owned(),
        (None, Some(first)) => format!("not known before {} is right", word(&first)),
        (None, None) => word(&part.state),
    };
    let mut text = format!("{name}: {state}");
    for (name, value) in &part.params {
        let _ = write!(text, ", {name} {value}");
    }
    if part.elapsed_ms > 0 {
        let _ = write!(text, " ({} ms)", part.elapsed_ms);
    }
    text
}

/// As it stands in JSON: `security-server`.
fn word(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(value);
    let text = json.ok().and_then(|json| json.as_str().map(str::to_owned));
    text.unwrap_or_default()
}

/// pcsc-lite puts a reader's serial number in parentheses; it tells one household's reader from another's.
fn nameless(reader: &str) -> String {
    let mut text = String::new();
    let mut depth = 0_u32;
    for letter in reader.chars() {
        match letter {
            '(' => {
                depth = depth.saturating_add(1);
                text.push_str("(..");
            }
            ')' => {
                depth = depth.saturating_sub(1);
                text.push(')');
            }
            letter if depth == 0 => text.push(letter),
            _ => {}
        }
    }
    text
}

fn package(package: &PackageHere) -> String {
    let from = if package.from_bank { "bank" } else { "app" };
    format!("{} v{} ({from})", package.industry, package.version)
}

fn hops(times: &TimesView) -> String {
    let told: Vec<_> = times
        .hops
        .iter()
        .map(|view| format!("{} {:.1}/{:.1}", word(&view.hop), view.p50_ms, view.p95_ms))
        .collect();
    let kind = word(&times.kind);
    let runs = times.runs;
    format!(
        "times of {kind}, {runs} runs, p50/p95 in ms: {}",
        told.join(", ")
    )
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

/// The last barrier: whatever a name brought along, no run of digits is long enough for a phone, a card, a terminal or
/// a code, no word for a key, and nothing is a path into somebody's folder.
fn redacted(text: &str) -> String {
    let word = |word: &str| {
        let path = word.contains('/') && !word.starts_with("p50/p95") && !is_ratio(word);
        let path = path || word.contains('\\') || word.contains("~");
        if path {
            "..".to_owned()
        } else {
            shortened(word)
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = text.lines().map(line).collect();
    format!("{}\n", lines.join("\n"))
}

/// `12.0/40.5` and the like.
fn is_ratio(word: &str) -> bool {
    word.chars()
        .all(|letter| letter.is_ascii_digit() || ['.', '/', ','].contains(&letter))
}

/// Six digits in a row, or 16 that could be hexadecimal, become dots.
fn shortened(word: &str) -> String {
    const DIGITS: usize = 6;
    const HEXADECIMAL: usize = 16;
    let mut text = String::new();
    let mut run = String::new();
    let end = |run: &mut String, text: &mut String| {
        let digits = run.split(|letter: char| !letter.is_ascii_digit());
        let longest = digits.map(str::len).max().unwrap_or_default();
        let secret = longest >= DIGITS || run.len() >= HEXADECIMAL;
        text.push_str(if secret { ".." } else { run });
        run.clear();
    };
    for letter in word.chars() {
        if letter.is_ascii_hexdigit() {
            run.push(letter);
        } else {
            end(&mut run, &mut text);
            text.push(letter);
        }
    }
    end(&mut run, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ipc::{Code, DiagnosticPart, DiagnosticState, Hop, HopView, TransactionKind};

    use super::*;

    fn part(
        part: DiagnosticPart,
        code: Option<Code>,
        after: Option<DiagnosticPart>,
    ) -> DiagnosticView {
        let state = match (code, after) {
            (Some(_), _) => DiagnosticState::Bad,
            (None, Some(_)) => DiagnosticState::Skipped,
            (None, None) => DiagnosticState::Ok,
        };
        DiagnosticView {
            part,
            state,
            code,
            after,
            params: BTreeMap::new(),
            elapsed_ms: 3,
        }
    }

    #[test]
    fn a_report_tells_parts_versions_and_times() {
        let mut dns = part(DiagnosticPart::Dns, Some(Code::NameUnknown), None);
        dns.params
            .insert("host".to_owned(), "bank.example".to_owned());
        let tls = part(DiagnosticPart::Tls, None, Some(DiagnosticPart::Dns));
        let hop = |hop, p50_ms, p95_ms| HopView {
            hop,
            p50_ms,
            p95_ms,
        };
        let report = text(&Facts {
            version: "0.1.0",
            system: "linux x86_64",
            now_ms: 1_795_359_600_000,
            readers: &["ACS ACR1252 [Reader] (RR171-012345) 00 00".to_owned()],
            packages: &[PackageHere {
                industry: "0001".to_owned(),
                version: 3,
                from_bank: true,
            }],
            parts: &[part(DiagnosticPart::Reader, None, None), dns, tls],
            times: &[TimesView {
                kind: TransactionKind::Topup,
                runs: 12,
                hops: vec![hop(Hop::Card, 301.25, 410.0), hop(Hop::Total, 650.0, 900.0)],
            }],
        });
        let expected = "Tapfill 0.1.0 on linux x86_64, 2026-11-22 15:00 UTC\n\
            reader: ok (3 ms)\n\
            dns: name-unknown, host bank.example (3 ms)\n\
            tls: not known before dns is right (3 ms)\n\
            readers: ACS ACR1252 [Reader] (..) 00 00\n\
            packages: 0001 v3 (bank)\n\
            times of topup, 12 runs, p50/p95 in ms: card 301.2/410.0, total 650.0/900.0\n";
        assert_eq!(report, expected);
    }

    #[test]
    fn nothing_private_passes_whatever_brought_it_along() {
        for secret in [
            "13800006021",
            "+86-13800006021",
            "6217000000004471",
            "00006217-000000004471",
            "246810",
            "8CA64D8CA64D8CA64D8CA64D8CA64D8C",
            "/home/somebody/tapfill",
            "C:\\Users\\somebody",
            "~/tapfill",
        ] {
            let told = redacted(&format!("reader {secret} 00"));
            assert!(!told.contains(secret), "{told}");
            assert!(
                !told.contains("somebody") && !told.contains("4471"),
                "{told}"
            );
        }
        for harmless in [
            "2026-11-22",
            "ACR1252",
            "certificate-swapped",
            "127.0.0.1:58443",
            "0001",
        ] {
            let line = format!("reader {harmless} 00\n");
            assert_eq!(redacted(&line), line, "what helps stays");
        }
    }
}
