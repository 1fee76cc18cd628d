//! Core banking behind one interface: where customers' money is, and who is asked before it moves.
//!
//! The built-in ledger is asked inside the commit that debits. A host is asked between two commits
//! (`docs/decisions/0017-a-host-is-asked-between-two-commits.md`).

mod dial;
mod frame;
#[cfg(feature = "simulator")]
pub(crate) mod fuzzed;
pub(crate) mod iso;
mod link;
pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod rules;
#[cfg(test)]
mod tests;
pub(crate) mod worker;

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::bank::Bank;
use crate::clock::Clock;
use crate::config::CoreSettings;
use crate::error::{Problem, StartError};
use crate::store::{Conn, corebank};
use crate::vault::random;

use link::Link;
pub(crate) use message::{Ask, Reversal, Said, Undone};
use metrics::CoreMetrics;

/// Where the money of this bank's customers is.
pub(crate) enum Core {
    /// In this bank's own ledger.
    Ledger,
    /// At a host that speaks ISO 8583.
    Host(Arc<Host>),
}

/// A core banking host. Another protocol would be another one of these.
pub(crate) struct Host {
    link: Link,
    settings: CoreSettings,
    clock: Arc<dyn Clock>,
    metrics: CoreMetrics,
    /// Rings when there is something to take back.
    pub(crate) owed: Notify,
}

impl Core {
    pub(crate) fn new(
        settings: Option<&CoreSettings>,
        clock: Arc<dyn Clock>,
        metrics: CoreMetrics,
    ) -> Result<Self, Problem> {
        let Some(settings) = settings.cloned() else {
            return Ok(Self::Ledger);
        };
        // Where two processes begin must not be the same.
        let first = u32::from_be_bytes(random()?) % 999_999;
        let link = Link::new(clock.clone(), metrics.clone(), first);
        Ok(Self::Host(Arc::new(Host {
            link,
            settings,
            clock,
            metrics,
            owed: Notify::new(),
        })))
    }

    /// Who must be asked for a customer's money; none when it is here.
    pub(crate) fn host(&self) -> Option<&Arc<Host>> {
        match self {
            Self::Ledger => None,
            Self::Host(host) => Some(host),
        }
    }

    /// Keeps the connection, and takes back what is to be taken back, until it is aborted.
    pub(crate) fn spawn(bank: &Arc<Bank>) -> Vec<JoinHandle<()>> {
        let Some(host) = bank.core.host().cloned() else {
            return Vec::new();
        };
        let line = host.clone();
        let connection = tokio::spawn(async move { line.link.run(&line.settings).await });
        let worker = tokio::spawn(worker::run(bank.clone(), host));
        vec![connection, worker]
    }
}

impl Host {
    pub(crate) fn is_up(&self) -> bool {
        self.link.is_up()
    }

    pub(crate) fn next_stan(&self) -> u32 {
        self.link.next_stan()
    }

    /// How long a row is left to whoever asked: longer than the host may take, and than the store may then.
    pub(crate) fn lease_ms(&self, database_wait_ms: u64) -> u64 {
        let store = database_wait_ms.saturating_mul(4);
        self.settings
            .answer_ms
            .saturating_mul(2)
            .saturating_add(store)
    }

    /// Asks for a load's money. Outside of any commit.
    pub(crate) async fn load(&self, ask: &Ask) -> Said {
        let answer = match message::load(ask, &self.settings) {
            Some(asked) => self.link.ask(&asked, &self.settings).await,
            None => None,
        };
        let said = message::verdict(ask, answer.as_ref());
        self.metrics.answered(said.name());
        said
    }

    /// Takes a load back; none when there was no answer. Outside of any commit.
    pub(crate) async fn reverse(&self, reversal: &Reversal) -> Option<Undone> {
        let now_ms = self.clock.now_ms();
        let undone = match message::reversal(reversal, &self.settings, now_ms) {
            Some(asked) => self.link.ask(&asked, &self.settings).await,
            None => None,
        };
        let undone = undone.and_then(|answer| message::undone(reversal, &answer, now_ms));
        self.metrics.reversed(match &undone {
            None => "silent",
            Some(Undone { settled: true, .. }) => "settled",
            Some(Undone { settled: false, .. }) => "refused",
        });
        undone
    }
}

/// A bank's books fit where its configuration says that customers' money is.
pub(crate) async fn fits(bank: &Bank, conn: &mut Conn) -> Result<(), StartError> {
    let found = match &bank.core {
        Core::Ledger => corebank::of_a_host(conn).await,
        Core::Host(_) => corebank::kept_here(conn).await,
    };
    let count = found.map_err(crate::running::store_failed)?;
    match (&bank.core, count) {
        (_, 0) => Ok(()),
        (Core::Ledger, count) => Err(StartError::Core(format!(
            "{count} loads wait for a core host, and the configuration has no [core]"
        ))),
        (Core::Host(_), count) => Err(StartError::Core(format!(
            "{count} customers have money in this bank's own ledger: [core] is for a bank without"
        ))),
    }
}
