//! Two processes of one bank at full load, one of them killed again and again: what `tests/bench` does, with the
//! programs that it needs.

use std::process::Command;

use crate::build::{self, target};
use crate::install::{self, Extent};
use crate::process::run as finish;
use crate::{Options, Outcome};

/// `cargo xtask soak`: the release where there is one, since it is what is operated.
pub(crate) fn asked(options: &Options) -> Outcome<()> {
    let minutes = options.number("--minutes", 10)?;
    let seed = options.number("--seed", 1)?;
    install::system_packages(Extent::HeadlessTests)?;
    let release = target().join("release");
    let is_released = ["bank", "bench"]
        .iter()
        .all(|name| release.join(name).exists());
    soak(is_released, minutes.saturating_mul(60), seed)
}

/// The part of the tests: forty seconds with four kills.
pub(crate) fn share() -> Outcome<()> {
    soak(false, 40, 7)
}

fn soak(is_released: bool, seconds: u64, seed: u64) -> Outcome<()> {
    build::soak(is_released)?;
    let profile = if is_released { "release" } else { "debug" };
    println!("Soaking the {profile} build for {seconds} s ...");
    let mut bench = Command::new(target().join(profile).join("bench"));
    finish(
        bench
            .arg("soak")
            .arg(format!("--seconds={seconds}"))
            .arg(format!("--seed={seed}")),
    )
}
