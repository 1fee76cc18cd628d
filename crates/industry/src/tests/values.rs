//! Bytes that are digits, or should be.

use crate::format::Kind;
use crate::value::{
    amount_bcd, date_number, date_text, is_date, number, number_text, short_date, time_text,
};

use super::hex;

#[test]
fn decimal_numbers_are_read_and_wrong_digits_are_none() {
    let read = |bytes: &str| number(Kind::BcdNumber, &hex(bytes));
    assert_eq!(read("000000012345"), Some(12_345));
    assert_eq!(read("00"), Some(0));
    assert_eq!(read("004294967295"), Some(u32::MAX));
    assert_eq!(read("004294967296"), None, "more than fits");
    assert_eq!(read("999999999999"), None);
    for wrong in ["0A", "A0", "00000001234F", "FFFFFFFFFFFF", "00000000000D"] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
    assert_eq!(read(""), None, "no digits are no number");
}

#[test]
fn numbers_of_either_order_are_read() {
    assert_eq!(number(Kind::Number, &hex("00003232")), Some(12_850));
    assert_eq!(number(Kind::LittleNumber, &hex("32320000")), Some(12_850));
    assert_eq!(number(Kind::LittleNumber, &hex("01")), Some(1));
    assert_eq!(number(Kind::Number, &hex("0000000001")), None, "5 bytes");
    assert_eq!(number(Kind::LittleNumber, &hex("0100000000")), None);
    assert_eq!(number(Kind::Hex, &hex("00")), None);
}

#[test]
fn days_are_those_of_the_calendar() {
    let long = |bytes: &str| date_text(Kind::Date, &hex(bytes));
    let short = |bytes: &str| date_text(Kind::ShortDate, &hex(bytes));
    assert_eq!(long("20240229").as_deref(), Some("2024-02-29"));
    assert_eq!(short("240229").as_deref(), Some("2024-02-29"));
    assert_eq!(short("000229").as_deref(), Some("2000-02-29"));
    assert_eq!(
        date_number(Kind::ShortDate, &hex("991231")),
        Some(20_991_231)
    );
    for wrong in [
        "20230229", "20261301", "20260431", "20260100", "00000000", "2026112A", "FFFFFFFF",
    ] {
        assert_eq!(long(wrong), None, "{wrong}");
    }
    for wrong in [
        "230229", "261301", "260100", "26112F", "FFFFFF", "20240229", "24",
    ] {
        assert_eq!(short(wrong), None, "{wrong}");
    }
    assert!(is_date(20_000_229) && !is_date(19_000_229) && !is_date(101));
}

#[test]
fn times_are_those_of_a_clock() {
    let time = |bytes: &str| time_text(&hex(bytes));
    assert_eq!(time("235959").as_deref(), Some("23:59:59"));
    for wrong in ["240000", "236000", "235960", "2359", "1A0000", "FFFFFF"] {
        assert_eq!(time(wrong), None, "{wrong}");
    }
}

#[test]
fn a_cards_number_is_what_a_person_reads_on_it() {
    let text = |kind, bytes: &str| number_text(kind, &hex(bytes));
    assert_eq!(
        text(Kind::Bcd, "62170000005520FF").as_deref(),
        Some("62170000005520")
    );
    assert_eq!(
        text(Kind::Bcd, "621700000055201F").as_deref(),
        Some("621700000055201")
    );
    assert_eq!(text(Kind::BcdTail, "0123").as_deref(), Some("123"));
    assert_eq!(
        text(Kind::BcdTail, "FF"),
        None,
        "there is nothing behind the first digit"
    );
    assert_eq!(
        text(Kind::Number, "0000C351").as_deref(),
        Some("0000050001")
    );
    assert_eq!(
        text(Kind::LittleNumber, "51C30000").as_deref(),
        Some("0000050001")
    );
    assert_eq!(text(Kind::Hex, "00"), None);
}

#[test]
fn what_goes_to_a_card_is_in_its_digits() {
    assert_eq!(amount_bcd(5_000), hex("000000005000"));
    assert_eq!(amount_bcd(u32::MAX), hex("004294967295"));
    assert_eq!(short_date(20_261_123), hex("261123"));
}
