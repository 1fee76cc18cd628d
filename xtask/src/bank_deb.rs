//! The bank as a Debian package: program, units, how to run it. No configuration, no key, nothing that starts by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::build::{self, Made, root, target};
use crate::process::{find, output, run as finish};

const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
const UNITS: &str = "docs/systemd";

pub(crate) fn make() -> Outcome<()> {
    if find("dpkg-deb").is_none() {
        return Err("dpkg-deb is missing: Debian's packages are made on Debian".to_owned());
    }
    build::release_bank(Made::ToUse)?;
    let folder = target().join("release/bundle/bank");
    let tree = folder.join("tree");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    put(&build::released("bank"), &tree.join("usr/bin/bank"), 0o755)?;
    for unit in names(&root().join(UNITS))? {
        let from = root().join(UNITS).join(&unit);
        put(&from, &tree.join("lib/systemd/system").join(&unit), 0o644)?;
    }
    let doc = tree.join("usr/share/doc/tapfill-bank");
    for (from, name) in [
        ("docs/operations.md", "operations.md"),
        ("crates/bank/src/demo.toml", "examples/demo.toml"),
        ("LICENSE-MIT", "copyright"),
    ] {
        put(&root().join(from), &doc.join(name), 0o644)?;
    }
    let control = tree.join("DEBIAN");
    for script in SCRIPTS {
        let from = root().join("crates/bank/debian").join(script);
        put(&from, &control.join(script), 0o755)?;
    }
    write(&control.join("control"), &described(&tree)?)?;
    let mut command = Command::new("dpkg-deb");
    command.args(["--root-owner-group", "-Zxz", "--build"]);
    finish(command.arg(&tree).arg(&folder))?;
    println!("In {}", folder.display());
    Ok(())
}

/// The control file with what only a build knows.
fn described(tree: &Path) -> Outcome<String> {
    let file = root().join("crates/bank/debian/control");
    let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?;
    let kib = output(
        Command::new("du")
            .args(["-sk", "--apparent-size"])
            .arg(tree),
    )?;
    let kib = kib.split_whitespace().next().unwrap_or("0");
    let filled = text
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{architecture}", architecture.trim())
        .replace("{size_kib}", kib);
    Ok(filled)
}

fn names(folder: &Path) -> Outcome<Vec<String>> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.push(
            entry
                .map_err(failed)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort();
    Ok(names)
}

fn put(from: &Path, to: &Path, mode: u32) -> Outcome<()> {
    let bytes = fs::read(from).map_err(|e| format!("{}: {e}", from.display()))?;
    write(to, bytes)?;
    restrict(to, mode)
}

fn write(to: &Path, bytes: impl AsRef<[u8]>) -> Outcome<()> {
    let failed = |e: std::io::Error| format!("{}: {e}", to.display());
    fs::create_dir_all(to.parent().map_or_else(PathBuf::new, Path::to_owned)).map_err(failed)?;
    fs::write(to, bytes).map_err(failed)
}

#[cfg(unix)]
fn restrict(to: &Path, mode: u32) -> Outcome<()> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = fs::Permissions::from_mode(mode);
    fs::set_permissions(to, permissions).map_err(|e| format!("{}: {e}", to.display()))
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: u32) -> Outcome<()> {
    Ok(())
}
