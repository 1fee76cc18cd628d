//! Electronic cash whose card lies: lists and locators that ask for too much, objects that are cut or nested.

use proptest::prelude::*;
use relay::Operation;

use super::cash::{
    SELECT_CASH, Template, cash_bank, cash_packages, fci, object, open_cash, options,
};
use super::*;

const OPTIONS: &str = "80A80000 23 83 21 40000000 000000000000 000000000000 0156 0000000000 0156 261123 60 ABABABAB 00";

fn select(reply: &str) -> Turn {
    play(open_cash(Operation::Balance), &[(SELECT_CASH, reply)])
}

fn begin(reply: &str) -> Turn {
    play(select(&fci()), &[(OPTIONS, reply)])
}

/// SELECT's reply with this list of options.
fn asking(list: &str) -> String {
    let list = hex(list);
    let long = |tag: &str, value: &str| format!("{tag}81{:02X}{value}", value.len() / 2);
    let list = long("9F38", &hex::encode_upper(list));
    format!("{}9000", long("6F", &long("A5", &list)))
}

#[test]
fn a_list_that_asks_for_ten_thousand_bytes_gets_no_command() {
    let bombs = [
        "9F37FF".repeat(32),
        "9F0380".repeat(2),
        "9F3780".to_owned(),
        "9AFF".repeat(40),
        "9F".to_owned(),
        "9F37".to_owned(),
        "FFFFFFFF".to_owned(),
        "9A00".repeat(48),
    ];
    for bomb in bombs {
        assert_eq!(outcome(select(&asking(&bomb))), "card-reply-bad", "{bomb}");
    }
    let longest = "9F037D";
    let Turn::Command(_, command) = select(&asking(longest)) else {
        panic!("125 bytes and their wrapping fit")
    };
    assert_eq!(command.apdu.len(), 5 + 127 + 1);
}

#[test]
fn a_locator_that_names_more_records_than_are_read_reads_none() {
    for locator in [
        "0801FF00",
        "08011100",
        "08010800 10010900",
        "0801FF00 1001FF00 1801FF00 2001FF00 2801FF00 3001FF00 3801FF00 4001FF00",
        "08020100",
        "08000100",
        "00010100",
        "F8010100",
        "09010100",
        "080101",
        "08010100 10",
    ] {
        for template in [Template::Objects, Template::Plain] {
            let turn = begin(&options(template, locator));
            assert_eq!(outcome(turn), "card-reply-bad", "{locator} {template:?}");
        }
    }
    let Turn::Command(driver, first) = begin(&options(Template::Plain, "08011000")) else {
        panic!("16 records are read")
    };
    assert_eq!(first.apdu, hex("00B2010C00"));
    let mut turn = driver.reply(&hex("70009000"));
    let mut reads = 1;
    while let Turn::Command(driver, command) = turn {
        assert_eq!(command.name, "read_records");
        reads += 1;
        turn = driver.reply(&hex("70009000"));
    }
    assert_eq!(reads, 16);
    assert_eq!(outcome(turn), "card-reply-bad", "records without a number");
}

#[test]
fn objects_that_are_cut_or_in_the_wrong_place_are_not_there() {
    let nested = (0..60).fold("82027C00".to_owned(), |inside, _| object("77", &inside));
    for reply in [
        "77 0E 82027C00 9408 0801",
        "77 84 FFFFFFFF 82027C00",
        "77 82 FFFF 82027C00 940408010100",
        "77 80 82027C00 940408010100 0000",
        "77 0A 8202 7C00 94FF 08010100",
        "70 0A 8202 7C00 9404 08010100",
        "80 05 7C00 080101",
        "80 02 7C00",
        "7F7F7F7F 00",
        &nested,
    ] {
        assert_eq!(
            outcome(begin(&format!("{reply}9000"))),
            "card-reply-bad",
            "{reply}"
        );
    }
    assert_eq!(outcome(begin("9000")), "card-reply-bad");
    let long = format!("77{}9000", "00".repeat(300));
    assert_eq!(outcome(begin(&long)), "card-reply-bad");
}

#[test]
fn a_card_that_never_stops_talking_is_stopped_by_the_bytes() {
    // 16 records and 10 of the log, each as long as a reply can be
    let turn = begin(&options(Template::Objects, "08011000"));
    let record = format!("70 81 FD {}9000", "00".repeat(253));
    let (mut turn, mut commands) = (turn, 0);
    while let Turn::Command(driver, _) = turn {
        commands += 1;
        assert!(commands <= 96, "`bounds.commands`");
        turn = driver.reply(&hex(&record));
    }
    assert!(matches!(turn, Turn::End(_)));
}

