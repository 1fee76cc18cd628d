//! What a core banking host sends: frames, and the messages in them.

use bank::{any_host, host_answers};

use crate::input::Input;

/// First byte: the bitmap as hex digits (bit 0), good answers with edits of the fuzzer's (bit 1), how many bytes come at
/// once (the other bits).
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mode = input.byte();
    let is_hex = mode & 1 == 1;
    let piece = usize::from(mode >> 2) + 1;
    if mode & 2 == 0 {
        any_host(input.rest(), piece, is_hex);
        return;
    }
    let good = host_answers(is_hex).concat();
    let stream = input.edited(&good);
    let read = any_host(&stream, piece, is_hex);
    assert!(stream != good || read == 5, "{read} good answers are read");
}
