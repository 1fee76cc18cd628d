//! Real messages, in the form that the targets take.

use envelope::seal::{Header, seal};
use envelope::{Direction, Suite};
use ipc::{MoneyPlace, ReceiptView};
use relay::journal::{Entry, State};
use relay::{Body, Letter, Message, Operation};

use crate::envelope::{KEY_ID, key, terminal};
use crate::http_bodies::started;
use crate::journal::Record;
use crate::{driving, http_bodies};

fn with(first: &[u8], rest: &[u8]) -> Vec<u8> {
    [first, rest].concat()
}

/// Openings, a report of the driver's and an answer of the bank's.
fn messages() -> Vec<Vec<u8>> {
    let industry = "0001".parse().expect("four digits");
    let mut all: Vec<_> = (0..4)
        .map(|choice| driving::opening(industry, driving::operation(choice), 5_000))
        .collect();
    let step = |phase: &str, fields: &[(&str, usize)]| {
        let mut body = Body {
            operation: Some(Operation::TopUp),
            transaction: Some(driving::TRANSACTION),
            step: Some(1),
            phase: Some(phase.to_owned()),
            package_version: Some(1),
            ..Body::default()
        };
        for (name, length) in fields {
            body.put(name, vec![0x20; *length]);
        }
        Message {
            letter: Letter::I,
            industry,
            body,
        }
    };
    let steps = [
        step(
            "load",
            &[("file15", 30), ("balance", 4), ("init", 16), ("uid", 4)],
        ),
        step("credit", &[("credit_data", 11)]),
        step("prove", &[("log", 230)]),
        Message::closing(industry, Operation::TopUp, driving::TRANSACTION, "ok"),
    ];
    all.extend(steps.iter().map(|it| it.encode().expect("good messages")));
    all
}

/// Sealed by each suite, as it is and for edits.
pub fn envelope() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for suite in Suite::ALL {
        let header = Header {
            suite,
            direction: Direction::try_from(suite.number() & 1).expect("there are two"),
            terminal: terminal(),
            key_id: KEY_ID,
            counter: 1,
            time_ms: 1_795_000_000_000,
        };
        let sealed = seal(&key(suite), &header, &messages()[0], &[4; 12]).expect("short");
        all.push(with(&[0], &sealed));
        let script = [
            &[1, suite.number(), 0][..],
            &[0; 20],
            b"\x05hello\x00\x28\x01\x01A",
        ];
        all.push(script.concat());
    }
    all
}

/// One by one, and passed through the relay.
pub fn relay_message() -> Vec<Vec<u8>> {
    let mut all: Vec<_> = messages().iter().map(|it| with(&[0], it)).collect();
    let script =
        b"\x01\x0F\xFF\x00\x00\x00\x01\x02A1\x00\x01\x02I1\x01\x01\x02I2\x02\x01\x01I\x03\x01\x01A";
    all.push(script.to_vec());
    all
}

/// Bodies alone, and values for one.
pub fn tlv() -> Vec<Vec<u8>> {
    let mut all: Vec<_> = messages().iter().map(|it| with(&[0], &it[6..])).collect();
    let values = [
        &[1, 0xFF, 0xFF, 2][..],
        &[1; 16],
        &[1, 0, 0, 0, 9, 0, 1, 2, 3, 4, 5, 12],
        &[5; 12],
        &[6; 16],
        b"\x04load\x02ok\x03R-1",
        &[7; 16],
        &[0, 0, 0, 1],
        b"\x07balance\x00\x04\x01x\x01\x00",
    ];
    all.push(values.concat());
    all
}

/// Each operation with an honest card, and answers of the bank's that go on.
pub fn apdu_replies() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let credit = [&[0, 0, 1][..], &[0x20; 11]].concat();
    let enable = [&[0, 3, 16][..], &[0x04; 24]].concat();
    let prove = [0, 1, 6, 0, 7, 0, 8];
    let load = [0, 2, 8, 0, 0, 0x13, 0x88];
    for honest in [4, 0] {
        for choice in 0..4_u8 {
            // one byte for each command to an honest card, then the bank's answer
            let (commands, answers): (usize, Vec<&[u8]>) = match driving::operation(choice) {
                Operation::Balance => (14, vec![]),
                Operation::TopUp => (5, vec![&credit, &[0]]),
                Operation::ReTopUp => (4, vec![&prove, &[0; 12], &load, &[0], &credit]),
                Operation::Activation => (4, vec![&enable, &[0; 2]]),
            };
            let mut script = vec![choice | honest, 0x13, 0x88];
            script.extend(vec![0; commands * if honest == 4 { 1 } else { 33 }]);
            script.extend(answers.concat());
            all.push(script);
        }
    }
    all.push(b"\x09\x13\x88\x05\x00\x05\x01\x01\x01".to_vec());
    all
}

