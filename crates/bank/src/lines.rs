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

impl Form {
    fn line(self, record: &log::Record<'_>) -> String {
        let said = redacted(&record.args().to_string());
        let (level, target) = (record.level(), record.target());
        match self {
            Self::Text => format!("{level} {target}: {said}\n"),
            Self::Json => {
                let at_ms = SystemClock.now_ms();
                let level = level.as_str().to_ascii_lowercase();
                let fields = serde_json::json!({
                    "at_ms": at_ms, "level": level, "target": target, "message": said,
                });
                format!("{fields}\n")
            }
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
            let line = self.0.line(record);
            // Nobody is left to tell when standard error is closed.
            let _closed = std::io::stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_either_form_names_a_phone_a_card_or_a_key() {
        let key = "00112233445566778899AABBCCDDEEFF";
        let said = format_args!("for 13800006021, card 00006217000000004471: load = {key}");
        let record = log::Record::builder()
            .args(said)
            .level(log::Level::Warn)
            .target("bank::sms")
            .build();
        let hidden = "for ...6021, card ...4471: load = [hidden]";
        assert_eq!(
            Form::Text.line(&record),
            format!("WARN bank::sms: {hidden}\n")
        );
        let line = Form::Json.line(&record);
        let fields: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(fields["message"], hidden, "{line}");
        assert!(line.ends_with('\n'), "a line of its own: {line}");
    }
}
