use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::format::{Active, Document, FieldShape, Hex, Kind, LogMap};
use crate::value;

/// What the screen may show of a card; each only as far as the package and the card give it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// The card's number.
    pub number: Option<CardNumber>,
    /// Fen.
    pub balance: Option<u32>,
    /// `YYYY-MM-DD`; none when the card's bytes are no date.
    pub expiry: Option<String>,
    /// False: needs activation.
    pub active: Option<bool>,
    /// Newest first.
    pub log: Vec<LogEntry>,
}

impl Facts {
    /// The last four digits of the card's number.
    pub fn tail(&self) -> Option<&str> {
        self.number.as_ref().map(CardNumber::tail)
    }

    /// [`CardNumber::mark`] of the card's number.
    pub fn mark(&self) -> Option<u16> {
        self.number.as_ref().map(CardNumber::mark)
    }
}

/// The digits of a card's number, for telling two cards apart. Shows its tail only.
#[derive(Clone, Eq, PartialEq)]
pub struct CardNumber(String);

impl CardNumber {
    /// The number that these digits are, e.g. of a list.
    #[must_use]
    pub const fn new(digits: String) -> Self {
        Self(digits)
    }

    /// The last four digits, or fewer when there are fewer.
    pub fn tail(&self) -> &str {
        let start = self.0.len().saturating_sub(4);
        self.0.get(start..).unwrap_or_default()
    }

    /// 16 bits that tell cards with the same last digits apart. Too few to find the number by trying all.
    pub fn mark(&self) -> u16 {
        let digest = Sha256::digest([b"tapfill/1/card-mark", self.0.as_bytes()].concat());
        let [high, low, ..] = digest.0;
        u16::from_be_bytes([high, low])
    }
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardNumber(..{})", self.tail())
    }
}

/// One record of the card's own log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogEntry {
    /// What it was.
    pub kind: LogKind,
    /// Fen.
    pub amount: u32,
    /// `YYYY-MM-DD` at the terminal; none when the card's bytes are no date.
    pub date: Option<String>,
    /// `HH:MM:SS` at the terminal; none when the card's bytes are no time.
    pub time: Option<String>,
    /// The terminal's number: digits, two for each byte (letters A-F where the card has no BCD).
    pub terminal: String,
}

/// What a record of the log was.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogKind {
    /// Money came onto the card.
    Load,
    /// Money went off the card.
    Purchase,
    /// Anything else.
    Other,
}

impl Facts {
    /// Reads what the package's `card` names out of field values.
    pub(crate) fn of<'v>(
        document: &Document,
        field: impl Fn(&str) -> Option<&'v [u8]> + Copy,
    ) -> Self {
        let find = |reference: &str| -> Option<(Kind, &'v [u8])> {
            let kind = value::slot(&document.fields, reference)?.kind;
            let (name, part) = value::split(reference);
            let bytes = match part {
                None => field(name)?,
                Some(part) => value::part_of(document.fields.0.get(name)?, field(name)?, part)?,
            };
            Some((kind, bytes))
        };
        let of = |reference: &Option<String>| reference.as_deref().and_then(find);
        let number = |reference| of(reference).and_then(|(kind, it)| value::number(kind, it));
        let card = &document.card;
        let text = of(&card.number).and_then(|(kind, it)| value::number_text(kind, it));
        // a card in debt shows nothing left, as it can't pay
        let lent = number(&card.overdraft).unwrap_or_default();
        Self {
            number: text.map(CardNumber),
            balance: number(&card.balance).map(|balance| balance.saturating_sub(lent)),
            expiry: of(&card.expiry).and_then(|(kind, it)| value::date_text(kind, it)),
            active: card
                .active
                .as_ref()
                .and_then(|active| is_active(active, find)),
            log: card
                .log
                .as_ref()
                .map(|log| entries(log, document, field))
                .unwrap_or_default(),
        }
    }
}

fn is_active<'v>(active: &Active, find: impl Fn(&str) -> Option<(Kind, &'v [u8])>) -> Option<bool> {
    match active {
        Active::Flag(flag) => find(flag).map(|(_, bytes)| bytes.iter().any(|&byte| byte != 0)),
        Active::Known(known) => {
            let (_, bytes) = find(&known.field)?;
            let among = |list: &[Hex]| list.iter().any(|it| it.0 == bytes);
            Some(among(&known.values) || (!known.except.is_empty() && !among(&known.except)))
        }
    }
}

fn entries<'v>(
    log: &LogMap,
    document: &Document,
    field: impl Fn(&str) -> Option<&'v [u8]>,
) -> Vec<LogEntry> {
    let (Some(shape), Some(bytes)) = (document.fields.0.get(&log.field), field(&log.field)) else {
        return Vec::new();
    };
    let records = bytes.chunks(shape.length.max().max(1));
    records
        .filter(|record| !is_unused(record))
        .filter_map(|it| entry(log, shape, it))
        .collect()
}

fn entry(log: &LogMap, shape: &FieldShape, record: &[u8]) -> Option<LogEntry> {
    let part = |name: &str| {
        let kind = shape.parts.0.get(name)?.kind;
        Some((kind, value::part_of(shape, record, name)?))
    };
    let of = |name: &Option<String>| name.as_deref().and_then(part);
    let kind = of(&log.kind).and_then(|(_, it)| log.kinds.0.get(&value::digits(it)));
    let (kind_of_amount, amount) = part(&log.amount)?;
    Some(LogEntry {
        kind: kind.copied().unwrap_or(LogKind::Other),
        amount: value::number(kind_of_amount, amount)?,
        date: of(&log.date).and_then(|(kind, it)| value::date_text(kind, it)),
        time: of(&log.time).and_then(|(_, it)| value::time_text(it)),
        terminal: of(&log.terminal).map_or_else(String::new, |(_, it)| value::digits(it)),
    })
}

/// Cards fill places of the log that were never written with 00 or FF.
fn is_unused(record: &[u8]) -> bool {
    record.iter().all(|&byte| byte == 0x00) || record.iter().all(|&byte| byte == 0xFF)
}
