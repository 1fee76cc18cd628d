//! The bank as a Debian package: program, units, how to run it. No configuration, no key, nothing that starts by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{self, Made, root, target};
use crate::process::{find, output, run as finish};
use crate::{Outcome, notices};

const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
const UNITS: &str = "docs/systemd";
const PACKAGING: &str = "crates/bank/debian";
const NAME: &str = "tapfill-bank";
/// Libraries of the system that the program may need, and Debian's packages of them.
const LIBRARIES: [(&str, &str); 4] = [
    ("ld-linux", "libc6"),
    ("libc.so.6", "libc6"),
    ("libm.so.6", "libc6"),
    ("libgcc_s.so.1", "libgcc-s1"),
];

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
        put(
            &from,
            &tree.join("usr/lib/systemd/system").join(&unit),
            0o644,
        )?;
    }
    documents(&tree)?;
    let control = tree.join("DEBIAN");
    write(&control.join("md5sums"), sums(&tree)?)?;
    for script in SCRIPTS {
        put(&packaging(script), &control.join(script), 0o755)?;
    }
    write(&control.join("control"), described(&tree)?)?;
    // Whatever this user's files usually may be.
    finish(Command::new("chmod").args(["-R", "u=rwX,go=rX"]).arg(&tree))?;
    let mut command = Command::new("dpkg-deb");
    command.args(["--root-owner-group", "-Zxz", "--build"]);
    finish(command.arg(&tree).arg(&folder))?;
    println!("In {}", folder.display());
    Ok(())
}

/// What people read, and what a package of Debian has to say of itself.
fn documents(tree: &Path) -> Outcome<()> {
    let doc = tree.join("usr/share/doc").join(NAME);
    for (from, name) in [
        ("docs/operations.md", "operations.md"),
        ("docs/security.md", "security.md"),
        ("docs/testing.md", "testing.md"),
        // What those lead to.
        ("docs/industry-packages.md", "industry-packages.md"),
        ("docs/performance.md", "performance.md"),
        ("docs/protocol.md", "protocol.md"),
        ("crates/bank/src/demo.toml", "examples/demo.toml"),
    ] {
        put(&root().join(from), &doc.join(name), 0o644)?;
    }
    packed(&doc.join(notices::NAME), notices::of_bank()?)?;
    let list = format!("/usr/share/doc/{NAME}/{}.gz", notices::NAME);
    write(&doc.join("copyright"), notices::debian(&list)?)?;
    let page = read(&packaging("bank.1"))?;
    packed(&tree.join("usr/share/man/man1/bank.1"), page)?;
    let version = env!("CARGO_PKG_VERSION");
    let date = output(
        Command::new("git")
            .current_dir(root())
            .args(["log", "-1", "--format=%aD"]),
    )?;
    let changes = format!(
        "{NAME} ({version}) unstable; urgency=medium\n\n  * Version {version} of Tapfill.\n\n -- {}  {}\n",
        maintainer(),
        date.trim()
    );
    packed(&doc.join("changelog"), changes)
}

/// Whoever makes the package, as Debian's own tools are told.
fn maintainer() -> String {
    let told = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let name = told("DEBFULLNAME").unwrap_or_else(|| "The Tapfill contributors".to_owned());
    let address = told("DEBEMAIL").unwrap_or_else(|| "root@localhost".to_owned());
    format!("{name} <{address}>")
}

/// The packages of the libraries that the program is linked with; of glibc the version whose symbols it needs.
fn libraries(program: &Path) -> Outcome<String> {
    let told = output(Command::new("objdump").arg("-p").arg(program))?;
    let needed = told
        .lines()
        .filter_map(|line| line.trim().strip_prefix("NEEDED"));
    let mut packages = Vec::new();
    for library in needed.map(str::trim) {
        let found = LIBRARIES.iter().find(|(name, _)| library.starts_with(name));
        let (_, package) = found.ok_or_else(|| format!("no package is known for {library}"))?;
        if !packages.contains(package) {
            packages.push(*package);
        }
    }
    let version = |word: &str| {
        let (major, minor) = word.strip_prefix("GLIBC_")?.split_once('.')?;
        let minor = minor.split('.').next()?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    let newest = told.split_whitespace().filter_map(version).max();
    let (major, minor) = newest.ok_or("the program names no version of glibc")?;
    let told = packages.into_iter().map(|package| match package {
        "libc6" => format!("libc6 (>= {major}.{minor})"),
        other => other.to_owned(),
    });
    Ok(told.collect::<Vec<_>>().join(", "))
}

/// By which `dpkg --verify` tells a file that was changed.
fn sums(tree: &Path) -> Outcome<String> {
    let mut command = Command::new("sh");
    command.current_dir(tree);
    output(command.args(["-c", "find usr -type f -print0 | sort -z | xargs -0 md5sum"]))
}

/// The control file with what only a build knows.
fn described(tree: &Path) -> Outcome<String> {
    let text = read(&packaging("control"))?;
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
        .replace("{maintainer}", &maintainer())
        .replace("{libraries}", &libraries(&tree.join("usr/bin/bank"))?)
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

fn packaging(name: &str) -> PathBuf {
    root().join(PACKAGING).join(name)
}

fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))
}

/// With gzip, the same bytes each time.
fn packed(to: &Path, text: String) -> Outcome<()> {
    write(to, text)?;
    finish(Command::new("gzip").args(["-9nf"]).arg(to))
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
