//! Whether the contact with a card is good enough to move money over it: harmless reads tell.

/// A harmless read, answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProbeRead {
    /// From the command to its reply, ms.
    pub ms: u64,
    /// Data and status word.
    pub reply: Vec<u8>,
}

/// What the reads say of the contact. A read that was lost needs no judging: the contact is poor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Contact {
    /// Money may move.
    Good,
    /// The card should lie better first.
    Poor,
}

/// How often a read that took `first_ms` is repeated: a slow card must not keep a person waiting.
#[must_use]
pub fn repeats(first_ms: u64) -> usize {
    match first_ms {
        0..100 => 5,
        100..500 => 3,
        _ => 2,
    }
}

/// What a program and its system can add to one of several reads, ms.
const NOISE_MS: u64 = 80;

/// Poor when replies to the same command differ, or one took far longer than another. Slow and even is good: field
/// cards take up to 4 s for a command.
#[must_use]
pub fn contact(reads: &[ProbeRead]) -> Contact {
    let times = || reads.iter().map(|read| read.ms);
    let (Some(fastest), Some(slowest)) = (times().min(), times().max()) else {
        return Contact::Poor;
    };
    let even = slowest <= fastest.saturating_mul(3).saturating_add(NOISE_MS);
    let same = reads
        .windows(2)
        .all(|pair| matches!(pair, [one, next] if one.reply == next.reply));
    if even && same {
        Contact::Good
    } else {
        Contact::Poor
    }
}

/// The instruction of SELECT, which moves to another application or file of the card (ISO 7816-4).
const SELECT: u8 = 0xA4;

/// Of the commands that come after a measurement, as many as leave the card where it is: a contact that turns out poor is
/// measured there again.
pub fn in_place(ahead: &[Vec<u8>]) -> impl Iterator<Item = &Vec<u8>> {
    let stays = |command: &&Vec<u8>| command.get(1) != Some(&SELECT);
    ahead.iter().take_while(stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_along_with_a_measurement_leaves_the_card_where_it_is() {
        let (balance, select) = (vec![0x80, 0x5C, 0, 2, 4], vec![0, 0xA4, 0, 0, 2, 0x3F, 1]);
        let ahead = [balance.clone(), select, balance.clone()];
        assert_eq!(in_place(&ahead).collect::<Vec<_>>(), [&balance]);
        assert_eq!(in_place(ahead.get(..1).unwrap_or_default()).count(), 1);
    }

    fn reads(times: &[u64]) -> Vec<ProbeRead> {
        let reply = vec![0x32, 0x32, 0x90, 0x00];
        let read = |ms: &u64| ProbeRead {
            ms: *ms,
            reply: reply.clone(),
        };
        times.iter().map(read).collect()
    }

    #[test]
    fn even_reads_are_a_good_contact_at_any_speed() {
        for ms in [0, 12, 90, 700, 4_000, u64::MAX] {
            assert_eq!(contact(&reads(&[ms; 3])), Contact::Good, "{ms} ms each");
        }
    }

    #[test]
    fn the_slowest_may_take_three_times_the_fastest_and_80_ms() {
        assert_eq!(contact(&reads(&[20, 140, 20])), Contact::Good);
        assert_eq!(contact(&reads(&[20, 141, 20])), Contact::Poor);
        assert_eq!(contact(&reads(&[0, 80])), Contact::Good, "as fast as none");
        assert_eq!(contact(&reads(&[81, 0])), Contact::Poor, "in any order");
    }

    #[test]
    fn a_card_that_gives_two_answers_to_one_question_lies_badly() {
        let mut reads = reads(&[12; 4]);
        reads[2].reply[0] = 0x33;
        assert_eq!(contact(&reads), Contact::Poor);
    }

    #[test]
    fn no_read_is_no_proof() {
        assert_eq!(contact(&[]), Contact::Poor);
    }

    #[test]
    fn a_slow_card_is_asked_less_often() {
        let asked = [0, 99, 100, 499, 500, 4_000].map(repeats);
        assert_eq!(asked, [5, 5, 3, 3, 2, 2]);
    }
}
