//! Command templates: hex digits with `{constant}`, `{field}`, `{field.part}`, `{list:field}`, `{index}`, `{record}`,
//! `{file}`, and `[...]` for what is preceded by its length.

use crate::error::{Flaw, broken};
use crate::format::Document;
use crate::value::{self, Values};
use crate::{PackageError, dol};

/// The longest short command: header, length, 255 bytes, expected length.
const LONGEST: usize = 261;

/// The longest data of a short command.
const LONGEST_DATA: usize = 255;

/// The longest value whose BER length has one byte.
const LONGEST_INNER: usize = 127;

const GET_PROCESSING_OPTIONS: u8 = 0xA8;
const GENERATE_AC: u8 = 0xAE;

/// What a GENERATE AC asks the card for (P1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cryptogram {
    /// AAC.
    Refusal,
    /// TC: as the first of a transaction, a purchase.
    Approval,
    /// ARQC: the issuer is asked.
    Question,
}

/// A command's data, a template in it, a value in that.
const MAX_DEPTH: usize = 3;

/// A command template whose shape is known: its header to the byte, its data by length.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Bytes(Vec<u8>),
    Field {
        reference: String,
        min: usize,
        max: usize,
    },
    /// What the list of data objects in this field asks for.
    List(String),
    /// The running number of a repetition, from 1.
    Index,
    /// Of a record that the card's locator names.
    Record,
    /// P2 of the same.
    File,
    /// A length byte, then these.
    Group(Vec<Self>),
}

/// Where a repetition stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) index: u8,
    pub(crate) record: u8,
    pub(crate) file: u8,
}

/// Why there is no command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unfilled {
    /// A field has no value, or one of a length that it can't have: the package is to blame.
    Missing,
    /// The card asks for more than a short command can carry, or with a list that is none.
    List,
}

/// Why a template gives no command that a package may list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    flaw: Flaw,
    why: String,
}

impl Refused {
    pub(crate) fn at(self, at: String) -> PackageError {
        broken(self.flaw, at, self.why)
    }
}

impl From<String> for Refused {
    fn from(why: String) -> Self {
        let flaw = Flaw::Form;
        Self { flaw, why }
    }
}

impl Template {
    /// Reads a template and proves that it gives a well-formed short command.
    pub(crate) fn parse(text: &str, document: &Document) -> Result<Self, Refused> {
        let (pieces, rest) = pieces(text, document, 0)?;
        if !rest.is_empty() {
            return Err("`]` without `[`".to_owned().into());
        }
        let template = Self { pieces };
        template.check()?;
        Ok(template)
    }

    /// The fields that the command needs.
    pub(crate) fn references(&self) -> Vec<&str> {
        let mut found = Vec::new();
        collect(&self.pieces, &mut found);
        found
    }

    pub(crate) fn has_index(&self) -> bool {
        self.pieces.contains(&Piece::Index)
    }

    /// `{record}` and `{file}`: the command follows a locator.
    pub(crate) fn follows(&self) -> bool {
        self.pieces.contains(&Piece::Record) && self.pieces.contains(&Piece::File)
    }

    /// One of the two alone says too little.
    pub(crate) fn follows_half(&self) -> bool {
        self.pieces.contains(&Piece::Record) != self.pieces.contains(&Piece::File)
    }

    /// Class, instruction and, where they are fixed, P1 and P2.
    pub(crate) fn head(&self) -> [Option<u8>; 4] {
        let mut outline = outline(&self.pieces).into_iter();
        std::array::from_fn(|_| match outline.next() {
            Some(Outline::Fixed(byte)) => Some(byte),
            _ => None,
        })
    }

    /// Whether its data is `83` and what the card's list of options asks for, or nothing.
    fn answers_list(&self) -> bool {
        let listed = |inside: &[Piece]| match inside {
            [Piece::Bytes(tag), Piece::Group(list)] => {
                tag == &[0x83] && matches!(list.as_slice(), [Piece::List(_)])
            }
            _ => false,
        };
        let le = |rest: &[Piece]| match rest {
            [] => true,
            [Piece::Bytes(le)] => le.len() == 1,
            _ => false,
        };
        match self.pieces.as_slice() {
            [Piece::Bytes(head), Piece::Group(inside), rest @ ..] => {
                head.len() == 4 && listed(inside) && le(rest)
            }
            [Piece::Bytes(all)] => matches!(all.as_slice(), [_, _, _, _, 2, 0x83, 0, ..]),
            _ => false,
        }
    }

    /// GENERATE AC, and what it asks for.
    pub(crate) fn cryptogram(&self) -> Option<Cryptogram> {
        match self.head() {
            [Some(0x80..=0x8F), Some(GENERATE_AC), Some(kind), _] => Some(match kind >> 6 {
                0 => Cryptogram::Refusal,
                1 => Cryptogram::Approval,
                _ => Cryptogram::Question,
            }),
            _ => None,
        }
    }

