//! Where a field's bytes are in a reply.

use std::collections::BTreeMap;

use crate::PackageError;
use crate::error::rule;
use crate::format::{Document, FieldShape, Length, Map, Take, Takes};
use crate::tlv::Path;
use crate::value::Values;

/// A list of places for one field is short: cards differ in few ways.
const MAX_PLACES: usize = 4;

/// Why a reply was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BadReply;

/// The fields that a command takes out of its reply, each with the places where it may be.
#[derive(Clone, Debug)]
pub(crate) struct Taking(BTreeMap<String, Vec<Place>>);

#[derive(Clone, Debug)]
struct Place {
    path: Option<Path>,
    take: Take,
}

impl Taking {
    /// `at` names the command's member.
    pub(crate) fn new(
        at: &str,
        text: &Map<Takes>,
        reply: Length,
        document: &Document,
    ) -> Result<Self, PackageError> {
        let mut fields = BTreeMap::new();
        for (field, takes) in &text.0 {
            let at = format!("{at}.{field}");
            let shape = document.fields.0.get(field);
            let shape = shape.ok_or_else(|| rule(&at, "is not declared in `fields`"))?;
            if !(1..=MAX_PLACES).contains(&takes.each().len()) {
                return Err(rule(at, format!("1 to {MAX_PLACES} places")));
            }
            let places = takes.each().iter().map(|take| {
                check(&at, shape, reply, take)?;
                let path = take.tag.as_deref().map(|tag| {
                    let why = "`tag` is tags in capital hex digits, joined by /, at most 4";
                    Path::parse(tag).ok_or_else(|| rule(&at, why))
                });
                let (path, take) = (path.transpose()?, take.clone());
                Ok(Place { path, take })
            });
            fields.insert(field.clone(), places.collect::<Result<_, PackageError>>()?);
        }
        Ok(Self(fields))
    }

    pub(crate) fn contains(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// The fields that have a value whenever the reply is taken.
    pub(crate) fn sure(&self) -> impl Iterator<Item = &str> {
        let sure = |places: &[Place]| !places.iter().any(|place| place.take.optional);
        self.0
            .iter()
            .filter(move |(_, places)| sure(places))
            .map(|(field, _)| field.as_str())
    }

    /// Takes the fields out of a reply's data.
    pub(crate) fn apply(
        &self,
        document: &Document,
        values: &mut Values,
        data: &[u8],
    ) -> Result<(), BadReply> {
        for (field, places) in &self.0 {
            let shape = document.fields.0.get(field).ok_or(BadReply)?;
            let found = places.iter().find_map(|place| place.bytes(data));
            let Some(bytes) = found else {
                if places.iter().any(|place| place.take.optional) {
                    continue;
                }
                return Err(BadReply);
            };
            put(shape, values, field, bytes)?;
        }
        Ok(())
    }
}

impl Place {
    fn bytes(&self, data: &[u8]) -> Option<Vec<u8>> {
        let whole = match &self.path {
            Some(path) => path.find(data)?,
            None => data,
        };
        let start = usize::from(self.take.at);
        let slice = match self.take.length {
            Some(length) => whole.get(start..start.checked_add(length.into())?)?,
            None => whole.get(start..)?,
        };
        let mut bytes = slice.to_vec();
        if let Some(mask) = &self.take.mask {
            let pairs = bytes.iter_mut().zip(&mask.0);
            pairs.for_each(|(byte, mask)| *byte &= mask);
        }
        Some(bytes)
    }
}

/// What can be known of a place before there is a reply. Of an object in it nothing is known but its name.
fn check(at: &str, shape: &FieldShape, reply: Length, take: &Take) -> Result<(), PackageError> {
    let longest_reply = if take.tag.is_some() {
        usize::MAX
    } else {
        reply.max()
    };
    let shortest_reply = if take.tag.is_some() { 0 } else { reply.min() };
    let start = usize::from(take.at);
    let end = match take.length {
        Some(length) => start.saturating_add(length.into()),
        None => longest_reply,
    };
    let known = take.tag.is_none();
    if known && (start > shortest_reply || end > longest_reply) {
        return Err(rule(at, "reaches beyond the reply"));
    }
    let shortest = match take.length {
        Some(length) => usize::from(length),
        None => shortest_reply.saturating_sub(start),
    };
    let longest = end.saturating_sub(start);
    if shape.times.is_none() && (shortest > shape.length.max() || longest < shape.length.min()) {
        return Err(rule(at, "can never have the length of the field"));
    }
    let mask = take.mask.as_ref();
    if mask.is_some_and(|mask| shape.length.exact() != Some(mask.0.len())) {
        return Err(rule(at, "the mask is as long as the field"));
    }
    Ok(())
}

/// Stores a taken value: a list grows, anything else is replaced.
fn put(
    shape: &FieldShape,
    values: &mut Values,
    name: &str,
    bytes: Vec<u8>,
) -> Result<(), BadReply> {
    let Some(times) = shape.times else {
        if !shape.length.fits(bytes.len()) {
            return Err(BadReply);
        }
        values.insert(name.to_owned(), bytes);
        return Ok(());
    };
    let length = shape.length.exact().ok_or(BadReply)?;
    if bytes.len().checked_rem(length) != Some(0) {
        return Err(BadReply);
    }
    let list = values.entry(name.to_owned()).or_default();
    list.extend(bytes);
    list.truncate(length.saturating_mul(times.into()));
    Ok(())
}
