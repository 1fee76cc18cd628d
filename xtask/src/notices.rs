//! Whose work is in what is handed out, with the texts of their licences: `THIRD-PARTY.txt`.

mod library;
mod linked;
mod sheet;
mod texts;

use std::fs;

use crate::Outcome;
use crate::build::{RELEASED_APP, RELEASED_BANK, root};

/// What the file is called wherever it lies.
pub(crate) const NAME: &str = "THIRD-PARTY.txt";

/// A package of others whose code is in a program.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Package {
    name: String,
    version: String,
    /// An SPDX expression; empty where the package has none.
    licence: String,
    /// Where its source is; may be empty.
    repository: String,
    authors: String,
    texts: Vec<String>,
    origin: Origin,
}

/// Where the texts of a package come from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
enum Origin {
    #[default]
    Itself,
    /// Another package, by name and version, of the same repository.
    Neighbour(String),
    /// The usual wording of its licence: neither it nor a neighbour brings one.
    Usual,
}

/// The whole text for the app: crates, Rust's own library, and what of npm is in the page.
///
/// # Errors
/// In words: a package without a licence or a text, or under one that a release can't hold.
pub(crate) fn of_app() -> Outcome<String> {
    let mut packages = linked::crates(&RELEASED_APP)?;
    packages.extend(linked::of_page()?);
    whole("the app of Tapfill", packages)
}

/// The same for the bank.
pub(crate) fn of_bank() -> Outcome<String> {
    whole("the bank of Tapfill", linked::crates(&RELEASED_BANK)?)
}

/// The copyright file of a package of Debian; `list` is where the text above is installed.
pub(crate) fn debian(list: &str) -> Outcome<String> {
    // A copyright file has a dot for an empty line.
    let lines: Vec<String> = own("LICENSE-MIT")?
        .lines()
        .map(|line| format!(" {}", if line.is_empty() { "." } else { line }))
        .collect();
    Ok(include_str!("notices/copyright")
        .replace("{expat}", &lines.join("\n"))
        .replace("{list}", list))
}

fn whole(program: &str, mut packages: Vec<Package>) -> Outcome<String> {
    packages.extend(library::packages()?);
    let packages = sheet::in_order(packages);
    let packages = texts::completed(packages, &own("LICENSE-MIT")?, &own("LICENSE-APACHE")?)?;
    let refused: Vec<String> = packages.iter().filter_map(texts::objection).collect();
    if refused.is_empty() {
        return Ok(sheet::written(program, &packages));
    }
    Err(format!("not to be handed out:\n{}", refused.join("\n")))
}

/// A file of this project's own licence.
fn own(name: &str) -> Outcome<String> {
    fs::read_to_string(root().join(name)).map_err(|e| format!("{name}: {e}"))
}
