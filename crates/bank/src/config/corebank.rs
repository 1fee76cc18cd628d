//! A core banking host in the configuration.

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::rules::bad;
use crate::config::{ConfigError, Settings};
use crate::corebank::iso::Bitmap;

/// What `[core]` says.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CoreSettings {
    /// `HOST:PORT`.
    pub(crate) address: String,
    #[serde(default)]
    pub(crate) bitmap: Bitmap,
    /// Field 32.
    pub(crate) acquirer: String,
    /// Field 41.
    pub(crate) terminal: String,
    /// Field 42.
    pub(crate) merchant: String,
    /// Field 3.
    pub(crate) processing_code: String,
    /// How long an answer is waited for.
    #[serde(default = "answer_ms")]
    pub(crate) answer_ms: u64,
    /// After this long without a word the host is asked whether it is there.
    #[serde(default = "echo_s")]
    pub(crate) echo_s: u64,
    /// The certificate of who signed the host's; absent: no TLS.
    pub(crate) authority: Option<PathBuf>,
    server_name: Option<String>,
}

fn answer_ms() -> u64 {
    5_000
}

fn echo_s() -> u64 {
    60
}

impl CoreSettings {
    /// The name in the host's certificate.
    pub(crate) fn server_name(&self) -> &str {
        let own = self.address.rsplit_once(':');
        let own = own.map_or("", |(host, _)| host);
        self.server_name.as_deref().unwrap_or(own)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let port = self.address.rsplit_once(':').map(|(_, port)| port);
        if port.and_then(|port| port.parse::<u16>().ok()).is_none() {
            return Err(bad("core.address", "HOST:PORT"));
        }
        let printable = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic())
        };
        let digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
        if !printable(&self.acquirer, 11) || !digits(&self.acquirer) {
            return Err(bad("core.acquirer", "1 to 11 digits"));
        }
        if !printable(&self.terminal, 8) {
            return Err(bad("core.terminal", "1 to 8 characters"));
        }
        if !printable(&self.merchant, 15) {
            return Err(bad("core.merchant", "1 to 15 characters"));
        }
        if self.processing_code.len() != 6 || !digits(&self.processing_code) {
            return Err(bad("core.processing_code", "6 digits"));
        }
        if !(1..=3_600).contains(&self.echo_s) {
            return Err(bad("core.echo_s", "a number from 1 to 3600"));
        }
        if self.server_name.is_some() && self.authority.is_none() {
            return Err(bad("core.server_name", "only with core.authority"));
        }
        Ok(())
    }
}

impl Settings {
    pub(super) fn check_core(&self) -> Result<(), ConfigError> {
        let Some(core) = &self.core else {
            return Ok(());
        };
        core.check()?;
        // Whoever asks the bank is still there when the host did not answer.
        let most = self.limits.request_timeout_ms.saturating_mul(4) / 5;
        if !(100..=most).contains(&core.answer_ms) {
            let rule = "a number from 100 to four fifths of limits.request_timeout_ms";
            return Err(bad("core.answer_ms", rule));
        }
        for (at, customer) in self.customers.iter().enumerate() {
            let account = customer.account.as_deref().unwrap_or_default();
            let fits = (1..=28).contains(&account.len())
                && account.bytes().all(|it| it.is_ascii_alphanumeric());
            if !fits {
                let rule = "1 to 28 digits or letters: the account at the core host";
                return Err(bad(format!("customer[{at}].account"), rule));
            }
            if customer.balance != 0 {
                let rule = "0: with [core] the money is at the host";
                return Err(bad(format!("customer[{at}].balance"), rule));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORE: &str = "[core]\naddress = \"127.0.0.1:7001\"\nacquirer = \"12345\"\n\
         terminal = \"T1\"\nmerchant = \"M1\"\nprocessing_code = \"600000\"\n";
    const CUSTOMER: &str = "[[customer]]\nphone = \"1\"\npassword = \"246810\"\nbalance = 0\n\
         account = \"6222\"\n";

    fn said(from: &str, to: &str) -> String {
        let text = format!("[bank]\nname = \"B\"\n{CORE}{CUSTOMER}");
        let changed = text.replacen(from, to, 1);
        assert_eq!(changed == text, from == to, "{from} is there");
        match Settings::parse(&changed).err() {
            Some(ConfigError::Field { field, .. }) => field,
            Some(other) => other.to_string(),
            None => "fine".to_owned(),
        }
    }

    #[test]
    fn a_wrong_field_of_a_core_host_is_named() {
        assert_eq!(said("", ""), "fine");
        for (from, to, field) in [
            ("127.0.0.1:7001", "127.0.0.1", "core.address"),
            ("\"12345\"", "\"123456789012\"", "core.acquirer"),
            ("\"12345\"", "\"12a\"", "core.acquirer"),
            ("\"T1\"", "\"\"", "core.terminal"),
            ("\"M1\"", "\"M 1\"", "core.merchant"),
            ("600000", "60", "core.processing_code"),
            ("[core]\n", "[core]\nanswer_ms = 9000\n", "core.answer_ms"),
            ("[core]\n", "[core]\nanswer_ms = 10\n", "core.answer_ms"),
            ("[core]\n", "[core]\necho_s = 0\n", "core.echo_s"),
            (
                "[core]\n",
                "[core]\nserver_name = \"x\"\n",
                "core.server_name",
            ),
            ("account = \"6222\"", "", "customer[0].account"),
            ("6222", "62 22", "customer[0].account"),
            ("balance = 0", "balance = 1", "customer[0].balance"),
        ] {
            assert_eq!(said(from, to), field, "{to}");
        }
        let odd = said("[core]\n", "[core]\nbitmap = \"packed\"\n");
        assert!(odd.starts_with("config-syntax"), "{odd}");
    }

    #[test]
    fn the_name_in_the_certificate_is_the_address_unless_it_is_given() {
        let parsed = |extra: &str| -> CoreSettings {
            let body = CORE.replacen("[core]\n", extra, 1);
            toml::from_str(&body).unwrap()
        };
        assert_eq!(parsed("").server_name(), "127.0.0.1");
        let given = "authority = \"ca.pem\"\nserver_name = \"core.bank\"\n";
        assert_eq!(parsed(given).server_name(), "core.bank");
    }
}
