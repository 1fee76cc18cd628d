//! How many requests may be in work at once: as many as the bank answers in good time, and never more than configured.
//!
//! Everything that is in work waits for one writer of the store, so a request's time grows with their number. When one took
//! longer than the target, the number shrinks by a fifth; while all are in time and there is no room, it grows by one for
//! as many as it is. What is not let in is told so at once, before its body is read twice or a lock is asked for.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Even a slow disk serves so many.
const LEAST: f64 = 8.0;
/// Where a bank starts: a burst that meets a slow disk is not all let in.
const FIRST: f64 = 64.0;
const SHRINK: f64 = 0.8;

pub(crate) struct Admission {
    most: f64,
    target: Duration,
    state: Mutex<State>,
}

struct State {
    in_work: usize,
    room: f64,
    /// When the room last shrank: requests that were in work at that time say nothing new.
    shrunk: Option<Instant>,
}

/// Leave to be in work; given back when it is dropped.
pub(crate) struct Leave<'a> {
    admission: &'a Admission,
    since: Instant,
}

impl Admission {
    pub(crate) fn new(most: usize, target: Duration) -> Self {
        let most = u32::try_from(most).map_or(f64::from(u32::MAX), f64::from);
        Self {
            most,
            target,
            state: Mutex::new(State {
                in_work: 0,
                room: FIRST.min(most),
                shrunk: None,
            }),
        }
    }

    pub(crate) fn enter(&self) -> Option<Leave<'_>> {
        self.enter_at(Instant::now())
    }

    /// Whether [`Self::enter`] would say no now.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        !state.has_room()
    }

    pub(crate) fn in_work(&self) -> usize {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.in_work
    }

    fn enter_at(&self, now: Instant) -> Option<Leave<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.has_room() {
            return None;
        }
        state.in_work = state.in_work.saturating_add(1);
        Some(Leave {
            admission: self,
            since: now,
        })
    }

    fn left(&self, since: Instant, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let was_full = !state.has_room();
        state.in_work = state.in_work.saturating_sub(1);
        if now.saturating_duration_since(since) <= self.target {
            if was_full {
                state.room = (state.room + 1.0 / state.room).min(self.most);
            }
        } else if state.shrunk.is_none_or(|shrunk| since >= shrunk) {
            state.room = (state.room * SHRINK).max(LEAST.min(self.most));
            state.shrunk = Some(now);
        }
    }
}

impl State {
    fn has_room(&self) -> bool {
        u32::try_from(self.in_work).is_ok_and(|in_work| f64::from(in_work) + 1.0 <= self.room)
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.admission.left(self.since, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_millis(100);

    /// A queue with one server that takes `each` for a request, asked by `askers` without a pause; the longest time of a
    /// request that was let in after the first `settled`.
    fn longest(each: Duration, askers: usize, settled: usize) -> Duration {
        let admission = Admission::new(256, TARGET);
        let mut now = Instant::now();
        let mut queue = std::collections::VecDeque::new();
        let mut longest = Duration::ZERO;
        for done in 0..5_000 {
            while queue.len() < askers {
                let Some(leave) = admission.enter_at(now) else {
                    break;
                };
                queue.push_back(leave.since);
                std::mem::forget(leave);
            }
            now += each;
            let since = queue.pop_front().unwrap();
            admission.left(since, now);
            if done > settled {
                longest = longest.max(now - since);
            }
        }
        longest
    }

    #[test]
    fn under_overload_the_room_becomes_what_is_answered_in_time() {
        for each_us in [500, 2_000, 5_000] {
            let each = Duration::from_micros(each_us);
            let longest = longest(each, 10_000, 1_000);
            assert!(longest < TARGET * 3 / 2, "{each:?} each: {longest:?}");
        }
    }

    #[test]
    fn a_fast_bank_is_never_held_below_what_is_asked_of_it() {
        let admission = Admission::new(256, TARGET);
        let now = Instant::now();
        let mut in_work = 0;
        for _ in 0..40_000 {
            while let Some(leave) = admission.enter_at(now) {
                std::mem::forget(leave);
                in_work += 1;
            }
            admission.left(now, now + TARGET / 10);
            in_work -= 1;
        }
        let state = admission.state.lock().unwrap();
        assert!(state.room > 250.0, "{}", state.room);
        assert_eq!(state.in_work, in_work);
    }

    #[test]
    fn a_bank_that_may_do_one_thing_at_once_does_one() {
        let admission = Admission::new(1, TARGET);
        let leave = admission.enter().unwrap();
        assert!(admission.is_full() && admission.enter().is_none());
        drop(leave);
        assert!(!admission.is_full());
        let now = Instant::now();
        std::mem::forget(admission.enter_at(now).unwrap());
        admission.left(now, now + TARGET * 2);
        assert!(admission.enter().is_some(), "one is always let in");
    }
}
