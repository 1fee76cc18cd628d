use proptest::prelude::*;
use relay::Operation;

use super::*;

const CREDIT_DATA: &str = "1111111111111111111111";

fn waiting_for_credit() -> Driver {
    let init = format!("{INIT_REPLY}9000");
    let command = "805000020B 01 00001388 000000000017 10";
    sent(play(topup_until_initialize(), &[(command, &init)])).0
}

fn bank_says(message: &Message) -> Turn {
    waiting_for_credit().bank(&message.encode().unwrap())
}

#[test]
fn a_phase_that_is_not_listed_here_runs_no_command() {
    let cases = [
        "debit",
        "open_balance",
        "open_topup",
        "prove",
        "load",
        "enable",
        "select",
        "credit_",
    ];
    for phase in cases {
        let message = answer(Operation::TopUp, 1, phase, &[]);
        assert_eq!(outcome(bank_says(&message)), "phase-unknown", "{phase}");
    }
}

#[test]
fn fields_other_than_the_listed_ones_run_no_command() {
    let apdu = "805401000F0000000000000000000100000000";
    let cases: [&[(&str, &str)]; 7] = [
        &[],
        &[("credit_data", "11")],
        &[("credit_data", "111111111111111111111111")],
        &[("credit_data", "")],
        &[("credit_data", CREDIT_DATA), ("amount", "000F4240")],
        &[("apdu", apdu)],
        &[("credit_data", CREDIT_DATA), ("apdu", apdu)],
    ];
    for fields in cases {
        let message = answer(Operation::TopUp, 1, "credit", fields);
        assert_eq!(outcome(bank_says(&message)), "message-bad", "{fields:?}");
    }
}

#[test]
fn an_answer_to_something_else_runs_no_command() {
    let good = answer(
        Operation::TopUp,
        1,
        "credit",
        &[("credit_data", CREDIT_DATA)],
    );
    assert!(
        matches!(bank_says(&good), Turn::Command(..)),
        "the pattern of the others is good"
    );
    let change = |change: fn(&mut Message)| {
        let mut message = good.clone();
        change(&mut message);
        message
    };
    let cases = [
        change(|it| it.letter = Letter::A),
        change(|it| it.industry = "0002".parse().unwrap()),
        change(|it| it.body.operation = Some(Operation::ReTopUp)),
        change(|it| it.body.operation = None),
        change(|it| it.body.transaction = Some([0; 16])),
        change(|it| it.body.transaction = None),
        change(|it| it.body.step = Some(2)),
        change(|it| it.body.step = None),
        change(|it| it.body.phase = None),
        change(|it| it.body.amount = Some(1)),
        change(|it| it.body.terminal = Some([0; 6])),
        change(|it| it.body.outcome = Some("ok".to_owned())),
        change(|it| it.body.package_version = Some(1)),
    ];
    for message in cases {
        assert_eq!(outcome(bank_says(&message)), "message-bad", "{message:?}");
    }
}

#[test]
fn a_bank_that_never_ends_is_stopped_by_the_bounds() {
    let looping = TRANSIT.replace(
        r#""after": ["open_topup", "load"]"#,
        r#""after": ["open_topup", "load", "credit"]"#,
    );
    let mut packages = Packages::new();
    packages
        .insert(Package::parse(looping.as_bytes()).unwrap(), TODAY)
        .unwrap();
    let opening = opening(Operation::TopUp).encode().unwrap();
    let mut turn = Driver::open(&packages, &opening, TODAY);
    let (mut commands, mut step) = (0, 0);
    loop {
        turn = match turn {
            Turn::Command(driver, command) => {
                commands += 1;
                driver.reply(&reply_to(&command.name))
            }
            Turn::Send(driver, _) => {
                step += 1;
                let fields = [("credit_data", CREDIT_DATA)];
                driver.bank(
                    &answer(Operation::TopUp, step, "credit", &fields)
                        .encode()
                        .unwrap(),
                )
            }
            Turn::End(_) => break,
        }
    }
    assert_eq!(outcome(turn), "message-bad");
    assert_eq!(commands, 64, "the package's bound");
}

