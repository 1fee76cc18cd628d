//! The one pinned HTTPS client for both of the bank's servers.
//!
//! It carries bytes and knows no key of the terminal: what is sealed or signed comes and goes as it is.

mod https;
mod look;
mod own;
mod pins;
mod profile;
mod proxy;
pub mod queue;
mod seen;
mod transport;

pub use look::{Health, Look, Unconnected, Way};
pub use profile::{Profile, ProfileError};
pub use proxy::{Proxies, SystemProxy};
pub use seen::{Onlooker, Seen};
pub use transport::{Finding, Outgoing, Sending, Server, Transport};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

/// How long one request may take, connection included.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection may take.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Why a request brought no answer that can be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// No connection: the request never left.
    #[error("the bank can't be reached")]
    Offline,
    /// The server did not prove to be the bank: nothing was sent.
    #[error("the server is not the bank: {0:?}")]
    Untrusted(Distrust),
    /// The request may have arrived; no answer came.
    #[error("the bank did not answer")]
    Silent,
    /// The bank said no, with its code.
    #[error("the bank refused: {code}")]
    Refused {
        /// A code of `docs/protocol.md`, section 7.
        code: String,
        /// Its parameters as text.
        params: BTreeMap<String, String>,
    },
    /// An answer that is no answer of the bank (a captive portal, a proxy).
    #[error("that was no answer of the bank")]
    BadAnswer,
}

/// Why a server was not taken for the bank.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Distrust {
    /// The certificate's time is over or has not come: or this device's clock is wrong.
    Expired,
    /// Another authority signed it: a proxy that looks into connections, or another server.
    Foreign,
    /// The bank's authority signed it for another name.
    Name,
    /// The bank's authority signed it and its key is not among the pins.
    Swapped,
    /// No TLS 1.3 at the other end: a network that wants a login first, or an old device between.
    NotTls,
    /// Anything else that is wrong with the certificate.
    Other,
}

/// The headers that prove a terminal to the security server (`docs/protocol.md`, 3.2).
#[derive(Clone, Debug)]
pub struct Proof {
    /// 12 digits.
    pub terminal: String,
    /// 32 hex digits.
    pub nonce: String,
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// 64 hex digits.
    pub mac: String,
}

/// An answer with what its sender's proof covers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body as it came.
    pub body: Vec<u8>,
    /// `Tapfill-Mac` of the answer, if any.
    pub mac: Option<String>,
    /// How long the bank says that it took, ms.
    pub own_ms: Option<u32>,
}

impl Answer {
    /// The error that a status other than 200 tells.
    pub fn refusal(&self) -> ClientError {
        refusal(self.status, &self.body)
    }
}

/// Both servers of one bank.
#[derive(Clone)]
pub struct BankClient {
    transport: Arc<dyn Transport>,
    profile: Arc<Profile>,
}

impl BankClient {
    /// A client of its own on the profile's pins, without any proxy.
    pub fn new(profile: Profile) -> Result<Self, ProfileError> {
        Self::with_builder(profile, reqwest::Client::builder, Proxies::none())
    }

    /// The same on a builder that the caller got elsewhere (the app's comes from tauri-plugin-http), behind the proxies
    /// of this device.
    pub fn with_builder(
        profile: Profile,
        builder: fn() -> reqwest::ClientBuilder,
        proxies: Proxies,
    ) -> Result<Self, ProfileError> {
        let transport = Arc::new(https::Https::new(profile.clone(), builder, proxies)?);
        let profile = Arc::new(profile);
        Ok(Self { transport, profile })
    }

    /// A client on another way to the bank than HTTPS.
    #[cfg(feature = "simulator")]
    pub fn over(profile: Profile, transport: Arc<dyn Transport>) -> Self {
        let profile = Arc::new(profile);
        Self { transport, profile }
    }

    /// The same with somebody who is told of each request at its end.
    #[must_use]
    pub fn seen_by(self, onlooker: Onlooker) -> Self {
        let inner = self.transport;
        let transport = Arc::new(seen::Watched { inner, onlooker });
        Self { transport, ..self }
    }

    /// From now on connections show the certificate of this terminal (12 digits, and the secret that
    /// `envelope::keys::tls_secret` gives), if the bank wants one.
    ///
    /// # Errors
    /// [`ProfileError::Tls`] when that makes no certificate.
    pub fn identify(&self, terminal: &str, secret: &[u8; 32]) -> Result<(), ProfileError> {
        if self.profile.client_certificate {
            self.transport.identify(terminal, secret)
        } else {
            Ok(())
        }
    }

