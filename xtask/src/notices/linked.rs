//! The packages in a program and in its page, as cargo and npm tell them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Package, texts};
use crate::Outcome;
use crate::build::{cargo, root};
use crate::process::output;

/// Those whose code is in the page: the page's build fails when the list is not right.
const OF_PAGE: &str = "ui/third-party.txt";

/// Prints a line for each package that is named, in the form that cargo is asked for.
const NPM_LINES: &str = r"
for (const name of process.argv.slice(1)) {
  const told = require(`${process.cwd()}/node_modules/${name}/package.json`);
  const repository = (told.repository?.url ?? told.repository ?? told.homepage ?? '').replace(/^git\+/, '').replace(/\.git$/, '');
  const whole = /^[\w-]+\/[\w.-]+$/.test(repository) ? `https://github.com/${repository}` : repository;
  const people = [told.author, ...(told.contributors ?? [])].map((person) => person?.name ?? person).filter(Boolean);
  console.log([`${name} v${told.version}`, told.license ?? '', whole, people.join(', ')].join('\t'));
}";

/// Vite's licence goes on with those of packages that only its own program holds.
const OF_TOOL: &str = "\n# Licenses of bundled dependencies";

/// The crates whose code cargo links with `selection` for this machine. Macros and what they need run at a build only.
pub(super) fn crates(selection: &[&str]) -> Outcome<Vec<Package>> {
    let mut command = cargo();
    command.args(["tree", "--edges", "normal,no-proc-macro"]);
    command.args(["--prefix", "none", "--format", "{p}\t{l}\t{r}"]);
    let told = output(command.args(selection))?;
    let sources = sources()?;
    let here = root();
    let mut packages = Vec::new();
    for line in told.lines().filter(|line| !line.trim().is_empty()) {
        let Some(mut package) = told_by(line, &here)? else {
            continue;
        };
        if packages.iter().any(|known| is_same(known, &package)) {
            continue;
        }
        let folder = source(&sources, &package)?;
        package.texts = texts::within(&folder)?;
        package.authors = authors(&read(&folder.join("Cargo.toml"))?);
        packages.push(package);
    }
    Ok(packages)
}

/// The packages of npm whose code is in the page.
pub(super) fn of_page() -> Outcome<Vec<Package>> {
    let list = read(&root().join(OF_PAGE))?;
    let mut command = Command::new("node");
    command.current_dir(root()).args(["-e", NPM_LINES, "--"]);
    let told = output(command.args(list.lines()))?;
    let mut packages = Vec::new();
    for line in told.lines() {
        let Some(mut package) = told_by(line, &root())? else {
            continue;
        };
        let folder = root().join("node_modules").join(&package.name);
        let found = texts::within(&folder)?;
        package.texts = found.iter().map(|text| of_page_alone(text)).collect();
        packages.push(package);
    }
    Ok(packages)
}

fn of_page_alone(text: &str) -> String {
    let kept = text.split_once(OF_TOOL).map_or(text, |(kept, _)| kept);
    kept.trim_end().to_owned()
}

fn is_same(one: &Package, other: &Package) -> bool {
    one.name == other.name && one.version == other.version
}

/// A line `name vVERSION\tLICENCE\tREPOSITORY[\tAUTHORS]`; nothing for a package in the project's own folder.
fn told_by(line: &str, here: &Path) -> Outcome<Option<Package>> {
    // cargo's mark of a crate that was told before.
    let line = line.trim_end().trim_end_matches(" (*)");
    let mut parts = line.split('\t').map(str::trim);
    let who = parts.next().unwrap_or_default();
    let (name, rest) = who.split_once(' ').unwrap_or((who, ""));
    let (version, from) = rest.split_once(' ').unwrap_or((rest, ""));
    if from.contains(&*here.to_string_lossy()) {
        return Ok(None);
    }
    let version = version.strip_prefix('v').filter(|_| from.is_empty());
    let version = version.ok_or_else(|| format!("{who}: neither ours nor from a registry"))?;
    let mut next = || parts.next().unwrap_or_default().to_owned();
    Ok(Some(Package {
        name: name.to_owned(),
        version: version.to_owned(),
        licence: next(),
        repository: next(),
        authors: next(),
        ..Package::default()
    }))
}

