//! BER-TLV as cards use it: tags of one to three bytes, definite lengths of at most 65,535 bytes.

/// A tag's bytes, as in `9F38`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Tag(Vec<u8>);

/// The deepest path that a package may name.
const MAX_DEPTH: usize = 4;

impl Tag {
    /// The tag of these hex digits, and nothing else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = hex::decode(text).ok()?;
        let (tag, rest) = take_tag(&bytes)?;
        (rest.is_empty() && text == text.to_ascii_uppercase()).then(|| Self(tag.to_vec()))
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

/// Tags from the outermost to the wanted one, as in `6F/A5/9F38`.
#[derive(Clone, Debug)]
pub(crate) struct Path(Vec<Tag>);

impl Path {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let tags = text
            .split('/')
            .map(Tag::parse)
            .collect::<Option<Vec<_>>>()?;
        (tags.len() <= MAX_DEPTH).then_some(Self(tags))
    }

    /// The value of the first object on this path.
    pub(crate) fn find<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        self.0.iter().try_fold(data, |inside, tag| {
            Objects(inside).find(|it| it.0 == tag.0).map(|it| it.1)
        })
    }
}

/// The objects that stand side by side; ends at the first byte that begins none.
struct Objects<'d>(&'d [u8]);

impl<'d> Iterator for Objects<'d> {
    /// Tag and value.
    type Item = (&'d [u8], &'d [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, rest) = take_tag(self.0)?;
        let (length, rest) = take_length(rest)?;
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }
}

/// Takes a tag off: one byte, or more when its five low bits are set (ISO/IEC 8825-1).
pub(crate) fn take_tag(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match bytes {
        [first, ..] if first & 0x1F != 0x1F => 1,
        [_, second, ..] if second & 0x80 == 0 => 2,
        [_, _, third, ..] if third & 0x80 == 0 => 3,
        _ => return None,
    };
    bytes.split_at_checked(length)
}

fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [length @ 0..=0x7F, rest @ ..] | [0x81, length, rest @ ..] => {
            Some((usize::from(*length), rest))
        }
        [0x82, high, low, rest @ ..] => {
            Some((usize::from(u16::from_be_bytes([*high, *low])), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn find(way: &str, data: &str) -> Option<String> {
        path(way).find(&hex(data)).map(hex::encode_upper)
    }

    #[test]
    fn a_value_is_found_on_its_path() {
        let fci = "6F 12 8402A000 A50C 5003414243 9F3803 9F0206 00";
        assert_eq!(find("6F/84", fci).as_deref(), Some("A000"));
        assert_eq!(find("6F/A5/9F38", fci).as_deref(), Some("9F0206"));
        assert_eq!(find("6F/9F38", fci), None, "not on this level");
        assert_eq!(find("77/82", fci), None);
        assert_eq!(find("80", "80 81 02 0102").as_deref(), Some("0102"));
    }

    #[test]
    fn a_value_that_is_cut_is_not_there() {
        assert_eq!(find("84", "84 05 A000"), None);
        assert_eq!(find("84", "84"), None);
        assert_eq!(find("84", "84 84 01"), None, "a length of four bytes");
    }

    #[test]
    fn a_tag_is_whole_hex_in_capitals() {
        for bad in ["", "9F", "9f38", "8401", "9FFF", "1F8180", "xx"] {
            assert!(Tag::parse(bad).is_none(), "{bad}");
        }
        assert!(Tag::parse("DF8101").is_some());
        assert!(Path::parse("6F/A5/BF0C/9F4D").is_some());
        assert!(Path::parse("6F/A5/BF0C/9F4D/84").is_none(), "too deep");
    }

    proptest! {
        #[test]
        fn any_bytes_give_objects_or_none_and_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Objects(&bytes).count() <= bytes.len());
        }
    }
}
