//! The host's date and time as the card takes them.

use thiserror::Error;

/// The host's local date and time in BCD, part of MAC2, of the TAC and of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostTime {
    /// YYYYMMDD in 4 bytes.
    pub date: [u8; 4],
    /// HHMMSS in 3 bytes.
    pub time: [u8; 3],
}

/// A date or time that no calendar has, or that is not BCD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a BCD date and time")]
pub struct TimeError;

impl HostTime {
    /// Takes BCD bytes and checks digits and ranges (month, day, hour, minute, second).
    ///
    /// # Errors
    /// `TimeError` when a nibble is not a digit or a part is out of its range.
    pub fn new(date: [u8; 4], time: [u8; 3]) -> Result<Self, TimeError> {
        let [century, year, month, day] = date;
        let [hour, minute, second] = time;
        let within = |byte: u8, low: u8, high: u8| {
            let value = from_bcd(byte)?;
            (low..=high).contains(&value).then_some(value)
        };
        let parts = [
            within(century, 0, 99),
            within(year, 0, 99),
            within(month, 1, 12),
            within(day, 1, 31),
            within(hour, 0, 23),
            within(minute, 0, 59),
            within(second, 0, 59),
        ];
        if parts.iter().any(Option::is_none) {
            return Err(TimeError);
        }
        Ok(Self { date, time })
    }

    /// Builds it from calendar numbers, e.g. `(2016, 12, 16)` and `(10, 58, 0)`.
    ///
    /// # Errors
    /// `TimeError` when a part is out of its range.
    pub fn from_calendar(
        (year, month, day): (u16, u8, u8),
        (hour, minute, second): (u8, u8, u8),
    ) -> Result<Self, TimeError> {
        let century = u8::try_from(year.checked_div(100).ok_or(TimeError)?);
        let within_century = u8::try_from(year.checked_rem(100).ok_or(TimeError)?);
        let (Ok(century), Ok(within_century)) = (century, within_century) else {
            return Err(TimeError);
        };
        let bcd = |value: u8| to_bcd(value).ok_or(TimeError);
        Self::new(
            [bcd(century)?, bcd(within_century)?, bcd(month)?, bcd(day)?],
            [bcd(hour)?, bcd(minute)?, bcd(second)?],
        )
    }
}

fn to_bcd(value: u8) -> Option<u8> {
    let tens = value.checked_div(10)?;
    let units = value.checked_rem(10)?;
    (tens < 10).then_some((tens << 4) | units)
}

fn from_bcd(byte: u8) -> Option<u8> {
    let (tens, units) = (byte >> 4, byte & 0x0F);
    if tens > 9 || units > 9 {
        return None;
    }
    tens.checked_mul(10)?.checked_add(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_numbers_become_bcd() {
        let built = HostTime::from_calendar((2016, 12, 16), (10, 58, 0)).unwrap();
        assert_eq!(built.date, [0x20, 0x16, 0x12, 0x16]);
        assert_eq!(built.time, [0x10, 0x58, 0x00]);
    }

    #[test]
    fn what_is_no_digit_or_no_date_is_refused() {
        let noon = [0x12, 0, 0];
        for date in [
            [0x20, 0x16, 0x13, 1],
            [0x20, 0x1A, 1, 1],
            [0x20, 0x16, 1, 0x32],
        ] {
            assert_eq!(HostTime::new(date, noon), Err(TimeError), "{date:02X?}");
        }
        assert!(
            HostTime::new([0x20, 0x16, 1, 1], [0x24, 0, 0]).is_err(),
            "hour 24"
        );
        assert!(
            HostTime::from_calendar((2016, 1, 1), (0, 60, 0)).is_err(),
            "minute 60"
        );
        assert!(
            HostTime::from_calendar((10_000, 1, 1), (0, 0, 0)).is_err(),
            "year of 5 digits"
        );
    }
}
