//! The bank's configuration: `docs/testing.md` explains each field.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};

mod corebank;
mod issuer;
#[cfg(feature = "otel")]
mod otel;
mod rules;
mod settings;
mod sms;

pub(crate) use corebank::CoreSettings;
pub(crate) use issuer::{IssuerKeyText, IssuerKeyTexts, KeyWithRecipe, KeysOfScheme};
#[cfg(feature = "otel")]
pub(crate) use otel::OtelSettings;
pub use settings::Settings;
pub(crate) use settings::{
    CardSettings, CustomerSettings, HsmSettings, IndustrySettings, LimitSettings,
};
pub(crate) use sms::{Alphabet, Auth, Form, Long, ProviderSettings, SmppSettings};

#[cfg(feature = "development")]
const DEMO: &str = include_str!("demo.toml");

/// A configuration that can't be used, with the field that is wrong.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// No configuration file.
    #[error("config-missing: give --config FILE")]
    Missing,
    /// The file can't be read.
    #[error("config-unreadable: {path}: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// Not the TOML of a configuration; the cause names line and field.
    #[error("config-syntax: {0}")]
    Syntax(String),
    /// A field has a value that the bank can't work with.
    #[error("config-bad: {field}: {cause}")]
    Field {
        /// Path of the field, e.g. `industry[0].keys.load`.
        field: String,
        /// What it should be.
        cause: String,
    },
}

/// Everything that a bank needs to start.
#[derive(Clone)]
pub struct Config {
    /// Keys, certificates, database and profile live here.
    pub dir: PathBuf,
    /// What the configuration file says.
    pub settings: Arc<Settings>,
    /// Address of the security server; instead of the file's when given.
    pub security: Option<SocketAddr>,
    /// Address of the transaction server; instead of the file's when given.
    pub transaction: Option<SocketAddr>,
    /// Loopback address of metrics and health; instead of the file's when given. Neither: there are none.
    pub metrics: Option<SocketAddr>,
    /// Loopback address of the operators' page; instead of the file's when given. Neither: there is none.
    pub console: Option<SocketAddr>,
    /// Serves the SMS inbox.
    #[cfg(feature = "development")]
    pub dev: bool,
    /// Asked before each commit: false makes it a rollback, as a crash or a full disk would.
    #[cfg(feature = "simulator")]
    pub commits: Option<crate::CommitGate>,
    /// Waits for the store as long as a person would, rather than as long as a request may.
    pub(crate) patient: bool,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// The demo bank with its inbox, on free ports of the loopback interface.
    ///
    /// # Errors
    /// None in practice: the demo configuration is compiled in and tested.
    #[cfg(feature = "development")]
    pub fn demo(dir: &Path) -> Result<Self, ConfigError> {
        Ok(Self::new(dir, Settings::demo()?)
            .with_inbox()
            .on_free_ports())
    }

    /// The same with the SMS inbox of development.
    #[cfg(feature = "development")]
    #[must_use]
    pub fn with_inbox(mut self) -> Self {
        self.dev = true;
        self
    }

    /// A bank as a configuration file says.
    ///
    /// # Errors
    /// [`ConfigError`] when the file can't be read or is wrong.
    pub fn from_file(dir: &Path, file: &Path) -> Result<Self, ConfigError> {
        Ok(Self::new(dir, Settings::read(file)?))
    }

