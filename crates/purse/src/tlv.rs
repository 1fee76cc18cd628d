//! BER-TLV with tags of one or two bytes, and data object lists (DOL), as cards use them.
//!
//! Source: ISO/IEC 7816-4 and EMV book 3, annex B. Reading never panics and never allocates more
//! than it was given; lengths are at most two bytes (`82 hh ll`), tags at most two.

use thiserror::Error;

/// Entries that a data object list may have; more is no card's.
const MAX_DOL_ENTRIES: usize = 64;

/// Bytes that are not data objects, or lack the object that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TlvError {
    /// A tag or a length is cut, too long, or leads outside.
    #[error("broken data object")]
    Broken,
    /// The object is not there.
    #[error("no data object {0:04X}")]
    Missing(u16),
    /// A value is over 65,535 bytes, or a list has too many entries.
    #[error("too long for a data object")]
    TooLong,
}

/// One data object. A one-byte tag such as 6F is `0x006F`, a two-byte tag such as 9F10 `0x9F10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    /// Tag.
    pub tag: u16,
    /// Value.
    pub value: &'a [u8],
}

/// The data objects of a string, in order; a broken one is the last.
#[derive(Clone, Debug)]
pub struct Objects<'a>(&'a [u8]);

/// Reads data objects one after another. The fillers 00 and FF between them are passed over.
#[must_use]
pub fn objects(bytes: &[u8]) -> Objects<'_> {
    Objects(bytes)
}

impl<'a> Iterator for Objects<'a> {
    type Item = Result<Object<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let [0x00 | 0xFF, rest @ ..] = self.0 {
            self.0 = rest;
        }
        if self.0.is_empty() {
            return None;
        }
        let taken = take(self.0);
        self.0 = taken.map_or(&[], |(_, rest)| rest);
        Some(taken.map(|(object, _)| object).ok_or(TlvError::Broken))
    }
}

/// The value under a path of tags, each inside the one before, e.g. `[0x6F, 0xA5, 0x9F38]`.
///
/// # Errors
/// `TlvError::Missing` names the tag that is not there; `Broken` when an object before it is.
pub fn find<'a>(bytes: &'a [u8], path: &[u16]) -> Result<&'a [u8], TlvError> {
    path.iter().try_fold(bytes, |inside, &tag| {
        for object in objects(inside) {
            let object = object?;
            if object.tag == tag {
                return Ok(object.value);
            }
        }
        Err(TlvError::Missing(tag))
    })
}

/// Appends a data object.
///
/// # Errors
/// `TlvError::TooLong` when the value is over 65,535 bytes.
pub fn put(out: &mut Vec<u8>, tag: u16, value: &[u8]) -> Result<(), TlvError> {
    let length = u16::try_from(value.len()).map_err(|_| TlvError::TooLong)?;
    put_tag(out, tag);
    match length.to_be_bytes() {
        [0, low @ 0..=0x7F] => out.push(low),
        [0, low] => out.extend([0x81, low]),
        [high, low] => out.extend([0x82, high, low]),
    }
    out.extend_from_slice(value);
    Ok(())
}

/// One data object on its own.
///
/// # Errors
/// `TlvError::TooLong` when the value is over 65,535 bytes.
pub fn object(tag: u16, value: &[u8]) -> Result<Vec<u8>, TlvError> {
    let mut out = Vec::new();
    put(&mut out, tag, value)?;
    Ok(out)
}

/// An entry of a data object list: the tag, and how many bytes of its value are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DolEntry {
    /// Tag.
    pub tag: u16,
    /// Bytes.
    pub length: u8,
}

/// Reads a data object list (PDOL, CDOL, log format).
///
/// # Errors
/// `TlvError::Broken` when it is cut, `TooLong` with over 64 entries.
pub fn dol(mut bytes: &[u8]) -> Result<Vec<DolEntry>, TlvError> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        if entries.len() >= MAX_DOL_ENTRIES {
            return Err(TlvError::TooLong);
        }
        let (tag, rest) = take_tag(bytes).ok_or(TlvError::Broken)?;
        let (&length, rest) = rest.split_first().ok_or(TlvError::Broken)?;
        entries.push(DolEntry { tag, length });
        bytes = rest;
    }
    Ok(entries)
}

/// The values that a list asked for, cut out of the joined data.
///
/// # Errors
/// `TlvError::Broken` when data and list differ in length, or the list is broken.
pub fn split_by_dol<'a>(list: &[u8], mut data: &'a [u8]) -> Result<Vec<Object<'a>>, TlvError> {
    let mut values = Vec::new();
    for DolEntry { tag, length } in dol(list)? {
        let (value, rest) = data
            .split_at_checked(usize::from(length))
            .ok_or(TlvError::Broken)?;
        values.push(Object { tag, value });
        data = rest;
    }
    if data.is_empty() {
        Ok(values)
    } else {
        Err(TlvError::Broken)
    }
}

