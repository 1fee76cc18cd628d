//! What can be known of the phones' code without an SDK, a Mac or a phone (`docs/mobile.md`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::build::{self, cargo};
use crate::install::{self, Extent};
use crate::process::{find, output, run};
use crate::{Options, Outcome, ci};

const HERE: &str = "tests/mobile";
const CARGO: &str = "/usr/bin/cargo";
const PLUGIN: &str = "plugins/iso-dep";
const APP: &str = "gen/android/app/src";
const JARS: [&str; 6] = [
    "jackson-core",
    "jackson-databind",
    "jackson-annotations",
    "com.android.json",
    "junit4",
    "hamcrest-core",
];

/// A part of the check, as `--only` names it.
#[derive(Clone, Copy)]
enum Part {
    Android,
    Ios,
    Kotlin,
    Swift,
    Projects,
}

impl Part {
    const ALL: [Self; 5] = [
        Self::Kotlin,
        Self::Swift,
        Self::Android,
        Self::Ios,
        Self::Projects,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Android => "android",
            Self::Ios => "ios",
            Self::Kotlin => "kotlin",
            Self::Swift => "swift",
            Self::Projects => "projects",
        }
    }

    /// `built`: the Android part ran before.
    fn run(self, built: bool) -> Outcome<()> {
        match self {
            Self::Android => {
                let project = android_project()?;
                rust("clippy", "aarch64-linux-android", Some(&project))
            }
            Self::Ios => rust("check", "aarch64-apple-ios", None),
            Self::Kotlin => kotlin(),
            Self::Swift => swift(),
            Self::Projects => projects(built),
        }
    }
}

/// Runs every part even when one fails, and sums up.
pub(crate) fn asked(options: &Options) -> Outcome<()> {
    let parts: Vec<Part> =
        match options.value("--only") {
            None => Part::ALL.to_vec(),
            Some(name) => {
                let part = Part::ALL.into_iter().find(|part| part.name() == name);
                vec![part.ok_or_else(|| {
                    format!("--only {name}: android, ios, kotlin, swift or projects")
                })?]
            }
        };
    check(&parts)
}

/// All of it, as a part of the tests.
pub(crate) fn test() -> Outcome<()> {
    check(&Part::ALL)
}

fn check(parts: &[Part]) -> Outcome<()> {
    if !cfg!(target_os = "linux") || find("apt-get").is_none() {
        println!("left out: its compilers for phones are Debian's");
        return Ok(());
    }
    install::system_packages(Extent::Mobile)?;
    ci::page_stand_in()?;
    let mut failed = Vec::new();
    let mut built = false;
    for part in parts {
        println!("\n-- {} --", part.name());
        let began = Instant::now();
        let outcome = part.run(built);
        built |= matches!(part, Part::Android);
        if let Err(why) = outcome {
            println!("{why}");
            failed.push(part.name());
        }
        println!("{}: {} s", part.name(), began.elapsed().as_secs());
    }
    let passed = parts.len() - failed.len();
    println!("\nmobile-check: {passed} passed, {} failed", failed.len());
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("mobile-check failed: {}", failed.join(", ")))
}

fn folder() -> PathBuf {
    build::target().join("mobile")
}

/// `TAPFILL_MOBILE` names a folder that outlives a checkout, as `.ci/run` does: hundreds of crates for two more systems
/// are checked once.
fn cargo_folder() -> PathBuf {
    std::env::var_os("TAPFILL_MOBILE").map_or_else(folder, PathBuf::from)
}

