//! The file that reconciles a list: each card, then what it comes to.

use crate::item::{Item, Standing, Sum, Totals};

/// The words of one language.
#[derive(Clone, Copy, Debug)]
pub struct ReportWords {
    /// Name, card tail, amount, state, reference, time.
    pub heads: [&'static str; 6],
    /// Waiting, unsettled, loaded, returned, given up by the bank.
    pub states: [&'static str; 5],
    /// All that was paid.
    pub paid: &'static str,
}

/// A CSV file in UTF-8 with a byte order mark: spreadsheets would take Chinese for something else without it. `time`
/// writes milliseconds since 1970-01-01 UTC. The totals stand below the cards, under the same headings: what, how many
/// cards, how much.
#[must_use]
pub fn report(items: &[Item], words: &ReportWords, time: impl Fn(u64) -> String) -> String {
    let mut text = String::from("\u{feff}");
    row(&mut text, &words.heads.map(str::to_owned));
    for item in items {
        row(
            &mut text,
            &[
                item.name.clone(),
                item.tail.clone(),
                yuan(item.amount.into()),
                state(item.standing, words).to_owned(),
                item.reference.clone().unwrap_or_default(),
                item.time_ms.map(&time).unwrap_or_default(),
            ],
        );
    }
    row(&mut text, &[]);
    let totals = Totals::of(items);
    let [waiting, unsettled, loaded, returned, written_off] = words.states;
    for (word, sum) in [
        (words.paid, totals.paid),
        (loaded, totals.loaded),
        (returned, totals.returned),
        (waiting, totals.waiting),
        (unsettled, totals.unsettled),
    ] {
        let Sum { cards, fen } = sum;
        row(&mut text, &[word.to_owned(), cards.to_string(), yuan(fen)]);
    }
    let Sum { cards, fen } = totals.written_off;
    if cards > 0 {
        // Hardly ever: it is no line of a file that most people read.
        row(
            &mut text,
            &[written_off.to_owned(), cards.to_string(), yuan(fen)],
        );
    }
    text
}

const fn state(standing: Standing, words: &ReportWords) -> &'static str {
    let [waiting, unsettled, loaded, returned, written_off] = words.states;
    match standing {
        Standing::Waiting => waiting,
        Standing::Open => unsettled,
        Standing::Loaded => loaded,
        Standing::Returned => returned,
        Standing::WrittenOff => written_off,
    }
}

fn row(text: &mut String, fields: &[String]) {
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    text.push_str(&fields.join(","));
    text.push_str("\r\n");
}

/// A spreadsheet runs what begins like a formula; a list comes from anybody.
fn quoted(field: &str) -> String {
    let runs = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if runs { "'" } else { "" };
    let plain = !runs && !field.contains([',', ';', '"', '\n', '\r']);
    if plain {
        field.to_owned()
    } else {
        format!("\"{guard}{}\"", field.replace('"', "\"\""))
    }
}

fn yuan(fen: u64) -> String {
    let (yuan, cents) = (fen.checked_div(100), fen.checked_rem(100));
    format!(
        "{}.{:02}",
        yuan.unwrap_or_default(),
        cents.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: ReportWords = ReportWords {
        heads: [
            "name",
            "card tail",
            "amount (CNY)",
            "state",
            "reference",
            "time (UTC)",
        ],
        states: [
            "waiting",
            "unsettled",
            "loaded",
            "returned",
            "closed by the bank",
        ],
        paid: "paid",
    };

    fn item(name: &str, standing: Standing) -> Item {
        Item {
            name: name.to_owned(),
            tail: "0071".to_owned(),
            marks: vec![7],
            amount: 5_005,
            attempt: None,
            standing,
            reference: (standing == Standing::Loaded).then(|| "TF-7K2M-91QX".to_owned()),
            time_ms: (standing == Standing::Loaded).then_some(5),
        }
    }

    #[test]
    fn every_card_stands_there_once_and_the_sums_below() {
        let items = [
            item("Seat 1", Standing::Loaded),
            item("Seat 2", Standing::Waiting),
            item("Zhou, Min", Standing::Open),
        ];
        let text = report(&items, &WORDS, |ms| format!("at {ms}"));
        assert_eq!(
            text,
            "\u{feff}name,card tail,amount (CNY),state,reference,time (UTC)\r\n\
             Seat 1,0071,50.05,loaded,TF-7K2M-91QX,at 5\r\n\
             Seat 2,0071,50.05,waiting,,\r\n\
             \"Zhou, Min\",0071,50.05,unsettled,,\r\n\
             \r\n\
             paid,3,150.15\r\n\
             loaded,1,50.05\r\n\
             returned,0,0.00\r\n\
             waiting,1,50.05\r\n\
             unsettled,1,50.05\r\n"
        );
    }

    #[test]
    fn a_name_runs_nothing_in_a_spreadsheet() {
        for name in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            let text = report(&[item(name, Standing::Waiting)], &WORDS, |_| String::new());
            assert!(text.contains(&format!("\"'{name}\"")), "{text}");
        }
        assert_eq!(quoted("O'Neil \"Al\""), "\"O'Neil \"\"Al\"\"\"");
    }
}
