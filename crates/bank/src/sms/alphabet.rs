//! The text of an SMS as bytes (3GPP TS 23.038), in parts where it is too long for one (3GPP TS 23.040, 9.2.3.24.1).

/// The GSM 7 bit default alphabet in the order of its codes. 0x1B is the escape.
const DEFAULT: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
    ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const ESCAPE: u8 = 0x1B;
/// What stands behind an escape.
const EXTENSION: [(char, u8); 10] = [
    ('\u{c}', 0x0A),
    ('^', 0x14),
    ('{', 0x28),
    ('}', 0x29),
    ('\\', 0x2F),
    ('[', 0x3C),
    ('~', 0x3D),
    (']', 0x3E),
    ('|', 0x40),
    ('€', 0x65),
];

/// Of one SMS: octets of the default alphabet, of which eight go into seven on the air; octets of UCS-2.
const WHOLE: [usize; 2] = [160, 140];
/// The same beside the header that says which part it is.
const PART: [usize; 2] = [153, 134];

/// How the bytes are to be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Coding {
    /// One octet for each character or escape, as SMPP carries it.
    Default,
    /// Two octets for each unit, the higher one first. Characters beyond take two units, as in UTF-16.
    Ucs2,
}

/// One SMS of those that a text needs.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Part {
    /// Whether the bytes begin with a header.
    pub(super) has_header: bool,
    pub(super) bytes: Vec<u8>,
}

pub(super) struct Encoded {
    pub(super) coding: Coding,
    /// What must not be torn: a character, with its escape.
    units: Vec<Vec<u8>>,
}

impl Encoded {
    /// In the default alphabet when it has all of the text and is wanted.
    pub(super) fn new(text: &str, is_default_wanted: bool) -> Self {
        let default = || text.chars().map(in_default).collect::<Option<Vec<_>>>();
        match is_default_wanted.then(default).flatten() {
            Some(units) => Self {
                coding: Coding::Default,
                units,
            },
            None => Self {
                coding: Coding::Ucs2,
                units: text.chars().map(in_ucs2).collect(),
            },
        }
    }

    pub(super) fn whole(&self) -> Vec<u8> {
        self.units.concat()
    }

    /// As the air interface takes them; `reference` tells the parts of one text from another's. None: too long even for
    /// all the parts that can be counted.
    pub(super) fn parts(&self, reference: u8) -> Option<Vec<Part>> {
        let at = usize::from(self.coding == Coding::Ucs2);
        let whole = self.whole();
        if whole.len() <= WHOLE[at] {
            return Some(vec![Part {
                has_header: false,
                bytes: whole,
            }]);
        }
        let mut bodies = vec![Vec::new()];
        for unit in &self.units {
            match bodies.last_mut() {
                Some(body) if body.len() + unit.len() <= PART[at] => body.extend_from_slice(unit),
                Some(_) | None => bodies.push(unit.clone()),
            }
        }
        let count = u8::try_from(bodies.len()).ok()?;
        let numbered = (1..=count).zip(bodies);
        let part = |(number, body): (u8, Vec<u8>)| {
            // Length of the header; element 0 of three octets: the reference, how many, which one.
            let header = [5, 0, 3, reference, count, number];
            Part {
                has_header: true,
                bytes: [&header[..], &body].concat(),
            }
        };
        Some(numbered.map(part).collect())
    }
}

fn in_default(letter: char) -> Option<Vec<u8>> {
    if let Some((_, code)) = EXTENSION.iter().find(|(it, _)| *it == letter) {
        return Some(vec![ESCAPE, *code]);
    }
    let at = DEFAULT.chars().position(|it| it == letter)?;
    let code = u8::try_from(at).ok().filter(|code| *code != ESCAPE)?;
    Some(vec![code])
}

fn in_ucs2(letter: char) -> Vec<u8> {
    let mut units = [0; 2];
    let units = letter.encode_utf16(&mut units);
    units.iter().flat_map(|unit| unit.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_alphabet_has_128_codes_in_their_order() {
        assert_eq!(DEFAULT.chars().count(), 128);
        for (letter, code) in [
            ('@', 0x00),
            ('Δ', 0x10),
            ('É', 0x1F),
            (' ', 0x20),
            ('A', 0x41),
            ('Ü', 0x5E),
            ('a', 0x61),
            ('ä', 0x7B),
            ('à', 0x7F),
        ] {
            assert_eq!(in_default(letter), Some(vec![code]), "{letter}");
        }
        assert_eq!(in_default('['), Some(vec![0x1B, 0x3C]), "by an escape");
        assert_eq!(in_default('\u{1b}'), None, "an escape is no letter");
        assert_eq!(in_default('银'), None);
    }

    #[test]
    fn the_text_says_which_alphabet_it_needs() {
        let of = |text, wanted| Encoded::new(text, wanted).coding;
        assert_eq!(of("[Bänk] Code 123456 €", true), Coding::Default);
        assert_eq!(of("[银行] Code 123456", true), Coding::Ucs2);
        assert_eq!(of("Code", false), Coding::Ucs2, "not wanted");
        assert_eq!(Encoded::new("Aß", false).whole(), [0, 0x41, 0, 0xDF]);
    }

    #[test]
    fn a_text_that_fits_has_no_header_and_one_letter_more_makes_two_parts() {
        for (letter, most, part) in [("x", 160, 153), ("银", 70, 67)] {
            let fits = Encoded::new(&letter.repeat(most), true).parts(7).unwrap();
            assert_eq!(fits.len(), 1, "{letter}");
            assert!(!fits[0].has_header);
            let long = Encoded::new(&letter.repeat(most + 1), true);
            let parts = long.parts(7).unwrap();
            let bytes = long.whole().len() / (most + 1);
            assert_eq!(parts[0].bytes[..6], [5, 0, 3, 7, 2, 1], "{letter}");
            assert_eq!(parts[1].bytes[..6], [5, 0, 3, 7, 2, 2], "{letter}");
            assert_eq!(parts[0].bytes.len(), 6 + part * bytes);
            let all: Vec<u8> = parts.iter().flat_map(|it| it.bytes[6..].to_vec()).collect();
            assert_eq!(all, long.whole(), "nothing is lost between them");
        }
    }

    #[test]
    fn neither_an_escape_nor_a_pair_is_torn() {
        let escaped = format!("{}[{}", "x".repeat(152), "x".repeat(20));
        let parts = Encoded::new(&escaped, true).parts(0).unwrap();
        assert_eq!(parts[0].bytes.len(), 6 + 152);
        assert_eq!(parts[1].bytes[6..8], [0x1B, 0x3C]);
        let pair = format!("{}💳{}", "银".repeat(66), "银".repeat(20));
        let parts = Encoded::new(&pair, true).parts(0).unwrap();
        assert_eq!(parts[0].bytes.len(), 6 + 132);
    }

    #[test]
    fn more_than_255_parts_are_refused() {
        assert!(
            Encoded::new(&"x".repeat(153 * 255), true)
                .parts(0)
                .is_some()
        );
        assert!(
            Encoded::new(&"x".repeat(153 * 256), true)
                .parts(0)
                .is_none()
        );
    }
}
