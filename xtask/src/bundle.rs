//! The installers of a release.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{self, Made, root, target};
use crate::install::{self, Extent};
use crate::process::run as finish;
use crate::{Options, Outcome, bank_deb, notices};

/// Where the program that makes installers is kept: it is heavy, and nothing else needs it.
const TOOL: &str = "src-tauri/bundle";
const TOOL_PROGRAM: &str = "node_modules/@tauri-apps/cli/tauri.js";

/// What can be made without fetching anything more.
const USUAL: &str = if cfg!(target_os = "windows") {
    "msi"
} else if cfg!(target_os = "macos") {
    "dmg"
} else {
    "deb,rpm"
};

/// `--profile FILE` puts a bank's profile in, `--publisher FILE` what a publisher adds to `tauri.conf.json`,
/// `--bundles LIST` chooses the kinds.
/// `--bank` makes the bank's instead of the app's.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    if options.has("--bank") {
        return bank_deb::make();
    }
    install::system_packages(Extent::Installers)?;
    let publisher = options.value("--publisher").map(read).transpose()?;
    let profile = options.value("--profile").map(resource).transpose()?;
    build::release_app(publisher.as_deref(), Made::ToUse)?;
    let tool = root().join(TOOL);
    install::node_modules(&tool)?;
    let notices = third_party(&target().join("release/notices"))?;
    let mut command = Command::new("node");
    command.current_dir(root()).arg(tool.join(TOOL_PROGRAM));
    let kinds = options.value("--bundles").unwrap_or(USUAL);
    command.args(["bundle", "--ci", "--bundles", kinds]);
    for more in [profile, publisher, Some(notices)].into_iter().flatten() {
        command.args(["--config", &more]);
    }
    finish(&mut command)?;
    println!("In {}", target().join("release/bundle").display());
    Ok(())
}

fn read(path: &str) -> Outcome<String> {
    fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))
}

/// The bank's profile beside the program, where the app looks for it.
fn resource(path: &str) -> Outcome<String> {
    let file = fs::canonicalize(path).map_err(|e| format!("{path}: {e}"))?;
    let text = file.to_string_lossy();
    if text.contains(['"', '\\']) {
        return Err(format!(
            "{path}: a name without quotes and backslashes, please"
        ));
    }
    Ok(format!(
        r#"{{"bundle":{{"resources":{{"{text}":"profile.json"}}}}}}"#
    ))
}

/// Writes whose work is in the app into `folder`: beside the program for every kind, and where Debian looks for it.
fn third_party(folder: &Path) -> Outcome<String> {
    let list = put(folder, notices::NAME, &notices::of_app()?)?;
    let installed = format!("/usr/lib/Tapfill/{}", notices::NAME);
    let copyright = put(folder, "copyright", &notices::debian(&installed)?)?;
    Ok(format!(
        r#"{{"bundle":{{"resources":{{{}:{}}},"linux":{{"deb":{{"files":{{"/usr/share/doc/tapfill/copyright":{}}}}}}}}}}}"#,
        quoted(&list.to_string_lossy()),
        quoted(notices::NAME),
        quoted(&copyright.to_string_lossy()),
    ))
}

fn put(folder: &Path, name: &str, text: &str) -> Outcome<PathBuf> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// A path as JSON has it.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_any_system_can_stand_in_a_configuration() {
        assert_eq!(quoted("/src/target/a.txt"), r#""/src/target/a.txt""#);
        assert_eq!(quoted(r#"C:\src\a "b".txt"#), r#""C:\\src\\a \"b\".txt""#);
    }
}
