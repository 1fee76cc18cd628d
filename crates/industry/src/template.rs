//! Command templates: hex digits with `{constant}`, `{field}`, `{field.part}` and `{index}`.

use crate::format::{Document, Hex, Map};
use crate::value::{self, Values};

/// The placeholder for the running number of a repetition, one byte from 1.
const INDEX: &str = "index";

/// The longest short command: header, length, 255 bytes, expected length.
const LONGEST: usize = 261;

/// A command template whose length is known to the byte.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Bytes(Vec<u8>),
    Field { reference: String, length: usize },
    Index,
}

impl Template {
    /// Reads a template and proves that it gives a well-formed short command.
    pub(crate) fn parse(text: &str, document: &Document) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("`{` without `}`")?;
            push_literal(&mut pieces, literal)?;
            pieces.push(placeholder(name, document)?);
            rest = after;
        }
        push_literal(&mut pieces, rest)?;
        let template = Self { pieces };
        template.check()?;
        Ok(template)
    }

    /// The fields that the command needs.
    pub(crate) fn references(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field { reference, .. } => Some(reference.as_str()),
            Piece::Bytes(_) | Piece::Index => None,
        })
    }

    pub(crate) fn has_index(&self) -> bool {
        self.pieces.contains(&Piece::Index)
    }

    /// The command; none when a field has no value yet or one of another length.
    pub(crate) fn fill(&self, document: &Document, values: &Values, index: u8) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                Piece::Index => out.push(index),
                Piece::Field { reference, length } => {
                    let bytes = value::bytes(&document.fields, values, reference)?;
                    if bytes.len() != *length {
                        return None;
                    }
                    out.extend_from_slice(bytes);
                }
            }
        }
        Some(out)
    }

    fn check(&self) -> Result<(), String> {
        let bytes = self.outline();
        let [class, ins, p1, p2, rest @ ..] = bytes.as_slice() else {
            return Err("a command has at least 4 bytes".to_owned());
        };
        let (Outline::Fixed(class), Outline::Fixed(ins)) = (class, ins) else {
            return Err("class and instruction are hex digits".to_owned());
        };
        if *class == 0xFF && bytes != READ_UID.map(Outline::Fixed) {
            return Err("of class FF, a reader gets FFCA000000 only".to_owned());
        }
        if ins >> 4 == 6 || ins >> 4 == 9 {
            return Err("no instruction starts with 6 or 9".to_owned());
        }
        if [p1, p2].contains(&&Outline::Field) {
            return Err("P1 and P2 are hex digits or {index}".to_owned());
        }
        match rest {
            [] | [Outline::Fixed(_)] => Ok(()),
            [Outline::Fixed(lc @ 1..), data @ ..] if bytes.len() <= LONGEST => {
                let without_le = usize::from(*lc);
                let extra = data.len().checked_sub(without_le);
                match (extra, data.last()) {
                    (Some(0), _) | (Some(1), Some(Outline::Fixed(_))) => Ok(()),
                    _ => Err(format!("Lc says {lc} bytes, {} follow", data.len())),
                }
            }
            _ => Err("Lc is hex digits, not 00, followed by at most 256 bytes".to_owned()),
        }
    }

    fn outline(&self) -> Vec<Outline> {
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => out.extend(bytes.iter().map(|&byte| Outline::Fixed(byte))),
                Piece::Field { length, .. } => {
                    out.extend(std::iter::repeat_n(Outline::Field, *length));
                }
                Piece::Index => out.push(Outline::Index),
            }
        }
        out
    }
}

const READ_UID: [u8; 5] = [0xFF, 0xCA, 0x00, 0x00, 0x00];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outline {
    Fixed(u8),
    Field,
    Index,
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) -> Result<(), String> {
    let digits: String = text.split(' ').collect();
    let bytes = hex::decode(&digits).map_err(|_| format!("`{text}` is not pairs of hex digits"))?;
    if !bytes.is_empty() {
        pieces.push(Piece::Bytes(bytes));
    }
    Ok(())
}

fn placeholder(name: &str, document: &Document) -> Result<Piece, String> {
    if name == INDEX {
        return Ok(Piece::Index);
    }
    if let Some(constant) = constant(&document.constants, name) {
        return Ok(Piece::Bytes(constant));
    }
    let slot = value::slot(&document.fields, name).ok_or(format!("`{name}` is not declared"))?;
    match slot.length.exact() {
        Some(length) if slot.times.is_none() => Ok(Piece::Field {
            reference: name.to_owned(),
            length,
        }),
        _ => Err(format!("`{name}` has no fixed length")),
    }
}

fn constant(constants: &Map<Hex>, name: &str) -> Option<Vec<u8>> {
    constants.0.get(name).map(|Hex(bytes)| bytes.clone())
}
