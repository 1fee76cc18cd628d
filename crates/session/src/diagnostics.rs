//! Checks each part that a top-up needs, and writes a report without anything private.
//!
//! What is looked at is here; what it means is in [`rules`], what may be told of it in [`report`].

mod report;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bank_client::{Look, Server};
use card_link::{CardReader, LinkError, ReaderState, ReaderStatus};
use ipc::{Code, DiagnosticPart as Part, DiagnosticState, DiagnosticView, Reply, TimesView};
use key_vault::KeyVault;
use tokio::time::Instant;

use crate::actor::{Actor, Answer, Happened};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::packages::{Offer, PackagesHere};
use crate::terminal::TerminalLink;
use crate::trace::millis;

use report::Facts;
use rules::{Finding, Observed, PackagesSeen};

struct Probe {
    link: Arc<TerminalLink>,
    vault: Arc<dyn KeyVault>,
    status: ReaderStatus,
    /// Whose card may be tried; none while the app itself is at it.
    reader: Option<Arc<dyn CardReader>>,
    clock: Arc<dyn Clock>,
    packages: PackagesHere,
    /// Names the list of packages that is here.
    etag: Option<String>,
    enrolled: bool,
    version: String,
    times: Vec<TimesView>,
}

/// What came of it.
pub(crate) struct Diagnosed {
    parts: Vec<DiagnosticView>,
    report: String,
}

impl Actor {
    pub(crate) fn diagnose(&self, answer: Answer) {
        // What the app itself does with the card must not be disturbed.
        let idle = self.runs == 0 && self.transaction.is_none();
        let complete = self.packages.is_complete();
        let etag = self.settings.now.packages_etag.clone();
        let probe = Probe {
            link: self.link.clone(),
            vault: self.parts.vault.clone(),
            status: self.reader.clone(),
            reader: idle.then(|| self.parts.reader.clone()),
            clock: self.parts.clock.clone(),
            packages: self.packages.here(),
            etag: etag.filter(|_| complete),
            enrolled: self.settings.now.terminal.is_some(),
            version: self.parts.version.clone(),
            times: self.record.views(),
        };
        self.beside(async move { Happened::Diagnosed(probe.run().await, answer) });
    }

    pub(crate) fn diagnosed(&mut self, found: Diagnosed, answer: Answer) {
        if found.wants_packages() && !self.connecting && self.link.facts().is_some() {
            self.connect(None);
        }
        let Diagnosed { parts, report } = found;
        self.reply(Some(answer), Ok(Reply::Diagnostics { parts, report }));
    }
}

impl Diagnosed {
    /// What the bank has is to be fetched.
    fn wants_packages(&self) -> bool {
        let codes = self.parts.iter().filter_map(|part| part.code);
        codes
            .into_iter()
            .any(|code| [Code::PackageNone, Code::PackageOld].contains(&code))
    }
}

impl Probe {
    async fn run(self) -> Diagnosed {
        let mut took = BTreeMap::new();
        let started = Instant::now();
        let contact = self.contact().await;
        took.insert(Part::OtherPrograms, started.elapsed());
        let started = Instant::now();
        let keystore = self.keystore().await;
        took.insert(Part::Keystore, started.elapsed());
        let bank = self.link.bank();
        let (security, transaction) = tokio::join!(
            self.clocked(bank.look(Server::Security)),
            self.clocked(bank.look(Server::Transaction)),
        );
        let told_ms = security.1.or(transaction.1);
        let (security, transaction) = (security.0, transaction.0);
        took.insert(
            Part::Dns,
            security.way.name_took.max(transaction.way.name_took),
        );
        took.insert(Part::SecurityServer, security.took);
        took.insert(Part::TransactionServer, transaction.took);
        let started = Instant::now();
        let offered = self.offered(&security).await;
        took.insert(Part::Packages, started.elapsed());
        // A server that does not tell its clock has compared it with this device's before it answered.
        let agreed = matches!(offered, Some(Ok(_)));
        let offset_ms = told_ms.or_else(|| agreed.then(|| self.link.clock_offset_ms()));
        let seen = Observed {
            reader: self.status.state,
            contact,
            keystore,
            enrolled: self.enrolled,
            packages: self.packages_seen(offered.as_ref()),
            offset_ms,
            security,
            transaction,
            refused: offered.and_then(Result::err),
        };
        let found = rules::findings(&seen).into_iter();
        let parts: Vec<_> = found.map(|finding| view(finding, &took)).collect();
        let report = self.report(&parts);
        Diagnosed { parts, report }
    }

    /// Takes the card up and leaves it again; sends it nothing.
    async fn contact(&self) -> Option<Result<(), LinkError>> {
        let reader = self.reader.as_ref()?;
        if self.status.state != ReaderState::Card {
            return None;
        }
        Some(reader.open().await.map(drop))
    }

    async fn keystore(&self) -> Result<bool, Code> {
        let vault = self.vault.clone();
        let load = move || vault.load("master-key").map(|secret| secret.is_some());
        let loaded = tokio::task::spawn_blocking(load).await;
        loaded
            .map_err(|_| Code::Internal)?
            .map_err(|error| Failure::from(error).code)
    }

    /// A look, and the server's clock minus this device's at the same moment.
    async fn clocked(&self, look: impl Future<Output = Look>) -> (Look, Option<i64>) {
        let look = look.await;
        let health = look.answer.as_ref().and_then(|answer| answer.as_ref().ok());
        let bank_ms = health.and_then(|health| health.time_ms);
        let now_ms = self.clock.now_ms();
        let offset = |bank_ms: u64| bank_ms.wrapping_sub(now_ms).cast_signed();
        let offset_ms = bank_ms.map(offset);
        (look, offset_ms)
    }

    /// What the bank has for this terminal; none when it can't be asked.
    async fn offered(&self, security: &Look) -> Option<Result<Offer, Code>> {
        let answers = matches!(security.answer, Some(Ok(health)) if health.status == 200);
        if !answers || self.link.facts().is_none() {
            return None;
        }
        let offer = self.link.packages(self.etag.as_deref()).await;
        Some(offer.map_err(|failure| failure.code))
    }

    fn packages_seen(&self, offered: Option<&Result<Offer, Code>>) -> PackagesSeen {
        let offer = offered.and_then(|offered| offered.as_ref().ok());
        PackagesSeen {
            from_bank: self.packages.count_from_bank(),
            refused: self.packages.refused.clone(),
            newer: offer.and_then(|offer| self.packages.newer_in(offer)),
        }
    }

    fn report(&self, parts: &[DiagnosticView]) -> String {
        report::text(&Facts {
            version: &self.version,
            system: &format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            now_ms: self.clock.now_ms(),
            readers: &self.status.readers,
            packages: &self.packages.all,
            parts,
            times: &self.times,
        })
    }
}

fn view(finding: Finding, took: &BTreeMap<Part, Duration>) -> DiagnosticView {
    let tried = finding.state != DiagnosticState::Skipped;
    let took = took.get(&finding.part).filter(|_| tried);
    DiagnosticView {
        part: finding.part,
        state: finding.state,
        code: finding.code,
        after: finding.after,
        params: finding.params,
        elapsed_ms: took.copied().map(millis).unwrap_or_default(),
    }
}
