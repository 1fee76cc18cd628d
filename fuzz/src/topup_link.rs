//! Links that anybody can send to the app.

use topup_link::{MAX_LENGTH, MAX_YUAN, SCHEME, TopupLink};

/// What is read is of the one shape that there is, and is read back as it was.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(link) = TopupLink::parse(text) else {
        return;
    };
    assert!(text.len() <= MAX_LENGTH && text.is_ascii(), "{text:?}");
    assert!(text[..SCHEME.len()].eq_ignore_ascii_case(SCHEME));
    let written = match link.amount {
        None => "tapfill://topup".to_owned(),
        Some(fen) => {
            assert!((1..=MAX_YUAN * 100).contains(&fen), "{fen} fen");
            format!("tapfill://topup?amount={}.{:02}", fen / 100, fen % 100)
        }
    };
    assert_eq!(TopupLink::parse(&written), Ok(link), "{text:?}");
}
