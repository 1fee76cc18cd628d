//! Messages on a stream: two bytes of length (big-endian, without themselves) before each. No IO.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

/// The longest message that is taken, bytes; the fields of this bank's own need 250.
const MOST: usize = 8 * 1024;

/// A length that no message has: where the next one begins is not known any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a message of {0} bytes")]
pub(crate) struct TooLong(usize);

/// # Errors
/// [`TooLong`].
pub(crate) fn framed(message: &[u8]) -> Result<Vec<u8>, TooLong> {
    let length = u16::try_from(message.len()).ok();
    let length = length.filter(|_| message.len() <= MOST);
    let length = length.ok_or(TooLong(message.len()))?;
    Ok([&length.to_be_bytes()[..], message].concat())
}

/// Takes the next whole message out of what has come; none while it is not all there. Empty ones keep a line alive and
/// say nothing.
///
/// # Errors
/// [`TooLong`].
pub(crate) fn next(came: &mut Vec<u8>) -> Result<Option<Vec<u8>>, TooLong> {
    loop {
        let Some((length, rest)) = came.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length > MOST {
            return Err(TooLong(length));
        }
        let Some((message, rest)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        let (message, rest) = (message.to_vec(), rest.to_vec());
        *came = rest;
        if length > 0 {
            return Ok(Some(message));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn empty_messages_are_passed_over_and_too_long_ones_end_the_stream() {
        let mut came = vec![0, 0, 0, 0, 0, 2, 7, 8, 0];
        assert_eq!(next(&mut came), Ok(Some(vec![7, 8])));
        assert_eq!((next(&mut came), came.len()), (Ok(None), 1));
        assert_eq!(next(&mut vec![0xFF, 0xFF]), Err(TooLong(0xFFFF)));
        assert_eq!(framed(&[0; MOST + 1]), Err(TooLong(MOST + 1)));
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in_however_the_stream_is_cut(
            messages in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 1..40), 0..6),
            piece in 1_usize..9,
        ) {
            let stream: Vec<u8> =
                messages.iter().flat_map(|message| framed(message).unwrap()).collect();
            let (mut came, mut taken) = (Vec::new(), Vec::new());
            for part in stream.chunks(piece) {
                came.extend_from_slice(part);
                while let Some(message) = next(&mut came).unwrap() {
                    taken.push(message);
                }
            }
            prop_assert_eq!(taken, messages);
        }
    }
}
