//! Who may ask how often (`limits` of the configuration).

use std::net::IpAddr;
use std::time::Duration;

use envelope::Terminal;
use tokio::time::Instant;

use crate::config::LimitSettings;
use crate::error::Problem;
use crate::http::rate::Rate;
use crate::subscriber::Subscriber;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) struct Rates {
    /// Requests of a terminal that has proven itself.
    terminal: Option<Rate>,
    /// Requests from an address that prove nothing: guesses, and what only makes work.
    strangers: Option<Rate>,
    /// Cards that a terminal asks about and that are none of this bank's.
    unknown_cards: Option<Rate>,
}

impl Rates {
    pub(crate) fn new(limits: &LimitSettings) -> Self {
        Self {
            terminal: Rate::new(limits.requests_per_terminal_per_minute, MINUTE),
            strangers: Rate::new(limits.refusals_per_address_per_minute, MINUTE),
            unknown_cards: Rate::new(limits.unknown_cards_per_terminal_per_hour, HOUR),
        }
    }

    /// Counts one request of a terminal.
    ///
    /// # Errors
    /// `too-many`, which is not counted.
    pub(crate) fn terminal(&self, terminal: &Terminal) -> Result<(), Problem> {
        let Some(rate) = &self.terminal else {
            return Ok(());
        };
        let (subject, now) = (terminal.bcd(), Instant::now());
        free(rate.wait(&subject, now))?;
        rate.count(&subject, now);
        Ok(())
    }

    /// # Errors
    /// `too-many` for an address that has proven nothing too often.
    pub(crate) fn address(&self, from: IpAddr) -> Result<(), Problem> {
        let rate = self.strangers.as_ref();
        free(rate.and_then(|rate| rate.wait(&subject(from), Instant::now())))
    }

    /// Counts what an address got wrong before anybody had proven who they are.
    pub(crate) fn refused(&self, from: IpAddr, problem: &Problem) {
        let counts = match problem {
            Problem::Refused { code, .. } => matches!(
                *code,
                "bad-request"
                    | "envelope-refused"
                    | "key-unknown"
                    | "terminal-unknown"
                    | "too-large"
            ),
            Problem::Conflict { .. } | Problem::Internal { .. } => false,
        };
        if let Some(rate) = self.strangers.as_ref().filter(|_| counts) {
            rate.count(&subject(from), Instant::now());
        }
    }

    /// # Errors
    /// `too-many` for a terminal that goes through card numbers.
    pub(crate) fn cards(&self, terminal: &Terminal) -> Result<(), Problem> {
        let rate = self.unknown_cards.as_ref();
        free(rate.and_then(|rate| rate.wait(&terminal.bcd(), Instant::now())))
    }

    pub(crate) fn card_unknown(&self, terminal: &Terminal) {
        if let Some(rate) = &self.unknown_cards {
            rate.count(&terminal.bcd(), Instant::now());
        }
    }
}

fn subject(from: IpAddr) -> u128 {
    Subscriber::of(from).number()
}

fn free(wait: Option<Duration>) -> Result<(), Problem> {
    wait.map_or(Ok(()), |wait| {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Err(Problem::refused(429, "too-many").with("retry_after_ms", ms.max(1_000)))
    })
}
