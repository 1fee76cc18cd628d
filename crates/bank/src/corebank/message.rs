//! What this bank says to a core banking host, and what an answer means. No IO, no clock.

use jiff::tz::Offset;
use zeroize::Zeroizing;

use crate::config::CoreSettings;
use crate::corebank::iso::{Message, Mti};

/// Renminbi (ISO 4217).
const CURRENCY: &str = "156";
const APPROVED: &str = "00";
const FUNDS_SHORT: &str = "51";
/// The host has no such original.
const NO_RECORD: &str = "25";
const DUPLICATE: &str = "94";
/// A host that has no record of a load may still get its 0200, from a line that was slow. After this long it can't.
const SLOWEST_MS: u64 = 120_000;

/// Answers by which nothing was booked (ISO 8583:1987, field 39). Any other that is no approval may hide a booking (06,
/// 68, 91, 96) or is half of one (10): the load is void, and reversed.
const REFUSALS: [&str; 42] = [
    "01", "02", "03", "04", "05", "07", "12", "13", "14", "15", "30", "31", "33", "34", "35", "36",
    "37", "38", "39", "40", "41", "42", "43", "51", "52", "53", "54", "55", "56", "57", "58", "59",
    "60", "61", "62", "63", "64", "65", "66", "67", "75", "93",
];

/// A load that the host is asked for.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) load: [u8; 16],
    pub(crate) stan: u32,
    pub(crate) rrn: String,
    /// Fen.
    pub(crate) amount: u32,
    pub(crate) asked_ms: u64,
    /// At the host.
    pub(crate) account: Zeroizing<String>,
}

/// A load that the host is to take back.
pub(crate) struct Reversal {
    pub(crate) original: Ask,
    /// Of the answer that approved it.
    pub(crate) approval: Option<String>,
    /// The same in each repetition.
    pub(crate) stan: u32,
    /// It was sent before.
    pub(crate) again: bool,
}

/// What the host said to a load.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Said {
    Approved {
        approval: Option<String>,
    },
    FundsShort {
        response: String,
    },
    Refused {
        response: String,
    },
    /// It may have booked, or not.
    Doubtful {
        response: Option<String>,
    },
}

impl Said {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Approved { .. } => "approved",
            Self::FundsShort { .. } => "funds-short",
            Self::Refused { .. } => "refused",
            Self::Doubtful { response: Some(_) } => "doubtful",
            Self::Doubtful { response: None } => "silent",
        }
    }
}

/// What the host said to a reversal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Undone {
    pub(crate) response: String,
    /// Nothing of the load is booked any more, or ever will be.
    pub(crate) settled: bool,
}

/// Month and day, and the time of a day, as digits; so many hours east of Greenwich.
fn moment(now_ms: u64, hours: i8) -> Option<(String, String)> {
    let ms = i64::try_from(now_ms).ok()?;
    let at = Offset::constant(hours).to_datetime(jiff::Timestamp::from_millisecond(ms).ok()?);
    let date = format!("{:02}{:02}", at.month(), at.day());
    let time = format!("{:02}{:02}{:02}", at.hour(), at.minute(), at.second());
    Some((date, time))
}

/// A field 37 of this day: the year's last digit, the day of the year, eight digits.
pub(crate) fn rrn(now_ms: u64, digits: u32) -> Option<String> {
    let ms = i64::try_from(now_ms).ok()?;
    let at = Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(ms).ok()?);
    let (year, day) = (at.year().rem_euclid(10), at.day_of_year());
    Some(format!("{year}{day:03}{:08}", digits % 100_000_000))
}

/// Field 7.
fn sent(now_ms: u64) -> Option<String> {
    let (date, time) = moment(now_ms, 0)?;
    Some(date + &time)
}

fn digits_6(stan: u32) -> String {
    format!("{:06}", stan % 1_000_000)
}

/// What a load and its reversal have in common. Times are the load's own, China's (UTC+8).
fn common(mti: Mti, ask: &Ask, settings: &CoreSettings) -> Option<Message> {
    let (date, time) = moment(ask.asked_ms, 8)?;
    let message = Message::new(mti)
        .with(3, &settings.processing_code)
        .with(4, format!("{:012}", ask.amount))
        .with(12, time)
        .with(13, date)
        .with(32, &settings.acquirer)
        .with(37, &ask.rrn)
        .with(41, format!("{:<8}", settings.terminal))
        .with(42, format!("{:<15}", settings.merchant))
        .with(49, CURRENCY)
        .with(102, &*ask.account);
    Some(message)
}