/// The app's library for a phone, with Debian's own Rust: its sources of the standard library are the ones that apt
/// brings. Nothing is linked, so no C compiler is needed either.
fn rust(verb: &str, target: &str, project: Option<&Path>) -> Outcome<()> {
    let nothing = folder().join("no-sdk");
    fs::create_dir_all(&nothing).map_err(|e| format!("{}: {e}", nothing.display()))?;
    let stand_in = build::root().join(HERE).join("cc");
    let of_target = target.replace('-', "_");
    // Whichever else cargo would find first, e.g. rustup's, looks for another Rust's sources.
    let program = match verb {
        "clippy" => "/usr/bin/cargo-clippy",
        _ => CARGO,
    };
    let mut command = Command::new(program);
    command.current_dir(build::root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        // What the cargo that runs us set for itself. Where packages are kept stays.
        let of_cargo = text.starts_with("CARGO") && text != "CARGO_HOME";
        if of_cargo || text.starts_with("RUSTUP") {
            command.env_remove(name);
        }
    }
    command
        .args([verb, "--quiet", "--locked", "-p", "tapfill", "--lib"])
        .args(["-Z", "build-std", "--target", target])
        .env("CARGO_TARGET_DIR", cargo_folder())
        .env("CARGO", CARGO)
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("SDKROOT", nothing);
    for tool in ["CC", "CXX", "AR"] {
        command.env(format!("{tool}_{of_target}"), &stand_in);
    }
    if let Some(project) = project {
        command
            .env("TAURI_ANDROID_PROJECT_PATH", project)
            .env("TAURI_ANDROID_PACKAGE_UNESCAPED", "org.tapfill.app");
    }
    if verb == "clippy" {
        command.args(["--", "-D", "warnings"]);
    }
    println!("{verb} for {target} (some minutes the first time) ...");
    run(&mut command)?;
    println!("no fault");
    Ok(())
}

/// A copy of `gen/android`, so that what build scripts write into it is seen there.
fn android_project() -> Outcome<PathBuf> {
    let copy = folder().join("android-project");
    copy_folder(&build::root().join("gen/android"), &copy)
        .map_err(|e| format!("{}: {e}", copy.display()))?;
    Ok(copy)
}

/// Files that are the same already are left alone: cargo looks at their age.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &copy)?;
            continue;
        }
        let bytes = fs::read(entry.path())?;
        if !fs::read(&copy).is_ok_and(|there| there == bytes) {
            fs::write(&copy, bytes)?;
        }
    }
    Ok(())
}

/// Everything in Kotlin with Tauri's own, compiled and tested on the JVM.
fn kotlin() -> Outcome<()> {
    install::node_modules(&build::root().join(HERE))?;
    let compiler = build::root()
        .join(HERE)
        .join("node_modules/kotlin-compiler");
    let tauri = sources_of("tauri")?.join("mobile");
    let made = folder().join("kotlin");
    let written = |e: std::io::Error| format!("{}: {e}", made.display());
    fs::create_dir_all(&made).map_err(written)?;
    let window = fs::read_to_string(tauri.join("android-codegen/TauriActivity.kt"));
    let window = window.map_err(|e| format!("Tauri's activity: {e}"))?;
    let activity = made.join("TauriActivity.kt");
    fs::write(&activity, window.replace("{{package}}", "org.tapfill.app")).map_err(written)?;
    let sources = [
        build::root().join(HERE).join("android"),
        activity,
        tauri.join("android/src/main/java"),
        build::root().join(APP).join("main/java"),
        build::root().join(APP).join("test/java"),
        build::root().join(PLUGIN).join("android/src/main/java"),
        build::root().join(PLUGIN).join("android/src/test/java"),
    ];
    let classes = made.join("classes");
    let stamp = made.join("stamp");
    let now = stamp_of(&sources)?;
    if fs::read_to_string(&stamp).is_ok_and(|before| before == now) {
        println!("compiled before, and nothing changed");
    } else {
        let _ = fs::remove_file(&stamp);
        let _ = fs::remove_dir_all(&classes);
        compile(&compiler, &sources, &classes)?;
        fs::write(&stamp, now).map_err(written)?;
    }
    let path = format!(
        "{}:{}:{}",
        classes.display(),
        compiler.join("lib/kotlin-stdlib.jar").display(),
        class_path()
    );
    let mut tests = Command::new("java");
    tests.args(["-cp", &path, "org.junit.runner.JUnitCore"]);
    run(tests.args(test_classes()?))
}

fn compile(compiler: &Path, sources: &[PathBuf], classes: &Path) -> Outcome<()> {
    let jar = |name: &str| compiler.join("lib").join(name).display().to_string();
    let program = [
        "kotlin-compiler.jar",
        "kotlin-stdlib.jar",
        "kotlin-script-runtime.jar",
        "kotlin-reflect.jar",
        "annotations-13.0.jar",
        "kotlinx-coroutines-core-jvm.jar",
    ];
    let mut command = Command::new("java");
    command
        .args(["-Xmx900m", "-cp", &program.map(jar).join(":")])
        .arg("org.jetbrains.kotlin.cli.jvm.K2JVMCompiler")
        .args(["-no-reflect", "-nowarn", "-jvm-target", "1.8"])
        .arg("-kotlin-home")
        .arg(compiler)
        .args(["-cp", &class_path(), "-d"])
        .arg(classes)
        .args(sources);
    run(&mut command)
}

