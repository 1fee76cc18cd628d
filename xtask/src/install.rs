use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::process::{find, output, run};

/// A Debian package that a verb needs, what for, and how other systems can tell that they have it.
struct Need {
    package: &'static str,
    why: &'static str,
    sign: Sign,
}

enum Sign {
    Program(&'static str),
    Library(&'static str),
    File(&'static str),
}

use Sign::{File, Library, Program};

const fn need(package: &'static str, why: &'static str, sign: Sign) -> Need {
    Need { package, why, sign }
}

const HEADLESS: &[Need] = &[
    need(
        "gcc",
        "links Rust programs and compiles SQLite",
        Program("cc"),
    ),
    need(
        "libc6-dev",
        "the C library's headers",
        File("/usr/include/stdio.h"),
    ),
    need(
        "pkg-config",
        "finds the PC/SC library",
        Program("pkg-config"),
    ),
    need(
        "libpcsclite-dev",
        "talks to card readers",
        Library("libpcsclite"),
    ),
    need("pcscd", "the card reader service", Program("pcscd")),
    need(
        "vsmartcard-vpcd",
        "the virtual card reader",
        File("/etc/reader.conf.d/vpcd"),
    ),
    need("dbus", "the way to the keystore", Program("dbus-send")),
    need(
        "dbus-daemon",
        "a private message bus for the demo",
        Program("dbus-daemon"),
    ),
    need(
        "gnome-keyring",
        "the keystore (Secret Service)",
        Program("gnome-keyring-daemon"),
    ),
];

/// What the tests need besides.
const TESTS: &[Need] = &[
    need(
        "softhsm2",
        "a security module in software, for the bank's tests",
        Program("softhsm2-util"),
    ),
    need(
        "postgresql",
        "the bank's other store, for its tests and measurements",
        Program("psql"),
    ),
    need(
        "python3-venv",
        "the terminal in Python, for the bank's tests",
        Program("python3"),
    ),
];

const WINDOW: &[Need] = &[
    need(
        "libwebkit2gtk-4.1-dev",
        "the window's web view",
        Library("webkit2gtk-4.1"),
    ),
    need("libgtk-3-dev", "the window", Library("gtk+-3.0")),
    need("librsvg2-dev", "the window's icons", Library("librsvg-2.0")),
    need("fonts-noto-cjk", "Chinese characters", Program("fc-list")),
];

const WINDOW_TESTS: &[Need] = &[
    need(
        "webkit2gtk-driver",
        "drives the window in tests",
        Program("WebKitWebDriver"),
    ),
    need("xvfb", "a display for tests", Program("Xvfb")),
    need("xauth", "access to that display", Program("xauth")),
    need("rpm", "looks into the .rpm", Program("rpm")),
];

/// What `bench start` compares with.
const PEERS: &[Need] = &[need(
    "ausweisapp2",
    "another program for a card on a reader, to compare with",
    Program("AusweisApp2"),
)];

/// What `bench commands` compares with.
const CARD_PEERS: &[Need] = &[
    need(
        "default-jdk-headless",
        "Java's own way to a card, to compare with",
        Program("javac"),
    ),
    need(
        "python3-dev",
        "Python's headers, for its way to a card",
        File("/usr/include/python3.11/Python.h"),
    ),
];

/// Tauri's program wants to see the tray's library before it names it in a package.
const INSTALLERS: &[Need] = &[need(
    "libayatana-appindicator3-dev",
    "the icon in the tray",
    Library("ayatana-appindicator3-0.1"),
)];

/// For the operators' page.
const BROWSER: &[Need] = &[
    need("chromium", "a browser for tests", Program("chromium")),
    need(
        "chromium-driver",
        "drives that browser in tests",
        Program("chromedriver"),
    ),
    need("fonts-noto-cjk", "Chinese characters", Program("fc-list")),
];

/// What looks at the phones' code. Debian's own Rust brings its standard library's sources along.
const PHONES: &[Need] = &[
    need("rustc-web", "Rust for phones", File("/usr/bin/rustc")),
    need("cargo-web", "cargo for phones", File("/usr/bin/cargo")),
    need(
        "rust-web-src",
        "the standard library's sources",
        File("/usr/lib/rustlib/src/rust"),
    ),
    need(
        "rust-web-clippy",
        "clippy for phones",
        File("/usr/bin/cargo-clippy"),
    ),
    need(
        "default-jre-headless",
        "runs Kotlin's compiler and tests",
        Program("java"),
    ),
    need(
        "libjackson2-databind-java",
        "JSON, as Tauri has it on Android",
        File("/usr/share/java/jackson-databind.jar"),
    ),
    need(
        "libandroid-json-java",
        "Android's JSON",
        File("/usr/share/java/com.android.json.jar"),
    ),
    need(
        "junit4",
        "Kotlin's tests",
        File("/usr/share/java/junit4.jar"),
    ),
    need("python3-venv", "Swift's grammar", Program("python3")),
];

/// How much of the project a verb runs.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Extent {
    /// Bank, card, reader and session, without a window.
    Headless,
    /// The same with what tests of them need.
    HeadlessTests,
    /// The operators' page, driven by tests in a browser.
    ConsoleTests,
    /// The app's window too.
    Window,
    /// Packages of the window.
    Installers,
    /// The window, driven by tests on a display of its own.
    WindowTests,
    /// The same with what a start is compared with.
    Starts,
    /// Headless tests, with other programs that talk to a card.
    Peers,
    /// The code for phones, only looked at.
    Mobile,
}

/// Installs the system packages that are missing for `extent`.
///
/// # Errors
/// In words: what is missing and the commands that install it, when this program can't.
pub(crate) fn system_packages(extent: Extent) -> Outcome<()> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let needs: Vec<&Need> = match extent {
        Extent::Headless => HEADLESS.iter().collect(),
        Extent::HeadlessTests => HEADLESS.iter().chain(TESTS).collect(),
        Extent::ConsoleTests => HEADLESS.iter().chain(TESTS).chain(BROWSER).collect(),
        Extent::Window => HEADLESS.iter().chain(WINDOW).collect(),
        Extent::Installers => {
            let window = WINDOW.iter().chain(INSTALLERS);
            HEADLESS.iter().chain(window).collect()
        }
        Extent::WindowTests => {
            let window = WINDOW.iter().chain(WINDOW_TESTS).chain(INSTALLERS);
            HEADLESS.iter().chain(TESTS).chain(window).collect()
        }
        Extent::Starts => {
            let window = WINDOW.iter().chain(WINDOW_TESTS).chain(PEERS);
            HEADLESS.iter().chain(window).collect()
        }
        Extent::Peers => {
            let tests = HEADLESS.iter().chain(TESTS);
            tests.chain(CARD_PEERS).collect()
        }
        Extent::Mobile => PHONES.iter().collect(),
    };
    if find("dpkg-query").is_none() || find("apt-get").is_none() {
        return other_system(&needs);
    }
    let missing = missing_on_debian(&needs)?;
    if !missing.is_empty() {
        println!("Missing system packages:");
        for need in &missing {
            println!("  {:<24} {}", need.package, need.why);
        }
        apt_get(&missing.iter().map(|need| need.package).collect::<Vec<_>>())?;
    }
    run_folder()
}

/// pcscd, even a private one, wants its run folder; where the system's own never ran, only root can make it.
fn run_folder() -> Outcome<()> {
    const FOLDER: &str = "/run/pcscd";
    if Path::new(FOLDER).is_dir() || is_root()? || find("sudo").is_none() {
        return Ok(());
    }
    println!("Making {FOLDER}, which pcscd needs (sudo) ...");
    run(Command::new("sudo").args(["mkdir", "-p", FOLDER]))
}

fn is_root() -> Outcome<bool> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn missing_on_debian<'a>(needs: &[&'a Need]) -> Outcome<Vec<&'a Need>> {
    let answer = Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${db:Status-Status}\\n"])
        .args(needs.iter().map(|need| need.package))
        .stderr(Stdio::null())
        .output()
        .map_err(|e| format!("dpkg-query: {e}"))?;
    let known = String::from_utf8_lossy(&answer.stdout).into_owned();
    let installed = |package: &str| {
        known
            .lines()
            .any(|line| line.split_once(' ') == Some((package, "installed")))
    };
    Ok(needs
        .iter()
        .copied()
        .filter(|need| !installed(need.package))
        .collect())
}

