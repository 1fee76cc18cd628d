//! `[otel]` of the configuration: where traces go.

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::ConfigError;
use crate::config::rules::bad;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OtelSettings {
    /// Where the collector takes traces as OTLP by HTTP.
    pub(crate) endpoint: String,
    /// PEM of the authorities that its certificate may be of; absent: the machine's own.
    pub(crate) authority: Option<PathBuf>,
    #[serde(default = "service")]
    pub(crate) service: String,
}

fn service() -> String {
    "tapfill-bank".to_owned()
}

impl OtelSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let is_good = reqwest::Url::parse(&self.endpoint).is_ok_and(|url| {
            let is_here = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
            url.password().is_none()
                && (url.scheme() == "https" || url.scheme() == "http" && is_here)
        });
        match is_good {
            true => Ok(()),
            false => Err(bad(
                "otel.endpoint",
                "https://HOST/v1/traces; http:// only on this machine",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Settings;

    #[test]
    fn traces_leave_the_machine_by_https_alone() {
        let is_good = |endpoint: &str| {
            let text = format!("[bank]\nname = \"B\"\n[otel]\nendpoint = \"{endpoint}\"\n");
            Settings::parse(&text).is_ok()
        };
        assert!(is_good("https://traces.example/v1/traces"));
        assert!(is_good("http://127.0.0.1:4318/v1/traces"));
        assert!(is_good("http://[::1]:4318/v1/traces"));
        assert!(!is_good("http://traces.example/v1/traces"));
        assert!(!is_good("https://bank:secret@traces.example/v1/traces"));
        assert!(!is_good("traces.example:4317"));
    }
}
