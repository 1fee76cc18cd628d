//! How card keys are made from an issuer's key: configuration of an industry, not code.

use std::str::FromStr;

use purse::cash::Pan;
use zeroize::Zeroizing;

use crate::scheme::CardIdentity;

/// Levels of diversification, each with an 8-byte factor; none means the key serves as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recipe(Vec<Level>);

#[derive(Clone, Debug, PartialEq)]
struct Level(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Bytes(Vec<u8>),
    Slice {
        source: Source,
        from: usize,
        to: Option<usize>,
    },
}

#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// The card's number.
    Serial,
    /// A field of the package, or a part of one.
    Field(String),
    /// The rightmost 16 digits of a PAN and its sequence number (EMV option A).
    PanAndSequence,
}

const ISSUER: &str = "file15.issuer";
const UID: &str = "uid";
const SEQUENCE: &str = "psn";

/// Why a card has no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the card lacks what the recipe asks for")]
pub(crate) struct FactorMissing;

impl Recipe {
    pub(crate) fn parse(levels: &[String]) -> Result<Self, String> {
        levels
            .iter()
            .map(|level| level.parse())
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields that it takes bytes from.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        let parts = self.0.iter().flat_map(|Level(parts)| parts);
        parts.filter_map(|part| match part {
            Part::Slice { source, .. } => source.field(),
            Part::Bytes(_) => None,
        })
    }

    /// A card's factors, level by level.
    pub(crate) fn factors(&self, card: &CardIdentity) -> Result<Vec<[u8; 8]>, FactorMissing> {
        self.0.iter().map(|level| level.factor(card)).collect()
    }
}

impl Level {
    fn factor(&self, card: &CardIdentity) -> Result<[u8; 8], FactorMissing> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(8));
        for part in &self.0 {
            match part {
                Part::Bytes(literal) => bytes.extend_from_slice(literal),
                Part::Slice { source, from, to } => {
                    let whole = source.of(card).ok_or(FactorMissing)?;
                    let to = to.unwrap_or(whole.len());
                    bytes.extend_from_slice(whole.get(*from..to).ok_or(FactorMissing)?);
                }
            }
        }
        bytes.as_slice().try_into().map_err(|_| FactorMissing)
    }

    /// The factor's length, unless it takes all of a UID.
    fn fixed_length(&self) -> Option<usize> {
        self.0.iter().try_fold(0, |sum: usize, part| {
            let length = match part {
                Part::Bytes(literal) => literal.len(),
                Part::Slice { source, from, to } => {
                    to.or(source.fixed_length())?.checked_sub(*from)?
                }
            };
            sum.checked_add(length)
        })
    }
}

impl Source {
    fn of(&self, card: &CardIdentity) -> Option<Vec<u8>> {
        match self {
            Self::Serial => Some(card.serial.clone()),
            // a card without a UID has one of no bytes
            Self::Field(name) if name == UID => Some(card.field(name).unwrap_or_default()),
            Self::Field(name) => card.field(name),
            Self::PanAndSequence => {
                let [sequence] = card.field(SEQUENCE)?.try_into().ok()?;
                let pan = Pan::from_bcd(&card.serial).ok()?;
                Some(pan.factor(sequence).to_vec())
            }
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::Serial => None,
            Self::Field(name) => Some(name),
            Self::PanAndSequence => Some(SEQUENCE),
        }
    }

    fn fixed_length(&self) -> Option<usize> {
        match self {
            Self::Serial => Some(10),
            Self::Field(name) if name == ISSUER => Some(8),
            Self::Field(_) => None,
            Self::PanAndSequence => Some(8),
        }
    }
}

/// `serial[2..10]`, `uid[0..4] + 80000000`, `issuer`, `file15.city`, `pan-psn`, hex digits: parts joined by `+`.
impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split('+')
            .map(|part| part.trim().parse())
            .collect::<Result<_, _>>()?;
        let level = Self(parts);
        match level.fixed_length() {
            Some(8) | None => Ok(level),
            Some(length) => Err(format!("`{text}` gives {length} bytes, a factor has 8")),
        }
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, range) = match text.split_once('[') {
            Some((name, rest)) => (name, Some(rest)),
            None => (text, None),
        };
        let source = match name {
            "serial" => Source::Serial,
            "issuer" => Source::Field(ISSUER.to_owned()),
            "uid" => Source::Field(UID.to_owned()),
            "pan-psn" => Source::PanAndSequence,
            _ if is_part(name) => Source::Field(name.to_owned()),
            _ => {
                let bytes = hex::decode(text).ok().filter(|bytes| !bytes.is_empty());
                return bytes.map(Self::Bytes).ok_or_else(|| unknown_part(text));
            }
        };
        let Some(range) = range else {
            return Ok(Self::Slice {
                source,
                from: 0,
                to: None,
            });
        };
        let bounds = range
            .strip_suffix(']')
            .and_then(|range| range.split_once(".."));
        let (from, to) = bounds.ok_or_else(|| unknown_part(text))?;
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let (Some(from), Some(to)) = (number(from), number(to)) else {
            return Err(unknown_part(text));
        };
        let within = source.fixed_length().is_none_or(|length| to <= length);
        if from >= to || !within {
            return Err(unknown_part(text));
        }
        Ok(Self::Slice {
            source,
            from,
            to: Some(to),
        })
    }
}

