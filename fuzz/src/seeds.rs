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

/// Links as they are meant, and others.
pub fn topup_link() -> Vec<Vec<u8>> {
    let links = [
        "tapfill://topup",
        "TAPFILL://topup/?amount=50",
        "tapfill://topup?amount=99999.00",
        "tapfill://topup?amount=0.05",
        "tapfill://topup?amount=5&amount=5",
        "tapfill://erase?amount=5&card=4471",
    ];
    links.map(|link| link.as_bytes().to_vec()).to_vec()
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

/// Each operation of each package with an honest card, and answers of the bank's that go on; with a card of the
/// fuzzer's; and electronic cash whose replies are scripted.
pub fn apdu_replies() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    // a message of the bank's: no garbage, phase, no lie, fields
    let says = |phase: u8, fields: usize| [&[0, phase, 0][..], &vec![0x20; fields]].concat();
    for package in 0..4_u8 {
        // phases of [credit, activation], and the bytes of their fields
        let (credit, enable) = match package {
            1 => (says(6, 20), says(8, 20)),
            2 => (says(0, 11), says(5, 4)),
            _ => (says(0, 11), says(4, 24)),
        };
        let prove = says(1, 4);
        let load = [0, 2, 0, 0, 0, 0x13, 0x88];
        for honest in [4, 0] {
            for choice in 0..4_u8 {
                // one byte for each command to an honest card, then the bank's answer
                let (commands, answers): (usize, Vec<&[u8]>) = match driving::operation(choice) {
                    Operation::Balance => (18, vec![]),
                    Operation::TopUp if package == 1 => (8, vec![&credit, &[0; 3]]),
                    Operation::TopUp => (7, vec![&credit, &[0]]),
                    Operation::ReTopUp if package == 1 => (6, vec![&load, &[0], &credit, &[0; 3]]),
                    Operation::ReTopUp => (5, vec![&prove, &[0; 12], &load, &[0], &credit]),
                    Operation::Activation => (8, vec![&enable, &[0; 4]]),
                };
                let mut script = vec![choice | honest | package << 4, 0x13, 0x88];
                script.extend(vec![0; commands * if honest == 4 { 1 } else { 33 }]);
                script.extend(answers.concat());
                all.push(script);
            }
        }
    }
    all.push(b"\x09\x13\x88\x05\x00\x05\x01\x01\x01".to_vec());
    all.extend(scripted_cash());
    all
}

/// Electronic cash by replies of the fuzzer's alone: the objects of the vectors, and lists that ask for too much.
fn scripted_cash() -> Vec<Vec<u8>> {
    // a reply: the honest card goes away, a template of the fuzzer's, its objects, status 9000
    let reply = |template: u8, objects: &[(u8, &[u8])]| {
        let count = u8::try_from(objects.len()).expect("few") << 4;
        let mut script = vec![0x80, 7, count | template];
        for (tag, value) in objects {
            script.push(*tag);
            script.push(u8::try_from(value.len()).expect("short"));
            script.extend(*value);
        }
        script.push(0);
        script
    };
    let pdol: &[u8] = &[0x9F, 0x66, 4, 0x9F, 0x02, 6, 0x9F, 0x37, 4];
    let bomb: &[u8] = &[0x9F, 0x37, 0xFF, 0x9F, 0x37, 0xFF];
    let locator: &[u8] = &[0x08, 1, 2, 0];
    let every_record: &[u8] = &[0x08, 1, 0xFF, 0];
    let record: [(u8, &[u8]); 5] = [
        (4, &[0x62, 0x17, 0, 0, 0, 0, 0x55, 0x20]),
        (5, &[1]),
        (6, &[0x34, 0x12, 0x31]),
        (7, pdol),
        (8, &[0x8A, 2]),
    ];
    let bad_record: [(u8, &[u8]); 2] = [(4, &[0x62; 8]), (7, bomb)];
    let mut all = Vec::new();
    for (list, files, records) in [
        (pdol, locator, &record[..]),
        (bomb, locator, &record),
        (pdol, every_record, &record),
        (pdol, locator, &bad_record),
    ] {
        for choice in 0..4_u8 {
            let replies = [
                reply(1, &[(3, list)]),
                reply(3, &[(0, &[0x7C, 0]), (1, files)]),
                reply(6, records),
                reply(6, records),
                reply(0, &[(13, &[0, 0, 0, 0x10, 0, 0])]),
                reply(0, &[(12, &[0, 0, 0, 0, 0x50, 0])]),
                reply(3, &[(9, &[0, 5]), (10, &[0x11; 8]), (11, &[7; 7])]),
                vec![0, 6, 0],
                vec![0x20; 20],
            ];
            all.push([vec![choice | 0x10, 0, 100], replies.concat()].concat());
        }
    }
    all
}

