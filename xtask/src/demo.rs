use std::fs::{self, File, TryLockError};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::build::{self, binary};
use crate::install::{self, Extent};
use crate::process;
use crate::rig::RigProcess;
use crate::{Options, Outcome};

/// The app, or the headless run, with everything around it; all of it has stopped on return.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    if !cfg!(target_os = "linux") {
        return in_process(options);
    }
    let asked = options.has("--headless");
    let headless = asked || without_display();
    if headless && !asked {
        println!("No display here (DISPLAY, WAYLAND_DISPLAY): the demo runs without a window.");
    }
    install::system_packages(if headless {
        Extent::Headless
    } else {
        Extent::Window
    })?;
    let _only = only_demo()?;
    if let Some(port) = options.port("--external-card")? {
        ports_free(port)?;
    }
    if headless {
        build::headless()?
    } else {
        build::app()?
    }
    let dir = folder(options.has("--keep"))?;
    let rig = RigProcess::start(&rig_arguments(&dir, options))?;
    let mut program = Command::new(binary(if headless { "headless" } else { "tapfill" }));
    program.envs(rig.environment());
    if let Some(port) = options.value("--external-card") {
        println!("The virtual reader is empty and waits for a card on port {port} (vpcd).");
    }
    if !headless {
        program
            .env("XDG_DATA_HOME", dir.join("data"))
            .env("XDG_CACHE_HOME", dir.join("cache"));
        what_to_try(&rig, options);
    }
    let rig = Arc::new(Mutex::new(rig));
    if !headless {
        obey_the_terminal(&rig);
    }
    let outcome = process::run_leashed(&mut program);
    drop(rig);
    match &outcome {
        Ok(()) => println!("Everything that the demo started has stopped."),
        Err(_) => println!("The logs of all parts are in {}.", dir.display()),
    }
    outcome
}

/// What is typed goes to the rig, which knows how a reader is unplugged.
fn obey_the_terminal(rig: &Arc<Mutex<RigProcess>>) {
    let rig = Arc::downgrade(rig);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let Some(rig) = rig.upgrade() else { return };
            let done = match line.trim() {
                "" => continue,
                line => rig.lock().map_or(Ok(()), |mut rig| rig.order(line)),
            };
            match done {
                Ok(()) => println!("done"),
                Err(why) => println!("{why}"),
            }
        }
    });
}

/// Elsewhere than on Linux the card is in the app itself, and the keystore is the system's own.
fn in_process(options: &Options) -> Outcome<()> {
    for name in ["--headless", "--external-card"] {
        if options.has(name) {
            return Err(format!(
                "{name} needs the virtual PC/SC reader, which is for Linux only"
            ));
        }
    }
    let _only = only_demo()?;
    build::app()?;
    let dir = folder(options.has("--keep"))?;
    let mut arguments = rig_arguments(&dir, options);
    arguments.push("--bank-only".into());
    let rig = RigProcess::start(&arguments)?;
    what_to_try(&rig, options);
    let mut app = Command::new(binary("tapfill"));
    let card = options.value("--card").unwrap_or("demo");
    process::run(app.envs(rig.environment()).env("TAPFILL_SIMULATOR", card))
}

/// The demo's folder belongs to one demo at a time. Held until the file is closed.
fn only_demo() -> Outcome<File> {
    let path = build::target().join("demo.lock");
    let file = fs::create_dir_all(build::target())
        .and_then(|()| File::create(&path))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err("another demo runs in this folder; close it first".to_owned())
        }
        Err(TryLockError::Error(e)) => Err(format!("{}: {e}", path.display())),
    }
}

/// Before a build of minutes, not after it. The reader has two slots, on this port and the next.
fn ports_free(port: u16) -> Outcome<()> {
    let next = port.checked_add(1).filter(|_| port > 0);
    let next = next.ok_or_else(|| format!("--external-card {port}: a port from 1 to 65534"))?;
    for port in [port, next] {
        TcpListener::bind(("127.0.0.1", port))
            .map_err(|e| format!("--external-card takes a port and the next one; {port}: {e}"))?;
    }
    Ok(())
}

fn without_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty()))
}

/// The demo's own folder; a new one each time, so that each demo begins with a first start.
fn folder(keep: bool) -> Outcome<PathBuf> {
    let dir = build::target().join("demo");
    if dir.exists() && !keep {
        fs::remove_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    }
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(dir)
}

fn rig_arguments(dir: &Path, options: &Options) -> Vec<String> {
    let mut arguments = vec!["--dir".to_owned(), dir.display().to_string()];
    for name in ["--card", "--external-card", "--bank-config"] {
        if let Some(value) = options.value(name) {
            arguments.extend([name.to_owned(), value.to_owned()]);
        }
    }
    arguments
}

fn what_to_try(rig: &RigProcess, options: &Options) {
    let inbox = rig.value("TAPFILL_INBOX");
    let control = rig.value("TAPFILL_CARD_CONTROL");
    println!("\nThe app opens. Try this:");
    if options.has("--bank-config") {
        println!("  the phone and the password of a customer in your bank configuration");
    } else {
        println!("  Top up: phone 13800006021, any amount, password 246810");
    }
    if let Some(inbox) = inbox {
        let page = inbox.trim_end_matches(".json");
        println!("  The SMS code appears at {page}");
        println!("  (the demo bank made its own certificate: let the browser go on)");
    }
    println!("  Balance and \"finish a top-up\" need nothing more than the card.");
    if let Some(control) = control {
        println!(
            "  A card that is pulled in the middle: from a second terminal, the first line before you press"
        );
        println!(
            "  \"Top up\" (`after`: the card has the money already; `before`: not yet), the second to put it back:"
        );
        let port = control.replace(':', "/");
        println!("    bash -c 'echo tear 52 after > /dev/tcp/{port}'");
        println!("    bash -c 'echo insert > /dev/tcp/{port}'");
    }
    if options.value("--external-card").is_none() && cfg!(target_os = "linux") {
        println!("  A reader that is missing: type `reader unplug` here, and later `reader plug`");
    }
    println!("Close the window, or press Ctrl-C here, to stop everything.\n");
}
