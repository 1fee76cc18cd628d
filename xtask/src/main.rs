//! The project's own tools: `cargo xtask <verb>`. Only the standard library and the virtual reader, so that it
//! compiles in seconds on a fresh machine.

mod bank_deb;
mod bench;
mod build;
mod bundle;
mod ci;
mod demo;
mod fuzz;
mod install;
mod interop;
mod kills;
mod mobile;
mod notices;
mod package;
mod process;
mod retold;
mod rig;
mod session;
mod simulate;
mod soak;
mod surroundings;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <verb>

  demo [--headless] [--card NAME|FILE] [--external-card PORT] [--bank-config FILE] [--keep]
        opens the app with a bank, an SMS inbox and a virtual card, all started for it
        --card NAME|FILE        another virtual card than the demo's (docs/testing.md)
        --headless              all four transactions and torn loads, without a window, with times
        --external-card PORT    leaves the virtual reader on PORT (and PORT + 1) empty for a card of your own
        --bank-config FILE      configuration for the bank (docs/testing.md)
        --keep                  goes on with the bank and the app data of the last demo
  test [--only unit|flows|interop|console|kills|soak|web|page|ui|samples|release|mobile] [--filter TEXT]
        everything, or one part; --filter takes the tests of page and ui whose name contains TEXT
  fuzz [--minutes N] [--only TARGET] [--replay] [--minimise]
        each target for N minutes (5); --replay runs the corpora through the targets without the fuzzer,
        --minimise puts what was found into the tree, as little as covers the same
  simulate [--seeds N] [--first S] [--seed S] [--card KIND] [--matrix steps|cards] [--jobs N]
        whole transactions with faults at every step, one for each seed; --seed runs one and tells all of it
  replay FILE
        runs a trace again that a person exported; fails when it goes another way (docs/support.md)
  bench [WHAT] [--quick] [--json] [--most=LOADS]
        what things cost, e.g. `bench interpreter` or `bench start`; without WHAT everything (docs/performance.md)
        --most=LOADS            how many loads a store has at most, where one is made to grow
  kills [--count N] [--seed N]
        kills app or bank N times (500) at moments that the seed chooses, heals, and counts the money
  soak [--minutes N] [--seed N]
        two processes of one bank at full load on PostgreSQL for N minutes (10), one of them killed every 5 to 20
        seconds; then every invariant is asked and every card compared (docs/testing.md)
  mobile-check [--only android|ios|kotlin|swift|projects]
        the code for phones: Rust checked for both systems, Kotlin compiled and tested on the JVM, Swift parsed,
        manifest and plist read (docs/mobile.md says what that proves)
  package new|check|sign|try ...
        makes, checks, signs and tries an industry package (docs/industry-packages.md); `package help` says more
  bundle [--profile FILE] [--publisher FILE] [--bundles LIST]
        the installers of a release (docs/desktop.md)
        --profile FILE          the bank's profile goes in
        --publisher FILE        what the publisher adds to tauri.conf.json
        --bundles LIST          deb, rpm, appimage; msi, nsis; dmg, app
        --bank                  the bank's .deb instead (docs/operations.md)
  lint  rustfmt, clippy, rustdoc and the checks of the web part
  bindings [--check]
        writes the TypeScript types of crates/ipc; --check only tells whether they changed
  rig --dir DIR [...]
        the parts around the app for a test: see docs/ui-testing.md";

/// What went wrong, in words for the person at the terminal.
pub(crate) type Failure = String;
pub(crate) type Outcome<T> = Result<T, Failure>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nxtask: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome<()> {
    let (verb, rest) = arguments.split_first().ok_or(USAGE)?;
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return Ok(());
    }
    match verb.as_str() {
        "demo" => demo::run(&Options::parse(
            rest,
            &["--headless", "--keep"],
            &["--card", "--external-card", "--bank-config"],
        )?),
        "test" => test::run(&Options::parse(rest, &[], &["--only", "--filter"])?),
        "fuzz" => fuzz::run(&Options::parse(
            rest,
            &["--replay", "--minimise"],
            &["--minutes", "--only"],
        )?),
        "simulate" => simulate::run(&Options::parse(
            rest,
            &[],
            &[
                "--seeds", "--first", "--seed", "--card", "--matrix", "--jobs",
            ],
        )?),
        "replay" => simulate::replay(rest),
        "bench" => bench::run(rest),
        "kills" => kills::asked(&Options::parse(rest, &[], &["--count", "--seed"])?),
        "soak" => soak::asked(&Options::parse(rest, &[], &["--minutes", "--seed"])?),
        "mobile-check" => mobile::asked(&Options::parse(rest, &[], &["--only"])?),
        "package" => package::run(rest),
        "bundle" => bundle::run(&Options::parse(
            rest,
            &["--bank"],
            &["--profile", "--publisher", "--bundles"],
        )?),
        "lint" => ci::lint(),
        "bindings" => ci::bindings(Options::parse(rest, &["--check"], &[])?.has("--check")),
        "rig" => rig::serve(&Options::parse(
            rest,
            &["--no-card", "--empty", "--bank-only"],
            &[
                "--dir",
                "--card",
                "--keyring",
                "--external-card",
                "--bank-config",
            ],
        )?),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => Err(format!("unknown verb {other}\n\n{USAGE}")),
    }
}

/// The options after a verb: flags, and names with a value (`--name value` or `--name=value`).
pub(crate) struct Options(Vec<(String, Option<String>)>);

impl Options {
    fn parse(arguments: &[String], flags: &[&str], named: &[&str]) -> Outcome<Self> {
        let mut options = Vec::new();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let (name, inline) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            if flags.contains(&name) && inline.is_none() {
                options.push((name.to_owned(), None));
            } else if named.contains(&name) {
                let value = inline.or_else(|| rest.next().cloned());
                let value = value.ok_or_else(|| format!("{name} needs a value"))?;
                options.push((name.to_owned(), Some(value)));
            } else {
                return Err(format!("unknown option {argument}\n\n{USAGE}"));
            }
        }
        Ok(Self(options))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given == name)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(given, _)| given == name)?
            .1
            .as_deref()
    }

    pub(crate) fn number(&self, name: &str, usual: u64) -> Outcome<u64> {
        self.value(name).map_or(Ok(usual), |text| {
            text.parse()
                .map_err(|_| format!("{name} {text}: not a number"))
        })
    }

    pub(crate) fn port(&self, name: &str) -> Outcome<Option<u16>> {
        self.value(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| format!("{name} {text}: not a port"))
            })
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Outcome<Options> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        Options::parse(&words, &["--keep"], &["--external-card"])
    }

    #[test]
    fn a_value_may_follow_a_space_or_an_equals_sign() {
        for words in [
            &["--external-card", "35963"][..],
            &["--external-card=35963"],
        ] {
            let options = parse(words).expect("both forms are usual");
            assert_eq!(
                options.port("--external-card"),
                Ok(Some(35963)),
                "{words:?}"
            );
        }
    }

    #[test]
    fn what_nobody_knows_is_refused_rather_than_ignored() {
        assert!(
            parse(&["--kept"]).is_err(),
            "a typing error must not run another thing"
        );
        assert!(parse(&["--external-card"]).is_err(), "a value is missing");
        assert!(parse(&["--keep=yes"]).is_err(), "a flag has no value");
    }
}