    /// A page of the security server as it is, e.g. the inbox of a development bank.
    pub async fn page(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let request = Outgoing::get(Server::Security, path);
        let answer = self.transport.send(request).await?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(answer.refusal())
        }
    }

    /// Whose servers these are.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// One sealed message to the transaction server, the sealed answer back.
    pub async fn relay(&self, envelope: Vec<u8>) -> Result<Vec<u8>, ClientError> {
        self.relayed(envelope).await.map(|answer| answer.body)
    }

    /// The same with the bank's own time.
    pub async fn relayed(&self, envelope: Vec<u8>) -> Result<Answer, ClientError> {
        let kind = "application/octet-stream";
        let request = Outgoing::post(Server::Transaction, "/v1/relay", kind, envelope);
        let answer = self.transport.send(request).await?;
        if answer.status == 200 {
            Ok(answer)
        } else {
            Err(answer.refusal())
        }
    }

    /// Opens the connection to the transaction server while a person still looks for the card.
    pub async fn warm(&self) -> Result<(), ClientError> {
        let request = Outgoing::get(Server::Transaction, "/v1/health");
        self.transport.send(request).await.map(drop)
    }

    /// The same for the security server.
    pub async fn warm_security(&self) -> Result<(), ClientError> {
        let request = Outgoing::get(Server::Security, "/v1/health");
        self.transport.send(request).await.map(drop)
    }

    /// Looks at the way to a server, and at what it says on the client's own connection.
    pub async fn look(&self, server: Server) -> Look {
        let way = self.transport.way(server).await;
        let started = tokio::time::Instant::now();
        let answer = if way.leads() {
            let asked = self.transport.send(Outgoing::get(server, "/v1/health"));
            let answer = tokio::time::timeout(look::ANSWER_DEADLINE, asked).await;
            let answer = answer.unwrap_or(Err(ClientError::Silent));
            Some(answer.map(|answer| Health::of(&answer)))
        } else {
            None
        };
        Look {
            way,
            answer,
            took: started.elapsed(),
        }
    }

    /// Enrolment: the JSON of section 3.1 there and back.
    pub async fn enrol(&self, request: String) -> Result<String, ClientError> {
        let request = Outgoing::post(Server::Security, "/v1/enrol", JSON, request.into_bytes());
        let answer = self.transport.send(request).await?;
        if answer.status != 200 {
            return Err(answer.refusal());
        }
        String::from_utf8(answer.body).map_err(|_| ClientError::BadAnswer)
    }

    /// A request of section 3.2. The caller checks the answer's proof.
    pub async fn security(
        &self,
        path: &str,
        proof: &Proof,
        body: String,
    ) -> Result<Answer, ClientError> {
        let mut request = Outgoing::post(Server::Security, path, JSON, body.into_bytes());
        request.headers.extend([
            ("tapfill-terminal", proof.terminal.clone()),
            ("tapfill-nonce", proof.nonce.clone()),
            ("tapfill-time", proof.time_ms.to_string()),
            ("tapfill-mac", proof.mac.clone()),
        ]);
        self.transport.send(request).await
    }
}

const JSON: &str = "application/json";

#[derive(Deserialize)]
struct RefusalBody {
    code: String,
    #[serde(default)]
    params: serde_json::Map<String, serde_json::Value>,
}

fn refusal(status: u16, body: &[u8]) -> ClientError {
    let Ok(refusal) = serde_json::from_slice::<RefusalBody>(body) else {
        log::warn!("HTTP {status} without a code of the bank");
        return ClientError::BadAnswer;
    };
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other @ (serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_)) => other.to_string(),
    };
    let params = refusal
        .params
        .into_iter()
        .map(|(name, value)| (name, text(value)))
        .collect();
    ClientError::Refused {
        code: refusal.code,
        params,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_code_and_params() {
        let error = refusal(409, br#"{"code":"time-skew","params":{"time_ms":12}}"#);
        let params = BTreeMap::from([("time_ms".to_owned(), "12".to_owned())]);
        assert_eq!(
            error,
            ClientError::Refused {
                code: "time-skew".to_owned(),
                params
            }
        );
    }

    #[test]
    fn a_page_of_a_captive_portal_is_no_answer() {
        assert_eq!(refusal(200, b"<html>log in</html>"), ClientError::BadAnswer);
    }
}
