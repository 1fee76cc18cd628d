//! The package as JSON, member by member; `docs/industry-packages.md` explains each.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use relay::IndustryCode;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    /// Where an author's editor finds the schema; nothing here reads it.
    #[serde(default, rename = "$schema")]
    pub(crate) _schema: Option<String>,
    pub(crate) format: u8,
    pub(crate) industry: IndustryCode,
    pub(crate) version: u32,
    pub(crate) name: LocalName,
    pub(crate) currency: String,
    pub(crate) aids: Vec<Hex>,
    #[serde(default)]
    pub(crate) valid_from: Option<u32>,
    pub(crate) limits: AmountLimits,
    pub(crate) bounds: Bounds,
    #[serde(default)]
    pub(crate) constants: Map<Hex>,
    /// What a card's list of data objects gets for each tag: a constant or a field.
    #[serde(default)]
    pub(crate) dol: Map<Source>,
    pub(crate) fields: Map<FieldShape>,
    pub(crate) card: CardMap,
    pub(crate) commands: Map<CommandText>,
    pub(crate) phases: Map<Phase>,
}

/// What stands for a tag: a constant or a field, or the first of several that has a value.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    One(String),
    FirstOf(Vec<String>),
}

impl Source {
    pub(crate) fn each(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::FirstOf(names) => names,
        }
    }
}

/// A name in the languages that a package gives.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LocalName {
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    pub zh_cn: String,
    /// Traditional Chinese; readers of it get the simplified name when there is none.
    #[serde(rename = "zh-TW", default, skip_serializing_if = "Option::is_none")]
    pub zh_tw: Option<String>,
    /// English.
    pub en: String,
}

/// What a package allows for amounts, fen. The bank may allow less.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AmountLimits {
    /// The smallest load.
    pub min_amount: u32,
    /// The largest load.
    pub max_amount: u32,
    /// The largest balance of a card.
    pub max_balance: u32,
}

/// What one transaction may cost at most.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bounds {
    pub(crate) commands: u32,
    pub(crate) bytes: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldShape {
    pub(crate) length: Length,
    /// A list: at most so many values of `length` bytes, joined.
    #[serde(default)]
    pub(crate) times: Option<u8>,
    #[serde(default, rename = "type")]
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) parts: Map<Part>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    pub(crate) at: u16,
    pub(crate) length: u16,
    #[serde(default, rename = "type")]
    pub(crate) kind: Kind,
}

/// How bytes are read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    #[default]
    Hex,
    /// Two decimal digits a byte; F at the end is none.
    Bcd,
    /// The same without its first digit.
    BcdTail,
    /// Big-endian, at most 4 bytes.
    Number,
    /// The same, little-endian.
    LittleNumber,
    /// Decimal digits, two in each byte, at most 6 bytes.
    BcdNumber,
    /// BCD YYYYMMDD.
    Date,
    /// BCD YYMMDD, of this century.
    ShortDate,
    /// BCD HHMMSS.
    Time,
    /// One byte: 00 is no.
    Flag,
}

/// A number of bytes: `4`, or `{"min": 4, "max": 10}`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Length {
    Exact(u16),
    Range(LengthRange),
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct LengthRange {
    pub(crate) min: u16,
    pub(crate) max: u16,
}

impl Default for Length {
    fn default() -> Self {
        Self::Exact(0)
    }
}

impl Length {
    pub(crate) fn min(self) -> usize {
        match self {
            Self::Exact(length) => length.into(),
            Self::Range(range) => range.min.into(),
        }
    }

    pub(crate) fn max(self) -> usize {
        match self {
            Self::Exact(length) => length.into(),
            Self::Range(range) => range.max.into(),
        }
    }

    pub(crate) fn exact(self) -> Option<usize> {
        (self.min() == self.max()).then_some(self.max())
    }

    pub(crate) fn fits(self, length: usize) -> bool {
        (self.min()..=self.max()).contains(&length)
    }
}

/// Where the screen finds what it shows of the card; references to fields.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CardMap {
    #[serde(default)]
    pub(crate) number: Option<String>,
    #[serde(default)]
    pub(crate) balance: Option<String>,
    /// Taken off the balance: what the card shows is what was lent with it.
    #[serde(default)]
    pub(crate) overdraft: Option<String>,
    #[serde(default)]
    pub(crate) expiry: Option<String>,
    #[serde(default)]
    pub(crate) active: Option<Active>,
    #[serde(default)]
    pub(crate) log: Option<LogMap>,
}

/// How a card says that it is active.
#[derive(Clone, Debug)]
pub(crate) enum Active {
    /// A field of type `flag`.
    Flag(String),
    Known(ActiveValues),
}

