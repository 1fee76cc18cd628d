use thiserror::Error;

/// Why bytes are no relay message, or a message can't become bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum MessageError {
    /// No bytes at all, or the header is cut.
    #[error("message is cut")]
    Cut,
    /// Over 65,536 bytes.
    #[error("message is over 65536 bytes")]
    TooLong,
    /// The letter is neither `A` nor `I`.
    #[error("unknown letter {0:02X}")]
    Letter(u8),
    /// The industry code is not four digits or capital letters.
    #[error("not an industry code")]
    Industry,
    /// A body version other than 01.
    #[error("unknown body version {0:02X}")]
    Version(u8),
    /// A tag that section 1 of the protocol does not list.
    #[error("unknown tag {0:02X}")]
    Tag(u8),
    /// A tag that may stand once only stands twice.
    #[error("tag {0:02X} stands twice")]
    Twice(u8),
    /// A length is indefinite, over 65,535, or runs beyond the message.
    #[error("bad length of tag {0:02X}")]
    Length(u8),
    /// A value has not the shape that its tag asks for.
    #[error("bad value of tag {0:02X}")]
    Value(u8),
    /// Two fields have the same name, or there are more than [`crate::MAX_FIELDS`].
    #[error("a field stands twice, or too many fields")]
    Fields,
}
