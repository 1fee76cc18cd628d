//! The binary's log: a line for each record on standard error, as text or as JSON, without numbers that are secret.

use std::io::Write;

use bank::{Clock, SystemClock, redacted};

/// How a line is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Text,
    Json,
}

impl std::str::FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("text or json".to_owned()),
        }
    }
}

pub(crate) struct StderrLog(pub(crate) Form);

impl log::Log for StderrLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        // Libraries log what is theirs to debug; what matters of it comes back as an error. What carries SMS would log
        // what it carries.
        if metadata.target().starts_with("rusmpp") {
            return false;
        }
        metadata.level() <= log::Level::Warn || metadata.target().starts_with("bank")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let said = redacted(&record.args().to_string());
            let (level, target) = (record.level(), record.target());
            let line = match self.0 {
                Form::Text => format!("{level} {target}: {said}\n"),
                Form::Json => {
                    let at_ms = SystemClock.now_ms();
                    let level = level.as_str().to_ascii_lowercase();
                    let fields = serde_json::json!({
                        "at_ms": at_ms, "level": level, "target": target, "message": said,
                    });
                    format!("{fields}\n")
                }
            };
            // Nobody is left to tell when standard error is closed.
            let _closed = std::io::stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}
