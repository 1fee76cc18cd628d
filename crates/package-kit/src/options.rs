//! The words after a verb.

use crate::USAGE;

/// Files or names, flags, and names with a value (`--name value` or `--name=value`).
pub(crate) struct Options {
    plain: Vec<String>,
    named: Vec<(String, Option<String>)>,
}

impl Options {
    pub(crate) fn parse(words: &[String], flags: &[&str], named: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            plain: Vec::new(),
            named: Vec::new(),
        };
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            if !word.starts_with("--") {
                options.plain.push(word.clone());
            } else if flags.contains(&name) && inline.is_none() {
                options.named.push((name.to_owned(), None));
            } else if named.contains(&name) {
                let value = inline.or_else(|| rest.next().cloned());
                let value = value.ok_or_else(|| format!("{name} needs a value"))?;
                options.named.push((name.to_owned(), Some(value)));
            } else {
                return Err(format!("unknown option {word}\n\n{USAGE}"));
            }
        }
        Ok(options)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.named.iter().any(|(given, _)| given == name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut given = self.named.iter().rev();
        given.find(|(given, _)| given == name)?.1.as_deref()
    }

    pub(crate) fn needed(&self, name: &str) -> Result<&str, String> {
        self.value(name)
            .ok_or_else(|| format!("{name} is needed\n\n{USAGE}"))
    }

    /// All files or names, at least one.
    pub(crate) fn several(&self, what: &str) -> Result<&[String], String> {
        if self.plain.is_empty() {
            return Err(format!("{what} is needed\n\n{USAGE}"));
        }
        Ok(&self.plain)
    }

    /// The one file or name.
    pub(crate) fn one(&self, what: &str) -> Result<&str, String> {
        match self.several(what)? {
            [one] => Ok(one),
            _ => Err(format!("one {what} only\n\n{USAGE}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Options::parse(&words, &["--json"], &["--card"])
    }

    #[test]
    fn files_flags_and_values_come_in_any_order() {
        for words in [
            &["a.json", "--card", "demo", "--json"][..],
            &["--json", "--card=demo", "a.json"],
        ] {
            let options = parse(words).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(options.one("FILE"), Ok("a.json"));
            assert_eq!(options.value("--card"), Some("demo"));
            assert!(options.has("--json"));
        }
    }

    #[test]
    fn what_nobody_knows_is_refused_rather_than_ignored() {
        assert!(parse(&["--cards", "demo"]).is_err(), "a typing error");
        assert!(parse(&["--card"]).is_err(), "a value is missing");
        let two = parse(&["a.json", "b.json"]).map(|it| it.one("FILE").is_err());
        assert_eq!(two, Ok(true), "one is asked for");
    }
}
