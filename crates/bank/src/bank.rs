//! What all requests share.

use std::collections::BTreeMap;
use std::sync::Arc;

use relay::Body;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::card_hsm::CardHsm;
use crate::clock::Clock;
use crate::config::{IndustrySettings, Settings};
use crate::corebank::Core;
use crate::crowd::Crowd;
use crate::http::admission::Admission;
use crate::http::rates::Rates;
use crate::metrics::Metrics;
use crate::packages::Shelf;
use crate::scheme::CardIdentity;
use crate::sms::sender::Sender;
use crate::store::Store;
use crate::store::audit::Heads;
use crate::store::beside::Shards;
use crate::vault::Vault;

pub(crate) struct Bank {
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Store,
    pub(crate) shards: Shards,
    pub(crate) audit_heads: Heads,
    /// Where customers' money is.
    pub(crate) core: Core,
    pub(crate) vault: Arc<Vault>,
    pub(crate) hsm: Box<dyn CardHsm>,
    pub(crate) packages: Shelf,
    /// The fields of each industry's package that its recipes need.
    pub(crate) identified_by: BTreeMap<String, Vec<String>>,
    pub(crate) enrolment_secret: Zeroizing<[u8; 32]>,
    pub(crate) enrolment_public: [u8; 32],
    pub(crate) signer_secret: Zeroizing<[u8; 32]>,
    /// Signs receipts.
    pub(crate) receipt_secret: Zeroizing<[u8; 32]>,
    #[cfg(feature = "development")]
    pub(crate) inbox: Option<Arc<crate::inbox::Inbox>>,
    pub(crate) sender: Sender,
    /// Rings when the outbox has something new.
    pub(crate) outbox: Notify,
    pub(crate) admission: Admission,
    pub(crate) rates: Rates,
    /// Everybody who is connected to either server.
    pub(crate) crowd: Arc<Crowd>,
    pub(crate) metrics: Metrics,
    #[cfg(feature = "otel")]
    pub(crate) spans: crate::otel::Spans,
}

impl Bank {
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub(crate) fn industry(&self, code: &str) -> Option<&IndustrySettings> {
        self.settings
            .industries
            .iter()
            .find(|industry| industry.code == code)
    }

    /// The card that a message comes from; none when the message does not say, or the industry is not served.
    pub(crate) fn identity(&self, industry: &str, body: &Body) -> Option<CardIdentity> {
        let needed = self.identified_by.get(industry)?;
        let needed: Vec<&str> = needed.iter().map(String::as_str).collect();
        CardIdentity::read(&self.packages.get(industry)?.package, body, &needed)
    }
}