/// `field.part` by the names that a package can have.
fn is_part(name: &str) -> bool {
    let is_name = |text: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        (1..=32).contains(&text.len()) && text.bytes().all(fits)
    };
    name.split_once('.')
        .is_some_and(|(field, part)| is_name(field) && is_name(part))
}

fn unknown_part(text: &str) -> String {
    format!(
        "`{text}` is none of serial[a..b], issuer[a..b], uid[a..b], field.part[a..b], pan-psn and hex digits"
    )
}

#[cfg(test)]
mod tests {
    use purse::MasterKey;

    use super::*;

    fn card() -> CardIdentity {
        let serial = [0, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
        CardIdentity::of(
            &serial,
            &[("uid", &[1, 2, 3, 4]), ("file15.city", &[0x20, 0x00])],
        )
    }

    fn recipe(levels: &[&str]) -> Result<Recipe, String> {
        Recipe::parse(
            &levels
                .iter()
                .map(|level| (*level).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn one_level_over_the_serial_gives_vector_e() {
        let issuer = hex::decode("00112233445566778899AABBCCDDEEFF").unwrap();
        let factors = recipe(&["serial[2..10]"])
            .unwrap()
            .factors(&card())
            .unwrap();
        let key = MasterKey::from_bytes(&issuer).unwrap().level(factors[0]);
        let key = key.into_card_key();
        assert_eq!(
            hex::encode(key.expose()),
            "496bd7a3513644533100b54e71196528"
        );
    }

    #[test]
    fn parts_join_to_a_factor() {
        let level: Level = "uid[0..4] + 80000000".parse().unwrap();
        assert_eq!(level.factor(&card()), Ok([1, 2, 3, 4, 0x80, 0, 0, 0]));
        let whole: Level = "uid+80000000".parse().unwrap();
        assert_eq!(whole.factor(&card()), Ok([1, 2, 3, 4, 0x80, 0, 0, 0]));
    }

    #[test]
    fn what_is_not_8_bytes_or_unknown_is_refused_with_its_text() {
        for text in [
            "serial",
            "serial[0..9]",
            "card[0..8]",
            "serial[4..2]",
            "serial[5..13]",
            "",
            "file15.",
            "File15.city",
            "file15.city.more",
            "\0.city",
        ] {
            assert!(recipe(&[text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_card_without_uid_has_no_key_by_uid() {
        let level: Level = "uid[0..8]".parse().unwrap();
        assert_eq!(level.factor(&card()), Err(FactorMissing));
    }

    #[test]
    fn an_empty_part_is_a_slip_and_is_told() {
        for level in ["serial[2..10] +", "+ serial[2..10]", "uid + + 80000000"] {
            assert!(recipe(&[level]).is_err(), "{level}");
        }
    }

    #[test]
    fn a_part_of_a_file_is_named_as_the_package_does() {
        let level: Level = "file15.city[0..2] + 000000000000".parse().unwrap();
        assert_eq!(level.factor(&card()), Ok([0x20, 0, 0, 0, 0, 0, 0, 0]));
        let missing: Level = "file15.town[0..8]".parse().unwrap();
        assert_eq!(missing.factor(&card()), Err(FactorMissing));
        let both = recipe(&["file15.city[0..2] + 000000000000", "serial[2..10]"]).unwrap();
        assert_eq!(both.fields().collect::<Vec<_>>(), ["file15.city"]);
    }

    #[test]
    fn electronic_cash_makes_keys_by_pan_and_sequence() {
        let pan = hex::decode("6217000000000004471F").unwrap();
        let card = CardIdentity::of(&pan, &[("psn", &[0x01])]);
        let level: Level = "pan-psn".parse().unwrap();
        let factor = level.factor(&card).unwrap();
        assert_eq!(hex::encode(factor), "0000000000447101");
    }
}
