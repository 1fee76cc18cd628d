//! The parts that carry messages and show screens know no industry: no AID, no instruction, no industry code stands in
//! them. What is looked for comes from the shipped packages, so that a new one is looked for by itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Where nothing of an industry may stand.
const FOLDERS: [&str; 9] = [
    "crates/relay",
    "crates/envelope",
    "crates/session",
    "crates/ipc",
    "crates/bank-client",
    "crates/key-vault",
    "src-tauri",
    "ui/src",
    "capabilities",
];

/// What looks like it and is not, or may: file, finding, reason. An entry that nothing needs any more fails the test.
const ALLOWED: [(&str, &str, &str); 7] = [
    (
        "crates/relay/src/body.rs",
        "instruction CA",
        "the tag of `about` in a relay message",
    ),
    (
        "crates/bank-client/src/own.rs",
        "instruction 20",
        "the length of an Ed25519 key in DER",
    ),
    (
        "crates/relay/src/tlv.rs",
        "instruction 82",
        "BER's sign for a length of two bytes",
    ),
    (
        "ui/src/lib/backend/scenes.ts",
        "code 0001",
        "what the stand-in for the app shows in page tests and screenshots",
    ),
    (
        "ui/src/lib/backend/scenes.ts",
        "code 0002",
        "the same: a package that was refused",
    ),
    (
        "ui/src/lib/backend/scenes.ts",
        "code TUNI",
        "the same: a package that came with the app",
    ),
    (
        "ui/src/lib/backend/scenes.ts",
        "application",
        "the same: the AIDs that the settings list",
    ),
];

/// What the shipped packages know.
struct Knowledge {
    codes: BTreeSet<String>,
    /// Registered identifiers: an AID's first five bytes, hex.
    applications: BTreeSet<String>,
    /// Class and instruction, hex.
    heads: BTreeSet<String>,
    /// Instructions, hex.
    instructions: BTreeSet<String>,
}

impl Knowledge {
    fn shipped() -> Self {
        let mut all = Self {
            codes: BTreeSet::new(),
            applications: BTreeSet::new(),
            heads: BTreeSet::new(),
            instructions: BTreeSet::new(),
        };
        for (_, text) in industries::ALL {
            let package: Value = serde_json::from_str(text).unwrap();
            all.codes
                .insert(package["industry"].as_str().unwrap().to_owned());
            for aid in package["aids"].as_array().unwrap() {
                all.applications
                    .insert(aid.as_str().unwrap()[..10].to_owned());
            }
            for command in package["commands"].as_object().unwrap().values() {
                let send = command["send"].as_str().unwrap().replace(' ', "");
                all.heads.insert(send[..4].to_owned());
                all.instructions.insert(send[2..4].to_owned());
            }
        }
        all
    }

    /// What of it stands in a text, each once.
    fn findings(&self, text: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let quoted = |code: &str| {
            ["\"", "'", "`"]
                .iter()
                .any(|quote| text.contains(&format!("{quote}{code}{quote}")))
        };
        found.extend(
            self.codes
                .iter()
                .filter(|it| quoted(it))
                .map(|it| format!("code {it}")),
        );
        let bytes = joined(text);
        if self
            .applications
            .iter()
            .any(|it| bytes.contains(it.as_str()))
        {
            found.insert("application".to_owned());
        }
        for literal in hex_literals(text) {
            let head = self
                .heads
                .iter()
                .find(|it| literal.len() >= 8 && literal.starts_with(it.as_str()));
            found.extend(head.map(|it| format!("command {it}")));
        }
        let upper = text.to_uppercase();
        let byte = |it: &&String| {
            let written = format!("0X{it}");
            upper.match_indices(&written).any(|(place, _)| {
                let next = upper[place + written.len()..].chars().next();
                !next.is_some_and(|it| it.is_ascii_hexdigit() || it == '_')
            })
        };
        found.extend(
            self.instructions
                .iter()
                .filter(byte)
                .map(|it| format!("instruction {it}")),
        );
        found
    }
}

