use std::time::{SystemTime, UNIX_EPOCH};

/// Where the session gets the time from: rules get it as an argument, tests bring their own.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> u64;
}

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// `YYYYMMDD` in China's time zone (UTC+8), the time of the cards' dates.
pub(crate) fn card_date(now_ms: u64) -> u32 {
    const EIGHT_HOURS_MS: u64 = 8 * 3_600_000;
    let ms = i64::try_from(now_ms.saturating_add(EIGHT_HOURS_MS)).unwrap_or(i64::MAX);
    let Ok(time) = jiff::Timestamp::from_millisecond(ms) else {
        return 99_991_231;
    };
    let date = time.to_zoned(jiff::tz::TimeZone::UTC).date();
    let part = |n: i8| u32::from(n.unsigned_abs());
    u32::from(date.year().unsigned_abs()) * 10_000 + part(date.month()) * 100 + part(date.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_day_starts_at_midnight_in_china() {
        let last_ms = 1_795_362_000_000 / 86_400_000 * 86_400_000 + 16 * 3_600_000;
        assert_eq!(
            card_date(last_ms) - card_date(last_ms - 1),
            1,
            "16:00 UTC is midnight there"
        );
    }
}
