use crate::support::{ok, word};
use purse::command::{get_balance, read_binary, read_log_record, select, verify};
use purse::reply::balance;
use purse::{Balance, LogRecord};
use virtual_card::{AnyProfile, Fault, Moment, Slot};

const NAMES: [&str; 6] = [
    "t-union",
    "city-union",
    "beijing",
    "wuhan",
    "shenzhen",
    "toll",
];
const MASTER_FILE: [u8; 7] = [0x00, 0xA4, 0, 0, 2, 0x3F, 0x00];
const DF_1001: [u8; 7] = [0x00, 0xA4, 0, 0, 2, 0x10, 0x01];

fn slot(name: &str) -> Slot {
    let slot = Slot::with_card(AnyProfile::named(name).unwrap().into_card());
    slot.power_on();
    slot
}

/// SELECT of the purse on each card.
fn selection(name: &str) -> Vec<u8> {
    let by_name = |name: &[u8]| select(name).unwrap();
    match name {
        "t-union" => by_name(&purse::command::TRANSIT_UNION_AID),
        "city-union" => by_name(&purse::command::PURSE_AID),
        "wuhan" => by_name(b"AP1.WHCTC"),
        "shenzhen" => by_name(b"PAY.SZT"),
        _ => DF_1001.to_vec(),
    }
}

#[test]
fn every_card_gives_balance_and_log_once_its_purse_is_selected() {
    for name in NAMES {
        let slot = slot(name);
        let which = if name == "t-union" {
            Balance::TransitUnion
        } else {
            Balance::Purse
        };
        assert!(
            slot.transmit(&get_balance(which)).len() == 2,
            "{name}: not before"
        );
        ok(&slot.transmit(&selection(name)));
        if name == "toll" {
            ok(&slot.transmit(&verify(b"123456").unwrap()));
        }
        let fen = balance(&ok(&slot.transmit(&get_balance(which)))).unwrap();
        assert_eq!(fen, slot.status().card.unwrap().balance, "{name}");
        let mut number = 1;
        loop {
            let reply = slot.transmit(&read_log_record(number));
            if reply == [0x6A, 0x83] {
                break;
            }
            let record = LogRecord::parse(&ok(&reply)).unwrap();
            assert!(
                record.amount > 0 && record.at.date[0] == 0x20,
                "{name} {number}"
            );
            number += 1;
        }
        assert!(number > 2, "{name} has a log");
    }
}

#[test]
fn numbers_and_dates_stand_where_each_kind_of_card_has_them() {
    let file = |name: &str, in_purse: bool, sfi: u8, from: usize, to: usize| {
        let slot = slot(name);
        let place = if in_purse {
            selection(name)
        } else {
            MASTER_FILE.to_vec()
        };
        ok(&slot.transmit(&place));
        let file = ok(&slot.transmit(&read_binary(sfi, 0, 0).unwrap()));
        hex::encode(&file[from..to])
    };
    assert_eq!(file("t-union", true, 0x15, 10, 20), "03104870000000021907");
    assert_eq!(file("t-union", true, 0x15, 20, 28), "2024030120340228");
    assert_eq!(file("city-union", true, 0x15, 2, 4), "7100");
    assert_eq!(file("city-union", true, 0x15, 16, 20), "00458812");
    assert_eq!(file("beijing", false, 0x04, 0, 8), "1000751203456789");
    assert_eq!(file("beijing", false, 0x04, 24, 32), "2022051520320514");
    assert_eq!(file("wuhan", false, 0x0A, 0, 5), "2701134586");
    let little_endian = 328_375_104_u32.to_le_bytes();
    assert_eq!(
        file("shenzhen", true, 0x15, 16, 20),
        hex::encode(little_endian)
    );
    assert_eq!(file("toll", true, 0x15, 12, 20), "1101260000420018");
}

#[test]
fn le_is_not_compared_but_a_shorter_one_cuts() {
    let slot = slot("shenzhen");
    ok(&slot.transmit(&selection("shenzhen")));
    let whole = ok(&slot.transmit(&[0x00, 0xB0, 0x95, 0x00]));
    assert_eq!(whole.len(), 30);
    for (le, length) in [(0, 30), (30, 30), (10, 10), (60, 30)] {
        let part = ok(&slot.transmit(&[0x00, 0xB0, 0x95, 0x00, le]));
        assert_eq!(part, whole[..length], "Le {le}");
    }
}

#[test]
fn what_the_table_does_not_have_is_refused() {
    let slot = slot("t-union");
    for (command, expected) in [
        (DF_1001.to_vec(), 0x6A82),
        (select(b"AP1.WHCTC").unwrap(), 0x6A82),
        (read_binary(0x15, 0, 30).unwrap(), 0x6A82),
        (get_balance(Balance::Purse), 0x6A86),
        (verify(b"123456").unwrap(), 0x9403),
        (vec![0x80, 0x50, 0x00, 0x02, 0x01, 0x01], 0x6D00),
        (vec![0x90, 0x00, 0x00, 0x00], 0x6E00),
    ] {
        assert_eq!(word(&slot.transmit(&command)), expected, "{command:02X?}");
    }
    assert!(!slot.spend(1), "a record can't pay");
}

#[test]
fn the_log_of_a_toll_card_needs_its_pin() {
    let slot = slot("toll");
    ok(&slot.transmit(&DF_1001));
    assert_eq!(word(&slot.transmit(&read_log_record(1))), 0x6982);
    assert_eq!(word(&slot.transmit(&verify(b"000000").unwrap())), 0x63C2);
    slot.arm(Fault::Tear {
        ins: Some(0x20),
        moment: Moment::During,
        nth: 1,
    });
    assert!(slot.transmit(&verify(b"000000").unwrap()).is_empty());
    assert!(slot.insert());
    slot.power_on();
    ok(&slot.transmit(&DF_1001));
    assert_eq!(
        word(&slot.transmit(&verify(b"000000").unwrap())),
        0x63C0,
        "a torn try is used"
    );
    assert_eq!(word(&slot.transmit(&verify(b"123456").unwrap())), 0x6983);
}

#[test]
fn faults_strike_recorded_cards_too() {
    let slot = slot("beijing");
    slot.arm(Fault::Truncate { ins: Some(0xB0) });
    slot.arm(Fault::Slow { ms: 5 });
    let read = read_binary(0x04, 0, 32).unwrap();
    assert_eq!(slot.transmit(&read).len(), 17, "half of 34");
    assert_eq!(ok(&slot.transmit(&read)).len(), 32);
    assert_eq!(slot.delay().as_millis(), 5);
    assert_eq!(slot.status().card.unwrap().serial, "1000751203456789");
}
