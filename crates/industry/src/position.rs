//! Where in a package's text an error is, for its author.

use std::borrow::Cow;
use std::fmt;

use crate::PackageError;

/// A place in a text.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Where an error of this very text is; none for those that are about the whole.
#[must_use]
pub fn position(text: &str, error: &PackageError) -> Option<Position> {
    match error {
        PackageError::Json { line, column, .. } | PackageError::TooDeep { line, column } => {
            Some(in_characters(text, *line, *column))
        }
        PackageError::Rule { at, why, .. } => Some(position_of(text, at, why)),
        PackageError::TooLarge { .. }
        | PackageError::Older { .. }
        | PackageError::NotYetValid { .. } => None,
    }
}

/// Where the member `at` is, e.g. `commands.select.send`; where `why` quotes something (`` `selekt` ``) that stands in
/// it, there. The text is JSON; of a member that is not there, the innermost that is.
#[must_use]
pub fn position_of(text: &str, at: &str, why: &str) -> Position {
    let whole = Place {
        name: text.trim_start(),
        value: text,
    };
    let found = find(whole, at);
    let inside = length_of(found.value);
    let inside = found.value.get(..inside).unwrap_or_default();
    let quoted = why.split('`').skip(1).step_by(2);
    let named = quoted
        .flat_map(|name| {
            [
                format!("\"{name}\""),
                format!("{{{name}}}"),
                name.to_owned(),
            ]
        })
        .find_map(|name| found.value.get(inside.find(&name)?..));
    let rest = named.unwrap_or(found.name);
    place_of(text, text.len().saturating_sub(rest.len()))
}

/// The reader of JSON counts bytes.
fn in_characters(text: &str, line: usize, column: usize) -> Position {
    let wanted = text.split('\n').nth(line.saturating_sub(1));
    let bytes = wanted.unwrap_or_default().char_indices();
    let before = bytes.filter(|(at, _)| *at < column).count();
    Position {
        line: line.max(1),
        column: before.max(1),
    }
}

fn place_of(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let on_line = before.rsplit('\n').next().unwrap_or_default();
    Position {
        line: before.split('\n').count(),
        column: on_line.chars().count().saturating_add(1),
    }
}

/// A member: the text from its name on, and its value with what follows.
#[derive(Clone, Copy)]
struct Place<'t> {
    name: &'t str,
    value: &'t str,
}

fn find<'t>(place: Place<'t>, path: &str) -> Place<'t> {
    let mut found = Place {
        value: value_of(place.value),
        ..place
    };
    let mut rest = path;
    while !rest.is_empty() {
        let Some((member, after)) = member_of(found.value, rest) else {
            break;
        };
        found = member;
        rest = after;
    }
    found
}

/// Of an object, the member with which the path begins, and the rest of the path. Names may hold dots where a rule
/// is about that: the longest that fits.
fn member_of<'t, 'p>(object: &'t str, path: &'p str) -> Option<(Place<'t>, &'p str)> {
    let mut scan = Scan { rest: object };
    let mut best: Option<(Place<'t>, &'p str, usize)> = None;
    if !scan.take('{') {
        return None;
    }
    loop {
        scan.skip_space();
        let start = scan.rest;
        let Some(name) = scan.string() else { break };
        let name = unescaped(name);
        scan.take(':');
        scan.skip_space();
        let place = Place {
            name: start,
            value: scan.rest,
        };
        scan.value();
        let after = path.strip_prefix(name.as_ref()).and_then(|after| {
            let ends = after.is_empty();
            after.strip_prefix('.').or(ends.then_some(after))
        });
        if let Some(after) = after
            && best.is_none_or(|(_, _, length)| length < name.len())
        {
            best = Some((place, after, name.len()));
        }
        if !scan.take(',') {
            break;
        }
    }
    best.map(|(place, after, _)| (place, after))
}

fn unescaped(token: &str) -> Cow<'_, str> {
    match serde_json::from_str(token) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(token),
    }
}

fn value_of(text: &str) -> &str {
    let mut scan = Scan { rest: text };
    scan.skip_space();
    scan.rest
}

/// Of the value alone, without what follows.
fn length_of(value: &str) -> usize {
    let mut scan = Scan { rest: value };
    scan.value();
    value.len().saturating_sub(scan.rest.len())
}

/// Goes through text that is known to be JSON.
struct Scan<'t> {
    rest: &'t str,
}