/// The shipped package, as it is and with small changes.
pub fn package_file() -> Vec<Vec<u8>> {
    let text = std::str::from_utf8(driving::shipped_text()).expect("JSON");
    let edit = |from: &str, to: &str| {
        let place = u16::try_from(text.find(from).expect("it is there")).expect("64 KiB");
        let [high, low] = place.to_be_bytes();
        let lengths = [from.len(), to.len()].map(|it| u8::try_from(it).expect("short"));
        let head = [0, high, low, lengths[0], lengths[1]];
        with(&head, to.as_bytes())
    };
    vec![
        vec![0],
        with(&[200], &[0; 200]),
        edit("\"min_amount\": 1", "\"min_amount\": 9"),
        edit("\"version\": 1", "\"version\": 2, \"valid_from\": 20270101"),
        edit("\"length\": 30", "\"length\": 31"),
        edit("\"6A83\": \"done\"", "\"*\": \"skip\""),
        edit("\"repeat\": 10", "\"repeat\": 1"),
        edit("00B09500 1E", "00B09500 {index}"),
        edit("{ \"run\": \"read_uid\" },", ""),
        edit("\"commands\": 64", "\"commands\": 20"),
        edit("\"mask\": \"7FFFFFFF\"", ""),
        b"{\"format\":1,\"industry\":\"0001\",\"version\":1}".to_vec(),
    ]
}

/// Files of all states, and events.
pub fn journal() -> Vec<Vec<u8>> {
    let states = [
        State::Asked,
        State::Writing,
        State::ToDeliver {
            message: b"I0001".to_vec(),
            written: true,
        },
        State::Done,
        State::NotDone {
            outcome: "funds-short".to_owned(),
        },
    ];
    let mut all: Vec<Vec<u8>> = states
        .into_iter()
        .map(|state| {
            let record = Record {
                version: 1,
                entry: Entry {
                    transaction: [1; 16],
                    operation: Operation::TopUp,
                    industry: "0001".parse().expect("four digits"),
                    tail: "4471".to_owned(),
                    amount: 5_000,
                    reference: Some("R-1".to_owned()),
                    about: None,
                    mark: None,
                    started_ms: 1,
                    state,
                },
                receipt: ReceiptView {
                    amount: Some(5_000),
                    old_balance: None,
                    new_balance: None,
                    tail: "4471".to_owned(),
                    time_ms: 1,
                    reference: None,
                    place: MoneyPlace::Unsure,
                },
                error: None,
            };
            serde_json::to_vec(&record).expect("it can be written")
        })
        .collect();
    let events = [
        &[0x71][..],
        &[1; 16],
        b"0001\x044471",
        &[0; 12],
        b"\x00\x01\x05\x01I\x03\x02\x04\x01x",
    ];
    all.push(events.concat());
    all
}

/// One of each kind.
pub fn http_bodies() -> Vec<Vec<u8>> {
    let (_, request) = started(&[1; 80], "Linux");
    let mut all = vec![
        with(&[0], request.as_bytes()),
        b"\x01\x00\x00\x00\x01\x05Linux\x00\x00\x00\x01\x00\x10\x01\x01A".to_vec(),
        with(&[2], br#"{"enc":"00","sealed":"00","signature":"00"}"#),
        vec![3],
        with(&[4], b"serial[2..10]"),
        with(&[4], b"uid[0..4] + 80000000"),
        with(&[4], b"issuer[2..4]+000000000000"),
        b"\x06\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x05\x01\x01A\x03abc\x02{}".to_vec(),
        with(&[7], b"\"001122334455\""),
        with(&[7], b"001122334455"),
        with(&[7], b"246810"),
        with(&[7], br#"{"id":7,"suite":3,"not_before_ms":1,"expires_ms":2}"#),
        with(&[7], b"\"renew\""),
        with(&[8], b"[bank]\nname = \"Bank\"\n[keys]\nsuite = 3\n"),
        vec![9],
    ];
    for suite in 0..4 {
        all.push(with(&[5, suite, 0, 6, 2, 4, 6, 8, 1, 0], &[9; 8]));
    }
    all.push(with(&[3], &http_bodies::edit_of_demo("suite = 4")));
    all
}

/// A load, a purchase, an activation, tearing and the PIN.
pub fn card_commands() -> Vec<Vec<u8>> {
    let load = b"\x01\x00\x13\x88\x00\x11\x22\x33\x44\x55\x02\x06\x00\x08";
    let buy = b"\x04\x00\x00\xC8\x00\x11\x22\x33\x44\x55\x05\x00\x00\x00\x01";
    let enable = b"\x0B\x04\xD6\x95\x08\x14\x01\x01\x00\x00\x62\x17\x00\x00\x00\x00\x88\x26\x20\x24\x01\x01\x20\x34\x12\x31";
    vec![
        with(&[0, 0, 0], &[&load[..], buy, b"\x0E\x01\x0E\x02"].concat()),
        with(&[1, 0, 0], enable),
        with(&[0, 0x01, 0], &[&load[..], b"\x0D\x04"].concat()),
        with(&[0, 0x80, 0], &[&load[..], load, load].concat()),
        with(&[4, 0, 0], b"\x07\x03\x12\x34\x56\x07\x03\x00\x00\x00"),
        with(&[3, 0x40, 0], b"\x0B\x84\x18\x00\x00\x00"),
        with(
            &[0, 0, 0],
            b"\x01\x00\x13\x88\x00\x11\x22\x33\x44\x55\x08\x02\x80\x52\x0A\x02\x00\xB0\x09",
        ),
        with(
            &[2, 0x02, 0],
            b"\x0F\x05\x80\x5C\x00\x02\x04\x0F\x05\x00\xB0\x95\x00\x1E\x0F\x05\x00\x84\x00\x00\x08",
        ),
    ]
}
