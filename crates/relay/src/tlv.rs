use crate::MessageError;

/// One BER-TLV object with a tag of one byte.
pub(crate) struct Object<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
}

/// Takes the first object off `bytes`.
pub(crate) fn take(bytes: &[u8]) -> Result<(Object<'_>, &[u8]), MessageError> {
    let (&tag, rest) = bytes.split_first().ok_or(MessageError::Cut)?;
    let (length, rest) = take_length(tag, rest)?;
    let (value, rest) = rest
        .split_at_checked(length)
        .ok_or(MessageError::Length(tag))?;
    Ok((Object { tag, value }, rest))
}

/// Appends one object.
pub(crate) fn put(out: &mut Vec<u8>, tag: u8, value: &[u8]) -> Result<(), MessageError> {
    let length = u16::try_from(value.len()).map_err(|_| MessageError::Length(tag))?;
    out.push(tag);
    match length.to_be_bytes() {
        [0, low @ 0..=0x7F] => out.push(low),
        [0, low] => out.extend([0x81, low]),
        [high, low] => out.extend([0x82, high, low]),
    }
    out.extend_from_slice(value);
    Ok(())
}

fn take_length(tag: u8, bytes: &[u8]) -> Result<(usize, &[u8]), MessageError> {
    match bytes {
        [length @ 0..=0x7F, rest @ ..] => Ok((usize::from(*length), rest)),
        [0x81, length, rest @ ..] => Ok((usize::from(*length), rest)),
        [0x82, high, low, rest @ ..] => Ok((usize::from(u16::from_be_bytes([*high, *low])), rest)),
        _ => Err(MessageError::Length(tag)),
    }
}