fn class_path() -> String {
    JARS.map(|name| format!("/usr/share/java/{name}.jar"))
        .join(":")
}

/// The classes of tests, by the files' names.
fn test_classes() -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for sources in [
        format!("{PLUGIN}/android/src/test/java"),
        format!("{APP}/test/java"),
    ] {
        let sources = build::root().join(sources);
        for file in files(&sources, "kt")? {
            let class = file
                .strip_prefix(&sources)
                .unwrap_or(&file)
                .with_extension("");
            let class = class.to_string_lossy().replace('/', ".");
            names.extend(class.ends_with("Test").then_some(class));
        }
    }
    names.sort();
    if names.is_empty() {
        return Err("no Kotlin tests".to_owned());
    }
    Ok(names)
}

/// What would make the compiler give something else.
fn stamp_of(sources: &[PathBuf]) -> Outcome<String> {
    let mut all = Vec::new();
    for source in sources {
        all.extend(files(source, "kt")?);
    }
    all.sort();
    let mut stamp = String::new();
    for path in all {
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        stamp.push_str(&format!("== {}\n{text}", path.display()));
    }
    Ok(stamp)
}

/// Every file of a kind in a folder, or the file itself.
fn files(path: &Path, kind: &str) -> Outcome<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let wrong = |e: std::io::Error| format!("{}: {e}", path.display());
    for entry in fs::read_dir(path).map_err(wrong)? {
        let entry = entry.map_err(wrong)?.path();
        if entry.is_dir() {
            found.extend(files(&entry, kind)?);
        } else if entry.extension().is_some_and(|ending| ending == kind) {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}

/// Where cargo keeps the very sources of a crate that the app is built with.
fn sources_of(crate_name: &str) -> Outcome<PathBuf> {
    let query = output(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let manifest = query
        .split("\"manifest_path\":\"")
        .filter_map(|rest| rest.split('"').next())
        .find(|path| {
            let folder = Path::new(path).parent().and_then(Path::file_name);
            folder.is_some_and(|name| is_crate(&name.to_string_lossy(), crate_name))
        })
        .ok_or_else(|| format!("cargo metadata names no {crate_name}"))?;
    let folder = Path::new(manifest).parent();
    Ok(folder.ok_or("a manifest without a folder")?.to_owned())
}

fn is_crate(folder: &str, name: &str) -> bool {
    let version = folder
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('-'));
    version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

fn swift() -> Outcome<()> {
    let sources = files(&build::root().join(PLUGIN).join("ios"), "swift")?;
    let python = build::python("swift", &format!("{HERE}/requirements.txt"))?;
    let mut command = Command::new(python);
    command.current_dir(build::root());
    run(command.arg(format!("{HERE}/swift.py")).args(sources))
}

/// Manifest, plist and the words on both sides of the bridge. What a build of another day left is not today's project.
fn projects(built: bool) -> Outcome<()> {
    let mut command = Command::new("python3");
    command.current_dir(build::root());
    let nfc = sources_of("tauri-plugin-nfc")?;
    let mut swift = vec![nfc.clone()];
    for name in ["tauri", "tauri-plugin-dialog", "tauri-plugin-fs"] {
        swift.push(sources_of(name)?);
    }
    let swift =
        std::env::join_paths(swift).map_err(|e| format!("where cargo keeps crates: {e}"))?;
    command.env("TAPFILL_NFC", nfc).env("TAPFILL_SWIFT", swift);
    if built {
        command.env("TAPFILL_ANDROID", folder().join("android-project"));
    }
    run(command.args(["-B", "-m", "unittest", "discover", "-s", HERE]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tauri_is_told_from_what_is_named_after_it() {
        assert!(is_crate("tauri-2.12.5", "tauri"));
        assert!(!is_crate("tauri-plugin-nfc-2.4.2", "tauri"));
        assert!(is_crate("tauri-plugin-nfc-2.4.2", "tauri-plugin-nfc"));
        assert!(!is_crate("mobile", "tauri"));
    }
}
