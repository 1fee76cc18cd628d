//! Checks each part that a top-up needs, and writes a report without anything private.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use card_link::{ReaderState, ReaderStatus};
use ipc::{Code, DiagnosticPart, DiagnosticView};
use key_vault::KeyVault;

use crate::clock::Clock;
use crate::failure::Failure;
use crate::terminal::TerminalLink;

/// A clock that is further off than this makes trouble with certificates and codes, ms.
const CLOCK_TOLERANCE_MS: u64 = 5 * 60_000;

pub(crate) struct Probe {
    pub(crate) link: Arc<TerminalLink>,
    pub(crate) vault: Arc<dyn KeyVault>,
    pub(crate) reader: ReaderStatus,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) version: String,
}

impl Probe {
    /// Each part's state, and the report as text.
    pub(crate) async fn run(self) -> (Vec<DiagnosticView>, String) {
        let mut parts = vec![
            view(DiagnosticPart::Service, Instant::now(), self.service()),
            view(DiagnosticPart::Reader, Instant::now(), self.reader()),
        ];
        let started = Instant::now();
        parts.push(view(
            DiagnosticPart::Keystore,
            started,
            self.keystore().await,
        ));
        let started = Instant::now();
        let answer = self
            .link
            .bank()
            .warm_security()
            .await
            .map_err(|e| Failure::from(e).code);
        parts.push(view(DiagnosticPart::SecurityServer, started, answer));
        let started = Instant::now();
        let answer = self
            .link
            .bank()
            .warm()
            .await
            .map_err(|e| Failure::from(e).code);
        parts.push(view(DiagnosticPart::TransactionServer, started, answer));
        let started = Instant::now();
        let off_ms = self.link.clock_offset_ms().unsigned_abs();
        let clock = if off_ms > CLOCK_TOLERANCE_MS {
            Err(Code::ClockWrong)
        } else {
            Ok(())
        };
        parts.push(view(DiagnosticPart::Clock, started, clock));
        let report = self.report(&parts);
        (parts, report)
    }

    fn service(&self) -> Result<(), Code> {
        match self.reader.state {
            ReaderState::ServiceDown => Err(Code::ServiceDown),
            ReaderState::Denied => Err(Code::ReaderDenied),
            ReaderState::None | ReaderState::Empty | ReaderState::Card => Ok(()),
        }
    }

    fn reader(&self) -> Result<(), Code> {
        match self.reader.state {
            ReaderState::None => Err(Code::ReaderNone),
            ReaderState::ServiceDown => Err(Code::ServiceDown),
            ReaderState::Denied => Err(Code::ReaderDenied),
            ReaderState::Empty | ReaderState::Card => Ok(()),
        }
    }

    async fn keystore(&self) -> Result<(), Code> {
        let vault = self.vault.clone();
        let loaded = tokio::task::spawn_blocking(move || vault.load("master-key").map(drop)).await;
        loaded
            .map_err(|_| Code::Internal)?
            .map_err(|error| Failure::from(error).code)
    }

    /// Names of parts, codes and times alone.
    fn report(&self, parts: &[DiagnosticView]) -> String {
        let mut text = format!(
            "Tapfill {} on {} {}, {} ms since 1970\n",
            self.version,
            std::env::consts::OS,
            std::env::consts::ARCH,
            self.clock.now_ms()
        );
        let _ = writeln!(text, "readers: {}", self.reader.readers.join("; "));
        for part in parts {
            let state = part.code.map_or("ok", Code::as_str);
            let _ = writeln!(text, "{:?}: {state} ({} ms)", part.part, part.elapsed_ms);
        }
        text
    }
}

fn view(part: DiagnosticPart, started: Instant, result: Result<(), Code>) -> DiagnosticView {
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    DiagnosticView {
        part,
        ok: result.is_ok(),
        code: result.err(),
        elapsed_ms,
    }
}