/// Objects, objects in objects, and bytes that are none.
fn objects() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop_oneof![
        Just(vec![0x82]),
        Just(vec![0x94]),
        Just(vec![0x5A]),
        Just(vec![0x8C]),
        Just(vec![0x8D]),
        Just(vec![0x9F, 0x36]),
        Just(vec![0x9F, 0x26]),
        Just(vec![0x9F, 0x10]),
        Just(vec![0x9F, 0x77]),
        Just(vec![0x9F, 0x79]),
        Just(vec![0x9F, 0x38]),
        proptest::collection::vec(any::<u8>(), 1..4),
    ];
    let value = proptest::collection::vec(any::<u8>(), 0..40);
    let leaf = (tag, value, 0..8_u8).prop_map(|(tag, value, lie)| {
        let length = u8::try_from(value.len()).unwrap();
        let length = if lie == 0 {
            length.wrapping_add(9)
        } else {
            length
        };
        [tag, vec![length], value].concat()
    });
    let wrapped = proptest::collection::vec(leaf, 0..6).prop_map(|all| all.concat());
    wrapped.prop_recursive(4, 16, 3, |inner| {
        (proptest::collection::vec(inner, 1..3), 0..5_usize).prop_map(|(all, kind)| {
            let inside = all.concat();
            let length = u8::try_from(inside.len().min(255)).unwrap();
            let tag = [0x6F, 0xA5, 0x70, 0x77, 0x80][kind];
            [vec![tag, 0x81, length], inside].concat()
        })
    })
}

fn honest(command: &str) -> String {
    match command {
        "select_debit" => fci(),
        "begin" => options(Template::Objects, "08010300"),
        "read_records" => {
            let one = [
                object("5A", "6217000000005520"),
                object("5F34", "01"),
                object("5F24", "341231"),
                object("8C", "9F0206 9F3704"),
                object("8D", "8A02 9F3704"),
            ];
            format!("{}9000", object("70", &one.concat()))
        }
        "read_limit" | "read_limit_again" => "9F77 06 000000100000 9000".to_owned(),
        "read_balance" => "9F79 06 000000003000 9000".to_owned(),
        "ask_online" | "close" => {
            let one = [
                object("9F36", "0005"),
                object("9F26", "1122334455667788"),
                object("9F10", "07010103A00001"),
            ];
            format!("{}9000", object("77", &one.concat()))
        }
        _ => "9000".to_owned(),
    }
}

/// What the package can send, and which of it needs the bank's word.
const KNOWN: [(u8, u8, bool); 7] = [
    (0x00, 0xA4, false),
    (0x80, 0xA8, false),
    (0x00, 0xB2, false),
    (0x80, 0xCA, false),
    (0x80, 0xAE, false),
    (0x00, 0x82, true),
    (0x04, 0xDA, true),
];

proptest! {
    #[test]
    fn any_card_of_objects_comes_to_an_end_within_the_bounds(
        operation in prop_oneof![
            Just(Operation::Balance), Just(Operation::TopUp), Just(Operation::ReTopUp), Just(Operation::Activation)
        ],
        lies in proptest::collection::vec(objects(), 12),
        honesty in any::<u64>(),
        status in prop_oneof![4 => Just([0x90, 0x00]), 1 => any::<[u8; 2]>()],
    ) {
        let mut turn = open_cash(operation);
        let (mut commands, mut step) = (0_usize, 0_u8);
        loop {
            turn = match turn {
                Turn::Command(driver, command) => {
                    let [class, ins, ..] = command.apdu[..] else { panic!("a header") };
                    let known = KNOWN.iter().find(|it| (it.0, it.1) == (class, ins));
                    let needs_bank = known.expect("a command of the package").2;
                    prop_assert!(!needs_bank || step > 0, "before the bank's word");
                    prop_assert!((4..=261).contains(&command.apdu.len()));
                    let _ = (driver.facts(), driver.written());
                    let true_one = honesty >> (commands % 64) & 1 == 1;
                    commands += 1;
                    prop_assert!(commands <= 96, "`bounds.commands`");
                    if true_one {
                        driver.reply(&hex(&honest(&command.name)))
                    } else {
                        let lie = &lies[commands % lies.len()];
                        driver.reply(&[lie.as_slice(), &status].concat())
                    }
                }
                Turn::Send(driver, _) => {
                    step += 1;
                    let (a, s) = ("A1A2A3A4A5A6A7A83030", "000000008000B1B2B3B4");
                    let (phase, fields): (_, Vec<(&str, &str)>) = match (operation, step) {
                        (Operation::ReTopUp, 1) => ("load", vec![("amount", "00000001")]),
                        (Operation::Activation, _) => ("set_limit", vec![("authority", a), ("script", s)]),
                        _ => ("credit", vec![("authority", a), ("script", s)]),
                    };
                    driver.bank(&cash_bank(operation, step, phase, &fields))
                }
                Turn::End(message) => {
                    prop_assert!(crate::decode(cash_packages(), &message).is_ok());
                    break;
                }
            }
        }
    }
}
