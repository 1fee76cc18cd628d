use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use session::shells::{BankClient, OsVault, PcscReader, Profile};
use session::{Parts, Session, SystemClock};

/// What stops a program of these tests.
pub type Failure = Box<dyn std::error::Error>;

/// A session on the system's own reader and keystore, with the bank of `TAPFILL_PROFILE` and its data in
/// `TAPFILL_DIR`; and a client for the bank's SMS inbox.
///
/// # Errors
/// When a setting is missing, or what it names can't be used.
pub fn device() -> Result<(Session, BankClient), Failure> {
    let profile = Profile::parse(&std::fs::read(setting("TAPFILL_PROFILE")?)?)?;
    let dir = PathBuf::from(setting("TAPFILL_DIR")?);
    let session = Session::start(Parts {
        reader: Arc::new(PcscReader::start()),
        bank: BankClient::new(profile.clone())?,
        vault: Arc::new(OsVault::new("org.tapfill.app")),
        clock: Arc::new(SystemClock),
        documents: dir.clone(),
        dir,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        development: true,
    })?;
    Ok((session, BankClient::new(profile)?))
}

fn setting(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

/// A line for whoever reads; they may be gone, and then nobody needs to be told.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
