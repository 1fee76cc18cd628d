//! Online backup and restore: one file of lines that either engine takes, closed by a keyed hash.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde_json::{Value as Json, json};
use subtle::ConstantTimeEq;

use crate::bank::Bank;
use crate::check::{self, Report};
use crate::config::Config;
use crate::error::{Problem, StartError};
use crate::files::create_new;
use crate::running::{self, store_failed};
use crate::store::copy::{self, Line, TABLES, Table};
use crate::store::sql::Value;
use crate::store::{Conn, commit};
use crate::vault::{Purpose, Vault};

/// The first line of a file; another form has another number.
const FORM: u32 = 1;

/// Writes all rows of the bank in `config.dir`, running or not, as they are at one moment; how many.
/// Keys are not among them: the bank's folder is kept elsewhere.
///
/// # Errors
/// [`StartError`] when the bank can't be read, or `file` is there already or can't be written.
pub async fn backup(mut config: Config, file: &Path) -> Result<u64, StartError> {
    config.patient = true;
    let dir = running::directory(&config)?;
    let bank = running::bank(&config, &dir).await?;
    let out = match create_new(file) {
        Ok(out) => out,
        Err(error) => {
            bank.store.close().await;
            return Err(failed(file, &error));
        }
    };
    let done = write(&bank, BufWriter::new(out)).await;
    bank.store.close().await;
    if done.is_err()
        && let Err(error) = std::fs::remove_file(file)
    {
        log::warn!("half a backup stays: {error}");
    }
    done.map_err(store_failed)
}

/// Fills the empty store of the bank in `config.dir`, whose keys are those of the bank that was backed up; what
/// the reconciler finds afterwards.
///
/// # Errors
/// [`StartError`] when the file is not whole or of another bank, or the store is not empty. Nothing is changed then.
pub async fn restore(mut config: Config, file: &Path) -> Result<Report, StartError> {
    config.patient = true;
    let dir = running::directory(&config)?;
    let bank = running::bank(&config, &dir).await?;
    let done = async {
        proven(&bank.vault, file)?;
        commit!(bank.store, conn => { fill(conn, file).await })?;
        check::report(&bank.store, &bank.vault).await
    };
    let done = done.await;
    bank.store.close().await;
    done.map_err(store_failed)
}

/// Lines with a hash that each one changes.
struct Sealed<'a, Out> {
    vault: &'a Vault,
    out: Out,
    hash: [u8; 32],
    lines: u64,
}

impl<Out: Write> Sealed<'_, Out> {
    fn line(&mut self, line: &Json) -> Result<(), Problem> {
        let text = line.to_string();
        self.hash = next_hash(self.vault, &self.hash, &text);
        self.lines += 1;
        writeln!(self.out, "{text}").map_err(Problem::internal)
    }
}

fn next_hash(vault: &Vault, hash: &[u8; 32], line: &str) -> [u8; 32] {
    vault.hash(Purpose::Backup, &[hash, line.as_bytes()])
}

async fn write(bank: &Bank, out: BufWriter<File>) -> Result<u64, Problem> {
    let mut sealed = Sealed {
        vault: &bank.vault,
        out,
        hash: [0; 32],
        lines: 0,
    };
    sealed.line(&json!({"tapfill-backup": FORM, "at_ms": bank.now_ms()}))?;
    let mut conn = bank.store.snapshot().await?;
    for table in &TABLES {
        let take = |line: Line| sealed.line(&written(table, line));
        copy::each(&mut conn, table, take).await?;
    }
    let (hash, lines) = (hex::encode(sealed.hash), sealed.lines);
    let mut out = sealed.out;
    let done = writeln!(out, "{}", json!({"hash": hash}))
        .and_then(|()| out.flush())
        .and_then(|()| out.get_ref().sync_all());
    done.map_err(Problem::internal)?;
    Ok(lines.saturating_sub(1))
}

fn written(table: &Table, Line(values): Line) -> Json {
    let value = |value| match value {
        Value::Number(number) => json!(number),
        Value::Text(Some(text)) => json!(text),
        Value::Text(None) => json!({"text": null}),
        Value::Bytes(bytes) => json!({"bytes": bytes.map(hex::encode)}),
    };
    let values: Vec<Json> = values.into_iter().map(value).collect();
    json!([table.name, values])
}

fn read(line: &str) -> Option<(&'static Table, Line)> {
    let (name, values): (String, Vec<Json>) = serde_json::from_str(line).ok()?;
    let value = |value: Json| {
        Some(match value {
            Json::Null => Value::Number(None),
            Json::Number(number) => Value::Number(Some(number.as_i64()?)),
            Json::String(text) => Value::Text(Some(text)),
            Json::Object(object) => match object.get("bytes") {
                Some(Json::String(bytes)) => Value::Bytes(Some(hex::decode(bytes).ok()?)),
                Some(_) => Value::Bytes(None),
                None => Value::Text(None),
            },
            Json::Bool(_) | Json::Array(_) => return None,
        })
    };
    let values: Option<Vec<Value>> = values.into_iter().map(value).collect();
    Some((copy::by_name(&name)?, Line(values?)))
}

/// Reads the file once before anything is written: whole, unchanged, and of this bank's store key.
fn proven(vault: &Vault, file: &Path) -> Result<(), Problem> {
    let not_whole = || Problem::internal("the file is not whole, or not of this bank's store.key");
    let mut hash = [0; 32];
    let mut last: Option<String> = None;
    for line in lines(file)? {
        let line = line.map_err(Problem::internal)?;
        if let Some(before) = last.replace(line) {
            hash = next_hash(vault, &hash, &before);
        }
    }
    let last: Json = serde_json::from_str(&last.ok_or_else(not_whole)?).map_err(|_| not_whole())?;
    let said = last["hash"]
        .as_str()
        .and_then(|text| hex::decode(text).ok());
    let same = said.is_some_and(|said| said.ct_eq(&hash[..]).into());
    same.then_some(()).ok_or_else(not_whole)
}

async fn fill(conn: &mut Conn, file: &Path) -> Result<(), Problem> {
    let sql = "SELECT count(*) FROM account WHERE bank = $1";
    if conn.sql(sql).value::<i64>().await? > 0 {
        return Err(Problem::internal(
            "the store is not empty: nothing is restored over a bank",
        ));
    }
    let mut lines = lines(file)?;
    let head = lines.next().transpose().map_err(Problem::internal)?;
    let head: Json = serde_json::from_str(&head.unwrap_or_default()).map_err(Problem::internal)?;
    if head["tapfill-backup"] != FORM {
        return Err(Problem::internal(
            "a backup of another form: restore it with its own release",
        ));
    }
    for line in lines {
        let line = line.map_err(Problem::internal)?;
        // The closing line names no table.
        let Some((table, line)) = read(&line) else {
            continue;
        };
        copy::insert(conn, table, line).await?;
    }
    copy::number_on(conn).await
}

fn lines(file: &Path) -> Result<std::io::Lines<BufReader<File>>, Problem> {
    let opened = File::open(file).map_err(|error| Problem::internal(failed(file, &error)))?;
    Ok(BufReader::new(opened).lines())
}

fn failed(path: &Path, error: &std::io::Error) -> StartError {
    StartError::File {
        path: path.display().to_string(),
        cause: error.to_string(),
    }
}
