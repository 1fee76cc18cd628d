use crate::{Body, IndustryCode, MessageError, Operation};

/// The longest relay message, bytes.
pub const MAX_MESSAGE: usize = 65_536;

/// The body version of this protocol.
pub const BODY_VERSION: u8 = 1;

/// The letter of a message: all that the app looks at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Letter {
    /// `A`: opens a transaction on its way into the driver, ends it on its way out.
    A,
    /// `I`: goes on.
    I,
}

/// The letter of a message, by its first byte alone.
///
/// # Errors
/// No bytes, too many bytes, or another letter.
pub fn letter(message: &[u8]) -> Result<Letter, MessageError> {
    if message.len() > MAX_MESSAGE {
        return Err(MessageError::TooLong);
    }
    match message.first() {
        Some(b'A') => Ok(Letter::A),
        Some(b'I') => Ok(Letter::I),
        Some(&other) => Err(MessageError::Letter(other)),
        None => Err(MessageError::Cut),
    }
}

/// A relay message as the driver and the transaction server read it (protocol, section 1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// Opens or ends, or goes on.
    pub letter: Letter,
    /// The industry that reads the body.
    pub industry: IndustryCode,
    /// The objects.
    pub body: Body,
}

impl Message {
    /// Reads a whole message.
    ///
    /// # Errors
    /// Anything that is not exactly of the form of the protocol's section 1.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        let letter = letter(bytes)?;
        let header = bytes.first_chunk::<6>().ok_or(MessageError::Cut)?;
        let [_, a, b, c, d, version] = *header;
        let industry = IndustryCode::new([a, b, c, d])?;
        if version != BODY_VERSION {
            return Err(MessageError::Version(version));
        }
        let body = Body::parse(bytes.get(header.len()..).unwrap_or_default())?;
        Ok(Self {
            letter,
            industry,
            body,
        })
    }

    /// The bytes of the message, objects in the order of their tags, fields in the order given.
    ///
    /// # Errors
    /// A value without the shape that its tag asks for, or more than 65,536 bytes.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        let mut out = vec![match self.letter {
            Letter::A => b'A',
            Letter::I => b'I',
        }];
        out.extend(self.industry.bytes());
        out.push(BODY_VERSION);
        self.body.encode_into(&mut out)?;
        if out.len() > MAX_MESSAGE {
            Err(MessageError::TooLong)
        } else {
            Ok(out)
        }
    }

    /// A closing `A` with an outcome and nothing else; add to its body what there is.
    pub fn closing(
        industry: IndustryCode,
        operation: Operation,
        transaction: [u8; 16],
        outcome: &str,
    ) -> Self {
        let body = Body {
            operation: Some(operation),
            transaction: Some(transaction),
            outcome: Some(outcome.to_owned()),
            ..Body::default()
        };
        Self {
            letter: Letter::A,
            industry,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Field, MAX_FIELDS};

    fn example() -> Message {
        let body = Body {
            operation: Some(Operation::TopUp),
            transaction: Some([7; 16]),
            step: Some(1),
            phase: Some("load".to_owned()),
            package_version: Some(1),
            fields: vec![Field {
                name: "balance".to_owned(),
                value: vec![0, 0, 0x32, 0x32],
            }],
            ..Body::default()
        };
        Message {
            letter: Letter::I,
            industry: "0001".parse().unwrap(),
            body,
        }
    }

    #[test]
    fn a_message_has_exactly_the_bytes_of_the_protocol() {
        let expected = concat!(
            "49303030310 1",
            "C00102",
            "C11007070707070707070707070707070707",
            "C20101",
            "C7046C6F6164",
            "CB0400000001",
            "D00C0762616C616E636500003232",
        );
        let bytes = example().encode().unwrap();
        assert_eq!(hex::encode_upper(&bytes), expected.replace(' ', ""));
        assert_eq!(Message::parse(&bytes).unwrap(), example());
    }

    #[test]
    fn lengths_of_one_two_and_three_bytes_are_read_back() {
        for length in [0, 1, 126, 127, 128, 255, 256, 60_000] {
            let mut message = example();
            message.body.put("x", vec![0xAA; length]);
            let bytes = message.encode().unwrap();
            assert_eq!(Message::parse(&bytes).unwrap(), message, "{length} bytes");
        }
    }

    #[test]
    fn a_message_over_64_kib_is_refused_both_ways() {
        let mut message = example();
        message.body.put("x", vec![0; 65_500]);
        assert_eq!(
            message.encode(),
            Err(MessageError::TooLong),
            "64 KiB with all objects"
        );
        let bytes = [b"I0001\x01".as_slice(), &vec![0; MAX_MESSAGE]].concat();
        assert_eq!(
            Message::parse(&bytes),
            Err(MessageError::TooLong),
            "before any parsing"
        );
    }

    #[test]
    fn the_wish_for_a_refund_is_there_as_01_or_absent() {
        let mut message = example();
        let without = message.encode().unwrap();
        message.body.refund = true;
        let with = message.encode().unwrap();
        assert_eq!(with.len(), without.len() + 3);
        assert!(with.windows(3).any(|it| it == [0xCC, 1, 1]));
        assert!(Message::parse(&with).unwrap().body.refund);
        assert!(!Message::parse(&without).unwrap().body.refund);
    }

    #[test]
    fn anything_but_the_listed_form_is_refused_by_name() {
        let cases: [(&[u8], MessageError); 17] = [
            (b"", MessageError::Cut),
            (b"I000", MessageError::Cut),
            (b"X0001\x01", MessageError::Letter(b'X')),
            (b"I000a\x01", MessageError::Industry),
            (b"I0001\x02", MessageError::Version(2)),
            (b"I0001\x01\xC0", MessageError::Length(0xC0)),
            (b"I0001\x01\xC0\x01\x05", MessageError::Value(0xC0)),
            (b"I0001\x01\xC2\x80\x01", MessageError::Length(0xC2)),
            (
                b"I0001\x01\xC2\x83\x00\x00\x01\x01",
                MessageError::Length(0xC2),
            ),
            (
                b"I0001\x01\xC2\x01\x01\xC2\x01\x01",
                MessageError::Twice(0xC2),
            ),
            (b"I0001\x01\xCD\x00", MessageError::Tag(0xCD)),
            (b"I0001\x01\xCC\x01\x00", MessageError::Value(0xCC)),
            (
                b"I0001\x01\xCC\x01\x01\xCC\x01\x01",
                MessageError::Twice(0xCC),
            ),
            (b"I0001\x01\xC3\x03\x00\x00\x01", MessageError::Value(0xC3)),
            (
                b"I0001\x01\xC4\x06\x00\x00\x00\x00\x00\x0A",
                MessageError::Value(0xC4),
            ),
            (b"I0001\x01\xD0\x02\x01A", MessageError::Value(0xD0)),
            (b"I0001\x01\xD0\x02\x01a\xD0\x02\x01a", MessageError::Fields),
        ];
        for (bytes, error) in cases {
            assert_eq!(Message::parse(bytes), Err(error), "{bytes:02X?}");
        }
    }

    #[test]
    fn what_could_not_be_read_can_not_be_written() {
        let mut message = example();
        message.body.phase = Some("Load".to_owned());
        assert_eq!(
            message.encode(),
            Err(MessageError::Value(0xC7)),
            "capital letter"
        );
        let mut message = example();
        message.body.put("balance", []);
        assert_eq!(message.encode(), Err(MessageError::Fields), "name twice");
    }

    #[test]
    fn a_message_carries_64_fields_and_not_one_more() {
        let mut message = example();
        message.body.fields.clear();
        for number in 0..MAX_FIELDS {
            message.body.put(&format!("f{number}"), []);
        }
        let full = message.encode().unwrap();
        assert_eq!(Message::parse(&full).unwrap(), message, "64 are good");
        message.body.put("more", []);
        assert_eq!(message.encode(), Err(MessageError::Fields), "written");
        let read = [&full[..], b"\xD0\x05\x04more"].concat();
        assert_eq!(Message::parse(&read), Err(MessageError::Fields), "read");
    }

    #[test]
    fn a_message_of_64_kib_passes_and_one_byte_more_does_not() {
        let mut message = example();
        message.body.put("a", vec![0; 30_000]);
        message.body.put("b", Vec::new());
        let so_far = message.encode().unwrap().len();
        // The length of the last object takes two bytes more than that of an empty one.
        let room = MAX_MESSAGE - so_far - 2;
        message.body.fields.pop();
        message.body.put("b", vec![0; room]);
        let full = message.encode().unwrap();
        assert_eq!(full.len(), MAX_MESSAGE);
        assert_eq!(letter(&full), Ok(Letter::I));
        assert_eq!(Message::parse(&full).unwrap(), message);
        message.body.fields.pop();
        message.body.put("b", vec![0; room + 1]);
        assert_eq!(message.encode(), Err(MessageError::TooLong));
        let more = [full, vec![0]].concat();
        assert_eq!(letter(&more), Err(MessageError::TooLong));
    }

    #[test]
    fn a_closing_message_names_its_transaction_and_its_end() {
        let industry = "0001".parse().unwrap();
        let end = Message::closing(industry, Operation::ReTopUp, [7; 16], "nothing-pending");
        let read = Message::parse(&end.encode().unwrap()).unwrap();
        assert_eq!(read.letter, Letter::A);
        assert_eq!(read.body.operation, Some(Operation::ReTopUp));
        assert_eq!(read.body.transaction, Some([7; 16]));
        assert_eq!(read.body.outcome.as_deref(), Some("nothing-pending"));
    }

    #[test]
    fn words_are_of_small_letters_digits_and_two_marks() {
        for (word, good) in [
            ("nothing-pending", true),
            ("open_topup", true),
            ("sha256", true),
            ("0-_", true),
            ("Load", false),
            ("a b", false),
            ("", false),
            (&"a".repeat(32), true),
            (&"a".repeat(33), false),
        ] {
            let mut message = example();
            message.body.outcome = Some(word.to_owned());
            let written = message.encode();
            assert_eq!(written.is_ok(), good, "{word:?}");
            if let Ok(bytes) = written {
                assert_eq!(Message::parse(&bytes).unwrap(), message, "{word:?}");
            }
        }
    }

    #[test]
    fn debug_shows_no_value_of_a_field() {
        let mut message = example();
        message.body.pin_block = Some(vec![0x41; 8]);
        message.body.put("file15", *b"\x00\x00\x62\x17");
        let text = format!("{message:?}");
        assert!(text.contains("file15 (4 bytes)"), "{text}");
        assert!(
            !text.contains("98, 23") && !text.contains("65, 65"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Message::parse(&bytes);
        }

        #[test]
        fn a_damaged_message_is_refused_or_reads_back_as_itself(
            place in 0_usize..60, bit in 0_u8..8, cut in 0_usize..60,
        ) {
            let mut bytes = example().encode().unwrap();
            let place = place % bytes.len();
            bytes[place] ^= 1 << bit;
            bytes.truncate(bytes.len() - cut % bytes.len());
            if let Ok(message) = Message::parse(&bytes) {
                prop_assert_eq!(Message::parse(&message.encode().unwrap()).unwrap(), message);
            }
        }
    }
}
