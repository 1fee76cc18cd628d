//! What goes wrong: refusals with a public code, and failures that are logged and answered empty.

use std::panic::Location;

use rusqlite::ErrorCode;
use serde_json::{Map, Value, json};

/// Why the bank did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is bad.
    #[error(transparent)]
    Config(#[from] crate::ConfigError),
    /// A file of the bank's directory can't be read, made or used.
    #[error("file-unusable: {path}: {cause}")]
    File {
        /// Which one.
        path: String,
        /// Why.
        cause: String,
    },
    /// An address can't be listened on.
    #[error("address-unusable: {address}: {cause}")]
    Address {
        /// Which one.
        address: String,
        /// Why.
        cause: String,
    },
    /// The store can't be opened or is of another bank.
    #[error("store-unusable: {0}")]
    Store(String),
    /// An industry package can't be served.
    #[error("package-bad: {name}: {cause}")]
    Package {
        /// File name.
        name: String,
        /// Why.
        cause: String,
    },
    /// The hardware security module can't be used as configured.
    #[error("hsm-unusable: {what}: {cause}")]
    Hsm {
        /// Module, token, file or key.
        what: String,
        /// Why.
        cause: String,
    },
    /// The token refuses the PIN: each further try brings it nearer to locking itself.
    #[error("hsm-unusable: {token}: {cause}")]
    Pin {
        /// Its label.
        token: String,
        /// Why.
        cause: String,
    },
    /// The books and the core banking host of the configuration do not fit.
    #[error("core-unfit: {0}")]
    Core(String),
    /// The store is in use by others for longer than it is waited for.
    #[error("store-busy: come again")]
    Busy,
    /// Certificates or TLS settings can't be made.
    #[error("tls-unusable: {0}")]
    Tls(String),
}

impl StartError {
    pub(crate) fn another_store_key() -> Self {
        let cause = "the store is of another bank, or made with another store.key";
        Self::Store(cause.to_owned())
    }
}

/// Why one request is not answered as asked.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    /// A public code of `docs/protocol.md`, section 7.
    Refused {
        status: u16,
        code: &'static str,
        params: Map<String, Value>,
    },
    /// Another transaction was in the way: nothing was done, and all of it may be done again.
    Conflict { cause: String },
    /// Logged with its place; the asker learns an incident number alone.
    Internal { place: String, cause: String },
}

impl Problem {
    pub(crate) fn refused(status: u16, code: &'static str) -> Self {
        Self::Refused {
            status,
            code,
            params: Map::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Self::Refused { params, .. } = &mut self {
            params.insert(name.to_owned(), value.into());
        }
        self
    }

    #[track_caller]
    pub(crate) fn internal(cause: impl ToString) -> Self {
        Self::Internal {
            place: Location::caller().to_string(),
            cause: cause.to_string(),
        }
    }

    /// The same was done meanwhile: whoever looks again finds it.
    pub(crate) fn overtaken(cause: &str) -> Self {
        let cause = cause.to_owned();
        Self::Conflict { cause }
    }

    pub(crate) fn busy() -> Self {
        Self::refused(503, "busy").with("retry_after_ms", 1_000)
    }

    /// Of what follows an effect that is kept: nobody may take it for nothing at all.
    pub(crate) fn after_an_effect(self) -> Self {
        match self {
            Self::Refused { code: "busy", .. } | Self::Conflict { .. } => Self::late(),
            Self::Refused { .. } | Self::Internal { .. } => self,
        }
    }

    /// The work goes on without its asker, and may have an effect.
    pub(crate) fn late() -> Self {
        Self::refused(504, "late").with("retry_after_ms", 1_000)
    }

    pub(crate) fn bad_request() -> Self {
        Self::refused(400, "bad-request")
    }

    pub(crate) fn envelope_refused() -> Self {
        Self::refused(403, "envelope-refused")
    }

    pub(crate) fn time_skew(now_ms: u64) -> Self {
        Self::refused(409, "time-skew").with("time_ms", now_ms)
    }

    /// When to come again, seconds, for answers that say so.
    pub(crate) fn retry_after_s(&self) -> Option<u64> {
        let Self::Refused { params, .. } = self else {
            return None;
        };
        let ms = params.get("retry_after_ms")?.as_u64()?;
        Some(ms.div_ceil(1_000))
    }

    /// Status and JSON body. An internal failure is logged here, under a number that the asker gets too.
    pub(crate) fn answer(self) -> (u16, Vec<u8>) {
        let (status, code, params) = match self {
            Self::Refused {
                status,
                code,
                params,
            } => (status, code, params),
            Self::Conflict { cause } => {
                log::warn!("a conflict in the store: {cause}");
                return Self::busy().answer();
            }
            Self::Internal { place, cause } => {
                let incident = incident_number();
                log::error!("incident {incident} at {place}: {cause}");
                let mut params = Map::new();
                params.insert("incident".to_owned(), incident.into());
                (500, "internal", params)
            }
        };
        (
            status,
            json!({"code": code, "params": params})
                .to_string()
                .into_bytes(),
        )
    }
}

/// Locked is busy; every other failure of a file is internal. A full disk too leaves nothing behind.
impl From<rusqlite::Error> for Problem {
    #[track_caller]
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::busy(),
            Some(_) | None => Self::internal(error),
        }
    }
}

pub(crate) fn incident_number() -> String {
    let mut bytes = [0; 6];
    if getrandom::fill(&mut bytes).is_err() {
        log::error!("the machine gives no random numbers");
    }
    hex::encode(bytes)
}
