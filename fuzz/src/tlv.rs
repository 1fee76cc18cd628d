//! The objects of a message's body: from bytes, and from values of every shape.

use relay::{Body, Field, Letter, Message, Operation};

use crate::input::Input;
use crate::relay_message;

const HEADER: &[u8; 6] = b"I0001\x01";

/// First byte even: bytes of a body. Odd: values for a body.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    if input.byte() & 1 == 0 {
        objects(input.rest());
    } else {
        values(&mut input);
    }
}

fn objects(bytes: &[u8]) {
    let whole = [HEADER, bytes].concat();
    let Some(read) = relay_message::message(&whole) else {
        return;
    };
    for field in &read.body.fields {
        assert_eq!(read.body.field(&field.name), Some(field.value.as_slice()));
    }
    // No prefix of the written form reads as the same body: nothing at its end is without meaning.
    let written = read.encode().expect("it was read");
    for end in HEADER.len()..written.len() {
        let cut = Message::parse(&written[..end]);
        assert!(cut.is_err() || cut.as_ref() != Ok(&read), "cut at {end}");
    }
}

fn values(input: &mut Input<'_>) {
    let present = u16::from_be_bytes(input.array());
    let mut bits = (0..16).map(|bit| present >> bit & 1 == 1);
    let mut there = || bits.next() == Some(true);
    let mut body = Body {
        operation: Operation::of(input.byte()),
        transaction: there().then(|| input.array()),
        step: there().then(|| input.byte()),
        amount: there().then(|| input.number()),
        terminal: there().then(|| input.array()),
        pin_block: there().then(|| input.short().to_vec()),
        sms_proof: there().then(|| input.array()),
        phase: there().then(|| text(input)),
        outcome: there().then(|| text(input)),
        reference: there().then(|| text(input)),
        about: there().then(|| input.array()),
        refund: there(),
        package_version: there().then(|| input.number()),
        fields: Vec::new(),
    };
    while !input.is_empty() {
        body.fields.push(Field {
            name: text(input),
            value: vec![0xAA; usize::from(u16::from_be_bytes(input.array()))],
        });
    }
    let message = Message {
        letter: Letter::I,
        industry: "0001".parse().expect("four digits"),
        body,
    };
    if let Ok(written) = message.encode() {
        assert_eq!(
            Message::parse(&written),
            Ok(message),
            "written is read back"
        );
    }
}

fn text(input: &mut Input<'_>) -> String {
    String::from_utf8_lossy(input.short()).into_owned()
}
