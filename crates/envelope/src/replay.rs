//! Which counters were seen.

use serde::{Deserialize, Serialize};

/// The highest counter of one terminal, key and direction, and which of the 64 below it were seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The highest counter seen; 0 before the first.
    pub highest: u64,
    /// Bit i: the counter `highest - 1 - i` was seen.
    pub seen: u64,
}

/// What a counter is to a [`Window`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Never seen; it is marked now.
    New,
    /// Seen before: send the stored answer when the body is the same, else `replay`.
    Seen,
    /// Below the window, or 0: nobody can say any more.
    TooOld,
}

impl Window {
    /// Marks `counter` as seen and says whether it was.
    pub fn accept(&mut self, counter: u64) -> Freshness {
        if counter == 0 {
            return Freshness::TooOld;
        }
        match self.highest.checked_sub(counter) {
            None => {
                let rise = counter.saturating_sub(self.highest);
                self.seen = self.shifted(rise);
                self.highest = counter;
                Freshness::New
            }
            Some(0) => Freshness::Seen,
            Some(below) => {
                let Some(bit) = bit(below) else {
                    return Freshness::TooOld;
                };
                if self.seen & bit != 0 {
                    return Freshness::Seen;
                }
                self.seen |= bit;
                Freshness::New
            }
        }
    }

    /// The window after the highest counter rises by `rise`: the old highest becomes one of those below.
    fn shifted(&self, rise: u64) -> u64 {
        let moved = u32::try_from(rise)
            .ok()
            .and_then(|by| self.seen.checked_shl(by))
            .unwrap_or(0);
        let old_highest = if self.highest == 0 {
            0
        } else {
            bit(rise).unwrap_or(0)
        };
        moved | old_highest
    }
}

/// The bit of the counter that is `below` under the highest, from 1 to 64.
fn bit(below: u64) -> Option<u64> {
    let place = u32::try_from(below.checked_sub(1)?).ok()?;
    1u64.checked_shl(place)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_window_holds_the_highest_and_sixty_four_below_it() {
        let mut window = Window::default();
        assert_eq!(window.accept(0), Freshness::TooOld);
        assert_eq!(window.accept(1), Freshness::New);
        assert_eq!(window.accept(1), Freshness::Seen);
        assert_eq!(window.accept(65), Freshness::New);
        assert_eq!(
            window.accept(1),
            Freshness::Seen,
            "64 below: the last one in the window"
        );
        assert_eq!(window.accept(2), Freshness::New);
        assert_eq!(window.accept(66), Freshness::New);
        assert_eq!(window.accept(1), Freshness::TooOld);
        assert_eq!(window.accept(2), Freshness::Seen);
        assert_eq!(window.accept(u64::MAX), Freshness::New);
        assert_eq!(window.accept(66), Freshness::TooOld);
        assert_eq!(window.accept(u64::MAX - 64), Freshness::New);
        assert_eq!(window.accept(u64::MAX - 65), Freshness::TooOld);
    }

    #[test]
    fn a_window_survives_its_storage() {
        let mut window = Window::default();
        window.accept(u64::MAX);
        window.accept(u64::MAX - 64);
        let stored = serde_json::to_string(&window).unwrap();
        assert_eq!(serde_json::from_str::<Window>(&stored).unwrap(), window);
    }

    proptest! {
        #[test]
        fn the_window_agrees_with_a_set_of_all_counters(
            counters in prop::collection::vec(0u64..300, 1..400),
        ) {
            let mut window = Window::default();
            let mut set = BTreeSet::new();
            for counter in counters {
                let highest = set.last().copied().unwrap_or(0);
                let expected = if counter == 0 || counter + 64 < highest {
                    Freshness::TooOld
                } else if set.contains(&counter) {
                    Freshness::Seen
                } else {
                    Freshness::New
                };
                prop_assert_eq!(window.accept(counter), expected);
                if expected == Freshness::New {
                    set.insert(counter);
                }
            }
        }
    }
}