/// Joins the values that a list asks for. A tag that `value` doesn't know is zeros; a value of
/// another length is cut at its end, or filled with zeros there.
///
/// # Errors
/// As [`dol`].
pub fn join_by_dol(
    list: &[u8],
    value: impl Fn(u16) -> Option<Vec<u8>>,
) -> Result<Vec<u8>, TlvError> {
    let mut joined = Vec::new();
    for DolEntry { tag, length } in dol(list)? {
        let mut part = value(tag).unwrap_or_default();
        part.resize(usize::from(length), 0);
        joined.append(&mut part);
    }
    Ok(joined)
}

fn take(bytes: &[u8]) -> Option<(Object<'_>, &[u8])> {
    let (tag, rest) = take_tag(bytes)?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0x00..=0x7F => (usize::from(first), rest),
        0x81 => {
            let (&low, rest) = rest.split_first()?;
            (usize::from(low), rest)
        }
        0x82 => {
            let (&length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(length)), rest)
        }
        0x80 | 0x83..=0xFF => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((Object { tag, value }, rest))
}

fn take_tag(bytes: &[u8]) -> Option<(u16, &[u8])> {
    match bytes {
        // A second byte from 80 says that a third follows.
        [first, second @ 0..=0x7F, rest @ ..] if first & 0x1F == 0x1F => {
            Some((u16::from_be_bytes([*first, *second]), rest))
        }
        [first, rest @ ..] if first & 0x1F != 0x1F => Some((u16::from(*first), rest)),
        _ => None,
    }
}

fn put_tag(out: &mut Vec<u8>, tag: u16) {
    match tag.to_be_bytes() {
        [0, low] => out.push(low),
        both => out.extend(both),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_object_is_found_by_its_path() {
        let fci = hex::decode("6F0F8402A000A5095001419F38039F6604").unwrap();
        assert_eq!(find(&fci, &[0x6F, 0xA5, 0x9F38]), Ok(&[0x9F, 0x66, 4][..]));
        assert_eq!(find(&fci, &[0x6F, 0x88]), Err(TlvError::Missing(0x88)));
        assert_eq!(find(&fci[..12], &[0x6F]), Err(TlvError::Broken), "cut");
    }

    #[test]
    fn what_is_no_object_of_ours_is_broken() {
        for text in [
            "6F",
            "9F",
            "9F80",
            "9F801001",
            "6F80",
            "6F83000001",
            "6F8201",
            "6F8180",
        ] {
            let bytes = hex::decode(text).unwrap();
            assert_eq!(find(&bytes, &[0x6F]), Err(TlvError::Broken), "{text}");
        }
    }

    #[test]
    fn lengths_have_their_shortest_form() {
        for (length, head) in [
            (127, "5A7F"),
            (128, "5A8180"),
            (255, "5A81FF"),
            (256, "5A820100"),
        ] {
            let made = object(0x5A, &vec![7; length]).unwrap();
            assert!(hex::encode_upper(&made).starts_with(head), "{length}");
            assert_eq!(find(&made, &[0x5A]).unwrap().len(), length);
        }
        assert_eq!(object(0x5A, &vec![0; 65_536]), Err(TlvError::TooLong));
    }

    #[test]
    fn a_list_joins_and_splits_values() {
        let list = hex::decode("9F02069C01").unwrap();
        let joined = join_by_dol(&list, |tag| (tag == 0x9C).then(|| vec![0x60, 9])).unwrap();
        assert_eq!(
            joined,
            [0, 0, 0, 0, 0, 0, 0x60],
            "unknown is zeros, long is cut"
        );
        let values = split_by_dol(&list, &joined).unwrap();
        assert_eq!(
            values[1],
            Object {
                tag: 0x9C,
                value: &[0x60]
            }
        );
        assert_eq!(split_by_dol(&list, &joined[1..]), Err(TlvError::Broken));
        assert_eq!(split_by_dol(&list, &[0; 8]), Err(TlvError::Broken));
        assert_eq!(dol(&[0x9C; 200]), Err(TlvError::TooLong));
        assert_eq!(dol(&[0x9F, 0x02]), Err(TlvError::Broken), "no length");
    }

    proptest! {
        #[test]
        fn readers_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            list in proptest::collection::vec(any::<u8>(), 0..40),
            path in proptest::collection::vec(any::<u16>(), 0..4),
        ) {
            prop_assert!(objects(&bytes).count() <= bytes.len());
            let _ = find(&bytes, &path);
            let _ = find(&bytes, &[0x6F, 0xA5]);
            let _ = dol(&list);
            let _ = split_by_dol(&list, &bytes);
            let _ = join_by_dol(&list, |_| None);
        }

        #[test]
        fn what_was_written_is_read_again(
            tag in prop_oneof![1_u16..0x1F, 0x9F01_u16..0x9F7F, Just(0x5F34), Just(0xBF0C)],
            value in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let inner = object(tag, &value).unwrap();
            let outer = object(0x70, &inner).unwrap();
            prop_assert_eq!(find(&outer, &[0x70, tag]), Ok(&value[..]));
        }
    }
}
