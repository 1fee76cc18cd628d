//! The history as a CSV file for people and their spreadsheets.

use std::fmt::Write;
use std::path::Path;

use ipc::{HistoryEntry, HistoryState, TransactionKind};

use crate::disk::DiskError;

/// Writes `tapfill-history.csv` into `folder` and returns its path. UTF-8 with a byte order mark: spreadsheets
/// would take Chinese for something else without it.
pub(crate) fn write(
    folder: &Path,
    entries: &[HistoryEntry],
    chinese: bool,
) -> Result<String, DiskError> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join("tapfill-history.csv");
    std::fs::write(&path, csv(entries, chinese))?;
    Ok(path.display().to_string())
}

fn csv(entries: &[HistoryEntry], chinese: bool) -> String {
    let mut text = String::from("\u{feff}");
    text.push_str(if chinese {
        "时间(UTC),类型,状态,金额(元),充值后余额(元),卡尾号,凭证号\r\n"
    } else {
        "time (UTC),kind,state,amount (CNY),balance after (CNY),card tail,reference\r\n"
    });
    for entry in entries {
        let receipt = &entry.receipt;
        let _ = write!(
            text,
            "{},{},{},{},{},{},{}\r\n",
            time(entry.started_ms),
            kind(entry.kind, chinese),
            state(entry.state, chinese),
            yuan(receipt.amount),
            yuan(receipt.new_balance),
            receipt.tail,
            receipt.reference.as_deref().unwrap_or_default(),
        );
    }
    text
}

fn time(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}

fn yuan(fen: Option<u32>) -> String {
    fen.map(|fen| format!("{}.{:02}", fen / 100, fen % 100))
        .unwrap_or_default()
}

fn kind(kind: TransactionKind, chinese: bool) -> &'static str {
    match (kind, chinese) {
        (TransactionKind::Balance, true) => "查余额",
        (TransactionKind::Balance, false) => "balance",
        (TransactionKind::Topup, true) => "充值",
        (TransactionKind::Topup, false) => "top-up",
        (TransactionKind::Resume, true) => "补充值",
        (TransactionKind::Resume, false) => "re-top-up",
        (TransactionKind::Activate, true) => "激活",
        (TransactionKind::Activate, false) => "activation",
    }
}

fn state(state: HistoryState, chinese: bool) -> &'static str {
    match (state, chinese) {
        (HistoryState::Done, true) => "已完成",
        (HistoryState::Done, false) => "done",
        (HistoryState::Unfinished, true) => "未完成",
        (HistoryState::Unfinished, false) => "unfinished",
        (HistoryState::NotDone, true) => "未发生",
        (HistoryState::NotDone, false) => "not done",
    }
}