    /// The card begins anew: another application, or another transaction of the same.
    pub(crate) fn begins(&self) -> bool {
        matches!(
            self.head(),
            [Some(0x80..=0x8F), Some(GET_PROCESSING_OPTIONS), ..] | [_, Some(0xA4), ..]
        )
    }

    /// The command.
    pub(crate) fn fill(
        &self,
        document: &Document,
        values: &Values,
        round: Round,
    ) -> Result<Vec<u8>, Unfilled> {
        let filling = Filling {
            document,
            values,
            round,
        };
        let mut out = Vec::new();
        filling.fill(&self.pieces, LONGEST_DATA, &mut out)?;
        if out.len() > LONGEST {
            return Err(Unfilled::List);
        }
        Ok(out)
    }

    fn check(&self) -> Result<(), Refused> {
        let bytes = outline(&self.pieces);
        let [class, ins, p1, p2, rest @ ..] = bytes.as_slice() else {
            return Err("a command has at least 4 bytes".to_owned().into());
        };
        let (Outline::Fixed(class), Outline::Fixed(ins)) = (class, ins) else {
            return Err("class and instruction are hex digits".to_owned().into());
        };
        if *class == 0xFF && bytes != READ_UID.map(Outline::Fixed) {
            return Err("of class FF, a reader gets FFCA000000 only"
                .to_owned()
                .into());
        }
        if ins >> 4 == 6 || ins >> 4 == 9 {
            return Err("no instruction starts with 6 or 9".to_owned().into());
        }
        let answers = class & 0xF0 != 0x80 || *ins != GET_PROCESSING_OPTIONS || self.answers_list();
        let options = (!answers).then_some("GET PROCESSING OPTIONS of other data than a list's");
        if let Some(what) = forbidden(*class, *ins, *p1).or(options) {
            let why = format!("{what}: no package takes money off a card");
            let flaw = Flaw::Command;
            return Err(Refused { flaw, why });
        }
        for byte in [p1, p2] {
            if matches!(byte, Outline::Field | Outline::Group { .. }) {
                let why = "P1 and P2 are hex digits, {index}, {record} or {file}";
                return Err(why.to_owned().into());
            }
        }
        Ok(check_body(rest, bytes.len())?)
    }
}

/// Commands that take money off a purse (JR/T 0025.1: DEBIT, and INITIALIZE for purchase, cash and compound), on any
/// channel of the card's and in any wrapping (ISO/IEC 7816-4, 5.4.1). What GENERATE AC does is in its P1: an approval
/// that the issuer was not asked for is a purchase with electronic cash (`defined`).
fn forbidden(class: u8, ins: u8, p1: Outline) -> Option<&'static str> {
    match (class & 0xF0, ins, p1) {
        (0x80, 0x54, _) => Some("DEBIT"),
        (0x80, 0x50, Outline::Fixed(0x00)) => None,
        (0x80, 0x50, _) => Some("INITIALIZE for anything but a load"),
        (0x80, GENERATE_AC, Outline::Round) => Some("GENERATE AC of any kind"),
        _ => None,
    }
}

fn check_body(rest: &[Outline], length: usize) -> Result<(), String> {
    match rest {
        [] | [Outline::Fixed(_)] => Ok(()),
        [Outline::Group { min }] | [Outline::Group { min }, Outline::Fixed(_)] => {
            if *min <= LONGEST_DATA {
                Ok(())
            } else {
                Err("`[...]` holds at most 255 bytes".to_owned())
            }
        }
        [Outline::Fixed(lc @ 1..), data @ ..] if length <= LONGEST => {
            if data.iter().any(|it| matches!(it, Outline::Group { .. })) {
                return Err("`[...]` stands for Lc and data, without anything between".to_owned());
            }
            let without_le = usize::from(*lc);
            match (data.len().checked_sub(without_le), data.last()) {
                (Some(0), _) | (Some(1), Some(Outline::Fixed(_))) => Ok(()),
                _ => Err(format!("Lc says {lc} bytes, {} follow", data.len())),
            }
        }
        _ => Err("Lc is hex digits, not 00, followed by at most 256 bytes".to_owned()),
    }
}

const READ_UID: [u8; 5] = [0xFF, 0xCA, 0x00, 0x00, 0x00];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outline {
    Fixed(u8),
    Field,
    Round,
    Group { min: usize },
}

fn outline(pieces: &[Piece]) -> Vec<Outline> {
    let mut out = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => out.extend(bytes.iter().map(|&byte| Outline::Fixed(byte))),
            Piece::Field { max, .. } => out.extend(std::iter::repeat_n(Outline::Field, *max)),
            Piece::List(_) => out.push(Outline::Field),
            Piece::Index | Piece::Record | Piece::File => out.push(Outline::Round),
            Piece::Group(inside) => out.push(Outline::Group { min: least(inside) }),
        }
    }
    out
}

