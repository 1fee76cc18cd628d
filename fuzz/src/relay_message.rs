//! Relay messages and the relay that passes them on.

use relay::{
    Effect, Input as From, Letter, Limits, MAX_MESSAGE, Message, Relay, RelayError, letter,
};

use crate::input::Input;

/// First byte even: one message. Odd: a script for the relay.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    if input.byte() & 1 == 0 {
        message(input.rest());
    } else {
        transaction(&mut input);
    }
}

/// Whatever can be read can be written, and is read back as it was.
pub(crate) fn message(bytes: &[u8]) -> Option<Message> {
    let read = Message::parse(bytes).ok()?;
    assert_eq!(
        letter(bytes),
        Ok(read.letter),
        "the app sees the same letter"
    );
    let written = read.encode().expect("what was read can be written");
    assert!(
        written.len() <= bytes.len().min(MAX_MESSAGE),
        "lengths are written in their shortest form"
    );
    assert_eq!(Message::parse(&written).as_ref(), Ok(&read));
    assert_eq!(read.encode().as_ref(), Ok(&written));
    // shows no value: of a field there is the name and its length
    assert!(format!("{read:?}").is_ascii());
    Some(read)
}

fn transaction(input: &mut Input<'_>) {
    let limits = Limits {
        rounds: input.byte() & 0x0F,
        message_bytes: usize::from(input.byte()) + 1,
        ..Limits::default()
    };
    let mut now_ms = u64::from(input.number());
    let opening = input.short().to_vec();
    let Ok((mut relay, effect)) = Relay::open(opening.clone(), now_ms, limits) else {
        let good = letter(&opening) == Ok(Letter::A) && opening.len() <= limits.message_bytes;
        assert!(!good, "a good opening is taken");
        return;
    };
    assert_eq!(effect, Effect::ToDriver(opening));
    let ends_ms = now_ms.saturating_add(limits.whole_ms);
    let mut asked = 0;
    while !input.is_empty() {
        let flags = input.byte();
        now_ms = now_ms.saturating_add(u64::from(input.byte()) << (flags >> 4));
        if flags & 2 != 0 {
            let again = relay.asked_again(now_ms);
            assert_eq!(again.rounds(), relay.rounds(), "the same request");
            relay = again;
        }
        let bytes = input.short().to_vec();
        let from_driver = flags & 1 == 0;
        let from = if from_driver {
            From::Driver
        } else {
            From::Bank
        };
        let before = relay;
        let deadline = before.deadline_ms();
        assert!(deadline.is_none_or(|at| at <= ends_ms));
        match relay.step(from(bytes.clone()), now_ms) {
            Err(error) => {
                assert!(deadline.is_some() || error == RelayError::OutOfTurn);
                assert_eq!(relay, before, "a refusal changes nothing");
            }
            Ok((next, effect)) => {
                asked += u8::from(matches!(effect, Effect::ToBank(_)));
                assert_eq!(next.rounds(), asked);
                assert!(asked <= limits.rounds && bytes.len() <= limits.message_bytes);
                match effect {
                    Effect::ToBank(passed) => assert!(from_driver && passed == bytes),
                    Effect::ToDriver(passed) => assert!(!from_driver && passed == bytes),
                    Effect::End(passed) => {
                        assert!(passed == bytes && letter(&passed) == Ok(Letter::A));
                        assert_eq!(next.deadline_ms(), None);
                        let late = next.step(From::Driver(b"A".to_vec()), now_ms);
                        assert_eq!(late, Err(RelayError::OutOfTurn), "over is over");
                    }
                }
                relay = next;
            }
        }
    }
}
