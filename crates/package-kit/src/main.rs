//! `cargo xtask package`: makes, checks, signs and tries industry packages. `docs/industry-packages.md` is the guide.

mod anatomy;
mod bank_config;
mod check;
mod lint;
mod options;
mod scaffold;
mod sign;
mod trial;

use std::io::Write;
use std::process::ExitCode;

use options::Options;

const USAGE: &str = "\
usage: cargo xtask package <verb>

  new CODE [--like 0001|0002|0003|read-only] [--out FILE]
        a good package to start from (CODE.json), with an application id of its own to fill in
  check FILE...
        every rule of the format and some advice, each with line and column; fails when a package would be refused
  sign FILE --key KEYFILE [--new-key]
        writes the signature beside the package (FILE.sig) and tells the public key for bank.package_signer;
        --new-key makes the key first
  try FILE --card NAME|PROFILE [--bank-config FILE] [--json]
        the package against a virtual card, a real bank and the app's own session: all of its transactions,
        every fault, and the money after each; fails when one check does";

/// A line for the person at the terminal; they may be gone, and then nobody needs to be told.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// What a verb came to: good, or something was found wrong and has been told.
pub(crate) enum Verdict {
    Good,
    Bad,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(Verdict::Good) => ExitCode::SUCCESS,
        Ok(Verdict::Bad) => ExitCode::FAILURE,
        Err(why) => {
            let mut out = std::io::stderr().lock();
            let _ = writeln!(out, "package: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<Verdict, String> {
    let (verb, rest) = words.split_first().ok_or(USAGE)?;
    match verb.as_str() {
        "new" => scaffold::run(&Options::parse(rest, &[], &["--like", "--out"])?),
        "check" => check::run(&Options::parse(rest, &[], &[])?),
        "sign" => sign::run(&Options::parse(rest, &["--new-key"], &["--key"])?),
        "try" => trial::run(&Options::parse(
            rest,
            &["--json"],
            &["--card", "--bank-config"],
        )?),
        "help" | "--help" | "-h" => {
            say(USAGE);
            Ok(Verdict::Good)
        }
        other => Err(format!("unknown verb {other}\n\n{USAGE}")),
    }
}
