//! HTTPS on the profile's pins.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::own::OwnCertificate;
use crate::transport::{Finding, Outgoing, Sending, Server, Transport};
use crate::{
    Answer, CONNECT_DEADLINE, ClientError, Distrust, Profile, ProfileError, Proxies,
    REQUEST_DEADLINE, look, pins,
};

/// No answer of the bank is longer (bytes).
const LONGEST_ANSWER: usize = 4 << 20;

pub(crate) struct Https {
    /// Another one after each change of the terminal: connections belong to one certificate.
    http: RwLock<reqwest::Client>,
    builder: fn() -> reqwest::ClientBuilder,
    proxies: Proxies,
    profile: Profile,
}

impl Https {
    pub(crate) fn new(
        profile: Profile,
        builder: fn() -> reqwest::ClientBuilder,
        proxies: Proxies,
    ) -> Result<Self, ProfileError> {
        let http = RwLock::new(client(builder(), &profile, &proxies, None)?);
        Ok(Self {
            http,
            builder,
            proxies,
            profile,
        })
    }

    fn base(&self, server: Server) -> &str {
        match server {
            Server::Security => &self.profile.security_url,
            Server::Transaction => &self.profile.transaction_url,
        }
    }

    fn request(&self, request: Outgoing) -> reqwest::RequestBuilder {
        let url = format!("{}{}", self.base(request.server), request.path);
        let http = self.http.read().unwrap_or_else(PoisonError::into_inner);
        let mut built = match request.body {
            Some(body) => http.post(url).body(body),
            None => http.get(url),
        };
        for (name, value) in request.headers {
            built = built.header(name, value);
        }
        built
    }
}

impl Transport for Https {
    fn send(&self, request: Outgoing) -> Sending<'_> {
        Box::pin(send(self.request(request)))
    }

    fn way(&self, server: Server) -> Finding<'_> {
        let base = self.base(server);
        Box::pin(look::way(base, self.proxies.before(base)))
    }

    fn identify(&self, terminal: &str, secret: &[u8; 32]) -> Result<(), ProfileError> {
        let own = OwnCertificate::new(terminal, secret)?;
        let http = client((self.builder)(), &self.profile, &self.proxies, Some(own))?;
        *self.http.write().unwrap_or_else(PoisonError::into_inner) = http;
        Ok(())
    }
}

fn client(
    builder: reqwest::ClientBuilder,
    profile: &Profile,
    proxies: &Proxies,
    own: Option<OwnCertificate>,
) -> Result<reqwest::Client, ProfileError> {
    proxies
        .apply(builder, profile)
        .use_preconfigured_tls(pins::tls_config(profile, own)?)
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .timeout(REQUEST_DEADLINE)
        .pool_idle_timeout(Duration::from_secs(50))
        .tcp_nodelay(true)
        .build()
        .map_err(|_| ProfileError::Tls)
}

async fn send(request: reqwest::RequestBuilder) -> Result<Answer, ClientError> {
    let mut response = request.send().await.map_err(|error| failure(&error))?;
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok());
    let mac = header("tapfill-mac").map(str::to_owned);
    let own_ms = header("server-timing").and_then(own_ms);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(ClientError::BadAnswer);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        body,
        mac,
        own_ms,
    })
}

/// `bank;dur=12` among the entries of Server-Timing (W3C), whole ms.
fn own_ms(header: &str) -> Option<u32> {
    let entry = header
        .split(',')
        .map(str::trim)
        .find_map(|entry| entry.strip_prefix("bank;"))?;
    let duration = entry
        .split(';')
        .map(str::trim)
        .find_map(|it| it.strip_prefix("dur="))?;
    duration.parse().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banks_own_time_is_read_where_it_is_told() {
        assert_eq!(own_ms("bank;dur=12"), Some(12));
        assert_eq!(own_ms("cache, bank;desc=\"all\"; dur=7"), Some(7));
        for other in [
            "",
            "bank",
            "bank;dur=",
            "bank;dur=-1",
            "bank;dur=1e9",
            "db;dur=5",
        ] {
            assert_eq!(own_ms(other), None, "{other}");
        }
    }
}
