//! Writes real messages for the fuzzer to start from: `cargo run --example seeds DIR` makes `DIR/<target>/seed-<n>`.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let missing = || io::Error::other("give a folder");
    let dir = PathBuf::from(env::args_os().nth(1).ok_or_else(missing)?);
    for target in fuzz_targets::TARGETS {
        let folder = dir.join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, bytes) in (target.seeds)().into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), bytes)?;
        }
    }
    Ok(())
}
