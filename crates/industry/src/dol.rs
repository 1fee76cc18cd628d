//! Data object lists: what a card asks for, tag by tag (EMV Book 3, 5.4).

use crate::PackageError;
use crate::error::{Flaw, broken, rule};
use crate::format::{Document, Source};
use crate::tlv::{Tag, take_tag};
use crate::value::{self, Slot, Values};

/// The most data that a list may ask for: with its wrapping it must fit into a short command.
const LONGEST: usize = 252;
const MAX_ENTRIES: usize = 32;

/// Terminal transaction qualifiers, and the bit of their first byte by which a contactless card pays at once, with
/// the amount of its list, when its records are read (qPBOC, JR/T 0025.12).
const QUALIFIERS: &str = "9F66";
const PAYS_AT_ONCE: u8 = 0x20;

/// A list that asks for too much, or is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BadList;

/// The data for a list: what the package has for a tag, zeros where it has nothing.
pub(crate) fn data(list: &[u8], document: &Document, values: &Values) -> Result<Vec<u8>, BadList> {
    let mut out = Vec::new();
    let mut rest = list;
    for _ in 0..MAX_ENTRIES {
        let Some((tag, after)) = take_tag(rest) else {
            break;
        };
        let (&length, after) = after.split_first().ok_or(BadList)?;
        out.extend(element(&Tag::of(tag), length.into(), document, values));
        if out.len() > LONGEST {
            return Err(BadList);
        }
        rest = after;
    }
    if rest.is_empty() {
        Ok(out)
    } else {
        Err(BadList)
    }
}

/// Numbers keep their right end, everything else its left one.
fn element(tag: &Tag, length: usize, document: &Document, values: &Values) -> Vec<u8> {
    let known = |(known, _): &(&String, &Source)| Tag::parse(known).as_ref() == Some(tag);
    let names = document.dol.0.iter().find(known);
    let names = names.map(|(_, source)| source.each()).unwrap_or_default();
    let found = names
        .iter()
        .find_map(|name| Some((name, bytes_of(document, values, name)?)));
    let Some((name, bytes)) = found else {
        return vec![0; length];
    };
    let slot = value::slot(&document.fields, name);
    let mut out = bytes.to_vec();
    if slot.is_some_and(|slot| value::is_number(slot.kind)) {
        let cut = out.len().saturating_sub(length);
        out.drain(..cut);
        let missing = length.saturating_sub(out.len());
        out.splice(0..0, std::iter::repeat_n(0, missing));
    } else {
        out.resize(length, 0);
    }
    out
}

fn bytes_of<'v>(document: &'v Document, values: &'v Values, reference: &str) -> Option<&'v [u8]> {
    match document.constants.0.get(reference) {
        Some(constant) => Some(&constant.0),
        None => value::bytes(&document.fields, values, reference),
    }
}

fn may_pay(document: &Document, name: &str) -> bool {
    let constant = document.constants.0.get(name);
    let first = constant.and_then(|bytes| bytes.0.first());
    first.is_none_or(|first| first & PAYS_AT_ONCE != 0)
}

pub(crate) fn check(document: &Document) -> Result<(), PackageError> {
    let single = |slot: Slot| slot.times.is_none();
    for (tag, source) in &document.dol.0 {
        let at = format!("dol.{tag}");
        if Tag::parse(tag).is_none() {
            return Err(rule(at, "is no tag in capital hex digits"));
        }
        if !(1..=4).contains(&source.each().len()) {
            return Err(rule(at, "1 to 4 names"));
        }
        for name in source.each() {
            let known = document.constants.0.contains_key(name)
                || value::slot(&document.fields, name).is_some_and(single);
            if !known {
                return Err(rule(
                    at,
                    format!("`{name}` is no constant and no single field"),
                ));
            }
            if tag == QUALIFIERS && may_pay(document, name) {
                let why = "is a constant that does not offer to pay at once (byte 1, bit 6)";
                return Err(broken(Flaw::Command, at, why));
            }
        }
    }
    if document.dol.0.len() > MAX_ENTRIES {
        return Err(rule("dol", format!("at most {MAX_ENTRIES} tags")));
    }
    Ok(())
}
