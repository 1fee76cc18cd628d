//! Rust's own library, which is in every program: its notices come with the compiler, as a page.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Package, texts};
use crate::Outcome;
use crate::build::root;
use crate::process::output;

const PAGE: &str = "share/doc/rust/COPYRIGHT-library.html";
const TEXTS: &str = "share/doc/rust/licenses";
const REPOSITORY: &str = "https://github.com/rust-lang/rust";
/// Before each crate that the library holds, and what stands before its texts and its facts.
const CRATE: &str = "<h3>📦 ";
const IN_TREE: &str = "<h2 id=\"in-tree-files\">";
const OUT_OF_TREE: &str = "<h2 id=\"out-of-tree-dependencies\">";

/// The library itself, and the crates in it for this machine.
pub(super) fn packages() -> Outcome<Vec<Package>> {
    let folder = told("sysroot")?;
    let page = read(&Path::new(&folder).join(PAGE))?;
    let parts = parts(&told("target-libdir")?)?;
    let mut library = itself(&page, &rustc(&["--version"])?);
    for licence in named(&library.texts) {
        let text = read(
            &Path::new(&folder)
                .join(TEXTS)
                .join(format!("{licence}.txt")),
        )?;
        library.texts.push(texts::tidy(&text));
    }
    let mut packages = vec![library];
    packages.extend(crates(&page).filter(|it| parts.contains(&it.name.replace('-', "_"))));
    Ok(packages)
}

fn told(what: &str) -> Outcome<String> {
    rustc(&["--print", what])
}

fn rustc(words: &[&str]) -> Outcome<String> {
    let program = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = output(Command::new(program).current_dir(root()).args(words))?;
    Ok(told.trim().to_owned())
}

fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).map_err(|e| {
        format!(
            "{}: {e}; the notices of Rust's library come with rustup's compilers",
            file.display()
        )
    })
}

/// The crates that the compiler's folder of libraries holds, with `_` in their names.
fn parts(folder: &str) -> Outcome<BTreeSet<String>> {
    let failed = |e: std::io::Error| format!("{folder}: {e}");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        let part = name
            .strip_prefix("lib")
            .and_then(|rest| rest.split_once('-'));
        found.extend(part.map(|(part, _)| part.to_owned()));
    }
    Ok(found)
}

/// The library's own files. `version` as the compiler tells it: `rustc 1.2.3 (...)`.
fn itself(page: &str, version: &str) -> Package {
    let own = page.split_once(IN_TREE).map_or("", |(_, rest)| rest);
    let own = own.split_once(OUT_OF_TREE).map_or(own, |(own, _)| own);
    Package {
        name: "std".to_owned(),
        version: version.split(' ').nth(1).unwrap_or_default().to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
        repository: REPOSITORY.to_owned(),
        authors: String::new(),
        texts: vec![plain(own.split_once("</h2>").map_or(own, |(_, rest)| rest))],
        ..Package::default()
    }
}

/// The licences that lines `License: ...` of a text name.
fn named(texts: &[String]) -> BTreeSet<String> {
    let lines = texts.iter().flat_map(|text| text.lines());
    let expressions = lines.filter_map(|line| line.trim().strip_prefix("License: "));
    expressions
        .flat_map(|it| it.split([' ', '(', ')']))
        .filter(|word| !["", "AND", "OR", "WITH"].contains(word))
        .map(str::to_owned)
        .collect()
}

fn crates(page: &str) -> impl Iterator<Item = Package> {
    page.split(CRATE).skip(1).filter_map(|part| {
        let address = between(part, "<a href=\"", "\"")?;
        let mut words = address.rsplit('/');
        let (version, name) = (words.next()?, words.next()?);
        let fact = |name: &str| between(part, &format!("<b>{name}:</b>"), "</p>").map(plain);
        let texts = part.split("<pre>").skip(1);
        let texts =
            texts.map(|text| plain(text.split_once("</pre>").map_or(text, |(text, _)| text)));
        Some(Package {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: fact("License")?.trim().to_owned(),
            repository: address.to_owned(),
            authors: fact("Authors").unwrap_or_default().trim().to_owned(),
            texts: texts.collect(),
            ..Package::default()
        })
    })
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?
        .1
        .split_once(after)
        .map(|(found, _)| found)
}

/// The text of a piece of HTML, with no more than one empty line in a row.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut pieces = html.split('<');
    text.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        text.push_str(piece.split_once('>').map_or("", |(_, rest)| rest));
    }
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().map(|line| characters(line.trim_end())) {
        if !line.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
            lines.push(line);
        }
    }
    texts::tidy(&lines.join("\n"))
}

/// With each character that HTML writes by its number or name.
fn characters(line: &str) -> String {
    let mut pieces = line.split('&');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let found = piece
            .split_once(';')
            .and_then(|(name, rest)| Some((character(name)?, rest)));
        match found {
            Some((one, rest)) => {
                text.push(one);
                text.push_str(rest);
            }
            None => {
                text.push('&');
                text.push_str(piece);
            }
        }
    }
    text
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        _ => char::from_u32(name.strip_prefix('#')?.parse().ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "<h1>Notices</h1>
<h2 id=\"in-tree-files\">In-tree files</h2>
<p><b>License:</b> Apache-2.0 OR (MIT AND ISC)</p>



<p><b>Copyright:</b> The Rust Project Developers</p>
<h2 id=\"out-of-tree-dependencies\">Out</h2>
    <h3>📦 cfg-if-1.0.4</h3>
    <p><b>URL:</b> <a href=\"https://crates.io/crates/cfg-if/1.0.4\">https://crates.io/crates/cfg-if/1.0.4</a></p>
    <p><b>Authors:</b> The Authors &#60;all@example.org&#62;</p>
    <p><b>License:</b> MIT</p>
    <details><summary><code>LICENSE</code></summary>
    <pre>
Copyright &#38; &#34;so on&#34; R&amp;D &c
    </pre></details>
";

    #[test]
    fn the_own_notices_and_licences_of_the_library_are_read() {
        let library = itself(SMALL, "rustc 1.95.0 (0123 2026-04-14)");
        assert_eq!(library.version, "1.95.0");
        let text = "License: Apache-2.0 OR (MIT AND ISC)\n\nCopyright: The Rust Project Developers";
        assert_eq!(library.texts, [text]);
        let named: Vec<_> = named(&library.texts).into_iter().collect();
        assert_eq!(named, ["Apache-2.0", "ISC", "MIT"]);
    }

    #[test]
    fn each_crate_in_it_is_told_with_its_texts() {
        let told: Vec<_> = crates(SMALL).collect();
        assert_eq!(told.len(), 1);
        assert_eq!((&*told[0].name, &*told[0].version), ("cfg-if", "1.0.4"));
        assert_eq!(told[0].licence, "MIT");
        assert_eq!(told[0].authors, "The Authors <all@example.org>");
        assert_eq!(told[0].texts, ["Copyright & \"so on\" R&D &c"]);
    }

    #[test]
    fn this_compilers_library_is_told_with_what_is_in_it() {
        let packages = packages().expect("the compiler's own notices");
        for (name, words) in [
            ("std", "Rust Project Developers"),
            ("libc", "Permission is"),
        ] {
            let found = packages.iter().find(|it| it.name == name);
            let found = found.unwrap_or_else(|| panic!("{name} is in it: {packages:?}"));
            assert!(
                found.texts.iter().any(|text| text.contains(words)),
                "{found:?}"
            );
        }
    }
}
