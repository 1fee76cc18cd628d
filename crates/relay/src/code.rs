use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::MessageError;

/// Four ASCII digits or capital letters that name an industry, e.g. `0001`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct IndustryCode([u8; 4]);

impl IndustryCode {
    /// Takes the four bytes as they travel.
    ///
    /// # Errors
    /// A byte that is neither a digit nor a capital letter.
    pub fn new(bytes: [u8; 4]) -> Result<Self, MessageError> {
        let fits = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
        if bytes.iter().all(fits) {
            Ok(Self(bytes))
        } else {
            Err(MessageError::Industry)
        }
    }

    /// The four bytes as they travel.
    pub fn bytes(self) -> [u8; 4] {
        self.0
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("????")
    }
}

impl FromStr for IndustryCode {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        Self::new(
            text.as_bytes()
                .try_into()
                .map_err(|_| MessageError::Industry)?,
        )
    }
}

impl TryFrom<String> for IndustryCode {
    type Error = MessageError;

    fn try_from(text: String) -> Result<Self, MessageError> {
        text.parse()
    }
}

impl From<IndustryCode> for String {
    fn from(code: IndustryCode) -> Self {
        code.as_str().to_owned()
    }
}

impl fmt::Display for IndustryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for IndustryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_the_same_wherever_it_is_shown() {
        let code: IndustryCode = "00A1".parse().unwrap();
        assert_eq!(
            format!("{code} {code:?} {}", code.as_str()),
            "00A1 00A1 00A1"
        );
        assert_eq!(code.bytes(), *b"00A1");
    }
}
