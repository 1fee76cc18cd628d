use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::build::{self, APP_FEATURES, cargo, npm};
use crate::install::{self, Extent};
use crate::process::run;

const BINDINGS: &str = "ui/src/lib/bindings";

/// Formatting, lints and documentation of every crate, the app included.
pub(crate) fn lint() -> Outcome<()> {
    install::system_packages(Extent::Window)?;
    println!("rustfmt ...");
    run(cargo().args(["fmt", "--all", "--check"]))?;
    page_stand_in()?;
    println!("clippy ...");
    run(cargo()
        .args(["clippy", "--quiet", "--workspace", "--all-targets"])
        .args(["--features", APP_FEATURES, "--", "-D", "warnings"]))?;
    println!("rustdoc ...");
    run(cargo()
        .args([
            "doc",
            "--quiet",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ])
        .args(["--exclude", "tapfill"])
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    println!("web ...");
    npm(&["run", "--silent", "lint"])
}

/// The page's own checks and tests.
pub(crate) fn web() -> Outcome<()> {
    npm(&["run", "--silent", "check"])?;
    npm(&["test"])
}

/// The app's macro wants a page even where only its Rust is looked at.
pub(crate) fn page_stand_in() -> Outcome<()> {
    let page = build::root().join("dist/index.html");
    if page.exists() {
        return Ok(());
    }
    let folder = build::root().join("dist");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&page, "<!doctype html><title>Tapfill</title>\n"))
        .map_err(|e| format!("{}: {e}", page.display()))
}

/// Writes the TypeScript types; with `check`, fails when that changed anything and leaves the files as they were.
pub(crate) fn bindings(check: bool) -> Outcome<()> {
    println!("bindings ...");
    let committed = files(&build::root().join(BINDINGS))?;
    let fresh_dir = build::target().join("bindings");
    let _ = fs::remove_dir_all(&fresh_dir);
    run(cargo()
        .args(["test", "--quiet", "-p", "ipc", "--lib", "export_bindings"])
        .env("TS_RS_EXPORT_DIR", &fresh_dir))?;
    let fresh = files(&fresh_dir)?;
    let drift = differences(&committed, &fresh);
    if drift.is_empty() {
        return Ok(());
    }
    if check {
        return Err(format!(
            "{BINDINGS} is not what crates/ipc says ({}); run cargo xtask bindings",
            drift.join(", ")
        ));
    }
    write(&fresh, &committed)
}

type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path) -> Outcome<Files> {
    let mut found = Files::new();
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.extension().is_some_and(|kind| kind == "ts") {
            let bytes = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            found.insert(name, bytes);
        }
    }
    Ok(found)
}

fn differences(committed: &Files, fresh: &Files) -> Vec<String> {
    let changed = fresh
        .iter()
        .filter(|(name, bytes)| committed.get(*name) != Some(*bytes));
    let gone = committed.keys().filter(|name| !fresh.contains_key(*name));
    changed.map(|(name, _)| name).chain(gone).cloned().collect()
}

fn write(fresh: &Files, committed: &Files) -> Outcome<()> {
    for (name, bytes) in fresh {
        let path = build::root().join(BINDINGS).join(name);
        fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    for name in committed.keys().filter(|name| !fresh.contains_key(*name)) {
        let path = build::root().join(BINDINGS).join(name);
        fs::remove_file(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    println!("{BINDINGS} is up to date.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files_of(pairs: &[(&str, &str)]) -> Files {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn drift_is_a_changed_a_new_or_a_vanished_file() {
        let committed = files_of(&[("Same.ts", "a"), ("Changed.ts", "a"), ("Gone.ts", "a")]);
        let fresh = files_of(&[("Same.ts", "a"), ("Changed.ts", "b"), ("New.ts", "a")]);
        assert_eq!(
            differences(&committed, &fresh),
            ["Changed.ts", "New.ts", "Gone.ts"]
        );
        assert!(differences(&committed, &committed).is_empty());
    }
}
