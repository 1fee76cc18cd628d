//! Faults that are no cell of the matrix: they can come at any point, and come less often.

use crate::random::Random;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rare {
    /// Somebody sets the device's clock, ms.
    AppClock(i64),
    /// The bank's clock is set, ms.
    BankClock(i64),
    /// The app's disk is full for so long, ms.
    DiskFull(u64),
    /// The bank's store refuses so many commits.
    StoreFull(u64),
    /// Somebody else holds the write lock of the bank's store for so long, ms.
    StoreLocked(u64),
    /// Another card lies on the reader for so long, ms; the reader sees the change or misses it.
    OtherCard { ms: u64, seen: bool },
    /// Bad contact: one command of three takes so much longer, for so many commands.
    Jitter { ms: u64, commands: u32, seed: u64 },
    /// The next reply of the card is garbage.
    Garbage,
    /// The next reply of the card is cut.
    Truncate,
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;

impl Rare {
    pub(crate) fn draw(random: &mut Random) -> Self {
        match random.below(12) {
            0 => Self::AppClock(jump(random)),
            1 => {
                let most = random
                    .pick(&[MINUTE_MS, 60 * MINUTE_MS, 3 * DAY_MS])
                    .copied();
                Self::BankClock(whole(random.below(most.unwrap_or(MINUTE_MS))))
            }
            2 | 3 => Self::DiskFull(random.below(40_000)),
            4 => Self::StoreFull(1 + random.below(3)),
            5 | 6 => Self::OtherCard {
                ms: random.below(5_000),
                seen: random.one_in(2),
            },
            7 => Self::StoreLocked(random.below(40_000)),
            8 | 9 => Self::Jitter {
                ms: 100 + random.below(900),
                commands: 3 + u32::try_from(random.below(60)).unwrap_or_default(),
                seed: random.next(),
            },
            10 => Self::Garbage,
            _ => Self::Truncate,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AppClock(_) => "the app's clock is set",
            Self::BankClock(_) => "the bank's clock is set",
            Self::DiskFull(_) => "the app's disk is full",
            Self::StoreFull(_) => "the bank's store is full",
            Self::StoreLocked(_) => "the bank's store is locked",
            Self::Jitter { .. } => "bad contact",
            Self::OtherCard { .. } => "another card for a while",
            Self::Garbage => "garbage from the card",
            Self::Truncate => "half a reply of the card",
        }
    }
}

fn jump(random: &mut Random) -> i64 {
    let most = random
        .pick(&[MINUTE_MS, 10 * MINUTE_MS, DAY_MS, 800 * DAY_MS])
        .copied();
    let ms = whole(random.below(most.unwrap_or(MINUTE_MS)));
    if random.one_in(2) { ms } else { -ms }
}

fn whole(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