/// 0200. None for a time that no calendar has.
pub(crate) fn load(ask: &Ask, settings: &CoreSettings) -> Option<Message> {
    let message = common(Mti::REQUEST, ask, settings)?
        .with(7, sent(ask.asked_ms)?)
        .with(11, digits_6(ask.stan));
    Some(message)
}

/// 0420, then 0421.
pub(crate) fn reversal(it: &Reversal, settings: &CoreSettings, now_ms: u64) -> Option<Message> {
    let mti = match it.again {
        false => Mti::REVERSAL,
        true => Mti::REVERSAL_AGAIN,
    };
    let original = format!(
        "0200{}{}{:0>11}{:011}",
        digits_6(it.original.stan),
        sent(it.original.asked_ms)?,
        settings.acquirer,
        0
    );
    let message = common(mti, &it.original, settings)?
        .with(7, sent(now_ms)?)
        .with(11, digits_6(it.stan))
        .with(90, original);
    Some(match &it.approval {
        Some(approval) => message.with(38, approval),
        None => message,
    })
}

/// 0800: 001 signs on, 301 asks whether the host is there.
pub(crate) fn network(function: &str, stan: u32, now_ms: u64) -> Option<Message> {
    let message = Message::new(Mti::NETWORK)
        .with(7, sent(now_ms)?)
        .with(11, digits_6(stan))
        .with(70, function);
    Some(message)
}

/// 0810 to a host's own 0800.
pub(crate) fn network_answer(asked: &Message) -> Message {
    asked.as_type(Mti::NETWORK_ANSWER).with(39, APPROVED)
}

/// Whether a 0810 lets this bank in.
pub(crate) fn is_let_in(answer: &Message) -> bool {
    answer.text(39) == Some(APPROVED)
}

/// What an answer that belongs to `ask` says; none: there was no answer.
pub(crate) fn verdict(ask: &Ask, answer: Option<&Message>) -> Said {
    let response = answer.and_then(|answer| answer.text(39)).map(str::to_owned);
    let (Some(answer), Some(response)) = (answer, response.clone()) else {
        return Said::Doubtful { response };
    };
    // A host that approves another amount, or another currency, has booked that one.
    let amount = answer.text(4).and_then(|amount| amount.parse().ok());
    let same = amount.is_none_or(|amount: u64| amount == u64::from(ask.amount))
        && answer.text(49).is_none_or(|currency| currency == CURRENCY);
    if response == APPROVED && same {
        let approval = answer.text(38).map(str::to_owned);
        return Said::Approved { approval };
    }
    if response == FUNDS_SHORT {
        return Said::FundsShort { response };
    }
    if REFUSALS.contains(&response.as_str()) {
        return Said::Refused { response };
    }
    Said::Doubtful {
        response: Some(response),
    }
}

