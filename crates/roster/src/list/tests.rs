use proptest::prelude::*;

use super::*;

const CARD: &str = "00006217000000004471";
const OTHER: &str = "00006217000000008826";

fn flaws(text: &str) -> Vec<(u32, Option<Column>, FlawKind)> {
    let flaws = List::parse(text.as_bytes()).unwrap_err();
    assert_eq!(flaws.count, flaws.told.len(), "few enough to tell all");
    let place = |flaw: &Flaw| (flaw.row, flaw.column, flaw.kind);
    flaws.told.iter().map(place).collect()
}

/// A list of one row with these fields.
fn of(name: &str, card: &str, amount: &str) -> Result<List, Flaws> {
    List::parse(format!("name;card;amount\n{name};{card};{amount}\n").as_bytes())
}

fn flaw_of(name: &str, card: &str, amount: &str) -> (Option<Column>, FlawKind) {
    let flaws = of(name, card, amount).unwrap_err();
    assert_eq!(flaws.count, 1, "{flaws:?}");
    (flaws.told[0].column, flaws.told[0].kind)
}

#[test]
fn a_list_is_read_with_comma_semicolon_or_tab_with_and_without_a_mark_at_its_beginning() {
    for separator in [",", ";", "\t"] {
        for mark in ["", "\u{feff}"] {
            let text =
                format!("{mark}name,card,amount\r\nSeat 1,{CARD},50\r\nSeat 2,{OTHER},20.5\r\n")
                    .replace(',', separator);
            let list = List::parse(text.as_bytes()).unwrap();
            let rows: Vec<_> = (list.rows.iter())
                .map(|row| (row.row, row.name.as_str(), row.card.as_str(), row.amount))
                .collect();
            assert_eq!(
                rows,
                [(2, "Seat 1", CARD, 5_000), (3, "Seat 2", OTHER, 2_050)],
                "{text:?}"
            );
            assert_eq!(list.total(), 7_050);
        }
    }
}

#[test]
fn columns_stand_in_any_order_among_others_and_under_chinese_headings() {
    for heads in [
        "姓名,班级,金额,卡号",
        "姓名,班級,金額,卡號",
        "Name,Class,AMOUNT, Card ",
    ] {
        let list = List::parse(format!("{heads}\n一号,三班,12.34,{CARD}\n").as_bytes()).unwrap();
        assert_eq!(list.rows[0].name, "一号", "{heads}");
        assert_eq!(list.rows[0].amount, 1_234);
        assert_eq!(*list.rows[0].card, CARD);
    }
}

