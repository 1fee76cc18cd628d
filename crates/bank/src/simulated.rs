//! A bank without listeners and without work of its own: a simulation hands it requests and says when a round is due.

use std::sync::Arc;

use axum::Router;

use crate::bank::Bank;
use crate::check::{self, Money, Report};
use crate::config::Config;
use crate::error::StartError;
use crate::running::{bank, directory, store_failed, text};
use crate::store::customer;
use crate::{http, worker};

/// Both servers as routers on one store.
pub struct Simulated {
    bank: Arc<Bank>,
    security: Router,
    transaction: Router,
}

impl Simulated {
    /// Opens the bank of `config.dir`, which [`crate::start`] has made.
    ///
    /// # Errors
    /// [`StartError`], as [`crate::start`] does.
    pub async fn open(config: &Config) -> Result<Self, StartError> {
        let dir = directory(config)?;
        let bank = Arc::new(bank(config, &dir).await?);
        customer::seed(&bank).await.map_err(store_failed)?;
        let security = http::routes(bank.clone(), http::security::routes());
        let transaction = http::routes(bank.clone(), http::transaction::routes());
        Ok(Self {
            bank,
            security,
            transaction,
        })
    }

    /// The security server. Requests carry their peer as `ConnectInfo<SocketAddr>`.
    pub fn security(&self) -> Router {
        self.security.clone()
    }

    /// The transaction server.
    pub fn transaction(&self) -> Router {
        self.transaction.clone()
    }

    /// One round of what the bank does by itself: the outbox, loads that nobody speaks of any more.
    ///
    /// # Errors
    /// When the store can't be used; the text says why.
    pub async fn round(&self) -> Result<(), String> {
        worker::round(&self.bank)
            .await
            .map_err(|error| text(&error))
    }

    /// Codes that reached the inbox since this bank was opened, newest first.
    pub fn codes(&self) -> Vec<String> {
        let all = self.bank.inbox.iter().flat_map(|inbox| inbox.all());
        all.map(|sms| sms.code).collect()
    }

    /// Every invariant as a query.
    ///
    /// # Errors
    /// When the store can't be read; the text says why.
    pub async fn check(&self) -> Result<Report, String> {
        check::told_report(&self.bank).await
    }

    /// Where the money is, fen.
    ///
    /// # Errors
    /// When the store can't be read; the text says why.
    pub async fn money(&self) -> Result<Money, String> {
        check::told_money(&self.bank).await
    }

    /// Closes the store; what was not committed is gone.
    pub async fn close(self) {
        self.bank.store.close().await;
    }
}
