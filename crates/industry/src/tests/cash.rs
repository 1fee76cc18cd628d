//! Electronic cash, whole, by scripted replies in both templates (EMV Book 3, 6.5.8.4 and 6.5.5.4).

use std::sync::OnceLock;

use relay::Operation;

use super::*;
use crate::{LogKind, UiStep, decode};

pub(crate) const SELECT_CASH: &str = "00A40400 08 A000000333010101 00";
const SELECT_CREDIT: &str = "00A40400 08 A000000333010102 00";
const PDOL: &str = "9F6604 9F0206 9F0306 9F1A02 9505 5F2A02 9A03 9C01 9F3704";
const CDOL1: &str = "9F0206 9F0306 9F1A02 9505 5F2A02 9A03 9C01 9F3704";
const CDOL2: &str = "8A02 9F0206 9505 9A03 9C01 9F3704 9F7906 9F3602";
const AUTHORITY: &str = "A1A2A3A4A5A6A7A8 3030";
const SCRIPT: &str = "000000008000 B1B2B3B4";
const SAME: &str = "000000100000 C1C2C3C4";
const ISSUER_DATA: &str = "07010103A00001";

/// How a card wraps its answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Template {
    /// Objects in 77.
    Objects,
    /// Values one after the other in 80.
    Plain,
}

/// Read once: the random tests open it thousands of times.
pub(crate) fn cash_packages() -> &'static Packages {
    static CASH: OnceLock<Packages> = OnceLock::new();
    CASH.get_or_init(|| packages_of(shipped_text("0003")))
}

pub(crate) fn open_cash(operation: Operation) -> Turn {
    let mut message = opening(operation);
    message.industry = "0003".parse().unwrap();
    Driver::open(cash_packages(), &message.encode().unwrap(), TODAY)
}

/// The bank's `I`.
pub(crate) fn cash_bank(
    operation: Operation,
    step: u8,
    phase: &str,
    fields: &[(&str, &str)],
) -> Vec<u8> {
    let mut message = answer(operation, step, phase, fields);
    message.industry = "0003".parse().unwrap();
    message.encode().unwrap()
}

pub(crate) fn object(tag: &str, value: &str) -> String {
    let value = hex(value);
    format!("{tag}{:02X}{}", value.len(), hex::encode_upper(value))
}

/// SELECT's reply.
pub(crate) fn fci() -> String {
    let inside = object("A5", &format!("5003504243{}", object("9F38", PDOL)));
    format!(
        "{}9000",
        object(
            "6F",
            &format!("{}{inside}", object("84", "A000000333010101"))
        )
    )
}

pub(crate) fn options(template: Template, locator: &str) -> String {
    let whole = match template {
        Template::Objects => object(
            "77",
            &format!("{}{}", object("82", "7C00"), object("94", locator)),
        ),
        Template::Plain => object("80", &format!("7C00{locator}")),
    };
    format!("{whole}9000")
}

fn cryptogram(template: Template, kind: &str, atc: &str, bytes: &str) -> String {
    let whole = match template {
        Template::Objects => {
            let objects = [
                object("9F27", kind),
                object("9F36", atc),
                object("9F26", bytes),
                object("9F10", ISSUER_DATA),
            ];
            object("77", &objects.concat())
        }
        Template::Plain => object("80", &format!("{kind}{atc}{bytes}{ISSUER_DATA}")),
    };
    format!("{whole}9000")
}

/// The reading before the first cryptogram: two files with three records.
fn read(template: Template, operation: Operation, amount: &str) -> Turn {
    let options_data =
        format!("40000000{amount}000000000000 0156 0000000000 0156 261123 60 ABABABAB");
    let ask = format!("80A80000 23 83 21 {options_data} 00");
    let one = [
        object("5A", "6217000000005520"),
        object("5F34", "01"),
        object("5F24", "341231"),
    ];
    let records = [&one.concat(), &object("8C", CDOL1), &object("8D", CDOL2)]
        .map(|objects| format!("{}9000", object("70", objects)));
    let script = [
        (SELECT_CASH, fci()),
        (&ask, options(template, "08010200 10010100")),
        ("00B2 01 0C 00", records[0].clone()),
        ("00B2 02 0C 00", records[1].clone()),
        ("00B2 01 14 00", records[2].clone()),
        ("80CA9F77 00", "9F77 06 000000100000 9000".to_owned()),
    ];
    let script: Vec<(&str, &str)> = script
        .iter()
        .map(|(ask, say)| (*ask, say.as_str()))
        .collect();
    play(open_cash(operation), &script)
}

const BALANCE: (&str, &str) = ("80CA9F79 00", "9F79 06 000000003000 9000");
const ASK: &str =
    "80AE8000 1D 000000005000 000000000000 0156 0000000000 0156 261123 60 ABABABAB 00";
const CLOSE: &str =
    "80AE4000 1D 3030 000000005000 0000000000 261123 60 ABABABAB 000000003000 0005 00";

