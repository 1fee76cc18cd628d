//! The one pinned HTTPS client for both of the bank's servers.
//!
//! It carries bytes and knows no key of the terminal: what is sealed or signed comes and goes as it is.

mod own;
mod pins;
mod profile;

pub use profile::{Profile, ProfileError};

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::Deserialize;

use crate::own::OwnCertificate;

/// How long one request may take, connection included.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection may take.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// No answer of the bank is longer (bytes).
const LONGEST_ANSWER: usize = 4 << 20;

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
}

impl Answer {
    /// The error that a status other than 200 tells.
    pub fn refusal(&self) -> ClientError {
        refusal(self.status, &self.body)
    }
}

fn client(
    builder: reqwest::ClientBuilder,
    profile: &Profile,
    own: Option<OwnCertificate>,
) -> Result<reqwest::Client, ProfileError> {
    builder
        .use_preconfigured_tls(pins::tls_config(profile, own)?)
        .https_only(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .timeout(REQUEST_DEADLINE)
        .pool_idle_timeout(Duration::from_secs(50))
        .tcp_nodelay(true)
        .build()
        .map_err(|_| ProfileError::Tls)
}

/// Both servers of one bank.
#[derive(Clone)]
pub struct BankClient {
    /// Another one after each change of the terminal: connections belong to one certificate.
    http: Arc<RwLock<reqwest::Client>>,
    builder: fn() -> reqwest::ClientBuilder,
    profile: Arc<Profile>,
}

impl BankClient {
    /// A client of its own on the profile's pins.
    pub fn new(profile: Profile) -> Result<Self, ProfileError> {
        Self::with_builder(profile, reqwest::Client::builder)
    }

    /// The same on a builder that the caller got elsewhere (the app's comes from tauri-plugin-http).
    pub fn with_builder(
        profile: Profile,
        builder: fn() -> reqwest::ClientBuilder,
    ) -> Result<Self, ProfileError> {
        let http = client(builder(), &profile, None)?;
        Ok(Self {
            http: Arc::new(RwLock::new(http)),
            builder,
            profile: Arc::new(profile),
        })
    }

    /// From now on connections show the certificate of this terminal (12 digits, and the secret that
    /// `envelope::keys::tls_secret` gives), if the bank wants one.
    ///
    /// # Errors
    /// [`ProfileError::Tls`] when that makes no certificate.
    pub fn identify(&self, terminal: &str, secret: &[u8; 32]) -> Result<(), ProfileError> {
        if self.profile.client_certificate {
            let own = OwnCertificate::new(terminal, secret)?;
            let http = client((self.builder)(), &self.profile, Some(own))?;
            *self.http.write().unwrap_or_else(PoisonError::into_inner) = http;
        }
        Ok(())
    }

    fn http(&self) -> reqwest::Client {
        let http = self.http.read().unwrap_or_else(PoisonError::into_inner);
        http.clone()
    }

    /// A page of the security server as it is, e.g. the inbox of a development bank.
    pub async fn page(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let url = format!("{}{path}", self.profile.security_url);
        let answer = send(self.http().get(url)).await?;
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
        let url = format!("{}/v1/relay", self.profile.transaction_url);
        let request = self
            .http()
            .post(url)
            .header("content-type", "application/octet-stream")
            .body(envelope);
        let answer = send(request).await?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(answer.refusal())
        }
    }

    /// Opens the connection to the transaction server while a person still looks for the card.
    pub async fn warm(&self) -> Result<(), ClientError> {
        let url = format!("{}/v1/health", self.profile.transaction_url);
        send(self.http().get(url)).await.map(drop)
    }

    /// The same for the security server.
    pub async fn warm_security(&self) -> Result<(), ClientError> {
        let url = format!("{}/v1/health", self.profile.security_url);
        send(self.http().get(url)).await.map(drop)
    }

    /// Enrolment: the JSON of section 3.1 there and back.
    pub async fn enrol(&self, request: String) -> Result<String, ClientError> {
        let url = format!("{}/v1/enrol", self.profile.security_url);
        let request = self
            .http()
            .post(url)
            .header("content-type", "application/json")
            .body(request);
        let answer = send(request).await?;
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
        let request = self
            .http()
            .post(format!("{}{path}", self.profile.security_url))
            .header("content-type", "application/json")
            .header("tapfill-terminal", &proof.terminal)
            .header("tapfill-nonce", &proof.nonce)
            .header("tapfill-time", proof.time_ms.to_string())
            .header("tapfill-mac", &proof.mac)
            .body(body);
        send(request).await
    }
}

async fn send(request: reqwest::RequestBuilder) -> Result<Answer, ClientError> {
    let mut response = request.send().await.map_err(|error| failure(&error))?;
    let status = response.status().as_u16();
    let mac = response
        .headers()
        .get("tapfill-mac")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(ClientError::BadAnswer);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body, mac })
}

fn failure(error: &reqwest::Error) -> ClientError {
    log::debug!("request failed: {error:?}");
    // Whatever breaks after the handshake, the request may have arrived.
    if !error.is_connect() && !error.is_builder() {
        return ClientError::Silent;
    }
    tls_error(error).map_or(ClientError::Offline, |tls| {
        distrust(tls).map_or(ClientError::Offline, ClientError::Untrusted)
    })
}

/// rustls reports inside io errors, which hide their cause from `source`.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        let io = current.downcast_ref::<std::io::Error>();
        cause = match io.and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    None
}

/// `None`: the connection broke, and says nothing about who is there.
fn distrust(error: &rustls::Error) -> Option<Distrust> {
    use rustls::Error as Tls;
    if let Tls::InvalidCertificate(bad) = error {
        return Some(bad_certificate(bad));
    }
    let no_tls = matches!(
        error,
        Tls::InvalidMessage(_) | Tls::PeerIncompatible(_) | Tls::AlertReceived(_)
    );
    no_tls.then_some(Distrust::NotTls)
}

fn bad_certificate(error: &rustls::CertificateError) -> Distrust {
    use rustls::CertificateError as Bad;
    let over = matches!(error, Bad::Expired | Bad::ExpiredContext { .. });
    let early = matches!(error, Bad::NotValidYet | Bad::NotValidYetContext { .. });
    if over || early {
        Distrust::Expired
    } else if matches!(error, Bad::UnknownIssuer | Bad::BadSignature) {
        Distrust::Foreign
    } else if matches!(
        error,
        Bad::NotValidForName | Bad::NotValidForNameContext { .. }
    ) {
        Distrust::Name
    } else if matches!(error, Bad::ApplicationVerificationFailure) {
        Distrust::Swapped
    } else {
        Distrust::Other
    }
}

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
