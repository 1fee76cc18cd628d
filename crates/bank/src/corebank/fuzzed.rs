//! A core banking host that says anything, for a fuzzer: panics where a rule is broken.

use zeroize::Zeroizing;

use crate::corebank::frame::{self, TooLong};
use crate::corebank::iso::{Bitmap, Message, Mti};
use crate::corebank::message::{self, Ask, Reversal, Said};

/// 2026-11-23 10:00:00 UTC.
const ASKED_MS: u64 = 1_795_428_000_000;
const AMOUNT: u32 = 5_000;
/// As long as a host may be slow with a 0200, and longer.
const LATER_MS: [u64; 2] = [1_000, 600_000];

/// Answers as a host gives them to the load that [`any_host`] judges by: an approval, a refusal, a reversal's end, a
/// sign-on's. Each in its frame.
pub fn host_answers(is_hex: bool) -> Vec<Vec<u8>> {
    let common = |mti, response: &str| {
        Message::new(mti)
            .with(3, "600000")
            .with(4, "000000005000")
            .with(7, "1123100000")
            .with(11, "000017")
            .with(32, "12345")
            .with(37, "632700000042")
            .with(39, response)
            .with(41, "TAPFILL1")
            .with(49, "156")
    };
    let network = |mti| {
        let message = Message::new(mti).with(7, "1123100000").with(11, "000001");
        message.with(70, "001")
    };
    let all = [
        common(Mti::REQUEST_ANSWER, "00").with(38, "A12345"),
        common(Mti::REQUEST_ANSWER, "51"),
        common(Mti::REVERSAL_ANSWER, "25"),
        network(Mti::NETWORK_ANSWER).with(39, "00"),
        network(Mti::NETWORK),
    ];
    let written = all.iter().filter_map(|it| it.encode(bitmap(is_hex)).ok());
    written
        .filter_map(|bytes| frame::framed(&bytes).ok())
        .collect()
}

/// Reads what a host sends as it comes, `piece` bytes at a time, and judges each message as an answer to a load; how many
/// could be read.
pub fn any_host(stream: &[u8], piece: usize, is_hex: bool) -> usize {
    let whole = taken(stream, stream.len());
    assert_eq!(taken(stream, piece), whole, "however it is cut");
    let bitmap = bitmap(is_hex);
    let mut read = 0;
    for bytes in &whole.0 {
        let mut framed = frame::framed(bytes).unwrap_or_default();
        let again = frame::next(&mut framed);
        assert_eq!(again, Ok(Some(bytes.clone())), "a frame around it");
        if let Ok(message) = Message::decode(bytes, bitmap) {
            written(&message, bitmap);
            for approval in [None, Some("A12345")] {
                judged(&message, approval);
            }
            read += 1;
        }
    }
    read
}

fn bitmap(is_hex: bool) -> Bitmap {
    if is_hex { Bitmap::Hex } else { Bitmap::Binary }
}

/// Messages, what is left over, and what ended the stream.
fn taken(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<TooLong>) {
    let (mut came, mut messages) = (Vec::new(), Vec::new());
    for part in stream.chunks(piece.max(1)) {
        came.extend_from_slice(part);
        loop {
            match frame::next(&mut came) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(ended) => return (messages, Some(ended)),
            }
        }
    }
    (messages, None)
}

/// What was read can be written, is read back the same, and shows no value.
fn written(message: &Message, bitmap: Bitmap) {
    let again = message.encode(bitmap);
    let again = again.map(|bytes| Message::decode(&bytes, bitmap));
    assert_eq!(again, Ok(Ok(message.clone())), "it was read");
    let answer = message::network_answer(message);
    assert!(answer.encode(bitmap).is_ok(), "an 0800 is answered");
    let shown = format!("{message:?}");
    let plain = |it: u8| it.is_ascii_digit() || b" [],".contains(&it);
    assert!(shown.bytes().all(plain), "{shown}");
}

/// Money moves by a clear yes alone, and comes back by a clear end alone.
fn judged(message: &Message, approval: Option<&str>) {
    let original = Ask {
        load: [7; 16],
        stan: 17,
        rrn: "632700000042".to_owned(),
        amount: AMOUNT,
        asked_ms: ASKED_MS,
        account: Zeroizing::new("6222020000000001".to_owned()),
    };
    let response = message.text(39);
    let same = message.text(4).is_none_or(|it| it == "000000005000")
        && message.text(49).is_none_or(|it| it == "156");
    match message::verdict(&original, Some(message)) {
        Said::Approved { .. } => assert!(response == Some("00") && same),
        Said::FundsShort { .. } => assert_eq!(response, Some("51")),
        Said::Refused { .. } => assert!(
            !["00", "51", "06", "68", "91", "96"]
                .map(Some)
                .contains(&response)
        ),
        Said::Doubtful { .. } => {
            assert!(response != Some("51") && !(response == Some("00") && same))
        }
    }
    let reversal = Reversal {
        original,
        approval: approval.map(str::to_owned),
        stan: 18,
        again: true,
    };
    for after_ms in LATER_MS {
        let undone = message::undone(&reversal, message, ASKED_MS + after_ms);
        assert_eq!(undone.is_some(), response.is_some());
        let settled = undone.is_some_and(|it| it.settled);
        let never = response == Some("25") && approval.is_none() && after_ms > 120_000;
        assert_eq!(settled, ["00", "94"].map(Some).contains(&response) || never);
    }
}