fn apt_get(packages: &[&str]) -> Outcome<()> {
    let install = format!(
        "apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    let is_root = is_root()?;
    if !is_root && find("sudo").is_none() {
        return Err(format!(
            "no right to install them; as root, run\n  {install}"
        ));
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if is_root { "env" } else { "sudo" });
        if !is_root {
            command.arg("env");
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o"]);
        command.arg("Dpkg::Use-Pty=0").args(arguments);
        command
    };
    println!("Installing them (apt-get; a minute or two) ...");
    run(&mut apt(&["update"])).map_err(|e| format!("{e}\nthen run\n  {install}"))?;
    let mut command = apt(&["install", "-y", "--no-install-recommends"]);
    run(command.args(packages).stdout(Stdio::null()))
        .map_err(|e| format!("{e}\nby hand:\n  {install}"))
}

/// A Linux without apt: nothing is installed, only what is missing is named.
fn other_system(needs: &[&Need]) -> Outcome<()> {
    let missing: Vec<_> = needs
        .iter()
        .filter(|need| !is_present(&need.sign))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut text = String::from("this system lacks (Debian's names):\n");
    for need in &missing {
        text.push_str(&format!("  {:<24} {}\n", need.package, need.why));
    }
    text.push_str(
        "Install them, then run the same command again:\n  \
         Fedora: sudo dnf install gcc pkgconf-pkg-config pcsc-lite-devel pcsc-lite dbus-daemon \
         dbus-tools gnome-keyring softhsm postgresql-server postgresql-contrib python3 webkit2gtk4.1-devel webkit2gtk-driver gtk3-devel librsvg2-devel \
         google-noto-sans-cjk-fonts xorg-x11-server-Xvfb xauth\n  \
         Arch:   sudo pacman -S --needed base-devel pcsclite dbus gnome-keyring softhsm postgresql python webkit2gtk-4.1 gtk3 \
         librsvg noto-fonts-cjk xorg-server-xvfb xorg-xauth\n  \
         Both:   vpcd from https://frankmorgner.github.io/vsmartcard/ (no package there)",
    );
    Err(text)
}

fn is_present(sign: &Sign) -> bool {
    match sign {
        Program(name) => find(name).is_some(),
        File(path) => Path::new(path).exists(),
        Library(name) => Command::new("pkg-config")
            .args(["--exists", name])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success()),
    }
}

