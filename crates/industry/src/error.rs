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

pub(crate) fn rule(at: impl Into<String>, why: impl Into<String>) -> PackageError {
    PackageError::Rule {
        at: at.into(),
        why: why.into(),
    }
}
