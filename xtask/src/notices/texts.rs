//! The texts of licences: found in a package's files, or else the usual ones, and refused where a release can't hold them.

use std::fs;
use std::path::Path;

use super::{Origin, Package};
use crate::Outcome;

/// How the names of such files begin, in small letters.
const NAMES: [&str; 6] = [
    "license",
    "licence",
    "copying",
    "copyright",
    "notice",
    "unlicense",
];
/// Not texts, whatever their names.
const NO_TEXTS: [&str; 12] = [
    "c", "cpp", "h", "html", "js", "json", "py", "rs", "sh", "spdx", "svg", "toml",
];
/// Folders with what is in no program.
const LEFT_OUT: [&str; 6] = [
    "benches",
    "examples",
    "fuzz",
    "node_modules",
    "test",
    "tests",
];
/// The headings of licences that ask for more than a release of this project gives.
const REFUSED: [&str; 4] = [
    "GNU GENERAL PUBLIC LICENSE",
    "GNU LESSER GENERAL PUBLIC LICENSE",
    "GNU LIBRARY GENERAL PUBLIC LICENSE",
    "GNU AFFERO GENERAL PUBLIC LICENSE",
];

/// The texts in a package's folder and the folders in it, by the order of their names.
pub(super) fn within(folder: &Path) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    look(folder, false, &mut found)?;
    Ok(found)
}

fn look(folder: &Path, is_all_of_it: bool, found: &mut Vec<String>) -> Outcome<()> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|it| it.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().to_lowercase();
        if path.is_dir() && !LEFT_OUT.contains(&&*name) {
            look(
                &path,
                is_all_of_it || NAMES.iter().any(|it| name.starts_with(it)),
                found,
            )?;
        } else if path.is_file() && (is_all_of_it || is_text(&name)) && !is_code(&name) {
            let bytes = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            found.push(tidy(&decoded(bytes)));
        }
    }
    Ok(())
}

fn is_text(name: &str) -> bool {
    NAMES.iter().any(|it| name.starts_with(it))
}

fn is_code(name: &str) -> bool {
    let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
    NO_TEXTS.contains(&kind)
}

/// Old texts are in Latin-1, whose bytes are the first characters of Unicode.
fn decoded(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|e| e.as_bytes().iter().copied().map(char::from).collect())
}

