//! The clock, so that tests can hold it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::Offset;
use purse::HostTime;

/// Where the bank gets the time from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> u64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that moves only when told.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Stands at `now_ms`.
    pub fn new(now_ms: u64) -> Self {
        Self(AtomicU64::new(now_ms))
    }

    /// Goes on by `ms`.
    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// The bank's local date and time (China, UTC+8), as the card takes it.
pub(crate) fn host_time(now_ms: u64) -> Option<HostTime> {
    let ms = i64::try_from(now_ms).ok()?;
    let timestamp = jiff::Timestamp::from_millisecond(ms).ok()?;
    let local = Offset::constant(8).to_datetime(timestamp);
    let part = |number: i8| u8::try_from(number).ok();
    HostTime::from_calendar(
        (
            u16::try_from(local.year()).ok()?,
            part(local.month())?,
            part(local.day())?,
        ),
        (
            part(local.hour())?,
            part(local.minute())?,
            part(local.second())?,
        ),
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_time_is_that_of_china() {
        let at = host_time(1_481_857_080_000).unwrap();
        assert_eq!(
            (at.date, at.time),
            ([0x20, 0x16, 0x12, 0x16], [0x10, 0x58, 0x00])
        );
    }
}