fn reply_to(command: &str) -> Vec<u8> {
    let data = match command {
        "read_file15" => FILE15.to_owned(),
        "read_balance" => "00000000".to_owned(),
        "initialize" => INIT_REPLY.to_owned(),
        "credit" => "FA00066D".to_owned(),
        "read_uid" => "048A21F3".to_owned(),
        _ => String::new(),
    };
    hex(&format!("{data}9000"))
}

#[test]
fn answers_that_nobody_asked_for_end_the_transaction() {
    let Turn::Command(driver, _) = open(Operation::Balance) else {
        panic!()
    };
    let message = answer(Operation::Balance, 1, "credit", &[])
        .encode()
        .unwrap();
    assert_eq!(outcome(driver.bank(&message)), "message-bad");
    assert_eq!(
        outcome(waiting_for_credit().reply(&[0x90, 0x00])),
        "message-bad"
    );
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        Just(Operation::Balance),
        Just(Operation::TopUp),
        Just(Operation::ReTopUp),
        Just(Operation::Activation),
    ]
}

/// Replies with the right length now and then, so that the flows go deep.
fn reply() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![
        3 => prop_oneof![Just(0_usize), Just(4), Just(8), Just(16), Just(23), Just(30)],
        1 => 0_usize..300,
    ];
    let status = prop_oneof![
        6 => Just(vec![0x90, 0x00]),
        2 => prop_oneof![Just(vec![0x6A, 0x83]), Just(vec![0x94, 0x03]), Just(vec![0x67, 0x00])],
        1 => proptest::collection::vec(any::<u8>(), 0..3),
    ];
    (
        length.prop_flat_map(|length| proptest::collection::vec(any::<u8>(), length)),
        status,
    )
        .prop_map(|(data, status)| [data, status].concat())
}

proptest! {
    #[test]
    fn any_card_and_any_bank_come_to_an_end(
        operation in operation(),
        replies in proptest::collection::vec(reply(), 80),
        honest in any::<u64>(),
        garbage in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 8),
    ) {
        let mut turn = open(operation);
        let (mut commands, mut step) = (0_usize, 0_u8);
        loop {
            turn = match turn {
                Turn::Command(driver, command) => {
                    let _ = (driver.facts(), driver.written());
                    let bit = honest >> (commands % 64) & 1 == 1;
                    let own = reply_to(&command.name);
                    commands += 1;
                    prop_assert!(commands <= 64);
                    driver.reply(if bit && own.len() > 2 { &own } else { &replies[commands] })
                }
                Turn::Send(driver, message) => {
                    prop_assert!(Message::parse(&message).is_ok());
                    step += 1;
                    let bytes = if honest >> step & 1 == 1 {
                        garbage[usize::from(step) % 8].clone()
                    } else {
                        let (phase, fields): (_, &[(&str, &str)]) = match (operation, step) {
                            (Operation::ReTopUp, 1) => ("prove", &[("after", "0001"), ("before", "0000")]),
                            (Operation::ReTopUp, 2) => ("load", &[("amount", "00000001")]),
                            (Operation::Activation, _) => {
                                ("enable", &[("update", "777777777777777777777777777777777777777777777777")])
                            }
                            _ => ("credit", &[("credit_data", CREDIT_DATA)]),
                        };
                        answer(operation, step, phase, fields).encode().unwrap()
                    };
                    driver.bank(&bytes)
                }
                Turn::End(message) => {
                    prop_assert!(crate::decode(&packages(), &message).is_ok());
                    break;
                }
            }
        }
    }

    #[test]
    fn no_bytes_as_opening_or_closing_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let packages = packages();
        let Turn::End(end) = Driver::open(&packages, &bytes, TODAY) else {
            return Err(TestCaseError::fail("garbage opened a transaction"));
        };
        prop_assert!(Message::parse(&end).is_ok());
        let _ = crate::decode(&packages, &bytes);
    }

    #[test]
    fn a_damaged_package_is_refused_or_still_bounded(place in any::<usize>(), byte in any::<u8>()) {
        let mut bytes = TRANSIT.as_bytes().to_vec();
        let place = place % bytes.len();
        bytes[place] = byte;
        let _ = Package::parse(&bytes);
    }
}
