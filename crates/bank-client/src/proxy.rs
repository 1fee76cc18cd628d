//! A proxy on the way to the bank: an office has one, and without it there is no way out.
//!
//! It is asked for a tunnel (`CONNECT`) and sees the bank's name, nothing else: TLS goes through it from end to end, and
//! the pins are those of the bank. Whoever looks into connections is refused behind a proxy as anywhere else.

use std::net::IpAddr;

use reqwest::{ClientBuilder, NoProxy, Proxy, Url};

use crate::Profile;

/// Asks the system which proxy stands before an `https` address: a URL, or none. Asked anew for each connection.
pub type SystemProxy = fn(&str) -> Option<String>;

/// What is known of proxies on this device.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// From the environment.
    https: Option<Url>,
    /// Hosts that are reached without it, as curl reads them.
    except: String,
    system: Option<SystemProxy>,
    /// Let the HTTP part ask the operating system itself, where it can.
    own: bool,
}

impl Proxies {
    /// None at all, whatever the environment says: tests.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// What the environment names comes first, as for every program; then the system's own settings.
    ///
    /// `read` gives the value of a variable: `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, each also in small letters.
    /// `system` is asked where the environment says nothing; without one the HTTP part does what it can (Windows,
    /// macOS).
    pub fn new(read: impl Fn(&str) -> Option<String>, system: Option<SystemProxy>) -> Self {
        let either = |name: &str| {
            let lower = name.to_ascii_lowercase();
            let value = read(name).or_else(|| read(&lower))?;
            Some(value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let named = either("HTTPS_PROXY").or_else(|| either("ALL_PROXY"));
        Self {
            https: named.as_deref().and_then(usable),
            except: either("NO_PROXY").unwrap_or_default(),
            system,
            own: true,
        }
    }

    /// `host:port` of the proxy before an address. What the HTTP part asks the operating system by itself is not known
    /// here.
    pub(crate) fn before(&self, url: &str) -> Option<String> {
        let url = url.parse::<Url>().ok()?;
        if is_loopback(&url) || self.excepts(url.host_str().unwrap_or_default()) {
            return None;
        }
        let named = self.https.clone();
        let proxy = named.or_else(|| usable(&(self.system?)(url.as_str())?))?;
        let (host, port) = (proxy.host_str()?, proxy.port_or_known_default()?);
        Some(format!("{host}:{port}"))
    }

    /// A name in the list stands for itself and all below it.
    fn excepts(&self, host: &str) -> bool {
        let mut names = self.except.split(',').map(str::trim);
        names.any(|name| {
            let name = name.trim_start_matches('.');
            let below = |rest: &str| rest.is_empty() || rest.ends_with('.');
            name == "*" || !name.is_empty() && host.strip_suffix(name).is_some_and(below)
        })
    }

    pub(crate) fn apply(&self, builder: ClientBuilder, profile: &Profile) -> ClientBuilder {
        if self.https.is_none() && self.system.is_none() {
            let hosts = [&profile.security_url, &profile.transaction_url];
            let here = |url: &&String| url.parse().is_ok_and(|url| is_loopback(&url));
            let own = self.own && !hosts.iter().any(here);
            return if own { builder } else { builder.no_proxy() };
        }
        let known = self.clone();
        // The exceptions are looked at here too: the HTTP part does not ask them before it asks this.
        let found = move |url: &Url| -> Option<Url> {
            if is_loopback(url) || known.excepts(url.host_str().unwrap_or_default()) {
                return None;
            }
            let named = known.https.clone();
            named.or_else(|| usable(&(known.system?)(url.as_str())?))
        };
        let proxy = Proxy::custom(found).no_proxy(NoProxy::from_string(&self.except));
        builder.proxy(proxy)
    }
}

/// A proxy that gives tunnels to who asks in plain HTTP; a bare `host:port` means one. Another kind is left out: TLS
/// to the proxy itself would meet the bank's pins, and there is no part for SOCKS.
fn usable(named: &str) -> Option<Url> {
    let url = if named.contains("://") {
        named.parse::<Url>()
    } else {
        format!("http://{named}").parse()
    };
    let url = url
        .ok()
        .filter(|url| url.scheme() == "http" && url.has_host());
    if url.is_none() && !named.starts_with("direct:") {
        log::warn!("a proxy is left out: it is none of plain HTTP");
    }
    url
}

/// What runs on this device is never asked for through another one.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Proxies {
        let read = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Proxies::new(read, None)
    }

    fn named(variables: &[(&str, &str)]) -> Option<String> {
        of(variables).https.map(|url| url.to_string())
    }

    #[test]
    fn the_environment_is_read_as_other_programs_read_it() {
        let proxy = Some("http://proxy.test:3128/".to_owned());
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            assert_eq!(named(&[(name, "http://proxy.test:3128")]), proxy, "{name}");
            assert_eq!(named(&[(name, " proxy.test:3128 ")]), proxy, "{name}, bare");
        }
        let both = [("HTTPS_PROXY", "proxy.test:3128"), ("ALL_PROXY", "other:1")];
        assert_eq!(named(&both), proxy, "the one for HTTPS comes first");
        assert_eq!(named(&[("HTTP_PROXY", "proxy.test:3128")]), None);
        assert_eq!(named(&[("HTTPS_PROXY", "")]), None, "empty is unset");
        assert_eq!(of(&[("no_proxy", "bank.test")]).except, "bank.test");
    }

    #[test]
    fn the_proxy_before_an_address_is_known_to_whoever_looks_for_a_fault() {
        let proxies = of(&[
            ("HTTPS_PROXY", "http://somebody:secret@proxy.test:3128"),
            ("NO_PROXY", ".inside.test, 192.0.2.7"),
        ]);
        let before = |url: &str| proxies.before(url);
        let proxy = Some("proxy.test:3128".to_owned());
        assert_eq!(
            before("https://bank.test:8443"),
            proxy,
            "without its password"
        );
        assert_eq!(before("https://outinside.test"), proxy);
        for direct in [
            "https://a.inside.test",
            "https://inside.test",
            "https://192.0.2.7:1",
            "https://127.0.0.1:1",
        ] {
            assert_eq!(before(direct), None, "{direct}");
        }
        assert_eq!(Proxies::none().before("https://bank.test"), None);
    }

    #[test]
    fn a_proxy_of_another_kind_is_left_out() {
        for other in [
            "socks5://proxy.test:1080",
            "https://proxy.test",
            "direct://",
            "http://",
        ] {
            assert_eq!(usable(other), None, "{other}");
        }
    }

    #[test]
    fn this_device_is_known_by_all_its_names() {
        for here in [
            "127.0.0.1",
            "127.8.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "localhost",
            "a.localhost",
        ] {
            let url = format!("https://{here}:8443").parse().unwrap();
            assert!(is_loopback(&url), "{here}");
        }
        for there in [
            "192.0.2.1",
            "localhost.bank.test",
            "bank.test",
            "[2001:db8::1]",
        ] {
            let url = format!("https://{there}").parse().unwrap();
            assert!(!is_loopback(&url), "{there}");
        }
    }
}