const NODE_MAJOR: u32 = 20;

/// `npm ci` in `folder`, unless what is installed there came from the same lock file.
pub(crate) fn node_modules(folder: &Path) -> Outcome<()> {
    let version = Command::new("node")
        .arg("--version")
        .output()
        .map_err(|e| format!("node: {e}; Tapfill needs Node.js {NODE_MAJOR} or newer"))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|n| n.parse().ok());
    if major.is_none_or(|major: u32| major < NODE_MAJOR) {
        return Err(format!(
            "Node.js {version} is too old: {NODE_MAJOR} or newer is needed"
        ));
    }
    let lock = folder.join("package-lock.json");
    let stamp = folder.join("node_modules/.tapfill-lock.json");
    let wanted = fs::read(&lock).map_err(|e| format!("{}: {e}", lock.display()))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("Fetching npm packages for {} ...", folder.display());
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    run(Command::new(npm)
        .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder))?;
    fs::write(&stamp, wanted).map_err(|e| format!("{}: {e}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_package_is_named_twice_and_each_has_a_reason() {
        let mut seen = std::collections::BTreeSet::new();
        for need in HEADLESS
            .iter()
            .chain(WINDOW)
            .chain(WINDOW_TESTS)
            .chain(INSTALLERS)
        {
            assert!(seen.insert(need.package), "{} twice", need.package);
            assert!(!need.why.is_empty(), "{} without a reason", need.package);
        }
    }
}