/// The same lines without what is not seen: marks of byte order, form feeds, spaces at ends, empty lines around.
pub(super) fn tidy(text: &str) -> String {
    let seen = text.replace(['\u{feff}', '\u{c}', '\r'], "");
    let lines: Vec<&str> = seen.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// Packages that bring no text get that of a neighbour from the same repository, or else the usual one.
pub(super) fn completed(packages: Vec<Package>, mit: &str, apache: &str) -> Outcome<Vec<Package>> {
    let known = packages.clone();
    let complete = |package: Package| {
        if !package.texts.is_empty() {
            return Ok(package);
        }
        if let Some(neighbour) = known.iter().find(|it| is_neighbour(it, &package)) {
            let name = format!("{} {}", neighbour.name, neighbour.version);
            let texts = neighbour.texts.clone();
            return Ok(Package {
                texts,
                origin: Origin::Neighbour(name),
                ..package
            });
        }
        let texts = usual(&package.licence, mit, apache);
        if texts.is_empty() {
            let Package {
                name,
                version,
                licence,
                ..
            } = &package;
            let told = if licence.is_empty() {
                "names no licence"
            } else {
                licence
            };
            return Err(format!(
                "{name} {version} ({told}): it brings no licence text, and none is known for it"
            ));
        }
        Ok(Package {
            texts,
            origin: Origin::Usual,
            ..package
        })
    };
    packages.into_iter().map(complete).collect()
}

fn is_neighbour(one: &Package, package: &Package) -> bool {
    !one.texts.is_empty()
        && !package.repository.is_empty()
        && one.repository == package.repository
        && one.licence == package.licence
}

/// The usual texts of the licences that an expression leaves to choose from.
fn usual(licence: &str, mit: &str, apache: &str) -> Vec<String> {
    let alternatives = alternatives(licence);
    let mut texts = Vec::new();
    if alternatives.contains(&"Apache-2.0") {
        texts.push(tidy(apache));
    }
    if alternatives.contains(&"MIT") {
        // Its conditions; the copyright line above them is another's.
        let conditions = mit.split_once("\n\nPermission is").map(|(_, rest)| rest);
        texts.extend(conditions.map(|rest| tidy(&format!("Permission is{rest}"))));
    }
    texts
}

/// What an SPDX expression leaves to choose from; nothing of one that wants several licences at once.
fn alternatives(licence: &str) -> Vec<&str> {
    if licence.contains(" AND ") {
        return Vec::new();
    }
    let parts = licence
        .split(['/', '(', ')'])
        .flat_map(|part| part.split(" OR "));
    parts
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

/// Why a release can't hold a package, if it can't.
pub(super) fn objection(package: &Package) -> Option<String> {
    let Package {
        name,
        version,
        licence,
        ..
    } = package;
    let alternatives = alternatives(licence);
    if licence.contains("GPL") && alternatives.iter().all(|it| it.contains("GPL")) {
        return Some(format!("{name} {version}: its licence is {licence}"));
    }
    let heading = package.texts.iter().find_map(|text| refused(text));
    heading.map(|heading| format!("{name} {version}: it brings the text of the {heading}"))
}

/// A heading stands alone in its line, or begins the text. Other licences name these in their sentences.
fn refused(text: &str) -> Option<&'static str> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.enumerate().find_map(|(at, line)| {
        let line = line
            .trim_matches(|c: char| !c.is_alphanumeric())
            .to_uppercase();
        let is_one = |heading: &&str| line == **heading || at == 0 && line.starts_with(*heading);
        REFUSED.into_iter().find(is_one)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIT: &str =
        "MIT License\n\nCopyright (c) 2026 Us\n\nPermission is hereby granted\n\nTHE SOFTWARE\n";
    const APACHE: &str = "\n   Apache License\n";

    fn package(name: &str, licence: &str, texts: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: licence.to_owned(),
            texts: texts.iter().map(|it| (*it).to_owned()).collect(),
            ..Package::default()
        }
    }

    #[test]
    fn texts_are_found_by_their_names_in_every_folder_but_those_of_tests() {
        let folder = std::env::temp_dir().join(format!("xtask-texts-{}", std::process::id()));
        let files = [
            ("LICENSE-MIT", "mit"),
            ("NOTICE", "notice"),
            ("LICENSES/BSD-3-Clause.txt", "bsd"),
            ("third_party/part/Licence.md", "part"),
            ("license.rs", "code"),
            ("tests/LICENSE", "of a test"),
            ("README.md", "readme"),
        ];
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("in the folder")).expect("a folder of ours");
            fs::write(path, text).expect("a file of ours");
        }
        let found = within(&folder);
        fs::remove_dir_all(&folder).expect("the folder is ours");
        assert_eq!(
            found,
            Ok(["mit", "bsd", "notice", "part"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn a_text_loses_nothing_that_is_seen() {
        assert_eq!(
            tidy("\u{feff}\r\n  One  \r\n\r\nTwo\u{c}\n\n"),
            "  One\n\nTwo"
        );
        assert_eq!(decoded(b"Jos\xe9".to_vec()), "José");
        assert_eq!(decoded("José".into()), "José");
    }

    #[test]
    fn who_brings_no_text_gets_a_neighbours_or_the_usual_one() {
        let mut one = package("one", "BSD-3-Clause", &["Copyright One"]);
        let mut two = package("two", "BSD-3-Clause", &[]);
        for it in [&mut one, &mut two] {
            it.repository = "https://example.org/both".to_owned();
        }
        let three = package("three", "Apache-2.0/MIT", &[]);
        let done = completed(vec![one.clone(), two, three], MIT, APACHE).expect("each has one");
        assert_eq!(done[0], one);
        assert_eq!(done[1].texts, one.texts);
        assert_eq!(done[1].origin, Origin::Neighbour("one 1.0.0".to_owned()));
        assert_eq!(done[2].origin, Origin::Usual);
        let wanted = [
            "   Apache License",
            "Permission is hereby granted\n\nTHE SOFTWARE",
        ];
        assert_eq!(
            done[2].texts, wanted,
            "the conditions alone: who holds the rights is another"
        );
    }

    #[test]
    fn a_package_without_any_licence_or_text_is_refused() {
        for licence in ["", "BSD-3-Clause", "MIT AND BSD-3-Clause"] {
            let told = completed(vec![package("bare", licence, &[])], MIT, APACHE);
            assert!(
                told.is_err_and(|why| why.starts_with("bare 1.0.0")),
                "{licence}"
            );
        }
    }

    #[test]
    fn the_usual_texts_are_in_this_projects_own_files() {
        let [mit, apache] = ["LICENSE-MIT", "LICENSE-APACHE"].map(super::super::own);
        let texts = usual(
            "MIT OR Apache-2.0",
            &mit.expect("ours"),
            &apache.expect("ours"),
        );
        assert_eq!(texts.len(), 2);
        assert!(texts[0].contains("TERMS AND CONDITIONS"), "{}", texts[0]);
        assert!(
            texts[1].starts_with("Permission is hereby granted"),
            "{}",
            texts[1]
        );
    }

    #[test]
    fn a_gpl_is_refused_by_its_name_and_by_its_text() {
        let gpl =
            "                    GNU GENERAL PUBLIC LICENSE\n                       Version 3\n";
        for bad in [
            package("a", "GPL-3.0-only", &["text"]),
            package("b", "LGPL-2.1-or-later OR GPL-2.0", &["text"]),
            package("c", "(MIT OR Apache-2.0) AND LGPL-2.1-only", &["text"]),
            package("d", "MIT", &["text", gpl]),
            package(
                "e",
                "",
                &["# GNU Lesser General Public License, version 3\n"],
            ),
        ] {
            assert!(objection(&bad).is_some(), "{bad:?}");
        }
        // The MPL names the GPL as one of those that it goes with.
        let mpl = "Mozilla Public License Version 2.0\n\"Secondary License\" means either the\nGNU General Public License, Version 2.0, the\n";
        for good in [
            package("f", "MIT OR LGPL-2.1-or-later", &["text"]),
            package("g", "(MIT OR Apache-2.0) AND Unicode-3.0", &["text"]),
        ] {
            assert_eq!(objection(&good), None);
        }
        assert_eq!(objection(&package("h", "MPL-2.0", &[mpl])), None);
    }
}