    /// A bank with these settings and the machine's clock.
    pub fn new(dir: &Path, settings: Settings) -> Self {
        Self {
            dir: dir.to_owned(),
            settings: Arc::new(settings),
            patient: false,
            security: None,
            transaction: None,
            metrics: None,
            console: None,
            #[cfg(feature = "development")]
            dev: false,
            #[cfg(feature = "simulator")]
            commits: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// The same on free ports of the loopback interface.
    #[must_use]
    pub fn on_free_ports(mut self) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        self.security = Some(free);
        self.transaction = Some(free);
        self
    }
}

impl Settings {
    /// The demo bank's.
    ///
    /// # Errors
    /// None in practice: it is compiled in and tested.
    #[cfg(feature = "development")]
    pub fn demo() -> Result<Self, ConfigError> {
        Self::parse(DEMO)
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] when it can't be read or is wrong.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|error| ConfigError::Unreadable {
            path: file.display().to_string(),
            cause: error.to_string(),
        })?;
        let mut settings = Self::parse(&text)?;
        // A relative folder in the file is meant from the file, not from wherever the bank was started.
        if let Some(parent) = file.parent() {
            let packages = settings.bank.packages.iter_mut();
            let pin_file = settings.hsm.iter_mut().map(|hsm| &mut hsm.pin_file);
            let sms = &mut settings.sms;
            let smpp = sms.smpp.iter_mut().filter_map(|it| it.authority.as_mut());
            let http = sms.http.iter_mut().filter_map(|it| it.authority.as_mut());
            let core = settings.core.iter_mut();
            let core = core.filter_map(|it| it.authority.as_mut());
            for path in packages.chain(pin_file).chain(smpp).chain(http).chain(core) {
                *path = parent.join(&*path);
            }
            #[cfg(feature = "otel")]
            if let Some(path) = settings.otel.as_mut().and_then(|it| it.authority.as_mut()) {
                *path = parent.join(&*path);
            }
        }
        Ok(settings)
    }

    /// Reads and checks the text of a configuration.
    ///
    /// # Errors
    /// [`ConfigError`] that names the wrong field.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        // The error's own display would print the line, which can hold a key.
        let settings: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().and_then(|span| text.get(..span.start));
            let line = line.map_or(1, |before| before.matches('\n').count().saturating_add(1));
            ConfigError::Syntax(format!(
                "near line {line}: {}",
                without_value(error.message())
            ))
        })?;
        settings.check()?;
        Ok(settings)
    }
}

/// A message about a value of the wrong type or form quotes it, and it may be a key or a password.
fn without_value(message: &str) -> &str {
    let quotes = ["invalid type", "invalid value", "invalid length"];
    match message.rfind("expected ") {
        Some(at) if quotes.iter().any(|start| message.starts_with(start)) => {
            message.get(at..).unwrap_or_default()
        }
        Some(_) | None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field_of(text: &str) -> String {
        match Settings::parse(text).err() {
            Some(ConfigError::Field { field, .. }) => field,
            Some(other) => other.to_string(),
            None => "fine".to_owned(),
        }
    }

    #[test]
    fn the_demo_configuration_is_fine() {
        let demo = Settings::demo().unwrap();
        assert_eq!(demo.customers.len(), 1);
        assert_eq!(demo.industries[0].max_amount, 50_000);
        assert_eq!(demo.keys.working_key_life_s, 86_400);
    }

    #[test]
    fn the_example_of_the_documentation_is_fine() {
        let text = include_str!("../../../docs/testing.md");
        let example = text
            .split("```toml")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        let settings = Settings::parse(example.unwrap()).unwrap();
        assert_eq!(settings.customers[0].cards.len(), 1);
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (from, to, field) in [
            ("load = \"0011", "load = \"11", "industry[0].keys.load"),
            ("load = \"0011", "load = \"zz", "industry[0].keys.load"),
            ("serial[2..10]", "serial", "industry[0].recipe"),
            ("code = \"0001\"", "code = \"1\"", "industry[0].code"),
            (
                "min_amount = 100",
                "min_amount = 0",
                "industry[0].min_amount",
            ),
            (
                "password = \"246810\"",
                "password = \"24681\"",
                "customer[0].password",
            ),
            (
                "phone = \"13800006021\"",
                "phone = \"+86\"",
                "customer[0].phone",
            ),
            (
                "serial = \"00006217000000008826\"",
                "serial = \"8826\"",
                "customer[0].card[1].serial",
            ),
            ("[sms]", "[keys]\nsuite = 4\n[sms]", "keys.suite"),
        ] {
            let text = DEMO.replacen(from, to, 1);
            assert_ne!(text, DEMO, "{from}");
            assert_eq!(field_of(&text), field, "{to}");
        }
    }

    #[test]
    fn an_unknown_field_is_told_with_its_line_and_no_value() {
        let text = DEMO.replace("password = \"246810\"", "passwort = \"246810\"");
        let error = field_of(&text);
        assert!(
            error.contains("passwort") && error.contains("line"),
            "{error}"
        );
        assert!(!error.contains("246810"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_never_quoted() {
        for (from, to) in [
            ("password = \"246810\"", "password = 246810"),
            (
                "load = \"00112233445566778899AABBCCDDEEFF\"",
                "load = 246810",
            ),
            ("phone = \"13800006021\"", "phone = 246810"),
        ] {
            let told = field_of(&DEMO.replacen(from, to, 1));
            assert!(told.contains("expected") && told.contains("line"), "{told}");
            assert!(!told.contains("246810"), "{told}");
        }
    }
}
