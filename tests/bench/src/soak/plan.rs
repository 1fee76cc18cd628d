//! What a seed makes of the time: who is killed when, and which loads break off.

use std::time::Duration;

use crate::person::Torn;

/// Between two kills, ms.
const PAUSE_MS: (u64, u64) = (5_000, 20_000);
/// Until what was killed starts again, ms.
const REST_MS: (u64, u64) = (100, 1_500);
/// Of so many loads one breaks off before the card has it, and one after.
const TORN: u64 = 32;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Kill {
    /// After the beginning.
    pub(crate) at: Duration,
    /// Which of the two.
    pub(crate) victim: usize,
    pub(crate) rest: Duration,
}

/// All that fit into this time, with their starts.
pub(crate) fn kills(seed: u64, time: Duration) -> Vec<Kill> {
    let mut random = Random::new(seed);
    let mut kills = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        at += random.ms(PAUSE_MS);
        let victim = usize::from(random.below(2) == 1);
        let rest = random.ms(REST_MS);
        if at + rest >= time {
            return kills;
        }
        kills.push(Kill { at, victim, rest });
    }
}

/// xorshift64*: the same seed, the same numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    fn ms(&mut self, (least, most): (u64, u64)) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }

    pub(crate) fn torn(&mut self) -> Option<Torn> {
        match self.below(TORN) {
            0 => Some(Torn::BeforeCard),
            1 => Some(Torn::AfterCard),
            _most => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_kills_again_and_as_far_apart_as_is_said() {
        let time = Duration::from_secs(600);
        let all = kills(7, time);
        assert_eq!(all, kills(7, time));
        assert_ne!(all, kills(8, time), "another seed, other moments");
        let mut before = Duration::ZERO;
        for kill in &all {
            let pause = kill.at - before;
            assert!((5..=20).contains(&pause.as_secs()), "{pause:?}");
            before = kill.at;
        }
        assert!(
            all.iter().any(|it| it.victim == 0) && all.iter().any(|it| it.victim == 1),
            "both of them"
        );
    }

    #[test]
    fn the_share_of_the_tests_kills_both_and_four_times() {
        let victims: Vec<_> = kills(7, Duration::from_secs(40))
            .iter()
            .map(|kill| kill.victim)
            .collect();
        assert_eq!(victims, [0, 0, 1, 0]);
    }
}
