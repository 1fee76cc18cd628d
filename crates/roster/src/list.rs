//! A list as people write it: `name,card,amount`.

use std::fmt;

use zeroize::Zeroizing;

use crate::csv::{self, BadQuote, Record};

/// The most cards of one list: that of the bank.
pub const MOST_ROWS: usize = 500;
/// The most that a file may have, bytes.
pub const MOST_BYTES: usize = 1_000_000;
/// So many flaws are told of a list, each with its place; what is more is counted.
pub const MOST_FLAWS: usize = 50;
/// The most letters of a name.
const MOST_LETTERS: usize = 64;
/// Digits that a card's number may have.
const DIGITS: std::ops::RangeInclusive<usize> = 6..=24;
/// The most digits before the point of an amount: more than any card takes.
const MOST_YUAN_DIGITS: usize = 6;

/// A list without a flaw.
#[derive(Clone, Debug)]
pub struct List {
    /// At least one.
    pub rows: Vec<Row>,
}

/// One card's part.
#[derive(Clone)]
pub struct Row {
    /// Its row in the file, from 1.
    pub row: u32,
    /// Whose card it is.
    pub name: String,
    /// The full number, digits alone.
    pub card: Zeroizing<String>,
    /// Fen, more than 0.
    pub amount: u32,
}

impl Row {
    /// The number without the zeros before it, which the bank lets people leave out.
    fn significant(&self) -> &str {
        self.card.trim_start_matches('0')
    }
}

/// Shows no number.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({})", self.row)
    }
}

/// A column of the list.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Column {
    /// `name`, 姓名.
    Name,
    /// `card`, 卡号, 卡號.
    Card,
    /// `amount`, 金额, 金額.
    Amount,
}

/// What is wrong with a list, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flaw {
    /// In the file, from 1; 0: the file as a whole.
    pub row: u32,
    /// None: the row as a whole.
    pub column: Option<Column>,
    /// What it is.
    pub kind: FlawKind,
    /// What belongs to it: a limit in fen, the other row, how many are allowed.
    pub detail: Option<u64>,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FlawKind {
    /// Not text in UTF-8.
    Encoding,
    /// Over [`MOST_BYTES`].
    TooLarge,
    /// No card at all.
    Empty,
    /// More cards than the detail says.
    RowsMany,
    /// No column has this heading.
    HeadingMissing,
    /// Two columns have this heading.
    HeadingTwice,
    /// A quote that nothing closes, or text behind one that is closed.
    Quote,
    /// More fields than headings: mostly a comma inside of a name.
    FieldsMany,
    /// No name.
    NameMissing,
    /// More letters than the detail says.
    NameLong,
    /// No number.
    CardMissing,
    /// Something else than digits, or too few or too many of them.
    CardDigits,
    /// A spreadsheet has rounded the number: `6.2E+15`.
    CardRounded,
    /// The number stands in the row of the detail too.
    CardTwice,
    /// No amount.
    AmountMissing,
    /// Not yuan with at most two decimals.
    AmountBad,
    /// Less than the detail.
    AmountLow,
    /// More than the detail.
    AmountHigh,
    /// The bank knows no such card.
    CardUnknown,
    /// The bank has blocked this card.
    CardBlocked,
}

/// What is wrong with a list; at least one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Flaws {
    /// The first [`MOST_FLAWS`], in the order of the file.
    pub told: Vec<Flaw>,
    /// All of them.
    pub count: usize,
}

impl Flaws {
    /// Notes one more.
    pub fn push(&mut self, row: u32, column: Option<Column>, kind: FlawKind, detail: Option<u64>) {
        self.count = self.count.saturating_add(1);
        if self.told.len() < MOST_FLAWS {
            let flaw = Flaw {
                row,
                column,
                kind,
                detail,
            };
            self.told.push(flaw);
        }
    }

    /// None: nothing is wrong.
    #[must_use]
    pub fn any(self) -> Option<Self> {
        (self.count > 0).then_some(self)
    }