/// Shipped packages, as they are and with small changes, and one that only reads as a text of its own.
pub fn package_file() -> Vec<Vec<u8>> {
    let edit = |base: u8, from: &str, to: &str| {
        let text = driving::shipped_text(base);
        let place = u16::try_from(text.find(from).expect("it is there")).expect("64 KiB");
        let [high, low] = place.to_be_bytes();
        let lengths = [from.len(), to.len()].map(|it| u8::try_from(it).expect("short"));
        let head = [base, 0, high, low, lengths[0], lengths[1]];
        with(&head, to.as_bytes())
    };
    let bases = u8::try_from(industries::ALL.len()).expect("few");
    let mut all: Vec<_> = (0..bases).map(|base| vec![base, 0]).collect();
    all.extend((0..bases).map(|base| with(&[base, 200], &[0; 200])));
    all.extend([
        edit(0, "\"min_amount\": 1", "\"min_amount\": 9"),
        edit(
            0,
            "\"version\": 1",
            "\"version\": 2, \"valid_from\": 20270101",
        ),
        edit(0, "\"length\": 30", "\"length\": 31"),
        edit(0, "\"6A83\": \"done\"", "\"*\": \"skip\""),
        edit(0, "\"repeat\": 10", "\"repeat\": 1"),
        edit(0, "00B09500 1E", "00B09500 {index}"),
        edit(0, "{ \"run\": \"read_uid\" },", ""),
        edit(0, "\"commands\": 64", "\"commands\": 20"),
        edit(0, "\"mask\": \"7FFFFFFF\"", ""),
        edit(0, "80520000", "80540100"),
        edit(1, "\"values\": [\"9000\"]", "\"except\": [\"6283\"]"),
        edit(
            1,
            "\"tag\": \"6F/A5/9F0C\"",
            "\"tag\": \"6F/9F0C\", \"optional\": true",
        ),
        edit(1, "84180000 04 {mac}", "84180000 [{mac}]"),
        edit(2, "[83 [{list:pdol}]]", "[83 [[{list:pdol}]]]"),
        edit(2, "\"follow\": \"afl\"", "\"follow\": \"pan\""),
        edit(2, "[\"witness\", \"nonce\"]", "\"balance\""),
        edit(2, "\"type\": \"bcd-number\"", "\"type\": \"little-number\""),
        edit(2, "\"sent_as\": \"asked\"", "\"status_as\": \"status\""),
        edit(2, "\"commits\": true", "\"commits\": false"),
        b"{\"format\":1,\"industry\":\"0001\",\"version\":1}".to_vec(),
    ]);
    for (_, text) in industries::ALL {
        let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let compact = value.to_string();
        if compact.len() < 3_000 {
            all.push(compact.into_bytes());
        }
    }
    all
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
                    proof: None,
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

/// A host's good answers in either form of the bitmap: whole, in pieces, cut, with others between them, and for edits.
pub fn core_host() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for is_hex in [false, true] {
        let mode = u8::from(is_hex);
        let answers = bank::host_answers(is_hex);
        let stream = answers.concat();
        all.push(with(&[mode | 0xFC], &stream));
        all.push(with(&[mode | 4 << 2], &stream));
        all.push(with(&[mode], &stream[..stream.len() - 9]));
        all.push(with(&[mode], &answers.join(&b"\0\0\0\x030X?"[..])));
        all.push(with(&[mode], &[&stream[..], b"\xFF\xFF"].concat()));
        all.push(vec![mode | 2]);
        for (place, byte) in [(5, b'3'), (6, 0x80), (14, 0xFF), (40, b'X'), (78, b'9')] {
            all.push(vec![mode | 2, 0, place, 1, 1, byte]);
        }
    }
    all
}