impl<'t> Scan<'t> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
    }

    fn take(&mut self, sign: char) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A string with its quotation marks.
    fn string(&mut self) -> Option<&'t str> {
        let start = self.rest;
        let mut escaped = false;
        for (at, sign) in start.strip_prefix('"')?.char_indices() {
            match sign {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    let (token, rest) = start.split_at_checked(at.checked_add(2)?)?;
                    self.rest = rest;
                    return Some(token);
                }
                _ => {}
            }
        }
        None
    }

    /// Goes behind one value.
    fn value(&mut self) {
        self.skip_space();
        let mut depth = 0_usize;
        loop {
            if self.string().is_some() {
                // a string is a value, or a name in one
            } else {
                let mut signs = self.rest.chars();
                match signs.next() {
                    None => return,
                    Some('{' | '[') => depth = depth.saturating_add(1),
                    Some('}' | ']') if depth == 0 => return,
                    Some('}' | ']') => depth = depth.saturating_sub(1),
                    Some(',') if depth == 0 => return,
                    Some(_) => {}
                }
                self.rest = signs.as_str();
            }
            let more = self.rest.chars().next();
            if depth == 0
                && matches!(
                    more,
                    None | Some(',' | '}' | ']' | ' ' | '\n' | '\r' | '\t')
                )
            {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Package;

    const TEXT: &str = r#"{
  "name": { "zh-CN": "公交钱包", "en": "Purse" },
  "commands": {
    "select": { "send": "00A4 {dia}", "on": { "6A82": "done", "*": "skip" } },
    "odd.name": { "send": "00, } \" ]" },
    "last": { "send": 5 }
  },
  "phases": { "load": { "steps": [{ "run": "selekt" }, { "run": "x" }] } }
}"#;

    fn at(path: &str, why: &str) -> (usize, usize) {
        let Position { line, column } = position_of(TEXT, path, why);
        (line, column)
    }

    #[test]
    fn a_member_is_found_by_its_path() {
        assert_eq!(at("name", ""), (2, 3));
        assert_eq!(at("name.en", ""), (2, 30), "characters, not bytes");
        assert_eq!(at("commands.select.send", ""), (4, 17));
        assert_eq!(at("commands.select.on.6A82", ""), (4, 47));
        assert_eq!(at("commands.select.on.*", ""), (4, 63));
        assert_eq!(at("commands.odd.name", ""), (5, 5), "a name with a dot");
        assert_eq!(at("commands.last.send", ""), (6, 15), "after odd signs");
        assert_eq!(at("phases.load.steps", ""), (8, 25));
    }

    #[test]
    fn what_is_not_there_leads_to_what_is_around_it() {
        assert_eq!(at("commands.select.reply", ""), (4, 5));
        assert_eq!(at("phases.open_balance", ""), (8, 3));
        assert_eq!(at("bounds.commands", ""), (1, 1));
        assert_eq!(at("", ""), (1, 1));
    }

    #[test]
    fn what_a_rule_quotes_is_found_in_its_member() {
        assert_eq!(at("phases.load.steps", "no command `selekt`"), (8, 44));
        let dia = at("commands.select.send", "`dia` is not declared");
        assert_eq!(dia, (4, 31), "the placeholder");
        assert_eq!(
            at("phases.load.steps", "`done` is none"),
            (8, 25),
            "elsewhere only"
        );
    }

    #[test]
    fn each_error_of_a_package_has_the_place_where_it_was_made() {
        let transit = crate::tests::TRANSIT;
        for (from, to, marked) in [
            (r#""format": 1"#, r#""format": 2"#, r#""format": 2"#),
            (
                r#"{ "run": "read_uid" }"#,
                r#"{ "run": "read_uidd" }"#,
                r#""read_uidd""#,
            ),
            ("00A40400 09 {aid} 00", "00A40400 09 {dia} 00", "{dia}"),
            (
                r#""at": 24, "length": 4"#,
                r#""at": 27, "length": 4"#,
                r#""expiry": { "at": 27"#,
            ),
            (
                r#""after": ["prove"]"#,
                r#""after": ["load"]"#,
                r#""load": {"#,
            ),
        ] {
            let text = transit.replacen(from, to, 1);
            let error = Package::parse(text.as_bytes()).map(drop).unwrap_err();
            let offset = text.find(marked).unwrap();
            let expected = place_of(&text, offset);
            assert_eq!(position(&text, &error), Some(expected), "{error}");
        }
    }

    #[test]
    fn the_column_of_bad_json_counts_characters() {
        let text = "{\n  \"name\": { \"zh-CN\": \"公交\", \"en\": x }\n}";
        let error = Package::parse(text.as_bytes()).map(drop).unwrap_err();
        let found = position(text, &error).unwrap();
        assert_eq!((found.line, found.column), (2, 34), "{error}");
        assert_eq!(text.lines().nth(1).unwrap().chars().nth(33), Some('x'));
    }

    #[test]
    fn any_text_has_places_without_end() {
        for text in [
            "",
            "{",
            "\"",
            "{\"a\"",
            "{\"a\":",
            "[",
            "]",
            "{\"a\":[}",
            "\\",
        ] {
            let _ = position_of(text, "a.b", "`c`");
        }
    }
}
