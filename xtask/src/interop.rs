use std::process::Command;

use crate::Outcome;
use crate::build::{self, cargo};
use crate::process::run;

const TESTS: &str = "tests/interop";

/// The terminal in Python that shares no code with the rest, against the real bank.
pub(crate) fn test() -> Outcome<()> {
    run(cargo().args(["build", "-p", "bank", "--bins"]))?;
    let python = build::python("interop", &format!("{TESTS}/requirements.txt"))?;
    let mut command = Command::new(python);
    command.current_dir(build::root());
    command.args(["-m", "unittest", "discover", "-s", TESTS]);
    run(command.env("TAPFILL_BANK", build::binary("bank")))
}
