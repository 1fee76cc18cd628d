//! A look at the way to a server, one layer after the other, for whoever wants to know what is broken on it.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use serde::Deserialize;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::{Answer, ClientError};

/// How long a name or a connection may take before nobody is there.
const STEP_DEADLINE: Duration = Duration::from_secs(5);
/// How long the answer may take, the handshake included.
pub(crate) const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// What one look at a server showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The way to it.
    pub way: Way,
    /// What the server said on the client's own connection, trust and all; none when the way does not lead there.
    pub answer: Option<Result<Health, ClientError>>,
    /// How long the answer took.
    pub took: Duration,
}

/// The way to a server: its name and whether a connection comes about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Way {
    /// Host of the address, as the profile has it.
    pub host: String,
    /// The proxy that the connections go through.
    pub proxy: Option<String>,
    /// Whether a name was found; none where there is none to find: an address, or a name that the proxy looks up.
    pub name: Option<bool>,
    /// How long that took.
    pub name_took: Duration,
    /// Whether the server, or the proxy before it, took a connection; none when that could not be tried.
    pub connection: Option<Result<(), Unconnected>>,
    /// The way ends at once, and this device has no way out to anywhere.
    pub no_network: bool,
}

/// Why no connection came about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unconnected {
    /// The computer is there, and nobody listens.
    Refused,
    /// This device has no way there.
    NoRoute,
    /// Nothing came back.
    Silent,
}

/// What a server says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Health {
    /// HTTP status.
    pub status: u16,
    /// Its clock, ms since 1970.
    pub time_ms: Option<u64>,
}

impl Way {
    /// Whether it is worth asking.
    pub(crate) fn leads(&self) -> bool {
        self.name != Some(false) && !matches!(self.connection, Some(Err(_)))
    }
}

impl Health {
    pub(crate) fn of(answer: &Answer) -> Self {
        #[derive(Deserialize)]
        struct Body {
            time_ms: u64,
        }
        let body = serde_json::from_slice::<Body>(&answer.body);
        Self {
            status: answer.status,
            time_ms: body.ok().map(|body| body.time_ms),
        }
    }
}

/// Looks up the host of `url` (`https://host:port`) and opens a connection there, or to the proxy (`host:port`).
pub(crate) async fn way(url: &str, proxy: Option<String>) -> Way {
    let mut way = tried(url, proxy).await;
    way.no_network = !way.leads() && !has_way_out();
    way
}

async fn tried(url: &str, proxy: Option<String>) -> Way {
    let authority = url.strip_prefix("https://").unwrap_or(url);
    let (host, port) = split(authority);
    let mut way = Way {
        host: host.to_owned(),
        ..Way::default()
    };
    if let Some(proxy) = proxy {
        let (host, port) = split(&proxy);
        let (found, _) = find(host, port).await;
        way.connection = Some(match found {
            Some(addresses) => connect(&addresses).await,
            None => Err(Unconnected::Silent),
        });
        way.proxy = Some(proxy);
        return way;
    }
    let (found, took) = find(host, port).await;
    if host.parse::<IpAddr>().is_err() {
        way.name = Some(found.is_some());
        way.name_took = took;
    }
    if let Some(addresses) = found {
        way.connection = Some(connect(&addresses).await);
    }
    way
}

/// Whether the system knows a way to the internet. Nothing is sent: a UDP socket only asks for the route.
fn has_way_out() -> bool {
    // Addresses for documentation (RFC 5737, RFC 3849): nobody's.
    let tried = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    tried.into_iter().any(|(own, other)| {
        let socket = UdpSocket::bind(own);
        socket.and_then(|socket| socket.connect(other)).is_ok()
    })
}

/// Host without brackets, and port; 443 where there is none.
fn split(authority: &str) -> (&str, u16) {
    const HTTPS: u16 = 443;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(HTTPS)),
        Some(_) | None => (authority, HTTPS),
    };
    let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    (inner.unwrap_or(host), port)
}

async fn find(host: &str, port: u16) -> (Option<Vec<SocketAddr>>, Duration) {
    let started = tokio::time::Instant::now();
    let found = timeout(STEP_DEADLINE, lookup_host((host, port))).await;
    let addresses = match found {
        Ok(Ok(addresses)) => Some(addresses.collect::<Vec<_>>()).filter(|all| !all.is_empty()),
        Ok(Err(_)) | Err(_) => None,
    };
    (addresses, started.elapsed())
}

/// The first that takes a connection, as the client does; else what the last one came to.
async fn connect(addresses: &[SocketAddr]) -> Result<(), Unconnected> {
    let mut last = Unconnected::Silent;
    let until = tokio::time::Instant::now() + STEP_DEADLINE;
    for address in addresses {
        match tokio::time::timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => last = unconnected(error.kind()),
            Err(_) => return Err(Unconnected::Silent),
        }
    }
    Err(last)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "ErrorKind grows, and two kinds of it differ here"
)]
fn unconnected(kind: ErrorKind) -> Unconnected {
    match kind {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Unconnected::Refused,
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown | ErrorKind::AddrNotAvailable => {
            Unconnected::NoRoute
        }
        _ => Unconnected::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_come_out_of_every_form_of_address() {
        assert_eq!(split("bank.example:8443"), ("bank.example", 8443));
        assert_eq!(split("bank.example"), ("bank.example", 443));
        assert_eq!(split("[2001:db8::1]:8443"), ("2001:db8::1", 8443));
        assert_eq!(split("[2001:db8::1]"), ("2001:db8::1", 443));
        assert_eq!(split("127.0.0.1:80"), ("127.0.0.1", 80));
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_refuses_and_needs_no_name() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let way = way(&format!("https://{address}"), None).await;
        assert_eq!((way.name, way.proxy.as_ref()), (None, None));
        assert_eq!(way.connection, Some(Err(Unconnected::Refused)));
        assert!(!way.leads());
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_leads_nowhere() {
        // Longer than a name may be (RFC 1035, 2.3.4): no server is asked.
        let way = way(&format!("https://{}.invalid:1", "a".repeat(64)), None).await;
        assert_eq!((way.name, way.connection), (Some(false), None));
    }

    #[tokio::test]
    async fn with_a_proxy_the_name_is_left_to_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = listener.local_addr().unwrap().to_string();
        let way = way("https://no-such-bank.invalid:1", Some(proxy.clone())).await;
        assert_eq!(way.name, None);
        assert_eq!(way.proxy, Some(proxy));
        assert_eq!(way.connection, Some(Ok(())));
    }
}