    fn one(row: u32, column: Option<Column>, kind: FlawKind) -> Self {
        let mut flaws = Self::default();
        flaws.push(row, column, kind, None);
        flaws
    }
}

/// What one load may be, fen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

impl List {
    /// Reads a file: headings in the first row, the columns in any order, others beside them are passed over.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Flaws> {
        let records = records(bytes)?;
        let mut filled = records.iter().filter(|record| !record.is_blank());
        let heads = filled
            .next()
            .ok_or_else(|| Flaws::one(0, None, FlawKind::Empty))?;
        let headings = Headings::read(heads)?;
        let mut flaws = Flaws::default();
        let mut rows: Vec<Row> = Vec::new();
        for record in filled {
            let Some(row) = headings.row(record, &mut flaws) else {
                continue;
            };
            // Of a list that is too long already nothing more is compared.
            let mut before = rows.iter().take(MOST_ROWS);
            let twice = before.find(|known| known.significant() == row.significant());
            if let Some(first) = twice {
                let detail = Some(u64::from(first.row));
                flaws.push(row.row, Some(Column::Card), FlawKind::CardTwice, detail);
            }
            rows.push(row);
        }
        if rows.len() > MOST_ROWS {
            let most = u64::try_from(MOST_ROWS).ok();
            flaws.push(0, None, FlawKind::RowsMany, most);
        }
        if rows.is_empty() && flaws.count == 0 {
            flaws.push(0, None, FlawKind::Empty, None);
        }
        flaws.any().map_or(Ok(Self { rows }), Err)
    }

    /// Fen, all cards together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let amounts = self.rows.iter().map(|row| u64::from(row.amount));
        amounts.fold(0, u64::saturating_add)
    }

    /// What the bank would not load. None: nothing.
    #[must_use]
    pub fn beyond(&self, limits: Limits) -> Option<Flaws> {
        let mut flaws = Flaws::default();
        for row in &self.rows {
            let amount = Some(Column::Amount);
            if row.amount < limits.min {
                let limit = Some(limits.min.into());
                flaws.push(row.row, amount, FlawKind::AmountLow, limit);
            } else if row.amount > limits.max {
                let limit = Some(limits.max.into());
                flaws.push(row.row, amount, FlawKind::AmountHigh, limit);
            }
        }
        flaws.any()
    }
}

fn records(bytes: &[u8]) -> Result<Vec<Record>, Flaws> {
    if bytes.len() > MOST_BYTES {
        return Err(Flaws::one(0, None, FlawKind::TooLarge));
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(text).map_err(|error| {
        let good = text.get(..error.valid_up_to()).unwrap_or_default();
        let lines = good.iter().filter(|byte| **byte == b'\n').count();
        let row = u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1);
        Flaws::one(row, None, FlawKind::Encoding)
    })?;
    if text.contains('\0') {
        // UTF-16 that happens to be UTF-8 as well.
        return Err(Flaws::one(0, None, FlawKind::Encoding));
    }
    let records = csv::records(text, csv::separator(text));
    records.map_err(|BadQuote(row)| Flaws::one(row, None, FlawKind::Quote))
}

/// Where each column stands.
struct Headings {
    name: usize,
    card: usize,
    amount: usize,
    all: usize,
}

impl Headings {
    fn read(record: &Record) -> Result<Self, Flaws> {
        let mut flaws = Flaws::default();
        let mut place = |column: Column, words: &[&str]| {
            let is_it = |field: &str| words.contains(&field.trim().to_lowercase().as_str());
            let mut places = (record.fields.iter().enumerate())
                .filter(|(_, field)| is_it(field))
                .map(|(place, _)| place);
            let first = places.next();
            let kind = match (first, places.next()) {
                (Some(_), None) => return first,
                (Some(_), Some(_)) => FlawKind::HeadingTwice,
                (None, _) => FlawKind::HeadingMissing,
            };
            flaws.push(record.row, Some(column), kind, None);
            None
        };
        let name = place(Column::Name, &["name", "姓名"]);
        let card = place(Column::Card, &["card", "卡号", "卡號"]);
        let amount = place(Column::Amount, &["amount", "金额", "金額"]);
        let (Some(name), Some(card), Some(amount)) = (name, card, amount) else {
            return Err(flaws);
        };
        Ok(Self {
            name,
            card,
            amount,
            all: record.fields.len(),
        })
    }