/// The text's hex digits as they follow each other, whatever is written between bytes.
fn joined(text: &str) -> String {
    let upper = text.to_uppercase().replace("0X", "").replace("\\X", "");
    upper
        .chars()
        .filter(|it| !it.is_whitespace() && *it != ',' && *it != '_')
        .collect()
}

/// Texts in quotes that are hex digits, blanks and what a template has.
fn hex_literals(text: &str) -> Vec<String> {
    let parts = text.split(['"', '\'', '`']);
    let plain = parts.map(|part| part.replace([' ', '{', '}'], "").to_uppercase());
    plain
        .filter(|it| {
            it.len() >= 4
                && it[..]
                    .chars()
                    .take(4)
                    .all(|digit| digit.is_ascii_hexdigit())
        })
        .collect()
}

/// A program's text without its tests and comments.
fn own_words(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = match text.find("#[cfg(test)]\nmod tests {") {
        // Tests stand at the end of the file that they test.
        Some(place) if path.extension().is_some_and(|it| it == "rs") => &text[..place],
        Some(_) | None => &text,
    };
    let is_comment = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("//") || line.starts_with("* ") || line.starts_with("/*")
    };
    text.lines()
        .filter(|line| !is_comment(line))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let folders = ["tests", "examples", "paraglide", "bindings", "icons", "gen"];
    if path.is_dir() {
        return folders.contains(&name.as_str());
    }
    name == "tests.rs"
        || name == "outside.rs"
        || name.ends_with("_tests.rs")
        || name.contains(".test.")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if is_test(&path) {
            continue;
        }
        let read = ["rs", "ts", "svelte", "json", "toml", "js"];
        let extension = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            files(&path, found);
        } else if read.contains(&extension.as_str()) {
            found.push(path);
        }
    }
}

#[test]
fn what_carries_messages_and_shows_screens_knows_no_industry() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let known = Knowledge::shipped();
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    let mut paths = Vec::new();
    for folder in FOLDERS {
        files(&root.join(folder), &mut paths);
    }
    assert!(
        paths.len() > 100,
        "{} files: the project is here",
        paths.len()
    );
    for path in paths {
        let name = path
            .strip_prefix(root)
            .unwrap()
            .to_string_lossy()
            .replace('\\', "/");
        for finding in known.findings(&own_words(&path)) {
            seen.insert((name.clone(), finding));
        }
    }
    let allowed: BTreeSet<(String, String)> = ALLOWED
        .iter()
        .map(|(file, finding, _)| ((*file).to_owned(), (*finding).to_owned()))
        .collect();
    let surprises: Vec<_> = seen.difference(&allowed).collect();
    assert!(surprises.is_empty(), "an industry's matter: {surprises:#?}");
    let stale: Vec<_> = allowed.difference(&seen).collect();
    assert!(
        stale.is_empty(),
        "nothing of this stands there any more: {stale:#?}"
    );
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let known = Knowledge::shipped();
    let finds = |text: &str, what: &str| {
        let found = known.findings(text);
        assert!(found.contains(what), "`{text}`: {found:?}");
    };
    finds("let code = *b\"0001\";", "code 0001");
    finds("industry === 'TUNI'", "code TUNI");
    finds("const AID: &str = \"A00000000386980701\";", "application");
    finds("[0xA0, 0x00, 0x00, 0x03, 0x33, 0x01]", "application");
    finds("b\"\\xA0\\x00\\x00\\x06\\x32\"", "application");
    finds("select(\"00A4 0400 08\")", "command 00A4");
    finds("format!(\"80520000 0B{data}\")", "command 8052");
    finds("if command[1] == 0x52 {", "instruction 52");
    finds("matches!(ins, 0xda)", "instruction DA");
    for innocent in [
        "0x520",
        "0x5200",
        "\"0001x\"",
        "00012",
        "\"00A4\"",
        "0x5F",
        "#00a4ff",
    ] {
        assert_eq!(known.findings(innocent), BTreeSet::new(), "`{innocent}`");
    }
}