/// The folders in which cargo keeps the sources of crates, one for each registry.
fn sources() -> Outcome<Vec<PathBuf>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let folder = home.ok_or("cargo's folder is not known")?;
    let folder = folder.join("registry/src");
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let entries = fs::read_dir(&folder).map_err(failed)?;
    let found: Result<Vec<_>, _> = entries.map(|entry| entry.map(|it| it.path())).collect();
    let mut found = found.map_err(failed)?;
    found.sort();
    Ok(found)
}

fn source(sources: &[PathBuf], package: &Package) -> Outcome<PathBuf> {
    let name = format!("{}-{}", package.name, package.version);
    let found = sources.iter().map(|folder| folder.join(&name));
    let found = found.into_iter().find(|folder| folder.is_dir());
    found.ok_or_else(|| format!("{name}: its source is not where cargo keeps those of crates"))
}

/// The authors that a crate's manifest names, in the form in which registries write it.
fn authors(manifest: &str) -> String {
    let list = manifest.split_once("\nauthors = [");
    let list = list.and_then(|(_, rest)| rest.split_once(']'));
    // Between quotation marks is every second piece.
    let names = list.map(|(list, _)| list.split('"').skip(1).step_by(2));
    names.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> &'static Path {
        Path::new("/src/tapfill")
    }

    #[test]
    fn a_crate_is_told_by_name_version_licence_and_repository() {
        let line =
            "wasi v0.11.1+wasi-snapshot-preview1\tMIT OR Apache-2.0\thttps://example.org/wasi (*)";
        let told = told_by(line, here()).expect("a line of cargo's");
        let told = told.expect("a crate of others");
        assert_eq!(told.name, "wasi");
        assert_eq!(told.version, "0.11.1+wasi-snapshot-preview1");
        assert_eq!(told.licence, "MIT OR Apache-2.0");
        assert_eq!(
            told.repository, "https://example.org/wasi",
            "no mark of cargo's"
        );
        let bare = told_by("tiny v1.0.0\t\t", here()).expect("a line of cargo's");
        assert_eq!(
            bare.map(|it| it.licence + &it.repository),
            Some(String::new())
        );
    }

    #[test]
    fn what_is_ours_is_left_out_and_a_foreign_source_is_refused() {
        let ours = told_by("purse v0.1.0 (/src/tapfill/crates/purse)\tMIT\t", here());
        assert_eq!(ours, Ok(None));
        let foreign = told_by("far v1.0.0 (https://example.org/far#12ab)\tMIT\t", here());
        assert!(
            foreign.is_err(),
            "nobody knows where its text is: {foreign:?}"
        );
    }

    #[test]
    fn authors_are_read_over_lines() {
        let manifest = "[package]\nname = \"x\"\nauthors = [\n    \"Ann <ann@example.org>\",\n    \"Bo\",\n]\n[lib]\n";
        assert_eq!(authors(manifest), "Ann <ann@example.org>, Bo");
        assert_eq!(authors("[package]\nname = \"x\"\nkeywords = [\"a\"]\n"), "");
    }

    #[test]
    fn licences_that_a_tool_names_for_itself_are_not_the_pages() {
        let text = "MIT License\nCopyright Vite\n\n# Licenses of bundled dependencies\nmore";
        assert_eq!(of_page_alone(text), "MIT License\nCopyright Vite");
        assert_eq!(of_page_alone("MIT License"), "MIT License");
    }

    #[test]
    fn what_a_release_of_the_bank_links_has_texts() {
        let crates = crates(&crate::build::RELEASED_BANK).expect("cargo tells them");
        let tokio = crates.iter().find(|it| it.name == "tokio");
        let tokio = tokio.expect("the bank is built on it");
        assert_eq!(tokio.licence, "MIT");
        assert!(
            tokio
                .texts
                .iter()
                .any(|text| text.contains("Tokio Contributors"))
        );
        for never in ["bank", "purse", "serde_derive", "cc", "proptest"] {
            let found = crates.iter().any(|it| it.name == never);
            assert!(!found, "{never} is ours, or not in the program");
        }
    }
}
