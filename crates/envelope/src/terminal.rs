//! Who sends, with which suite, in which direction.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Refused;

/// A terminal's number: 12 digits, as 6 BCD bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Terminal([u8; 6]);

impl Terminal {
    /// From 6 BCD bytes.
    ///
    /// # Errors
    /// [`Refused`] when a half byte is no digit.
    pub fn from_bcd(bytes: [u8; 6]) -> Result<Self, Refused> {
        let digits = bytes.iter().all(|byte| byte >> 4 <= 9 && byte & 0x0F <= 9);
        if digits {
            Ok(Self(bytes))
        } else {
            Err(Refused)
        }
    }

    /// The 6 BCD bytes.
    pub fn bcd(&self) -> [u8; 6] {
        self.0
    }

    /// The 12 digits, each 0 to 9.
    pub(crate) fn digits(&self) -> impl Iterator<Item = u8> {
        self.0.into_iter().flat_map(|byte| [byte >> 4, byte & 0x0F])
    }
}

/// The 12 digits.
impl fmt::Display for Terminal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

impl FromStr for Terminal {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let mut bytes = [0; 6];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| Refused)?;
        Self::from_bcd(bytes)
    }
}

impl TryFrom<String> for Terminal {
    type Error = Refused;

    fn try_from(text: String) -> Result<Self, Refused> {
        text.parse()
    }
}

impl From<Terminal> for String {
    fn from(terminal: Terminal) -> Self {
        terminal.to_string()
    }
}

/// A cipher with its integrity check. Suites are ordered: a terminal's lowest suite allows all above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Suite {
    /// 0: DES-CBC under the terminal's master key itself, the method's plainest form, with the MAC of suite 1.
    MasterKey,
    /// 1: DES-CBC with an ISO/IEC 9797-1 algorithm 3 MAC.
    Des,
    /// 2: 3-key TDES-CBC with the same MAC.
    Tdes,
    /// 3: AES-256-GCM; the default.
    AesGcm,
}

impl Suite {
    /// All of them, lowest first.
    pub const ALL: [Self; 4] = [Self::MasterKey, Self::Des, Self::Tdes, Self::AesGcm];

    /// The number in headers and labels.
    pub fn number(self) -> u8 {
        match self {
            Self::MasterKey => 0,
            Self::Des => 1,
            Self::Tdes => 2,
            Self::AesGcm => 3,
        }
    }
}

impl TryFrom<u8> for Suite {
    type Error = Refused;

    fn try_from(number: u8) -> Result<Self, Refused> {
        Self::ALL
            .into_iter()
            .find(|suite| suite.number() == number)
            .ok_or(Refused)
    }
}

impl From<Suite> for u8 {
    fn from(suite: Suite) -> Self {
        suite.number()
    }
}

/// Who a sealed message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// 00: from the terminal to the bank.
    ToBank,
    /// 01: from the bank to the terminal.
    ToTerminal,
}

impl Direction {
    /// The number in headers.
    pub fn number(self) -> u8 {
        match self {
            Self::ToBank => 0,
            Self::ToTerminal => 1,
        }
    }

    /// The word in key labels and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::ToBank => "to-bank",
            Self::ToTerminal => "to-terminal",
        }
    }
}

impl TryFrom<u8> for Direction {
    type Error = Refused;

    fn try_from(number: u8) -> Result<Self, Refused> {
        match number {
            0 => Ok(Self::ToBank),
            1 => Ok(Self::ToTerminal),
            _ => Err(Refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_twelve_digits() {
        let terminal: Terminal = "001122334455".parse().unwrap();
        assert_eq!(terminal.bcd(), [0, 0x11, 0x22, 0x33, 0x44, 0x55]);
        assert_eq!(terminal.to_string(), "001122334455");
        assert_eq!(
            serde_json::to_string(&terminal).unwrap(),
            "\"001122334455\""
        );
        for text in [
            "",
            "00112233445",
            "0011223344556",
            "00112233445a",
            "00112233445A",
            "00112233445 ",
        ] {
            assert_eq!(text.parse::<Terminal>(), Err(Refused), "{text:?}");
        }
        assert_eq!(Terminal::from_bcd([0, 0, 0, 0, 0, 0xA0]), Err(Refused));
        assert!(serde_json::from_str::<Terminal>("\"12\"").is_err());
    }

    #[test]
    fn numbers_outside_the_tables_are_refused() {
        for suite in Suite::ALL {
            assert_eq!(Suite::try_from(suite.number()), Ok(suite));
        }
        assert_eq!(Suite::try_from(4), Err(Refused));
        assert_eq!(Direction::try_from(0), Ok(Direction::ToBank));
        assert_eq!(Direction::try_from(1), Ok(Direction::ToTerminal));
        assert_eq!(Direction::try_from(2), Err(Refused));
        assert!(Suite::ALL.is_sorted(), "from the lowest to the highest");
    }
}