fn asked(template: Template) -> (Driver, Message) {
    let turn = play(read(template, Operation::TopUp, "000000005000"), &[BALANCE]);
    let Turn::Command(ref driver, ref command) = turn else {
        panic!("{turn:?}")
    };
    assert_eq!((command.step, command.commits), (UiStep::Approve, false));
    let facts = driver.facts();
    assert_eq!(
        (facts.tail(), facts.balance, facts.active),
        (Some("5520"), Some(3_000), Some(true))
    );
    assert_eq!(facts.expiry.as_deref(), Some("2034-12-31"));
    let arqc = cryptogram(template, "80", "0005", "1122334455667788");
    sent(play(turn, &[(ASK, &arqc)]))
}

const BOTH: [Template; 2] = [Template::Objects, Template::Plain];

#[test]
fn a_load_goes_its_whole_way_in_either_template() {
    for template in BOTH {
        let (driver, first) = asked(template);
        assert_eq!(first.body.phase.as_deref(), Some("load"));
        assert_eq!(first.body.amount, Some(5_000));
        for (name, value) in [
            ("pan", "6217000000005520"),
            ("psn", "01"),
            ("expiry", "341231"),
            ("ceiling", "000000100000"),
            ("aip", "7C00"),
            ("cdol1", CDOL1),
            ("asked", &ASK[11..ASK.len() - 2]),
            ("atc", "0005"),
            ("cryptogram", "1122334455667788"),
            ("issuer_data", ISSUER_DATA),
        ] {
            assert_eq!(
                first.body.field(name),
                Some(hex(value).as_slice()),
                "{name} {template:?}"
            );
        }
        assert_eq!(first.body.fields.len(), 10, "and nothing else");
        let fields = [("authority", AUTHORITY), ("script", SCRIPT)];
        let turn = driver.bank(&cash_bank(Operation::TopUp, 1, "credit", &fields));
        let turn = play(turn, &[(&format!("00820000 0A {AUTHORITY}"), "9000")]);
        let Turn::Command(_, ref command) = turn else {
            panic!("{turn:?}")
        };
        assert_eq!((command.step, command.commits), (UiStep::Write, true));
        let tc = cryptogram(template, "40", "0005", "8877665544332211");
        let turn = play(
            turn,
            &[(&format!("04DA9F79 0A {SCRIPT}"), "9000"), (CLOSE, &tc)],
        );
        let (driver, second) = sent(turn);
        assert_eq!(driver.written(), Some(true));
        assert_eq!(second.body.step, Some(2));
        for (name, value) in [
            ("status", "9000"),
            ("atc", "0005"),
            ("certificate", "8877665544332211"),
            ("closing_data", ISSUER_DATA),
            ("closing", &CLOSE[11..CLOSE.len() - 2]),
            ("cdol2", CDOL2),
        ] {
            assert_eq!(
                second.body.field(name),
                Some(hex(value).as_slice()),
                "{name} {template:?}"
            );
        }
    }
}

#[test]
fn the_second_way_of_a_load_confirms_the_limit_before_the_balance() {
    let (driver, _) = asked(Template::Objects);
    let fields = [("authority", AUTHORITY), ("same", SAME), ("script", SCRIPT)];
    let turn = driver.bank(&cash_bank(Operation::TopUp, 1, "credit_twice", &fields));
    let tc = cryptogram(Template::Objects, "40", "0005", "8877665544332211");
    let turn = play(
        turn,
        &[
            (&format!("00820000 0A {AUTHORITY}"), "9000"),
            (&format!("04DA9F77 0A {SAME}"), "9000"),
            (&format!("04DA9F79 0A {SCRIPT}"), "9000"),
            (CLOSE, &tc),
        ],
    );
    assert_eq!(sent(turn).1.body.phase.as_deref(), Some("credit"));
}

#[test]
fn what_the_card_refuses_of_a_load_reaches_the_bank_with_its_status() {
    let go = || {
        let (driver, _) = asked(Template::Objects);
        let fields = [("authority", AUTHORITY), ("script", SCRIPT)];
        driver.bank(&cash_bank(Operation::TopUp, 1, "credit", &fields))
    };
    let authenticate = format!("00820000 0A {AUTHORITY}");
    let write = format!("04DA9F79 0A {SCRIPT}");
    let (driver, message) = sent(play(go(), &[(&authenticate, "6300")]));
    assert_eq!(driver.written(), None, "nothing that commits was sent");
    assert_eq!(message.body.field("status"), Some(hex("6300").as_slice()));
    let (driver, message) = sent(play(go(), &[(&authenticate, "9000"), (&write, "6988")]));
    assert_eq!(driver.written(), Some(false));
    assert_eq!(message.body.field("status"), Some(hex("6988").as_slice()));
    assert_eq!(
        message.body.field("certificate"),
        None,
        "none was asked for"
    );
    assert_eq!(message.body.field("closing"), None);
}

