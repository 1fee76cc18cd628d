//! Text to records of fields, as spreadsheets write them.

use zeroize::Zeroizing;

/// One record: what a spreadsheet shows as a row.
pub(crate) struct Record {
    /// From 1, empty rows counted.
    pub(crate) row: u32,
    /// As they stand, without the quotes around them. A field may be a card's number.
    pub(crate) fields: Vec<Zeroizing<String>>,
}

impl Record {
    pub(crate) fn is_blank(&self) -> bool {
        self.fields.iter().all(|field| field.trim().is_empty())
    }
}

/// A quote that nothing closes, or text behind one that is closed: the record that it stands in.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct BadQuote(pub(crate) u32);

/// What stands between two fields: of comma, semicolon and tab the one that the first line has most of.
pub(crate) fn separator(text: &str) -> char {
    let mut counts = [(',', 0_u32), (';', 0), ('\t', 0)];
    let mut quoted = false;
    let first = text.trim_start_matches(['\r', '\n']);
    for letter in first.chars() {
        match letter {
            '"' => quoted = !quoted,
            '\r' | '\n' if !quoted => break,
            _ if quoted => {}
            _ => {
                for (separator, count) in &mut counts {
                    if *separator == letter {
                        *count = count.saturating_add(1);
                    }
                }
            }
        }
    }
    // Of two as frequent the first counts: a comma.
    let mut best = (',', 0);
    for candidate in counts {
        if candidate.1 > best.1 {
            best = candidate;
        }
    }
    best.0
}

/// Where the reader of a record stands.
#[derive(Clone, Copy, Eq, PartialEq)]
enum At {
    /// Nothing of the field was read.
    Start,
    Plain,
    Quoted,
    /// Behind a quote inside of a quoted field: its end, or the first of two that stand for one.
    Quote,
}

/// Reads the records. A line ends with CR LF, LF or CR.
pub(crate) fn records(text: &str, separator: char) -> Result<Vec<Record>, BadQuote> {
    let mut reader = Reader {
        all: Vec::new(),
        fields: Vec::new(),
        field: Zeroizing::new(String::new()),
        at: At::Start,
        row: 1,
    };
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let ends = matches!(letter, '\r' | '\n') && reader.at != At::Quoted;
        if ends {
            if letter == '\r' && letters.peek() == Some(&'\n') {
                letters.next();
            }
            reader.end_record();
            continue;
        }
        reader.take(letter, separator)?;
    }
    if reader.at == At::Quoted {
        return Err(BadQuote(reader.row));
    }
    if reader.at != At::Start || !reader.fields.is_empty() {
        reader.end_record();
    }
    Ok(reader.all)
}

struct Reader {
    all: Vec<Record>,
    fields: Vec<Zeroizing<String>>,
    field: Zeroizing<String>,
    at: At,
    row: u32,
}

impl Reader {
    fn take(&mut self, letter: char, separator: char) -> Result<(), BadQuote> {
        match (self.at, letter) {
            (At::Start, '"') => self.at = At::Quoted,
            (At::Start | At::Plain, it) if it == separator => self.end_field(),
            (At::Start | At::Plain, it) => {
                self.field.push(it);
                self.at = At::Plain;
            }
            (At::Quoted, '"') => self.at = At::Quote,
            (At::Quoted, it) => self.field.push(it),
            (At::Quote, '"') => {
                self.field.push('"');
                self.at = At::Quoted;
            }
            (At::Quote, it) if it == separator => self.end_field(),
            (At::Quote, it) if it.is_whitespace() => {}
            (At::Quote, _) => return Err(BadQuote(self.row)),
        }
        Ok(())
    }

    fn end_field(&mut self) {
        self.fields.push(std::mem::take(&mut self.field));
        self.at = At::Start;
    }

    fn end_record(&mut self) {
        self.end_field();
        self.all.push(Record {
            row: self.row,
            fields: std::mem::take(&mut self.fields),
        });
        self.row = self.row.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Vec<String>> {
        let records = records(text, separator(text)).unwrap();
        let plain = |record: Record| record.fields.iter().map(|it| it.to_string()).collect();
        records.into_iter().map(plain).collect()
    }

    #[test]
    fn lines_end_as_any_system_ends_them() {
        let expected = vec![vec!["a", "b"], vec!["c", "d"]];
        for text in ["a,b\nc,d", "a,b\r\nc,d\r\n", "a,b\rc,d\r", "a,b\nc,d\n"] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_quoted_field_keeps_separators_quotes_and_lines() {
        assert_eq!(
            read("\"a,1\",\"b \"\"c\"\"\"\n\"d\ne\" ,f"),
            vec![vec!["a,1", "b \"c\""], vec!["d\ne", "f"]]
        );
        assert_eq!(read("a\"b,c"), vec![vec!["a\"b", "c"]], "a quote inside");
    }

    #[test]
    fn a_quote_that_ends_nowhere_or_too_early_is_told_with_its_row() {
        let bad = |text: &str| records(text, ',').err();
        assert_eq!(bad("a,b\n\"c,d\n"), Some(BadQuote(2)));
        assert_eq!(bad("\"a\"b,c"), Some(BadQuote(1)));
        assert_eq!(bad("\"a\",c"), None);
    }

    #[test]
    fn the_separator_is_the_one_of_the_first_line() {
        assert_eq!(separator("name;card;amount\na,b;1;2"), ';');
        assert_eq!(separator("\r\nname\tcard\tamount"), '\t');
        assert_eq!(separator("\"a;b;c;d\",card,amount"), ',');
        assert_eq!(separator("name"), ',', "none at all");
    }

    #[test]
    fn empty_rows_count_as_they_do_on_the_screen() {
        let all = records("a\n\n\nb", ',').unwrap();
        let rows: Vec<u32> = (all.iter().filter(|it| !it.is_blank()))
            .map(|it| it.row)
            .collect();
        assert_eq!(rows, [1, 4]);
    }
}
