//! Status words of the card.

use crate::reply::ReplyError;

/// What a card's two last bytes say. Unknown words are kept as they are.
///
/// Source: ISO/IEC 7816-4 and JR/T 0025.2; `6Cxx` as an answer to VERIFY is field practice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// 9000: done.
    Ok,
    /// 61xx: so many bytes wait for GET RESPONSE.
    MoreData(u8),
    /// 6Cxx: send again with this Le. As an answer to VERIFY some cards mean `63Cx` by it.
    WrongLe(u8),
    /// 63Cx: wrong PIN, so many tries left.
    PinWrong(u8),
    /// 6283: the selected application is blocked.
    SelectedInvalidated,
    /// 6581: EEPROM failure; some cards mean an unknown key index.
    MemoryFailure,
    /// 6700: wrong length.
    WrongLength,
    /// 6901: command not accepted in this state.
    StateInvalid,
    /// 6982: security condition not met, e.g. VERIFY is missing.
    SecurityNotSatisfied,
    /// 6983: PIN blocked.
    PinBlocked,
    /// 6985: conditions of use not met: CREDIT without INITIALIZE, load overflow, blocked card.
    ConditionsNotSatisfied,
    /// 6988: secure-messaging MAC wrong.
    SecureMacWrong,
    /// 6A80: wrong data.
    DataInvalid,
    /// 6A81: function not supported; as an answer to SELECT, the application is blocked.
    FunctionNotSupported,
    /// 6A82: no such file or application.
    FileNotFound,
    /// 6A83: no such record.
    RecordNotFound,
    /// 6A86: wrong P1 P2.
    ParametersWrong,
    /// 6A88: referenced data not found.
    ReferenceNotFound,
    /// 6B00: offset outside the file.
    OffsetWrong,
    /// 6D00: unknown instruction.
    InstructionUnknown,
    /// 6E00: unknown class.
    ClassUnknown,
    /// 9302: MAC invalid.
    MacInvalid,
    /// 9303: application locked for good.
    Locked,
    /// 9401: balance insufficient.
    Insufficient,
    /// 9402: transaction counter exhausted.
    CounterExhausted,
    /// 9403: key index not supported; to VERIFY, the purse has no PIN.
    KeyIndexUnknown,
    /// 9406: no MAC or TAC available.
    NoProof,
    /// Any other word.
    Other(u16),
}

impl Status {
    /// The status that `word` means; never fails.
    #[must_use]
    pub fn from_word(word: u16) -> Self {
        let [high, low] = word.to_be_bytes();
        match word {
            0x9000 => Self::Ok,
            0x6283 => Self::SelectedInvalidated,
            0x6581 => Self::MemoryFailure,
            0x6700 => Self::WrongLength,
            0x6901 => Self::StateInvalid,
            0x6982 => Self::SecurityNotSatisfied,
            0x6983 => Self::PinBlocked,
            0x6985 => Self::ConditionsNotSatisfied,
            0x6988 => Self::SecureMacWrong,
            0x6A80 => Self::DataInvalid,
            0x6A81 => Self::FunctionNotSupported,
            0x6A82 => Self::FileNotFound,
            0x6A83 => Self::RecordNotFound,
            0x6A86 => Self::ParametersWrong,
            0x6A88 => Self::ReferenceNotFound,
            0x6B00 => Self::OffsetWrong,
            0x6D00 => Self::InstructionUnknown,
            0x6E00 => Self::ClassUnknown,
            0x9302 => Self::MacInvalid,
            0x9303 => Self::Locked,
            0x9401 => Self::Insufficient,
            0x9402 => Self::CounterExhausted,
            0x9403 => Self::KeyIndexUnknown,
            0x9406 => Self::NoProof,
            _ if high == 0x61 => Self::MoreData(low),
            _ if high == 0x6C => Self::WrongLe(low),
            _ if high == 0x63 && low & 0xF0 == 0xC0 => Self::PinWrong(low & 0x0F),
            _ => Self::Other(word),
        }
    }

    /// The two bytes on the wire. `PinWrong` carries at most 15 tries.
    #[must_use]
    pub fn word(self) -> u16 {
        match self {
            Self::Ok => 0x9000,
            Self::MoreData(count) => u16::from_be_bytes([0x61, count]),
            Self::WrongLe(count) => u16::from_be_bytes([0x6C, count]),
            Self::PinWrong(left) => u16::from_be_bytes([0x63, 0xC0 | (left & 0x0F)]),
            Self::SelectedInvalidated => 0x6283,
            Self::MemoryFailure => 0x6581,
            Self::WrongLength => 0x6700,
            Self::StateInvalid => 0x6901,
            Self::SecurityNotSatisfied => 0x6982,
            Self::PinBlocked => 0x6983,
            Self::ConditionsNotSatisfied => 0x6985,
            Self::SecureMacWrong => 0x6988,
            Self::DataInvalid => 0x6A80,
            Self::FunctionNotSupported => 0x6A81,
            Self::FileNotFound => 0x6A82,
            Self::RecordNotFound => 0x6A83,
            Self::ParametersWrong => 0x6A86,
            Self::ReferenceNotFound => 0x6A88,
            Self::OffsetWrong => 0x6B00,
            Self::InstructionUnknown => 0x6D00,
            Self::ClassUnknown => 0x6E00,
            Self::MacInvalid => 0x9302,
            Self::Locked => 0x9303,
            Self::Insufficient => 0x9401,
            Self::CounterExhausted => 0x9402,
            Self::KeyIndexUnknown => 0x9403,
            Self::NoProof => 0x9406,
            Self::Other(word) => word,
        }
    }
}

/// Cuts a whole reply into its data and its status.
///
/// # Errors
/// `ReplyError::Length` when there are fewer than 2 bytes: the outcome is then unknown.
pub fn split(reply: &[u8]) -> Result<(&[u8], Status), ReplyError> {
    match reply.split_last_chunk::<2>() {
        Some((data, word)) => Ok((data, Status::from_word(u16::from_be_bytes(*word)))),
        None => Err(ReplyError::Length {
            expected: 2,
            found: reply.len(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_survives_the_way_there_and_back() {
        for word in 0..=u16::MAX {
            assert_eq!(Status::from_word(word).word(), word, "{word:04X}");
        }
    }

    #[test]
    fn a_reply_of_one_byte_has_no_status() {
        assert_eq!(
            split(&[0x90]),
            Err(ReplyError::Length {
                expected: 2,
                found: 1
            })
        );
        assert_eq!(split(&[1, 0x63, 0xC2]), Ok((&[1][..], Status::PinWrong(2))));
    }
}
