//! How often somebody may do something: in memory, by the minute, forgotten at a restart. What must outlive one is counted
//! in the store.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Whoever asks is put under one of so many locks.
const SHARDS: usize = 16;
/// Subjects remembered under one lock. Beyond, those that are in no debt are forgotten first; then new ones go unlimited.
const MOST_SUBJECTS: usize = 4_096;

/// A limit by the generic cell rate algorithm (ITU-T I.371): a steady rate, and a burst that may go before it.
pub(crate) struct Rate {
    each: Duration,
    burst: Duration,
    hasher: RandomState,
    shards: [Mutex<HashMap<u64, Instant>>; SHARDS],
}

impl Rate {
    /// `most` in each `period`, of which a quarter may come at once; none when `most` is 0.
    pub(crate) fn new(most: u32, period: Duration) -> Option<Self> {
        let each = period.checked_div(most)?;
        Some(Self {
            each,
            burst: each.saturating_mul((most / 4).max(1)),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// How long `subject` must wait; none when it may go on.
    pub(crate) fn wait(&self, subject: &impl Hash, now: Instant) -> Option<Duration> {
        let key = self.hasher.hash_one(subject);
        let due = *self.shard(key)?.get(&key)?;
        let early = due.saturating_duration_since(now);
        let over = (early + self.each).saturating_sub(self.burst);
        (!over.is_zero()).then_some(over)
    }

    pub(crate) fn count(&self, subject: &impl Hash, now: Instant) {
        let key = self.hasher.hash_one(subject);
        let Some(mut subjects) = self.shard(key) else {
            return;
        };
        if subjects.len() >= MOST_SUBJECTS {
            subjects.retain(|_, due| *due > now);
        }
        if subjects.len() < MOST_SUBJECTS || subjects.contains_key(&key) {
            let due = subjects.entry(key).or_insert(now);
            *due = (*due).max(now) + self.each;
        }
    }

    fn shard(&self, key: u64) -> Option<std::sync::MutexGuard<'_, HashMap<u64, Instant>>> {
        let at = usize::try_from(key >> 60).ok()?;
        let shard = self.shards.get(at)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(rate: &Rate, subject: u32, now: Instant) -> bool {
        let free = rate.wait(&subject, now).is_none();
        if free {
            rate.count(&subject, now);
        }
        free
    }

    #[test]
    fn a_burst_goes_at_once_and_then_a_steady_rate() {
        let rate = Rate::new(60, Duration::from_secs(60)).unwrap();
        let start = Instant::now();
        let burst = (0..100).filter(|_| allowed(&rate, 1, start)).count();
        assert_eq!(burst, 15, "a quarter of a minute's");
        assert!(allowed(&rate, 2, start), "somebody else is not held up");
        let minute = (0..600).filter(|tenth| {
            let now = start + Duration::from_millis(tenth * 100);
            allowed(&rate, 1, now)
        });
        let minute = minute.count();
        assert!((59..=60).contains(&minute), "{minute}");
        let wait = rate
            .wait(&1, start + Duration::from_millis(59_900))
            .unwrap();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert_eq!(rate.wait(&1, start + Duration::from_secs(90)), None);
    }

    #[test]
    fn a_million_subjects_take_no_more_room_than_a_few_thousand() {
        let rate = Rate::new(60, Duration::from_secs(60)).unwrap();
        let now = Instant::now();
        for subject in 0..200_000_u32 {
            rate.count(&subject, now);
        }
        let kept: usize = rate.shards.iter().map(|it| it.lock().unwrap().len()).sum();
        assert!(kept <= SHARDS * MOST_SUBJECTS, "{kept}");
        rate.count(&1, now + Duration::from_secs(100));
        assert!(
            rate.wait(&1, now).is_some(),
            "debts that are over make room"
        );
    }

    #[test]
    fn no_limit_is_none() {
        assert!(Rate::new(0, Duration::from_secs(60)).is_none());
    }
}
