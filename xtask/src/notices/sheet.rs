//! The file itself: every package by its name, then every text once.

use std::collections::BTreeSet;

use super::{Origin, Package};

const WIDTH: usize = 100;

/// By name and version, each once.
pub(super) fn in_order(mut packages: Vec<Package>) -> Vec<Package> {
    packages.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    packages.dedup_by(|one, other| one.name == other.name && one.version == other.version);
    packages
}

/// The file for a program, of packages in order.
pub(super) fn written(program: &str, packages: &[Package]) -> String {
    let mut texts = Texts::default();
    let entries: Vec<String> = packages.iter().map(|it| entry(it, &mut texts)).collect();
    let head = format!(
        "Whose work is in {program}\n\n\
         Tapfill's own part is under MIT or Apache-2.0, as you like. It holds the {} packages below, each under a\n\
         licence of its own. The numbers are those of the licences' texts, which follow. The source of each package\n\
         is at the address that is named, and under its name at https://crates.io or https://www.npmjs.com.\n",
        packages.len()
    );
    let mut parts = vec![head];
    parts.extend(entries);
    parts.extend(
        texts
            .0
            .iter()
            .enumerate()
            .map(|(at, text)| text.written(at + 1)),
    );
    parts.join("\n")
}

fn entry(package: &Package, texts: &mut Texts) -> String {
    let Package {
        name,
        version,
        licence,
        repository,
        authors,
        origin,
        ..
    } = package;
    let who = format!("{name} {version}");
    let shown = if licence.is_empty() {
        "as its text says"
    } else {
        licence
    };
    let mut lines = vec![who.clone(), format!("    licence: {shown}")];
    if !repository.is_empty() {
        lines.push(format!("    source:  {repository}"));
    }
    let numbers: BTreeSet<usize> = package
        .texts
        .iter()
        .map(|it| texts.number(it, &who))
        .collect();
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    let numbers = numbers.join(", ");
    lines.extend(match origin {
        Origin::Itself => vec![format!("    texts:   {numbers}")],
        Origin::Neighbour(other) => vec![format!(
            "    texts:   {numbers} (none in its package; this is {other}'s, from the same source)"
        )],
        Origin::Usual => {
            let whose = if authors.is_empty() {
                "not named"
            } else {
                authors
            };
            vec![
                format!("    authors: {whose}"),
                format!(
                    "    texts:   {numbers} (none in its package; this is the licence's usual one)"
                ),
            ]
        }
    });
    lines.join("\n") + "\n"
}

/// Every text once, in the order in which packages come to it.
#[derive(Default)]
struct Texts(Vec<Shared>);

struct Shared {
    text: String,
    /// Its words: what differs in lines and spaces alone is the same text.
    words: String,
    packages: Vec<String>,
}

impl Texts {
    /// The number of a text, from 1.
    fn number(&mut self, text: &str, who: &str) -> usize {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let at = self.0.iter().position(|it| it.words == words);
        let at = at.unwrap_or_else(|| {
            let text = text.to_owned();
            self.0.push(Shared {
                text,
                words,
                packages: Vec::new(),
            });
            self.0.len() - 1
        });
        if let Some(shared) = self.0.get_mut(at)
            && shared.packages.last().is_none_or(|last| last != who)
        {
            shared.packages.push(who.to_owned());
        }
        at + 1
    }
}

impl Shared {
    fn written(&self, number: usize) -> String {
        let rule = "=".repeat(WIDTH);
        let names = wrapped(&self.packages);
        format!(
            "{rule}\nText {number}, of\n{names}\n{rule}\n\n{}\n",
            self.text
        )
    }
}

/// Names with commas between them, in lines that are not too long.
fn wrapped(names: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for name in names {
        match lines.last_mut() {
            Some(line) if line.len() + name.len() + 2 <= WIDTH => {
                line.push_str(", ");
                line.push_str(name);
            }
            _ => lines.push(name.clone()),
        }
    }
    lines.join(",\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, texts: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: "MIT".to_owned(),
            texts: texts.iter().map(|it| (*it).to_owned()).collect(),
            ..Package::default()
        }
    }

    #[test]
    fn packages_come_by_name_and_each_text_once_with_all_that_share_it() {
        let told = [
            package("b", "1.0.0", &["Shared\n  text", "Of b"]),
            package("a", "2.0.0", &["Shared text"]),
            package("a", "1.0.0", &["Of a"]),
            package("b", "1.0.0", &["told twice"]),
        ];
        let file = written("a program", &in_order(told.to_vec()));
        let places = [
            "\na 1.0.0\n",
            "\na 2.0.0\n",
            "\nb 1.0.0\n",
            "\nText 1, of\na 1.0.0\n",
            "\nOf a\n",
            "\nText 2, of\na 2.0.0, b 1.0.0\n",
            "\nShared text\n",
            "\nText 3, of\nb 1.0.0\n",
            "\nOf b\n",
        ]
        .map(|part| {
            file.find(part)
                .unwrap_or_else(|| panic!("{part:?} in {file}"))
        });
        assert!(places.is_sorted(), "{places:?} in {file}");
        assert!(file.contains("the 3 packages"), "{file}");
        assert!(
            file.contains("    texts:   2, 3\n"),
            "b has both of its texts: {file}"
        );
        assert_eq!(
            file.matches("Shared").count(),
            1,
            "what differs in lines alone stands once: {file}"
        );
        let again = told
            .iter()
            .rev()
            .skip(1)
            .chain(&told[3..])
            .cloned()
            .collect();
        assert_eq!(
            file,
            written("a program", &in_order(again)),
            "whatever the order in which they are told"
        );
    }

    #[test]
    fn who_brings_no_text_is_named_with_where_it_is() {
        let mut lone = package("lone", "1.0.0", &["Permission is"]);
        lone.origin = Origin::Usual;
        lone.authors = "Ann".to_owned();
        lone.repository = "https://example.org/lone".to_owned();
        let file = written("a program", &[lone.clone()]);
        for words in [
            "source:  https://example.org/lone\n",
            "authors: Ann\n",
            "texts:   1 (none in its package",
        ] {
            assert!(file.contains(words), "{words} in {file}");
        }
        lone.origin = Origin::Neighbour("other 2.0.0".to_owned());
        let file = written("a program", &[lone]);
        assert!(file.contains("this is other 2.0.0's"), "{file}");
    }

    #[test]
    fn many_names_are_lines_of_some() {
        let names: Vec<String> = (0..40).map(|at| format!("package {at}")).collect();
        let lines = wrapped(&names);
        assert!(
            lines.lines().count() > 3 && lines.lines().all(|line| line.len() <= WIDTH),
            "{lines}"
        );
        assert_eq!(lines.replace(",\n", ", "), names.join(", "));
    }
}