/// The fewest bytes that these give.
fn least(pieces: &[Piece]) -> usize {
    pieces.iter().fold(0_usize, |sum, piece| {
        sum.saturating_add(match piece {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Field { min, .. } => *min,
            Piece::List(_) => 0,
            Piece::Index | Piece::Record | Piece::File => 1,
            Piece::Group(inside) => least(inside).saturating_add(1),
        })
    })
}

fn collect<'p>(pieces: &'p [Piece], found: &mut Vec<&'p str>) {
    for piece in pieces {
        match piece {
            Piece::Field { reference, .. } => found.push(reference),
            Piece::Group(inside) => collect(inside, found),
            // a card without a list asks for nothing
            Piece::List(_) | Piece::Bytes(_) | Piece::Index | Piece::Record | Piece::File => {}
        }
    }
}

/// What a template is filled from.
struct Filling<'a> {
    document: &'a Document,
    values: &'a Values,
    round: Round,
}

impl Filling<'_> {
    /// `longest`: of a group at this depth.
    fn fill(&self, pieces: &[Piece], longest: usize, out: &mut Vec<u8>) -> Result<(), Unfilled> {
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                Piece::Index => out.push(self.round.index),
                Piece::Record => out.push(self.round.record),
                Piece::File => out.push(self.round.file),
                Piece::Field {
                    reference,
                    min,
                    max,
                } => {
                    let bytes = self.bytes(reference)?;
                    if !(*min..=*max).contains(&bytes.len()) {
                        return Err(Unfilled::Missing);
                    }
                    out.extend_from_slice(bytes);
                }
                Piece::List(reference) => {
                    let list = self.bytes(reference).unwrap_or_default();
                    let data = dol::data(list, self.document, self.values);
                    out.extend(data.map_err(|dol::BadList| Unfilled::List)?);
                }
                Piece::Group(inside) => {
                    let mut data = Vec::new();
                    self.fill(inside, LONGEST_INNER, &mut data)?;
                    let length = u8::try_from(data.len()).ok();
                    // nothing at all would make Lc the length of what is expected
                    let least = usize::from(longest == LONGEST_DATA);
                    let length = length.filter(|&it| (least..=longest).contains(&it.into()));
                    out.push(length.ok_or(Unfilled::List)?);
                    out.extend(data);
                }
            }
        }
        Ok(())
    }

    fn bytes(&self, reference: &str) -> Result<&[u8], Unfilled> {
        value::bytes(&self.document.fields, self.values, reference).ok_or(Unfilled::Missing)
    }
}

/// Reads pieces up to the end or the `]` of this group; gives what follows.
fn pieces<'t>(
    text: &'t str,
    document: &Document,
    depth: usize,
) -> Result<(Vec<Piece>, &'t str), String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(['{', '[', ']']).unwrap_or(rest.len());
        let (literal, after) = rest.split_at(end);
        push_literal(&mut pieces, literal)?;
        let mut after_sign = after.chars();
        match after_sign.next() {
            Some('{') => {
                let inside = after_sign.as_str().split_once('}');
                let (name, after) = inside.ok_or("`{` without `}`")?;
                pieces.push(placeholder(name, document, depth > 0)?);
                rest = after;
            }
            Some('[') if depth < MAX_DEPTH => {
                let (inside, after) =
                    self::pieces(after_sign.as_str(), document, depth.saturating_add(1))?;
                rest = after.strip_prefix(']').ok_or("`[` without `]`")?;
                pieces.push(Piece::Group(inside));
            }
            Some('[') => return Err(format!("`[` stands at most {MAX_DEPTH} deep")),
            Some(_) | None => return Ok((pieces, after)),
        }
    }
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) -> Result<(), String> {
    let digits: String = text.split(' ').collect();
    let bytes = hex::decode(&digits).map_err(|_| format!("`{text}` is not pairs of hex digits"))?;
    if !bytes.is_empty() {
        pieces.push(Piece::Bytes(bytes));
    }
    Ok(())
}

/// `measured`: inside `[...]`, where the length need not be known beforehand.
fn placeholder(name: &str, document: &Document, measured: bool) -> Result<Piece, String> {
    match name {
        "index" => return Ok(Piece::Index),
        "record" => return Ok(Piece::Record),
        "file" => return Ok(Piece::File),
        _ => {}
    }
    if let Some(list) = name.strip_prefix("list:") {
        let slot = value::slot(&document.fields, list);
        let single = slot.is_some_and(|slot| slot.times.is_none());
        return match single && measured {
            true => Ok(Piece::List(list.to_owned())),
            false => Err(format!("`{name}` is a single field, and stands in `[...]`")),
        };
    }
    if let Some(constant) = document.constants.0.get(name) {
        return Ok(Piece::Bytes(constant.0.clone()));
    }
    let slot = value::slot(&document.fields, name).ok_or(format!("`{name}` is not declared"))?;
    let (min, max) = (slot.length.min(), slot.length.max());
    if slot.times.is_some() || (min != max && !measured) {
        return Err(format!("`{name}` has no fixed length"));
    }
    Ok(Piece::Field {
        reference: name.to_owned(),
        min,
        max,
    })
}
