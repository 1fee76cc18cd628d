//! `[sms]` of the configuration: what codes keep to, and the way they take to phones.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::ConfigError;
use crate::config::rules::bad;

/// The most that a bind of SMPP and an address of it hold (SMPP 3.4, 4.1.5 and 5.2).
const LONGEST_SYSTEM_ID: usize = 15;
const LONGEST_SYSTEM_TYPE: usize = 12;
const LONGEST_ADDRESS: usize = 20;
/// Letters as a sender (3GPP TS 23.040, 9.1.2.5).
const LONGEST_NAME: usize = 11;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SmsSettings {
    pub(crate) valid_s: u64,
    pub(crate) resend_s: u64,
    pub(crate) tries: u32,
    pub(crate) proof_valid_s: u64,
    pub(crate) per_number_per_hour: u32,
    pub(crate) per_terminal_per_hour: u32,
    pub(crate) per_address_per_hour: u32,
    pub(crate) per_prefix_per_hour: u32,
    /// How long one attempt to hand an SMS over may take.
    pub(crate) timeout_s: u64,
    pub(crate) smpp: Option<SmppSettings>,
    pub(crate) http: Option<ProviderSettings>,
}

impl Default for SmsSettings {
    fn default() -> Self {
        Self {
            valid_s: 300,
            resend_s: 60,
            tries: 5,
            proof_valid_s: 600,
            per_number_per_hour: 10,
            per_terminal_per_hour: 20,
            per_address_per_hour: 60,
            per_prefix_per_hour: 600,
            timeout_s: 10,
            smpp: None,
            http: None,
        }
    }
}

/// An SMSC. The password is in the bank's folder.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmppSettings {
    /// `HOST:PORT`.
    pub(crate) address: String,
    #[serde(default)]
    pub(crate) tls: bool,
    /// PEM of the authorities that its certificate may be of; absent: the machine's own.
    pub(crate) authority: Option<PathBuf>,
    pub(crate) system_id: String,
    #[serde(default)]
    pub(crate) system_type: String,
    /// Who the SMS is from: up to 11 letters, or digits.
    pub(crate) source: String,
    pub(crate) source_ton: Option<u8>,
    pub(crate) source_npi: Option<u8>,
    pub(crate) dest_ton: Option<u8>,
    pub(crate) dest_npi: Option<u8>,
    /// What stands before a number on file, e.g. a country's code.
    #[serde(default)]
    pub(crate) prefix: String,
    #[serde(default)]
    pub(crate) alphabet: Alphabet,
    #[serde(default)]
    pub(crate) long: Long,
    /// Whether receipts are asked for.
    #[serde(default = "yes")]
    pub(crate) receipts: bool,
    #[serde(default = "enquire_s")]
    pub(crate) enquire_s: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Alphabet {
    /// The GSM default alphabet when it has all of a text, else UCS-2.
    #[default]
    ByText,
    Ucs2,
}

/// How a text goes that is too long for one SMS.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Long {
    /// In parts that say themselves which they are.
    #[default]
    Parts,
    /// Whole, in `message_payload`; the SMSC makes the parts.
    Payload,
}

/// A provider's HTTP API. The secret is in the bank's folder.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderSettings {
    pub(crate) url: String,
    pub(crate) authority: Option<PathBuf>,
    #[serde(default)]
    pub(crate) form: Form,
    #[serde(default)]
    pub(crate) auth: Auth,
    /// Of Basic.
    #[serde(default)]
    pub(crate) user: String,
    /// What is posted. `{phone}`, `{text}` and `{key}` in its texts are replaced.
    pub(crate) body: Map<String, Value>,
    /// Where the answer says how the provider calls the message (RFC 6901).
    pub(crate) id: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Form {
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Auth {
    #[default]
    Bearer,
    Basic,
}

fn yes() -> bool {
    true
}

fn enquire_s() -> u64 {
    30
}

impl SmsSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.smpp.is_some() && self.http.is_some() {
            return Err(bad("sms", "either [sms.smpp] or [sms.http]"));
        }
        if !(1..=60).contains(&self.timeout_s) {
            return Err(bad("sms.timeout_s", "a number from 1 to 60"));
        }
        self.smpp.as_ref().map_or(Ok(()), SmppSettings::check)?;
        self.http.as_ref().map_or(Ok(()), ProviderSettings::check)
    }
}