#[test]
fn headings_that_are_not_there_or_there_twice_are_named() {
    use Column::{Amount, Card, Name};
    assert_eq!(
        flaws(&format!("Seat 1,{CARD},50")),
        [
            (1, Some(Name), FlawKind::HeadingMissing),
            (1, Some(Card), FlawKind::HeadingMissing),
            (1, Some(Amount), FlawKind::HeadingMissing),
        ],
        "a list without headings"
    );
    assert_eq!(
        flaws("\nname,card,card,amount\n"),
        [(2, Some(Card), FlawKind::HeadingTwice)]
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_row_and_column() {
    use Column::{Amount, Card, Name};
    let text = format!(
        "name,card,amount\n,{CARD},50\n\nSeat 1,12a4567,fifty\nA,{OTHER},1\nB,{OTHER},1\nC, D,{CARD},1\n"
    );
    assert_eq!(
        flaws(&text),
        [
            (2, Some(Name), FlawKind::NameMissing),
            (4, Some(Card), FlawKind::CardDigits),
            (4, Some(Amount), FlawKind::AmountBad),
            (6, Some(Card), FlawKind::CardTwice),
            (7, None, FlawKind::FieldsMany),
        ]
    );
    let flaws = List::parse(text.as_bytes()).unwrap_err();
    assert_eq!(flaws.told[3].detail, Some(5), "the row that has it already");
}

#[test]
fn the_same_number_with_and_without_its_zeros_is_there_twice() {
    let text = format!("name,card,amount\nA,{CARD},1\nB,6217000000004471,1\n");
    let twice = (3, Some(Column::Card), FlawKind::CardTwice);
    assert_eq!(flaws(&text), [twice]);
}

#[test]
fn a_number_is_read_as_people_and_spreadsheets_write_it() {
    for card in [
        CARD,
        "0000 6217 0000 0000 4471",
        "0000-6217-0000-0000-4471",
        "'00006217000000004471",
        "００００６２１７００００００００４４７１",
    ] {
        assert_eq!(*of("A", card, "1").unwrap().rows[0].card, CARD, "{card}");
    }
    for (card, kind) in [
        ("", FlawKind::CardMissing),
        ("6.217E+15", FlawKind::CardRounded),
        ("6217000000004471.0", FlawKind::CardRounded),
        ("6217x", FlawKind::CardDigits),
        ("E621700", FlawKind::CardDigits),
        ("12345", FlawKind::CardDigits),
        ("1234567890123456789012345", FlawKind::CardDigits),
    ] {
        assert_eq!(
            flaw_of("A", card, "1"),
            (Some(Column::Card), kind),
            "{card:?}"
        );
    }
}

#[test]
fn an_amount_is_yuan_with_at_most_two_decimals_and_nothing_is_guessed() {
    for (text, fen) in [
        ("50", 5_000),
        ("50.5", 5_050),
        ("50.05", 5_005),
        ("0.01", 1),
        ("¥50", 5_000),
        ("￥ 50.00", 5_000),
        ("５０．５", 5_050),
        ("999999.99", 99_999_999),
    ] {
        assert_eq!(of("A", CARD, text).unwrap().rows[0].amount, fen, "{text}");
    }
    for text in [
        "0", "0.00", "-5", "+5", "5,5", "1,000", "50.", ".5", "50.005", "1e3", "50元", "1000000",
        "5 0", "1.2.3",
    ] {
        let flaw = flaw_of("A", CARD, text);
        assert_eq!(flaw, (Some(Column::Amount), FlawKind::AmountBad), "{text}");
    }
    let missing = (Some(Column::Amount), FlawKind::AmountMissing);
    assert_eq!(flaw_of("A", CARD, ""), missing);
    let short = format!("name,card,amount\nSeat 1,{CARD}\n");
    assert_eq!(flaws(&short), [(2, missing.0, missing.1)], "a short row");
}

#[test]
fn a_name_is_one_line_and_not_endless() {
    let list = List::parse(format!("name,card,amount\n\"Seat\n1\",{CARD},1\n").as_bytes()).unwrap();
    assert_eq!(list.rows[0].name, "Seat 1");
    let long = "李".repeat(MOST_LETTERS);
    assert!(
        of(&long, CARD, "1").is_ok(),
        "letters are counted, not bytes"
    );
    let flaw = flaw_of(&format!("{long}x"), CARD, "1");
    assert_eq!(flaw, (Some(Column::Name), FlawKind::NameLong));
}

#[test]
fn a_file_that_is_no_text_is_told_as_such() {
    let chinese_windows = b"name,card,amount\n\xC0\xEE\xC4\xC8,1234567,1\n";
    let flaws_of = |bytes: &[u8]| List::parse(bytes).unwrap_err().told;
    assert_eq!(flaws_of(chinese_windows)[0].kind, FlawKind::Encoding);
    assert_eq!(flaws_of(chinese_windows)[0].row, 2, "where it begins");
    let utf16: Vec<u8> = "name,card,amount\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(flaws_of(&utf16)[0].kind, FlawKind::Encoding);
    assert_eq!(flaws_of(b"\xFF\xFEn\0a\0")[0].kind, FlawKind::Encoding);
    let large = vec![b'a'; MOST_BYTES + 1];
    assert_eq!(flaws_of(&large)[0].kind, FlawKind::TooLarge);
    let unclosed = format!("name,card,amount\n\"Seat 1,{CARD},1\n");
    assert_eq!(flaws_of(unclosed.as_bytes())[0].kind, FlawKind::Quote);
}

#[test]
fn an_empty_list_is_one_flaw_and_too_long_a_one_another() {
    for empty in [
        "",
        "\n\n",
        "\u{feff}",
        "name,card,amount\n",
        "name,card,amount\n,,\n",
    ] {
        assert_eq!(flaws(empty), [(0, None, FlawKind::Empty)], "{empty:?}");
    }
    let rows = |count: usize| {
        let row = |place| format!("P{place},{:010},1\n", place);
        let rows: String = (0..count).map(row).collect();
        List::parse(format!("name,card,amount\n{rows}").as_bytes())
    };
    assert_eq!(rows(MOST_ROWS).unwrap().rows.len(), MOST_ROWS);
    let many = rows(MOST_ROWS + 1).unwrap_err();
    assert_eq!(many.told[0].kind, FlawKind::RowsMany);
    assert_eq!(many.told[0].detail, Some(500));
}

#[test]
fn of_very_many_flaws_the_first_are_told_and_all_are_counted() {
    let rows = "x,y,z\n".repeat(200);
    let flaws = List::parse(format!("name,card,amount\n{rows}").as_bytes()).unwrap_err();
    assert_eq!((flaws.told.len(), flaws.count), (MOST_FLAWS, 400));
}

#[test]
fn limits_of_the_bank_are_told_by_row() {
    let list = List::parse(
        format!("name,card,amount\nA,{CARD},0.50\nB,{OTHER},1000.01\nC,1234567,10\n").as_bytes(),
    )
    .unwrap();
    let limits = Limits {
        min: 100,
        max: 100_000,
    };
    let told = list.beyond(limits).unwrap().told;
    let places: Vec<_> = told.iter().map(|it| (it.row, it.kind, it.detail)).collect();
    assert_eq!(
        places,
        [
            (2, FlawKind::AmountLow, Some(100)),
            (3, FlawKind::AmountHigh, Some(100_000)),
        ]
    );
    let wide = Limits {
        min: 1,
        max: u32::MAX,
    };
    assert_eq!(list.beyond(wide), None);
}

#[test]
fn a_row_shows_no_number() {
    let list = of("Seat 1", CARD, "1").unwrap();
    let shown = format!("{list:?}");
    assert!(!shown.contains("4471") && !shown.contains("Na"), "{shown}");
}

proptest! {
    #[test]
    fn any_bytes_are_a_list_or_have_a_flaw(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Err(flaws) = List::parse(&bytes) {
            prop_assert!(flaws.count >= flaws.told.len() && !flaws.told.is_empty());
        }
    }

    #[test]
    fn any_text_of_a_lists_letters_is_read_without_a_panic(text in "(name|card|amount|姓名|[0-9a-z,;\"\r\n .¥'-]){0,60}") {
        let _ = List::parse(text.as_bytes());
    }

    #[test]
    fn what_is_written_is_read(names in proptest::collection::vec("[a-z\",; ]{0,8}[a-z]", 1..20), fen in 1_u32..99_999_999) {
        let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
        let rows: String = names.iter().enumerate()
            .map(|(place, name)| format!("{},{:012},{}.{:02}\n", quoted(name), place, fen / 100, fen % 100))
            .collect();
        let list = List::parse(format!("name,card,amount\n{rows}").as_bytes()).unwrap();
        for (row, name) in list.rows.iter().zip(&names) {
            prop_assert_eq!((row.name.as_str(), row.amount), (name.trim(), fen));
        }
    }
}
