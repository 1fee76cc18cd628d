use crate::support::{ok, ready, word};
use purse::command::{
    PPSE, PSE, PURSE_AID, get_balance, get_uid, read_binary, read_file15, read_file16,
    read_log_at_once, read_log_record, select,
};
use purse::reply::{balance, file15_of_fci};
use purse::{Balance, LogRecord};
use virtual_card::{Card, CardProfile};

#[test]
fn select_tells_file_15_and_the_environment_names_the_application() {
    let mut card = Card::new(CardProfile::demo());
    card.power_on();
    let fci = ok(&card.transmit(&select(&PURSE_AID).unwrap()));
    assert_eq!(file15_of_fci(&fci), Ok(CardProfile::demo().file15()));
    for name in [PSE, PPSE] {
        let fci = ok(&card.transmit(&select(name).unwrap()));
        assert!(
            fci.windows(9).any(|part| part == PURSE_AID),
            "the AID is listed"
        );
    }
    ok(&card.transmit(&[0x00, 0xA4, 0x00, 0x00, 0x02, 0x3F, 0x00]));
    assert_eq!(
        word(&card.transmit(&select(&[0xA0, 0, 0, 3, 0x33]).unwrap())),
        0x6A82
    );
    assert_eq!(
        word(&card.transmit(&read_file15())),
        0x6985,
        "nothing is selected"
    );
}

#[test]
fn files_log_balance_and_uid_are_read() {
    let demo = CardProfile::demo();
    let mut card = ready(demo.clone());
    assert_eq!(ok(&card.transmit(&read_file15())), demo.file15().encode());
    assert_eq!(ok(&card.transmit(&read_file16())).len(), 39);
    assert_eq!(
        ok(&card.transmit(&read_binary(0x15, 10, 10).unwrap())),
        demo.serial
    );
    assert_eq!(
        balance(&ok(&card.transmit(&get_balance(Balance::Purse)))),
        Ok(12_850)
    );
    assert_eq!(ok(&card.transmit(&get_uid())), demo.uid);
    for number in 1..=6 {
        let record = LogRecord::parse(&ok(&card.transmit(&read_log_record(number)))).unwrap();
        assert_eq!(record.amount, demo.log[usize::from(number) - 1].amount);
    }
    assert_eq!(word(&card.transmit(&read_log_record(7))), 0x6A83);
    assert_eq!(word(&card.transmit(&read_log_record(0))), 0x6A83);
}

#[test]
fn the_whole_log_comes_at_once_from_cards_that_can() {
    let mut profile = CardProfile::demo();
    assert_eq!(
        word(&ready(profile.clone()).transmit(&read_log_at_once())),
        0x6A86
    );
    profile.quirks.log_at_once = true;
    let data = ok(&ready(profile).transmit(&read_log_at_once()));
    assert_eq!(LogRecord::parse_all(&data).unwrap().len(), 6);
}

#[test]
fn what_the_card_does_not_know_gets_a_status() {
    let mut card = ready(CardProfile::demo());
    let table = [
        ("00B0950020", 0x6700),
        ("00B0951E01", 0x6B00),
        ("00B0970001", 0x6A82),
        ("00B2018C17", 0x6A82),
        ("805C000104", 0x6A86),
        ("80500102", 0x6700),
        ("805003020B0000000000000000000000", 0x6A86),
        ("805000020A00000000000000000000", 0x6700),
        ("0084000005", 0x6700),
        ("00C0000010", 0x6985),
        ("00FF000000", 0x6D00),
        ("E0B0950001", 0x6E00),
        ("00", 0x6700),
    ];
    for (command, expected) in table {
        let reply = card.transmit(&hex::decode(command).unwrap());
        assert_eq!(word(&reply), expected, "{command}");
    }
}

#[test]
fn no_command_makes_the_card_panic() {
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()[0]
    };
    let instructions = [
        0xA4, 0xB0, 0xB2, 0x20, 0x50, 0x52, 0x54, 0x5A, 0x5E, 0x82, 0xD6, 0x84,
    ];
    for round in 0..20_000_usize {
        let mut card = ready(CardProfile::demo_pin());
        let length = usize::from(next() % 40);
        let mut command: Vec<u8> = (0..length).map(|_| next()).collect();
        if let [class, instruction, _, _, lc, ..] = command.as_mut_slice() {
            *class = [0x00, 0x80, 0x84, 0x04, 0xFF][round % 5];
            *instruction = instructions[round % 12];
            *lc = u8::try_from(length - 5).unwrap();
        }
        assert!(card.transmit(&command).len() >= 2, "{command:02X?}");
    }
}
