use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::install::node_modules;
use crate::process::{find, run};
use crate::{Outcome, install};

/// Development builds of the app carry the simulator.
pub(crate) const APP_FEATURES: &str = "simulator,tauri/custom-protocol";

/// What a release of the app is made of, for cargo: `custom-protocol` makes it load its own page.
pub(crate) const RELEASED_APP: [&str; 4] = ["-p", "tapfill", "--features", "tauri/custom-protocol"];
/// The same of the bank: without its inbox and its demo.
pub(crate) const RELEASED_BANK: [&str; 3] = ["-p", "bank", "--no-default-features"];

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// A program of this project, as built by [`app`] or [`headless`].
pub(crate) fn binary(name: &str) -> PathBuf {
    target()
        .join("debug")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// The same of what is handed to people.
pub(crate) fn released(name: &str) -> PathBuf {
    target()
        .join("release")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Cargo as it runs us, in the project's folder.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // Set by the cargo that runs us; a nested cargo would take some of them for its own.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// The bank, the virtual card and the headless run.
pub(crate) fn headless() -> Outcome<()> {
    println!("Building the bank, the virtual card and the headless run ...");
    programs(&["bank", "virtual-card", "headless", "errand"], &[])
}

/// The bank and what loads it.
pub(crate) fn soak(is_released: bool) -> Outcome<()> {
    println!("Building the bank and what loads it ...");
    if !is_released {
        return programs(&["bank", "bench"], &[]);
    }
    run(cargo().args([
        "build",
        "--release",
        "-p",
        "bank",
        "-p",
        "tapfill-bench",
        "--bins",
    ]))
}

/// The app with its page, the bank and the virtual card.
pub(crate) fn app() -> Outcome<()> {
    page()?;
    println!("Building the app, the bank and the virtual card (some minutes the first time) ...");
    programs(&["tapfill", "bank", "virtual-card"], &[])
}

/// Programs for development, with `features` beside the usual ones. The whole workspace has a say in what libraries are
/// built with, as it has for tests: each library is compiled once for all of them.
pub(crate) fn programs(names: &[&str], features: &[&str]) -> Outcome<()> {
    let features = [&[APP_FEATURES], features].concat().join(",");
    let mut command = cargo();
    command.args(["build", "--workspace", "--features", &features]);
    run(command.args(names.iter().flat_map(|name| ["--bin", name])))
}

/// What a release is made for.
#[derive(Clone, Copy)]
pub(crate) enum Made {
    /// Handed to people, or measured.
    ToUse,
    /// Looked at from outside: the same parts, and no machine time spent on making them fast.
    ToLookAt,
}

impl Made {
    /// For cargo, also for one that a test starts.
    pub(crate) const fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::ToUse => &[],
            Self::ToLookAt => &[
                ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
                ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256"),
            ],
        }
    }
}

/// The app and the bank, without what is for development alone.
pub(crate) fn release(made: Made) -> Outcome<()> {
    release_app(None, made)?;
    release_bank(made)
}

/// The bank alone.
pub(crate) fn release_bank(made: Made) -> Outcome<()> {
    run(cargo()
        .args(["build", "--release", "--bins"])
        .args(RELEASED_BANK)
        .envs(made.environment().iter().copied()))
}

/// The release of the app, an empty window with the same features of the web view, and what looks at them.
pub(crate) fn starts() -> Outcome<()> {
    page()?;
    println!(
        "Building the release of the app and an empty window (some minutes the first time) ..."
    );
    run(cargo()
        .args(["build", "--release", "--bins", "-p", "empty-window"])
        .args(["-p", "tapfill-start"])
        .args(RELEASED_APP))
}

/// The app alone. `config` is merged into `tauri.conf.json`.
pub(crate) fn release_app(config: Option<&str>, made: Made) -> Outcome<()> {
    page()?;
    println!("Building the release of the app (some minutes the first time) ...");
    run(cargo()
        .args(["build", "--release", "--bins"])
        .args(RELEASED_APP)
        .envs(made.environment().iter().copied())
        .envs(config.map(|config| ("TAURI_CONFIG", config))))
}

/// The web part, when one of its files is newer than the last build.
pub(crate) fn page() -> Outcome<()> {
    install::node_modules(&root())?;
    let sources = [
        "ui",
        "package.json",
        "package-lock.json",
        "vite.config.ts",
        "svelte.config.js",
    ];
    let newest = sources
        .iter()
        .filter_map(|name| newest(&root().join(name)))
        .max();
    let built = fs::metadata(root().join("dist/index.html"))
        .and_then(|m| m.modified())
        .ok();
    let stamp = root().join("dist/assets");
    if stamp.is_dir() && built.is_some() && built > newest {
        return Ok(());
    }
    println!("Building the page ...");
    npm(&["run", "--silent", "build"])
}

/// An npm command in the project's folder.
pub(crate) fn npm(arguments: &[&str]) -> Outcome<()> {
    node_modules(&root())?;
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    run(Command::new(npm).args(arguments).current_dir(root()))
}

/// A Python of its own, called `name`, with what a file of requirements asks for.
pub(crate) fn python(name: &str, requirements: &str) -> Outcome<PathBuf> {
    let folder = target().join(name);
    let python = folder.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let file = root().join(requirements);
    let wanted = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let stamp = folder.join("requirements.txt");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) {
        return Ok(python);
    }
    println!("Fetching what {name} needs in Python ...");
    let system = find("python3").or_else(|| find("python"));
    let system = system.ok_or("Python 3.11 or newer is missing")?;
    run(Command::new(system).args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python)
        .current_dir(root())
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "-r", requirements]))?;
    fs::write(&stamp, wanted).map_err(|e| format!("{}: {e}", stamp.display()))?;
    Ok(python)
}

/// The newest change of a file or of any file in a folder, generated ones left out.
fn newest(path: &Path) -> Option<SystemTime> {
    let meta = fs::metadata(path).ok()?;
    if !meta.is_dir() {
        return meta.modified().ok();
    }
    fs::read_dir(path)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| !path.ends_with("paraglide") && !path.ends_with("node_modules"))
        .filter_map(|path| newest(&path))
        .max()
}
