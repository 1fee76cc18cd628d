//! `61xx` and `6Cxx`, in this one place below everything else; and what of an exchange may stand in the log.

use crate::LinkError;

/// A card that answers `61xx` for ever is not a card.
const MOST_PARTS: usize = 8;

/// Sends `command` by `send` and collects the whole reply, as [`Exchange`] says.
#[cfg(not(any(target_os = "android", target_os = "ios")))]
pub(crate) fn exchange(
    command: &[u8],
    mut send: impl FnMut(&[u8]) -> Result<Vec<u8>, LinkError>,
) -> Result<Vec<u8>, LinkError> {
    let mut exchange = Exchange::new(command);
    loop {
        let reply = send(exchange.next())?;
        if let Some(whole) = exchange.reply(reply)? {
            return Ok(whole);
        }
    }
}

/// One command until its whole reply is there, for shells that wait in their own way.
///
/// A reply without a status word means that contact was lost in the middle of the command. So does a status word that
/// begins with neither 6 nor 9 (ISO/IEC 7816-3, 10.3.3): the reply was cut. And so does a refused GET RESPONSE: the
/// command before it was done, and its outcome stayed on the card.
pub(crate) struct Exchange {
    command: Vec<u8>,
    next: Vec<u8>,
    whole: Vec<u8>,
    parts: usize,
    fetching: bool,
}

impl Exchange {
    pub(crate) fn new(command: &[u8]) -> Self {
        Self {
            command: command.to_vec(),
            next: command.to_vec(),
            whole: Vec::new(),
            parts: 0,
            fetching: false,
        }
    }

    /// What to send now.
    pub(crate) fn next(&self) -> &[u8] {
        &self.next
    }

    /// Takes the reply to [`Self::next`]; the whole one when nothing is left to send.
    pub(crate) fn reply(&mut self, mut reply: Vec<u8>) -> Result<Option<Vec<u8>>, LinkError> {
        let Some(&[sw1, sw2]) = reply.last_chunk::<2>() else {
            return Err(LinkError::Lost);
        };
        match sw1 {
            0x61 => {
                reply.truncate(reply.len() - 2);
                self.whole.append(&mut reply);
                self.next = get_response(&self.command, sw2);
                self.fetching = true;
            }
            0x6C if reply.len() == 2 && !is_without_answer(&self.next) => {
                self.next.truncate(body_length(&self.next));
                self.next.push(sw2);
            }
            0x62 | 0x63 | 0x90..=0x9F => {
                self.whole.append(&mut reply);
                return Ok(Some(std::mem::take(&mut self.whole)));
            }
            0x60..=0x6F if !self.fetching => return Ok(Some(reply)),
            _ => return Err(LinkError::Lost),
        }
        self.parts += 1;
        if self.parts < MOST_PARTS {
            Ok(None)
        } else {
            Err(LinkError::Lost)
        }
    }
}

/// On the logical channel of `command`, without secure messaging.
fn get_response(command: &[u8], length: u8) -> Vec<u8> {
    let class = command.first().copied().unwrap_or_default() & 0x03;
    vec![class, 0xC0, 0, 0, length]
}

/// Data and no Le: nothing was expected, so no length of it can be wrong. To VERIFY some cards say `6Cxx` for a wrong
/// PIN with x tries left (field), and each repetition would cost another one.
fn is_without_answer(command: &[u8]) -> bool {
    command.len() > 5 && command.len() == body_length(command)
}

/// Length of a short command without its Le.
fn body_length(command: &[u8]) -> usize {
    match command.get(4) {
        Some(&lc) if command.len() > 5 => 5 + usize::from(lc),
        Some(_) | None => 4,
    }
}

/// A command and its reply for the log: the first 5 bytes of the one, the last 2 of the other, both lengths. Never the
/// data: the last bytes of a command may be digits of a PIN.
pub(crate) fn brief(command: &[u8], reply: &[u8]) -> String {
    let head: String = command.iter().take(5).map(hexadecimal).collect();
    let status = reply.last_chunk::<2>();
    let status: String = status
        .map(|status| status.iter().map(hexadecimal).collect())
        .unwrap_or_default();
    format!(
        "{head} ({} B) -> {status} ({} B)",
        command.len(),
        reply.len()
    )
}

fn hexadecimal(byte: &u8) -> String {
    format!("{byte:02X}")
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
    fn a_wrong_pin_is_never_tried_again_whatever_word_says_so() {
        let verify = [0, 0x20, 0, 0, 3, 0x12, 0x34, 0x56];
        let (reply, sent) = scripted(&verify, &[&[0x6C, 0x02], &[0x6C, 0x01], &[0x69, 0x83]]);
        assert_eq!(sent, [verify.to_vec()], "the next try is the person's");
        assert_eq!(reply, Ok(vec![0x6C, 0x02]), "the package knows it");
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
    fn a_reply_cut_inside_its_data_is_no_status() {
        let cut = scripted(&[0, 0xB0, 0x95, 0, 0], &[&[0x10, 0x00, 0x00]]).0;
        assert_eq!(cut, Err(LinkError::Lost), "0000 is no status word");
        let own = scripted(&[0, 0xB0, 0x95, 0, 0], &[&[0x94, 0x06]]).0;
        assert_eq!(own, Ok(vec![0x94, 0x06]), "the field's own are");
    }

    #[test]
    fn a_done_command_whose_outcome_stays_on_the_card_is_no_refusal() {
        let credit = [0x80, 0x52, 0, 0, 1, 0xAA, 4];
        let lost = scripted(&credit, &[&[0x61, 4], &[0x6D, 0]]).0;
        assert_eq!(lost, Err(LinkError::Lost), "6D00 was not CREDIT's answer");
        let refused = scripted(&credit, &[&[0x93, 0x02]]).0;
        assert_eq!(refused, Ok(vec![0x93, 0x02]));
        let unknown = scripted(&credit, &[&[0x6D, 0]]).0;
        assert_eq!(unknown, Ok(vec![0x6D, 0]));
    }

    #[test]
    fn a_log_line_shows_neither_data_nor_pin() {
        assert_eq!(
            brief(&[0, 0x20, 0, 0, 3, 0x12, 0x34, 0x56], &[0x63, 0xC2]),
            "0020000003 (8 B) -> 63C2 (2 B)"
        );
        assert_eq!(
            brief(&[0, 0xB0, 0x95, 0, 0], &[0x62, 0x17, 0x90, 0x00]),
            "00B0950000 (5 B) -> 9000 (4 B)"
        );
        assert_eq!(
            brief(&[0, 0x84, 0, 0, 4], &[]),
            "0084000004 (5 B) ->  (0 B)"
        );
    }
}
