//! `61xx` and `6Cxx`, in this one place below everything else.

use crate::LinkError;

/// A card that answers `61xx` for ever is not a card.
const MOST_PARTS: usize = 8;

/// Sends `command` by `send` and collects the whole reply. A reply without a status word means that contact was lost
/// in the middle of the command.
pub(crate) fn exchange(
    command: &[u8],
    mut send: impl FnMut(&[u8]) -> Result<Vec<u8>, LinkError>,
) -> Result<Vec<u8>, LinkError> {
    let mut whole = Vec::new();
    let mut next = command.to_vec();
    for _ in 0..MOST_PARTS {
        let mut reply = send(&next)?;
        let Some(&[sw1, sw2]) = reply.last_chunk::<2>() else {
            return Err(LinkError::Lost);
        };
        match sw1 {
            0x61 => {
                reply.truncate(reply.len() - 2);
                whole.append(&mut reply);
                next = vec![
                    command.first().copied().unwrap_or_default() & 0x03,
                    0xC0,
                    0,
                    0,
                    sw2,
                ];
            }
            0x6C if reply.len() == 2 => {
                next.truncate(body_length(&next));
                next.push(sw2);
            }
            _ => {
                whole.append(&mut reply);
                return Ok(whole);
            }
        }
    }
    Err(LinkError::Lost)
}

/// Length of a short command without its Le.
fn body_length(command: &[u8]) -> usize {
    match command.get(4) {
        Some(&lc) if command.len() > 5 => 5 + usize::from(lc),
        Some(_) | None => 4,
    }
}

/// First 5 and last 2 bytes and the length: never the data.
pub(crate) fn brief(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in bytes.iter().take(5) {
        let _ = write!(text, "{byte:02X}");
    }
    if bytes.len() > 7 {
        text.push_str("..");
    }
    for byte in bytes.iter().skip(5.max(bytes.len().saturating_sub(2))) {
        let _ = write!(text, "{byte:02X}");
    }
    format!("{text} ({} B)", bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripted(command: &[u8], replies: &[&[u8]]) -> (Result<Vec<u8>, LinkError>, Vec<Vec<u8>>) {
        let mut sent = Vec::new();
        let mut replies = replies.iter();
        let result = exchange(command, |bytes| {
            sent.push(bytes.to_vec());
            Ok(replies
                .next()
                .map(|reply| reply.to_vec())
                .unwrap_or_default())
        });
        (result, sent)
    }

    #[test]
    fn more_data_is_fetched_and_joined() {
        let (reply, sent) = scripted(
            &[0, 0xB0, 0x95, 0, 0x1E],
            &[&[1, 2, 0x61, 2], &[3, 4, 0x90, 0]],
        );
        assert_eq!(reply, Ok(vec![1, 2, 3, 4, 0x90, 0]));
        assert_eq!(sent[1], [0, 0xC0, 0, 0, 2]);
    }

    #[test]
    fn a_wrong_length_is_corrected_and_the_data_kept() {
        let command = [0x80, 0x50, 0, 2, 2, 0xAA, 0xBB, 0x10];
        let (reply, sent) = scripted(&command, &[&[0x6C, 0x08], &[0x90, 0]]);
        assert_eq!(reply, Ok(vec![0x90, 0]));
        assert_eq!(sent[1], [0x80, 0x50, 0, 2, 2, 0xAA, 0xBB, 0x08]);
        let (_, sent) = scripted(&[0, 0xB0, 0x95, 0, 0], &[&[0x6C, 0x1E], &[0x90, 0]]);
        assert_eq!(sent[1], [0, 0xB0, 0x95, 0, 0x1E]);
    }

    #[test]
    fn an_empty_or_cut_reply_means_that_contact_was_lost() {
        assert_eq!(
            scripted(&[0, 0x84, 0, 0, 4], &[&[]]).0,
            Err(LinkError::Lost)
        );
        assert_eq!(
            scripted(&[0, 0x84, 0, 0, 4], &[&[0x90]]).0,
            Err(LinkError::Lost)
        );
    }

    #[test]
    fn a_card_that_never_ends_is_given_up() {
        let endless: Vec<&[u8]> = vec![&[0x61, 0x10]; 20];
        assert_eq!(
            scripted(&[0, 0xB0, 0, 0, 0], &endless).0,
            Err(LinkError::Lost)
        );
    }

    #[test]
    fn a_command_in_the_log_shows_no_data() {
        assert_eq!(
            brief(&[0x80, 0x50, 0, 2, 0x0B, 1, 2, 3, 4, 5, 6]),
            "805000020B..0506 (11 B)"
        );
        assert_eq!(brief(&[0x90, 0x00]), "9000 (2 B)");
    }
}