/// What a 0430 says at this moment. Without a code of its own it proves nothing.
pub(crate) fn undone(it: &Reversal, answer: &Message, now_ms: u64) -> Option<Undone> {
    let response = answer.text(39)?.to_owned();
    let settled = match response.as_str() {
        APPROVED | DUPLICATE => true,
        // What it approved once it must know; what it never answered may not have reached it, or not yet.
        NO_RECORD => {
            let old = now_ms >= it.original.asked_ms.saturating_add(SLOWEST_MS);
            it.approval.is_none() && old
        }
        _other => false,
    };
    Some(Undone { response, settled })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corebank::iso::Bitmap;

    /// 2026-11-23 10:00:00 UTC.
    const NOW_MS: u64 = 1_795_428_000_000;

    fn settings() -> CoreSettings {
        let text = "address = \"127.0.0.1:1\"\nacquirer = \"12345\"\nterminal = \"T1\"\n\
             merchant = \"M1\"\nprocessing_code = \"600000\"";
        toml::from_str(text).unwrap()
    }

    fn ask() -> Ask {
        Ask {
            load: [0; 16],
            stan: 17,
            rrn: rrn(NOW_MS, 42).unwrap(),
            amount: 5_000,
            asked_ms: NOW_MS,
            account: Zeroizing::new("6222020000000001".to_owned()),
        }
    }

    fn answer(fields: &[(u8, &str)]) -> Message {
        let empty = Message::new(Mti::REQUEST_ANSWER);
        fields
            .iter()
            .fold(empty, |message, (field, value)| message.with(*field, value))
    }

    #[test]
    fn a_load_has_its_times_its_numbers_and_the_account() {
        let message = load(&ask(), &settings()).unwrap();
        for (field, value) in [
            (4, "000000005000"),
            (7, "1123100000"),
            (11, "000017"),
            (12, "180000"),
            (13, "1123"),
            (32, "12345"),
            (37, "632700000042"),
            (41, "T1      "),
            (42, "M1             "),
            (49, "156"),
            (102, "6222020000000001"),
        ] {
            assert_eq!(message.text(field), Some(value), "field {field}");
        }
        assert!(message.encode(Bitmap::Hex).is_ok());
    }

    #[test]
    fn a_reversal_names_its_original_and_repeats_with_the_same_numbers() {
        let mut it = Reversal {
            original: ask(),
            approval: Some("123456".to_owned()),
            stan: 18,
            again: false,
        };
        let first = reversal(&it, &settings(), NOW_MS + 5_000).unwrap();
        assert_eq!(first.mti(), Mti::REVERSAL);
        let original = "0200000017112310000000000012345".to_owned() + "00000000000";
        assert_eq!(first.text(90), Some(original.as_str()));
        assert_eq!(
            (first.text(11), first.text(38)),
            (Some("000018"), Some("123456"))
        );
        assert_eq!(first.text(7), Some("1123100005"));
        it.again = true;
        let second = reversal(&it, &settings(), NOW_MS + 9_000).unwrap();
        assert_eq!(second.mti(), Mti::REVERSAL_AGAIN);
        assert_eq!(
            (second.text(11), second.text(37)),
            (first.text(11), first.text(37))
        );
    }

    #[test]
    fn only_a_clear_yes_is_a_yes_and_only_a_clear_no_is_a_no() {
        let said = |fields: &[(u8, &str)]| verdict(&ask(), Some(&answer(fields))).name();
        assert_eq!(said(&[(39, "00")]), "approved");
        assert_eq!(
            said(&[(39, "00"), (4, "000000005000"), (49, "156")]),
            "approved"
        );
        assert_eq!(
            said(&[(39, "00"), (4, "000000004999")]),
            "doubtful",
            "another amount"
        );
        assert_eq!(
            said(&[(39, "00"), (49, "840")]),
            "doubtful",
            "another currency"
        );
        assert_eq!(said(&[(39, "51")]), "funds-short");
        for response in ["05", "14", "57", "61", "62", "75"] {
            assert_eq!(said(&[(39, response)]), "refused", "{response}");
        }
        for response in ["10", "32", "06", "68", "76", "91", "96", "99", "  ", "A1"] {
            assert_eq!(said(&[(39, response)]), "doubtful", "{response}");
        }
        assert_eq!(said(&[]), "silent", "no code at all");
        assert_eq!(verdict(&ask(), None).name(), "silent");
    }

    #[test]
    fn a_reversal_ends_with_a_yes_or_with_no_record_of_what_was_never_approved() {
        let settled = |approval: Option<&str>, response, after_ms| {
            let it = Reversal {
                original: ask(),
                approval: approval.map(str::to_owned),
                stan: 18,
                again: true,
            };
            undone(&it, &answer(&[(39, response)]), NOW_MS + after_ms)
                .unwrap()
                .settled
        };
        assert!(settled(Some("1"), "00", 0) && settled(None, "94", 0));
        assert!(
            !settled(None, "25", 119_999),
            "the 0200 may still be on its way"
        );
        assert!(settled(None, "25", 120_000));
        assert!(
            !settled(Some("1"), "25", 999_999),
            "the host must know what it approved"
        );
        for response in ["12", "30", "91", "96"] {
            assert!(!settled(None, response, 999_999), "{response}");
        }
    }
}