    /// The row, or what is wrong with it.
    fn row(&self, record: &Record, flaws: &mut Flaws) -> Option<Row> {
        if record.fields.len() > self.all {
            // What stands where is unknown then: nothing else is said of this row.
            flaws.push(record.row, None, FlawKind::FieldsMany, None);
            return None;
        }
        let field = |place: usize| record.fields.get(place).map_or("", |it| it.trim());
        let row = record.row;
        let name = good(flaws, row, Column::Name, name(field(self.name)));
        let card = good(flaws, row, Column::Card, card(field(self.card)));
        let amount = good(flaws, row, Column::Amount, amount(field(self.amount)));
        Some(Row {
            row,
            name: name?,
            card: card?,
            amount: amount?,
        })
    }
}

/// What a field holds; its flaw is noted.
fn good<T>(
    flaws: &mut Flaws,
    row: u32,
    column: Column,
    read: Result<T, (FlawKind, Option<u64>)>,
) -> Option<T> {
    let noted = |(kind, detail)| flaws.push(row, Some(column), kind, detail);
    read.map_err(noted).ok()
}

fn name(text: &str) -> Result<String, (FlawKind, Option<u64>)> {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let name: String = text.chars().map(plain).collect();
    let name = name.trim();
    if name.is_empty() {
        return Err((FlawKind::NameMissing, None));
    }
    if name.chars().count() > MOST_LETTERS {
        return Err((FlawKind::NameLong, u64::try_from(MOST_LETTERS).ok()));
    }
    Ok(name.to_owned())
}

/// Digits alone: people write blanks and dashes between them, spreadsheets a `'` before.
fn card(text: &str) -> Result<Zeroizing<String>, (FlawKind, Option<u64>)> {
    let bad = |kind| Err((kind, None));
    let text = text.strip_prefix('\'').unwrap_or(text);
    if text.is_empty() {
        return bad(FlawKind::CardMissing);
    }
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    for letter in text.chars().map(half_width) {
        match letter {
            '0'..='9' => digits.push(letter),
            ' ' | '-' | '\u{a0}' => {}
            'e' | 'E' | '+' | '.' if !digits.is_empty() => return bad(FlawKind::CardRounded),
            _ => return bad(FlawKind::CardDigits),
        }
    }
    if DIGITS.contains(&digits.len()) {
        Ok(digits)
    } else {
        bad(FlawKind::CardDigits)
    }
}

/// Yuan with at most two decimals, as fen; more than 0.
fn amount(text: &str) -> Result<u32, (FlawKind, Option<u64>)> {
    if text.is_empty() {
        return Err((FlawKind::AmountMissing, None));
    }
    let text: String = text.chars().map(half_width).collect();
    let text = text.strip_prefix(['¥', '￥']).unwrap_or(&text).trim_start();
    fen(text)
        .filter(|fen| *fen > 0)
        .ok_or((FlawKind::AmountBad, None))
}

fn fen(text: &str) -> Option<u32> {
    let (yuan, cents) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let good = (1..=MOST_YUAN_DIGITS).contains(&yuan.len())
        && (1..=2).contains(&cents.len())
        && all_digits(yuan)
        && all_digits(cents);
    if !good {
        return None;
    }
    let unit = if cents.len() == 1 { 10 } else { 1 };
    let cents = cents.parse::<u32>().ok()?.checked_mul(unit)?;
    yuan.parse::<u32>()
        .ok()?
        .checked_mul(100)?
        .checked_add(cents)
}

/// Chinese keyboards give digits and points of full width.
fn half_width(letter: char) -> char {
    match letter {
        '０'..='９' | '．' => u32::from(letter)
            .checked_sub(0xFEE0)
            .and_then(char::from_u32)
            .unwrap_or(letter),
        _ => letter,
    }
}

#[cfg(test)]
mod tests;