impl SmppSettings {
    /// Host and port.
    pub(crate) fn host_and_port(&self) -> Option<(&str, u16)> {
        if let Ok(address) = self.address.parse::<SocketAddr>() {
            let host = self.address.rsplit_once(':')?.0;
            return Some((host.trim_matches(['[', ']']), address.port()));
        }
        let (host, port) = self.address.rsplit_once(':')?;
        let is_name = !host.is_empty() && !host.contains([':', '/', '@', ' ']);
        let port = port.parse().ok().filter(|port| *port > 0)?;
        is_name.then_some((host, port))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let field = |name: &str| format!("sms.smpp.{name}");
        let is_text = |text: &str, most| text.len() <= most && text.is_ascii();
        if self.host_and_port().is_none() {
            return Err(bad(field("address"), "HOST:PORT"));
        }
        if self.authority.is_some() && !self.tls {
            return Err(bad(field("authority"), "only with tls = true"));
        }
        if self.system_id.is_empty() || !is_text(&self.system_id, LONGEST_SYSTEM_ID) {
            return Err(bad(field("system_id"), "1 to 15 ASCII letters"));
        }
        if !is_text(&self.system_type, LONGEST_SYSTEM_TYPE) {
            return Err(bad(field("system_type"), "up to 12 ASCII letters"));
        }
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let most = match digits(&self.source) {
            true => LONGEST_ADDRESS,
            false => LONGEST_NAME,
        };
        if self.source.is_empty() || !is_text(&self.source, most) {
            let rule = "up to 11 ASCII letters, or up to 20 digits";
            return Err(bad(field("source"), rule));
        }
        // A number on file has up to 15 digits.
        if !digits(&self.prefix) || self.prefix.len() > LONGEST_ADDRESS - 15 {
            return Err(bad(field("prefix"), "up to 5 digits"));
        }
        let numbers = [
            ("source_ton", self.source_ton, 6),
            ("source_npi", self.source_npi, 18),
            ("dest_ton", self.dest_ton, 6),
            ("dest_npi", self.dest_npi, 18),
        ];
        for (name, value, most) in numbers {
            if value.is_some_and(|value| value > most) {
                return Err(bad(field(name), format!("a number from 0 to {most}")));
            }
        }
        if !(1..=3600).contains(&self.enquire_s) {
            return Err(bad(field("enquire_s"), "a number from 1 to 3600"));
        }
        Ok(())
    }
}

impl ProviderSettings {
    fn check(&self) -> Result<(), ConfigError> {
        let field = |name: &str| format!("sms.http.{name}");
        let is_url = reqwest::Url::parse(&self.url)
            .is_ok_and(|url| url.scheme() == "https" && url.password().is_none());
        if !is_url {
            return Err(bad(field("url"), "https://HOST/PATH, without a password"));
        }
        if (self.auth == Auth::Basic) == self.user.is_empty() {
            return Err(bad(field("user"), "with auth = \"basic\", and only there"));
        }
        let body = Value::Object(self.body.clone()).to_string();
        if !body.contains("{phone}") || !body.contains("{text}") {
            return Err(bad(field("body"), "has {phone} and {text} somewhere"));
        }
        let is_flat = self.body.values().all(Value::is_string);
        if self.form == Form::Urlencoded && !is_flat {
            return Err(bad(field("body"), "a form has texts alone"));
        }
        if self.id.as_ref().is_some_and(|id| !id.starts_with('/')) {
            return Err(bad(field("id"), "begins with /, e.g. /message/id"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigError, Settings};

    const SMPP: &str =
        "[sms.smpp]\naddress = \"smsc.example:2775\"\nsystem_id = \"bank\"\nsource = \"Bank\"\n";
    const HTTP: &str = "[sms.http]\nurl = \"https://sms.example/v1\"\n
        body = { to = \"{phone}\", content = { text = \"{text}\" } }\n";

    fn told(sms: &str) -> String {
        match Settings::parse(&format!("[bank]\nname = \"Bank\"\n{sms}")).err() {
            Some(ConfigError::Field { field, .. }) => field,
            Some(other) => other.to_string(),
            None => "fine".to_owned(),
        }
    }

    #[test]
    fn either_way_needs_few_words() {
        assert_eq!(told(SMPP), "fine");
        assert_eq!(told(HTTP), "fine");
        assert_eq!(told(&format!("{SMPP}{HTTP}")), "sms", "but not both");
    }

    #[test]
    fn what_an_smsc_can_not_be_told_is_named() {
        for (from, to, field) in [
            ("smsc.example:2775", "smsc.example", "sms.smpp.address"),
            ("smsc.example:2775", "smpp://smsc:2775", "sms.smpp.address"),
            ("smsc.example:2775", ":2775", "sms.smpp.address"),
            ("\"bank\"", "\"a-system-of-16-b\"", "sms.smpp.system_id"),
            ("\"Bank\"", "\"Bank of Twelve\"", "sms.smpp.source"),
            ("\"Bank\"", "\"\"", "sms.smpp.source"),
            ("source =", "prefix = \"+86\"\nsource =", "sms.smpp.prefix"),
            ("source =", "dest_ton = 7\nsource =", "sms.smpp.dest_ton"),
            ("source =", "enquire_s = 0\nsource =", "sms.smpp.enquire_s"),
            (
                "source =",
                "authority = \"a\"\nsource =",
                "sms.smpp.authority",
            ),
        ] {
            let text = SMPP.replacen(from, to, 1);
            assert_ne!(text, SMPP, "{from}");
            assert_eq!(told(&text), field, "{to}");
        }
        let wrong = told(&SMPP.replace("source =", "alphabet = \"latin\"\nsource ="));
        assert!(wrong.contains("by-text"), "the choices are told: {wrong}");
        assert_eq!(told("[sms]\ntimeout_s = 0\n"), "sms.timeout_s");
    }

    #[test]
    fn what_a_provider_can_not_be_told_is_named() {
        for (from, to, field) in [
            ("https://", "http://", "sms.http.url"),
            ("https://", "https://bank:secret@", "sms.http.url"),
            ("url =", "user = \"bank\"\nurl =", "sms.http.user"),
            ("url =", "auth = \"basic\"\nurl =", "sms.http.user"),
            ("{phone}", "", "sms.http.body"),
            ("url =", "form = \"urlencoded\"\nurl =", "sms.http.body"),
            ("url =", "id = \"id\"\nurl =", "sms.http.id"),
        ] {
            let text = HTTP.replacen(from, to, 1);
            assert_ne!(text, HTTP, "{from}");
            assert_eq!(told(&text), field, "{to}");
        }
    }
}
