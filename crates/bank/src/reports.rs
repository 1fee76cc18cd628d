//! Verbs of the binary about a whole bank: what it says of itself, and its copies.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use bank::{Clock, Config, Settings, StartError, SystemClock};

use crate::{Arguments, fail, say};

/// Exit code when what was asked for is not as it should be.
const NOT_GOOD: u8 = 3;

pub(crate) async fn check(arguments: &Arguments) -> Result<ExitCode, StartError> {
    let report = bank::check(&arguments.dir, settings(arguments)?.as_ref()).await?;
    say(&json(&report));
    Ok(code(report.findings.is_empty()))
}

pub(crate) async fn audit(arguments: &Arguments) -> Result<ExitCode, StartError> {
    let anchor = arguments.anchor.as_ref();
    let settings = settings(arguments)?;
    let audit = bank::verify_audit(&arguments.dir, settings.as_ref(), anchor).await?;
    say(&json(&audit));
    Ok(code(audit.broken.is_none()))
}

pub(crate) async fn reconcile(arguments: &Arguments) -> Result<ExitCode, StartError> {
    let Some(day) = arguments.day else {
        return Ok(fail("bank: --day is missing\n", 2));
    };
    let settings = settings(arguments)?;
    let now_ms = SystemClock.now_ms();
    let done = bank::reconcile(&arguments.dir, settings.as_ref(), day, now_ms).await?;
    match &arguments.out {
        Some(file) => whole(file, &done.csv)?,
        None => say(&done.csv),
    }
    Ok(code(done.agrees))
}

pub(crate) async fn backup(config: Config, file: &Path) -> Result<ExitCode, StartError> {
    let rows = bank::backup(config, file).await?;
    say(&format!("{rows} rows\n"));
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn restore(config: Config, file: &Path) -> Result<ExitCode, StartError> {
    let report = bank::restore(config, file).await?;
    say(&json(&report));
    Ok(code(report.findings.is_empty()))
}

fn settings(arguments: &Arguments) -> Result<Option<Settings>, StartError> {
    let settings = arguments.config.as_deref().map(Settings::read);
    Ok(settings.transpose()?)
}

/// The file is there whole or not at all: somebody else's program reads it.
fn whole(file: &Path, text: &str) -> Result<(), StartError> {
    let failed = |error: std::io::Error| StartError::File {
        path: file.display().to_string(),
        cause: error.to_string(),
    };
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let mut part = std::fs::File::create(&beside).map_err(failed)?;
    part.write_all(text.as_bytes()).map_err(failed)?;
    part.sync_all().map_err(failed)?;
    std::fs::rename(&beside, file).map_err(failed)
}

fn json(report: &impl serde::Serialize) -> String {
    let json = serde_json::to_string_pretty(report).unwrap_or_default();
    format!("{json}\n")
}

fn code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_GOOD)
    }
}