/// Active with one of these values in a field; or, with `except`, without.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActiveValues {
    pub(crate) field: String,
    #[serde(default)]
    pub(crate) values: Vec<Hex>,
    #[serde(default)]
    pub(crate) except: Vec<Hex>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogMap {
    pub(crate) field: String,
    /// Absent: every record is `other`.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// The kind's bytes in hex to what they mean; others are `other`.
    #[serde(default)]
    pub(crate) kinds: Map<crate::LogKind>,
    pub(crate) amount: String,
    #[serde(default)]
    pub(crate) terminal: Option<String>,
    #[serde(default)]
    pub(crate) date: Option<String>,
    #[serde(default)]
    pub(crate) time: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandText {
    pub(crate) send: String,
    pub(crate) show: UiStep,
    #[serde(default)]
    pub(crate) commits: bool,
    #[serde(default)]
    pub(crate) optional: bool,
    #[serde(default)]
    pub(crate) probe: bool,
    #[serde(default)]
    pub(crate) repeat: Option<u32>,
    /// The card's locator, for a repetition that goes through its records.
    #[serde(default)]
    pub(crate) follow: Option<String>,
    #[serde(default)]
    pub(crate) reply: Length,
    #[serde(default)]
    pub(crate) on: Map<Action>,
    #[serde(default)]
    pub(crate) take: Map<Takes>,
    #[serde(default)]
    pub(crate) status_as: Option<String>,
    /// Keeps the data that the command carried.
    #[serde(default)]
    pub(crate) sent_as: Option<String>,
}

/// The four steps that the screen shows.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UiStep {
    /// The card is read.
    Read,
    /// The bank is asked.
    Approve,
    /// The card is changed.
    Write,
    /// The change is made sure.
    Confirm,
}

/// What a status word leads to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Check the reply's length, take the fields, go on.
    Take,
    /// Take nothing, go on.
    Skip,
    /// The repetition is over, go on.
    Done,
    /// The next command of a `try`.
    Else,
    /// Leave out the rest of the phase's steps, send what there is.
    Report,
    /// End the transaction.
    Outcome(String),
}

/// Where a field's bytes are: the first of these that the reply has.
#[derive(Clone, Debug)]
pub(crate) enum Takes {
    One(Take),
    FirstOf(Vec<Take>),
}

impl Takes {
    pub(crate) fn each(&self) -> &[Take] {
        match self {
            Self::One(take) => std::slice::from_ref(take),
            Self::FirstOf(takes) => takes,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Take {
    /// Tags from the outermost one on, `6F/A5/9F38`: the value of that object instead of the whole reply.
    #[serde(default)]
    pub(crate) tag: Option<String>,
    #[serde(default)]
    pub(crate) at: u16,
    /// Absent: to the end.
    #[serde(default)]
    pub(crate) length: Option<u16>,
    #[serde(default)]
    pub(crate) mask: Option<Hex>,
    /// A reply without these bytes is good all the same; what the field had, it keeps.
    #[serde(default)]
    pub(crate) optional: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phase {
    #[serde(default)]
    pub(crate) bank: bool,
    #[serde(default)]
    pub(crate) after: Vec<String>,
    #[serde(default)]
    pub(crate) takes: Vec<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) then: Then,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    Run(String),
    Try(Vec<String>),
    Refuse(Refuse),
    Require(Require),
}

/// Ends the transaction when one of the fields has no value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Require {
    pub(crate) fields: Vec<String>,
    pub(crate) outcome: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refuse {
    pub(crate) when: Condition,
    pub(crate) outcome: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Condition {
    Equal(Comparison),
    Differ(Comparison),
    /// A date before today.
    Past(String),
    /// A date after today.
    Future(String),
    Above(SumAgainst),
    Below(SumAgainst),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comparison {
    pub(crate) field: String,
    pub(crate) value: Hex,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SumAgainst {
    pub(crate) sum: Vec<String>,
    pub(crate) limit: LimitName,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitName {
    MinAmount,
    MaxAmount,
    MaxBalance,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Then {
    Send(Report),
    End(Fields),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    pub(crate) phase: String,
    #[serde(default)]
    pub(crate) fields: Vec<String>,
    #[serde(default)]
    pub(crate) optional: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    #[serde(default)]
    pub(crate) fields: Vec<String>,
    #[serde(default)]
    pub(crate) optional: Vec<String>,
}

/// Bytes as hex digits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text)
            .map(Self)
            .map_err(|_| D::Error::custom("not pairs of hex digits"))
    }
}

/// Named members; the same name twice is an error.
#[derive(Clone, Debug)]
pub(crate) struct Map<T>(pub(crate) BTreeMap<String, T>);

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_map(MapVisitor(PhantomData))
            .map(Self)
    }
}

struct MapVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MapVisitor<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, member)) = map.next_entry::<String, T>()? {
            if members.insert(name.clone(), member).is_some() {
                return Err(A::Error::custom(format_args!("`{name}` stands twice")));
            }
        }
        Ok(members)
    }
}
