use std::fs;
use std::process::Command;

use crate::Outcome;
use crate::build::{self, cargo};
use crate::process::{find, run};

const TESTS: &str = "tests/interop";

/// The terminal in Python that shares no code with the rest, against the real bank.
pub(crate) fn test() -> Outcome<()> {
    run(cargo().args(["build", "-p", "bank", "--bins"]))?;
    let python = environment()?;
    let mut command = Command::new(python);
    command.current_dir(build::root());
    command.args(["-m", "unittest", "discover", "-s", TESTS]);
    run(command.env("TAPFILL_BANK", build::binary("bank")))
}

/// A Python of its own with what `requirements.txt` asks for.
fn environment() -> Outcome<std::path::PathBuf> {
    let folder = build::target().join("interop");
    let python = folder.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let wanted = build::root().join(TESTS).join("requirements.txt");
    let wanted = fs::read_to_string(&wanted).map_err(|e| format!("{}: {e}", wanted.display()))?;
    let stamp = folder.join("requirements.txt");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) {
        return Ok(python);
    }
    println!("Fetching what the terminal in Python needs ...");
    let system = find("python3").or_else(|| find("python"));
    let system = system.ok_or("Python 3.11 or newer is missing")?;
    run(Command::new(system).args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python)
        .current_dir(build::root())
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "-r"])
        .arg(format!("{TESTS}/requirements.txt")))?;
    fs::write(&stamp, wanted).map_err(|e| format!("{}: {e}", stamp.display()))?;
    Ok(python)
}