#[test]
fn a_certificate_that_never_comes_hides_no_load() {
    for reply in ["6985", "9000", "77039F2700 9000", "6F00"] {
        let (driver, _) = asked(Template::Objects);
        let fields = [("authority", AUTHORITY), ("script", SCRIPT)];
        let turn = driver.bank(&cash_bank(Operation::TopUp, 1, "credit", &fields));
        let turn = play(
            turn,
            &[
                (&format!("00820000 0A {AUTHORITY}"), "9000"),
                (&format!("04DA9F79 0A {SCRIPT}"), "9000"),
                (CLOSE, reply),
            ],
        );
        let (driver, message) = sent(turn);
        assert_eq!(driver.written(), Some(true), "{reply}");
        assert_eq!(
            message.body.field("status"),
            Some(hex("9000").as_slice()),
            "{reply}"
        );
        assert_eq!(message.body.field("certificate"), None, "{reply}");
        assert!(
            message.body.field("closing").is_some(),
            "{reply}: what was sent is told"
        );
    }
}

#[test]
fn a_refund_asks_with_the_banks_witness_and_amount() {
    for template in BOTH {
        let turn = read(template, Operation::ReTopUp, "000000000000");
        let (driver, first) = sent(turn);
        assert_eq!(first.body.phase.as_deref(), Some("resume"));
        assert_eq!(first.body.fields.len(), 3);
        let fields = [("amount", "00000001"), ("witness", "D1D2D3D4")];
        let turn = driver.bank(&cash_bank(Operation::ReTopUp, 1, "refund", &fields));
        let ask =
            "80AE8000 1D 000000000001 000000000000 0156 0000000000 0156 261123 60 D1D2D3D4 00";
        let arqc = cryptogram(template, "80", "0006", "1122334455667788");
        let (_, second) = sent(play(turn, &[(ask, &arqc)]));
        assert_eq!(second.body.phase.as_deref(), Some("refund"));
        assert_eq!(second.body.field("atc"), Some(hex("0006").as_slice()));
    }
}

#[test]
fn an_activation_sets_the_limit_and_reads_it_again() {
    let turn = read(Template::Plain, Operation::Activation, "000000000000");
    let ask = "80AE8000 1D 000000000000 000000000000 0156 0000000000 0156 261123 60 ABABABAB 00";
    let arqc = cryptogram(Template::Plain, "80", "0002", "1122334455667788");
    let (driver, first) = sent(play(turn, &[(ask, &arqc)]));
    assert_eq!(first.body.phase.as_deref(), Some("activate"));
    let fields = [("authority", AUTHORITY), ("script", SAME)];
    let turn = driver.bank(&cash_bank(Operation::Activation, 1, "set_limit", &fields));
    let close = "80AE4000 1D 3030 000000000000 0000000000 261123 60 ABABABAB 000000000000 0002 00";
    let turn = play(
        turn,
        &[
            (&format!("00820000 0A {AUTHORITY}"), "9000"),
            (&format!("04DA9F77 0A {SAME}"), "9000"),
            (close, "6985"),
            ("80CA9F77 00", "9F77 06 000000100000 9000"),
        ],
    );
    let (_, second) = sent(turn);
    assert_eq!(
        second.body.field("ceiling"),
        Some(hex("000000100000").as_slice())
    );
}

#[test]
fn a_balance_is_read_with_its_log() {
    let turn = play(
        read(Template::Objects, Operation::Balance, "000000000000"),
        &[BALANCE],
    );
    let record = format!(
        "261101 083000 000000005000 000000000000 0156 0156 {} 60 0004 9000",
        "20".repeat(20)
    );
    let turn = play(
        turn,
        &[("00B2 01 5C 00", &record), ("00B2 02 5C 00", "6A83")],
    );
    let Turn::End(closing) = turn else {
        panic!("{turn:?}")
    };
    let card = decode(cash_packages(), &closing).unwrap().card.unwrap();
    assert_eq!(
        (card.log.len(), card.log[0].kind, card.log[0].amount),
        (1, LogKind::Load, 5_000)
    );
    assert_eq!(card.log[0].date.as_deref(), Some("2026-11-01"));
}

#[test]
fn the_next_application_is_tried_and_a_card_without_any_is_told() {
    let turn = play(
        open_cash(Operation::Balance),
        &[(SELECT_CASH, "6A82"), (SELECT_CREDIT, &fci())],
    );
    assert!(matches!(turn, Turn::Command(..)));
    let turn = play(
        open_cash(Operation::Balance),
        &[
            (SELECT_CASH, "6A82"),
            (SELECT_CREDIT, "6A82"),
            ("00A40400 08 A000000333010103 00", "6A82"),
        ],
    );
    assert_eq!(outcome(turn), "card-not-supported");
}

/// A card that asked for nothing gets an empty command template.
#[test]
fn a_card_without_a_list_gets_an_empty_one() {
    let bare = format!("{}9000", object("6F", &object("84", "A000000333010101")));
    let turn = play(open_cash(Operation::Balance), &[(SELECT_CASH, &bare)]);
    let Turn::Command(_, command) = turn else {
        panic!("{turn:?}")
    };
    assert_eq!(command.apdu, hex("80A80000 02 8300 00"));
}
