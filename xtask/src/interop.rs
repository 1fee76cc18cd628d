use std::process::Command;

use crate::Outcome;
use crate::build;
use crate::install;
use crate::process::run;

const TESTS: &str = "tests/interop";
const CONSOLE: &str = "tests/console";

/// The terminal in Python that shares no code with the rest, against the real bank.
pub(crate) fn test() -> Outcome<()> {
    // With traces, which one of the tests collects.
    build::programs(&["bank"], &["bank/otel"])?;
    let python = build::python("interop", &format!("{TESTS}/requirements.txt"))?;
    let mut command = Command::new(python);
    command.current_dir(build::root());
    command.args(["-m", "unittest", "discover", "-s", TESTS]);
    run(command.env("TAPFILL_BANK", build::binary("bank")))
}

/// The operators' page in Chromium, on a bank whose loads the same terminal makes.
pub(crate) fn console() -> Outcome<()> {
    build::programs(&["bank"], &[])?;
    let python = build::python("console", &format!("{CONSOLE}/requirements.txt"))?;
    install::node_modules(&build::root().join("tests/ui"))?;
    let screens = build::target().join("artefacts/console");
    let mut command = Command::new(python);
    command.current_dir(build::root());
    command.args(["-m", "unittest", "discover", "-s", CONSOLE]);
    command.env("TAPFILL_SCREENS", &screens);
    let outcome = run(command.env("TAPFILL_BANK", build::binary("bank")));
    println!("Pictures: {}", screens.display());
    outcome
}
