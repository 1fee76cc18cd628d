use relay::IndustryCode;
use thiserror::Error;

/// Why a package is refused.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum PackageError {
    /// Over [`crate::MAX_PACKAGE`] bytes.
    #[error("package of {bytes} bytes is over the limit")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Objects and lists in each other, more than the format has.
    #[error("line {line}, column {column}: nested too deep")]
    TooDeep {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Not JSON of the package format: syntax, unknown or missing member, wrong type.
    #[error("line {line}, column {column}: {text}")]
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong, in English, for the package's author.
        text: String,
    },
    /// JSON of the right form that breaks a rule of the format.
    #[error("{at}: {why}")]
    Rule {
        /// The member, e.g. `commands.select.send`.
        at: String,
        /// What is wrong, in English, for the package's author.
        why: String,
        /// What kind of rule.
        flaw: Flaw,
    },
    /// Older than, or another content under the version of, the one that is there.
    #[error("package {industry} version {version} does not follow version {present}")]
    Older {
        /// The package's industry.
        industry: IndustryCode,
        /// The refused version.
        version: u32,
        /// The version that is there.
        present: u32,
    },
    /// Its time has not come.
    #[error("package is valid from {valid_from} only")]
    NotYetValid {
        /// YYYYMMDD.
        valid_from: u32,
    },
}

/// What kind of rule a package breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flaw {
    /// Any other.
    Form,
    /// A command that the package does not list, or that no package may list.
    Command,
    /// More commands, repetitions or bytes than a transaction may cost.
    Endless,
}

impl PackageError {
    /// The public code: what a person is told.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "package-oversized",
            Self::TooDeep { .. } => "package-bomb",
            Self::Json { text, .. } => json_code(text),
            Self::Rule { flaw, .. } => match flaw {
                Flaw::Form => "package-bad",
                Flaw::Command => "package-command",
                Flaw::Endless => "package-endless",
            },
            Self::Older { .. } => "package-older",
            Self::NotYetValid { .. } => "package-early",
        }
    }
}

/// The reader of JSON has one kind of error, and says the rest in words.
fn json_code(text: &str) -> &'static str {
    let starts = |list: &[&str]| list.iter().any(|start| text.starts_with(start));
    if starts(&["unknown field", "unknown variant"]) {
        "package-field"
    } else if starts(&["number out of range", "invalid value: integer"]) || is_beyond_integers(text)
    {
        "package-bomb"
    } else {
        "package-bad"
    }
}

/// A number of more digits than any integer has is read as a floating point number, which no member is.
fn is_beyond_integers(text: &str) -> bool {
    let number = text.strip_prefix("invalid type: floating point `");
    let number = number.and_then(|rest| rest.split_once('`')?.0.parse().ok());
    number.is_some_and(|number: f64| number.abs() > f64::from(u32::MAX))
}

pub(crate) fn rule(at: impl Into<String>, why: impl Into<String>) -> PackageError {
    broken(Flaw::Form, at, why)
}

pub(crate) fn broken(flaw: Flaw, at: impl Into<String>, why: impl Into<String>) -> PackageError {
    PackageError::Rule {
        at: at.into(),
        why: why.into(),
        flaw,
    }
}
